"""Differences of sky levels from cells of the sky that two frames have in common.

A frame's pixels are sorted once into the cells of a tiling that all frames share, and each cell's clipped mean is kept: a small image
of what the frame sees. Two frames see the same stars, nebulae and galaxies in a cell, so that the cells of one minus those of the
other is the difference of the two skies, again and again; cells that disagree with the rest (a ray, a bright star, a cell that one
frame covers in part) lose their weight. How many neighbours a frame has costs nothing: its pixels are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from drizzleflow.arrays.statistics import NOTHING, Sky
from drizzleflow.frames.window import Window

SIDE = 6  #: of a cell in grid pixels: more than a star, less than most structure
CLIP = 3.0  #: widths of a cell's pixels within which they count
ROUNDS = 2  #: of clipping a cell
TUKEY = 4.685  #: standard deviations beyond which a cell has no weight (95 % efficient for Gaussian noise)
COMMON = 0.7  #: least ratio of a cell's pixels in the two frames
LEAST = 3  #: cells of that kind; with fewer all count
KEPT = 32  #: frames whose cells stay in memory
STEPS = 50  #: most iterations of the robust mean
KINDS = {"level": np.float32, "variance": np.float32, "npix": np.int32, "x": np.float16, "y": np.float16}
_ZERO = (
    1 << 15
)  #: number of the grid's first column and row of cells in a key, whose halves are row and column
_HALF = np.uint32((1 << 16) - 1)
_MEDIAN_CHI2 = 0.4549  #: of one degree of freedom


@dataclass
class SkyCells:
    """What one frame sees in the cells of a tiling, over the rectangle of cells that it meets.

    Attributes
    ----------
    corner : (x, y), the number of the first column and row of cells
    level : (ny, nx) float32, the clipped mean of the cell's pixels; NaN where there is none
    variance : (ny, nx) float32, the variance of `level`
    npix : (ny, nx) int32, usable pixels in the cell
    x, y : (ny, nx) float16, their mean position, in cells from the cell's own edge
    """

    corner: tuple[int, int]
    level: np.ndarray
    variance: np.ndarray
    npix: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def measure(cls, blocks: Iterable[tuple], side: float = SIDE) -> SkyCells:
        """Cells of the pixels of a frame.

        Parameters
        ----------
        blocks : iterable of (values, x, y)
            (n,) arrays: finite values (float32) of the usable pixels, and where they lie on the grid, px; see `by_rows`.
        side : float
            Of a cell, px of the grid.

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
        found = np.flatnonzero(count)
        planes = {name: np.full(nx * ny, np.nan, kind) for name, kind in KINDS.items() if name != "npix"}
        planes["npix"] = count.astype(np.int32)
        count = count[found]
        for name, offset in (("x", dx), ("y", dy)):
            planes[name][found] = np.bincount(number, offset, nx * ny)[found] / count
        del number, dx, dy, offset
        key.sort()  # by cell, and by value in each
        planes["level"][found], planes["variance"][found] = _clipped(key, np.cumsum(count) - count, count)
        corner = (int(column[0]) - _ZERO, int(row[0]) - _ZERO)
        return cls(corner, **{name: planes[name].reshape(ny, nx) for name in KINDS})

    def minus(self, other: SkyCells) -> Sky:
        """This frame's level less another's, its pixels of both in the cells used, and its uncertainty; `NOTHING` without a cell in common."""
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
        for slope, name in zip(slopes, ("y", "x"), strict=True):  # the same cell, but not the same pixels
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
        """For `numpy.savez`; `CellFiles` reads them."""
        return {"corner": np.array(self.corner)} | {name: getattr(self, name) for name in KINDS}


def by_rows(data, good, place, step: int = 256) -> Iterator[tuple]:
    """The blocks of `SkyCells.measure`, some rows at a time.

    Parameters
    ----------
    data : (ny, nx) float32 array
    good : (ny, nx) bool array
        Usable pixels, of finite value.
    place : callable
        (first, end) -> (end - first, nx, 2) positions of these rows on the grid, x first; NaN where a pixel has none.
    """
    for first in range(0, len(data), step):
        rows = slice(first, min(first + step, len(data)))
        where = place((rows.start, rows.stop))
        used = good[rows] & np.isfinite(where[..., 0])
        yield data[rows][used], where[used, 0], where[used, 1]


