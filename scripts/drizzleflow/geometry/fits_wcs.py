"""Read FITS world coordinates as a `SkyWCS`, by astropy.wcs: any projection, SIP, TPV, lookup tables.

astropy.wcs applies the distortions in this order: the detector-to-image tables (D2IM) move the pixel; SIP and
the NPOL tables (CPDIS) are evaluated at the moved pixel and added; then come the linear terms and the
projection.
"""

from __future__ import annotations

import copy
import math
import re
import warnings

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import SkyWCS
from drizzleflow.io.header import number

#: keywords of a header's primary WCS that must be numbers
_NUMERIC = re.compile(r"(CRVAL|CRPIX|CDELT)[12]|(CD|PC)[12]_[12]|PV[12]_\d+|(A|B|AP|BP)_(ORDER|\d_\d)")
_TABLES = ("cpdis1", "cpdis2", "det2im1", "det2im2")


def open_sky_wcs(path, hdus, index, shape) -> SkyWCS:
    """Return the `SkyWCS` of one HDU of a FITS file.

    Coordinates in another frame than ICRS (FK5, galactic, ...) are transformed to ICRS. ``smooth`` is the
    same WCS without the lookup tables. Between the table nodes ``kinks`` the difference of the two is
    bilinear in the focal plane. On two WFC3/UVIS chips (4096 x 2051, SIP + NPOL + D2IM of a real header),
    smooth plus the interpolated difference is within 5e-5 px of the full WCS, where the tables reach 0.05 px.
    The rest comes from SIP and NPOL, which are evaluated at a pixel that D2IM has moved (measured in
    tests/unit/test_formats_hst.py).

    Parameters
    ----------
    path : path
        The file's path, for error messages.
    hdus : astropy.io.fits.HDUList
        The open file, with the lookup tables.
    index : int or (name, version)
        The HDU with the WCS.
    shape : (ny, nx)

    Raises
    ------
    InputError
        The header has no celestial WCS that astropy.wcs can read.
    """
    from astropy.wcs import WCS, FITSFixedWarning

    where = f"{path}[{hdus[index].name or index}]"
    try:
        expect_numbers(hdus[index].header, where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(hdus[index].header, fobj=hdus)
            if wcs.naxis > 2:
                wcs = wcs.sub([1, 2])
            wcs.wcs.set()
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().replace("\n", " ")
        raise InputError(f"{where}: its WCS cannot be used ({reason})") from None
    if wcs.wcs.lng < 0 or wcs.wcs.lat < 0:
        kinds = ", ".join(wcs.wcs.ctype)
        raise InputError(
            f"{where}: no celestial WCS on axes 1 and 2 (CTYPE {kinds!r}, expected e.g. RA---TAN, DEC--TAN); "
            "solve it first, for example with astrometry.net or SCAMP"
        )
    try:
        return from_astropy(wcs, shape)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def expect_numbers(header, where) -> None:
    """Raise an error for WCS keywords that astropy.wcs would silently replace or ignore.

    These are values that are not numbers (astropy takes 0), a matrix of zeros (it takes 1 degree per pixel),
    a declination beyond 90 degrees, and polynomials of orders that SIP does not have.

    Raises
    ------
    InputError
        The header has such a keyword; the message begins with `where`.
    """
    from astropy.io.fits import VerifyError

    values = {}
    for card in header.cards:
        key = card.keyword
        if not _NUMERIC.fullmatch(key):
            continue
        try:
            values[key] = number(card.value)
        except VerifyError:  # FITS headers have no NaN
            values[key] = None
        if values[key] is None:
            text = card.image[10:].split("/")[0].strip()
            raise InputError(f"{where}: its WCS cannot be used ({key} is {text}, expected a number)")
    for axis in (1, 2):
        row = [values[key] for key in (f"CD{axis}_1", f"CD{axis}_2") if key in values]
        if (row and not any(row)) or values.get(f"CDELT{axis}") == 0:
            raise InputError(f"{where}: its WCS cannot be used (its pixels have no size along axis {axis})")
        kind = header.get(f"CTYPE{axis}")
        if isinstance(kind, str) and kind.startswith("DEC-") and abs(values.get(f"CRVAL{axis}", 0)) > 90:
            raise InputError(
                f"{where}: its WCS cannot be used (declination {values[f'CRVAL{axis}']}, off the sky)"
            )
    for key in ("A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER"):
        if not 0 <= values.get(key, 0) <= 9:
            raise InputError(f"{where}: its WCS cannot be used ({key} is {values[key]:g}, expected 0 to 9)")


def from_astropy(wcs, shape) -> SkyWCS:
    """Return the `SkyWCS` of a 2-D celestial `astropy.wcs.WCS`, for an image of (ny, nx) pixels.

    Raises
    ------
    InputError
        The WCS's celestial frame is unknown to astropy.
    """
    to_icrs, from_icrs = _frame_rotation(wcs)
    to_sky = _forward(wcs, to_icrs)
    smooth = kinks = None
    if any(getattr(wcs, name) is not None for name in _TABLES):
        kinks = _kinks(wcs, shape)
        smoothed = copy.deepcopy(wcs)
        for name in _TABLES:
            setattr(smoothed, name, None)
        smooth = _forward(smoothed, to_icrs)
    info = _orientation(smooth or to_sky, wcs.wcs.crpix - 1.0, shape)
    return SkyWCS(to_sky, _inverse(wcs, from_icrs), shape, smooth=smooth, kinks=kinks, info=info)


def _forward(wcs, to_icrs):
    lng, lat = wcs.wcs.lng, wcs.wcs.lat

    def to_sky(x, y):
        world = wcs.all_pix2world(np.asarray(x, float), np.asarray(y, float), 0)
        return to_icrs(np.asarray(world[lng]), np.asarray(world[lat]))

    return to_sky


def _inverse(wcs, from_icrs):
    from astropy.wcs import NoConvergence

    def to_pixel(lon, lat):
        lon, lat = from_icrs(np.asarray(lon, float), np.asarray(lat, float))
        world = (lon, lat) if wcs.wcs.lng == 0 else (lat, lon)
        try:
            x, y = wcs.all_world2pix(*world, 0, tolerance=1e-6, maxiter=50)
        except NoConvergence as failure:
            # far outside the frame a distortion polynomial has no inverse
            solution = failure.best_solution
            for lost in (failure.divergent, failure.slow_conv):
                if lost is not None:
                    solution[lost] = np.nan
            x, y = (column.reshape(lon.shape) for column in solution.T)
        return np.asarray(x), np.asarray(y)

    return to_pixel


def _kinks(wcs, shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the 0-based positions (x, y) of the lookup tables' nodes on the frame, and of its edges."""
    nodes = []
    for axis, length in enumerate((shape[1], shape[0])):
        edges = np.array([-0.5, length - 0.5])
        places = [edges]
        for table in (getattr(wcs, name) for name in _TABLES):
            if table is not None:
                count = table.data.shape[1 - axis]
                # node n (1-based) is at pixel CRVAL + (n - CRPIX) CDELT, counted from 1
                steps = np.arange(1, count + 1) - table.crpix[axis]
                place = table.crval[axis] + steps * table.cdelt[axis] - 1.0
                places.append(place[(place > edges[0]) & (place < edges[1])])
        nodes.append(np.unique(np.concatenate(places)))
    return tuple(nodes)


def _frame_rotation(wcs):
    """Return functions (lon, lat) -> (lon, lat), degrees: from the WCS's frame to ICRS, and back."""
    default = "" if np.isfinite(wcs.wcs.equinox) else "ICRS"  # FITS Standard 8.3
    radesys = wcs.wcs.radesys.strip().upper() or default
    if radesys == "ICRS" and wcs.wcs.lngtyp.strip().upper() == "RA":  # spares loading astropy.coordinates
        return (lambda lon, lat: (lon, lat)), (lambda lon, lat: (lon, lat))
    from astropy import units as u
    from astropy.coordinates import ICRS, SkyCoord, UnitSphericalRepresentation
    from astropy.wcs.utils import wcs_to_celestial_frame

    try:
        frame = wcs_to_celestial_frame(wcs)
    except ValueError as error:
        raise InputError(f"its celestial frame is unknown ({error})") from None
    if isinstance(frame, ICRS):
        return (lambda lon, lat: (lon, lat)), (lambda lon, lat: (lon, lat))
    if frame.name in ("fk5", "galactic"):  # pure rotations: the matrix holds the images of the axes
        axes = SkyCoord([0, 90, 0] * u.deg, [0, 0, 90] * u.deg, frame=frame).icrs
        matrix = axes.cartesian.xyz.value
        return _rotate(matrix), _rotate(matrix.T)

    def convert(lon, lat, source, target):
        there = SkyCoord(lon * u.deg, lat * u.deg, frame=source).transform_to(target)
        sphere = there.represent_as(UnitSphericalRepresentation)
        return sphere.lon.deg, sphere.lat.deg

    return (lambda lon, lat: convert(lon, lat, frame, ICRS())), (
        lambda lon, lat: convert(lon, lat, ICRS(), frame)
    )


def _rotate(matrix):
    def rotate(lon, lat):
        lon, lat = np.radians(lon), np.radians(lat)
        x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
        x, y, z = (row[0] * x + row[1] * y + row[2] * z for row in matrix)
        return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))

    return rotate


