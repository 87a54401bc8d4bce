"""Read and write HST calibrated images, ``_flt.fits`` and ``_flc.fits``; every chip is a frame.

Each chip has three HDUs, (SCI,n), (ERR,n) and (DQ,n). Its WCS is TAN-SIP with the lookup tables WCSDVARR
(NPOL) and D2IMARR. Other HDUs (WCSCORR, HDRLET, SAMP, TIME, ...) are neither read nor changed. Data stay in
the file's unit; ``Frame.rate_factor`` converts them to electrons/s.
"""

from __future__ import annotations

import os
import re

import numpy as np

from drizzleflow.arrays import dq as dq_bits
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.io.header import number, text

NAME, TITLE, PRIORITY = "hst", "HST", 1
SUFFIXES = ("_flt", "_flc", "_crf", "_c0m", "_c0f")
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
OUTLIER, OUTLIER_KEY = 4096, None
headers = None
UNITS = ("ELECTRONS", "ELECTRONS/S", "COUNTS", "COUNTS/S", "DN", "DN/S")
#: grisms and prisms of ACS and WFC3
DISPERSERS = re.compile(r"G(102|141|280|800L)|PR(110|130|200)L")
#: WFPC2 (Instrument Handbook): ATODGAIN -> by chip (DETECTOR), electrons per DN and read noise in electrons
WFPC2 = {
    7: {1: (7.12, 5.24), 2: (7.12, 5.51), 3: (6.90, 5.22), 4: (7.10, 5.19)},
    15: {1: (13.99, 7.02), 2: (14.50, 7.84), 3: (13.95, 6.99), 4: (13.95, 8.32)},
}


def recognise(header) -> bool:
    return text(header.get("TELESCOP")).upper() == "HST"


def describe(path, header, options=None) -> dict:
    """Return what the plan must know of a file; all its chips are one group, named by ROOTNAME."""
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
        for ver, shape in zip(chips, shapes, strict=True):
            for name in ("ERR", "DQ"):
                if (name, ver) in hdus:
                    expect_plane(hdus[name, ver], shape, path, flags=name == "DQ")
        errors = [hdus["ERR", ver].header if ("ERR", ver) in hdus else {} for ver in chips]
        has_err = all(found.get("NAXIS") or "PIXVALUE" in found for found in errors)
        exptime = number(header.get("EXPTIME", first.get("EXPTIME")))
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
        "exptime": exptime,
        "unit": text(first.get("BUNIT")),
        "dispersed": any(DISPERSERS.fullmatch(name) for name in _filter(header).upper().split("+")),
        "err": has_err,
    }


