"""Values of the object that Snakemake gives to scripts, as plain Python: for records, and for looking at them."""

from __future__ import annotations

import math
import os


def plain(value):
    """`value` in JSON's types: numpy's as Python's, paths and infinities as text, NaN as None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist())
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    return str(value)


def named(given) -> dict:
    """The names and values in Snakemake's Namedlist, a dict, or a plain namespace."""
    if given is None:
        return {}
    if hasattr(given, "items"):
        return dict(given.items())
    return dict(vars(given))


def listed(given) -> list:
    """All values in Snakemake's Namedlist, a list, a dict or a plain namespace, as one flat list."""
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike)):
        return [given]
    if isinstance(given, dict):
        items = given.values()
    elif hasattr(given, "__iter__"):
        items = given
    else:
        items = vars(given).values()
    flat = []
    for item in items:
        flat.extend(listed(item))
    return flat
