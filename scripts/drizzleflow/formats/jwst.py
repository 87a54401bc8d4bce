"""Read and write JWST calibrated images: ``_cal.fits``, and ``_calints.fits`` cubes.

Each integration of a cube is a frame.

The HDUs are SCI, ERR, DQ, VAR_POISSON, VAR_RNOISE, VAR_FLAT and the ASDF extension with the GWCS. The latter
is opened with asdf and gwcs only when exact coordinates are needed. Keywords are those of the JWST keyword
dictionary.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial

import numpy as np

from drizzleflow.arrays.dq import as_bits
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.frames.variances import variances_from_err
from drizzleflow.io.header import number, text

NAME, TITLE, PRIORITY = "jwst", "JWST", 1
SUFFIXES = ("_cal", "_calints", "_crf", "_crfints", "_rate", "_rateints", "_tweakreg", "_skymatch", "_match")
ENDING = "fits"
#: exposure types that jwst.outlier_detection lists, and how each is processed; others are refused
ROADS = {
    **dict.fromkeys(("NRC_IMAGE", "MIR_IMAGE", "NRS_IMAGE", "NIS_IMAGE", "FGS_IMAGE"), "imaging"),
    **dict.fromkeys(("NRC_CORON", "MIR_LYOT", "MIR_4QPM"), "coron"),
    **dict.fromkeys(("NRS_IFU", "MIR_MRS"), "ifu"),
    **dict.fromkeys(("NIS_SOSS", "MIR_LRS-SLITLESS", "NRC_TSGRISM", "NRS_BRIGHTOBJ", "NRC_TSIMAGE"), "tso"),
}
HAS_GWCS, READS_ROWS, TAKES_COMPANIONS, ERR_ALONE = True, True, False, False
MEMORY = {
    "sky_overlaps": 29,
    "sky_cells": 68,
    "static_mask": 20,
    "single_drizzle": 18,
    "crmask": 80,
    "mosaic": 63,
}
#: JWST data-quality flags (bit values) that a user may name
DQ_FLAGS = {
    "DO_NOT_USE": 1, "SATURATED": 2, "JUMP_DET": 4, "DROPOUT": 8, "OUTLIER": 16, "PERSISTENCE": 32, "AD_FLOOR": 64,
    "CHARGELOSS": 128, "UNRELIABLE_ERROR": 256, "NON_SCIENCE": 512, "DEAD": 1024, "HOT": 2048, "WARM": 4096,
    "LOW_QE": 8192, "RC": 16384, "TELEGRAPH": 32768, "NONLINEAR": 65536, "BAD_REF_PIXEL": 131072,
    "NO_FLAT_FIELD": 262144, "NO_GAIN_VALUE": 524288, "NO_LIN_CORR": 1048576, "NO_SAT_CHECK": 2097152,
    "UNRELIABLE_BIAS": 4194304, "UNRELIABLE_DARK": 8388608, "UNRELIABLE_SLOPE": 16777216,
    "UNRELIABLE_FLAT": 33554432, "OPEN": 67108864, "ADJ_OPEN": 134217728, "FLUX_ESTIMATED": 268435456,
    "MSA_FAILED_OPEN": 536870912, "OTHER_BAD_PIXEL": 1073741824, "REFERENCE_PIXEL": 2147483648,
}  # fmt: skip
GOOD_BITS = {"single": "~DO_NOT_USE", "mosaic": "~DO_NOT_USE+NON_SCIENCE"}
SKY_BITS = "~DO_NOT_USE+NON_SCIENCE"
SKYMETHOD, SATURATED = "match", DQ_FLAGS["SATURATED"]
DETECTORS_APART = False
#: beginnings of the filters that spread light into a spectrum: grisms and MIRI's prism
DISPERSERS = ("GR", "P750L")
DO_NOT_USE, OUTLIER_FLAG = 1, 16
TAKES_BITS = False
SETTINGS: dict[str, list[str]] = {}
OUTLIER, OUTLIER_KEY = DO_NOT_USE | OUTLIER_FLAG, None
VARIANCES = {"rnoise": "VAR_RNOISE", "poisson": "VAR_POISSON", "flat": "VAR_FLAT"}
write_clean = headers = None


def recognise(header) -> bool:
    return text(header.get("TELESCOP")).upper() == "JWST"


def group_id(header) -> str | None:
    """Return the exposure that a file belongs to, the same for all detectors; None if keywords are missing.

    Source: the naming convention of JWST files, ``jw<program><observation><visit>_<visit
    group><sequence><activity>_<exposure>``.
    """
    widths = {"PROGRAM": 5, "OBSERVTN": 3, "VISIT": 3, "VISITGRP": 2, "SEQ_ID": 1, "ACT_ID": 2, "EXPOSURE": 5}
    values = [text(header.get(key)) for key in widths]
    if not all(values):
        return None
    parts = [value.zfill(width) for value, width in zip(values, widths.values(), strict=True)]
    return f"jw{parts[0]}{parts[1]}{parts[2]}_{parts[3]}{parts[4]}{parts[5]}_{parts[6]}"


def describe(path, header, options=None) -> dict:
    """Return what the plan must know of a file: identity, group, number and size of the frames."""
    from drizzleflow.io.fits import expect_once, expect_plane, open_fits

    with open_fits(path) as hdus:
        expect_once(hdus, ("SCI", "ERR", "DQ", "ASDF", *VARIANCES.values()), path)
        if "SCI" not in hdus:
            raise InputError(
                f"{path}: no SCI extension; a JWST member is a calibrated image (_cal or _calints)"
            )
        sci = hdus["SCI"].header
        naxis = sci["NAXIS"] if hdus["SCI"].is_image else 0
        if naxis not in (2, 3):
            raise InputError(
                f"{path}[SCI]: {naxis} dimensions; expected an image (2) or a cube of integrations (3)"
            )
        nframes = sci["NAXIS3"] if naxis == 3 else 1
        nx, ny = sci["NAXIS1"], sci["NAXIS2"]
        if not nframes * nx * ny:
            raise InputError(f"{path}[SCI]: {nx} x {ny} pixels; expected an image")
        has_err, odd = "ERR" in hdus, None
        for name in ("ERR", "DQ", *VARIANCES.values()):
            if name not in hdus:
                continue
            # one plane of flags may be for all integrations of a cube
            one = naxis == 2 or hdus[name].header["NAXIS"] == 2
            try:
                expect_plane(hdus[name], (ny, nx) if one else (nframes, ny, nx), path, flags=name == "DQ")
            except InputError as error:
                # the variances of MIRI's coronagraphic cubes are not trimmed: inputs.variances says what then
                if name in ("ERR", "DQ") or not has_err:
                    raise
                odd = odd or str(error)
    return {
        "group": group_id(header),
        "nframes": int(nframes),
        "cube": naxis == 3,
        "nx": int(nx),
        "ny": int(ny),
        "instrument": text(header.get("INSTRUME")),
        "detector": text(header.get("DETECTOR")),
        "exp_type": text(header.get("EXP_TYPE")),
        "filter": _filter(header),
        "exptime": number(header.get("EFFEXPTM")),
        "unit": text(sci.get("BUNIT")),
        "dispersed": any(text(header.get(key)).upper().startswith(DISPERSERS) for key in ("FILTER", "PUPIL")),
        "odd_variances": odd,
        "err": has_err,
    }


def _filter(header) -> str:
    """Return the filter, which may be in either of two wheels; both where both have one, ``F150W2+F162M``."""
    names = [text(header.get(key)) for key in ("FILTER", "PUPIL")]
    return "+".join(name for name in names if re.match(r"F\d|GR", name)) or names[0]


def read(member: dict, extver: int = 1, planes=("data", "dq"), options=None, rows=None) -> Frame:
    """Read frame `extver` of a member; in a cube, integration `extver` (1-based).

    With `rows` (first, end) only these rows are read.

    Raises
    ------
    InputError
        A plane is missing, or its shape is not that of SCI.
    """
    from drizzleflow.io.fits import open_fits, plane

    path = member["path"]
    index = extver - 1 if member["cube"] else None
    with open_fits(path) as hdus:
        primary, sci = hdus[0].header, hdus["SCI"].header
        shape = (sci["NAXIS2"], sci["NAXIS1"])

        def get(name, dtype):
            if name not in hdus:
                return None
            actual = hdus[name].shape
            if actual[-2:] != shape:
                raise InputError(f"{path}[{name}]: shape {actual}, expected {shape} as SCI has")
            return plane(hdus, name, dtype, path, index if len(actual) == 3 else None, rows)

        level = number(sci.get("BKGLEVEL", primary.get("BKGLEVEL")))
        subtracted = sci.get("BKGSUB", primary.get("BKGSUB"))
        frame = Frame(
            member=member["member"],
            extver=extver,
            group=member["group"],
            shape=shape,
            data=get("SCI", np.float32) if "data" in planes else None,
            err=get("ERR", np.float32) if "err" in planes else None,
            dq=_bits(get("DQ", None), path) if "dq" in planes else None,
            unit=text(sci.get("BUNIT")),
            exposure_time=number(primary.get("EFFEXPTM")),
            measurement_time=number(primary.get("TMEASURE")),
            duration=number(primary.get("DURATION")),
            start_time=number(primary.get("EXPSTART")),
            end_time=number(primary.get("EXPEND")),
            level=level,
            subtracted=subtracted if isinstance(subtracted, bool) else None,
            pixelarea_steradians=number(sci.get("PIXAR_SR", primary.get("PIXAR_SR"))),
            s_region=text(sci.get("S_REGION")) or None,
            open_wcs=lambda: _open_wcs(path, shape),
        )
        if "var" in planes:
            if member.get("odd_variances"):  # ERR stands for them; its background needs the whole frame
                whole = replace(frame, err=plane(hdus, "ERR", np.float32, path, index))
                variances_from_err(whole)
                frame.var = (whole if rows is None else whole.cut(rows)).var
            else:
                frame.var = {key: get(name, np.float32) for key, name in VARIANCES.items() if name in hdus}
    return frame


def _bits(flags, path):
    return None if flags is None else as_bits(flags, f"{path}[DQ]")


def _open_wcs(path, shape) -> SkyWCS:
    from drizzleflow.geometry.gwcs_wcs import from_gwcs
    from drizzleflow.io.asdf_trees import read_tree
    from drizzleflow.io.fits import open_fits

    with open_fits(path) as hdus:
        if "ASDF" not in hdus:
            raise InputError(
                f"{path}: no ASDF extension; expected the GWCS of the JWST pipeline's assign_wcs"
            )
        try:
            content = hdus["ASDF"].data[0][0].tobytes()
        except Exception as error:  # the file is cut short
            raise InputError(f"{path}[ASDF]: cannot be read ({error})") from None
    try:
        meta = read_tree(content, f"{path}[ASDF]")["meta"]
        wcs, wcsinfo = meta["wcs"], dict(meta.get("wcsinfo") or {})
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}[ASDF]: no readable GWCS at meta.wcs ({error})") from None
    if not callable(wcs):
        raise InputError(
            f"{path}[ASDF]: no GWCS at meta.wcs ({type(wcs).__name__}), expected that of assign_wcs"
        )
    try:
        return from_gwcs(wcs, shape, wcsinfo)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path}[ASDF]: meta.wcs or meta.wcsinfo cannot be used ({error})") from None


def write_crf(member: dict, masks: dict, path, keywords: dict, options=None) -> None:
    """Write the member with DO_NOT_USE and OUTLIER set in DQ at outliers, and NaN at invalid pixels.

    A pixel that is NaN in SCI, ERR or any VAR, or DO_NOT_USE in DQ, becomes NaN in all planes and DO_NOT_USE
    in DQ, as in the products of the JWST pipeline. Every other HDU keeps its bytes.

    Parameters
    ----------
    masks : dict
        extver -> bool (ny, nx), True at outliers.
    keywords : dict
        keyword -> (value, comment) for the headers: ``S_OUTLIR`` and ``PROV*`` in the primary, ``BKG*`` in
        SCI.
    """
    from drizzleflow.io import fits_copy
    from drizzleflow.io.fits import image_header, open_fits, plane

    source = member["path"]
    with open_fits(source) as hdus:
        shape = hdus["SCI"].shape
        mask = masks[1] if len(shape) == 2 else np.stack([masks[i] for i in range(1, shape[0] + 1)])
        names = [n for n in ("SCI", "ERR", *VARIANCES.values()) if n in hdus and hdus[n].shape == shape]
        has_dq = "DQ" in hdus
        dq = _bits(plane(hdus, "DQ", None, source), source) if has_dq else np.zeros(shape, np.uint32)
        dq[mask] |= np.uint32(OUTLIER)
        invalid = (dq & DO_NOT_USE) != 0
        for name in names:
            invalid |= np.isnan(plane(hdus, name, None, source))
        dq[invalid] |= np.uint32(DO_NOT_USE)

        def blanked(name):
            data = np.array(plane(hdus, name, np.float32, source))
            data[invalid] = np.nan
            return data

        # functions instead of arrays: only one plane is in memory at a time
        changes = {(name, 1): {"data": partial(blanked, name)} for name in names}
        append = []
        if has_dq:
            changes["DQ", 1] = {"data": dq}
        else:
            append.append((image_header(dq, "DQ"), dq))
        changes["SCI", 1]["cards"] = fits_copy.sci_cards(keywords, 1)
        fits_copy.write(
            source, os.fspath(path), changes, primary_cards=fits_copy.primary_cards(keywords), append=append
        )
