"""Differences of sky levels, measured in small cells of the sky that two frames have in common.

Each frame's pixels are sorted once into the cells of a tiling that all frames share, and the clipped mean of
each cell is kept: a small image of the frame. Two frames see the same stars, nebulae and galaxies in a cell,
so that each cell of one frame minus that of the other measures the difference of the two skies. Cells that
disagree with the rest (a cosmic ray, a bright star, a cell that one frame covers in part) get no weight. A
frame's pixels are read once, however many neighbours it has.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from drizzleflow.arrays.statistics import NOTHING, Sky
from drizzleflow.frames.window import Window

SIDE = 6  #: side of a cell in grid pixels: more than a star, less than most structure
CLIP = 3.0  #: clipping limit of a cell's pixels, in widths (half of their middle 68 %)
ROUNDS = 2  #: rounds of clipping a cell
TUKEY = 4.685  #: standard deviations beyond which a cell has no weight (95 % efficient for Gaussian noise)
COMMON = 0.7  #: least ratio of the numbers of pixels that two frames have in a cell
LEAST = 3  #: fewest cells with that ratio; where there are fewer, all cells count
KEPT = 32  #: frames whose cells stay in memory
STEPS = 50  #: most iterations of the robust mean
KINDS = {"level": np.float32, "variance": np.float32, "npix": np.int32, "x": np.float16, "y": np.float16}
#: number of the grid's first column and row of cells in a cell's number, whose two halves are row and column
_ZERO = 1 << 15
_HALF = np.uint32((1 << 16) - 1)
_MEDIAN_CHI2 = 0.4549  #: median of the chi-squared distribution with one degree of freedom


@dataclass
class SkyCells:
    """One frame averaged in the cells of a tiling, over the rectangle of cells that it covers.

    Attributes
    ----------
    corner : (x, y)
        The number of the first column and row of cells.
    level : (ny, nx) float32 array
        The clipped mean of each cell's pixels; NaN where there is none.
    variance : (ny, nx) float32 array
        The variance of `level`.
    npix : (ny, nx) int32 array
        The number of usable pixels in each cell.
    x, y : (ny, nx) float16 arrays
        Their mean position, in cells from the cell's own edge.
    """

    corner: tuple[int, int]
    level: np.ndarray
    variance: np.ndarray
    npix: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def measure(cls, blocks: Iterable[tuple], side: float = SIDE) -> SkyCells:
        """Average the pixels of a frame in cells.

        Parameters
        ----------
        blocks : iterable of (values, x, y)
            (n,) arrays: the finite values (float32) of usable pixels, and their positions on the grid, px;
            `by_rows` gives them.
        side : float
            Side of a cell, px of the grid.

        Raises
        ------
        ValueError
            A pixel lies more than 32,768 cells from the grid's first.
        """
        parts = [_sorted_into(values, x, y, side) for values, x, y in blocks]
        key, cell, dx, dy = (
            (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            if parts
            else (np.zeros(0, np.uint64),) * 4
        )
        del parts
        if not len(key):
            return cls((0, 0), **{name: np.zeros((0, 0), kind) for name, kind in KINDS.items()})
        row, column = (
            np.array([f(half) for f in (np.min, np.max)], int)
            for half in (cell >> np.uint32(16), cell & _HALF)
        )
        ny, nx = int(row[1] - row[0]) + 1, int(column[1] - column[0]) + 1
        number = (cell >> np.uint32(16)).astype(np.int32)
        number -= row[0]
        number *= nx
        number += (cell & _HALF).astype(np.int32)
        number -= column[0]
        del cell
        count = np.bincount(number, minlength=nx * ny)
        filled = np.flatnonzero(count)
        planes = {name: np.full(nx * ny, np.nan, kind) for name, kind in KINDS.items() if name != "npix"}
        planes["npix"] = count.astype(np.int32)
        count = count[filled]
        for name, offset in (("x", dx), ("y", dy)):
            planes[name][filled] = np.bincount(number, offset, nx * ny)[filled] / count
        del number, dx, dy, offset
        key.sort()  # by cell, and by value in each
        planes["level"][filled], planes["variance"][filled] = _clipped(key, np.cumsum(count) - count, count)
        corner = (int(column[0]) - _ZERO, int(row[0]) - _ZERO)
        return cls(corner, **{name: planes[name].reshape(ny, nx) for name in KINDS})

    def minus(self, other: SkyCells) -> Sky:
        """The sky of this frame minus that of another, its uncertainty, and the number of pixels used.

        It is `drizzleflow.arrays.statistics.NOTHING` where the frames have no cell in common.
        """
        both = self.window.intersection(other.window)
        if both.empty:
            return NOTHING
        a, b = (cells._cut(both) for cells in (self, other))
        low, high = np.minimum(a.npix, b.npix), np.maximum(a.npix, b.npix)
        used = low > 0
        alike = used & (low >= COMMON * high)
        if np.count_nonzero(alike) >= LEAST:
            used = alike
        if not used.any():
            return NOTHING
        difference = a.level.astype(float) - b.level
        slopes = _slopes(0.5 * (a.level.astype(float) + b.level))
        for slope, name in zip(slopes, ("y", "x"), strict=True):  # pixels' mean positions differ in a cell
            difference -= slope * (getattr(a, name).astype(float) - getattr(b, name))
        value, sigma, weight = robust_mean(difference[used], (a.variance.astype(float) + b.variance)[used])
        return Sky(value, int((a.npix + b.npix)[used][weight > 0].sum()), sigma)

    @property
    def window(self) -> Window:
        """The cells' columns and rows."""
        return Window.placed(self.npix.shape, self.corner)

    def _cut(self, window: Window) -> SkyCells:
        part = window.inside(self.window)
        return SkyCells(window.origin, **{name: getattr(self, name)[part] for name in KINDS})

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, for `numpy.savez`; `CellFiles` reads them."""
        return {"corner": np.array(self.corner)} | {name: getattr(self, name) for name in KINDS}


def by_rows(data, good, place, step: int = 256) -> Iterator[tuple]:
    """Yield the blocks for `SkyCells.measure`, some rows at a time.

    Parameters
    ----------
    data : (ny, nx) float32 array
    good : (ny, nx) bool array
        True where a pixel is usable and its value finite.
    place : callable
        (first, end) -> positions of these rows on the grid, (end - first, nx, 2), x first; NaN where a pixel
        has none.
    step : int
        Rows in a block.
    """
    for first in range(0, len(data), step):
        rows = slice(first, min(first + step, len(data)))
        where = place((rows.start, rows.stop))
        used = good[rows] & np.isfinite(where[..., 0])
        yield data[rows][used], where[used, 0], where[used, 1]


class CellFiles:
    """Cells that jobs have saved, in ``.npz`` files with the keys ``member/extver/array``."""

    def __init__(self, paths):
        self._where = {}
        for path in paths:
            with np.load(path) as stored:
                self._where |= {key.rpartition("/")[0]: path for key in stored.files}
        self.read = lru_cache(KEPT)(self._read)

    def _read(self, frame: tuple[str, int]) -> SkyCells:
        """The cells of a frame (member, extver); those of the last `KEPT` frames stay in memory."""
        name = "/".join(map(str, frame))
        with np.load(self._where[name]) as stored:
            corner, *planes = (stored[f"{name}/{key}"] for key in ("corner", *KINDS))
        return SkyCells(tuple(corner.tolist()), *planes)


def differences(near_to: Mapping, frames: Mapping, read: Callable[[Hashable], SkyCells]) -> Iterator[tuple]:
    """Measure the sky differences of the frames of neighbouring groups, for `drizzleflow.sky.levels.solve`.

    Parameters
    ----------
    near_to : dict
        group -> groups to compare it with, symmetric (`drizzleflow.geometry.neighbours.neighbours`).
    frames : dict
        group -> its frames, in order.
    read : callable
        frame -> its `SkyCells`; called for each pair.

    Yields
    ------
    (frame, other, difference, npix, sigma)
        Once for each pair of frames that have a cell in common; sigma is the uncertainty of the difference.
    """
    order = {group: k for k, group in enumerate(frames)}
    for group, others in near_to.items():
        for other in others:
            if order[group] < order[other]:
                for a in frames[group]:
                    for b in frames[other]:
                        difference = read(a).minus(read(b))
                        if difference.npix:
                            yield a, b, *difference


def robust_mean(values, variance):
    """The weighted mean of values, by Tukey's biweight.

    Each value has a known variance; beside it all may share an unknown scatter, which is estimated from the
    values.

    Parameters
    ----------
    values, variance : (n,) float arrays

    Returns
    -------
    value, sigma : float
        The mean and its uncertainty, which is that of the values' scatter where this is larger.
    weight : (n,) float array
        0 for values that do not count.
    """
    centre, typical = float(np.median(values)), float(np.median(variance))
    for _ in range(STEPS):
        excess = max(0.0, float(np.median((values - centre) ** 2)) / _MEDIAN_CHI2 - typical)
        inverse = 1.0 / (variance + excess)
        reduced = (values - centre) ** 2 * inverse
        weight = inverse * np.maximum(1.0 - reduced / TUKEY**2, 0.0) ** 2
        if not weight.any():  # two or three values that are far apart
            weight = inverse
        before, centre = centre, float((weight * values).sum() / weight.sum())
        sigma = 1.0 / float(inverse.sum()) ** 0.5
        if abs(centre - before) <= 1e-6 * sigma:
            break
    scatter = float((weight**2 * (values - centre) ** 2).sum()) ** 0.5 / float(weight.sum())
    return centre, max(sigma, scatter), weight


def _slopes(level):
    """Yield the slopes of a (ny, nx) image: from one row to the next, then from one column to the next.

    It is the mean of the differences from both neighbours, or the difference from the one that is finite.
    """
    for axis in (0, 1):
        step = np.diff(level, axis=axis)
        gap = np.full_like(level.take([0], axis), np.nan)
        sides = np.stack([np.concatenate([gap, step], axis), np.concatenate([step, gap], axis)])
        known = np.isfinite(sides)
        yield np.where(known, sides, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _sorted_into(values, x, y, side):
    """Sort keys of pixels (by cell, then by value), their cells, and their places in them (x, y; 0 to 1)."""
    numbers, inside = [], []
    for place in (y, x):
        place = np.asarray(place) / side
        number = np.floor(place)
        inside.append((place - number).astype(np.float16))
        number += _ZERO
        if len(number) and not (number.min() >= 0 and number.max() <= int(_HALF)):
            raise ValueError("a pixel lies too far from the grid")
        numbers.append(number.astype(np.uint32))
    cell = numbers[0] << np.uint32(16) | numbers[1]
    return cell.astype(np.uint64) << np.uint64(32) | _ordered(values), cell, inside[1], inside[0]


def _ordered(values) -> np.ndarray:
    """The bits of float32 values, as uint32 numbers that sort as the values do."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _values(key) -> np.ndarray:
    """The float64 values in the lower halves of sort keys."""
    bits = key.astype(np.uint32)
    return np.where(bits >> 31, bits & np.uint32((1 << 31) - 1), ~bits).view(np.float32).astype(float)


