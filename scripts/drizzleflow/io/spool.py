"""Keep an image on disk while it is made in sections, so that memory does not grow with it."""

from __future__ import annotations

import os
import tempfile

import numpy as np

PIECE = 2**22  #: bytes that are read at a time


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
            Rows were skipped backwards, or are of another shape.
        """
        if first < self._end or rows.shape[1:] != self.shape[1:]:
            raise ValueError(
                f"rows from {first} of shape {rows.shape} after {self._end} rows of {self.shape}"
            )
        self._blank(first)
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self._end = first + len(rows)

    def _blank(self, end: int) -> None:
        if end > self._end:
            self._file.write(np.full((end - self._end, self.shape[1]), self.fill).data)
            self._end = end

    def pieces(self):
        """Yield the image in pieces, as often as it is asked for."""
        self._blank(self.shape[0])
        step = max(1, PIECE // (self.shape[1] * self.dtype.itemsize)) * self.shape[1]
        self._file.seek(0)
        for first in range(0, self.shape[0] * self.shape[1], step):
            count = min(step, self.shape[0] * self.shape[1] - first)
            yield np.frombuffer(self._file.read(count * self.dtype.itemsize), self.dtype)
        self._file.seek(0, os.SEEK_END)
