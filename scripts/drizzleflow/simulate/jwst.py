"""Simulated JWST files: ``_cal.fits`` or ``_calints.fits`` with a GWCS, and their association (JSON).

The GWCS is one like NIRCam's (`drizzleflow.simulate.gwcs`), or a real one from a folder. The keywords are
those of the JWST keyword dictionary.
"""

from __future__ import annotations

import glob
import json
import math
import os
import re

import numpy as np
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.io.asdf_trees import asdf_bytes
from drizzleflow.io.files import write_text
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.simulate.gwcs import s_region, telescope_wcs
from drizzleflow.simulate.scene import SR, to_plane

SCALE = 0.0311  #: arcsec a pixel
DETECTORS = ("NRCA1", "NRCA2", "NRCA3", "NRCA4", "NRCB1", "NRCB2", "NRCB3", "NRCB4")
#: filter -> FWHM of the point-spread function's core, arcsec; the short filters are undersampled
FWHM = {
    "F090W": 0.033,
    "F115W": 0.040,
    "F150W": 0.050,
    "F200W": 0.066,
    "F277W": 0.092,
    "F356W": 0.116,
    "F444W": 0.145,
}
#: quadratic and cubic distortion, arcsec a pixel^(i+j): like NIRCam's, some pixels at the corners of 2048 x
#: 2048
DISTORTION = {
    "x": {(1, 0): 0.03098, (0, 1): 1.0e-5, (2, 0): 3.1e-8, (1, 1): -1.9e-7, (0, 2): -2.2e-8,
          (3, 0): 1.18e-11, (2, 1): -3e-13, (1, 2): 1.25e-11, (0, 3): 8e-13, (4, 0): -5e-16, (2, 2): -1.5e-16,
          (0, 4): -6e-17, (5, 0): -1.4e-18, (3, 2): 7e-19},
    "y": {(1, 0): 4.0e-5, (0, 1): 0.03121, (2, 0): 7.4e-8, (1, 1): 4.3e-8, (0, 2): -1.2e-7,
          (3, 0): 7e-13, (2, 1): 1.04e-11, (1, 2): 9e-13, (0, 3): 1.03e-11, (4, 0): 2e-16, (2, 2): -2e-16,
          (0, 4): -8e-16, (1, 4): -1e-18, (2, 3): 1.5e-18},
}  # fmt: skip
EPOCH = 59850.0  #: MJD of the first exposure


def nircam_like(detector: int, shape, ra: float, dec: float, roll: float):
    """The GWCS and wcsinfo of one of eight detectors of a camera like NIRCam's short-wave channel.

    The camera is pointed at (ra, dec), with V3 at the position angle `roll` (degrees). Detectors 0 to 3 are a
    square of four with gaps of 4.5 arcsec, 4 to 7 a second square beside it. Frames smaller than 2048 x 2048
    belong to a small camera of the same pixels, with gaps in proportion.
    """
    ny, nx = shape
    gap = 4.5 * min(1.0, max(shape) / 2048)
    side_x, side_y = nx * SCALE + gap, ny * SCALE + gap
    column, row = (detector // 2) % 2, detector % 2
    centre = 86.0 - (2 * side_x + 38.0) * (detector // 4)
    reference = centre + side_x * (0.5 - column), -493.6 + side_y * (row - 0.5)
    angle = (-0.58, -0.22, 0.27, 0.07, 0.28, -0.06, -0.35, 0.11)[detector % 8]
    # detectors' distortions differ by some per cent, as those of real ones
    vary = 1 + 0.05 * math.sin(2.4 * detector + 0.3)
    terms = [
        {(i, j): c * (vary if i + j > 1 else 1.0) for (i, j), c in DISTORTION[axis].items()} for axis in "xy"
    ]
    return telescope_wcs(shape, reference, angle, (86.0, -493.6), (ra, dec, roll), terms, SCALE)


def list_wcs_folder(folder) -> dict:
    """The ``*.asdf`` files of a folder, {name of exposure and detector: path}, in the order of names.

    Raises
    ------
    InputError
        There is no such file, or a name is not that of a JWST exposure.
    """
    paths = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(os.fspath(folder)), "*.asdf"))):
        stem = re.match(r"jw\d{11}_\d{5}_\d{5}_[a-z0-9]+", os.path.basename(path))
        if not stem:
            raise InputError(f"{path}: expected a name like jw01345001001_02201_00001_nrca1*.asdf")
        paths[stem.group(0)] = path
    if not paths:
        raise InputError(f"{folder}: no *.asdf file; expected one GWCS for each exposure and detector")
    return paths


