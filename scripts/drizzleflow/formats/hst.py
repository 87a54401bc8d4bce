"""Read and write HST calibrated images, ``_flt.fits``, ``_flc.fits`` and ``_c0m.fits``; each chip is a frame.

Each chip has three HDUs, (SCI,n), (ERR,n) and (DQ,n); WFPC2's ``_c0m.fits`` has SCI alone, and its flags are
in ``_c1m.fits`` beside it. The WCS is TAN-SIP with the lookup tables WCSDVARR (NPOL) and D2IMARR. Other HDUs
(WCSCORR, HDRLET, SAMP, TIME, ...) are neither read nor changed. Data stay in the file's unit;
``Frame.rate_factor`` converts them to electrons/s. `drizzleflow.frames.hst_detectors` knows the instruments.
"""

from __future__ import annotations

import os
import re

import numpy as np

from drizzleflow.arrays import dq as dq_bits
from drizzleflow.errors import InputError
from drizzleflow.frames import hst_detectors
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.frames.groups import group_of
from drizzleflow.io import wfpc2_flags
from drizzleflow.io.fits_images import all_images
from drizzleflow.io.header import number, text

NAME, TITLE, PRIORITY = "hst", "HST", 1
SUFFIXES = ("_flt", "_flc", "_crf", "_crj", "_crc", "_c0m", "_c0f")
ENDING = "fits"
ROADS = None
HAS_GWCS, READS_ROWS, TAKES_COMPANIONS, ERR_ALONE = False, False, False, True
MEMORY = {
    "sky_overlaps": 31,
    "sky_cells": 73,
    "static_mask": 16,
    "single_drizzle": 36,
    "crmask": 67,
    "crclean": 52,
    "mosaic": 75,
}
#: HST data-quality bits (ACS and WFC3 handbooks; instruments differ in a few) that a user may name
DQ_FLAGS = {
    "LOST": 1, "FILLED": 2, "BADPIX": 4, "MASKED": 8, "HOT": 16, "UNSTABLE": 32, "WARM": 64, "BADBIAS": 128,
    "FULLWELL": 256, "BADFLAT": 512, "TRAP": 1024, "ATODSAT": 2048, "OUTLIER": 4096, "CRREJ": 8192,
    "GHOST": 16384,
}  # fmt: skip
GOOD_BITS = {"single": 0, "mosaic": 0}
SKY_BITS = 0
SKYMETHOD, SATURATED = "match", DQ_FLAGS["FULLWELL"] | DQ_FLAGS["ATODSAT"]
DETECTORS_APART = True
TAKES_BITS = True
SETTINGS = {"input": ["inputs: resetbits"], "copy": ["crmask: crbit"]}
OUTLIER, OUTLIER_KEY = 4096, "crbit"
headers = None
UNITS = ("ELECTRONS", "ELECTRONS/S", "COUNTS", "COUNTS/S", "DN", "DN/S")
#: grisms and prisms of ACS and WFC3
DISPERSERS = re.compile(r"G(102|141|280|800L)|PR(110|130|200)L")


def recognise(header) -> bool:
    telescope = text(header.get("TELESCOP")).upper()
    return telescope == "HST" or (not telescope and hst_detectors.instrument_of(header) == "WFPC2")


