"""Read and write plain FITS images: any file with a 2-D image and a celestial WCS.

The image is in the extension(s) that ``simple.sci`` names, else in those called SCI, else in the first image
HDU. Errors are 1 sigma (ERR) or inverse variance; flags are bits or code numbers. Both are in the same file
or in separate files (``ivar`` and ``dq`` of the association). The configuration names the keywords of
exposure time, gain and so on.
"""

from __future__ import annotations

import os
import re

import numpy as np

from drizzleflow.arrays.dq import as_bits, from_codes
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.frames.measured_noise import measured_error
from drizzleflow.io.fits_images import (
    beside,
    companion,
    images,
    in_shape,
    index_of,
    shape_of,
    unused,
    version,
)
from drizzleflow.io.header import is_rate, number, text

NAME, TITLE, PRIORITY = "simple", "plain FITS", 0
SUFFIXES = ("_crf", "_sci")
ENDING = "fits"
ROADS = None
HAS_GWCS, READS_ROWS, TAKES_COMPANIONS, ERR_ALONE = False, False, True, True
MEMORY = {
    "sky_overlaps": 35,
    "sky_cells": 74,
    "static_mask": 20,
    "single_drizzle": 36,
    "crmask": 67,
    "mosaic": 59,
}
#: bits that a user may name: code number c becomes bit 1 << (c - 1)
DQ_FLAGS = {f"CODE{code}": 1 << (code - 1) for code in range(1, 31)}
DQ_FLAGS |= {"OUTLIER": 1 << 30, "NO_WEIGHT": 1 << 31}
GOOD_BITS = {"single": 0, "mosaic": 0}
SKY_BITS = 0
SKYMETHOD, SATURATED = "global+match", 0
DETECTORS_APART = False
TAKES_BITS = False
SETTINGS = {
    "frame": [
        "simple: sci flux_scale exptime_keyword start_keyword sky_keyword gain_keyword readnoise_keyword unit_keyword"
    ],
    "dq": ["simple: dq dq_codes err ivar"],  # where the inverse variance is 0 a pixel is bad
    "err": ["simple: err ivar noise"],
    "copy": ["simple: outlier_bit dq dq_codes"],
}
OUTLIER, OUTLIER_KEY = DQ_FLAGS["OUTLIER"], "outlier_bit"
write_clean = headers = None
#: what CTYPE1 or CTYPE2 of a celestial WCS begins with
CELESTIAL = re.compile(r"RA--|DEC-|[A-Z]{1,2}L[NT]-|[A-Z]LON|[A-Z]LAT")
NO_WEIGHT = DQ_FLAGS["NO_WEIGHT"]  #: the inverse variance is zero or less, or not a number
#: defaults of the configuration's section `simple`
DEFAULTS = {
    "sci": None,
    "err": "ERR",
    "dq": "DQ",
    "ivar": "IVAR",
    "dq_codes": False,
    "noise": "file",
    "flux_scale": None,
    "exptime_keyword": "EXPTIME",
    "start_keyword": "MJD-OBS",
    "gain_keyword": "GAIN",
    "readnoise_keyword": "RDNOISE",
    "filter_keyword": "FILTER",
    "instrument_keyword": "INSTRUME",
    "unit_keyword": "BUNIT",
    "sky_keyword": None,
    "outlier_bit": OUTLIER,
}
VARIANCES = {"rnoise": "VAR_RNOISE", "poisson": "VAR_POISSON", "flat": "VAR_FLAT"}
#: card in a crf's DQ header: its values are bits, even if the input had code numbers or a separate file
BITS_CARD = ("DQTYPE", "BITS", "DQ values are bits (1 << code - 1)")


def recognise(header) -> bool:
    return True


