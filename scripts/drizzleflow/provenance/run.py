"""A product's folder after a run: which file is which, by the records of the jobs."""

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
    """The folder of one product.

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
        The working folder of the run, from which the records' paths start; of a folder that was moved, the
        present one.

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
        self._recorded = os.path.dirname(os.path.normpath(made))  # how the records call the folder
        ending = os.sep + self._recorded
        self.here = Path(
            str(self.folder)[: -len(ending)] if str(self.folder).endswith(ending) else os.getcwd()
        )

    @classmethod
    def of(cls, path) -> tuple[Run, str]:
        """The run that made a product, and its kind (of `KINDS`).

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
        """The record ``record/{name}.json``, without its pictures.

        Raises
        ------
        InputError
            It is missing or cannot be read.
        """
        found = record.read(self.folder / layout.RECORD / f"{name}.json")
        found.pop("thumbnails", None)
        return found

    def options(self, name: str) -> dict:
        """The options of the job that wrote the record `name`."""
        return self.record(name)["params"]["opts"]

    def path(self, name) -> Path:
        """Where a file that a record names is now: in the product's folder, wherever that was moved, or from
        the working folder.
        """
        name = os.path.normpath(name)
        if name.startswith(self._recorded + os.sep):
            return self.folder / name[len(self._recorded) + 1 :]
        return self.here / name

    def recorded(self, path) -> str:
        """How the records name a file of the product's folder."""
        return os.path.join(self._recorded, os.path.relpath(path, self.folder))

    def file(self, step: str, output: str, **names) -> Path:
        """A file that the run made: the output of a step; `names`: the wildcards in its path."""
        return self.folder / roads.path(step, output, product=self.product, **names)

    def inputs(self, name: str, step: str, output: str) -> list[Path]:
        """The inputs of the job with the record `name` that are a step's output."""
        pattern = roads.STEPS[step].files[output].pattern
        read = [self.path(entry["path"]) for entry in self.record(name)["inputs"]]
        return [path for path in read if layout.match(pattern, os.path.relpath(path, self.folder))]

    def record_of(self, path, step: str, output: str) -> str:
        """The name of the record of the job that made a step's output, as `record` takes it."""
        made = roads.STEPS[step]
        names = layout.match(made.files[output].pattern, os.path.relpath(path, self.folder))
        return made.record.format(**names).removeprefix(f"{layout.RECORD}/").removesuffix(".json")

    def doubts(self, path, made_by: str, inputs: dict) -> list[str]:
        """What speaks against a product being what its inputs make, as far as records and sizes tell; one
        line each.

        Parameters
        ----------
        made_by : str
            The name of the product's record.
        inputs : dict
            name of a record -> the path (as `path` gives it) of the file that its job made and the product's
            job read.
        """
        mine, found = self.record(made_by), []
        sizes = {self.path(entry["path"]): entry["size"] for entry in mine["outputs"]}
        expected = sizes.get(Path(os.path.abspath(path)))
        if expected != os.path.getsize(path):
            found.append(
                f"altered: {self.name(path)} has {os.path.getsize(path)} bytes, its record says {expected}"
            )
        for name, given in inputs.items():
            if not os.path.exists(given):
                found.append(f"missing: {self.name(given)}")
                continue
            try:
                maker = self.record(name)
            except InputError as error:
                found.append(f"missing: {error}")
                continue
            if maker["ended"] > mine["started"]:
                found.append(f"stale: {self.name(given)} was made again after {self.name(path)}")
            sizes = {self.path(entry["path"]): entry["size"] for entry in maker["outputs"]}
            if sizes.get(Path(given)) != os.path.getsize(given):
                found.append(f"altered: {self.name(given)} has another size than its record says")
        return found

    def name(self, path) -> str:
        """A path as it is told: from the product's folder where it lies in it."""
        inside = os.path.relpath(path, self.folder)
        return os.fspath(path) if inside.startswith("..") else inside
