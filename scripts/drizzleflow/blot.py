"""Blotting: the median image looked up at the pixels of one input frame (the inverse of drizzling)."""

from __future__ import annotations

import numpy as np


def blot(median, pixmap, fillval=np.nan, interp: str = "linear") -> np.ndarray:
    """The value of `median` at every detector pixel.

    Parameters
    ----------
    median : float32 (ny, nx)
        A combined image, or a window of it.
    pixmap : float64 (my, mx, 2)
        Position of each detector pixel in `median`, 0-based, x first; NaN where it has none.
    fillval : float
        Value of pixels outside `median`.
    interp : str
        Interpolation, spelled as drizzle's ``blot_image``.

    Returns
    -------
    float32 (my, mx)
        NaN where `median` is, and also where a NaN neighbour touches the interpolation.

    Notes
    -----
    drizzle holds positions in float32 here: blot from a section about the frame (`drizzleflow.windowed.Windowed.around`),
    not from a mosaic of many thousand pixels, where they are rounded to 1e-3 px.
    """
    from drizzle.resample import blot_image

    out = np.full(pixmap.shape[:2], fillval, np.float32)
    if median.size == 0:
        return out
    nowhere = ~np.isfinite(pixmap)
    if nowhere.any():  # drizzle refuses NaN positions
        pixmap = np.where(nowhere, -1e6, pixmap)
    blot_image(
        data=np.ascontiguousarray(median, np.float32), pixmap=pixmap, out_img=out, fillval=fillval, iscale=1.0, interp=interp
    )
    return out
