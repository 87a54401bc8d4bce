"""The grid as a GWCS in an ASDF file, in the layout that the JWST pipeline reads as ``output_wcs``."""

from __future__ import annotations

from drizzleflow.files import replacing
from drizzleflow.grid import Grid


def write_asdf(grid: Grid, path) -> None:
    """Write ``wcs``, ``pixel_area`` (sr), ``pixel_scale`` (arcsec), ``pixel_shape`` and ``array_shape``."""
    from drizzleflow.asdfio import asdf_bytes

    ny, nx = grid.shape
    tree = {
        "wcs": to_gwcs(grid),
        "pixel_area": grid.pixel_area,
        "pixel_scale": grid.pixel_scale,
        "pixel_shape": [nx, ny],
        "array_shape": [ny, nx],
    }
    with replacing(path) as temporary, open(temporary, "wb") as out:
        out.write(asdf_bytes(tree))


def to_gwcs(grid: Grid):
    """A GWCS of a TAN grid; a custom ASDF grid's own GWCS.

    Raises
    ------
    InputError
        The grid is a FITS projection other than TAN, which has no GWCS here.
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
    world = coordinate_frames.CelestialFrame(name="world", reference_frame=coordinates.ICRS(), unit=(units.deg, units.deg))
    if grid.custom is not None:
        from astropy.io import fits
        from astropy.wcs import WCS

        transform = WCS(fits.Header.fromstring(grid.custom, sep="\n"))
        projection = getattr(models, f"Pix2Sky_{transform.wcs.ctype[0][-3:]}")()
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
    wcs.bounding_box = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    wcs.pixel_shape = (nx, ny)
    return wcs
