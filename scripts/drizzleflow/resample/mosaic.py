"""Drizzle all frames of a product onto its grid, whole or in bands of rows: the mosaic (stcal.resample)."""

from __future__ import annotations

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
