"""Find where frames overlap, as spherical polygons and as pixels on a detector.

An outline is a pair ``lon, lat`` of arrays in degrees (or a (2, n) array), open or closed, smaller than a
hemisphere; its edges are great circles. All calculations use unit vectors, so RA 0 and the poles need no
special treatment.
"""

from __future__ import annotations

import logging
import math
from functools import lru_cache

import numpy as np

log = logging.getLogger(__name__)

TINY = 1e-12  #: fraction of the smaller outline's area; a smaller overlap is mere touch
NEARLY_ALL = 0.999  #: fraction of an outline's area, see `_by_library`


def border(shape, stepsize=None):
    """Return pixel positions along a frame's outer edge, the vertices of its overlap polygon.

    Parameters
    ----------
    shape : tuple
        (ny, nx).
    stepsize : number, optional
        Largest distance between neighbouring vertices, px; with None only the four corners.

    Returns
    -------
    x, y : float64 arrays
        0-based, closed (the last vertex repeats the first), from (-0.5, -0.5) along +x.
    """
    ny, nx = shape
    count = [2, 2] if stepsize is None else [max(2, int(np.ceil((n + 1.0) / stepsize))) for n in (nx, ny)]
    xs = np.linspace(-0.5, nx - 0.5, count[0])
    ys = np.linspace(-0.5, ny - 0.5, count[1])
    right, top = np.full(count[1] - 1, nx - 0.5), np.full(count[0] - 1, ny - 0.5)
    x = np.concatenate([xs[:-1], right, xs[:0:-1], np.full(count[1], -0.5)])
    y = np.concatenate([np.full(count[0] - 1, -0.5), ys[:-1], top, ys[::-1]])
    return x, y


def _cross(a, b) -> np.ndarray:
    """Return the cross products of rows; for few rows this is ten times as fast as numpy's."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def _next(v) -> np.ndarray:
    return np.concatenate([v[1:], v[:1]])


def _before(v) -> np.ndarray:
    return np.concatenate([v[-1:], v[:-1]])


def _vectors(outline) -> np.ndarray:
    """Return (n, 3) unit vectors of an outline's vertices, open, without repeated vertices."""
    lon, lat = (np.radians(np.asarray(v, float)) for v in outline)
    v = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    keep = np.abs(v - _before(v)).max(axis=1) > 1e-15
    return v[keep]


def _degrees(v) -> tuple[np.ndarray, np.ndarray]:
    """Return closed lon, lat (degrees, 0 <= lon < 360) of (n, 3) vectors."""
    v = np.concatenate([v, v[:1]])
    return np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360.0, np.degrees(
        np.arctan2(v[:, 2], np.hypot(v[:, 0], v[:, 1]))
    )


def shared_area(outline_a, outline_b) -> float:
    """Return the area (sr) that two outlines have in common."""
    return sum(abs(_signed_area(_vectors(part))) for part in overlap_vertices(outline_a, outline_b))


def _signed_area(v) -> float:
    """Return the area (sr) by a fan of triangles; positive if counter-clockwise seen from outside."""
    if len(v) < 3:
        return 0.0
    a, b, c = v[0], v[1:-1], v[2:]
    triple = np.einsum("ij,ij->i", _cross(b - a, c - a), np.broadcast_to(a, b.shape))
    return float(np.sum(2.0 * np.arctan2(triple, 1.0 + b @ a + np.einsum("ij,ij->i", b, c) + c @ a)))


def _convex(v) -> bool:
    """Tell whether counter-clockwise vertices turn left, or go straight on, everywhere (to 1e-9)."""
    ahead, behind = _next(v) - v, v - _before(v)
    turn = np.einsum("ij,ij->i", _cross(behind, ahead), v)
    return bool(np.all(turn >= -1e-9 * np.linalg.norm(ahead, axis=1) * np.linalg.norm(behind, axis=1)))


def _planes(v) -> list:
    """Return the inward normals of the great circles along the edges of counter-clockwise vertices."""
    before = _before(v)
    return _cross(before, v - before).tolist()  # differences of close vectors keep more digits


def _clip(v, planes) -> np.ndarray:
    """Return the part of polygon `v` inside the convex polygon with edges on `planes`.

    The algorithm is Sutherland and Hodgman's, on the sphere. It uses plain numbers, because arrays are slower
    for polygons of four corners.
    """
    points = v.tolist()
    for nx, ny, nz in planes:
        if len(points) < 3:
            break
        sides = [nx * x + ny * y + nz * z for x, y, z in points]
        if min(sides) >= 0:
            continue
        out = []
        for m, (point, side) in enumerate(zip(points, sides, strict=True)):
            last, before = points[m - 1], sides[m - 1]
            if (side >= 0) != (before >= 0):
                cut = [p * side - q * before for p, q in zip(last, point, strict=True)]
                norm = math.copysign(math.hypot(*cut), side - before)
                out.append([c / norm for c in cut])
            if side >= 0:
                out.append(point)
        points = out
    return np.array(points).reshape(-1, 3)


