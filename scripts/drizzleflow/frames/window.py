"""Rectangles of the grid."""

from __future__ import annotations

import numpy as np


def window(pixel_x, pixel_y, reach: int, shape=None) -> tuple[int, int, int, int]:
    """(x0, x1, y0, y1), half open, of grid pixels within `reach` of the positions; clipped to `shape` if given."""
    x0, x1 = int(np.floor(np.nanmin(pixel_x))) - reach, int(np.ceil(np.nanmax(pixel_x))) + reach + 1
    y0, y1 = int(np.floor(np.nanmin(pixel_y))) - reach, int(np.ceil(np.nanmax(pixel_y))) + reach + 1
    if shape is not None:
        ny, nx = shape
        x0, x1, y0, y1 = max(0, x0), min(nx, x1), max(0, y0), min(ny, y1)
    return x0, x1, y0, y1
