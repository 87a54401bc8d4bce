"""What the mosaic's jobs read: flagged members, lattices and sky levels."""

from __future__ import annotations

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.variances import add_sky_variance
from drizzleflow.frames.window import NOWHERE, Window
from drizzleflow.geometry.pixmap import LatticeFiles
from drizzleflow.io.tables import read_levels
from drizzleflow.outliers.static_mask import StaticMasks
from drizzleflow.resample.kernels import kernel_reach


class MosaicInputs:
    """Frames with their pixel maps and sky levels, only the rows that a band needs.

    Parameters
    ----------
    files : object
        With ``lattices`` and ``static`` (paths, may be none) and ``sky`` (path).
    grid : Grid
    options : dict
        The sections ``mosaic``, ``grid`` and ``simple`` of the configuration.

    Attributes
    ----------
    windows : dict
        member -> {extver: Window}: the rectangle of the grid that a frame can reach; of the frames that were
        read and reach some.
    """

    def __init__(self, files, grid, options: dict):
        self.grid, self.options = grid, options
        self.static, self.windows = StaticMasks(files.static), {}
        self.lattices, self.levels = LatticeFiles(files.lattices), read_levels(files.sky)

    def read(self, member: dict, extver: int, planes, rows_of):
        """(Frame, pixmap, level) as `drizzleflow.resample.mosaic.drizzle` asks."""
        lattice, step = self.lattices.lattice(member["member"], extver), self.options["mosaic"]
        rows = rows_of(lattice)
        window = self.window(lattice)
        if not window.empty:
            self.windows.setdefault(member["member"], {})[extver] = window
        by_sky = step["weight_type"] == "ivm-sky"
        frame = formats.read(
            member, extver, planes, self.options["simple"], None if by_sky else rows
        ).on_grid(self.grid)
        self.static.apply(member, frame, rows)
        if by_sky:  # known from the whole frame only
            add_sky_variance(frame)
            frame = frame.cut(rows)
        pixmap = self.lattices.pixmap(
            frame,
            self.grid,
            step["pixmap_stepsize"],
            int(step["pixmap_order"]),
            self.options["grid"]["pixmap_tolerance"],
            rows,
        )
        return frame, pixmap, self.levels.get((member["member"], extver))

    def window(self, lattice) -> Window:
        """The rectangle of the grid that a frame can reach; empty where that is none."""
        x, y = self.grid.to_pixel(lattice.lon, lattice.lat)
        if not np.isfinite(x).any():
            return NOWHERE
        reach = kernel_reach(self.options["mosaic"]["kernel"], self.grid.coarsest)
        return Window.around(x, y, reach).clipped(self.grid.shape)
