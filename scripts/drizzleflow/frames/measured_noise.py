"""Measure the noise of an image in the image itself, for files that state none."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.boxes import background, between_boxes

BOX, EVERY = 64, 2  #: side of a box in pixels; every so many rows and columns are looked at
BELOW = 15.87  #: per cent of a normal distribution that lie more than a standard deviation below its median


def scatter_in_boxes(values, usable, box: int = BOX) -> np.ndarray | None:
    """Return the scatter of the blank sky in boxes: float64 (rows of boxes, columns of boxes).

    It is how far the 16th percentile lies below the median, about a background that changes slowly: what lies
    above it has sources. A box without pixels has the median of the others; None where all are.

    Parameters
    ----------
    values : float32 (ny, nx)
    usable : bool (ny, nx)
        Pixels that count.
    box : int
        Side of a box in pixels.
    """
    usable = usable & np.isfinite(values)
    slow = background(values, usable, box)
    if slow is None:
        return None
    ny, nx = values.shape
    nodes = np.full((-(-ny // box), -(-nx // box)), np.nan)
    for i, y in enumerate(range(0, ny, box)):
        for j, x in enumerate(range(0, nx, box)):
            part = np.s_[y : y + box : EVERY, x : x + box : EVERY]
            found = values[part][usable[part]] - slow[part][usable[part]]
            if len(found) >= 16:
                low, middle = np.percentile(found, [BELOW, 50])
                nodes[i, j] = middle - low
    nodes[~(nodes > 0)] = np.nan  # a constant part of an image has no noise
    if not np.isfinite(nodes).any():
        return None
    nodes[np.isnan(nodes)] = np.nanmedian(nodes)
    return nodes


def measured_error(values, usable, gain: float | None = None) -> np.ndarray:
    """Return the 1-sigma error of each pixel, float32 (ny, nx), from the image alone.

    It is the scatter of the sky around the pixel and, where `gain` is known, the photons of what the pixel
    has above the sky, in quadrature. The image is one whose bias is subtracted and whose flat field is
    applied: its sky may be there or not.

    Parameters
    ----------
    values : float32 (ny, nx)
    usable : bool (ny, nx)
        Pixels that count for the sky.
    gain : float, optional
        Electrons per unit of `values`.

    Where nothing can be measured (no good pixel, or a constant image) the error is NaN.
    """
    nodes = scatter_in_boxes(values, usable)
    if nodes is None:
        return np.full(values.shape, np.nan, np.float32)
    sigma = between_boxes(nodes, values.shape, BOX)
    if gain:
        above = values - background(values, usable & np.isfinite(values))
        with np.errstate(invalid="ignore"):
            sigma = np.sqrt(sigma * sigma + np.fmax(above, np.float32(0)) / np.float32(gain))
    return sigma