def describe(path, header, options=None) -> dict:
    """Return what the plan must know of a file; it gives no group, so each file is a group of its own.

    The association may say otherwise.
    """
    from drizzleflow.io.fits import expect_once, expect_plane, open_fits

    options = _settings(options)
    has_err = True
    measured = options["noise"] == "measured"
    with open_fits(path) as hdus:
        indices = images(hdus, options["sci"], path)
        shapes = [shape_of(hdus[index].header, path, index) for index in indices]
        names = {key: options[key] for key in ("err", "dq", "ivar")} | {
            name: name for name in VARIANCES.values()
        }
        expect_once(hdus, [name.upper() for name in names.values() if isinstance(name, str)], path)
        companions = set()
        for extver, shape in enumerate(shapes, start=1):
            found = {key: companion(hdus, name, indices, extver) for key, name in names.items()}
            for key, plane in found.items():
                if plane is not None:
                    expect_plane(hdus[plane], shape, path, flags=key == "dq")
            companions.update(found.values())
            has_err &= found["err"] is not None or found["ivar"] is not None or measured
        headers = [hdus[indices[0]].header, header]
        exptime = _number(headers, options["exptime_keyword"])
        flux_scale = _flux_scale(path, headers, options, exptime)
        chosen = options["sci"] is not None or hdus[indices[0]].name == "SCI"
        others = [] if chosen else unused(hdus, indices, companions)
    return {
        "group": None,
        "nframes": len(indices),
        "cube": False,
        "nx": max(nx for _, nx in shapes),
        "ny": max(ny for ny, _ in shapes),
        "instrument": _text(headers, options["instrument_keyword"]),
        "detector": _text(headers, "DETECTOR"),
        "exp_type": _text(headers, "EXP_TYPE") or _text(headers, "OBSTYPE") or _text(headers, "IMAGETYP"),
        "filter": _text(headers, options["filter_keyword"]),
        "exptime": exptime,
        "unit": _unit(headers, options),
        "flux_scale": flux_scale,
        "celestial": any(CELESTIAL.match(_text(headers, key)) for key in ("CTYPE1", "CTYPE2")),
        "err": has_err,
        "unused": others,
    }


def read(member: dict, extver: int = 1, planes=("data", "dq"), options=None) -> Frame:
    """Read image `extver` of a member, counted from 1 in the file's order.

    ``flux_scale`` of the member multiplies data, error and sky level (variances by its square); the gain is
    divided by it. Where the inverse variance is not positive, err is NaN and dq has NO_WEIGHT. Without any
    flags dq is None.

    Raises
    ------
    InputError
        A plane has another shape than the image, a companion file lacks one, or a code is not from 0 to 30.
    """
    from drizzleflow.geometry.fits_wcs import nominal_pixel_area
    from drizzleflow.io.fits import open_fits, plane

    options = _settings(options)
    path = member["path"]
    scale = float(member.get("flux_scale") or 1.0)
    with open_fits(path) as hdus:
        indices = images(hdus, options["sci"], path)
        index = index_of(indices, extver, path)
        headers = [hdus[index].header, hdus[0].header]
        shape = shape_of(headers[0], path, index)
        exptime = _number(headers, options["exptime_keyword"])
        start = _number(headers, options["start_keyword"])
        level = _number(headers, options["sky_keyword"])
        gain = _number(headers, options["gain_keyword"])
        frame = Frame(
            member=member["member"],
            extver=extver,
            group=member["group"],
            shape=shape,
            unit=_unit(headers, options),
            exposure_time=exptime,
            start_time=start,
            end_time=start + exptime / 86400.0 if None not in (start, exptime) else None,
            level=None if level is None else level * scale,
            subtracted=None if level is None else False,
            gain=(gain or 1.0) / scale / (exptime if exptime and options["flux_scale"] == "exptime" else 1.0),
            readnoise=_number(headers, options["readnoise_keyword"]),
            pixelarea_steradians=nominal_pixel_area(headers[0]),
            s_region=text(headers[0].get("S_REGION")) or None,
            open_wcs=lambda: _open_wcs(path, index, shape),
        )
        frame.per_pixel = not re.search(
            r"/\s*(sr|arcsec)|\b(sr|arcsec)\s*(\^|\*\*)?\s*-", frame.unit, re.IGNORECASE
        )
        if not planes:
            for key in ("ivar", "dq"):
                if member.get(key):
                    beside(member[key], hdus, indices, extver, shape, key, pixels=False)
        ivar = err = None
        if {"err", "dq"} & set(planes):
            ivar = _inverse_variance(member, hdus, indices, extver, shape, options)
        if "err" in planes:
            err = _stated_error(hdus, indices, extver, shape, options, path, ivar)
        measured = "err" in planes and err is None and options["noise"] == "measured"
        if "data" in planes or measured:
            pixels = plane(hdus, index, np.float32, path).reshape(shape)
        if "dq" in planes or measured:
            flags = _flags(member, hdus, indices, extver, shape, options, ivar)
        if measured:
            good = np.ones(shape, bool) if flags is None else flags == 0
            per_unit = frame.electrons_per_unit * scale if gain else None  # of the data as they are here
            err = measured_error(pixels, good, per_unit)
        frame.data = _scaled(pixels, scale) if "data" in planes else None
        frame.dq = flags if "dq" in planes else None
        frame.err = None if err is None else _scaled(err, scale)
        if "var" in planes:
            for key, name in VARIANCES.items():
                if (found := companion(hdus, name, indices, extver)) is not None:
                    variance = in_shape(plane(hdus, found, np.float32, path), shape, path, found)
                    frame.var[key] = _scaled(variance, scale**2)
    return frame