def read(member: dict, extver: int = 1, planes=("data", "dq"), options=None) -> Frame:
    """Read chip `extver` of a member.

    ``var['rnoise']`` is the square of the nominal read noise in the data's unit, if the header has it. HST
    files carry no variance planes.

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
        unit = text(sci.get("BUNIT"))
        if unit.upper() not in UNITS:
            raise InputError(f"{path}[SCI,{extver}]: BUNIT {unit!r}, expected one of {', '.join(UNITS)}")
        exptime = number(primary.get("EXPTIME", sci.get("EXPTIME")))
        gain, readnoise = _detector_noise(primary, sci)
        is_rate = unit.upper().endswith("/S")
        gain = 1.0 if unit.upper().startswith("ELECTRON") else gain
        seconds = exptime if exptime and exptime > 0 else None

        def get(name, dtype):
            if (name, hdus[index].ver) not in hdus:
                return None
            hdu = hdus[name, hdus[index].ver]
            if hdu.header["NAXIS"] == 0:  # HST writes a constant plane as a header with PIXVALUE
                if name == "DQ":
                    return np.full(shape, int(hdu.header.get("PIXVALUE", 0)) & dq_bits.ALL, np.uint32)
                value = hdu.header.get("PIXVALUE")
                return None if value is None else np.full(shape, value, dtype)
            if hdu.shape != shape:
                raise InputError(f"{path}[{name},{extver}]: shape {hdu.shape}, expected {shape} as SCI has")
            return plane(hdus, (name, hdus[index].ver), dtype, path)

        dq = get("DQ", None) if "dq" in planes else None
        if dq is not None:
            dq = dq_bits.as_bits(dq, f"{path}[DQ,{extver}]")
            if "S_OUTLIR" not in primary:  # old outlier bits are cleared, as by AstroDrizzle's resetbits=4096
                dq &= ~np.uint32(OUTLIER)
        frame = Frame(
            member=member["member"],
            extver=extver,
            group=member["group"],
            shape=shape,
            data=plane(hdus, index, np.float32, path) if "data" in planes else None,
            err=get("ERR", np.float32) if "err" in planes else None,
            dq=dq,
            unit=unit,
            exposure_time=exptime,
            start_time=number(primary.get("EXPSTART")),
            end_time=number(primary.get("EXPEND")),
            level=number(sci.get("MDRIZSKY")),
            subtracted=False if "MDRIZSKY" in sci else None,
            gain=gain,
            readnoise=readnoise,
            cte_dir=cte_direction(
                text(primary.get("INSTRUME")),
                text(primary.get("DETECTOR")),
                int(number(sci.get("CCDCHIP")) or 0),
                text(primary.get("CCDAMP")),
            ),
            chip=text(sci.get("CCDCHIP", sci.get("DETECTOR", extver))) or str(extver),
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
    """Write the member with bit 4096 set in DQ at the outliers; every other data unit keeps its bytes.

    Parameters
    ----------
    masks : dict
        extver -> bool (ny, nx), True at outliers. Chips without a mask stay as they are.
    keywords : dict
        keyword -> (value, comment). ``BKG*`` go to SCI (a value may be a dict extver -> value), others to the
        primary header.
    """
    from drizzleflow.io import fits_copy
    from drizzleflow.io.fits import image_header, open_fits, plane

    source = member["path"]
    changes, append = {}, []
    with open_fits(source) as hdus:
        chips = _chips(hdus, source)
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
            has_dq = ("DQ", ver) in hdus
            constant = has_dq and hdus["DQ", ver].header["NAXIS"] == 0
            if has_dq and not constant:
                dq = np.array(plane(hdus, ("DQ", ver), None, source))
                dq = dq.astype(dq.dtype.newbyteorder("="))
            else:
                dq = np.full(shape, hdus["DQ", ver].header.get("PIXVALUE", 0) if has_dq else 0, np.int16)
            if "S_OUTLIR" not in hdus[0].header:
                dq &= ~dq.dtype.type(OUTLIER)
            dq[masks[extver]] |= dq.dtype.type(OUTLIER)
            if has_dq:
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
        extver -> (float32 SCI, int16 DQ), as `drizzleflow.outliers.driz_cr.clean` returns them.
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


def _chips(hdus, path) -> dict[int, int]:
    """Map EXTVER to the HDU index of each SCI extension with an image, in order of EXTVER."""
    found = {
        h.ver: i for i, h in enumerate(hdus) if h.name == "SCI" and h.is_image and h.header["NAXIS"] >= 2
    }
    if not found:
        raise InputError(
            f"{path}: no SCI extension with an image; an HST member is a calibrated image (_flt or _flc)"
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


def mean_of(header, keys) -> float | None:
    """Return the mean of a keyword over the amplifiers in use; unused ones have the value 0."""
    values = [v for v in (number(header.get(key)) for key in keys) if v]
    return sum(values) / len(values) if values else None


def _detector_noise(primary, sci) -> tuple[float, float | None]:
    """Return (electrons per DN, read noise in electrons) of a chip."""
    instrument = text(primary.get("INSTRUME")).upper()
    if instrument == "WFPC2":
        table = WFPC2.get(int(number(primary.get("ATODGAIN")) or 0), {})
        gain, readnoise = table.get(int(number(sci.get("DETECTOR")) or 0), (None, None))
    else:
        gain = mean_of(primary, [f"ATODGN{a}" for a in "ABCD"]) or mean_of(primary, ["ATODGAIN", "ADCGAIN"])
        readnoise = mean_of(primary, [f"READNSE{a}" for a in "ABCD"]) or mean_of(primary, ["READNSE"])
    return gain or 1.0, readnoise


def _filter(header) -> str:
    """Return FILTER, or the filters other than CLEAR in FILTER1/2 (ACS) or FILTNAM1/2 (WFPC2)."""
    names = [text(header.get(key)) for key in ("FILTER", "FILTER1", "FILTER2", "FILTNAM1", "FILTNAM2")]
    return "+".join(name for name in names if name and not name.upper().startswith("CLEAR"))


def cte_direction(instrument: str, detector: str, chip: int, amps: str = "") -> int:
    """Return on which side charge trails lie, as `cte_dir` of `drizzleflow.outliers.driz_cr.driz_cr`.

    Parameters
    ----------
    instrument, detector : str
        INSTRUME and DETECTOR.
    chip : int
        CCDCHIP. The trails of ACS/WFC and WFC3/UVIS point away from the amplifiers: chip 1 is read out at its
        top, chip 2 at its bottom. (AstroDrizzle uses the number of the extension: the same in a file of both
        chips, wrong in a subarray of chip 1.)
    amps : str
        CCDAMP; used for ACS/HRC. The direction is 0 if amplifiers on both sides were read.
    """
    instrument, detector = str(instrument).strip().upper(), str(detector).strip().upper()
    if detector in ("WFC", "UVIS"):
        return {1: 1, 2: -1}.get(int(chip), 0)
    if detector == "HRC":
        letters = set(str(amps).strip().upper())
        top, bottom = bool(letters & set("AB")), bool(letters & set("CD"))
        return int(top) - int(bottom)
    if instrument == "WFPC2":
        return -1
    if instrument == "STIS" and detector == "CCD":
        return 1
    return 0


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
