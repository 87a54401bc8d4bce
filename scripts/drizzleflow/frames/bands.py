"""Divide an image into bands of rows that are made apart, and join them a few rows at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

PIECE = 2**20  #: bytes of rows that are joined at a time


def bands(ny: int, count: int) -> list[tuple[int, int]]:
    """Divide `ny` rows into `count` bands; fewer where there are not enough rows."""
    edges = [round(ny * k / count) for k in range(count + 1)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def band(ny: int, count: int, number: int) -> tuple[int, int]:
    """Return the rows (first, end) of one of `bands`; an empty range at the end where there are fewer."""
    edges = bands(ny, count)
    return edges[number] if number < len(edges) else (ny, ny)


class Stacked:
    """A plane that is kept in bands of rows; only the rows that are asked for are in memory.

    Parameters
    ----------
    bands : list of mappings
        Name of a plane -> array (..., rows, nx) or `drizzleflow.io.plane_file.StoredPlane`, from the first
        row on.
    key : str
        The plane. It is NaN in bands that lack it.
    heights : list of int
        Rows of each band.
    """

    def __init__(self, bands, key: str, heights):
        self._parts, self._heights = [band.get(key) for band in bands], heights
        like = next(part for part in self._parts if part is not None)
        self.dtype, self.shape = like.dtype, (*like.shape[:-2], sum(heights), like.shape[-1])
        self.ndim = like.ndim

    def _rows(self, index: tuple, number: int, first: int, end: int) -> np.ndarray:
        """Some rows (rows, nx) of a band; `index`: the place on the axes before them."""
        part = self._parts[number]
        if part is None:
            return np.full((end - first, self.shape[-1]), np.nan, self.dtype)
        return part[(*index, slice(first, end))]

    def pieces(self):
        """Arrays that make up the plane, in the order of its bytes."""
        each = max(1, PIECE // max(1, self.dtype.itemsize * self.shape[-1]))
        for index in np.ndindex(self.shape[:-2]):
            for number, height in enumerate(self._heights):
                for first in range(0, height, each):
                    yield self._rows(index, number, first, min(first + each, height))

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Some rows (..., rows, nx)."""
        first, end, _ = rows.indices(self.shape[-2])
        result = np.empty((*self.shape[:-2], max(0, end - first), self.shape[-1]), self.dtype)
        for index in np.ndindex(self.shape[:-2]):
            start = 0
            for number, height in enumerate(self._heights):
                low, high = max(first, start), min(end, start + height)
                if low < high:
                    here = (*index, slice(low - first, high - first))
                    result[here] = self._rows(index, number, low - start, high - start)
                start += height
        return result

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


def join(bands, first: str = "data") -> dict:
    """Return the planes of the whole from those of its bands, in order, as `Stacked`.

    What is no plane is taken from the first band that has it.

    Parameters
    ----------
    bands : list of mappings
        Name of a plane -> array or `drizzleflow.io.plane_file.StoredPlane`.
    first : str
        A plane that all of them have.
    """
    heights = [band[first].shape[-2] for band in bands]
    model = {}
    for band in bands:
        for key, value in band.items():
            if key not in model:
                model[key] = Stacked(bands, key, heights) if getattr(value, "ndim", 0) >= 2 else value
    return model
