"""Measure what changes slowly across an image: medians in boxes, interpolated between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def count(shape, box: int) -> tuple[int, int]:
    """Return how many boxes an image (ny, nx) has: rows and columns of them; the last may be smaller."""
    return -(-shape[0] // box), -(-shape[1] // box)


def boxes(shape, box: int, every: int = 1) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """Yield the row and column of each box, and its pixels: every so many rows and columns of them."""
    for i, j in np.ndindex(count(shape, box)):
        y, x = i * box, j * box
        yield (i, j), np.s_[y : y + box : every, x : x + box : every]


def box_medians(values, usable, box: int) -> np.ndarray | None:
    """Return the medians of an image in boxes, float64 (rows of boxes, columns of boxes).

    Parameters
    ----------
    values : (ny, nx)
    usable : bool (ny, nx)
        Pixels that count. A box without any has the median of the other boxes; None where all are.
    box : int
        Side of a box in pixels.
    """
    nodes = np.full(count(values.shape, box), np.nan)
    for at, part in boxes(values.shape, box):
        found = values[part][usable[part]]
        if len(found):
            nodes[at] = np.median(found)
    if not np.isfinite(nodes).any():
        return None
    nodes[np.isnan(nodes)] = np.nanmedian(nodes)
    return nodes


def between_boxes(nodes, shape, box: int) -> np.ndarray:
    """Return `box_medians` interpolated linearly between the boxes' centres, float32 (ny, nx)."""
    (at_y, at_x), (ny, nx) = centres(shape, box), shape
    across = np.array([np.interp(np.arange(nx), at_x, row) for row in nodes], np.float32)
    place = np.interp(np.arange(ny), at_y, np.arange(len(at_y)))
    lower = np.minimum(place.astype(int), len(at_y) - 1)
    upper, part = np.minimum(lower + 1, len(at_y) - 1), (place - lower).astype(np.float32)[:, None]
    out = across[upper]
    out -= across[lower]
    out *= part
    out += across[lower]
    return out


def centres(shape, box):
    """Return the rows and columns of the boxes' centres."""
    return tuple(
        np.minimum(np.arange(0, n, box) + box, n) / 2 + np.arange(0, n, box) / 2 - 0.5 for n in shape
    )


def background(values, usable, box: int = 64, every: int = 4) -> np.ndarray | None:
    """Return the medians of boxes interpolated at every pixel, float32 (ny, nx); None without a usable pixel.

    Parameters
    ----------
    values : float32 (ny, nx)
    usable : bool (ny, nx)
    box : int
        Side of a box in pixels, a multiple of `every`.
    every : int
        Every so many rows and columns are looked at.
    """
    few = np.s_[::every, ::every]
    nodes = box_medians(values[few], usable[few], box // every)
    return None if nodes is None else between_boxes(nodes, values.shape, box)
