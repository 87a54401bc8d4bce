"""The small tables that jobs hand on: members.csv and sky.csv."""

from __future__ import annotations

import csv
import math
import os

from drizzleflow.errors import InputError
from drizzleflow.io.files import why_no_file

#: first columns of sky.csv; `sky` is in the frame's unit per pixel
SKY_COLUMNS = ("member", "group", "sky", "component", "npix", "valid", "sigma", "extver")


def rows(path) -> list[dict[str, str]]:
    """The rows of a CSV file (``members.csv``, ``sky.csv``), values as text.

    Raises
    ------
    InputError
        The file is missing or not UTF-8 text.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a readable table ({error})") from None


def read_members(path, files=None) -> list[dict]:
    """members.csv with the types of the plan's `Member`: empty cells: None; `files` replace the paths."""
    kinds = {"nframes": int, "nx": int, "ny": int, "size": int, "exptime": float, "flux_scale": float}
    found = []
    for row in rows(path):
        member = {k: (None if v == "" else kinds.get(k, str)(v)) for k, v in row.items()}
        member |= {key: row[key] == "True" for key in ("cube", "err")}
        found.append(member)
    if files is not None:
        found = [dict(member, path=path) for member, path in zip(found, files, strict=True)]
    return found


def read_levels(path) -> dict[tuple[str, int], float]:
    """(member, extver) -> sky level, of the frames that have a valid one."""
    return {(r["member"], int(r["extver"])): float(r["sky"]) for r in rows(path) if r["valid"] == "True"}


def read_skylist(path, members) -> dict[str, float]:
    """member -> level, of a text file with a line ``name level`` for each member (# begins a comment).

    A name may be the member's, its file's, or a path that ends so.

    Raises
    ------
    InputError
        A line that is none, a member without a line or with two.
    """
    if not os.path.isfile(path):  # a pipe would be waited for
        raise InputError(f"{path}: not a readable list of sky levels ({why_no_file(path)})")
    try:
        with open(path, encoding="utf-8") as stream:
            lines = [line.split("#")[0].split() for line in stream]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable list of sky levels ({error})") from None
    found: dict[str, float] = {}
    for number, words in enumerate(lines, start=1):
        if not words:
            continue
        try:
            name, level = words[0].rsplit("/", 1)[-1], float(words[1])
        except (IndexError, ValueError):
            level = float("nan")
        if len(words) != 2 or not math.isfinite(level):
            raise InputError(
                f"{path}: line {number} is {' '.join(words)!r}, expected a member's name and its sky level"
            )
        fitting = [
            member for member in members if name == member or name.startswith((member + "_", member + "."))
        ]
        stem = max(fitting, key=len, default=None)
        if stem in found:
            raise InputError(f"{path}: line {number}: a second level of {stem}")
        if stem is not None:
            found[stem] = level
    missing = [member for member in dict.fromkeys(members) if member not in found]
    if missing:
        raise InputError(
            f"{path}: no level of {', '.join(missing)}; expected a line 'name level' for each member"
        )
    return found


def background_keywords(settings: dict, levels: dict, member: dict) -> dict:
    """BKG* keywords of a flagged member, and ``level_keyword``: keyword -> (value, comment); none where no level was measured.

    The level is in the unit of the file's own pixels (before ``flux_scale``). Where a file has several images it is a
    dictionary extver -> level; a cube states its first integration's.
    """
    scale = member.get("flux_scale") or 1.0
    found = {
        v: levels[member["member"], v] / scale
        for v in range(1, member["nframes"] + 1)
        if (member["member"], v) in levels
    }
    if settings["skip"] or 1 not in found:
        return {}
    level = (found[1] if member["cube"] or len(found) == 1 else found, "sky level in the unit of the pixels")
    keywords = {
        "BKGMETH": (settings["skymethod"], "sky matching method"),
        "BKGLEVEL": level,
        "BKGSUB": (False, "whether the level is subtracted"),
    }
    return keywords | ({settings["level_keyword"]: level} if settings.get("level_keyword") else {})
