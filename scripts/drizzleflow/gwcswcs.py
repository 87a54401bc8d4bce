"""GWCS: the WCS objects of JWST and Roman files, as a `drizzleflow.frame.SkyWCS`."""

from __future__ import annotations

import numpy as np

from drizzleflow.frame import SkyWCS

_WCSINFO = ("ra_ref", "dec_ref", "roll_ref", "v3yangle", "vparity")


def from_gwcs(wcs, shape, wcsinfo) -> SkyWCS:
    """A `SkyWCS` from a celestial GWCS and its wcsinfo (``ra_ref, dec_ref, roll_ref, v3yangle, vparity``; may be empty)."""
    bbox = None if wcs.bounding_box is None else box_edges(wcs.bounding_box)

    def to_sky(x, y):
        lon, lat = wcs(np.asarray(x, float), np.asarray(y, float), with_bounding_box=False)[:2]
        return np.asarray(lon, float), np.asarray(lat, float)

    def to_pixel(lon, lat):
        x, y = wcs.invert(np.asarray(lon, float), np.asarray(lat, float), with_bounding_box=False)[:2]
        return np.asarray(x, float), np.asarray(y, float)

    info = {}
    if set(_WCSINFO) <= {key for key, value in wcsinfo.items() if value is not None}:
        vparity = int(wcsinfo["vparity"])
        info = {
            "ra_ref": float(wcsinfo["ra_ref"]),
            "dec_ref": float(wcsinfo["dec_ref"]),
            "pa_y": float(wcsinfo["roll_ref"]) - vparity * float(wcsinfo["v3yangle"]),
            "vparity": vparity,
        }
    return SkyWCS(to_sky, to_pixel, shape, bbox=bbox, info=info)


def box_edges(box) -> tuple[tuple[float, float], tuple[float, float]]:
    """((x1, x2), (y1, y2)) of a bounding box as gwcs gives it."""
    if hasattr(box, "bounding_box"):
        box = box.bounding_box(order="F")
    return tuple(tuple(float(v) for v in axis) for axis in box)
