"""Combine single-drizzled images pixel by pixel into one without cosmic rays (`drizzlepac.createMedian`).

Start at `combine_stack`, which combines arrays. `median`, `createMedian` and ``python -m
drizzleflow.combine`` combine files; `parameters` has the settings of all of them.
"""

from importlib import import_module

_HOMES = {
    "combine_stack": "combine.in_memory",
    "median": "combine.createmedian",
    "createMedian": "combine.createmedian",
    "getHelpAsString": "combine.createmedian",
    "help": "combine.createmedian",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Import the module of a public name when the name is first used, so that `import` alone is fast."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
