"""Export a finished run as an RO-Crate by the profile Workflow Run Crate.

See https://www.researchobject.org/ro-crate/.

The crate says in schema.org's terms what provenance.json says in W3C PROV's: files with hash and size, the
workflow, one action for the run and one for each job. The library ``rocrate`` writes it and can read it.
"""

from __future__ import annotations

import datetime
import json
import mimetypes
import os
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

from drizzleflow.errors import InputError
from drizzleflow.io.files import fingerprint, write_text
from drizzleflow.jobs import checkout, record
from drizzleflow.plan import layout, roads
from drizzleflow.plan.association import safe_name
from drizzleflow.provenance.run import Run

METADATA = "ro-crate-metadata.json"
ROOT = Path(__file__).resolve().parents[3]  #: folder of the project
CODE = (
    "Snakefile",
    "pyproject.toml",
    "rules/*.smk",
    "scripts/*.py",
    "scripts/drizzleflow/**/*",
    "config/**/*",
    "profiles/**/*",
    "envs/*",
)
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"  #: where ``sha256`` is defined
TEMPORARY = roads.temporary(intermediate=True)  #: files that may have been removed after a run
FORMATS = {
    ".fits": "application/fits",
    ".asdf": "application/x-asdf",
    ".npz": "application/zip",
    ".csv": "text/csv",
}


def export(folder, out=None, license: str | None = None) -> Path:
    """Write the RO-Crate of one product's run.

    Parameters
    ----------
    folder : path
        ``{outdir}/{product}`` of a finished run.
    out : path, optional
        A new folder or, if the name ends in ``.zip``, a new file. It gets a copy of everything, with the raw
        inputs and the workflow's code. Without `out`, ``ro-crate-metadata.json`` is written into `folder` and
        nothing is copied: the folder itself is the crate, and files outside it are named by their ``file:``
        URI. The metadata file gets a record, like every file of the run, so that the audit knows it.
    license : str, optional
        URI or text of the data's licence.

    Returns
    -------
    Path
        Path of the metadata file, or `out` if it was given.

    Raises
    ------
    InputError
        The run is not finished, a file differs from what provenance.json describes, or `out` exists.
    """
    run = Run(folder)
    if out is None:
        crate = _Builder(run, copied=False).build(license)
        path = run.folder / METADATA
        write_text(
            path, json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        )
        _keep_record(run, path)
        return path
    out = Path(os.path.abspath(out))
    if out.exists():
        raise InputError(f"{out}: exists; expected the name of a folder or of a .zip that can be made")
    crate = _Builder(run, copied=True).build(license)
    temporary = out.with_name(f".{out.name}.tmp-{os.getpid()}{out.suffix}")
    try:
        (crate.write_zip if out.suffix == ".zip" else crate.write)(temporary)
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
    return out


