"""Read single-drizzled images, in files or in memory, in sections of rows.

There are two kinds of files: AstroDrizzle's ``{root}_single_sci.fits`` and ``{root}_single_wht.fits`` (plain,
or tile-compressed with the image in extension 1), and files that hold both planes as extensions SCI and WHT,
such as this workflow's ``_outlier_i2d.fits``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import rows_at

LEAST_WEIGHT = 1e-8  #: weights below this are left out of the mean weight
#: bytes of weights in memory while they are summed; a fixed number, so that the sum is always the same
_STRIPE = 2**20


@dataclass(frozen=True)
class Plane:
    """Read one two-dimensional image of a FITS file.

    The header is read once; each `read` opens the file again.
    """

    path: str
    index: int  #: of the HDU
    shape: tuple[int, int]
    offset: int | None  #: position of the first byte of plain float32 data; None: astropy reads the rows

    @classmethod
    def open(cls, path, name=None):
        """Open the extension `name`, or the first image in the file; return (plane, merged header).

        Raises
        ------
        InputError
            There is no such image, or it is not two-dimensional.
        """
        from drizzleflow.io.fits import open_fits

        with open_fits(path) as hdus:
            holds = (getattr(h, "is_image", False) and h.header.get("NAXIS", 0) > 0 for h in hdus)
            images = [i for i, image in enumerate(holds) if image]
            index = next((i for i in images if name is None or hdus[i].name == name), None)
            if index is None:
                raise InputError(
                    f"{path}{f'[{name}]' if name else ''}: no image, expected a single-drizzled image"
                )
            hdu = hdus[index]
            header = hdu.header
            if header["NAXIS"] != 2:
                raise InputError(f"{path}[{hdu.name}]: {header['NAXIS']} dimensions, expected an image (2)")
            plain = header["BITPIX"] == -32 and header.get("BSCALE", 1) == 1 and header.get("BZERO", 0) == 0
            packed = type(hdu).__name__ == "CompImageHDU" or os.fspath(path).lower().endswith(".gz")
            offset = hdu.fileinfo()["datLoc"] if plain and not packed else None
            merged = over_primary(hdus[0].header, header) if index else header.copy()
            return cls(os.fspath(path), index, (header["NAXIS2"], header["NAXIS1"]), offset), merged

    def read(self, y0: int, y1: int) -> np.ndarray:
        """Read the rows y0 to y1 - 1 as native float32 (y1 - y0, nx).

        Raises
        ------
        InputError
            The file is gone, has another shape than before, or is cut short.
        """
        count = (y1 - y0) * self.shape[1]
        if self.offset is None:
            from drizzleflow.io.fits import open_fits, plane

            with open_fits(self.path) as hdus:
                rows = plane(hdus, self.index, np.float32, self.path, rows=(y0, y1))
        else:
            try:
                rows = rows_at(self.path, self.offset, np.float32, self.shape[1], y0, y1)
            except OSError as error:
                raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None
        if rows.size != count:
            ny, nx = self.shape
            raise InputError(f"{self.path}: the file is cut short, expected an image of {ny} x {nx} pixels")
        return rows.reshape(y1 - y0, self.shape[1]).astype(np.float32)


@dataclass(frozen=True)
class MemoryPlane:
    """Hold an image in memory, as AstroDrizzle does with ``in_memory``; it is read like a `Plane`."""

    path: str
    data: np.ndarray

    @property
    def shape(self):
        return self.data.shape

    def read(self, y0, y1):
        return np.array(self.data[y0:y1], np.float32)


@dataclass
class DrizzledSingle(StackImage):
    """A single-drizzled image, as `drizzleflow.combine.stack.median_image` combines it."""

    sci: Plane | MemoryPlane
    wht: Plane | MemoryPlane | None  #: None: all pixels have the same weight
    noise: Noise
    cards: dict = field(default_factory=dict)  #: header keywords of `_KEPT` and their values
    #: AstroDrizzle's weights are exposure times in s; others are scaled so that their mean is the exposure
    #: time
    weight_type: str = "exptime"

    @property
    def path(self) -> str:
        return self.sci.path

    @property
    def window(self) -> Window:
        return Window.placed(
            self.sci.shape, (int(self.cards.get("WINX0", 0)), int(self.cards.get("WINY0", 0)))
        )

    @cached_property
    def mean_weight(self) -> float:
        """The mean of the image's weights that are at least `LEAST_WEIGHT`; NaN without such a weight."""
        if self.wht is None:
            return 1.0
        total, number = 0.0, 0
        rows = max(1, _STRIPE // (4 * self.shape[1]))
        for first in range(0, self.shape[0], rows):
            weight = self.wht.read(first, min(first + rows, self.shape[0]))
            weight = weight[(weight >= LEAST_WEIGHT) & np.isfinite(weight)]
            total, number = total + float(weight.sum(dtype=np.float64)), number + weight.size
        return total / number if number else float("nan")

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Read the rows y0 to y1 - 1 of 'SCI' or 'WHT' as native float32 (y1 - y0, nx).

        Where there is no weight image all weights are 1.
        """
        if plane == "WHT" and self.wht is None:
            return np.ones((y1 - y0, self.shape[1]), np.float32)
        return (self.sci if plane == "SCI" else self.wht).read(y0, y1)


#: keywords of a linear WCS's matrix
MATRIX = tuple("CD1_1 CD1_2 CD2_1 CD2_2 PC1_1 PC1_2 PC2_1 PC2_2 CDELT1 CDELT2".split())
#: keywords that the check of the grid and the header of the combined image need of every image
_KEPT = (
    *("WINX0", "WINY0", "CTYPE1", "CTYPE2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2"),
    *MATRIX,
    *("EXPSTART", "EXPEND"),
)


def single_of(sci, wht, header, noise: Noise) -> DrizzledSingle:
    """Make a `DrizzledSingle` from its planes, the SCI header and its noise.

    Raises
    ------
    InputError
        The weight image has another shape.
    """
    if wht is not None and wht.shape != sci.shape:
        raise InputError(f"{wht.path}: shape {wht.shape}, expected {sci.shape} as {sci.path} has")
    cards = {key: header[key] for key in _KEPT if key in header}
    return DrizzledSingle(sci, wht, noise, cards)


def over_primary(primary, extension):
    """Return a primary header with an extension's cards added; for equal keywords the extension's wins."""
    merged = primary.copy(strip=True)
    for card in extension.copy(strip=True).cards:
        if card.keyword in ("COMMENT", "HISTORY", ""):
            merged.append(card, end=True)
        else:
            merged[card.keyword] = (card.value, card.comment)
    return merged
