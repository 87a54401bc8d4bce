"""Make AstroDrizzle's pixel map: exact output positions at nodes, bilinear between them.

Measured on drizzlepac 3.11.0 (its ``DefaultWCSMapping``): nodes lie at the 1-based pixel positions 0, 10, 20
... of both axes. With a distortion like that of ACS the map is within 4e-4 px of the exact one. The default
map, `drizzleflow.geometry.pixmap`, is closer.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import SkyWCS

STEPSIZE = 10  #: px; AstroDrizzle uses it in all its steps


def pixmap(wcs: SkyWCS, grid, stepsize: int = STEPSIZE, rows=None) -> np.ndarray:
    """Return the map of a frame on `grid` as AstroDrizzle computes it.

    Parameters
    ----------
    wcs : SkyWCS
        The frame's WCS; it is evaluated up to `stepsize` pixels beyond the frame's edges.
    grid : Grid
    stepsize : int
        Pixels between nodes, 1 or more. 1 is the exact map.
    rows : (first, end), optional
        Frame rows to evaluate; all by default. The values do not depend on this choice.

    Returns
    -------
    float64 (end - first, nx, 2)
        Output pixel positions, 0-based, x first.

    Raises
    ------
    InputError
        The step size is below 1 or not a whole number.
    """
    if int(stepsize) != stepsize or stepsize < 1:
        raise InputError(f"stepsize: {stepsize}; expected a whole number of pixels, 1 or more")
    step = int(stepsize)
    ny, nx = wcs.shape
    first, end = rows or (0, ny)
    ix, sx = _place(0, nx, step)
    iy, sy = _place(first, end, step)
    columns = np.arange(ix[0], ix[-1] + 2) * step - 1.0  # 1-based multiples of the step
    lines = np.arange(iy[0], iy[-1] + 2) * step - 1.0
    x, y = np.meshgrid(columns, lines)
    ix, iy = ix - ix[0], iy - iy[0]
    out = np.empty((end - first, nx, 2))
    for axis, nodes in enumerate(grid.to_pixel(*wcs.to_sky(x, y))):
        along = nodes[:, ix] * (1 - sx) + nodes[:, ix + 1] * sx
        out[..., axis] = along[iy] * (1 - sy)[:, None] + along[iy + 1] * sy[:, None]
    return out


def _place(first, end, step):
    """Return the node at or below each of the pixels first..end-1, and the distance from it in steps.

    Node 0 is at pixel -1.
    """
    position = np.arange(first, end) + 1
    node = position // step
    return node, (position - node * step) / step
