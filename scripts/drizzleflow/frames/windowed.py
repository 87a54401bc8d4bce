"""Images that hold only a window of the grid: single drizzles and the median.

They are on disk, where sections are read, or in memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise, Noisy

KINDS = {"NUSED": np.int16}  #: planes that are not float32
_BITPIX = {np.float32: -32, np.int16: 16}
#: which mean weight -> the keyword that holds it
WEIGHT_KEYWORDS = {"clipped_mean": "WHTMEAN", "mean": "WHTAVG"}


class _OnGrid:
    """Windows of an image that has `shape`, `origin` and `read`."""

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(x0, x1, y0, y1) on the grid, half open."""
        (x0, y0), (ny, nx) = self.origin, self.shape
        return x0, x0 + nx, y0, y0 + ny

    def touched(self, pixmap, margin: int = 5) -> tuple[int, int, int, int]:
        """The window (x0, x1, y0, y1) of this image that a pixel map of the grid touches; x0 = x1: none."""
        from drizzleflow.frames.window import window

        bx0, bx1, by0, by1 = self.window
        if not np.isfinite(pixmap).any():
            return bx0, bx0, by0, by0
        x0, x1, y0, y1 = window(pixmap[..., 0], pixmap[..., 1], margin)
        x0, x1, y0, y1 = max(x0, bx0), min(x1, bx1), max(y0, by0), min(y1, by1)
        return (bx0, bx0, by0, by0) if x0 >= x1 or y0 >= y1 else (x0, x1, y0, y1)

    def cut(self, plane: str, window) -> np.ndarray:
        """A plane inside a window of the grid that lies within this image."""
        x0, x1, y0, y1 = window
        bx0, by0 = self.origin
        rows = self.read(plane, y0 - by0, y1 - by0)
        return np.ascontiguousarray(rows[:, x0 - bx0 : x1 - bx0])


@dataclass(frozen=True)
class Windowed(_OnGrid, Noisy):
    """A file whose image HDUs are one window of the grid, opened for its headers only.

    Sections are read by seeking, not by mapping: a mapped file counts in the memory of the process as it is read.
    """

    path: str
    shape: tuple[int, int]
    origin: tuple[int, int]  #: (x0, y0) of pixel (0, 0) on the grid: WINX0, WINY0
    offsets: dict[str, int]  #: HDU name -> first byte of its data
    mean_weight: float  #: of `WEIGHT_KEYWORDS` the one asked for; NaN where no pixel has weight
    unit: str
    noise: Noise | None = None  #: None where the header does not tell
    weight_type: str = "exptime"  #: WHTTYPE

    @classmethod
    def open(cls, path, planes=("SCI", "WHT"), threshold_of: str = "clipped_mean", optional=()) -> Windowed:
        """Look at the headers.

        Raises
        ------
        InputError
            A plane is missing, not float32 or of another shape.
        """
        from drizzleflow.io.fits import open_fits

        with open_fits(path) as hdus:
            offsets, shape = {}, None
            for name in (*planes, *(name for name in optional if name in hdus)):
                if name not in hdus:
                    raise InputError(
                        f"{path}[{name}]: no such extension; expected a windowed image with {', '.join(planes)}"
                    )
                header = hdus[name].header
                found = (header.get("NAXIS2"), header.get("NAXIS1"))
                kind = KINDS.get(name, np.float32)
                if header["BITPIX"] != _BITPIX[kind] or header["NAXIS"] != 2 or found != (shape or found):
                    raise InputError(
                        f"{path}[{name}]: expected a {np.dtype(kind)} image of the shape of {planes[0]}"
                    )
                shape = found
                offsets[name] = hdus[name].fileinfo()["datLoc"]
            header = hdus[planes[0]].header
            origin = (header.get("WINX0", 0), header.get("WINY0", 0))
            mean = float(header.get(WEIGHT_KEYWORDS[threshold_of], "nan"))
            noise = Noise.from_header(header)
            unit = str(header.get("BUNIT", ""))
            kind = str(header.get("WHTTYPE", "exptime"))
        return cls(os.fspath(path), shape, origin, offsets, mean, unit, noise, kind)

    @property
    def planes(self):
        """Names of the planes that can be read."""
        return self.offsets.keys()

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Rows y0..y1-1 (of this image) of a plane, in native byte order."""
        nx, kind = self.shape[1], KINDS.get(plane, np.float32)
        raw = rows_at(self.path, self.offsets[plane], kind, nx, y0, y1)
        if raw.size != (y1 - y0) * nx:
            raise InputError(f"{self.path}[{plane}]: the file is cut short")
        return raw.reshape(y1 - y0, nx).astype(kind)


@dataclass(frozen=True)
class WindowedArrays(_OnGrid):
    """The same of arrays in memory."""

    arrays: dict[str, np.ndarray]  #: HDU name -> (ny, nx)
    origin: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        return next(iter(self.arrays.values())).shape

    @property
    def planes(self):
        return self.arrays.keys()

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        return self.arrays[plane][y0:y1]


def rows_at(path, offset: int, kind, nx: int, y0: int, y1: int) -> np.ndarray:
    """The values of rows y0..y1-1 of a plane of `kind` at byte `offset`, big-endian as stored; fewer where the file ends."""
    kind = np.dtype(kind)
    with open(path, "rb", buffering=0) as file:
        file.seek(offset + kind.itemsize * y0 * nx)
        return np.fromfile(file, kind.newbyteorder(">"), (y1 - y0) * nx)


def union(images) -> tuple[int, int, int, int]:
    """The window that holds all images' windows."""
    windows = np.array([image.window for image in images])
    x0, y0 = windows[:, [0, 2]].min(axis=0)
    x1, y1 = windows[:, [1, 3]].max(axis=0)
    return int(x0), int(x1), int(y0), int(y1)


def expect_one_shape(images) -> None:
    """Without resampling pixels are compared as they are: InputError where the images' shapes differ."""
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise InputError(
            "single_drizzle.resample_data: false needs frames of one shape, found "
            + ", ".join(sorted(map(str, shapes)))
        )


def cards(window, unit: str, grid=None) -> list[tuple]:
    """Header cards of an image of a window: its place and, where there is a grid, its WCS."""
    x0, x1, y0, y1 = window
    place = [
        ("WINX0", x0, "0-based grid column of the first pixel"),
        ("WINY0", y0, "0-based grid row of the first pixel"),
        *([("BUNIT", unit, "unit of the pixels")] if unit else []),
    ]
    return place + (grid.window(x0, x1, y0, y1).cards() if grid is not None else [])