def describe(path, header, options=None) -> dict:
    """Return what the plan must know of a file; all its chips are one group, named by ROOTNAME.

    ``dq`` is the file with WFPC2's flags; the imsets of a STIS file are ``apart``, groups of their own.
    """
    from drizzleflow.io.fits import expect_once, expect_plane, open_fits

    with open_fits(path) as hdus:
        expect_once(hdus, ("SCI", "ERR", "DQ"), path)
        chips = _chips(hdus, path)
        first = hdus[next(iter(chips.values()))].header
        if len(chips) > 1 and "SAMPNUM" in first:
            raise InputError(
                f"{path}: its {len(chips)} SCI extensions are the reads of one ramp (an _ima file), not chips; "
                "expected the calibrated image, _flt"
            )
        shapes = [_shape(hdus[index].header, path, index) for index in chips.values()]
        _expect_image(header, path)
        for ver, shape in zip(chips, shapes, strict=True):
            for name in ("ERR", "DQ"):
                if (name, ver) in hdus:
                    expect_plane(hdus[name, ver], shape, path, flags=name == "DQ")
        errors = [hdus["ERR", ver].header if ("ERR", ver) in hdus else {} for ver in chips]
        has_err = all(found.get("NAXIS") or "PIXVALUE" in found for found in errors)
        headers = [hdus[index].header for index in chips.values()]
        beside = None
        if hst_detectors.instrument_of(header) == "WFPC2":
            _expect_known_noise(header, headers, path)
            has_err, beside = True, None if "DQ" in hdus else wfpc2_flags.beside(path, chips, shapes)
        apart = hst_detectors.exposed_apart(header, len(chips))
        seconds = [hst_detectors.times(header, sci)[0] for sci in (headers if apart else headers[:1])]
    rootname = re.sub(r"[^A-Za-z0-9._+-]", "_", text(header.get("ROOTNAME")).lower())
    return {
        "group": rootname or None,
        "nframes": len(chips),
        "cube": False,
        "nx": max(nx for _, nx in shapes),
        "ny": max(ny for ny, _ in shapes),
        "instrument": text(header.get("INSTRUME")),
        "detector": text(header.get("DETECTOR")),
        "exp_type": text(header.get("OBSTYPE")),
        "filter": _filter(header),
        "exptime": None if None in seconds else sum(seconds),
        "unit": text(first.get("BUNIT")),
        "dispersed": any(DISPERSERS.fullmatch(name) for name in _filter(header).upper().split("+")),
        "err": has_err,
        "dq": beside,
        "apart": apart,
    }


def read(member: dict, extver: int = 1, planes=("data", "dq"), options=None) -> Frame:
    """Read chip `extver` of a member.

    ``var['rnoise']`` is the square of the nominal read noise in the data's unit, if the header has it. HST
    files carry no variance planes. WFPC2's ``err`` is computed from gain and read noise. Of `options`
    ``resetbits`` counts.

    Raises
    ------
    InputError
        A plane is missing or has another shape than SCI, or BUNIT is not in electrons or counts.
    """
    from drizzleflow.io.fits import open_fits, plane

    path = member["path"]
    with open_fits(path) as hdus:
        index = _index(_chips(hdus, path), extver, path)
        primary, sci = hdus[0].header, hdus[index].header
        shape = _shape(sci, path, index)
        instrument = hst_detectors.instrument_of(primary)
        unit = text(sci.get("BUNIT")) or ("COUNTS" if instrument == "WFPC2" else "")
        if unit.upper() not in UNITS:
            raise InputError(f"{path}[SCI,{extver}]: BUNIT {unit!r}, expected one of {', '.join(UNITS)}")
        exptime, start, end = hst_detectors.times(primary, sci)
        gain, readnoise = hst_detectors.gain_and_readnoise(primary, sci)
        is_rate = unit.upper().endswith("/S")
        gain = 1.0 if unit.upper().startswith("ELECTRON") else gain
        seconds = exptime if exptime and exptime > 0 else None

        def get(name, dtype):
            if (name, hdus[index].ver) not in hdus:
                return None
            hdu = hdus[name, hdus[index].ver]
            if hdu.header["NAXIS"] == 0:  # HST writes a constant plane as a header with PIXVALUE
                value = hdu.header.get("PIXVALUE")
                return None if value is None else np.full(shape, value, dtype)
            if hdu.shape != shape:
                raise InputError(f"{path}[{name},{extver}]: shape {hdu.shape}, expected {shape} as SCI has")
            return plane(hdus, (name, hdus[index].ver), dtype, path)

        data = plane(hdus, index, np.float32, path) if "data" in planes else None
        err = None
        if "err" in planes and hst_detectors.has_own_error(primary):
            err = get("ERR", np.float32)
        elif "err" in planes and readnoise:
            counts = plane(hdus, index, np.float32, path) if data is None else data
            err = hst_detectors.error_of(counts, gain * (seconds or 1.0 if is_rate else 1.0), readnoise)
        dq = _flags(member, hdus, hdus[index].ver, extver, shape) if "dq" in planes else None
        if dq is not None:
            dq &= ~np.uint32(_cleared(primary, options))
        frame = Frame(
            member=member["member"],
            extver=extver,
            group=group_of(member, extver),
            shape=shape,
            data=data,
            err=err,
            dq=dq,
            unit=unit,
            exposure_time=exptime,
            start_time=start,
            end_time=end,
            level=number(sci.get("MDRIZSKY")),
            subtracted=False if "MDRIZSKY" in sci else None,
            gain=gain,
            readnoise=readnoise,
            cte_dir=hst_detectors.cte_direction(
                instrument,
                text(primary.get("DETECTOR")),
                int(number(sci.get("CCDCHIP")) or 0),
                text(primary.get("CCDAMP")),
            ),
            chip=text(sci.get("CCDCHIP", sci.get("DETECTOR", "1" if member.get("apart") else extver)))
            or str(extver),
            pixelarea_steradians=_pixel_area(sci),
            s_region=text(sci.get("S_REGION")) or None,
            open_wcs=lambda: _open_wcs(path, extver, shape),
            meta={"primary": primary, "sci": sci},
        )
    if is_rate or seconds:
        frame.rate_factor, frame.product_unit = gain / (1.0 if is_rate else seconds), "ELECTRONS/S"
    frame.per_pixel = True
    if "var" in planes and readnoise and (seconds or not is_rate):
        sigma = readnoise / gain / (seconds if is_rate else 1.0)
        frame.var = {"rnoise": np.full(shape, sigma**2, np.float32)}
    return frame


