"""Simulated dithered exposures with planted cosmic rays and the truth kept: JWST, Roman, HST and plain files.

``python -m drizzleflow.simulate OUTDIR`` writes them, ``python -m drizzleflow.simulate score TRUTH RESULTS/PRODUCT`` compares masks with the truth.
"""

from importlib import import_module

_HOMES = {"simulate": "simulate.exposures"}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Public names, looked up when they are asked for: a job imports the module that it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