def _clipped(key, start, n):
    """The clipped mean of each cell, and its variance.

    `key` are the sorted keys of all pixels; cell k has those from `start`[k] on, `n`[k] of them.
    """
    base, values = key[start] >> np.uint64(32) << np.uint64(32), _values(key)
    centre = 0.5 * (values[start + (n - 1) // 2] + values[start + n // 2])
    width = 0.5 * (
        values[start + np.rint(0.8413 * (n - 1)).astype(int)]
        - values[start + np.rint(0.1587 * (n - 1)).astype(int)]
    )
    many = n >= max(8, 0.5 * np.median(n))
    # few values may be close to each other by chance: no reason to clip
    width = np.maximum(width, 0.7 * np.median(width[many]) if many.any() else 0.0)
    zero = float(np.median(centre))  # subtracted, so that sums keep their digits
    values -= zero
    sums = np.cumsum(values, out=values)

    def total(end):
        return np.where(end > 0, sums[end - 1], 0.0)

    for _ in range(ROUNDS):
        low, high = start, start + n
        if (width > 0).any():
            low = np.searchsorted(key, base | _ordered(centre - CLIP * width), "left")
            high = np.searchsorted(key, base | _ordered(centre + CLIP * width), "right")
        kept = np.maximum(high - low, 1)
        centre = np.where(high > low, zero + (total(high) - total(low)) / kept, centre)
    # a cell whose pixels tell no noise gets that of the others
    typical = np.median(width[width > 0]) if (width > 0).any() else 1.0
    return centre, np.where(width > 0, width, typical) ** 2 / kept
