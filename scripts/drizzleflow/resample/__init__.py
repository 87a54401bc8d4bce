"""Frames drizzled onto the output grid (`stcal.resample`): one group alone, or all frames into the mosaic.

Start at `Resample`, which adds model after model to an output image. `drizzle_window` makes any window of the
grid with it, `single` and `mosaic` those of the workflow; `utils` has the functions of
`stcal.resample.utils`.
"""

from importlib import import_module

_HOMES = {"Resample": "resample.resample"}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Import a public name's module when the name is first used, so that `import` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
