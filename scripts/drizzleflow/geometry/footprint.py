"""Measure what one frame covers on the sky: its outline, pixel size and orientation."""

from __future__ import annotations

import numpy as np

from drizzleflow.frames.frame import SkyWCS
from drizzleflow.geometry.lattice import inside
from drizzleflow.geometry.sphere import separation, tangent_plane

#: vertices on each side of an outline; the great circles between them stay within 0.1 px of the curved edge
#: of a distorted detector
SEGMENTS = 8


def box(x1, x2, y1, y2, segments):
    """Return vertices (x, y) counter-clockwise around a rectangle of pixels, `segments` on each side.

    The first vertex is not repeated at the end. x and y are float64 arrays (4 * segments,).
    """
    t = np.arange(segments) / segments
    x = np.concatenate([x1 + (x2 - x1) * t, np.full(segments, x2), x2 + (x1 - x2) * t, np.full(segments, x1)])
    y = np.concatenate([np.full(segments, y1), y1 + (y2 - y1) * t, np.full(segments, y2), y2 + (y1 - y2) * t])
    return x.astype(float), y.astype(float)


def outline(wcs: SkyWCS, segments: int = SEGMENTS) -> np.ndarray:
    """Return lon, lat in degrees along a frame's outer pixel edges, float64 (2, 4 * segments)."""
    ny, nx = wcs.shape
    return np.array(wcs.to_sky(*box(-0.5, nx - 0.5, -0.5, ny - 0.5, segments)))


def describe(wcs: SkyWCS, s_region: str | None = None) -> dict:
    """Return a frame's footprint as plain values, for `drizzleflow.geometry.build_grid.build`.

    Parameters
    ----------
    wcs : SkyWCS
    s_region : str, optional
        The S_REGION keyword of the frame's header.

    Returns
    -------
    dict
        ``outline`` (lists of lon and lat, degrees), ``s_region``, ``ra_ref``, ``dec_ref``, ``pa_y``
        (degrees), ``vparity``, ``scale`` (arcsec a pixel at the reference point), ``pixel_area`` (mean, sr),
        ``nx`` and ``ny``.

    Raises
    ------
    ValueError
        The WCS is not finite on the frame's edge, or its pixels have no area.
    """
    ny, nx = wcs.shape
    edge = outline(wcs)
    if not np.isfinite(edge).all():
        raise ValueError("the WCS is not finite on the frame's edge")
    info = dict(wcs.info)
    if "ra_ref" not in info:
        lon, lat = wcs.to_sky(np.array([(nx - 1) / 2]), np.array([(ny - 1) / 2]))
        info["ra_ref"], info["dec_ref"] = float(lon[0]), float(lat[0])
    x0, y0 = (np.asarray(v, float) for v in wcs.to_pixel(info["ra_ref"], info["dec_ref"]))
    lon, lat = wcs.to_sky(np.array([x0, x0 + 1, x0]), np.array([y0, y0, y0 + 1]))
    steps = [float(separation(lon[0], lat[0], lon[i], lat[i])) for i in (1, 2)]
    scale = float(np.sqrt(steps[0] * steps[1])) * 3600.0
    if "pa_y" not in info:
        xi, eta = tangent_plane(lon, lat, lon[0], lat[0])
        info["pa_y"] = float(np.degrees(np.arctan2(xi[2] - xi[0], eta[2] - eta[0])))
        handed = (xi[1] - xi[0]) * (eta[2] - eta[0]) - (xi[2] - xi[0]) * (eta[1] - eta[0])
        info["vparity"] = 1 if handed > 0 else -1
    area = mean_pixel_area(wcs)
    if not (np.isfinite(scale) and scale > 0 and np.isfinite(area) and area > 0):
        raise ValueError(f"the WCS has no usable pixel size (scale {scale} arcsec, area {area} sr)")
    return {
        "outline": edge.tolist(),
        "s_region": s_region,
        "scale": scale,
        "pixel_area": float(area),
        "nx": nx,
        "ny": ny,
        **{key: info[key] for key in ("ra_ref", "dec_ref", "pa_y", "vparity")},
    }


def mean_pixel_area(wcs: SkyWCS) -> float:
    """Return the mean area (sr) of a frame's pixels, between pixel centres in the WCS's bounding box."""
    ny, nx = wcs.shape
    (xa, xb), (ya, yb) = inside(wcs)
    border = wcs.to_sky(*box(xa, xb, ya, yb, max(4, int(np.ceil(max(nx, ny) / 15)))))
    return _area(*border) / max(1, (xb - xa) * (yb - ya))


def _area(lon, lat) -> float:
    """Return the area (sr) of a small polygon, projected on the tangent plane at its middle."""
    xi, eta = (np.radians(v) for v in tangent_plane(lon, lat, *_middle(lon, lat)))
    return float(abs(np.sum(xi * np.roll(eta, -1) - np.roll(xi, -1) * eta)) / 2)


def _middle(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    x, y, z = (np.mean(v) for v in (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
