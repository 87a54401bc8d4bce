"""A pixel map tells where each detector pixel falls on the output grid.

It is interpolated from a frame's `drizzleflow.geometry.lattice.Lattice`, or comes from the exact WCS.
Positions are rounded to multiples of 2^-32 px. The integer origin of a window can then be subtracted exactly,
so that a window, a band and the full frame get the same bits.
"""

from __future__ import annotations

import logging

import numpy as np

from drizzleflow.frames.frame import SkyWCS
from drizzleflow.geometry.lattice import QUANTUM, Lattice, Projected, inside

log = logging.getLogger("drizzleflow")


def from_lattice(lattice: Lattice, grid, rows=None) -> np.ndarray:
    """Return a frame's pixel map on `grid`: (ny, nx, 2) float64, x first, 0-based, multiples of 2^-32.

    Parameters
    ----------
    rows : (first, end), optional
        Detector rows to evaluate; all by default. The values do not depend on this choice.
    """
    y0, y1 = rows or (0, lattice.shape[0])
    out = np.empty((y1 - y0, lattice.shape[1], 2))
    return Projected(lattice, grid).rows(y0, y1, out)


def shift(pixmap, x0: int, y0: int) -> np.ndarray:
    """Shift the map in place to pixels of a window whose first pixel is (x0, y0), exactly, and return it."""
    pixmap[..., 0] -= x0
    pixmap[..., 1] -= y0
    return pixmap


def exact(wcs: SkyWCS, grid, rows=None) -> np.ndarray:
    """Return the same as `from_lattice`, from the exact WCS at every pixel.

    It is slow: 2 s for 4 million pixels of a GWCS.
    """
    ny, nx = wcs.shape
    y0, y1 = rows or (0, ny)
    out = np.full((y1 - y0, nx, 2), np.nan)
    (xa, xb), (ya, yb) = inside(wcs)
    ya, yb = max(ya, y0), min(yb, y1 - 1)
    for first in range(ya, yb + 1, 256):  # in slices, because gwcs makes many temporary arrays
        last = min(first + 256, yb + 1)
        y, x = np.mgrid[first:last, xa : xb + 1].astype(float)
        u, v = grid.to_pixel(*wcs.to_sky(x, y))
        out[first - y0 : last - y0, xa : xb + 1, 0] = np.rint(u / QUANTUM) * QUANTUM
        out[first - y0 : last - y0, xa : xb + 1, 1] = np.rint(v / QUANTUM) * QUANTUM
    return out


class LatticeFiles:
    """The lattices that the ``footprint`` jobs saved, and the hashes of the members' files.

    Parameters
    ----------
    paths : list of path
        ``.npz`` files with the keys ``member/extver/step/array`` and, for each member, its `hash_key`.
    """

    def __init__(self, paths):
        self._where: dict[tuple[str, int, str], str] = {}
        self._last: tuple[tuple | None, Lattice | None] = None, None  # a frame's rows and map need it twice
        for path in paths:
            with np.load(path) as stored:
                for key in stored.files:
                    member, extver, step, _ = key.rsplit("/", 3)
                    self._where[member, int(extver), step] = path

    @staticmethod
    def hash_key(member: str) -> str:
        """Return the key of a member's hash, by which later jobs know the file without reading it again."""
        return f"{member}/0/file/sha256"

    @staticmethod
    def area_key(member: str, extver: int) -> str:
        """Return the key of a frame's mean pixel area, steradians."""
        return f"{member}/{extver}/pixel/area"

    def pixel_area(self, member: str, extver: int) -> float:
        """Return the mean area of a frame's pixels, steradians."""
        with np.load(self._where[member, extver, "pixel"]) as stored:
            return float(stored[self.area_key(member, extver)])

    def sha256(self, member: str) -> str | None:
        """Return the hash that the ``footprint`` job took of a member's file; None if it was not kept."""
        path = self._where.get((member, 0, "file"))
        if path is None:
            return None
        with np.load(path) as stored:
            return str(stored[self.hash_key(member)])

    def lattice(self, member: str, extver: int, step: str = "auto") -> Lattice:
        wanted, prefix = (member, extver, step), f"{member}/{extver}/{step}/"
        if self._last[0] != wanted:
            with np.load(self._where[wanted]) as stored:
                arrays = {k.removeprefix(prefix): stored[k] for k in stored.files if k.startswith(prefix)}
            self._last = wanted, Lattice.from_arrays(arrays)
        return self._last[1]

    def pixmap(self, frame, grid, stepsize, order: int, tolerance: float, rows=None) -> np.ndarray:
        """Return the `frame_pixmap` of a frame, with the lattices of these files."""

        def lattice():
            return self.lattice(frame.member, frame.extver, step_name(stepsize, order))

        return frame_pixmap(frame, grid, lattice, stepsize, tolerance, rows)


def frame_pixmap(frame, grid, lattice, stepsize, tolerance: float, rows=None) -> np.ndarray:
    """Return the map of a frame on a grid by the configuration's ``pixmap_stepsize``.

    Parameters
    ----------
    frame : Frame
    grid : Grid
    lattice : callable
        ``lattice()`` returns the frame's `Lattice` of that step size; it is called only if it is needed.
    stepsize : 'auto', 'astrodrizzle' or number
        With ``auto`` the interpolation error is checked on this grid; if it is too large, the exact WCS is
        used.
    tolerance : float
        Largest error allowed in that check, pixels of the grid.
    rows : (first, end), optional
        Detector rows to evaluate; all by default.

    Returns
    -------
    float64 (ny, nx, 2), as `from_lattice`
    """
    if stepsize == "astrodrizzle":
        from drizzleflow.geometry import astrodrizzle_pixmap

        return np.rint(astrodrizzle_pixmap.pixmap(frame.wcs, grid, rows=rows) / QUANTUM) * QUANTUM
    if stepsize != "auto" and stepsize <= 1:
        return exact(frame.wcs, grid, rows)
    sampled = lattice()
    if stepsize == "auto" and not (error := sampled.error(grid)) <= tolerance:  # NaN too
        log.warning(
            "%s: interpolated pixel map is off by %.2g px: the exact WCS is used", frame.member, error
        )
        return exact(frame.wcs, grid, rows)
    return from_lattice(sampled, grid, rows)


def step_name(stepsize, order) -> str:
    """Return the name under which a lattice is saved."""
    return "auto" if isinstance(stepsize, str) or stepsize <= 1 else f"{stepsize:g}-{order}"
