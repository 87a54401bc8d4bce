"""Work on neighbourhoods of pixels: grow masks, and compute the derivative of an image.

Shifted slices do it: `scipy.ndimage` takes fifteen times as long for a 3 x 3 box, and its import a third of a
second.
"""

from __future__ import annotations

import numpy as np

EDGES = ("neighbours", "zero")
BAND = 64  #: rows of an image that are worked on at a time


def reach(mask, axis: int, before: int, after: int) -> np.ndarray:
    """Grow a mask along one axis; return bool (ny, nx).

    The result is True from `before` pixels below each True pixel to `after` pixels above it.
    """
    out = mask.copy()
    source, target = np.moveaxis(mask, axis, 0), np.moveaxis(out, axis, 0)
    for step in range(1, min(before, len(source) - 1) + 1):
        target[:-step] |= source[step:]
    for step in range(1, min(after, len(source) - 1) + 1):
        target[step:] |= source[:-step]
    return out


def dilate(mask, before: int = 1, after: int | None = None) -> np.ndarray:
    """Grow a mask by a box: `before` rows and columns below each True pixel, `after` above it.

    The result is bool (ny, nx). `after` is as `before` by default: 1 adds the eight neighbours. Pixels
    beyond the border are not set.
    """
    after = before if after is None else after
    return reach(reach(mask, 0, before, after), 1, before, after)


def grown(mask, grow: int = 1, ctegrow: int = 0, cte_dir: int = 0, *, mirror: bool = False) -> np.ndarray:
    """Grow a mask of cosmic rays by what AstroDrizzle masks around them (`drizzlepac.drizCR`).

    Parameters
    ----------
    mask : bool (ny, nx)
    grow : int
        Width of a box: 1 is none, 3 is 3 x 3. With an even width hits grow one pixel further to the right and
        above.
    ctegrow, cte_dir : int
        Length of the charge trail along each hit's column, and where it lies: 1 towards lower rows, -1
        towards higher rows, 0 nowhere. The box does not widen the trail.
    mirror : bool
        A trail that leaves the frame comes back from its edge, as drizzlepac's do.

    Returns
    -------
    bool (ny, nx), a new array
    """
    mask = np.asarray(mask, bool)
    out = dilate(mask, (grow - 1) // 2, grow // 2)
    if ctegrow > 0 and cte_dir:
        edge = ctegrow if mirror else 0
        source = np.pad(mask, ((edge, edge), (0, 0)), mode="symmetric")
        trail = reach(source, 0, ctegrow, 0) if cte_dir > 0 else reach(source, 0, 0, ctegrow)
        out |= trail[edge : edge + len(mask)]
    return out


def abs_deriv(array, edges: str = "neighbours") -> np.ndarray:
    """Return the largest absolute difference of each pixel from its four neighbours.

    Source: ``abs_deriv`` of `stcal.outlier_detection` (edges 'neighbours'), and what drizzlepac's ``driz_cr``
    does (edges 'zero').

    Parameters
    ----------
    array : (ny, nx)
    edges : {'neighbours', 'zero'}
        'neighbours' leaves out those that there are not. 'zero' takes them as 0, and with them those that lie
        in the last row or column, and all neighbours of a pixel that lies there itself: so there, and in the
        first row and column, the result is about the pixel's own value.

    Returns
    -------
    (ny, nx) of `array`'s dtype
        A neighbour that is not finite is left out; NaN where the pixel itself is.
    """
    infinite = np.isinf(array)
    finite = np.where(infinite, np.nan, array) if infinite.any() else array
    if edges == "zero":
        out = np.abs(array)
        out[1:-2, 1:-2] = 0
        _raise(out[:-1, :-1], finite[:-1, :-1])
    else:
        out = np.zeros_like(array)
        for first in range(0, len(array), BAND):  # what fits a processor's cache
            end = min(first + BAND, len(array))
            rows = np.s_[max(first - 1, 0) : end + 1]
            _raise(out[rows], finite[rows])
    if np.issubdtype(out.dtype, np.floating):
        np.copyto(out, np.nan, where=np.isnan(array))
    return out


def abs_deriv_at(array, at) -> np.ndarray:
    """Return `abs_deriv` of an image (ny, nx) at some pixels, given by their flat indices."""
    (ny, nx), flat = array.shape, array.reshape(-1)
    (y, x), centre = np.divmod(at, nx), flat[at]
    out = np.zeros(len(at), array.dtype)
    # beyond the edge stands the pixel itself
    neighbours = (np.maximum(y - 1, 0), x), (np.minimum(y + 1, ny - 1), x)
    neighbours += (y, np.maximum(x - 1, 0)), (y, np.minimum(x + 1, nx - 1))
    with np.errstate(invalid="ignore"):
        for row, column in neighbours:
            difference = np.abs(flat[row * nx + column] - centre)
            difference[np.isinf(difference)] = 0
            np.fmax(out, difference, out=out)
    out[np.isnan(centre)] = np.nan
    return out


def touching(at, chosen, shape, itself: bool = True) -> np.ndarray:
    """Return which pixels touch, by a side or a corner, one of the chosen pixels, or are one: bool (n,).

    Parameters
    ----------
    at : integer (n,)
        Flat indices of pixels of an image of `shape`.
    chosen : bool (n,)
        Those of them that are chosen.
    itself : bool
        False: a chosen pixel counts only if another one touches it.
    """
    wide = shape[1] + 2  # with a border, so that neighbours of edge pixels are not those of the next row
    y, x = np.divmod(at, shape[1])
    place = (y + 1) * wide + x + 1
    marked = np.zeros((shape[0] + 2) * wide, bool)
    marked[place[chosen]] = True
    found = marked[place] if itself else np.zeros(len(at), bool)
    for step in (-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1):
        found |= marked[place + step]
    return found


def _raise(out, array) -> None:
    """`out` to at least the differences of `array` from its neighbours; those that are NaN do not count."""
    for axis in (0, 1):
        difference = np.diff(array, axis=axis)
        np.abs(difference, out=difference)
        lower = out[:-1] if axis == 0 else out[:, :-1]
        upper = out[1:] if axis == 0 else out[:, 1:]
        np.fmax(lower, difference, out=lower)
        np.fmax(upper, difference, out=upper)
