"""Combining single-drizzled images pixel by pixel (`drizzlepac.createMedian`).

`combine_stack` combines arrays; `median`, `createMedian` and ``python -m drizzleflow.combine`` combine files.
"""

from importlib import import_module

_HOMES = {
    "combine_stack": "combine.stack",
    "median": "combine.createmedian",
    "createMedian": "combine.createmedian",
    "getHelpAsString": "combine.createmedian",
    "help": "combine.createmedian",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Public names, looked up when they are asked for: a job imports the module that it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
