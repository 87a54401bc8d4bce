"""Sky levels, measured in frames and their overlaps, and solved for all frames together (`stcal.skymatch`).

Start at `match`, which matches images in memory; it takes `SkyImage`, `SkyGroup` and `SkyStats`. The workflow
measures the sky in `overlaps` and `cells`, and solves for the levels in `levels`.
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
    """Import a public name's module when the name is first used, so that `import` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