def read_wcs(path):
    """Read the GWCS and the wcsinfo of an ASDF file, its entries ``wcs`` and ``wcsinfo``."""
    import asdf
    import gwcs  # noqa: F401  (its converters must be installed for asdf to find)

    with asdf.open(path, lazy_load=False, memmap=False) as tree:
        if "wcs" not in tree or "wcsinfo" not in tree:
            raise InputError(f"{path}: no wcs and wcsinfo in the tree")
        keys = ("ra_ref", "dec_ref", "roll_ref", "v2_ref", "v3_ref", "v3yangle", "vparity")
        return tree["wcs"], {key: tree["wcsinfo"][key] for key in keys}


def name_parts(name: str) -> dict:
    """The observation keywords that a JWST exposure's name states (``jw98765001001_02101_00001_nrca1``)."""
    m = re.fullmatch(r"jw(\d{5})(\d{3})(\d{3})_(\d\d)(\d)(\d\d)_(\d{5})_([a-z0-9]+)", name)
    if not m:
        raise InputError(f"{name}: not a JWST exposure's name")
    keys = ("PROGRAM", "OBSERVTN", "VISIT", "VISITGRP", "SEQ_ID", "ACT_ID", "EXPOSURE", "DETECTOR")
    parts = dict(zip(keys, m.groups(), strict=True))
    parts["EXPOSURE"] = str(int(parts["EXPOSURE"]))
    parts["DETECTOR"] = parts["DETECTOR"].upper()
    return parts


def _date(mjd: float) -> str:
    import datetime

    moment = datetime.datetime(1858, 11, 17) + datetime.timedelta(days=mjd)
    return moment.isoformat(timespec="milliseconds")


def primary_cards(
    name, filename, exposure: int, exptime: float, filter_name: str, shape, nints: int, cube: bool
):
    """The cards of a primary header, and the exposure's start (MJD), end (MJD) and duration (s)."""
    parts = name_parts(name)
    ny, nx = shape
    duration = nints * exptime + 10.7
    start = EPOCH + exposure * (duration + 60) / 86400
    end = start + duration / 86400
    long = parts["DETECTOR"].endswith("LONG")
    cards = [
        ("DATE", _date(end), "end of the exposure"),
        ("ORIGIN", "drizzleflow", "simulated"),
        ("TIMESYS", "UTC", "time system"),
        ("FILENAME", filename, "name of the file"),
        ("DATAMODL", "CubeModel" if cube else "ImageModel", "type of data model"),
        ("TELESCOP", "JWST", "simulated"),
        ("DATE-OBS", _date(start)[:10], "date at start of exposure"),
        ("TIME-OBS", _date(start)[11:], "time at start of exposure"),
        ("DATE-BEG", _date(start), "start of exposure"),
        ("DATE-END", _date(end), "end of exposure"),
        ("VISIT_ID", parts["PROGRAM"] + parts["OBSERVTN"] + parts["VISIT"], "visit identifier"),
    ]
    cards += [(key, value, "") for key, value in parts.items() if key != "DETECTOR"]
    cards += [
        ("TSOVISIT", False, "time-series visit"),
        ("TARGNAME", "SIMULATED FIELD", "target"),
        ("TARGTYPE", "FIXED", "target type"),
        ("INSTRUME", "NIRCAM", "instrument"),
        ("DETECTOR", parts["DETECTOR"], "detector"),
        ("MODULE", parts["DETECTOR"][3], "module"),
        ("CHANNEL", "LONG" if long else "SHORT", "channel"),
        ("FILTER", filter_name, "filter"),
        ("PUPIL", "CLEAR", "pupil"),
        ("EXP_TYPE", "NRC_IMAGE", "type of exposure"),
        ("EXPSTART", start, "[MJD] start"),
        ("EXPMID", (start + end) / 2, "[MJD] middle"),
        ("EXPEND", end, "[MJD] end"),
        ("READPATT", "MEDIUM8", "readout pattern"),
        ("NINTS", nints, "integrations"),
        ("NGROUPS", 6, "groups"),
        ("NFRAMES", 8, "frames a group"),
        ("EFFINTTM", exptime, "[s] effective integration time"),
        ("EFFEXPTM", nints * exptime, "[s] effective exposure time"),
        ("TMEASURE", nints * exptime, "[s] measurement time"),
        ("DURATION", duration, "[s] duration"),
        ("SUBSTRT1", 1, ""),
        ("SUBSTRT2", 1, ""),
        ("SUBSIZE1", nx, ""),
        ("SUBSIZE2", ny, ""),
        ("FASTAXIS", -1, ""),
        ("SLOWAXIS", 2, ""),
        ("S_WCS", "COMPLETE", "assign WCS"),
        ("S_FLAT", "COMPLETE", "flat field"),
        ("S_PHOTOM", "COMPLETE", "photometric calibration"),
    ]
    if (ny, nx) == (2048, 2048):
        cards.append(("SUBARRAY", "FULL", "subarray"))
    if cube:
        cards += [("INTSTART", 1, "first integration"), ("INTEND", nints, "last integration")]
    return cards, (start, end, duration)


