"""What is significant in a difference image: its noise and its tolerance for sources, measured, and connected
pixels.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.morphology import dilate

LEAST = 200  #: pixels that a measurement needs
BLANK = 4.0  #: the noise is measured where the template's slope is under so many sigma
STRIDE = 7  #: in every seventh row
DEFAULT_SCALE = 1.05
STEEP = 10.0  #: the tolerance is measured where the slope exceeds so many sigma
PERCENTILE, WITHIN = 80, 1.2816  #: so many per cent of Gaussian errors lie within so many sigma
DEFAULT_TOLERANCE = 0.5


def noise_scale(difference, gradient, sigma, usable, limits: tuple[float, float]) -> float:
    """How large the noise is in units of `sigma`: the robust width of difference / sigma where the template
    has no structure.

    Parameters
    ----------
    difference, gradient, sigma : float32 (ny, nx)
        Exposure less template; slope of the template; expected noise of the difference.
    usable : bool (ny, nx)
    limits : (float, float)
        What the result is kept within (``crmask.noise_range``). 1.05 where fewer than `LEAST` pixels tell.
    """
    cut = np.s_[::STRIDE]
    difference, gradient, sigma = difference[cut], gradient[cut], sigma[cut]
    with np.errstate(invalid="ignore"):
        where = usable[cut] & (gradient < np.float32(BLANK) * sigma) & np.isfinite(difference)
        values = difference[where] / sigma[where]
    if len(values) < LEAST:
        return DEFAULT_SCALE
    width = 1.4826 * np.median(np.abs(values - np.median(values)))
    return float(np.clip(width, *limits))


def steep_pixels(difference, gradient, sigma, usable) -> np.ndarray:
    """The flat indices of the pixels that tell how far sources are off: where the template is steep."""
    with np.errstate(invalid="ignore"):
        where = gradient > np.float32(STEEP) * sigma
    where &= usable
    at = np.flatnonzero(where)
    return at[np.isfinite(difference.reshape(-1)[at])]


def tolerance(difference, gradient, variance, at, factor: float) -> float:
    """How far sources are off, in units of the template's slope: `factor` times a robust width of difference /
    slope, without what the noise adds.

    The exposure itself says how well its sources agree with those of the others; 0.5 where fewer than `LEAST`
    pixels tell. 80 % of Gaussian errors lie within 1.28 standard deviations: with w the result over `factor`,
    80 % of the pixels have difference^2 < 1.28^2 variance + (w slope)^2.

    Parameters
    ----------
    difference, gradient, variance : float32 (ny, nx)
        `variance`: of the noise of `difference`.
    at : integer (n,)
        Flat indices of the pixels to measure at (`steep_pixels`).
    factor : float
        ``crmask.tolerance``.
    """
    if len(at) < LEAST:
        return DEFAULT_TOLERANCE
    difference, gradient, variance = (
        plane.reshape(-1)[at].astype(float) for plane in (difference, gradient, variance)
    )
    beyond = (difference**2 - WITHIN**2 * variance) / gradient**2
    return factor * float(np.sqrt(max(0.0, np.percentile(beyond, PERCENTILE))))


def connected(
    difference, expected, alone: float, touching: float, where=None, beside=(0.0, 0.0)
) -> np.ndarray:
    """Outliers: pixels above `touching` times what is expected that touch another such pixel, or are above
    `alone` times it.

    Parameters
    ----------
    difference, expected : float32 (ny, nx)
        `expected` is the standard deviation, tolerance included.
    alone, touching : float
        For a pixel alone, and for each of two or more that touch by a side or a corner.
    where : bool (ny, nx), optional
        Only these can be outliers.
    beside : (float, float)
        A pixel that touches one above the first is an outlier above the second already; 0: as all others.

    Returns
    -------
    bool (ny, nx)
    """
    ny, nx = difference.shape
    with np.errstate(invalid="ignore"):
        high = difference > np.float32(touching) * expected
        if where is not None:
            high &= where
        at = np.flatnonzero(high)
        flagged = difference.reshape(-1)[at] > np.float32(alone) * expected.reshape(-1)[at]
    # a border of one pixel, so that neighbours of edge pixels are not those of the next row
    y, x = np.divmod(at, nx)
    bordered, place = np.zeros((ny + 2) * (nx + 2), bool), (y + 1) * (nx + 2) + x + 1
    bordered[place] = True
    for step in (-nx - 3, -nx - 2, -nx - 1, -1, 1, nx + 1, nx + 2, nx + 3):
        flagged |= bordered[place + step]
    mask = np.zeros((ny, nx), bool)
    mask.reshape(-1)[at[flagged]] = True
    if beside[0]:
        strong = np.zeros((ny, nx), bool)
        flat = difference.reshape(-1)[at] > np.float32(beside[0]) * expected.reshape(-1)[at]
        strong.reshape(-1)[at[flat]] = True
        around = np.flatnonzero(dilate(strong, 1))
        with np.errstate(invalid="ignore"):
            above = difference.reshape(-1)[around] > np.float32(beside[1]) * expected.reshape(-1)[around]
        if where is not None:
            above &= where.reshape(-1)[around]
        mask.reshape(-1)[around[above]] = True
    return mask
