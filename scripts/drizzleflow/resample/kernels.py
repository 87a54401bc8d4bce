"""Drizzle's kernels: their names, how far they reach, and how a fill value is written."""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError

KERNELS = ("square", "gaussian", "point", "turbo", "lanczos2", "lanczos3")
LOSSY = ("gaussian", "lanczos2", "lanczos3")  #: kernels that do not conserve flux


def kernel_reach(kernel: str, scale: float = 1.0) -> int:
    """How many output pixels beyond a pixel's mapped centre a kernel can touch.

    drizzle drops input pixels whose centre falls outside the output array. A window, band or tile therefore
    needs this many pixels of margin, so that its border is that of the whole mosaic (measured: 1 to 3 at
    scale 1).

    Parameters
    ----------
    kernel : str
        One of `KERNELS`.
    scale : float
        Output pixels per input pixel.
    """
    radius = {"lanczos2": 2, "lanczos3": 3}.get(kernel, 1)
    return int(np.ceil(radius * scale)) + 3


def parse_fillval(value) -> str:
    """``fillval`` as the drizzle package takes it: the text of a number, ``INDEF`` (for None) or ``NAN``.

    Raises
    ------
    InputError
        The value is none of these.
    """
    text = "INDEF" if value is None else str(value).strip().upper()
    if text in ("INDEF", "NONE"):
        return "INDEF"
    try:
        float(text)
    except ValueError:
        raise InputError(f"fillval {value!r}: expected a number, NAN or INDEF") from None
    return text