def write_crf(member: dict, masks: dict, path, keywords: dict, options=None) -> None:
    """Write the member with a DQ of bits for every frame; outliers have ``simple.outlier_bit``.

    It replaces the DQ of the file, or appends one (EXTNAME as in ``simple.dq``; EXTVER of the image, or the
    frame's number if two images have the same EXTVER). Flags of a separate file are included as bits, so that
    the crf is complete by itself. The image stays as it is: ``flux_scale`` is not applied. Every other data
    unit keeps its bytes.

    Parameters
    ----------
    masks : dict
        extver -> bool (ny, nx), True at outliers.
    keywords : dict
        keyword -> (value, comment). ``BKG*`` go to the image's header (a value may be a dict extver ->
        value), others to the primary header.
    """
    from drizzleflow.io import fits_copy
    from drizzleflow.io.fits import image_header, open_fits

    options = _settings(options)
    source = member["path"]
    bit = np.uint32(options["outlier_bit"])
    name = options["dq"] if isinstance(options["dq"], str) else "DQ"
    changes, append = {}, []
    with open_fits(source) as hdus:
        indices = images(hdus, options["sci"], source)
        for extver, index in enumerate(indices, start=1):
            shape = shape_of(hdus[index].header, source, index)
            mask = masks.get(extver)
            if mask is not None and mask.shape != shape:
                raise InputError(f"{source}[{index}]: mask of shape {mask.shape}, expected {shape}")
            ivar = _inverse_variance(member, hdus, indices, extver, shape, options)
            dq = _flags(member, hdus, indices, extver, shape, options, ivar)
            dq = np.zeros(shape, np.uint32) if dq is None else dq
            if mask is not None:
                dq[mask] |= bit
            changes[index, extver] = {"cards": fits_copy.sci_cards(keywords, extver)}
            found = companion(hdus, options["dq"], indices, extver)
            if found is not None:
                changes[found, extver] = {"data": dq, "cards": [BITS_CARD]}
            else:
                append.append(
                    (image_header(dq, name, extver=version(hdus, indices, extver), cards=[BITS_CARD]), dq)
                )
    fits_copy.write(
        source, os.fspath(path), changes, primary_cards=fits_copy.primary_cards(keywords), append=append
    )


def _settings(options) -> dict:
    return DEFAULTS | (options or {})


