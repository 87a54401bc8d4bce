"""A lattice holds exact sky positions at a few detector positions; pixel maps are interpolated from it.

The exact WCS costs seconds for a full detector, so it is evaluated once on a sparse lattice of detector
positions (`Lattice.sample`). Every later job projects those few sky positions exactly onto its grid and
interpolates the resulting *output pixel* coordinates (never RA and Dec, which fail at RA 0 and at the poles).
The interpolation is separable Lagrange of degree 5, which is exact for a distortion polynomial up to that
degree. Lookup tables (HST's NPOL and D2IM) have kinks: the smooth part is interpolated, and the tables' part
is added bilinearly between their nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drizzleflow.frames.frame import SkyWCS
from drizzleflow.geometry.sphere import tangent_plane

DEGREE = 5  #: degree of the lattice interpolation
MAX_STEP = 64.0  #: px; a coarser lattice saves no more time
QUANTUM = 2.0**-32  #: pixel maps are multiples of it: see `drizzleflow.geometry.pixmap`


@dataclass
class Lattice:
    """Exact sky positions of one frame on a sparse grid of detector positions.

    Attributes
    ----------
    shape : (ny, nx) of the frame
    x, y : node positions, 0-based pixels, equally spaced; they cover the pixel centres inside the WCS's
        bounding box
    lon, lat : (len(y), len(x)) float64, degrees
    check : (4, M) float64: x, y, lon, lat of exact positions off the nodes, to check an interpolation
    kinks : None, or dict of x, y (node positions of the lookup tables) and lon, lat, lon_smooth, lat_smooth
        there; then `lon` and `lat` are those of the smooth part, without the tables
    degree : degree of the interpolation
    """

    shape: tuple[int, int]
    x: np.ndarray
    y: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    check: np.ndarray
    kinks: dict | None = None
    degree: int = DEGREE

    @classmethod
    def sample(cls, wcs: SkyWCS, *, stepsize="auto", order=3, tolerance=1e-3) -> Lattice:
        """Return the coarsest lattice whose interpolation error is under `tolerance` (input px).

        The error is measured at positions off the nodes.

        A number as `stepsize` is the approximate distance of the nodes, at most a tenth of the image. `order`
        1 interpolates bilinearly.

        Raises
        ------
        ValueError
            The WCS is not finite on the frame.
        """
        degree = 1 if order == 1 else DEGREE
        x_range, y_range = inside(wcs)
        if stepsize != "auto":
            return cls._at(wcs, x_range, y_range, float(stepsize), degree)
        step = MAX_STEP
        while True:
            lattice = cls._at(wcs, x_range, y_range, step, degree)
            if step <= 1 or lattice.error(_LocalPlane(wcs)) <= tolerance / 2:
                return lattice
            step /= 2

    @classmethod
    def _at(cls, wcs, x_range, y_range, step, degree):
        x, y = _nodes(*x_range, step, degree), _nodes(*y_range, step, degree)
        position = wcs.smooth or wcs.to_sky
        lon, lat = position(*np.meshgrid(x, y))
        if not np.isfinite(lon).all():
            raise ValueError("the WCS is not finite over the frame")
        # a cell's largest error is near its middle; points off both axes' middles also test the mixed terms
        cx = _thin(np.concatenate([(x[1:] + x[:-1]) / 2, x[:-1] + 0.31 * np.diff(x)]))
        cy = _thin(np.concatenate([(y[1:] + y[:-1]) / 2, y[:-1] + 0.31 * np.diff(y)]))
        check_x, check_y = (a.ravel() for a in np.meshgrid(cx, cy))
        check = np.array([check_x, check_y, *wcs.to_sky(check_x, check_y)])
        kinks = None
        if wcs.kinks is not None:
            kx, ky = (np.asarray(k, float) for k in wcs.kinks)
            mesh = np.meshgrid(kx, ky)
            names = ("lon", "lat", "lon_smooth", "lat_smooth")
            kinks = {
                "x": kx,
                "y": ky,
                **dict(zip(names, (*wcs.to_sky(*mesh), *wcs.smooth(*mesh)), strict=True)),
            }
        return cls(tuple(wcs.shape), x, y, lon, lat, check, kinks, degree)

    def error(self, grid) -> float:
        """Return the largest interpolation error (px of `grid`) at the check points."""
        x, y, lon, lat = self.check
        columns = int(np.count_nonzero(y == y[0]))  # the points are a mesh, row by row
        u, v = Projected(self, grid).mesh(x[:columns], y[::columns])
        exact_u, exact_v = grid.to_pixel(lon, lat)
        return float(np.max(np.hypot(u - exact_u, v - exact_v), initial=0.0))

    def rows_meeting(self, grid, first: float, end: float, slack: float = 2.0) -> tuple[int, int]:
        """Return the detector rows (first, end) that may fall on the rows first..end-1 of `grid`.

        If no row does, it returns (0, 0).

        `slack` (output px) allows for the distortion between nodes and for lookup tables.
        """
        v = grid.to_pixel(self.lon, self.lat)[1]
        rows = np.arange(self.shape[0])
        # between two rows of nodes a frame's lowest and highest position lie within the lines through theirs
        low, high = (np.interp(rows, self.y, extreme(v, axis=1)) for extreme in (np.nanmin, np.nanmax))
        meeting = np.flatnonzero((high >= first - slack) & (low <= end - 1 + slack))
        if not len(meeting):
            return 0, 0
        return max(0, int(meeting[0]) - 3), min(self.shape[0], int(meeting[-1]) + 4)

    def to_pixel(self, lon, lat):
        """Return detector pixels (x, y) of sky positions on or near the frame.

        Lookup tables, which move positions by less than a pixel, are left out.
        """
        plane = _LocalPlane.of(self)
        projected = Projected(self, plane)
        u, v = (np.atleast_1d(np.asarray(c, float)) for c in plane.to_pixel(lon, lat))
        nodes = np.array([n.ravel() for n in np.meshgrid(self.x, self.y)])
        matrix = np.stack(
            [*(c.ravel() for c in plane.to_pixel(self.lon, self.lat)), np.ones(nodes.shape[1])], axis=1
        )
        linear = np.linalg.lstsq(matrix, nodes.T, rcond=None)[0]  # (3, 2): plane to detector coordinates
        x, y = (np.stack([u, v, np.ones_like(u)], axis=1) @ linear).T
        for _ in range(8):  # each round multiplies the error by the distortion's slope, under 0.1
            du, dv = projected.at(x, y)
            step = np.stack([u - du, v - dv], axis=1) @ linear[:2]
            x, y = x + step[:, 0], y + step[:, 1]
            if np.abs(step).max(initial=0.0) < 1e-9:
                break
        return x, y

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the lattice as plain arrays, for ``np.savez``."""
        out = {key: getattr(self, key) for key in ("x", "y", "lon", "lat", "check")}
        out["shape"] = np.array([*self.shape, self.degree])
        for key, value in (self.kinks or {}).items():
            out[f"kink_{key}"] = value
        return out

    @classmethod
    def from_arrays(cls, arrays) -> Lattice:
        ny, nx, degree = (int(v) for v in arrays["shape"])
        kinks = {
            k.removeprefix("kink_"): np.asarray(arrays[k]) for k in arrays if k.startswith("kink_")
        } or None
        return cls(
            (ny, nx), *(np.asarray(arrays[k]) for k in ("x", "y", "lon", "lat", "check")), kinks, degree
        )


