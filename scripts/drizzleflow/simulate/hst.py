"""Simulated HST files: two-chip ``_flt.fits`` like ACS/WFC's, in electrons, with SIP, and ``_asn.fits``.

The headers have the keywords that AstroDrizzle needs to work without reference files (``IDCTAB = 'N/A'``).
"""

from __future__ import annotations

import math
import os

import numpy as np
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.simulate.scene import DEAD, HOT, SATURATED, to_sphere

SCALE = 0.05  #: arcsec a pixel
FWHM = 0.085  #: arcsec
GAP = 50  #: rows between the chips
EPOCH = 58000.0  #: MJD of the first exposure
#: SIP coefficients like those of ACS/WFC, pixels
SIP = {
    "A": {(0, 2): 2.1e-6, (1, 1): -5.2e-6, (2, 0): 8.6e-6,
          (3, 0): -4.6e-10, (2, 1): -4e-11, (1, 2): -5.3e-10, (0, 3): -6e-11},
    "B": {(0, 2): -7.2e-6, (1, 1): 6.2e-6, (2, 0): -1.7e-6,
          (3, 0): -9e-11, (2, 1): -5.4e-10, (1, 2): -8e-11, (0, 3): -4.2e-10},
}  # fmt: skip
ROOT = "jsim01"


def wcs_cards(shape, ra: float, dec: float, roll: float, scale=SCALE, sip=SIP):
    """The WCS cards of a frame centred on (ra, dec), its y axis at the position angle `roll` (degrees)."""
    ny, nx = shape
    s, c = math.sin(math.radians(roll)) * scale / 3600, math.cos(math.radians(roll)) * scale / 3600
    suffix = "-SIP" if sip else ""
    cards = [
        ("WCSAXES", 2, ""),
        ("CTYPE1", "RA---TAN" + suffix, ""),
        ("CTYPE2", "DEC--TAN" + suffix, ""),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRPIX1", (nx + 1) / 2, ""),
        ("CRPIX2", (ny + 1) / 2, ""),
        ("CRVAL1", ra, ""),
        ("CRVAL2", dec, ""),
        ("CD1_1", -c, ""),
        ("CD1_2", s, ""),
        ("CD2_1", s, ""),
        ("CD2_2", c, ""),
        ("RADESYS", "ICRS", ""),
        ("LONPOLE", 180.0, ""),
    ]
    for letter, terms in (sip or {}).items():
        cards.append((f"{letter}_ORDER", 3, ""))
        cards += [(f"{letter}_{i}_{j}", value, "") for (i, j), value in sorted(terms.items())]
    return cards


def to_sky_of(cards):
    """The function ``(x, y) -> (ra, dec)`` of WCS cards: from 0-based pixels to ICRS degrees."""
    from astropy.wcs import WCS

    wcs = WCS(fits.Header([fits.Card(*card) for card in cards]))
    return lambda x, y: wcs.all_pix2world(np.asarray(x, float), np.asarray(y, float), 0)


def offset_pointing(ra, dec, roll, dx, dy):
    """(ra, dec) in degrees of the point at (dx, dy) arcsec, along the detector's axes, from the pointing.

    The detector's y axis has the position angle `roll` (degrees).
    """
    s, c = math.sin(math.radians(roll)), math.cos(math.radians(roll))
    lon, lat = to_sphere(-c * dx + s * dy, s * dx + c * dy, (ra, dec))
    return float(lon), float(lat)


def plan(points, *, shape, wcs, filter_name, product, **_):
    """The files to write: one with two chips for each exposure."""
    from drizzleflow.simulate.specs import FileSpec, FrameSpec

    if wcs is not None:
        raise InputError(f"wcs {wcs}: only the jwst flavour takes real coordinate systems")
    files = []
    for e, (ra, dec, roll) in enumerate(points(max(shape) * SCALE)):
        root = f"{ROOT}{e + 1:02d}q"
        frames = []
        for extver, side in ((1, -0.5), (2, 0.5)):  # the first extension is chip 2, below
            place = offset_pointing(ra, dec, roll, 0.0, side * (shape[0] + GAP) * SCALE)
            cards = wcs_cards(shape, *place, roll)
            payload = {"cards": cards, "roll": roll, "chip": 3 - extver, "filter": filter_name or "F814W"}
            # chip 1 is read out at its top, chip 2 at its bottom
            trail = 1 if payload["chip"] == 1 else -1
            frames.append(
                FrameSpec(f"WFC{3 - extver}", shape, to_sky_of(cards), extver, FWHM, trail, payload)
            )
        files.append(FileSpec(root, f"{root}_flt.fits", root, e, frames, product or f"{ROOT}010"))
    return files


def unit_factor(camera, exptime) -> float:
    """The value of 1 MJy/sr in the file's unit (electrons)."""
    return camera.conversion * exptime


