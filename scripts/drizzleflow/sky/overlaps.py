"""Measure a frame's sky: over the whole frame, and where it overlaps each other group."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.statistics import NOTHING, SkyStats, measured
from drizzleflow.geometry.overlap import overlap_vertices, rasterise
from drizzleflow.geometry.overlapping import near
from drizzleflow.sky.levels import SkyRow


def overlap_statistics(data, good, outline, to_pixel, others, stats: SkyStats, mode="centers", frame=None):
    """Measure the sky of one frame, over the whole of it and in its overlap with each other group.

    Parameters
    ----------
    data : (ny, nx) float32 array
    good : (ny, nx) bool array
        Pixels to use; values that are not finite are left out in any case.
    outline : pair of arrays
        lon, lat (degrees) of the frame's outer edge; see `drizzleflow.geometry.overlap.border`.
    to_pixel : callable
        lon, lat (degrees) -> x, y (0-based pixels).
    others : dict
        other group -> list of the outlines of its frames. Groups that are too far away cost nothing much.
    mode : {'centers', 'scan'}
        See `drizzleflow.geometry.overlap.rasterise`; 'scan' also takes the vertices from
        `spherical_geometry`, as stcal.skymatch does.
    frame : hashable, optional
        Put into the rows.

    Returns
    -------
    list of SkyRow
        The first is the whole frame (``other=''``; NaN and 0 pixels if it has no valid sky); then one for
        each group whose overlap has valid pixels, in the order of `others`.
    """
    rows = [SkyRow(frame, "", *measured(stats, data[good]))]
    flat = [outline_b for outlines in others.values() for outline_b in outlines]
    close = set(near(outline, flat).tolist()) if flat else set()
    engine = "spherical_geometry" if mode == "scan" else "clip"
    mask, k, known = np.zeros(np.shape(data), bool), 0, {}
    for other, outlines in others.items():
        touching = [b for m, b in enumerate(outlines, k) if m in close]
        k += len(outlines)
        # exposures that repeat a pointing (the integrations of a cube) have the same overlap
        key = b"".join(np.asarray(b, float).tobytes() for b in touching)
        if touching and key not in known:
            polygons = [polygon for b in touching for polygon in overlap_vertices(outline, b, engine)]
            mask[:] = False
            rasterise([to_pixel(lon, lat) for lon, lat in polygons], mask.shape, mode, out=mask)
            mask &= good
            known[key] = measured(stats, data[mask]) if polygons else NOTHING
        if touching and known[key].npix:
            rows.append(SkyRow(frame, other, *known[key]))
    return rows
