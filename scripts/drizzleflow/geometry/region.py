"""Find the part of a grid that frames cover: the mosaic's S_REGION and the groups' windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drizzleflow.frames.window import NOWHERE, Window

TOLERANCE = 0.5  #: px; a vertex is left out if that moves the outline by less


def covered(outlines, grid) -> tuple[str, list[int]]:
    """Return the union of the frames' outlines inside a grid, as S_REGION.

    Parameters
    ----------
    outlines : list of (lon, lat)
        Each frame's outer edge, degrees.
    grid : Grid

    Returns
    -------
    text : str
        ``POLYGON ICRS lon lat ...``, in degrees; several polygons if the union has several parts. Holes are
        left out, as in the JWST pipeline. Empty if no frame meets the grid.
    outside : list of int
        The numbers of the frames that do not meet the grid.
    """
    import shapely

    ny, nx = grid.shape
    frame = shapely.box(-0.5, -0.5, nx - 0.5, ny - 0.5)
    on_grid = list(_on(grid, outlines))
    parts = np.full(len(on_grid), None)
    for number, vertices in enumerate(on_grid):
        if np.isfinite(vertices).all():  # they are NaN on the far hemisphere
            parts[number] = shapely.Polygon(vertices.T)
    parts = shapely.intersection(shapely.make_valid(parts), frame)
    there = shapely.area(parts) > 0  # that of None is NaN
    outside = np.flatnonzero(~there).tolist()
    union = shapely.union_all(parts[there]).simplify(TOLERANCE)
    polygons = [p for p in getattr(union, "geoms", [union]) if p.geom_type == "Polygon" and not p.is_empty]
    polygons = [
        shapely.geometry.polygon.orient(shapely.Polygon(p.exterior))
        for p in shapely.normalize(shapely.MultiPolygon(polygons)).geoms
    ]
    return " ".join(_text(polygon, grid) for polygon in polygons), outside


def windows(outlines, groups, grid) -> dict[str, Window]:
    """Return the window of a grid that each group covers: what its single drizzle will hold, to a few pixels.

    Parameters
    ----------
    outlines : list of (lon, lat)
        Each frame's outer edge, degrees.
    groups : list of str
        Each frame's group.
    grid : Grid

    Returns
    -------
    dict
        group -> window; `NOWHERE` if the group does not meet the grid.
    """
    made: dict[str, Window] = {}
    for (x, y), group in zip(_on(grid, outlines), groups, strict=True):
        here = Window.around(x, y).clipped(grid.shape) if np.isfinite(x + y).all() else NOWHERE
        made[group] = Window.enclosing([made.get(group, NOWHERE), here])
    return made


def tilt(outlines, grid) -> float:
    """Return the largest slope |dy/dx| of the frames' rows on a grid.

    It sets how many rows of a frame a band of the grid may need.
    """
    slopes = [0.0]
    for x, y in _on(grid, outlines):
        corner = len(x) // 4  # the first side follows a row
        if np.isfinite(x + y).all():
            slopes.append(abs(y[corner] - y[0]) / max(abs(x[corner] - x[0]), 1e-3))
    return float(max(slopes))


def _on(grid, outlines) -> Iterator[np.ndarray]:
    """Yield each outline's positions on a grid, (2, n) pixels; some thousand outlines are projected at once."""
    for first in range(0, len(outlines), 4096):
        some = [np.array(outline, float) for outline in outlines[first : first + 4096]]
        x_and_y = np.array(grid.to_pixel(*np.concatenate(some, axis=1)))
        yield from np.split(x_and_y, np.cumsum([outline.shape[1] for outline in some])[:-1], axis=1)


def _text(polygon, grid) -> str:
    x, y = np.array(polygon.exterior.coords)[:-1].T
    sky = zip(*grid.to_sky(x, y), strict=True)
    return "POLYGON ICRS " + " ".join(f"{value:.9f}" for position in sky for value in position)
