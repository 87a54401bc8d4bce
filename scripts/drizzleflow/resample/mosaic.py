"""Drizzle all frames of a product onto its grid, whole or in bands of rows: the mosaic (stcal.resample)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.window import Window
from drizzleflow.resample.drizzle_window import WindowDrizzle


def drizzle(members, grid, settings: dict, read, *, pad: bool, rows=None) -> tuple[dict, str]:
    """Drizzle some members to a mosaic, or to a band of it.

    Parameters
    ----------
    members : list of dict
        With ``member``, ``format`` and ``nframes``, in the association's order.
    grid : Grid
    settings : dict
        The configuration's ``mosaic`` section.
    read : callable
        ``read(member, extver, rows_of) -> (Frame, pixmap, level)``, as
        `drizzleflow.jobs.reader.FrameReader.to_drizzle`; `rows_of` takes the frame's lattice and gives the
        detector rows to read. None for a frame of which no row can reach the band.
    pad : bool
        See `WindowDrizzle`.
    rows : (first, end), optional
        The band: grid rows; all by default.

    Returns
    -------
    dict, str
        See `drizzleflow.resample.drizzle_window.drizzle_window`.
    """
    ny, nx = grid.shape
    module = formats.get(members[0]["format"])
    made = WindowDrizzle(
        grid,
        Window(0, nx, *(rows or (0, ny))),
        settings,
        good_bits=formats.good_bits(module, "mosaic", settings["good_bits"]),
        flags=module.DQ_FLAGS,
        pad=pad,
        n_frames=sum(member["nframes"] for member in members),
    )
    for member in members:
        for extver in range(1, member["nframes"] + 1):
            given = read(member, extver, made.rows_of)
            if given is None:
                made.skip()
            else:
                made.add(*given)
            del given  # before the next frame is read
    return made.finish()


def bands(ny: int, count: int) -> list[tuple[int, int]]:
    """Divide `ny` rows into `count` bands; fewer where there are not enough rows."""
    edges = [round(ny * k / count) for k in range(count + 1)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


class Stacked:
    """A plane of the mosaic in bands of rows, one band in memory at a time.

    Parameters
    ----------
    bands : list of mappings
        Name of a plane -> array (..., rows, nx), such as dicts or ``np.load`` of ``.npz`` files, from the
        first row on.
    key : str
        The plane. It is NaN in bands that lack it.
    heights : list of int
        Rows of each band.
    """

    def __init__(self, bands, key: str, heights):
        self._bands, self._key, self._heights = bands, key, heights
        self._held = None, None
        like = next(band[key] for band in bands if key in band)
        self.dtype, self.shape = like.dtype, (*like.shape[:-2], sum(heights), like.shape[-1])
        self.ndim = like.ndim

    def _band(self, number: int) -> np.ndarray:
        if self._held[0] != number:
            self._held = None, None  # let the last one go first
            band = self._bands[number]
            shape = (*self.shape[:-2], self._heights[number], self.shape[-1])
            self._held = number, band[self._key] if self._key in band else np.full(shape, np.nan, self.dtype)
        return self._held[1]

    def pieces(self):
        """Arrays that make up the plane, in the order of its bytes."""
        for index in np.ndindex(self.shape[:-2]):
            for number in range(len(self._bands)):
                yield self._band(number)[index]
        self._held = None, None

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Some rows (..., rows, nx)."""
        first, end, _ = rows.indices(self.shape[-2])
        parts, start = [], 0
        for number, height in enumerate(self._heights):
            if start < end and start + height > first:
                parts.append(self._band(number)[..., max(0, first - start) : end - start, :])
            start += height
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


def join(bands) -> dict:
    """The output model of the whole from those of its bands, in order; its planes are `Stacked`."""
    heights = [band["data"].shape[-2] for band in bands]
    model = {}
    for band in bands:
        for key in band:
            if key not in model:
                value = band[key]
                model[key] = Stacked(bands, key, heights) if getattr(value, "ndim", 0) >= 2 else value
    return model
