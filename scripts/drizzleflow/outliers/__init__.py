"""Flag cosmic rays and other outliers (`jwst.outlier_detection`, AstroDrizzle's ``driz_cr``).

Each frame is compared with what the other exposures show at its pixels (`others`; docs/outliers.md), or with
the blotted median of all (`thresholds`, `driz_cr`); `comparison` chooses. `flag_cr` flags one frame,
`OutlierDetection` runs all steps on frames in memory as the workflow does on files, and `abs_deriv` is the
slope of an image that all use.
"""

from importlib import import_module

_HOMES = {
    "flag_cr": "outliers.thresholds",
    "abs_deriv": "arrays.morphology",
    "OutlierDetection": "outliers.detection",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Import the module of a public name when the name is first used, so that `import` alone is fast."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
