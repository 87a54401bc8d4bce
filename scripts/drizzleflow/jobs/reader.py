"""Open a frame for a step: planes, static mask, sky level, sky variance and pixel map, in one place."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.variances import with_sky_variance
from drizzleflow.frames.window import NOWHERE, Window
from drizzleflow.geometry.grid import Grid, arcsec
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.geometry.pixmap import LatticeFiles
from drizzleflow.io.light_tables import read_levels
from drizzleflow.outliers.static_mask import StaticMasks
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.weights import planes_of


class FrameReader:
    """Read the frames of a product as one step needs them.

    Parameters
    ----------
    options : dict
        Sections of the configuration: those of `drizzleflow.formats.reading`, and where pixel maps are asked
        for `step` and ``grid``.
    step : str, optional
        The section whose weights and pixel maps count: 'single_drizzle' or 'mosaic'.
    grid : Grid, optional
        The product's; frames are then in the unit that they have on it.
    lattices, static : list of path
        The footprint jobs' ``.npz`` files; the file of static masks, if there is one.
    sky : path, optional
        ``sky.csv``.

    Attributes
    ----------
    reached : dict
        member -> {extver: Window}: the part of the grid that a frame can reach, of the frames that
        `to_drizzle` gave and reach some.
    """

    def __init__(
        self, options: dict, step: str | None = None, *, grid=None, lattices=(), sky=None, static=()
    ):
        self.options, self.grid = options, grid
        self.settings = options.get(step, {})
        self.lattices, self.masks, self.sky = LatticeFiles(lattices), StaticMasks(static), sky
        self.reached: dict[str, dict[int, Window]] = {}

    @classmethod
    def of(cls, job, step: str | None = None) -> FrameReader:
        """The reader of a script: by its job's options, and of the inputs below those that it has.

        ``grid``, ``lattices``, ``sky`` and ``static``, by the names that the rules give them.
        """
        grid, given = job.input.get("grid"), {key: job.input.get(key) or () for key in ("lattices", "static")}
        lists = {
            key: [value] if isinstance(value, (str, os.PathLike)) else value for key, value in given.items()
        }
        return cls(job.options, step, grid=grid and Grid.load(grid), sky=job.input.get("sky"), **lists)

    @cached_property
    def levels(self) -> dict[tuple[str, int], float]:
        """(member, extver) -> sky level in the frame's unit per pixel, of frames that have a valid one."""
        return read_levels(self.sky)

    def level(self, member: dict, extver: int) -> float | None:
        """The sky level of a frame; None where it has no valid one."""
        return self.levels.get((member["member"], extver))

    def lattice(self, member: dict, extver: int) -> Lattice:
        """Exact sky positions of a frame on a sparse grid of its pixels."""
        return self.lattices.lattice(member["member"], extver)

    def grid_of(self, frames) -> Grid:
        """The grid for some frames alone, (member, extver) each: with the largest of their own pixels.

        How far a kernel reaches then does not depend on the product's other frames.
        """
        area = max(self.lattices.pixel_area(member["member"], extver) for member, extver in frames)
        return replace(self.grid, input_scale=arcsec(area) / self.grid.pixel_scale)

    def sha256(self, member: dict) -> str | None:
        """The hash of a member's file, as the footprint job saw it."""
        return self.lattices.sha256(member["member"])

    def planes(self, member: dict) -> tuple[str, ...]:
        """The planes that the step's drizzle needs of a member's frames."""
        return planes_of(self.settings, formats.get(member["format"]).ERR_ALONE)

    def frame(self, member: dict, extver: int, planes=None, rows=None) -> Frame:
        """A frame of a member, on the grid; pixels of its static mask are NaN in ``data``.

        Parameters
        ----------
        member : dict
            As in members.csv: ``member``, ``path``, ``format`` …
        planes : tuple of str, optional
            Of 'data', 'dq', 'err', 'var'; by default those of `planes`, with ``var['sky']`` where the weights
            are 'ivm-sky'.
        rows : (first, end), optional
            Detector rows to hold; all by default.
        """
        by_sky = (
            planes is None and self.settings["weight_type"] == "ivm-sky"
        )  # known from the whole frame only
        planes = self.planes(member) if planes is None else planes
        options = formats.reading(self.options)
        frame = formats.read(member, extver, planes, options, None if by_sky else rows)
        if self.grid is not None:
            frame = frame.on_grid(self.grid)
        self.masks.apply(member, frame, rows)
        if by_sky:
            frame = with_sky_variance(frame)
            frame = frame if rows is None else frame.cut(rows)
        return frame

    def frames(self, member: dict, planes=None):
        """All frames of a member, one at a time: (extver, Frame)."""
        for extver in range(1, member["nframes"] + 1):
            yield extver, self.frame(member, extver, planes)

    def pixmap(self, frame: Frame, rows=None) -> np.ndarray:
        """Where a frame's pixels fall on the grid: float64 (rows, nx, 2), x first, 0-based."""
        return self.lattices.pixmap(
            frame,
            self.grid,
            self.settings["pixmap_stepsize"],
            int(self.settings["pixmap_order"]),
            self.options["grid"]["pixmap_tolerance"],
            rows,
        )

    def to_drizzle(self, member: dict, extver: int, rows_of):
        """(Frame, pixmap, level), of the rows ``rows_of(lattice)``; None for no rows.

        It is what `drizzleflow.resample.mosaic.drizzle` reads.
        """
        lattice = self.lattice(member, extver)
        rows, window = rows_of(lattice), self.window(lattice)
        if not window.empty:
            self.reached.setdefault(member["member"], {})[extver] = window
        if rows[0] >= rows[1]:
            return None
        frame = self.frame(member, extver, rows=rows)
        return frame, self.pixmap(frame, rows), self.level(member, extver)

    def window(self, lattice: Lattice) -> Window:
        """The part of the grid that a frame can reach."""
        x, y = self.grid.to_pixel(lattice.lon, lattice.lat)
        if not np.isfinite(x).any():
            return NOWHERE
        reach = kernel_reach(self.settings["kernel"], self.grid.coarsest)
        return Window.around(x, y, reach).clipped(self.grid.shape)
