"""Read the text files with a line for each member: sky levels, and masks for the sky."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator

from drizzleflow.errors import InputError
from drizzleflow.io.files import why_no_file

_APPLIED = re.compile(r"#\s*applied\s*=\s*(yes|no|true|false)\b", re.IGNORECASE)
_NAMED = re.compile(r"([^\s,]*)\s*,?(.*)")
_EXTENSION = re.compile(r"(.+?)\[(\d+)\]$")


def read_skylist(path, members: Iterable[str]) -> dict[str, list[float]]:
    """Return member -> sky levels, from a text file with a line ``name level`` for each member.

    A name is the member's, its file's, or a path that ends with one of these. A line may have a level for
    each chip. # begins a comment; ``# applied = yes`` says that the levels are subtracted already: they are
    then 0 here. This is AstroDrizzle's ``skyfile``.

    Raises
    ------
    InputError
        A line is not of this form, or a member has no line or two.
    """
    text, levels = _text(path, "list of sky levels"), {}
    applied = any(found[1].lower() in ("yes", "true") for found in _APPLIED.finditer(text))
    for number, name, rest in _lines(path, text, members, "level"):
        try:
            values = [float(word) for word in rest.split()]
        except ValueError:
            values = []
        if not values or not all(map(math.isfinite, values)):
            raise InputError(
                f"{path}: line {number} is {_shown(text, number)!r}, expected a member's name and its sky level"
            )
        if name is not None:
            levels[name] = [0.0] * len(values) if applied else values
    missing = [member for member in dict.fromkeys(members) if member not in levels]
    if missing:
        raise InputError(
            f"{path}: no level of {', '.join(missing)}; expected a line 'name level' for each member"
        )
    return levels


def read_sky_masks(path, members: Iterable[str]) -> dict[str, list[tuple[str, int | None] | None]]:
    """Return member -> its frames' masks, from a text file with a line ``name mask, mask ...``.

    A mask is a FITS file, relative to the folder of the list, with the number of an HDU in brackets where it
    is not the first image; an empty place or ``None`` stands for no mask. # begins a comment. This is
    AstroDrizzle's ``skymask_cat``.

    Returns
    -------
    dict
        Of each member that has a line: (path, HDU or None), or None, for its frames in their order.

    Raises
    ------
    InputError
        A line is not of this form, a member has two, or a mask is no file.
    """
    text, masks = _text(path, "list of masks"), {}
    for number, name, rest in _lines(path, text, members, "line"):
        listed = [word.strip() for word in rest.split(",")] if "," in rest else rest.split()
        if not any(listed):
            raise InputError(
                f"{path}: line {number} is {_shown(text, number)!r}, expected a member's name and its masks"
            )
        if name is not None:
            masks[name] = [_mask(path, number, word) for word in listed]
    return masks


def _mask(path, number, word) -> tuple[str, int | None] | None:
    if word in ("", "None"):
        return None
    found = _EXTENSION.match(word)
    file, index = (found[1], int(found[2])) if found else (word, None)
    file = os.path.normpath(os.path.join(os.path.dirname(os.fspath(path)), file))
    if not os.path.isfile(file) or set("{}<>") & set(file):
        reason = "has one of { } < >" if os.path.isfile(file) else why_no_file(file)
        raise InputError(f"{path}: line {number}: {file}: {reason}")
    return file, index


def _text(path, what) -> str:
    if not os.path.isfile(path):  # a named pipe would block
        raise InputError(f"{path}: not a readable {what} ({why_no_file(path)})")
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable {what} ({error})") from None


def _lines(path, text, members, what) -> Iterator[tuple[int, str | None, str]]:
    """Yield (number of the line, the member that it is of, what follows the name and one comma or blanks)."""
    members, seen = list(members), set()
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, rest = _NAMED.fullmatch(line).groups()
        name = name.rsplit("/", 1)[-1]
        fitting = [m for m in members if name == m or name.startswith((m + "_", m + "."))]
        stem = max(fitting, key=len, default=None)
        if stem is not None and stem in seen:
            raise InputError(f"{path}: line {number}: a second {what} of {stem}")
        seen.add(stem)
        yield number, stem, rest


def _shown(text, number) -> str:
    return " ".join(text.splitlines()[number - 1].split("#")[0].split())