def write_crf(member: dict, masks: dict, path, keywords: dict, options=None) -> None:
    """Write the member with its outliers flagged in DQ; every other data unit keeps its bytes.

    They have bit 4096, or ``crbit`` of `options`; the bits of ``resetbits`` are cleared first. Flags of another
    file (WFPC2) are in the copy.

    Parameters
    ----------
    masks : dict
        extver -> bool (ny, nx), True at outliers. Chips without a mask stay as they are.
    keywords : dict
        keyword -> (value, comment). ``BKG*`` go to SCI (a value may be a dict extver -> value), others to the
        primary header.
    """
    from drizzleflow.io import fits_copy
    from drizzleflow.io.fits import image_header, open_fits

    source, chosen = member["path"], (options or {}).get("crbit", "auto")
    bit = OUTLIER if chosen == "auto" else int(chosen)
    changes, append = {}, []
    with open_fits(source) as hdus:
        chips, cleared = _chips(hdus, source), _cleared(hdus[0].header, options)
        for extver, index in enumerate(chips.values(), start=1):
            ver = hdus[index].ver
            shape = _shape(hdus[index].header, source, index)
            changes[index, ver] = {"cards": fits_copy.sci_cards(keywords, extver)}
            if extver not in masks:
                continue
            if masks[extver].shape != shape:
                raise InputError(
                    f"{source}[SCI,{extver}]: mask of shape {masks[extver].shape}, expected {shape}"
                )
            stored = _stored_flags(member, hdus, ver, extver, shape)
            dq = np.zeros(shape, np.int16) if stored is None else stored
            dq = dq_bits.flagged(dq, masks[extver], bit, cleared, f"{source}[DQ,{extver}]")
            if ("DQ", ver) in hdus:
                changes["DQ", ver] = {"data": dq}
            else:
                append.append((image_header(dq, "DQ", extver=ver), dq))
    fits_copy.write(
        source, os.fspath(path), changes, primary_cards=fits_copy.primary_cards(keywords), append=append
    )


def write_clean(member: dict, images: dict, path, keywords: dict | None = None) -> None:
    """Write the member with SCI and DQ replaced, as AstroDrizzle's ``_crclean.fits``.

    Every other data unit keeps its bytes.

    Parameters
    ----------
    images : dict
        extver -> (float32 SCI, integer DQ), as `drizzleflow.outliers.driz_cr.clean` returns them.
    keywords : dict, optional
        keyword -> (value, comment) for the primary header.
    """
    from drizzleflow.io import fits_copy
    from drizzleflow.io.fits import open_fits

    with open_fits(member["path"]) as hdus:
        versions = [hdus[index].ver for index in _chips(hdus, member["path"]).values()]
        changes = {}
        for ver, (data, dq) in zip(versions, images.values(), strict=True):
            changes["SCI", ver] = {"data": data}
            if ("DQ", ver) in hdus and hdus["DQ", ver].header["NAXIS"]:
                changes["DQ", ver] = {"data": dq}
    fits_copy.write(
        member["path"], os.fspath(path), changes, primary_cards=fits_copy.primary_cards(keywords or {})
    )


def _cleared(primary, options) -> int:
    """Return the DQ bits that are cleared as a file is read, as by AstroDrizzle's ``resetbits``.

    They are flags of an earlier run, found anew here. A copy that was flagged here keeps its own.
    """
    if "S_OUTLIR" in primary:
        return 0
    chosen = (options or {}).get("resetbits", "auto")
    if chosen == "auto":
        return OUTLIER
    try:
        return dq_bits.good_mask_value(chosen, DQ_FLAGS)
    except InputError as error:
        raise InputError(f"configuration: inputs.resetbits{str(error).removeprefix('good_bits')}") from None


