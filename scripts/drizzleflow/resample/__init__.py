"""Drizzling frames onto the output grid (`stcal.resample`): one group alone, or all frames into the mosaic.

`Resample` adds model after model to an output image; `drizzle_window` makes any window of the grid with it,
and `single` and `mosaic` those of the workflow.
"""

from importlib import import_module

_HOMES = {"Resample": "resample.resample"}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Public names, looked up when they are asked for: a job imports the module that it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
