"""Turn a GWCS, the coordinate system of JWST and Roman files, into a `drizzleflow.frames.frame.SkyWCS`."""

from __future__ import annotations

import numpy as np

from drizzleflow.frames.frame import SkyWCS

_WCSINFO = ("ra_ref", "dec_ref", "roll_ref", "v3yangle", "vparity")


def from_gwcs(wcs, shape, wcsinfo) -> SkyWCS:
    """Return the `SkyWCS` of a celestial GWCS.

    The functions of the result raise ValueError if the models of a broken file cannot be evaluated, whatever
    error the models raise.

    Parameters
    ----------
    wcs : gwcs.WCS
        Transforms pixels to ICRS degrees.
    shape : (ny, nx)
    wcsinfo : dict
        ``ra_ref``, ``dec_ref``, ``roll_ref``, ``v3yangle`` (degrees) and ``vparity``; may be empty.
    """
    bbox = None if wcs.bounding_box is None else box_edges(wcs.bounding_box)

    def to_sky(x, y):
        lon, lat = _evaluated(wcs, x, y)
        return np.asarray(lon, float), np.asarray(lat, float)

    def to_pixel(lon, lat):
        x, y = _evaluated(wcs.invert, lon, lat)
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


def _evaluated(function, first, second):
    try:
        return function(np.asarray(first, float), np.asarray(second, float), with_bounding_box=False)[:2]
    except Exception as error:
        raise ValueError(f"its GWCS cannot be evaluated ({type(error).__name__}: {error})") from error


def box_edges(box) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ((x1, x2), (y1, y2)) of a bounding box, in any of the forms that gwcs uses."""
    if hasattr(box, "bounding_box"):
        box = box.bounding_box(order="F")
    return tuple(tuple(float(v) for v in axis) for axis in box)