def _by_library(a, b):
    """Return the intersection by `spherical_geometry`, the library of the jwst and romancal pipelines.

    The vertices equal those of the pipelines to the last bit.

    The library fails (MalformedPolygonError) for some pairs, most of them nearly identical. Then the answer
    is `a` itself if `b` covers all but a thousandth of its area, otherwise the overlap of the convex hulls.
    (The pipelines take the whole of `a` in both cases.)
    """
    from spherical_geometry.polygon import MalformedPolygonError, SphericalPolygon

    closed = []
    for outline in (a, b):
        lon, lat = (np.asarray(v, float) for v in outline)
        if lon[0] != lon[-1] or lat[0] != lat[-1]:
            lon, lat = np.append(lon, lon[0]), np.append(lat, lat[0])
        closed.append(SphericalPolygon.from_radec(lon, lat))
    try:
        both = closed[0].intersection(closed[1])
    except MalformedPolygonError as error:
        hulls = [_hull(_vectors(outline)) for outline in (a, b)]
        part = _clip(hulls[0], _planes(hulls[1]))
        log.warning(
            "spherical_geometry could not intersect two outlines (%s): their convex hulls are used", error
        )
        if _signed_area(part) < NEARLY_ALL * _signed_area(hulls[0]):
            return [_degrees(part)] if _signed_area(part) > TINY * _signed_area(hulls[0]) else []
        both = closed[0]
    if np.fabs(both.area()) == 0.0:
        return []
    return [(np.asarray(lon), np.asarray(lat)) for lon, lat in both.to_radec()]


def axes(v) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit vectors to the middle of some vectors, and in two perpendicular directions."""
    middle = v.mean(axis=0)
    middle = middle / np.linalg.norm(middle) if middle.any() else np.array([0.0, 0.0, 1.0])
    east = np.cross([0.0, 0.0, 1.0] if abs(middle[2]) < 0.9 else [1.0, 0.0, 0.0], middle)
    east /= np.linalg.norm(east)
    return middle, east, np.cross(middle, east)


def _plane(v) -> np.ndarray:
    """Return (n, 2) gnomonic coordinates about the vectors' middle, in which great circles are straight."""
    middle, east, north = axes(v)
    return np.stack([v @ east, v @ north], axis=1) / (v @ middle)[:, None]


def _hull(v) -> np.ndarray:
    """Return the convex hull, counter-clockwise."""
    from scipy.spatial import ConvexHull

    return v[ConvexHull(_plane(v)).vertices]


def _triangles(v) -> list:
    """Split a simple counter-clockwise polygon into triangles by cutting off one ear after the other."""
    plane, left, out = _plane(v), list(range(len(v))), []

    def turn(a, b, c):
        return (b[0] - a[0]) * (c[..., 1] - a[1]) - (b[1] - a[1]) * (c[..., 0] - a[0])

    k = missed = 0
    while len(left) > 2 and missed < len(left):
        k %= len(left)
        i, j, m = left[k - 1], left[k], left[(k + 1) % len(left)]
        a, b, c = plane[[i, j, m]]
        others = plane[[q for q in left if q not in (i, j, m)]]
        blocked = (turn(a, b, others) >= 0) & (turn(b, c, others) >= 0) & (turn(c, a, others) >= 0)
        if turn(a, b, c) == 0 or (turn(a, b, c) > 0 and not blocked.any()):
            out.append(v[[i, j, m]])
            left.pop(k)
            missed = 0
        else:
            k, missed = k + 1, missed + 1
    return out


def overlap_vertices(outline_a, outline_b, engine="clip"):
    """Return the polygons that two outlines have in common.

    Parameters
    ----------
    outline_a, outline_b : pairs of arrays
        lon, lat in degrees.
    engine : {'clip', 'spherical_geometry'}
        'clip' cuts one outline by the other exactly, along great circles; the result may be several polygons
        if neither is convex (a detector's four corners always are). 'spherical_geometry' calls that library:
        100 times slower, with the same vertices except for rounding, which matters only if they are then
        rounded to whole pixels.

    Returns
    -------
    list of (lon, lat)
        Closed polygons, degrees; empty when the outlines do not overlap or one of them is not finite.
    """
    if not (np.isfinite(outline_a).all() and np.isfinite(outline_b).all()):
        return []
    if engine == "spherical_geometry":
        return _by_library(outline_a, outline_b)
    return [_degrees(part) for part in _common(polygon(outline_a), polygon(outline_b))]


def polygon(outline):
    """Return (counter-clockwise vectors, area in sr, edge planes if convex or else None) of an outline."""
    return _polygon_of(np.asarray(outline, float).tobytes())