def science_cards(wcs, info, shape, pixel_area: float, conversion: float, times, exptime: float):
    """The cards of SCI: times, photometry, wcsinfo, S_REGION and the linear TAN WCS at the frame's centre.

    `pixel_area` is the nominal area of a pixel in square arcsec, `conversion` the electrons a second and
    pixel for 1 MJy/sr.
    """
    ny, nx = shape
    x0, y0 = (nx - 1) / 2, (ny - 1) / 2
    # the header's TAN WCS is good near the centre only; programs use the GWCS
    ra, dec = wcs(np.array([x0, x0 + 1, x0]), np.array([y0, y0, y0 + 1]), with_bounding_box=False)
    xi, eta = to_plane(ra, dec, (ra[0], dec[0]))
    start, end, duration = times
    return [
        ("MJD-BEG", start, "[d] start"),
        ("MJD-AVG", (start + end) / 2, "[d] middle"),
        ("MJD-END", end, "[d] end"),
        ("XPOSURE", exptime, "[s] effective exposure time"),
        ("TELAPSE", duration, "[s] elapsed time"),
        ("BUNIT", "MJy/sr", "unit"),
        ("PHOTMJSR", 2.0 / conversion, "MJy/sr for 1 DN/s"),
        ("PIXAR_SR", pixel_area * SR, "[sr] nominal pixel area"),
        ("PIXAR_A2", pixel_area, "[arcsec2] nominal pixel area"),
        ("RADESYS", "ICRS", ""),
        ("WCSAXES", 2, ""),
        ("CRPIX1", x0 + 1, ""),
        ("CRPIX2", y0 + 1, ""),
        ("CRVAL1", float(ra[0]), ""),
        ("CRVAL2", float(dec[0]), ""),
        ("CTYPE1", "RA---TAN", ""),
        ("CTYPE2", "DEC--TAN", ""),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CD1_1", xi[1] / 3600, ""),
        ("CD1_2", xi[2] / 3600, ""),
        ("CD2_1", eta[1] / 3600, ""),
        ("CD2_2", eta[2] / 3600, ""),
        ("S_REGION", s_region(wcs, shape), "corners on the sky"),
        ("V2_REF", info["v2_ref"], "[arcsec]"),
        ("V3_REF", info["v3_ref"], "[arcsec]"),
        ("VPARITY", int(info["vparity"]), ""),
        ("V3I_YANG", info["v3yangle"], "[deg]"),
        ("RA_REF", info["ra_ref"], "[deg]"),
        ("DEC_REF", info["dec_ref"], "[deg]"),
        ("ROLL_REF", info["roll_ref"], "[deg]"),
    ]


def write_cal(
    path, name, planes: list[dict], wcs, info, *, exposure, exptime, filter_name, conversion, pixel_area
):
    """Write one member; several `planes` (integrations) make a cube, whose name ends in _calints.fits."""
    cube = len(planes) > 1
    shape = planes[0]["sci"].shape
    cards, times = primary_cards(
        name, os.path.basename(path), exposure, exptime, filter_name, shape, len(planes), cube
    )
    sci_cards = science_cards(wcs, info, shape, pixel_area, conversion, times, exptime * len(planes))
    hdus = [(image_header(None, primary=True, cards=cards), None)]
    for extname, key, unit in (
        ("SCI", "sci", None),
        ("ERR", "err", "MJy/sr"),
        ("DQ", "dq", None),
        ("VAR_POISSON", "var_poisson", "(MJy/sr)^2"),
        ("VAR_RNOISE", "var_rnoise", "(MJy/sr)^2"),
        ("VAR_FLAT", "var_flat", "(MJy/sr)^2"),
    ):
        data = np.stack([p[key] for p in planes]) if cube else planes[0][key]
        extra = sci_cards if extname == "SCI" else [("BUNIT", unit, "unit")] if unit else []
        hdus.append((image_header(data, extname, extver=1, cards=extra), data))
    hdus.append(asdf_hdu(asdf_bytes({"meta": {"wcs": wcs, "wcsinfo": dict(info)}})))
    write_hdus(path, hdus)


