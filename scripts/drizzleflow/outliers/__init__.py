"""Cosmic rays and other outliers (`jwst.outlier_detection`, AstroDrizzle's ``driz_cr``): each frame against the combined image.

`flag_cr` flags one frame, `OutlierDetection` runs all steps on frames in memory as the workflow does on
files, `abs_deriv` is the slope that both use.
"""

from importlib import import_module

_HOMES = {
    "flag_cr": "outliers.thresholds",
    "abs_deriv": "arrays.morphology",
    "OutlierDetection": "outliers.detection",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Public names, looked up when they are asked for: a job imports the module that it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
