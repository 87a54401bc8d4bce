"""What the mosaic's jobs read: flagged members, lattices and sky levels."""

from __future__ import annotations

from drizzleflow import formats
from drizzleflow.pixmap import LatticeFiles
from drizzleflow.staticmask import StaticMasks
from drizzleflow.tables import read_levels
from drizzleflow.weights import add_sky_variance


class MosaicInputs:
    """Frames with their pixel maps and sky levels, only the rows that a band needs.

    Parameters
    ----------
    files : object
        With ``lattices`` and ``static`` (paths, may be none) and ``sky`` (path).
    grid : Grid
    options : dict
        The sections ``mosaic``, ``grid`` and ``simple`` of the configuration.
    """

    def __init__(self, files, grid, options: dict):
        self.grid, self.options = grid, options
        self.static = StaticMasks(files.static)
        self.lattices, self.levels = LatticeFiles(files.lattices), read_levels(files.sky)

    def read(self, member: dict, extver: int, planes, rows_of):
        """(Frame, pixmap, level) as `drizzleflow.mosaic.drizzle` asks."""
        rows = rows_of(self.lattices.lattice(member["member"], extver))
        step = self.options["mosaic"]
        by_sky = step["weight_type"] == "ivm-sky"
        frame = formats.read(member, extver, planes, self.options["simple"], None if by_sky else rows).on_grid(self.grid)
        self.static.apply(member, frame, rows)
        if by_sky:  # known from the whole frame only
            add_sky_variance(frame)
            frame.cut(rows)
        pixmap = self.lattices.pixmap(
            frame, self.grid, step["pixmap_stepsize"], int(step["pixmap_order"]), self.options["grid"]["pixmap_tolerance"], rows
        )
        return frame, pixmap, self.levels.get((member["member"], extver))