def asdf_hdu(content: bytes):
    """(header, data) of a binary table of one cell, in which JWST files keep their ASDF tree."""
    header = fits.Header()
    for key, value in (
        ("XTENSION", "BINTABLE"),
        ("BITPIX", 8),
        ("NAXIS", 2),
        ("NAXIS1", len(content)),
        ("NAXIS2", 1),
        ("PCOUNT", 0),
        ("GCOUNT", 1),
        ("TFIELDS", 1),
        ("TTYPE1", "ASDF_METADATA"),
        ("TFORM1", f"{len(content)}B"),
        ("EXTNAME", "ASDF"),
    ):
        header[key] = value
    return header, content


def write_association(path, product: str, members: list[str], program="98765"):
    """Write a level-3 image association (JSON), in which paths are relative to the file."""
    content = {
        "asn_type": "image3",
        "asn_rule": "DMS_Level3_Base",
        "version_id": None,
        "code_version": "drizzleflow",
        "degraded_status": "No known degraded exposures in association.",
        "program": program,
        "constraints": "No constraints",
        "asn_id": "o001",
        "target": "t001",
        "asn_pool": "none",
        "products": [{"name": product, "members": [{"expname": m, "exptype": "science"} for m in members]}],
    }
    write_text(path, json.dumps(content, indent=2) + "\n")


def plan(points, *, exposures, detectors, shape, wcs, filter_name, nints, product, **_):
    """The files to write: simulated pointings, or those with the GWCS of a folder.

    The arguments are those of `drizzleflow.simulate.simulate`; `points` gives the pointings for a frame of
    some size.
    """
    from drizzleflow.simulate.specs import FileSpec, FrameSpec

    suffix = "calints" if nints > 1 else "cal"
    short = filter_name or "F115W"
    entries = []
    if wcs is None:
        count = int(detectors)
        if not 1 <= count <= len(DETECTORS):
            raise InputError(f"detectors {detectors}: expected 1 to {len(DETECTORS)}")
        for e, (ra, dec, roll) in enumerate(points(max(shape) * SCALE)):
            for d in range(count):
                model, info = nircam_like(d, shape, ra, dec, roll)
                name = f"jw98765001001_02101_{e + 1:05d}_{DETECTORS[d].lower()}"
                entries.append((name, model, info, e, short))
    else:
        paths = list_wcs_folder(wcs)
        groups = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in paths))[:exposures]
        names = sorted({name.rsplit("_", 1)[1] for name in paths})
        if isinstance(detectors, int):
            names = names[:detectors]
        else:
            names = [name.strip().lower() for name in detectors.split(",")]
        for name, path in paths.items():
            group, detector = name.rsplit("_", 1)
            if group in groups and detector in names:
                model, info = read_wcs(path)
                model.bounding_box = ((-0.5, shape[1] - 0.5), (-0.5, shape[0] - 0.5))
                used = filter_name or ("F277W" if detector.endswith("long") else "F115W")
                entries.append((name, model, info, groups.index(group), used))
        if not entries:
            raise InputError(f"{wcs}: no exposure of detectors {', '.join(names)}")
    files = []
    for name, model, info, exposure, used in entries:
        parts = name_parts(name)
        frame = FrameSpec(
            detector=parts["DETECTOR"],
            shape=shape,
            fwhm=FWHM.get(used, 0.05),
            to_sky=lambda x, y, w=model: w(x, y, with_bounding_box=False),
            payload={"wcs": model, "info": info, "filter": used},
        )
        target = product or f"jw{parts['PROGRAM']}-o{parts['OBSERVTN']}_t001_nircam_{used.lower()}"
        group = name.rsplit("_", 1)[0]
        files.append(FileSpec(name, f"{name}_{suffix}.fits", group, exposure, [frame], target))
    return files


def write(path, spec, planes, *, exptime, camera, **_):
    """Write one member; `planes` is [[readout, ...]] with the integrations of its only frame."""
    frame = spec.frames[0]
    write_cal(
        path,
        spec.member,
        planes[0],
        frame.payload["wcs"],
        frame.payload["info"],
        exposure=spec.exposure,
        exptime=exptime,
        filter_name=frame.payload["filter"],
        conversion=camera.conversion,
        pixel_area=round(frame.map.scale**2, 7),
    )


def unit_factor(camera, exptime) -> float:
    """The value of 1 MJy/sr in the file's unit, which is MJy/sr."""
    return 1.0


def write_associations(outdir, files, products) -> list[str]:
    """Write an association for each product; return the paths."""
    paths = []
    for number, product in enumerate(products, start=1):
        members = [f for f in files if f.product == product]
        program = name_parts(members[0].member)["PROGRAM"]
        path = os.path.join(outdir, f"jw{program}-o001_image3_{number:05d}_asn.json")
        write_association(path, product, [f.filename for f in members], program)
        paths.append(path)
    return paths