def _stored_flags(member, hdus, ver, extver, shape) -> np.ndarray | None:
    """Return the flags of frame `extver` in their own type, from the file or from the one beside it."""
    from drizzleflow.io.fits import plane

    path = member["path"]
    if ("DQ", ver) in hdus:
        hdu = hdus["DQ", ver]
        if hdu.header["NAXIS"] == 0:  # a constant plane
            value = int(hdu.header.get("PIXVALUE", 0))
            return np.full(shape, value, np.int16 if -0x8000 <= value < 0x8000 else np.int64)
        if hdu.shape != shape:
            raise InputError(f"{path}[DQ,{extver}]: shape {hdu.shape}, expected {shape} as SCI has")
        return plane(hdus, ("DQ", ver), None, path)
    if not member.get("dq"):
        return None
    return wfpc2_flags.read(member["dq"], ver, shape, path)


def _flags(member, hdus, ver, extver, shape) -> np.ndarray | None:
    stored = _stored_flags(member, hdus, ver, extver, shape)
    return None if stored is None else dq_bits.as_bits(stored, f"{member['path']}[DQ,{extver}]")


def _expect_known_noise(primary, headers, path) -> None:
    """Raise InputError unless gain and read noise of all chips of WFPC2, and so its errors, are known."""
    for sci in headers:
        if hst_detectors.gain_and_readnoise(primary, sci)[1] is None:
            raise InputError(
                f"{path}: ATODGAIN {primary.get('ATODGAIN')} and DETECTOR {sci.get('DETECTOR')} of a chip, "
                "expected 7 or 15 and 1 to 4, of which WFPC2's gain and read noise are known"
            )


def _expect_image(header, path) -> None:
    if (
        hst_detectors.instrument_of(header) == "STIS"
        and text(header.get("OBSTYPE")).upper() == "SPECTROSCOPIC"
    ):
        raise InputError(
            f"{path}: a STIS spectrum (OPT_ELEM {text(header.get('OPT_ELEM')) or 'unknown'}), expected an image "
            "(MIRVIS, MIRCUV ...); take it out of the association"
        )


def _chips(hdus, path) -> dict[int, int]:
    """Map EXTVER to the HDU index of each SCI extension with an image, in order of EXTVER."""
    found = {hdus[i].ver: i for i in all_images(hdus) if hdus[i].name == "SCI"}
    if not found:
        raise InputError(
            f"{path}: no SCI extension with an image; an HST member is a calibrated image (_flt, _flc or WFPC2's _c0m)"
        )
    return dict(sorted(found.items()))


def _index(chips, extver, path) -> int:
    if not 1 <= extver <= len(chips):
        raise InputError(f"{path}: no frame {extver}; the file has {len(chips)} SCI extension(s)")
    return list(chips.values())[extver - 1]


def _shape(header, path, index) -> tuple[int, int]:
    if header["NAXIS"] != 2:
        raise InputError(f"{path}[{index}]: SCI has {header['NAXIS']} dimensions, expected an image (2)")
    if not header["NAXIS1"] * header["NAXIS2"]:
        raise InputError(
            f"{path}[{index}]: {header['NAXIS1']} x {header['NAXIS2']} pixels; expected an image"
        )
    return header["NAXIS2"], header["NAXIS1"]


def _filter(header) -> str:
    """Return FILTER, or the filters other than CLEAR in FILTER1/2 (ACS) or FILTNAM1/2 (WFPC2)."""
    names = [text(header.get(key)) for key in ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2")]
    return "+".join(name for name in names if name and not name.upper().startswith("CLEAR"))


def _pixel_area(sci) -> float | None:
    """Return the solid angle (sr) of the pixel that the flat fields refer to.

    It is IDCSCALE squared, one value for all chips, or else the area by the WCS's linear terms.

    The chips of ACS/WFC differ by 5 % in area on the sky; their flat fields are made so that the sky has one
    value on both.
    """
    from drizzleflow.geometry.fits_wcs import nominal_pixel_area

    scale = number(sci.get("IDCSCALE"))
    return float(np.radians(scale / 3600) ** 2) if scale else nominal_pixel_area(sci)


def _open_wcs(path, extver, shape) -> SkyWCS:
    from drizzleflow.geometry.fits_wcs import open_sky_wcs
    from drizzleflow.io.fits import open_fits

    with open_fits(path) as hdus:
        return open_sky_wcs(path, hdus, _index(_chips(hdus, path), extver, path), shape)
