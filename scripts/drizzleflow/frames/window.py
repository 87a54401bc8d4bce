"""Describe rectangles of pixels of the grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A rectangle of grid pixels: columns x0 to x1 - 1 and rows y0 to y1 - 1, four ints as in files.

    A window may reach beyond its grid. One with x0 >= x1 or y0 >= y1 is empty.
    """

    x0: int
    x1: int
    y0: int
    y1: int

    @classmethod
    def placed(cls, shape, origin=(0, 0)) -> Window:
        """Return the window of an array of `shape` (ny, nx) that begins at grid pixel `origin` (x, y)."""
        (ny, nx), (x0, y0) = shape, origin
        return cls(x0, x0 + nx, y0, y0 + ny)

    @classmethod
    def around(cls, pixel_x, pixel_y, reach: int = 0) -> Window:
        """Return the window of the pixels within `reach` of positions.

        `pixel_x` and `pixel_y` are arrays of pixel coordinates, not all of them NaN.
        """
        return cls(
            int(np.floor(np.nanmin(pixel_x))) - reach,
            int(np.ceil(np.nanmax(pixel_x))) + reach + 1,
            int(np.floor(np.nanmin(pixel_y))) - reach,
            int(np.ceil(np.nanmax(pixel_y))) + reach + 1,
        )

    @classmethod
    def enclosing(cls, windows: Iterable[Window]) -> Window:
        """Return the smallest window that holds all `windows`; empty ones are ignored. `NOWHERE` if none."""
        held = [window for window in windows if not window.empty]
        if not held:
            return NOWHERE
        x0, x1, y0, y1 = zip(*held, strict=True)
        return cls(min(x0), max(x1), min(y0), max(y1))

    @property
    def empty(self) -> bool:
        return self.x0 >= self.x1 or self.y0 >= self.y1

    @property
    def shape(self) -> tuple[int, int]:
        """The window's shape, (ny, nx)."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def origin(self) -> tuple[int, int]:
        """The window's first pixel, (x0, y0)."""
        return self.x0, self.y0

    def holds(self, x: int, y: int) -> bool:
        """Return whether grid pixel (x, y) is in the window."""
        return self.x0 <= x < self.x1 and self.y0 <= y < self.y1

    def intersection(self, other: Window) -> Window:
        """Return the pixels that both windows hold; the result may be empty."""
        return Window(
            max(self.x0, other.x0), min(self.x1, other.x1), max(self.y0, other.y0), min(self.y1, other.y1)
        )

    def clipped(self, shape) -> Window:
        """Return the part of the window on a grid of `shape` (ny, nx); it may be empty."""
        return self.intersection(Window.placed(shape))

    def grown(self, margin: int) -> Window:
        """Return the window with `margin` more pixels on each side."""
        return Window(self.x0 - margin, self.x1 + margin, self.y0 - margin, self.y1 + margin)

    def inside(self, outer: Window) -> tuple[slice, slice]:
        """Return the slices (rows, columns) of this window in an array that holds the window `outer`."""
        return (
            slice(self.y0 - outer.y0, self.y1 - outer.y0),
            slice(self.x0 - outer.x0, self.x1 - outer.x0),
        )


NOWHERE = Window(0, 0, 0, 0)  #: a window without pixels
