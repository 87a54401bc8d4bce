"""The part of a grid that frames cover, as S_REGION says it."""

from __future__ import annotations

import numpy as np

TOLERANCE = 0.5  #: px; vertices that matter less are left out


def covered(outlines, grid) -> tuple[str, list[int]]:
    """The union of frames' outlines inside a grid.

    Parameters
    ----------
    outlines : list of (lon, lat)
        Each frame's outer edge, degrees.
    grid : Grid

    Returns
    -------
    text : str
        ``POLYGON ICRS lon lat ...``, one after the other where the union has several parts; holes are not told, as in the
        JWST pipeline. Empty where no frame meets the grid.
    outside : list of int
        Which frames do not meet the grid.
    """
    import shapely

    ny, nx = grid.shape
    frame = shapely.box(-0.5, -0.5, nx - 0.5, ny - 0.5)
    parts, outside = [], []
    for number, outline in enumerate(outlines):
        vertices = np.array(grid.to_pixel(*np.array(outline, float))).T
        inside = None
        if np.isfinite(vertices).all():  # not so on the other side of the sky
            inside = shapely.make_valid(shapely.Polygon(vertices)).intersection(frame)
        if inside is None or inside.area == 0:
            outside.append(number)
        else:
            parts.append(inside)
    union = shapely.union_all(parts).simplify(TOLERANCE)
    polygons = [p for p in getattr(union, "geoms", [union]) if p.geom_type == "Polygon" and not p.is_empty]
    polygons = [shapely.geometry.polygon.orient(shapely.Polygon(p.exterior)) for p in shapely.normalize(shapely.MultiPolygon(polygons)).geoms]
    return " ".join(_text(polygon, grid) for polygon in polygons), outside


def _text(polygon, grid) -> str:
    x, y = np.array(polygon.exterior.coords)[:-1].T
    sky = zip(*grid.to_sky(x, y), strict=True)
    return "POLYGON ICRS " + " ".join(f"{value:.9f}" for position in sky for value in position)
