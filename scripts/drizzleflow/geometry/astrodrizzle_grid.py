"""Build AstroDrizzle's output grid, with its ``final_*`` and ``driz_sep_*`` WCS parameters.

Measured on drizzlepac 3.11.0 with stwcs 1.7.7 (tests/parity/test_astrodrizzle_steps.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.geometry.astrodrizzle_frame import corner_centres
from drizzleflow.geometry.grid import Grid


def build(
    chips,
    scale: float,
    angle: float,
    *,
    rot=None,
    new_scale=None,
    ra=None,
    dec=None,
    outnx=None,
    outny=None,
    crpix1=None,
    crpix2=None,
) -> Grid:
    """Return the output grid that AstroDrizzle would make.

    By default `angle` is the position angle of +y and pixels are squares of `scale`. The *centre* of the
    first pixel is at the lowest x and y of all corners, and the shape just holds them, so that half a pixel
    of the outermost frames is cut off. The reference point is at half the shape.

    Parameters
    ----------
    chips : sequence of SkyWCS or of (lon, lat)
        All chips of all exposures, in any order; or the sky positions (degrees) of the centres of each chip's
        corner pixels.
    scale, angle : float
        From `orientation` of the first chip of the first exposure.
    rot, new_scale, ra, dec, outnx, outny, crpix1, crpix2 : optional
        ``final_rot`` (position angle of +y, degrees), ``final_scale`` (arcsec), ``final_ra`` ...
        ``final_crpix2`` (1-based), or those of ``driz_sep``.

    Raises
    ------
    InputError
        One of a pair (ra and dec, outnx and outny, crpix1 and crpix2) is given alone, or there are no chips.
    """
    for (one, first), (other, second) in (
        (("ra", ra), ("dec", dec)),
        (("outnx", outnx), ("outny", outny)),
        (("crpix1", crpix1), ("crpix2", crpix2)),
    ):
        if (first is None) != (second is None):
            raise InputError(f"grid: {one} and {other} go together; one of them is missing")
    grid = _default(list(chips), scale, angle)
    if rot is not None or new_scale is not None:
        grid = _turned(grid, angle, angle if rot is None else float(rot), float(new_scale or scale), scale)
    if ra is not None:
        grid = replace(grid, crval=(float(ra) % 360.0, float(dec)))
    if outnx is not None:
        nx, ny = int(outnx), int(outny)
        if nx < 1 or ny < 1:
            raise InputError(f"grid: outnx {outnx}, outny {outny}; expected numbers of pixels, 1 or more")
        grid = replace(grid, shape=(ny, nx), crpix=((nx - 1) / 2, (ny - 1) / 2))
    if crpix1 is not None:
        grid = replace(grid, crpix=(float(crpix1) - 1.0, float(crpix2) - 1.0))
    return replace(grid, input_scale=scale / grid.pixel_scale)


def from_footprints(footprints: list[dict], options: dict) -> Grid:
    """Build the grid by the configuration's ``grid`` section.

    `footprints` are as `drizzleflow.geometry.astrodrizzle_frame.describe` returns them; the first is the
    reference.
    """
    scale, angle = footprints[0]["orientation"]
    ratio = options["pixel_scale_ratio"]
    new_scale = options["pixel_scale"] or (scale * ratio if ratio != 1 else None)
    ra, dec = options["crval"] or (None, None)
    nx, ny = options["output_shape"] or (None, None)
    x, y = (v + 1 for v in options["crpix"]) if options["crpix"] else (None, None)
    return build(
        [np.array(f["corners"]) for f in footprints],
        scale,
        angle,
        rot=options["rotation"],
        new_scale=new_scale,
        ra=ra,
        dec=dec,
        outnx=nx,
        outny=ny,
        crpix1=x,
        crpix2=y,
    )


def _cd(scale, angle):
    s, c = scale / 3600.0 * np.sin(np.radians(angle)), scale / 3600.0 * np.cos(np.radians(angle))
    return float(-c), float(s), float(s), float(c)


def _default(chips, scale, angle) -> Grid:
    if not chips:
        raise InputError("grid: no chips; expected one or more")
    corners = [corner_centres(chip) if hasattr(chip, "to_sky") else chip for chip in chips]
    lon, lat = np.concatenate(corners, axis=1)
    about = Grid((1, 1), _mean_direction(lon, lat), (0.0, 0.0), _cd(scale, angle), scale)
    x, y = about.to_pixel(lon, lat)
    nx, ny = int(np.ceil(np.ptp(x))), int(np.ceil(np.ptp(y)))
    if nx < 1 or ny < 1:
        raise InputError(f"grid: the chips' corners span {nx} x {ny} pixels; check their coordinates")
    crpix = nx / 2 - 1.0, ny / 2 - 1.0  # 1-based: half the shape
    lon, lat = about.to_sky(float(x.min()) + crpix[0], float(y.min()) + crpix[1])
    return replace(about, shape=(ny, nx), crval=(float(lon), float(lat)), crpix=crpix)


def _mean_direction(lon, lat):
    """Return lon and lat (degrees) of the mean of the positions' unit vectors."""
    lon, lat = np.radians(lon), np.radians(lat)
    x, y, z = np.mean([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _turned(grid: Grid, old: float, new: float, new_scale: float, scale: float) -> Grid:
    """Return the grid with new pixels about the same reference point, holding the old grid's outer edges."""
    ny, nx = grid.shape
    ratio, turn = scale / new_scale, np.radians(new - old)
    c, s = ratio * np.cos(turn), ratio * np.sin(turn)
    # the old grid's outer corners, relative to its reference point, in new pixels
    x = np.array([-0.5, nx - 0.5, -0.5, nx - 0.5]) - grid.crpix[0]
    y = np.array([-0.5, -0.5, ny - 0.5, ny - 0.5]) - grid.crpix[1]
    x, y = c * x + s * y, c * y - s * x
    shape = tuple(int(np.ceil(np.ptp(side) - 1e-9)) for side in (y, x))
    # a turned grid begins at the lowest outer edges; one only rescaled keeps its first pixel's centre
    crpix = (-0.5 - x.min(), -0.5 - y.min()) if new != old else (grid.crpix[0] * ratio, grid.crpix[1] * ratio)
    return replace(
        grid,
        shape=shape,
        crpix=tuple(float(v) for v in crpix),
        cd=_cd(new_scale, new),
        pixel_scale=new_scale,
        pixel_scale_ratio=new_scale / scale,
    )
