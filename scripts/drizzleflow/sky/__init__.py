"""Sky levels (`jwst.skymatch`, `stcal.skymatch`): measured in frames and their overlaps, and solved for all frames together.

`match` matches images in memory; `SkyImage`, `SkyGroup` and `SkyStats` are what it takes. The workflow measures in `overlaps` and `cells`
and solves in `levels`.
"""

from importlib import import_module

_HOMES = {
    "match": "sky.skymatch",
    "SkyImage": "sky.skyimage",
    "SkyGroup": "sky.skyimage",
    "SkyStats": "arrays.statistics",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Public names, looked up when they are asked for: a job imports the module that it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
