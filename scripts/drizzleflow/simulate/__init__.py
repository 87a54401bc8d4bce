"""Simulated dithered exposures with planted cosmic rays, as JWST, Roman, HST and plain FITS files.

``python -m drizzleflow.simulate OUTDIR`` writes exposures and the truth, and ``python -m drizzleflow.simulate
score TRUTH RESULTS/PRODUCT`` compares a run's masks with it. Start at `simulate`; `scene` has the sky and the
detector, and `jwst`, `roman`, `hst` and `simple` write the files.
"""

from importlib import import_module

_HOMES = {"simulate": "simulate.exposures"}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Import a public name's module when the name is first used, so that `import` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"drizzleflow.{_HOMES[name]}"), name)
