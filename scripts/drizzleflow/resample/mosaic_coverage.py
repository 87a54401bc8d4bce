"""Measure how much of a mosaic has data, how much of it is holes, and the level of its sky."""

from __future__ import annotations

import numpy as np

ROWS = 256  #: looked at at a time
SAMPLED = 128  #: rows of which the level is taken


def coverage(wht) -> tuple[float, float]:
    """Return the part of a mosaic's pixels that has weight, and the part that is holes.

    A hole is a pixel without weight that has pixels with weight in its row on both sides and in its column on
    both sides.

    Parameters
    ----------
    wht : (ny, nx)
        The weights: an array, or what gives its rows as one (`drizzleflow.frames.bands.Stacked`). Read
        twice, some rows at a time.
    """
    ny, nx = wht.shape
    first, last, count = np.full(nx, ny), np.full(nx, -1), 0
    for y in range(0, ny, ROWS):
        has = np.asarray(wht[y : y + ROWS]) > 0
        count += int(np.count_nonzero(has))
        some = has.any(axis=0)
        first[some] = np.minimum(first[some], y + has.argmax(axis=0)[some])
        last[some] = y + len(has) - 1 - has[::-1].argmax(axis=0)[some]
    holes = 0
    for y in range(0, ny, ROWS):
        has = np.asarray(wht[y : y + ROWS]) > 0
        rows = np.arange(y, y + len(has))[:, None]
        empty = ~has & (rows > first) & (rows < last)
        if empty.any():
            left = np.logical_or.accumulate(has, axis=1)
            right = np.logical_or.accumulate(has[:, ::-1], axis=1)[:, ::-1]
            holes += int(np.count_nonzero(empty & left & right))
    return count / (ny * nx), holes / (ny * nx)


def level(data) -> float | None:
    """Return the median of a mosaic, of some rows: the sky that is left in it; None without data.

    `data` is as `wht` of `coverage`.
    """
    rows = [np.asarray(data[y : y + 1]) for y in range(0, data.shape[0], -(-data.shape[0] // SAMPLED))]
    values = np.concatenate(rows, axis=None)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None
