"""Blot an image: interpolate the median at the pixels of one input frame (the inverse of drizzling)."""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError

ROWS = 64  #: rows of positions that are worked on at a time
#: interpolations, by their names in drizzle's ``blot_image``
INTERPOLATIONS = ("nearest", "linear", "poly3", "poly5", "lanczos3", "lanczos5")
#: interpolations that AstroDrizzle's ``blot_interp`` or its C code accept, and why they are refused here
_REFUSED = {
    "sinc": "its values were wrong wherever it was implemented (errors of a fourth of a star's peak), and drizzle removed it",
    "spline3": "no version of drizzle has implemented it",
}


def check_interp(interp) -> str:
    """Return `interp` if it is one of `INTERPOLATIONS`; raise InputError with the alternatives otherwise."""
    if interp in INTERPOLATIONS:
        return interp
    if interp in _REFUSED:
        raise InputError(f"interp: {interp!r}: {_REFUSED[interp]}; use poly5, or lanczos3 or lanczos5")
    raise InputError(f"interp: {interp!r}; expected one of {', '.join(INTERPOLATIONS)}")


def blot(median, pixmap, fillval=np.nan, interp: str = "linear", empty=None) -> np.ndarray:
    """Interpolate `median` at every detector pixel.

    Parameters
    ----------
    median : float32 (ny, nx)
        A combined image, or a window of it.
    pixmap : float64 (my, mx, 2)
        Position of each detector pixel in `median`, 0-based, x first; NaN where it has none.
    fillval : float
        Value of pixels outside `median`.
    interp : str
        Interpolation, one of `INTERPOLATIONS`; it uses 1 (nearest), 2 x 2 (linear), 4 x 4 (poly3), 6 x 6
        (poly5, lanczos3) or 10 x 10 (lanczos5) pixels of `median`.
    empty : None, float or 'linear'
        What to do where `median` is NaN: None makes NaN of every pixel whose interpolation touches it, which
        with poly5 is a border of 3 pixels about each hole; a number stands for the NaN (AstroDrizzle has 0,
        and finds false cosmic rays about holes); 'linear' interpolates linearly where the wider interpolation
        touches a NaN.

    Returns
    -------
    float32 (my, mx)

    Raises
    ------
    InputError
        An unknown interpolation ('sinc' and 'spline3' of AstroDrizzle's list are refused), or an unknown
        `empty`.

    Notes
    -----
    drizzle holds positions in float32 here: blot from a section about the frame
    (`drizzleflow.frames.windowed.Windowed.around`), not from a mosaic of many thousand pixels, where they are
    rounded to 1e-3 px. A position is inside from 0 to nx and 0 to ny: the outer halves of the first column
    and row have `fillval`. Two places where drizzle 3.0.0 (as drizzlepac) uses stray memory are avoided:
    nearest has `fillval` from nx - 0.5 and ny - 0.5, poly3 is linear from ny - 1.
    """
    check_interp(interp)
    if isinstance(empty, str) and empty != "linear":
        raise InputError(f"empty: {empty!r}; expected None, a number, or 'linear'")
    if median.size == 0:
        return np.full(pixmap.shape[:2], fillval, np.float32)
    nowhere = ~np.isfinite(pixmap)
    if nowhere.any():  # drizzle refuses NaN positions
        pixmap = np.where(nowhere, -1e6, pixmap)
    median = np.ascontiguousarray(median, np.float32)
    if empty is None:
        return _interpolate(median, pixmap, fillval, interp)
    holes = np.isnan(median)
    if not holes.any():
        return _interpolate(median, pixmap, fillval, interp)
    if empty != "linear":
        return _interpolate(np.where(holes, np.float32(empty), median), pixmap, fillval, interp)
    out = _interpolate(median, pixmap, fillval, interp)
    touched = np.isnan(out)
    if interp not in ("nearest", "linear") and touched.any():
        out[touched] = _interpolate(median, pixmap, fillval, "linear")[touched]
    return out


def nearest(planes, pixmap, fill) -> list[np.ndarray]:
    """Return the values of planes at the nearest pixels of positions, each (my, mx).

    Parameters
    ----------
    planes : sequence of (ny, nx)
    pixmap : float64 (my, mx, 2)
        Positions in the planes, as for `blot`.
    fill : sequence of numbers
        For each plane the value of positions outside, and of NaN.
    """
    ny, nx = planes[0].shape
    made = [np.full(pixmap.shape[:2], value, p.dtype) for p, value in zip(planes, fill, strict=True)]
    if planes[0].size == 0:
        return made
    for first in range(0, len(pixmap), ROWS):
        rows = np.s_[first : first + ROWS]
        with np.errstate(invalid="ignore"):
            x, y = (np.rint(pixmap[rows][..., axis]) for axis in (0, 1))
            inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)  # not where it is NaN
            y *= nx
            y += x
        whole = inside.all()
        at = (y if whole else np.where(inside, y, 0)).astype(np.intp)
        for target, plane in zip(made, planes, strict=True):
            values = plane.reshape(-1)[at]
            target[rows] = values if whole else np.where(inside, values, target[rows])
    return made


def _interpolate(median, pixmap, fillval, interp):
    """Call drizzle's `blot_image`, except on pixels for which it would read memory outside the image."""
    from drizzle.resample import blot_image

    out = np.full(pixmap.shape[:2], fillval, np.float32)
    ny, nx = median.shape
    if (
        interp == "nearest"
    ):  # beyond the last column drizzle reads the next row, beyond the last row unrelated memory
        beyond = (pixmap[..., 0].astype(np.float32) >= nx - 0.5) | (
            pixmap[..., 1].astype(np.float32) >= ny - 0.5
        )
        if beyond.any():
            pixmap = np.where(beyond[..., None], -1e6, pixmap)
    blot_image(data=median, pixmap=pixmap, out_img=out, fillval=fillval, iscale=1.0, interp=interp)
    if interp == "poly3":  # beyond the centre of the last row drizzle uses values that it never set
        beyond = pixmap[..., 1] > ny - 1
        if beyond.any():
            out[beyond] = _interpolate(median, pixmap, fillval, "linear")[beyond]
    return out
