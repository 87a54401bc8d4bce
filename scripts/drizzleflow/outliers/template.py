"""Make the template of an exposure: what the other exposures show at its pixels.

The median's file holds the clipped mean of all groups (`drizzleflow.combine.leave_one_out`). The exposure's
own group is taken out of it on the grid, and the rest is interpolated at the exposure's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drizzleflow.combine import leave_one_out
from drizzleflow.combine.good_values import good_values
from drizzleflow.combine.group_noise import GroupNoise
from drizzleflow.combine.leave_one_out import ClippedMean, Limits, Others
from drizzleflow.combine.parameters import Parameters
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed, WindowedArrays
from drizzleflow.geometry.pixmap import shift
from drizzleflow.outliers.blot import blot, nearest

#: planes of the median's file that are needed
PLANES = ("SCI", "NUSED", *leave_one_out.NAMES)
MARGIN = 5  #: pixels around a frame that its interpolation looks at
ROWS = 64  #: rows of a window that are worked on at a time


@dataclass
class BlottedOthers:
    """What the other exposures show at a frame's pixels, in the frame's unit; arrays are (ny, nx)."""

    mean: np.ndarray  #: float32, NaN where no other exposure has a value
    variance: np.ndarray  #: float32, of `mean`
    count: np.ndarray  #: int16, how many other exposures are in `mean`
    alone: (
        np.ndarray
    )  #: float32 (n,), the combined image, own exposure included, at the n pixels without `mean`

    def shown(self, matched: np.ndarray) -> np.ndarray:
        """Return the matched template, with the combined image where no other exposure has a value."""
        made = matched.copy()
        made[np.isnan(matched)] = self.alone
        return made


@dataclass(frozen=True)
class OtherExposures:
    """Take groups out of the combined image."""

    median: Windowed | WindowedArrays  #: with `PLANES`
    groups: dict[str, GroupNoise]  #: the noise and weight of each group
    singles: dict[str, StackImage]  #: the single-drizzled image of each group that is taken out
    parameters: Parameters  #: of the combination: they say which values of a single are good
    limits: Limits  #: of the clipped mean

    def on_grid(self, group: str, window: Window) -> Others:
        """Return what the groups but one show in a window of the grid that lies within the median."""
        shape, reach = window.shape, leave_one_out.REACH
        made = Others(np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int16))
        for first in range(window.y0, window.y1, ROWS):
            part = window._replace(y0=first, y1=min(first + ROWS, window.y1))
            # what takes part at a pixel depends on its neighbours
            box = part.grown(reach).intersection(self.median.window)
            sci, nused, *planes = (self.median.cut(name, box) for name in PLANES)
            # imedian and the like fill pixels; the mean was made before that
            sci = np.where(nused == 0, np.float32(np.nan), sci)
            values = good_values(self.singles[group], box, self.parameters)
            others = leave_one_out.without(
                ClippedMean(*planes), sci, nused, values, *self.groups[group], self.limits
            )
            for target, plane in zip(made, others, strict=True):
                target[part.inside(window)] = plane[part.inside(box)]
        return made

    def at(self, frame: Frame, group: str, pixmap, interp: str = "linear") -> BlottedOthers:
        """Return the template of a frame by interpolation.

        Parameters
        ----------
        frame : Frame
        group : str
            The frame's group, which is left out whole.
        pixmap : float64 (ny, nx, 2)
            Position of each detector pixel on the grid, x first; changed in place.
        interp : str
            One of `drizzleflow.outliers.blot.INTERPOLATIONS`, for the mean; variance and count are those of
            the nearest pixel.
        """
        window = self.median.touched(pixmap, MARGIN)
        others = self.on_grid(group, window)
        shift(pixmap, *window.origin)
        mean = blot(others.mean, pixmap, np.nan, interp, "linear")
        variance, count = nearest((others.variance, others.count), pixmap, (np.nan, 0))
        del others
        unseen = np.isnan(mean)
        alone = np.empty(0, np.float32)
        if unseen.any():
            sci = self.median.cut("SCI", window)
            alone = nearest((sci,), pixmap[unseen][None], (np.nan,))[0][0]
        return _in_frame(frame, mean, variance, count, alone)

    def aligned(self, frame: Frame, group: str) -> BlottedOthers:
        """Return the template of a frame that lies on the median's own pixels (``resample_data: false``)."""
        window = self.median.window
        mean, variance, count = self.on_grid(group, window)
        alone = self.median.cut("SCI", window)[np.isnan(mean)]
        return _in_frame(frame, mean, variance, count, alone)


def _in_frame(frame, mean, variance, count, alone) -> BlottedOthers:
    mean, alone = frame.from_product(mean, out=mean), frame.from_product(alone)
    if frame.factor != 1:
        variance *= np.float32(frame.factor**-2)
    return BlottedOthers(mean, variance, count, alone)
