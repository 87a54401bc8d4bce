"""Measure the noise of an image in the image itself, for files that state none."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.boxes import background, between_boxes, boxes, count

BOX, EVERY = 64, 2  #: side of a box in pixels; every so many rows and columns are looked at
LEAST = 16  #: pixels of a box from which its scatter can be told
BELOW = 15.87  #: per cent of a normal distribution that lie more than a standard deviation below its median


def scatter_in_boxes(values, usable, box: int = BOX) -> np.ndarray | None:
    """Return the scatter of the blank sky in boxes: float64 (rows of boxes, columns of boxes).

    It is how far the 16th percentile lies below the median, about the plane that a box's sky is: what lies
    above it has sources. A box with few pixels has the median of the others; None where nothing scatters.

    Parameters
    ----------
    values : float32 (ny, nx)
    usable : bool (ny, nx)
        Pixels that count.
    box : int
        Side of a box in pixels.
    """
    usable = usable & np.isfinite(values)
    nodes, pixels = np.zeros((2, *count(values.shape, box)))
    for at, part in boxes(values.shape, box, EVERY):
        found = values[part][usable[part]].astype(np.float64)
        if len(found) >= LEAST:
            low, middle = np.percentile(_levelled(found, np.nonzero(usable[part])), [BELOW, 50])
            nodes[at], pixels[at] = middle - low, len(found)
    known = nodes > 0  # a constant part of an image has no noise
    if not known.any():
        return None
    known &= pixels > pixels[known].max() / 4
    nodes[~known] = np.median(nodes[known])
    return nodes


def _levelled(found, places) -> np.ndarray:
    """Return the pixels of a box without its slopes, told by the medians of its halves.

    `places`: the pixels' rows and columns. A steep slope along one axis blurs the medians across the other: a
    second round tells the rest.
    """
    for at in (*places, *places):
        upper = at > (at.min() + at.max()) / 2
        if upper.any():
            rise = _middle(found[upper]) - _middle(found[~upper])
            found = found - rise / (at[upper].mean() - at[~upper].mean()) * at
    return found


def _middle(numbers) -> float:
    """Return the median, of an even number the upper one."""
    return np.partition(numbers, len(numbers) // 2)[len(numbers) // 2]


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
