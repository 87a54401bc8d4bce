"""Measure what AstroDrizzle's grid is made from: each frame's corners and the first frame's orientation.

See `drizzleflow.geometry.astrodrizzle_grid`.

The orientation at an aperture follows from PA_V3 by spherical trigonometry.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError


def orientation(primary, sci) -> tuple[float, float]:
    """Return the default grid's pixel scale (arcsec) and position angle of +y (degrees).

    Both come from the headers of the first chip.

    The scale is IDCSCALE, else the length of the first column of CD. The angle is PA_V3 transferred to the
    aperture (IDCV2REF, IDCV3REF), plus IDCTHETA and, for ACS/WFC, 180 degrees. Without those keywords it is
    the angle of CD's second column.

    Parameters
    ----------
    primary, sci : mapping
        FITS headers of the file and of its (SCI,1).
    """
    cd = [[sci[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)]
    scale = sci.get("IDCSCALE") or 3600.0 * float(np.hypot(cd[0][0], cd[1][0]))
    v2, v3, pa_v3 = sci.get("IDCV2REF"), sci.get("IDCV3REF"), primary.get("PA_V3")
    if v2 is None or v3 is None or pa_v3 is None:
        return float(scale), float(np.degrees(np.arctan2(cd[0][1], cd[1][1])))
    angle = aperture_angle(float(pa_v3), float(sci["CRVAL2"]), float(v2), float(v3)) + float(
        sci.get("IDCTHETA") or 0.0
    )
    if str(primary.get("INSTRUME")).strip() == "ACS" and str(primary.get("DETECTOR")).strip() == "WFC":
        angle += 180.0
    return float(scale), angle


def aperture_angle(pa_v3: float, dec: float, v2: float, v3: float) -> float:
    """Return the position angle (degrees, -180 to 180) of V3 at (v2, v3) arcsec from the V1 axis.

    `pa_v3` is the angle at V1 and `dec` the declination of V1. AstroDrizzle takes the chip's CRVAL2 for the
    latter, which is good to 0.01 degrees.
    """
    pa_v3, dec = np.radians(pa_v3), np.radians(dec)
    v2, v3 = np.radians(v2 / 3600.0), np.radians(v3 / 3600.0)
    v1_axis = np.array([np.cos(dec), 0.0, np.sin(dec)])
    north, east = np.array([-np.sin(dec), 0.0, np.cos(dec)]), np.array([0.0, 1.0, 0.0])
    v3_axis = np.cos(pa_v3) * north + np.sin(pa_v3) * east
    axes = np.array([v1_axis, np.cross(v3_axis, v1_axis), v3_axis])
    place = np.array([np.cos(v2) * np.cos(v3), np.sin(v2) * np.cos(v3), np.sin(v3)]) @ axes
    along_v3 = np.array([-np.cos(v2) * np.sin(v3), -np.sin(v2) * np.sin(v3), np.cos(v3)]) @ axes
    to_north, to_east = np.array([0.0, 0.0, 1.0]) - place[2] * place, np.array([-place[1], place[0], 0.0])
    return float(np.degrees(np.arctan2(along_v3 @ to_east, along_v3 @ to_north)))


def corner_centres(wcs):
    """Return (lon, lat) in degrees of the centres of a frame's four corner pixels."""
    ny, nx = wcs.shape
    return wcs.to_sky(np.array([0.0, 0.0, nx - 1.0, nx - 1.0]), np.array([0.0, ny - 1.0, ny - 1.0, 0.0]))


def describe(frame, wcs) -> dict:
    """Return what `drizzleflow.geometry.astrodrizzle_grid.from_footprints` needs of a frame, as JSON values.

    Raises
    ------
    InputError
        The frame has no HST headers.
    """
    if "sci" not in frame.meta:
        raise InputError(
            f"{frame.member}: grid.method: astrodrizzle is for HST files; expected tangent_plane"
        )
    return {
        "corners": np.array(corner_centres(wcs)).tolist(),
        "orientation": list(orientation(frame.meta["primary"], frame.meta["sci"])),
    }
