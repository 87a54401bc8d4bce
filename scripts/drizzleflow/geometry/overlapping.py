"""Find which of many frames overlap, and how much: what `drizzleflow.geometry.overlap` does for two, in arrays.

An outline is a pair ``lon, lat`` of arrays in degrees, smaller than a hemisphere; its edges are great circles.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drizzleflow.geometry.overlap import TINY, axes, common_area, polygon

CORNERS = 2**17  #: corners of pairs of outlines that are intersected in one go
HITS = 2**19  #: pairs of bounding caps that are looked at in one go, about


class Caps:
    """The bounding caps of outlines, to be asked which of them meet; outlines apart cannot overlap.

    Attributes
    ----------
    centre : (n, 3) float64 array
        Unit vectors; NaN where an outline is not finite.
    radius : (n,) float64 array
        Radians.
    """

    def __init__(self, outlines):
        n = len(outlines)
        self.centre, self.radius = np.full((n, 3), np.nan), np.full(n, np.nan)
        sizes = np.array([np.shape(outline)[1] for outline in outlines], int)
        for size in np.unique(sizes[sizes > 0]):
            same = np.flatnonzero(sizes == size)
            lon, lat = np.radians(np.array([outlines[k] for k in same], float)).transpose(1, 0, 2)
            v = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
            middle = v.mean(axis=1)
            middle /= np.linalg.norm(middle, axis=1, keepdims=True)
            farthest = np.linalg.norm(v - middle[:, None], axis=2).max(axis=1)
            self.centre[same], self.radius[same] = middle, 2.0 * np.arcsin(np.minimum(1.0, farthest / 2.0))
        self._tree = None

    def meet(self, i, j) -> np.ndarray:
        """Whether the caps of pairs meet, (m,) bool."""
        distance = np.linalg.norm(self.centre[i] - self.centre[j], axis=1)
        return distance <= _chord(self.radius[i] + self.radius[j])

    def meeting(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """The pairs (i, j) of caps that meet, i among `rows` and j any other.

        A search tree of the caps, projected as seen from far above their middle, gives the candidates. Caps
        that are apart in the projection are apart on the sky; caps on the far side only add candidates.
        """
        import shapely  # it is imported in a tenth of the time of scipy.spatial

        if self._tree is None:
            self._finite = np.flatnonzero(np.isfinite(self.radius))
            centre = self.centre[self._finite]
            _, east, north = axes(centre)
            u, v, reach = centre @ east, centre @ north, _chord(self.radius[self._finite])
            self._boxes = shapely.box(u - reach, v - reach, u + reach, v + reach)
            self._tree = shapely.STRtree(self._boxes)
            self._place = np.full(len(self.radius), -1)
            self._place[self._finite] = np.arange(len(self._finite))
        places = self._place[rows]
        places = places[places >= 0]
        first, second = self._tree.query(self._boxes[places])
        i, j = self._finite[places[first]], self._finite[second]
        apart = i != j
        i, j = i[apart], j[apart]
        meet = self.meet(i, j)
        return i[meet], j[meet]

    def chunks(self, rows) -> Iterator[np.ndarray]:
        """`rows` in parts that do not give much more than `HITS` pairs each."""
        step = max(1, HITS // max(1, len(self.radius)))
        for first in range(0, len(rows), step):
            yield rows[first : first + step]


def near(outline, outlines) -> np.ndarray:
    """Return the indices of the outlines whose bounding cap meets that of `outline`; no other can overlap."""
    one, all_ = Caps([outline]), Caps(outlines)
    distance = np.linalg.norm(all_.centre - one.centre, axis=1)
    return np.flatnonzero(distance <= _chord(all_.radius + one.radius))


def _chord(angle):
    return 2.0 * np.sin(np.minimum(angle, np.pi) / 2.0) * (1.0 + 1e-12) + 1e-15


def overlapping(outlines) -> np.ndarray:
    """Return (m, 2) sorted index pairs i < j of the outlines that overlap.

    The work grows with the number of pairs that overlap, not with n². Outlines that are not finite overlap
    nothing.
    """
    found, caps = [np.empty((0, 2), int)], Caps(outlines)
    for rows in caps.chunks(np.arange(len(outlines))):
        i, j = caps.meeting(rows)
        pairs = np.stack([i, j], axis=1)[i < j]
        found.append(pairs[shared_areas(outlines, pairs) > 0])
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def shared_areas(outlines, pairs) -> np.ndarray:
    """Return the areas that pairs of outlines have in common.

    Parameters
    ----------
    outlines : sequence of (lon, lat)
        Degrees, finite where a pair names them.
    pairs : (m, 2) int array
        Numbers of outlines.

    Returns
    -------
    (m,) float64 array
        Steradians; 0 where they do not overlap or only touch.
    """
    areas = np.zeros(len(pairs))
    polygons = {k: polygon(outlines[k]) for k in np.unique(pairs).tolist()}
    own = np.zeros(len(outlines))
    own[list(polygons)] = [area for _, area, _ in polygons.values()]
    # as in `common_area`: what is cut may have any shape, what it is cut by is convex
    convex = np.array([k in polygons and polygons[k][2] is not None for k in range(len(outlines))], bool)
    size = np.array([len(polygons[k][0]) if k in polygons else 0 for k in range(len(outlines))])
    turned = ~convex[pairs[:, 1]] & convex[pairs[:, 0]]
    cut, by = np.where(turned[:, None], pairs[:, ::-1], pairs).T
    by_hand = ~convex[by] | (size[cut] < 3) | (size[by] < 3)
    for m in np.flatnonzero(by_hand).tolist():
        i, j = pairs[m].tolist()
        areas[m] = common_area(polygons[i], polygons[j])
    for m, n in np.unique(np.stack([size[cut], size[by]], axis=1)[~by_hand], axis=0).tolist():
        same = np.flatnonzero((size[cut] == m) & (size[by] == n) & ~by_hand)
        vertices, of = _table(polygons, size == m, 0)
        planes, at = _table(polygons, (size == n) & convex, 2)
        step = max(1, CORNERS // (m + n))
        for first in range(0, len(same), step):
            chosen = same[first : first + step]
            found = _clipped_areas(vertices[of[cut[chosen]]], planes[at[by[chosen]]])
            least = np.minimum(own[cut[chosen]], own[by[chosen]])
            areas[chosen] = np.where(found > TINY * least, found, 0.0)
    return areas


def _table(polygons, which, part) -> tuple[np.ndarray, np.ndarray]:
    """Return one part of those polygons in an array, and the place of each in it."""
    chosen, place = np.flatnonzero(which), np.zeros(len(which), int)
    place[chosen] = np.arange(len(chosen))
    return np.array([polygons[k][part] for k in chosen.tolist()]), place


def _clipped_areas(v, planes) -> np.ndarray:
    """Return the areas (p,) in sr of polygons (p, n, 3) inside convex ones with edges on `planes` (p, k, 3).

    The algorithm is Sutherland and Hodgman's, as in `overlap`. A polygon that has fewer vertices than the
    array repeats its last.
    """
    for normal in planes.transpose(1, 2, 0)[..., None]:
        sides = normal[0] * v[..., 0] + normal[1] * v[..., 1] + normal[2] * v[..., 2]
        some = np.flatnonzero((sides < 0).any(axis=1))
        if not len(some):
            continue
        point, side = v[some], sides[some]
        last, before = np.roll(point, 1, axis=1), np.roll(side, 1, axis=1)
        crossed = (side >= 0) != (before >= 0)
        cut = last * side[..., None] - point * before[..., None]
        norm = np.copysign(np.sqrt((cut * cut).sum(axis=-1)), side - before)
        cut /= np.where(crossed, norm, 1.0)[..., None]
        # before each vertex that stays, where its edge crosses the plane
        both = np.stack([cut, point], axis=2).reshape(len(some), -1, 3)
        kept = np.stack([crossed, side >= 0], axis=2).reshape(len(some), -1)
        count, width = kept.sum(axis=1), max(v.shape[1], int(kept.sum(axis=1).max()))
        order = np.argsort(~kept, axis=1, kind="stable")
        places = np.minimum(np.arange(width), np.maximum(count, 1)[:, None] - 1)
        order = np.take_along_axis(order, places, axis=1)
        v = np.concatenate([v, np.repeat(v[:, -1:], width - v.shape[1], axis=1)], axis=1)
        v[some] = np.take_along_axis(both, order[..., None], axis=1)
    a, b, c = v[:, :1], v[:, 1:-1], v[:, 2:]
    (px, py, pz), (qx, qy, qz) = np.moveaxis(b - a, -1, 0), np.moveaxis(c - a, -1, 0)
    ax, ay, az = np.moveaxis(a, -1, 0)
    triple = (py * qz - pz * qy) * ax + (pz * qx - px * qz) * ay + (px * qy - py * qx) * az
    dots = (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
    return (2.0 * np.arctan2(triple, 1.0 + dots)).sum(axis=1)