def write(path, spec, planes, *, exptime, camera, **_):
    """Write one ``_flt.fits``: SCI, ERR (electrons) and DQ (int16) for each chip."""
    start = EPOCH + spec.exposure * (exptime + 120) / 86400
    roll = spec.frames[0].payload["roll"]
    factor = np.float32(unit_factor(camera, exptime))
    cards = [
        ("FILENAME", os.path.basename(path), ""),
        ("FILETYPE", "SCI", ""),
        ("TELESCOP", "HST", "simulated"),
        ("INSTRUME", "ACS", ""),
        ("DETECTOR", "WFC", ""),
        ("EQUINOX", 2000.0, ""),
        ("ROOTNAME", spec.member, ""),
        ("NEXTEND", 3 * len(planes), ""),
        ("IMAGETYP", "EXT", ""),
        ("OBSTYPE", "IMAGING", ""),
        ("ASN_ID", spec.product.upper(), ""),
        ("ASN_TAB", f"{spec.product}_asn.fits", ""),
        ("TARGNAME", "SIMULATED", ""),
        ("EXPTIME", float(exptime), "s"),
        ("EXPSTART", start, "MJD"),
        ("EXPEND", start + exptime / 86400, "MJD"),
        ("EXPFLAG", "NORMAL", ""),
        ("DATE-OBS", "2017-09-04", ""),
        ("TIME-OBS", f"{spec.exposure % 24:02d}:00:00", ""),
        ("PA_V3", roll % 360, "deg"),
        ("CCDGAIN", 2.0, ""),
        ("CCDAMP", "ABCD", ""),
        ("FILTER1", "CLEAR1L", ""),
        ("FILTER2", spec.frames[0].payload["filter"], ""),
        ("APERTURE", "WFC", ""),
        ("IDCTAB", "N/A", ""),
        ("PFLTFILE", "N/A", ""),
        ("NPOLFILE", "N/A", ""),
        ("D2IMFILE", "N/A", ""),
        ("SUBARRAY", False, ""),
    ]
    for amp in "ABCD":
        cards += [(f"ATODGN{amp}", 2.0, "e-/DN"), (f"READNSE{amp}", camera.readnoise, "e-")]
    hdus = [(image_header(None, primary=True, cards=cards), None)]
    for frame, (readout,) in zip(spec.frames, planes, strict=True):
        dq = np.zeros(frame.shape, np.int16)
        for ours, theirs in ((DEAD, 4), (HOT, 16), (SATURATED, 256)):
            dq[(readout["dq"] & ours) != 0] |= theirs
        extra = frame.payload["cards"] + [
            ("BUNIT", "ELECTRONS", ""),
            ("CCDCHIP", frame.payload["chip"], ""),
            ("EXPNAME", spec.member, ""),
            ("ORIENTAT", roll, "deg"),
            ("IDCSCALE", SCALE, "arcsec"),
            ("VAFACTOR", 1.0, ""),
            ("MEANDARK", 0.0, ""),
            ("NGOODPIX", int((dq == 0).sum()), ""),
            ("PHOTFLAM", 7.03e-20, ""),
            ("PHOTPLAM", 8045.0, ""),
            ("NCOMBINE", 1, ""),
            ("BINAXIS1", 1, ""),
            ("BINAXIS2", 1, ""),
            ("LTV1", 0.0, ""),
            ("LTV2", 0.0, ""),
            ("LTM1_1", 1.0, ""),
            ("LTM2_2", 1.0, ""),
        ]
        for name, data, cards in (
            ("SCI", readout["sci"] * factor, extra),
            ("ERR", readout["err"] * factor, [*frame.payload["cards"], ("BUNIT", "ELECTRONS", "")]),
            ("DQ", dq, [*frame.payload["cards"], ("BUNIT", "UNITLESS", "")]),
        ):
            hdus.append((image_header(data, name, extver=frame.extver, cards=cards), data))
    write_hdus(path, hdus)


def write_associations(outdir, files, products) -> list[str]:
    """Write ``{product}_asn.fits`` for each product, with MEMNAME, MEMTYPE and MEMPRSNT; return the paths."""
    paths = []
    for product in products:
        rows = [(f.member.upper(), "EXP-DTH") for f in files if f.product == product]
        rows.append((product.upper(), "PROD-DTH"))
        content = b"".join(f"{name:<14s}{kind:<14s}T".encode("ascii") for name, kind in rows)
        header = fits.Header()
        for key, value in (
            ("XTENSION", "BINTABLE"),
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", 29),
            ("NAXIS2", len(rows)),
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("TFIELDS", 3),
            ("TTYPE1", "MEMNAME"),
            ("TFORM1", "14A"),
            ("TTYPE2", "MEMTYPE"),
            ("TFORM2", "14A"),
            ("TTYPE3", "MEMPRSNT"),
            ("TFORM3", "L"),
            ("EXTNAME", "ASN"),
            ("EXTVER", 1),
        ):
            header[key] = value
        path = os.path.join(outdir, f"{product}_asn.fits")
        primary = [("FILENAME", os.path.basename(path), ""), ("TELESCOP", "HST", ""), ("INSTRUME", "ACS", "")]
        primary.append(("ASN_ID", product.upper(), ""))
        write_hdus(path, [(image_header(None, primary=True, cards=primary), None), (header, content)])
        paths.append(path)
    return paths
