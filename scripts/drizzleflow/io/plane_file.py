"""Keep the planes of a band of rows in a file until the bands are joined, a few rows in memory at a time.

The file is an uncompressed ``.npz``, which `numpy.load` reads too. Planes are written in pieces, and any rows
of them can be read without the rest.
"""

from __future__ import annotations

import os
import zipfile

import numpy as np

from drizzleflow.io.files import replacing

PIECE = 2**22  #: bytes that are written at a time


def write(path, planes: dict) -> None:
    """Write planes to a file, whole or not at all.

    Parameters
    ----------
    path : path
    planes : dict
        name -> an array of any dtype but object, or what has ``dtype``, ``shape`` and ``pieces()``, such as
        `drizzleflow.io.spool.Spool`.
    """
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, plane in planes.items():
            # without the time of writing, so that the same planes give the same bytes
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as out:
                described = {"descr": plane.dtype.str, "fortran_order": False, "shape": plane.shape}
                np.lib.format.write_array_header_1_0(out, described)
                for piece in plane.pieces() if hasattr(plane, "pieces") else [plane]:
                    flat = memoryview(np.ascontiguousarray(piece).reshape(-1).view(np.uint8))
                    for first in range(0, len(flat), PIECE):
                        out.write(flat[first : first + PIECE])


class StoredPlane:
    """A plane in a file, (..., ny, nx), of which rows are read.

    Attributes
    ----------
    dtype, shape, ndim
        As of the array.
    """

    def __init__(self, path, offset: int, dtype, shape):
        self.path, self.offset, self.dtype, self.shape = path, offset, np.dtype(dtype), tuple(shape)
        self.ndim = len(self.shape)

    def __getitem__(self, key) -> np.ndarray:
        """Read the rows ``[index, ..., first:end]``, (end - first, nx): whole numbers, and a slice of rows."""
        *index, rows = key if isinstance(key, tuple) else (key,)
        ny, nx = self.shape[-2:]
        first, end, _ = rows.indices(ny)
        above = int(np.ravel_multi_index(index, self.shape[:-2])) if index else 0
        values = np.empty((max(0, end - first), nx), self.dtype)
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.offset + self.dtype.itemsize * nx * (above * ny + first))
            rest = memoryview(values.reshape(-1).view(np.uint8))
            while rest:
                count = file.readinto(rest)
                if not count:
                    raise OSError(None, "the file is cut short", os.fspath(self.path))
                rest = rest[count:]
        return values


def read(path) -> dict:
    """Return the planes of a file: name -> `StoredPlane`, or an array where it has fewer than two dimensions."""
    found = {}
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            file.seek(
                entry.header_offset + 26
            )  # the lengths of what lies between the entry's header and its data
            lengths = np.frombuffer(file.read(4), "<u2")
            file.seek(entry.header_offset + 30 + int(lengths.sum()))
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if len(shape) >= 2:
                found[name] = StoredPlane(path, file.tell(), dtype, shape)
            else:
                count = int(np.prod(shape))
                found[name] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count).reshape(shape)
    return found
