"""Simulated plain FITS files with SCI, ERR, DQ and a TPV or TAN WCS, and their CSV association."""

from __future__ import annotations

import os

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.simulate.hst import offset_pointing, to_sky_of, wcs_cards
from drizzleflow.simulate.scene import DO_NOT_USE, SATURATED

SCALE = 0.27  #: arcsec a pixel
FWHM = 0.80  #: arcsec
GAIN = 2.0  #: electrons a DN
EPOCH = 57000.0  #: MJD of the first exposure
#: TPV terms (degrees): small quadratic ones, and a radial cubic one of about a pixel at the corners of 1024 x
#: 1024
TPV = {
    "PV1_1": 1.0,
    "PV1_4": 4e-3,
    "PV1_6": -2e-3,
    "PV1_7": 0.5,
    "PV1_9": 0.5,
    "PV2_1": 1.0,
    "PV2_5": 3e-3,
    "PV2_7": 0.5,
    "PV2_9": 0.5,
}
BAD, SATURATED_BIT = 1, 4  #: bits of the written DQ


def plan(points, *, detectors, shape, wcs, filter_name, product, projection, **_):
    """The files to write: one for each detector and exposure; the detectors lie side by side."""
    from drizzleflow.simulate.specs import FileSpec, FrameSpec

    if wcs is not None:
        raise InputError(f"wcs {wcs}: only the jwst flavour takes real coordinate systems")
    if projection not in ("TPV", "TAN"):
        raise InputError(f"projection {projection!r}: expected TPV or TAN")
    files = []
    count = int(detectors)
    for e, (ra, dec, roll) in enumerate(points(max(shape) * SCALE)):
        for d in range(count):
            step = (d - (count - 1) / 2) * 1.03 * shape[1] * SCALE
            cards = wcs_cards(shape, *offset_pointing(ra, dec, roll, step, 0.0), roll, SCALE, None)
            if projection == "TPV":
                cards = [(k, v.replace("TAN", "TPV") if k.startswith("CTYPE") else v, c) for k, v, c in cards]
                cards += [(k, v, "") for k, v in TPV.items()]
            name = f"sim_e{e + 1:03d}_d{d + 1}"
            payload = {"cards": cards, "filter": filter_name or "r", "detector": f"D{d + 1}"}
            frame = FrameSpec(f"D{d + 1}", shape, to_sky_of(cards), 1, FWHM, payload=payload)
            files.append(FileSpec(name, f"{name}.fits", f"e{e + 1:03d}", e, [frame], product or "sim_r"))
    return files


def unit_factor(camera, exptime) -> float:
    """The value of 1 MJy/sr in the file's unit (DN/s)."""
    return camera.conversion / GAIN


def write(path, spec, planes, *, exptime, camera, **_):
    """Write one file: keywords in the primary header, SCI and ERR in DN/s, int32 DQ (1 bad, 4 saturated)."""
    frame, readout = spec.frames[0], planes[0][0]
    factor = np.float32(unit_factor(camera, exptime))
    cards = [
        ("TELESCOP", "SIMULATED", ""),
        ("INSTRUME", "PLAIN", ""),
        ("DETECTOR", frame.payload["detector"], ""),
        ("FILTER", frame.payload["filter"], ""),
        ("EXPTIME", float(exptime), "[s]"),
        ("MJD-OBS", EPOCH + spec.exposure * (exptime + 30) / 86400, "start"),
        ("GAIN", GAIN, "[e-/DN]"),
        ("RDNOISE", camera.readnoise, "[e-]"),
        ("BUNIT", "DN/s", ""),
        ("FILENAME", os.path.basename(path), ""),
    ]
    dq = np.zeros(frame.shape, np.int32)
    dq[(readout["dq"] & DO_NOT_USE) != 0] |= BAD
    dq[(readout["dq"] & SATURATED) != 0] |= SATURATED_BIT
    hdus = [(image_header(None, primary=True, cards=cards), None)]
    for name, data in (("SCI", readout["sci"] * factor), ("ERR", readout["err"] * factor), ("DQ", dq)):
        unit = [("BUNIT", "DN/s", "")] if name != "DQ" else []
        hdus.append((image_header(data, name, extver=1, cards=frame.payload["cards"] + unit), data))
    write_hdus(path, hdus)


def write_associations(outdir, files, products) -> list[str]:
    """Write ``{product}.csv`` for each product, with path, exptype, group and product; return the paths."""
    paths = []
    for product in products:
        rows = [f"{f.filename},science,{f.group},{product}" for f in files if f.product == product]
        path = os.path.join(outdir, f"{product}.csv")
        write_text(path, "\n".join(["path,exptype,group,product", *rows]) + "\n")
        paths.append(path)
    return paths
