"""Turn a mosaic of a rate into counts: AstroDrizzle's ``final_units``."""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.header import times_seconds


def expect_rate(unit: str, units: str, path) -> None:
    """Raise InputError where ``mosaic.units`` is cps or counts and the product's unit is no rate."""
    if units != "auto" and times_seconds(unit) is None:
        raise InputError(
            f"{path}: the product's unit is {unit or 'unknown'}, and mosaic.units {units} needs a rate such as "
            "ELECTRONS/S; expected auto"
        )


def to_counts(model: dict, unit: str, seconds: float | None) -> str:
    """Multiply a mosaic, or a band of it, by the product's exposure time, and return its unit then.

    Parameters
    ----------
    model : dict
        ``data``, ``wht`` and where it has them ``err`` and ``var_*``: arrays, changed in place. Pixels without
        weight keep their fill value, weights stay (as in AstroDrizzle).
    unit : str
        The unit of ``data``, per second.
    seconds : float or None
        The exposure time of all exposures together.

    Raises
    ------
    InputError
        It is not known.
    """
    if not seconds:
        raise InputError(f"mosaic.units counts: the product's exposure time is {seconds}, expected seconds")
    seen = model["wht"] > 0
    for name, plane in model.items():
        power = {"data": 1, "err": 1}.get(name, 2 if name.startswith("var_") else 0)
        if power and plane is not None:
            np.multiply(plane, np.float32(seconds**power), out=plane, where=seen)
    counts = times_seconds(unit)
    return unit if counts is None else counts