def _inverse_variance(member, hdus, indices, extver, shape, options) -> np.ndarray | None:
    from drizzleflow.io.fits import plane

    path = member["path"]
    if member.get("ivar"):
        ivar = beside(member["ivar"], hdus, indices, extver, shape, "ivar")
    else:
        if companion(hdus, options["err"], indices, extver) is not None:
            return None
        found = companion(hdus, options["ivar"], indices, extver)
        if found is None:
            return None
        ivar = in_shape(plane(hdus, found, None, path), shape, path, found)
    return np.ascontiguousarray(ivar, dtype=np.float32)


def _stated_error(hdus, indices, extver, shape, options, path, ivar) -> np.ndarray | None:
    """Return a frame's standard deviations, of its inverse variance or as they are in the file."""
    from drizzleflow.io.fits import plane

    if ivar is not None:
        sigma = np.full(shape, np.nan, np.float32)
        good = _has_weight(ivar)
        sigma[good] = 1.0 / np.sqrt(ivar[good])
        return sigma
    found = companion(hdus, options["err"], indices, extver)
    return None if found is None else in_shape(plane(hdus, found, np.float32, path), shape, path, found)


def _has_weight(ivar) -> np.ndarray:
    return (ivar > 0) & np.isfinite(ivar)


def _flags(member, hdus, indices, extver, shape, options, ivar) -> np.ndarray | None:
    from drizzleflow.io.fits import plane

    path = member["path"]
    found = companion(hdus, options["dq"], indices, extver)
    ready = found is not None and hdus[found].header.get(BITS_CARD[0]) == BITS_CARD[1]
    if member.get("dq") and not ready:
        where, flags = member["dq"], beside(member["dq"], hdus, indices, extver, shape, "dq")
    elif found is not None:
        where, flags = f"{path}[{options['dq']}]", plane(hdus, found, None, path)
        flags = in_shape(flags, shape, path, found)
    else:
        where, flags = None, None
    if flags is not None:
        flags = from_codes(flags, where) if options["dq_codes"] and not ready else as_bits(flags, where)
    if ivar is not None:
        flags = np.zeros(shape, np.uint32) if flags is None else flags
        flags[~_has_weight(ivar)] |= np.uint32(NO_WEIGHT)
    return flags


def _scaled(data, scale) -> np.ndarray:
    return data if scale == 1.0 else data * np.float32(scale)


def _number(headers, keyword) -> float | None:
    """Return a keyword's number from the image's or primary header; for "A,B" the mean of those present."""
    if not keyword:
        return None
    values = []
    for key in str(keyword).split(","):
        value = number(next((h[key.strip()] for h in headers if key.strip() in h), None))
        if value is not None:
            values.append(value)
    return sum(values) / len(values) if values else None


def _flux_scale(path, headers, options, exptime) -> float | None:
    """Return the factor that ``simple.flux_scale`` gives a file; None: no factor."""
    asked = options["flux_scale"]
    if asked is None:
        return None
    if asked != "exptime":
        scale = _number(headers, asked)
        if not (scale and scale > 0):
            raise InputError(f"{path}: {asked} (simple.flux_scale) is {scale}, expected a number > 0")
        return scale
    if is_rate(unit := _text(headers, options["unit_keyword"])):
        raise InputError(
            f"{path}: its unit is {unit}, a rate already: simple.flux_scale exptime is for counts"
        )
    return 1.0 / exptime if exptime and exptime > 0 else None  # refused by the job that reads it


def _unit(headers, options) -> str:
    unit = _text(headers, options["unit_keyword"])
    return f"{unit or 'counts'}/s" if options["flux_scale"] == "exptime" else unit


def _text(headers, keyword) -> str:
    return next((text(h[keyword]) for h in headers if keyword and keyword in h), "")


def _open_wcs(path, index, shape) -> SkyWCS:
    from drizzleflow.geometry.fits_wcs import open_sky_wcs
    from drizzleflow.io.fits import open_fits

    with open_fits(path) as hdus:
        return open_sky_wcs(path, hdus, index, shape)