def _keep_record(run: Run, path: Path) -> None:
    """Write a record of the crate's file, as the audit expects one for every file in the output folder."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    given = run.file("provenance", "provenance")
    entry = {
        "format": record.FORMAT,
        "rule": "crate",
        "wildcards": {"product": run.product},
        "params": {},
        "code": None,
        "git": checkout.describe(ROOT),
        "versions": record.versions(),
        "host": os.uname().nodename,
        "started": now,
        "inputs": [{"path": run.recorded(given)}],
        "outputs": [fingerprint(path) | {"path": run.recorded(path)}],
        "contributions": [],
        "statistics": {},
        "warnings": [],
        "warnings_count": 0,
        "ended": now,
        "seconds": 0.0,
        "thumbnails": {},
    }
    write_text(run.folder / layout.RECORD / "crate.json", record.sealed(entry))


def _document(run: Run) -> dict:
    path = run.file("provenance", "provenance")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not all(
            isinstance(document[key], dict) for key in ("entity", "activity", "used", "wasGeneratedBy")
        ):
            raise ValueError("a part is missing")
        return document
    except FileNotFoundError:
        raise InputError(f"{path}: missing: the run is not finished") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not readable as provenance ({error})") from None


class _Builder:
    """The crate of a run, built in memory."""

    def __init__(self, run: Run, copied: bool):
        from rocrate.rocrate import ROCrate

        self.run, self.copied, self.document = run, copied, _document(run)
        self.crate = ROCrate(version="1.1")
        self.files: dict[str, object] = {}  # name of an entity in provenance.json -> its entity in the crate
        self.taken: set[str] = set()

    def build(self, license: str | None):
        crate, jobs = self.crate, self.document["activity"].values()
        started, ended = (
            min(job["prov:startTime"] for job in jobs),
            max(job.get("prov:endTime", "") for job in jobs),
        )
        crate.name = f"{self.run.product}: a run of drizzleflow"
        crate.description = f"The exposures of {self.run.product}, their outliers found and combined: every file and job of the run."
        crate.datePublished = datetime.datetime.fromisoformat(ended)
        if license:
            crate.license = license
        crate.metadata.extra_contexts.append(TERMS)
        for name, entity in sorted(self.document["entity"].items()):
            if "df:path" in entity:
                self._add_file(name, entity)
        # no file can hold its own hash
        for name in (roads.path("provenance", "provenance"), layout.PROVENANCE.record):
            path = self.run.recorded(self.run.folder / name)
            self._add_file(f"file:{path}", {"df:path": path})
        workflow = self._add_workflow()
        self._add_actions(workflow, started, ended)
        crate.root_dataset["conformsTo"] = [
            self._context(url, {"@type": "CreativeWork", "name": name, "version": version})
            for url, (name, version) in PROFILES.items()
        ]
        return crate

    def _context(self, identifier: str, properties: dict):
        from rocrate.model.contextentity import ContextEntity

        return self.crate.dereference(identifier) or self.crate.add(
            ContextEntity(self.crate, identifier, properties=properties)
        )

    def _add_file(self, name: str, entity: dict) -> None:
        path = self.run.path(entity["df:path"])
        if not path.is_file():
            if any(fnmatchcase(os.path.relpath(path, self.run.folder), pattern) for pattern in TEMPORARY):
                return
            raise InputError(f"{path}: missing; run snakemake again before the run is exported")
        found = fingerprint(path)
        if entity.get("df:sha256") not in (None, found["sha256"]):
            if "@" in name:
                return  # this is an earlier content of the same path
            raise InputError(
                f"{path}: not the file that provenance.json describes; run snakemake again, or see snakemake audit"
            )
        properties = {"name": path.name, "sha256": found["sha256"], "contentSize": str(found["size"])}
        kind = FORMATS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        if kind:
            properties["encodingFormat"] = kind
        inside = os.path.relpath(path, self.run.folder)
        if not inside.startswith(".."):
            self.files[name] = self.crate.add_file(path, inside, properties=properties)
        elif self.copied:
            self.files[name] = self.crate.add_file(
                path, self._free(f"inputs/{safe_name(path.name)}"), properties=properties
            )
        else:
            self.files[name] = self.crate.add_file(path.as_uri(), properties=properties)

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.taken:
            folder, base = os.path.split(wanted)
            name, number = f"{folder}/{number}_{base}", number + 1
        self.taken.add(name)
        return name

    def _add_workflow(self):
        """Add the Snakefile and, if files are copied, all code that it includes."""
        agents = self.document.get("agent", {}).values()
        versions = sorted(
            {
                (key[3:], value)
                for agent in agents
                for key, value in agent.items()
                if key.startswith("df:") and not key.startswith("df:git_")
            }
        )
        commits = sorted(
            {
                agent["df:git_commit"] + ("-dirty" if agent["df:git_dirty"] else "")
                for agent in agents
                if "df:git_commit" in agent
            }
        )
        snakefile = ROOT / "Snakefile"
        if not snakefile.is_file():
            raise InputError(
                f"{snakefile}: missing: the crate names the workflow, run the command from a checkout of drizzleflow"
            )
        where = (snakefile, "workflow/Snakefile") if self.copied else (snakefile.as_uri(), None)
        workflow = self.crate.add_workflow(
            *where,
            main=True,
            lang="snakemake",
            lang_version=dict(versions).get("snakemake"),
            properties={"name": "drizzleflow"},
        )
        workflow["version"] = ", ".join([*(v for name, v in versions if name == "drizzleflow"), *commits])
        workflow["softwareRequirements"] = [
            self._context(
                f"#{name}-{version}",
                {"@type": "SoftwareApplication", "name": name, "softwareVersion": version},
            )
            for name, version in versions
            if name != "drizzleflow"
        ]
        if self.copied:
            paths = sorted(
                {
                    p
                    for pattern in CODE
                    for p in ROOT.glob(pattern)
                    if p.is_file() and "__pycache__" not in p.parts
                }
                - {snakefile}
            )
            workflow["hasPart"] = [
                self.crate.add_file(path, f"workflow/{path.relative_to(ROOT)}", properties=_hashed(path))
                for path in paths
            ]
        workflow["sha256"], workflow["contentSize"] = (
            _hashed(snakefile)["sha256"],
            _hashed(snakefile)["contentSize"],
        )
        return workflow

    def _add_actions(self, workflow, started: str, ended: str) -> None:
        """Add one action for the whole run and one for each job.

        The action of the run leads from the files that no job made to those that a job made. The records of
        the jobs are in neither list.

        The action of the run leads from the files that no job made to those that a job made. The job that
        wrote provenance.json itself is left out of the latter.
        """
        used, made = {}, {}
        for kind, found in (("used", used), ("wasGeneratedBy", made)):
            for relation in self.document[kind].values():
                if relation["prov:entity"] in self.files:
                    found.setdefault(relation["prov:activity"], []).append(
                        self.files[relation["prov:entity"]]
                    )
        generated = {id(file) for files in made.values() for file in files}
        own = {id(self.files[name]) for name in self.files if f"/{layout.RECORD}/" in f"/{name}"}
        files = list({id(file): file for file in self.files.values()}.values())
        run = self._context(
            "#run",
            {
                "@type": "CreateAction",
                "name": f"run of drizzleflow for {self.run.product}",
                "startTime": started,
                "endTime": ended,
                "actionStatus": "http://schema.org/CompletedActionStatus",
            },
        )
        run["instrument"] = workflow
        run["object"] = [file for file in files if id(file) not in generated and id(file) not in own]
        run["result"] = [file for file in files if id(file) in generated and id(file) not in own]
        self.crate.root_dataset["mentions"] = [run]
        for name, job in self.document["activity"].items():
            step = self._context(
                f"#step-{job['df:rule']}", {"@type": "SoftwareApplication", "name": job["df:rule"]}
            )
            action = self._context(
                "#" + name.replace(":", "-", 1),
                {
                    "@type": "CreateAction",
                    "name": job["prov:label"],
                    "startTime": job["prov:startTime"],
                    **({"endTime": job["prov:endTime"]} if "prov:endTime" in job else {}),
                },
            )
            action["instrument"] = step
            action["object"], action["result"] = used.get(name, []), made.get(name, [])
            self.crate.root_dataset.append_to("mentions", action)


def _hashed(path: Path) -> dict:
    found = fingerprint(path)
    return {"sha256": found["sha256"], "contentSize": str(found["size"])}