@lru_cache(maxsize=4096)
def _polygon_of(outline):
    v = _vectors(np.frombuffer(outline).reshape(2, -1))
    area = _signed_area(v)
    v = v if area >= 0 else v[::-1]
    return v, abs(area), _planes(v) if _convex(v) else None


def _common(a, b) -> list:
    """Return the vectors of the polygons that two `polygon` results have in common."""
    if len(a[0]) < 3 or len(b[0]) < 3:
        return []
    if b[2] is not None:
        parts = [_clip(a[0], b[2])]
    elif a[2] is not None:
        parts = [_clip(b[0], a[2])]
    else:
        parts = [_clip(a[0], _planes(triangle)) for triangle in _triangles(b[0])]
    return [part for part in parts if _signed_area(part) > TINY * min(a[1], b[1])]


def common_area(a, b) -> float:
    """Return the area (sr) that two `polygon` results have in common."""
    return sum(_signed_area(part) for part in _common(a, b))


def rasterise(polygons, shape, mode="centers", out=None) -> np.ndarray:
    """Return the pixels inside any of some polygons.

    Parameters
    ----------
    polygons : list of (x, y)
        Vertices in 0-based pixels (centres are integers), open or closed; one with a vertex that is not
        finite is left out.
    shape : tuple
        (ny, nx).
    mode : {'centers', 'scan'}
        'centers': the pixel's centre is inside (even-odd rule). 'scan': the pixels of
        ``gwcs.region.Polygon.scan``, which the JWST pipeline uses: vertices rounded to whole pixels,
        last row and column included, closed polygons of less than four points left out.
    out : (ny, nx) bool array, optional
        The pixels are set in this array.

    Returns
    -------
    (ny, nx) bool array
    """
    if mode not in ("centers", "scan"):
        raise ValueError(f"overlap: {mode!r}, expected 'centers' or 'scan'")
    out = np.zeros(shape, bool) if out is None else out
    for x, y in polygons:
        x, y = np.asarray(x, float), np.asarray(y, float)
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            log.warning("an overlap polygon has no finite position on the detector: left out")
        elif mode == "scan" and len(x) >= 4:
            _fill_scan(x, y, out)
        elif mode == "centers" and len(x) >= 3:
            _fill_centers(x, y, out)
    return out


def _fill_centers(x, y, out):
    ny, nx = out.shape
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    rows = np.arange(max(0, int(np.ceil(y.min()))), min(ny - 1, int(np.floor(y.max()))) + 1)
    edge = y != y1
    x, y, x1, y1 = (v[edge][:, None] for v in (x, y, x1, y1))
    crossing = x + (rows - y) * ((x1 - x) / (y1 - y))
    active = (np.minimum(y, y1) <= rows) & (rows < np.maximum(y, y1))
    # pixel centres at a crossing or beyond are right of it
    columns, count = _sorted(np.clip(np.ceil(crossing), 0, nx), active)
    for row, n, cut in zip(rows.tolist(), count.tolist(), columns.T.tolist(), strict=True):
        for k in range(0, n - 1, 2):
            out[row, int(cut[k]) : int(cut[k + 1])] = True


def _fill_scan(x, y, out):
    ny, nx = out.shape
    # negative positions are made positive by a shift before rounding, and shifted back by the rounded shift
    shift_x, shift_y = min(0.0, x.min()), min(0.0, y.min())
    x, y = np.rint(x - shift_x).astype(int), np.rint(y - shift_y).astype(int)
    shift_x, shift_y = int(np.rint(shift_x)), int(np.rint(shift_y))
    width, bottom, top = int(x.max() - x.min()), int(y.min()), int(y.max())
    if width <= 0 or top == bottom:
        return
    rows = np.arange(max(bottom, -shift_y), min(top, ny - 1 - shift_y) + 1)
    x0, y0, x1, y1 = x[:-1], y[:-1], x[1:], y[1:]
    edge = y0 != y1
    x0, y0, x1, y1 = (v[edge][:, None] for v in (x0, y0, x1, y1))
    lowest = np.minimum(rows, top - 1)  # the top row keeps the edges of the row below
    active = (np.minimum(y0, y1) <= lowest) & (lowest < np.maximum(y0, y1))
    # computed in the same order as in gwcs, because the last bit decides the rounding up
    crossing = np.ceil((width * (y0 - rows)) / (-(y1 - y0) * width) * (x1 - x0) + x0)
    columns, count = _sorted(crossing + shift_x, active)
    for row, n, cut in zip((rows + shift_y).tolist(), count.tolist(), columns.T.tolist(), strict=True):
        for k in range(0, n - 1, 2):
            # a negative end counts from the right edge, as in gwcs
            out[row, max(0, int(cut[k])) : min(int(cut[k + 1]), nx - 1) + 1] = True


def _sorted(crossing, active):
    """Return each row's crossings (a column of the array) in rising order, and how many are active."""
    return np.sort(np.where(active, crossing, np.inf), axis=0), active.sum(axis=0)
