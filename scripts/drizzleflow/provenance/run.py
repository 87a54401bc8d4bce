"""Find the files of a finished product by the records of the jobs in its folder."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from drizzleflow.errors import InputError
from drizzleflow.jobs import record
from drizzleflow.plan import layout, roads

#: kind of a product that can be traced -> the step that makes it
KINDS = {"mosaic": "mosaic", "median": "median", "single": "single_drizzle"}


class Run:
    """The folder of one product after a run.

    Parameters
    ----------
    folder : path
        ``{outdir}/{product}``.

    Attributes
    ----------
    folder : Path
    product : str
        Its name.
    here : Path
        The working folder of the run, to which the records' paths are relative. If the product's folder was
        moved, the present working folder.

    Raises
    ------
    InputError
        The folder has no records.
    """

    def __init__(self, folder):
        self.folder = Path(os.path.abspath(folder))
        self.product = self.folder.name
        path = self.folder / layout.MEMBERS.record
        if not path.is_file():
            raise InputError(
                f"{folder}: not the folder of a product: there is no {layout.MEMBERS.record} in it"
            )
        outputs, table = record.read(path).get("outputs") or [], roads.path("members", "table")
        made = next((entry["path"] for entry in outputs if entry["path"].endswith(table)), table)
        self._recorded = os.path.dirname(os.path.normpath(made))  # the folder's path in the records
        ending = os.sep + self._recorded
        self.here = Path(
            str(self.folder)[: -len(ending)] if str(self.folder).endswith(ending) else os.getcwd()
        )

    @classmethod
    def of(cls, path) -> tuple[Run, str]:
        """Return the run that made a product, and the product's kind (one of `KINDS`).

        Raises
        ------
        InputError
            The file is missing, or not the mosaic, median or single of a run.
        """
        path = Path(os.path.abspath(path))
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        patterns = {kind: roads.STEPS[step].files[kind].pattern for kind, step in KINDS.items()}
        for kind, pattern in patterns.items():
            if len(path.parents) <= pattern.count("/"):
                continue
            folder = path.parents[pattern.count("/")]
            names = layout.match(pattern, os.fspath(path.relative_to(folder)))
            fits = names is not None and names.get("product", folder.name) == folder.name
            if fits and (folder / layout.RECORD).is_dir():
                return cls(folder), kind
        listed = ", ".join(patterns.values())
        raise InputError(
            f"{path}: not a product of drizzleflow, expected one of {listed} in the folder that a run made"
        )

    @cache  # noqa: B019 (a run lives as long as the process that looks at it)
    def record(self, name: str) -> dict:
        """Return the record ``record/{name}.json``, without its thumbnails.

        Raises
        ------
        InputError
            The record is missing or cannot be read.
        """
        content = record.read(self.folder / layout.RECORD / f"{name}.json")
        content.pop("thumbnails", None)
        return content

    def options(self, name: str) -> dict:
        """Return the options of the job that wrote the record `name`."""
        return self.record(name)["params"]

    def path(self, name) -> Path:
        """Return where a file that a record names is now.

        It is in the product's folder, even if that was moved, or relative to the working folder.
        """
        name = os.path.normpath(name)
        if name.startswith(self._recorded + os.sep):
            return self.folder / name[len(self._recorded) + 1 :]
        return self.here / name

    def recorded(self, path) -> str:
        """Return the path by which the records name a file of the product's folder."""
        return os.path.join(self._recorded, os.path.relpath(path, self.folder))

    def file(self, step: str, output: str, **names) -> Path:
        """Return the path of a step's output; `names` are the wildcards in the path."""
        return self.folder / roads.path(step, output, product=self.product, **names)

    def inputs(self, name: str, step: str, output: str) -> list[Path]:
        """Return those inputs of the job with the record `name` that another step made as `output`."""
        pattern = roads.STEPS[step].files[output].pattern
        read = [self.path(entry["path"]) for entry in self.record(name)["inputs"]]
        return [path for path in read if layout.match(pattern, os.path.relpath(path, self.folder))]

    def record_of(self, path, step: str, output: str) -> str:
        """Return the name of the record of the job that made a step's output, for use in `record`."""
        made = roads.STEPS[step]
        names = layout.match(made.files[output].pattern, os.path.relpath(path, self.folder))
        return made.record.format(**names).removeprefix(f"{layout.RECORD}/").removesuffix(".json")

    def doubts(self, path, made_by: str, inputs: dict) -> list[str]:
        """Return the reasons to doubt that a product was made from its present inputs, one line each.

        Only the records and the sizes of the files are compared.

        Parameters
        ----------
        made_by : str
            The name of the product's record.
        inputs : dict
            name of a record -> path of a file that the record's job made and the product's job read, as
            `path` returns it.
        """
        mine, doubts = self.record(made_by), []
        sizes = {self.path(entry["path"]): entry["size"] for entry in mine["outputs"]}
        expected = sizes.get(Path(os.path.abspath(path)))
        if expected != os.path.getsize(path):
            doubts.append(
                f"altered: {self.name(path)} has {os.path.getsize(path)} bytes, its record says {expected}"
            )
        for name, given in inputs.items():
            if not os.path.exists(given):
                doubts.append(f"missing: {self.name(given)}")
                continue
            try:
                maker = self.record(name)
            except InputError as error:
                doubts.append(f"missing: {error}")
                continue
            if maker["ended"] > mine["started"]:
                doubts.append(f"stale: {self.name(given)} was made again after {self.name(path)}")
            sizes = {self.path(entry["path"]): entry["size"] for entry in maker["outputs"]}
            if sizes.get(Path(given)) != os.path.getsize(given):
                doubts.append(f"altered: {self.name(given)} has another size than its record says")
        return doubts

    def name(self, path) -> str:
        """Return the path that messages show: relative to the product's folder if it lies in it."""
        inside = os.path.relpath(path, self.folder)
        return os.fspath(path) if inside.startswith("..") else inside