def _orientation(to_sky, crpix, shape) -> dict:
    """Return position and orientation at the reference pixel, or at the centre if that is off the frame.

    ``ra_ref``, ``dec_ref`` and ``pa_y`` (position angle of the y axis) are degrees; ``vparity`` is 1 or -1.
    """
    ny, nx = shape
    x, y = (float(v) for v in crpix)
    if not (0 <= x < nx and 0 <= y < ny):
        x, y = (nx - 1) / 2, (ny - 1) / 2
    step = 0.5
    ra, dec = to_sky(np.array([x, x + step, x - step, x, x]), np.array([y, y, y, y + step, y - step]))
    east = (np.remainder(ra - ra[0] + 180.0, 360.0) - 180.0) * math.cos(math.radians(dec[0]))
    dx = east[1] - east[2], dec[1] - dec[2]
    dy = east[3] - east[4], dec[3] - dec[4]
    return {
        "ra_ref": float(ra[0]),
        "dec_ref": float(dec[0]),
        "pa_y": math.degrees(math.atan2(dy[0], dy[1])),
        "vparity": -1 if dx[0] * dy[1] - dx[1] * dy[0] < 0 else 1,
    }


def nominal_pixel_area(header) -> float | None:
    """Return a pixel's solid angle (sr) by the linear terms of a header's axes 1 and 2, or None."""
    if "CD1_1" in header or "CD2_2" in header:
        terms = [header.get(f"CD{i}_{j}", 0.0) for i in (1, 2) for j in (1, 2)]
        steps = [1.0, 1.0]
    elif "CDELT1" in header and "CDELT2" in header:
        terms = [header.get(f"PC{i}_{j}", float(i == j)) for i in (1, 2) for j in (1, 2)]
        steps = [header["CDELT1"], header["CDELT2"]]
    else:
        return None
    if any(number(term) is None for term in (*terms, *steps)):
        return None
    area = steps[0] * steps[1] * (terms[0] * terms[3] - terms[1] * terms[2])
    return abs(area) * (math.pi / 180.0) ** 2 or None