def inside(wcs) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return each axis's first and last pixel centre inside both the WCS's bounding box and the image."""
    ny, nx = wcs.shape
    if wcs.bbox is None:
        return (0, nx - 1), (0, ny - 1)
    (x1, x2), (y1, y2) = wcs.bbox
    xmin, ymin = max(0, int(np.ceil(x1))), max(0, int(np.ceil(y1)))
    return (xmin, max(xmin, min(nx - 1, int(np.floor(x2))))), (
        ymin,
        max(ymin, min(ny - 1, int(np.floor(y2)))),
    )


def _nodes(first, last, step, degree) -> np.ndarray:
    """Return the node positions, as many as the JWST pipeline uses for that step."""
    pixels = last - first + 1
    count = max(int(np.ceil(pixels / step)), min(10, pixels), degree + 1)
    return np.linspace(first, last, count)


def _thin(values, most=48) -> np.ndarray:
    values = np.sort(values)
    return values[:: max(1, len(values) // most)]


class _LocalPlane:
    """A tangent plane at a frame's centre with the frame's pixel size, for checks before a grid exists."""

    @classmethod
    def of(cls, lattice: Lattice):
        """Return the plane at the middle node of a lattice, in units of a degree."""
        plane = cls.__new__(cls)
        j, i = len(lattice.y) // 2, len(lattice.x) // 2
        plane.centre, plane.scale = (float(lattice.lon[j, i]), float(lattice.lat[j, i])), 1.0
        return plane

    def __init__(self, wcs):
        ny, nx = wcs.shape
        cx, cy = (nx - 1) / 2, (ny - 1) / 2
        lon, lat = wcs.to_sky(np.array([cx, cx + 1, cx]), np.array([cy, cy, cy + 1]))
        self.centre = (float(lon[0]), float(lat[0]))
        self.scale = 1.0
        u, v = self.to_pixel(lon[1:], lat[1:])
        self.scale = float(np.sqrt(abs(u[0] * v[1] - u[1] * v[0])))

    def to_pixel(self, lon, lat):
        xi, eta = tangent_plane(lon, lat, *self.centre)
        return xi / self.scale, eta / self.scale


def _taps(nodes, targets, degree) -> tuple[np.ndarray, np.ndarray]:
    """Return the first node and the Lagrange weights (M, degree + 1) that interpolate at `targets`.

    The nodes are equally spaced.
    """
    step = (nodes[-1] - nodes[0]) / (len(nodes) - 1)
    u = (np.asarray(targets, float) - nodes[0]) / step if step else np.zeros(np.shape(targets))
    first = np.clip(np.floor(u).astype(int) - degree // 2, 0, len(nodes) - 1 - degree)
    s = u - first
    weights = np.ones((len(s), degree + 1))
    for k in range(degree + 1):
        for j in range(degree + 1):
            if j != k:
                weights[:, k] *= (s - j) / (k - j)
    return first, weights


def _linear_taps(nodes, targets) -> tuple[np.ndarray, np.ndarray]:
    """Return the same as `_taps` for degree 1 and unequally spaced nodes; constant beyond the ends."""
    targets = np.clip(targets, nodes[0], nodes[-1])
    first = np.clip(np.searchsorted(nodes, targets, side="right") - 1, 0, len(nodes) - 2)
    t = (targets - nodes[first]) / (nodes[first + 1] - nodes[first])
    return first, np.stack([1 - t, t], axis=1)


class Projected:
    """A lattice projected on one grid: output pixel coordinates at the nodes, ready for interpolation."""

    def __init__(self, lattice: Lattice, grid):
        self.lattice = lattice
        self.layers = [(lattice.x, lattice.y, grid.to_pixel(lattice.lon, lattice.lat), lattice.degree)]
        if lattice.kinks is not None:
            k = lattice.kinks
            full = grid.to_pixel(k["lon"], k["lat"])
            smooth = grid.to_pixel(k["lon_smooth"], k["lat_smooth"])
            self.layers.append((k["x"], k["y"], (full[0] - smooth[0], full[1] - smooth[1]), 1))

    @staticmethod
    def _along(nodes, targets, degree):
        equal = degree > 1 or np.allclose(np.diff(nodes), nodes[1] - nodes[0], rtol=1e-9)
        return _taps(nodes, targets, degree) if equal else _linear_taps(nodes, targets)

    def at(self, x, y):
        """Return interpolated output coordinates at any detector positions."""
        out = [np.zeros(np.shape(x)), np.zeros(np.shape(x))]
        for nodes_x, nodes_y, values, degree in self.layers:
            ix, wx = self._along(nodes_x, x, degree)
            iy, wy = self._along(nodes_y, y, degree)
            for j in range(wy.shape[1]):
                for i in range(wx.shape[1]):
                    weight = wy[:, j] * wx[:, i]
                    for total, nodes in zip(out, values, strict=True):
                        total += weight * nodes[iy + j, ix + i]
        return out

    def mesh(self, x, y):
        """Return interpolated output coordinates at all columns `x` of all rows `y`, each (len(y) * len(x),)."""
        out = [np.zeros((len(y), len(x))), np.zeros((len(y), len(x)))]
        for nodes_x, nodes_y, values, degree in self.layers:
            ix, wx = self._along(nodes_x, x, degree)
            iy, wy = self._along(nodes_y, y, degree)
            for total, nodes in zip(out, values, strict=True):
                table = sum(wx[:, i] * nodes[:, ix + i] for i in range(wx.shape[1]))
                for j in range(wy.shape[1]):
                    total += wy[:, j, None] * table[iy + j]
        return [total.ravel() for total in out]

    def rows(self, y0, y1, out):
        """Fill `out` (y1 - y0, nx, 2) with the map of detector rows y0..y1-1; NaN outside the lattice."""
        lattice = self.lattice
        nx = lattice.shape[1]
        columns = np.arange(nx, dtype=float)
        ys = np.arange(y0, y1, dtype=float)
        taps = [
            (self._along(nodes_x, columns, degree), self._along(nodes_y, ys, degree))
            for nodes_x, nodes_y, _, degree in self.layers
        ]
        for coordinate in (0, 1):
            layers = []
            for (_, _, values, _), ((ix, wx), (iy, wy)) in zip(self.layers, taps, strict=True):
                # the rows of nodes that these rows lie between
                first, end = (iy.min(), iy.max() + wy.shape[1]) if len(iy) else (0, 0)
                nodes = values[coordinate][first:end]
                table = np.zeros((len(nodes), nx))
                for i in range(wx.shape[1]):
                    table += wx[:, i] * nodes[:, ix + i]
                layers.append((table, iy - first, wy))
            # row by row, in products of the same shape: the bits do not depend on which rows are asked for
            line, term = np.empty(nx), np.empty(nx)
            for row in range(len(ys)):
                (table, iy, wy), *tables = layers
                np.dot(wy[row], table[iy[row] : iy[row] + wy.shape[1]], out=line)
                for table, iy, wy in tables:
                    np.dot(wy[row], table[iy[row] : iy[row] + wy.shape[1]], out=term)
                    np.add(line, term, out=line)
                np.multiply(line, 1 / QUANTUM, out=line)
                np.rint(line, out=line)
                np.multiply(line, QUANTUM, out=out[row, :, coordinate])
        first_x, last_x = round(lattice.x[0]), round(lattice.x[-1])
        first_y, last_y = round(lattice.y[0]), round(lattice.y[-1])
        out[:, :first_x] = out[:, last_x + 1 :] = np.nan
        out[: max(0, first_y - y0)] = np.nan
        out[max(0, last_y + 1 - y0) :] = np.nan
        return out
