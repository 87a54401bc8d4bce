"""Keep an image on disk while it is made in sections, so that memory does not grow with it."""

from __future__ import annotations

import os
import tempfile

import numpy as np

PIECE = (
    2**22
)  #: bytes that are read at a time, a multiple of eight: no value is cut, nor a word of a checksum


def plane(shape, fill, folder=None):
    """Return an image to be filled section by section: an array or, with a folder, a `Spool`."""
    return np.full(shape, fill) if folder is None else Spool(folder, shape, fill)


def put(plane, first: int, values) -> None:
    """Set some rows of a `plane`, from row `first` on."""
    if isinstance(plane, Spool):
        plane.put(first, values)
    else:
        plane[first : first + len(values)] = values


class Spool:
    """An image (ny, nx) in a file without a name, which vanishes with the process.

    Data units of `drizzleflow.io.fits.write_hdus` may be spools: `pieces` gives the values in order.

    Parameters
    ----------
    folder : path
        Where the file lies: on the disk of the product, since a system's temporary folder may be memory.
    shape : (ny, nx)
    fill : number
        What rows hold that were never written; its dtype is the image's.
    """

    def __init__(self, folder, shape, fill):
        self.shape, self.fill = tuple(shape), np.asarray(fill)
        self.dtype, self.ndim = self.fill.dtype, 2
        self._file = tempfile.TemporaryFile(dir=os.fspath(folder) or ".", buffering=0)
        self._end = 0  # rows that are written

    def put(self, first: int, rows) -> None:
        """Write some rows, not before those that were written.

        Raises
        ------
        ValueError
            They come before rows that were written, do not fit the image, or are of another shape.
        """
        end = first + len(rows)
        if first < self._end or end > self.shape[0] or rows.shape[1:] != self.shape[1:]:
            raise ValueError(
                f"rows from {first} of shape {rows.shape} after {self._end} rows of {self.shape}"
            )
        self._blank(first)
        self._write(np.ascontiguousarray(rows, self.dtype))
        self._end = end

    def _blank(self, end: int) -> None:
        if end > self._end:
            self._write(np.full((end - self._end, self.shape[1]), self.fill))
            self._end = end

    def _write(self, values) -> None:
        rest = memoryview(values).cast("B") if values.size else b""
        while rest:  # a disk that is nearly full takes a part, and says so at the next attempt
            rest = rest[self._file.write(rest) :]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Read some rows (rows, nx)."""
        first, end, _ = rows.indices(self.shape[0])
        self._blank(self.shape[0])
        width = self.shape[1] * self.dtype.itemsize
        self._file.seek(first * width)
        values = np.frombuffer(self._file.read(max(0, end - first) * width), self.dtype)
        self._file.seek(0, os.SEEK_END)
        return values.reshape(-1, self.shape[1])

    def pieces(self):
        """Yield the image in pieces, as often as it is asked for."""
        self._blank(self.shape[0])
        size = self.shape[0] * self.shape[1] * self.dtype.itemsize
        for first in range(0, size, PIECE):  # whole words, as checksums need them
            self._file.seek(first)
            yield np.frombuffer(self._file.read(min(PIECE, size - first)), self.dtype)
        self._file.seek(0, os.SEEK_END)