class CellFiles:
    """The cells that jobs saved: ``.npz`` files with keys ``member/extver/array``."""

    def __init__(self, paths):
        self._where = {}
        for path in paths:
            with np.load(path) as stored:
                self._where |= {key.rpartition("/")[0]: path for key in stored.files}
        self.read = lru_cache(KEPT)(self._read)

    def _read(self, frame: tuple[str, int]) -> SkyCells:
        """The cells of (member, extver); kept for the next pairs."""
        name = "/".join(map(str, frame))
        with np.load(self._where[name]) as stored:
            corner, *planes = (stored[f"{name}/{key}"] for key in ("corner", *KINDS))
        return SkyCells(tuple(corner.tolist()), *planes)


def differences(near_to: Mapping, frames: Mapping, read: Callable[[Hashable], SkyCells]) -> Iterator[tuple]:
    """Measured differences of the frames of neighbouring groups, as `drizzleflow.sky.solve` takes them.

    Parameters
    ----------
    near_to : dict
        group -> groups to compare it with, symmetric (`drizzleflow.geometry.neighbours.neighbours`).
    frames : dict
        group -> its frames, in order.
    read : callable
        frame -> its cells; called for each pair.

    Yields
    ------
    (frame, other, difference, npix, sigma)
        Each pair of frames once, where they have a cell in common.
    """
    order = {group: k for k, group in enumerate(frames)}
    for group, others in near_to.items():
        for other in others:
            if order[group] < order[other]:
                for a in frames[group]:
                    for b in frames[other]:
                        found = read(a).minus(read(b))
                        if found.npix:
                            yield a, b, *found


def robust_mean(values, variance):
    """Weighted mean by Tukey's biweight of values of known variance and an unknown common scatter beside it.

    Returns
    -------
    value, sigma : float
        The mean and its uncertainty, from the values' own scatter where that is larger.
    weight : (n,) float array
        0 for values that do not count.
    """
    centre, typical = float(np.median(values)), float(np.median(variance))
    for _ in range(STEPS):
        excess = max(0.0, float(np.median((values - centre) ** 2)) / _MEDIAN_CHI2 - typical)
        inverse = 1.0 / (variance + excess)
        reduced = (values - centre) ** 2 * inverse
        weight = inverse * np.maximum(1.0 - reduced / TUKEY**2, 0.0) ** 2
        if not weight.any():  # values far apart, two or three of them
            weight = inverse
        before, centre = centre, float((weight * values).sum() / weight.sum())
        sigma = 1.0 / float(inverse.sum()) ** 0.5
        if abs(centre - before) <= 1e-6 * sigma:
            break
    scatter = float((weight**2 * (values - centre) ** 2).sum()) ** 0.5 / float(weight.sum())
    return centre, max(sigma, scatter), weight


def _slopes(level):
    """Change of a (ny, nx) image from one row and from one column to the next: the mean of both sides', or the one that there is."""
    for axis in (0, 1):
        step = np.diff(level, axis=axis)
        gap = np.full_like(level.take([0], axis), np.nan)
        sides = np.stack([np.concatenate([gap, step], axis), np.concatenate([step, gap], axis)])
        known = np.isfinite(sides)
        yield np.where(known, sides, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _sorted_into(values, x, y, side):
    """Keys (cell, then value) and cells of pixels, and where in its cell each lies (0 to 1)."""
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
    """uint32 numbers that sort as float32 values do."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _values(key) -> np.ndarray:
    """The values, as float64, of the lower halves of keys."""
    bits = key.astype(np.uint32)
    return np.where(bits >> 31, bits & np.uint32((1 << 31) - 1), ~bits).view(np.float32).astype(float)


def _clipped(key, start, n):
    """Clipped mean and its variance of each cell, from all cells' sorted keys, where each starts and how many it has."""
    base, values = key[start] >> np.uint64(32) << np.uint64(32), _values(key)
    centre = 0.5 * (values[start + (n - 1) // 2] + values[start + n // 2])
    width = 0.5 * (
        values[start + np.rint(0.8413 * (n - 1)).astype(int)]
        - values[start + np.rint(0.1587 * (n - 1)).astype(int)]
    )
    many = n >= max(8, 0.5 * np.median(n))
    width = np.maximum(
        width, 0.7 * np.median(width[many]) if many.any() else 0.0
    )  # equal values, and few, are no reason to clip
    zero = float(np.median(centre))  # sums keep their digits
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
    # where nothing tells the noise, pixels of the same
    typical = np.median(width[width > 0]) if (width > 0).any() else 1.0
    return centre, np.where(width > 0, width, typical) ** 2 / kept
