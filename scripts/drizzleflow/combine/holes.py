"""Holes: pixels of a combined image that one low value has pulled down.

Where cosmic rays have hit several of few exposures, ``combine_type: auto`` takes the lowest value. Where the
lowest is itself the outlier (a dead pixel, a charge trap), that makes a hole, and every good exposure then
stands out from it.
"""

from __future__ import annotations

import numpy as np

RING = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if max(abs(dy), abs(dx)) == 2]
REACH = 4  #: pixels around a hole that its test looks at


def holes(sci, sigma, candidates, nsigma: float) -> np.ndarray:
    """Which of some pixels are holes: bool (n,).

    A hole lies more than `nsigma` sigma below the median of the 16 pixels around its 3 x 3, and below the
    grey closing of the image over 5 x 5 pixels (which fills what is dark and smaller). The first alone also
    finds the wings of stars, the second alone the gaps between cosmic rays; nothing in the sky is both.

    Parameters
    ----------
    sci : float32 (ny, nx)
        The combined image, NaN where it is empty.
    sigma : float32 (n,)
        The noise of the candidates.
    candidates : (integer (n,), integer (n,))
        Their rows and columns.
    nsigma : float
        ``median.hole_nsigma``.
    """
    y, x = candidates
    found = np.zeros(len(y), bool)
    if not len(y):
        return found
    limit = np.float32(nsigma) * sigma
    padded = np.pad(sci, REACH, constant_values=np.nan)
    y, x = y + REACH, x + REACH
    value = padded[y, x]
    around = np.stack([padded[y + dy, x + dx] for dy, dx in RING], axis=1)
    around.sort(axis=1)  # NaN last
    count, row = np.isfinite(around).sum(axis=1), np.arange(len(y))
    last = np.maximum(count, 1)
    surroundings = 0.5 * (around[row, (last - 1) // 2] + around[row, last // 2])
    with np.errstate(invalid="ignore"):
        dark = np.flatnonzero(surroundings - value > limit)
    if len(dark):
        closing = _closing(padded, y[dark], x[dark])
        found[dark] = closing - value[dark] > limit[dark]
    return found


def _closing(padded, y, x) -> np.ndarray:
    """The grey closing over 5 x 5 pixels at some pixels of an image; missing pixels are lower than any."""
    steps = range(-REACH, REACH + 1)
    patch = np.stack([np.stack([padded[y + dy, x + dx] for dx in steps]) for dy in steps])
    patch[np.isnan(patch)] = -np.inf
    for axis in (0, 1):  # the largest of five, then the smallest of five
        patch = np.stack([patch.take(range(k, k + 5), axis).max(axis) for k in range(5)], axis)
    return patch.min(axis=(0, 1))
