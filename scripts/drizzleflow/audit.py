"""Are the files of an output folder still those that the jobs made?

Nothing is trusted but the bytes: every hash in the records is computed again. The audit only reads.
"""

from __future__ import annotations

import fnmatch
import json
import logging
import os
from dataclasses import dataclass

from drizzleflow import record
from drizzleflow.errors import InputError
from drizzleflow.files import fingerprint

logger = logging.getLogger("drizzleflow")


@dataclass(frozen=True, order=True)
class Finding:
    """One file that is not as it should be."""

    path: str  #: as named in the record, or found below the output folder
    kind: str  #: missing, altered, stale, unknown
    detail: str  #: what was found and what was expected

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: {self.detail}"


def audit(
    outdir, *, temporary=(), ignore=("*/log/*", "*/benchmark/*"), inputs: bool = False
) -> list[Finding]:
    """Compare an output folder with the records of the jobs that filled it.

    Parameters
    ----------
    outdir : path
        The output folder; records are the JSON files in ``record`` folders below it. Paths in records are taken from the
        working folder, as at the time of the run.
    temporary : list of patterns
        Outputs that the workflow itself may have removed: their absence is no finding.
    ignore : list of patterns
        Files below `outdir` that are no products of a job (locks, logs, tables of time). Patterns are `fnmatch`'s, on
        the path from `outdir`; ``*`` also matches ``/``.
    inputs : bool
        Also hash again the raw inputs that a record has hashed.

    Returns
    -------
    list of Finding
        Sorted by path; empty when all is well. ``missing``: a recorded file is gone. ``altered``: its bytes are others, or a
        record is no longer readable. ``stale``: a provenance file older than a record that it describes. ``unknown``: no
        record knows the file.

    Raises
    ------
    InputError
        The folder does not exist, or no record lies in it.
    """
    outdir = os.fspath(outdir)
    if not os.path.isdir(outdir):
        raise InputError(f"{outdir}: no such output folder")
    found = sorted(_walk(outdir))
    names = {_key(path): path for path in found}
    records = [path for path in found if _is_record(path, outdir)]
    if not records:
        raise InputError(f"{outdir}: no records in it: nothing to compare with")

    findings, claims, sources, known = [], {}, {}, set()
    for path in records:
        known.add(_key(path))
        try:
            content = record.read(path)
            ended, outputs = str(content["ended"]), [_claim(entry) for entry in content["outputs"]]
            given = [_claim(entry) for entry in content["inputs"] if entry.get("sha256")]
        except (InputError, KeyError, TypeError, AttributeError) as error:
            findings.append(Finding(path, "altered", f"not a readable record ({error})"))
            continue
        if not record.intact(path):
            findings.append(Finding(path, "altered", "not as its job wrote it (its seal is another)"))
        known.update(_key(path) for path in [content.get("log")] if path)
        for entry in outputs:
            if ended >= claims.get(_key(entry[0]), ("",))[0]:  # the last job that made the file
                claims[_key(entry[0])] = (ended, *entry)
        sources.update({_key(entry[0]): (ended, *entry) for entry in given})

    count = size = 0
    for key, (_, path, sha256, length) in {**(sources if inputs else {}), **claims}.items():
        known.add(key)
        inside = os.path.relpath(key, _key(outdir))
        if not os.path.exists(key):
            if not any(fnmatch.fnmatchcase(inside, pattern) for pattern in temporary):
                findings.append(Finding(names.get(key, path), "missing", "recorded, but not there"))
            continue
        problem, read = _compare(key, sha256, length)
        count, size = count + 1, size + read
        if problem:
            findings.append(Finding(names.get(key, path), "altered", problem))
    for path in found:
        if os.path.basename(path) == "provenance.json" and _key(path) in claims:
            findings += _check_records(
                path, claims[_key(path)][0], {_key(finding.path) for finding in findings}
            )
    for key, path in names.items():
        inside = os.path.relpath(path, outdir)
        if key not in known and not any(fnmatch.fnmatchcase(inside, pattern) for pattern in ignore):
            leftover = ".tmp-" in os.path.basename(path)
            findings.append(
                Finding(path, "unknown", "left by an interrupted job" if leftover else "no record names it")
            )
    logger.info(
        "%d records, %d files, %d bytes compared: %d findings", len(records), count, size, len(findings)
    )
    return sorted(findings)


def _walk(folder):
    for here, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(here, name)


def _is_record(path: str, outdir: str) -> bool:
    """Whether the path is ``{product}/record/….json`` below `outdir`, and no leftover."""
    parts = os.path.relpath(path, outdir).split(os.sep)
    return (
        len(parts) > 2
        and parts[1] == "record"
        and parts[-1].endswith(".json")
        and not parts[-1].startswith(".")
    )


def _key(path) -> str:
    return os.path.abspath(path)


def _claim(entry) -> tuple[str, str, int]:
    return str(entry["path"]), str(entry["sha256"]), int(entry["size"])


def _compare(path, sha256: str, length: int) -> tuple[str, int]:
    """What is wrong with a file ("" if nothing), and how many bytes were read to see it."""
    try:
        size = os.path.getsize(path)
        if size != length:
            return f"{size} bytes, recorded {length}", 0
        actual = fingerprint(path)["sha256"]
    except OSError as error:
        return f"cannot be read ({error.strerror})", 0
    return ("" if actual == sha256 else f"sha256 {actual[:16]}…, recorded {sha256[:16]}…"), length


def _check_records(path, written: str, told: set[str]) -> list[Finding]:
    """The records themselves, against the hashes that a provenance file holds."""
    try:
        with open(path, encoding="utf-8") as stream:
            entities = json.load(stream)["entity"].values()
        entries = [
            (entry["df:path"], entry["df:sha256"], entry["df:size"])
            for entry in entities
            if "df:sha256" in entry
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return (
            [] if _key(path) in told else [Finding(path, "altered", f"not readable as provenance ({error})")]
        )
    findings, stale = [], None
    here = _key(os.path.dirname(path))
    for name, sha256, length in entries:
        if not os.path.relpath(_key(name), here).startswith("record" + os.sep):
            continue
        if not os.path.exists(name):
            findings.append(Finding(name, "missing", f"a record that {path} names"))
        elif _key(name) not in told and _compare(name, sha256, length)[0]:
            if (
                str(record.read(name).get("ended", "")) > written
            ):  # made again since: provenance has to follow
                stale = Finding(path, "stale", f"older than {name}")
            else:
                findings.append(Finding(name, "altered", f"not the record that {path} describes"))
    return [*findings, stale] if stale else findings
