"""Measure what a frame is worth before it is compared: good and saturated pixels, and its noise against ERR."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.boxes import box_medians
from drizzleflow.frames.measured_noise import scatter_in_boxes

BOX, SIDE = 32, 256  #: side of a box in which the noise is measured, and of the image that it is measured in


def quality(frame, good, saturated: int) -> dict[str, float | None]:
    """Return what `drizzleflow.io.columns.FRAMES` has of a frame on its own; None: cannot be told.

    Parameters
    ----------
    frame : Frame
        With ``data`` and, where the file has them, ``err`` and ``dq``.
    good : bool (ny, nx)
        Pixels that can be used, by their flags.
    saturated : int
        The bits of saturated pixels; 0: nothing tells them.

    ``scatter`` is that of the blank sky in the frame's unit, the median of boxes; ``error`` the same in units
    of ERR in these boxes. Where sources fill the frame both are too large.
    """
    usable = good & np.isfinite(frame.data)
    found: dict[str, float | None] = {"good": float(usable.mean()), "saturated": None}
    if saturated and frame.dq is not None:
        found["saturated"] = float(((frame.dq & np.uint32(saturated)) != 0).mean())
    step = min(4, max(1, min(frame.shape) // SIDE))  # of a large frame some rows and columns tell
    few = np.s_[::step, ::step]
    usable = usable[few]
    scatter, error = scatter_in_boxes(frame.data[few], usable, BOX), None
    if scatter is not None and frame.err is not None:
        expected = box_medians(frame.err[few], usable & (frame.err[few] > 0), BOX)
        error = None if expected is None else float(np.median(scatter / expected))
    return found | {"scatter": None if scatter is None else float(np.median(scatter)), "error": error}
