"""What the mosaic's jobs read: flagged members, lattices and sky levels."""

from __future__ import annotations

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.variances import add_sky_variance
from drizzleflow.frames.window import window
from drizzleflow.geometry.pixmap import LatticeFiles
from drizzleflow.io.light_tables import read_levels
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
        member -> {extver: (x0, x1, y0, y1)}, half open: the rectangle of the grid that a frame can reach; of the frames that were
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
        x0, x1, y0, y1 = found = self.window(lattice)
        if x0 < x1 and y0 < y1:
            self.windows.setdefault(member["member"], {})[extver] = found
        by_sky = step["weight_type"] == "ivm-sky"
        frame = formats.read(
            member, extver, planes, self.options["simple"], None if by_sky else rows
        ).on_grid(self.grid)
        self.static.apply(member, frame, rows)
        if by_sky:  # known from the whole frame only
            add_sky_variance(frame)
            frame.cut(rows)
        pixmap = self.lattices.pixmap(
            frame,
            self.grid,
            step["pixmap_stepsize"],
            int(step["pixmap_order"]),
            self.options["grid"]["pixmap_tolerance"],
            rows,
        )
        return frame, pixmap, self.levels.get((member["member"], extver))

    def window(self, lattice) -> tuple[int, int, int, int]:
        """The rectangle of the grid (x0, x1, y0, y1), half open, that a frame can reach; empty where that is none."""
        x, y = self.grid.to_pixel(lattice.lon, lattice.lat)
        if not np.isfinite(x).any():
            return 0, 0, 0, 0
        return window(
            x, y, kernel_reach(self.options["mosaic"]["kernel"], self.grid.coarsest), self.grid.shape
        )
