"""Define what an image needs so that it can be combined with others: single drizzles on disk or in memory."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import numpy as np

from drizzleflow.frames.noise import Noise
from drizzleflow.frames.window import Window


class StackImage(Protocol):
    """An image on a part of the grid, read in sections of rows; `median_image` combines such images.

    A class of such images derives from this one and defines `window`, `mean_weight` and `read`. The other
    members are optional; this class gives their defaults.
    """

    #: the part of the grid that the image holds
    window: Window
    #: the weight of which ``maskpt`` is a fraction; NaN where no pixel has weight
    mean_weight: float

    @abstractmethod
    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Read rows y0 to y1 - 1 of this image (not of the grid) of plane 'SCI' or 'WHT'.

        The array is float32 (y1 - y0, nx); the caller may change it.
        """
        ...

    #: exposure time, read noise, sky, electrons of a unit: each may be None; None: nothing is known
    noise: Noise | None = None
    #: 'exptime': weights are seconds. Others are scaled so that their mean is the exposure time
    weight_type: str = "exptime"
    #: the weight of all pixels where it is one number; 'WHT' is not read then
    uniform_weight: float | None = None

    def bad(self, y0: int, y1: int) -> np.ndarray | None:
        """Return the bad pixels of rows y0 to y1 - 1 beside those of low weight; None: there are none.

        The mask is bool (y1 - y0, nx), True at bad pixels.
        """
        return None

    @property
    def shape(self) -> tuple[int, int]:
        """The image's shape, (ny, nx)."""
        return self.window.shape

    @property
    def origin(self) -> tuple[int, int]:
        """The grid position (x0, y0) of the first pixel: WINX0, WINY0."""
        return self.window.origin
