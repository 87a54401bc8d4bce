"""Read images that hold a window of the grid, such as single drizzles and the median, in sections of rows."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.io.fits_layout import BITPIX, Unit, units

KINDS = {"NUSED": np.int16, "NMEAN": np.int16}  #: planes that are not float32
#: the kind of mean weight -> the header keyword that holds it
WEIGHT_KEYWORDS = {"clipped_mean": "WHTMEAN", "mean": "WHTAVG"}


class Sections:
    """Cut parts out of an image that has a `window` of the grid and a method `read` for its planes."""

    def touched(self, pixmap, margin: int = 5) -> Window:
        """Return the part of this image that a pixel map (in grid pixels) touches; it may be empty."""
        nothing = Window.placed((0, 0), self.window.origin)
        # column by column first: so numpy is four times as fast
        extremes = np.stack([np.fmin.reduce(pixmap, axis=0), np.fmax.reduce(pixmap, axis=0)])
        if not np.isfinite(extremes).any():
            return nothing
        here = Window.around(extremes[..., 0], extremes[..., 1], margin).intersection(self.window)
        return nothing if here.empty else here

    def cut(self, plane: str, window: Window) -> np.ndarray:
        """Return a plane inside a window of the grid; the window must lie within this image."""
        rows, columns = window.inside(self.window)
        return np.ascontiguousarray(self.read(plane, rows.start, rows.stop)[:, columns])


@dataclass(frozen=True)
class Windowed(Sections, StackImage):
    """Hold the headers of a file whose image HDUs are one window of the grid.

    Pixels are read in sections by seeking in the file, not by memory mapping, because the pages of a mapped
    file count as memory of the process.
    """

    path: str
    window: Window
    offsets: dict[str, int]  #: HDU name -> first byte of its data
    mean_weight: float  #: the kind of `WEIGHT_KEYWORDS` asked for; NaN where no pixel has weight
    unit: str
    noise: Noise | None = None  #: None where the header does not state it
    weight_type: str = "exptime"  #: WHTTYPE

    @classmethod
    def open(cls, path, planes=("SCI", "WHT"), threshold_of: str = "clipped_mean", optional=()) -> Windowed:
        """Read the file's headers.

        Raises
        ------
        InputError
            A plane is missing, not float32 or of another shape.
        """
        from astropy.io.fits import Header

        found: dict[str, Unit] = {}
        for unit in units(path):
            found.setdefault(unit.name, unit)
        offsets, shape = {}, None
        for name in (*planes, *(name for name in optional if name in found)):
            if name not in found:
                raise InputError(
                    f"{path}[{name}]: no such extension; expected a windowed image with {', '.join(planes)}"
                )
            cards = found[name].cards
            axes = (cards.get("NAXIS2"), cards.get("NAXIS1"))
            kind = np.dtype(KINDS.get(name, np.float32))
            if cards["BITPIX"] != BITPIX[kind.str[1:]] or cards["NAXIS"] != 2 or axes != (shape or axes):
                raise InputError(f"{path}[{name}]: expected a {kind} image of the shape of {planes[0]}")
            shape, offsets[name] = axes, found[name].data
        with open(path, "rb") as file:
            header = Header.fromstring(found[planes[0]].text(file))
        window = Window.placed(shape, (header.get("WINX0", 0), header.get("WINY0", 0)))
        mean = float(header.get(WEIGHT_KEYWORDS[threshold_of], "nan"))
        noise = Noise.from_header(header)
        unit, kind = str(header.get("BUNIT", "")), str(header.get("WHTTYPE", "exptime"))
        return cls(os.fspath(path), window, offsets, mean, unit, noise, kind)

    @property
    def planes(self):
        """Names of the planes that can be read."""
        return self.offsets.keys()

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Read rows y0 to y1 - 1 (of this image) of a plane, in native byte order."""
        nx, kind = self.shape[1], KINDS.get(plane, np.float32)
        raw = rows_at(self.path, self.offsets[plane], kind, nx, y0, y1)
        if raw.size != (y1 - y0) * nx:
            raise InputError(f"{self.path}[{plane}]: the file is cut short")
        return raw.reshape(y1 - y0, nx).astype(kind)


@dataclass(frozen=True)
class WindowedArrays(Sections):
    """Hold planes in memory that are one window of the grid; it is read as `Windowed` is."""

    arrays: dict[str, np.ndarray]  #: name of the plane -> (ny, nx)
    window: Window

    @property
    def planes(self):
        """Names of the planes that can be read."""
        return self.arrays.keys()

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Return rows y0 to y1 - 1 (of this image) of a plane."""
        return self.arrays[plane][y0:y1]


def rows_at(path, offset: int, kind, nx: int, y0: int, y1: int) -> np.ndarray:
    """Read rows y0 to y1 - 1 of a plane of dtype `kind` at byte `offset`, big-endian.

    Fewer rows are returned where the file ends.
    """
    kind = np.dtype(kind)
    with open(path, "rb", buffering=0) as file:
        file.seek(offset + kind.itemsize * y0 * nx)
        return np.fromfile(file, kind.newbyteorder(">"), (y1 - y0) * nx)


def union(images) -> Window:
    """Return the smallest window that holds the windows of all images."""
    return Window.enclosing(image.window for image in images)


def expect_one_shape(images) -> None:
    """Raise InputError where the images' shapes differ: without resampling, pixels are compared directly."""
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise InputError(
            "single_drizzle.resample_data: false needs frames of one shape, found "
            + ", ".join(sorted(map(str, shapes)))
        )


def cards(window: Window, unit: str, grid=None) -> list[tuple]:
    """Return header cards for an image of a window: its place and, where there is a grid, its WCS."""
    place = [
        ("WINX0", window.x0, "0-based grid column of the first pixel"),
        ("WINY0", window.y0, "0-based grid row of the first pixel"),
        *([("BUNIT", unit, "unit of the pixels")] if unit else []),
    ]
    return place + (grid.window(*window).cards() if grid is not None else [])
