"""What is significant in a difference image: its noise and its tolerance for sources, measured, and connected
pixels.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.morphology import BAND, abs_deriv, touching

CURVATURE = 1.5  #: weight of the second difference in the structure
LEAST = 200  #: pixels that a measurement needs
FEW = 20  #: pixels that may raise the tolerance
BLANK = 4.0  #: the noise is measured where the template's structure is under so many sigma
STRIDE = 7  #: in every seventh row
DEFAULT_SCALE = 1.05
STEEP = 10.0  #: the tolerance is measured where the structure exceeds so many sigma
PERCENTILE, WITHIN = 80, 1.2816  #: so many per cent of Gaussian errors lie within so many sigma
DEFAULT_TOLERANCE = 0.5


def structure(template) -> np.ndarray:
    """The structure of a template, by which a source may be off, float32 (ny, nx).

    It is the slope (largest difference from the four neighbours), or 1.5 times the difference from the mean
    of the four pixels two rows or columns away, where that is more: an error of position shows in the slope,
    one of the PSF's width at the top of a source, where there is none. NaN where the template is.
    """
    out, padded = abs_deriv(template), np.pad(template, 2, mode="edge")
    for first in range(0, len(template), BAND):
        end = min(first + BAND, len(template))
        level = padded[first:end, 2:-2] + padded[first + 4 : end + 4, 2:-2]
        level += padded[first + 2 : end + 2, :-4]
        level += padded[first + 2 : end + 2, 4:]
        level *= np.float32(-0.25)
        level += template[first:end]
        np.abs(level, out=level)
        level *= np.float32(CURVATURE)
        np.fmax(out[first:end], level, out=out[first:end], where=~np.isnan(template[first:end]))
    return out


def noise_scale(difference, gradient, sigma, usable, limits: tuple[float, float]) -> float:
    """How large the noise is in units of `sigma`: the robust width of difference / sigma where the template
    has no structure.

    Parameters
    ----------
    difference, gradient, sigma : float32 (ny, nx)
        Exposure less template; structure of the template; expected noise of the difference.
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
    """The flat indices of the pixels that tell how far sources are off: where the template has much structure."""
    with np.errstate(invalid="ignore"):
        where = gradient > np.float32(STEEP) * sigma
    where &= usable
    at = np.flatnonzero(where)
    return at[np.isfinite(difference.reshape(-1)[at])]


def tolerance(difference, gradient, sigma, scale: float, at, factor: float) -> float:
    """How far sources are off, in units of the template's structure: `factor` times a robust width of difference
    / structure, without what the noise adds.

    The exposure itself says how well its sources agree with those of the others. Where fewer than `LEAST`
    pixels tell it is at least 0.5, and 0.5 where fewer than `FEW` do. 80 % of Gaussian errors lie within 1.28
    standard deviations: with w the result over `factor`, 80 % of the pixels have difference^2 < (1.28
    noise)^2 + (w structure)^2.

    Parameters
    ----------
    difference, gradient, sigma : float32 (ny, nx)
    scale : float
        The noise in units of `sigma` (`noise_scale`).
    at : integer (n,)
        Flat indices of the pixels to measure at (`steep_pixels`).
    factor : float
        ``crmask.tolerance``.
    """
    if len(at) < FEW:
        return DEFAULT_TOLERANCE
    difference, gradient, sigma = (
        plane.reshape(-1)[at].astype(float) for plane in (difference, gradient, sigma)
    )
    beyond = (difference**2 - (WITHIN * scale * sigma) ** 2) / gradient**2
    found = factor * float(np.sqrt(max(0.0, np.percentile(beyond, PERCENTILE))))
    return found if len(at) >= LEAST else max(DEFAULT_TOLERANCE, found)


def connected(at, z, shape, alone: float, together: float, beside=(0.0, 0.0)) -> np.ndarray:
    """Outliers: pixels whose z exceeds `together` and that touch another such pixel, or exceeds `alone`.

    Parameters
    ----------
    at : integer (n,)
        Flat indices of pixels of an image of `shape`; no other is an outlier.
    z : float32 (n,)
        How far they are off, in units of what is expected.
    alone, together : float
        For a pixel alone, and for each of two or more that touch by a side or a corner.
    beside : (float, float)
        A pixel that touches one above the first is an outlier above the second already; 0: as all others.

    Returns
    -------
    bool (n,)
    """
    candidate = z > np.float32(together)
    flagged = z > np.float32(alone)
    flagged |= candidate & touching(at, candidate, shape, itself=False)
    if beside[0]:
        flagged |= (z > np.float32(beside[1])) & touching(at, z > np.float32(beside[0]), shape)
    return flagged
