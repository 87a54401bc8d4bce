"""Write the output grid as a GWCS in an ASDF file, which the JWST pipeline reads as ``output_wcs``."""

from __future__ import annotations

import logging

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.geometry.grid import Grid
from drizzleflow.io.files import replacing

log = logging.getLogger("drizzleflow")


def write_asdf(grid: Grid, path) -> None:
    """Write a grid as an ASDF file.

    The file has ``wcs``, ``pixel_area`` (sr), ``pixel_scale`` (arcsec), ``pixel_shape`` (nx, ny) and
    ``array_shape`` (ny, nx). A user's FITS projection that `to_gwcs` cannot express is written as text,
    ``fits_header``, instead of ``wcs``.
    """
    from drizzleflow.io.asdf_trees import asdf_bytes

    ny, nx = grid.shape
    try:
        described = {"wcs": to_gwcs(grid)}
    except InputError as error:
        log.warning("%s: grid.asdf holds its header instead", error)
        described = {"fits_header": grid.custom}
    tree = {
        **described,
        "pixel_area": grid.pixel_area,
        "pixel_scale": grid.pixel_scale,
        "pixel_shape": [nx, ny],
        "array_shape": [ny, nx],
    }
    with replacing(path) as temporary, open(temporary, "wb") as out:
        out.write(asdf_bytes(tree))


def to_gwcs(grid: Grid):
    """Return the GWCS of a grid: a tangent plane, an undistorted ICRS projection, or the user's own GWCS.

    Raises
    ------
    InputError
        The user's FITS WCS cannot be expressed: it is distorted, in another frame than ICRS, or has a
        projection whose reference point is not its pole.
    """
    import asdf
    import gwcs
    from astropy import coordinates, units
    from astropy.modeling import models
    from gwcs import coordinate_frames

    ny, nx = grid.shape
    if grid.custom is not None and grid.custom.startswith("asdf:"):
        with asdf.open(grid.custom.removeprefix("asdf:"), lazy_load=False) as tree:
            return tree["wcs"]
    detector = coordinate_frames.Frame2D(name="detector", unit=(units.pix, units.pix))
    world = coordinate_frames.CelestialFrame(
        name="world", reference_frame=coordinates.ICRS(), unit=(units.deg, units.deg)
    )
    if grid.custom is not None:
        from astropy.io import fits
        from astropy.wcs import WCS

        transform = WCS(fits.Header.fromstring(grid.custom, sep="\n"))
        projection = getattr(models, f"Pix2Sky_{transform.wcs.ctype[0][5:8]}", models.Pix2Sky_TAN)()
        crpix, crval = transform.wcs.crpix - 1, transform.wcs.crval
        matrix, cdelt = transform.wcs.get_pc(), transform.wcs.get_cdelt()
    else:
        projection, crpix, crval = models.Pix2Sky_TAN(), grid.crpix, grid.crval
        step = grid.pixel_scale / 3600.0
        cdelt = (step, step)
        a, b, c, d = (v / step for v in grid.cd)
        matrix = [[a, b], [c, d]]
    fits_wcs = gwcs.fitswcs.FITSImagingWCSTransform(
        projection, crpix=list(crpix), crval=list(crval), cdelt=list(cdelt), pc=[list(r) for r in matrix]
    )
    wcs = gwcs.WCS([gwcs.Step(detector, fits_wcs), gwcs.Step(world, None)])
    x, y = np.array([0.0, nx - 1.0, 0.0, nx - 1.0, nx / 3]), np.array([0.0, 0.0, ny - 1.0, ny - 1.0, ny / 3])
    off = np.subtract(grid.to_pixel(*wcs(x, y)), (x, y))
    if not np.abs(off).max() < 1e-4:
        raise InputError(
            f"grid.output_wcs: a {transform.wcs.ctype[0]} WCS of this kind cannot be written as a GWCS"
        )
    wcs.bounding_box = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    wcs.pixel_shape = (nx, ny)
    return wcs
