"""Simulated Roman files: level-2 ``_cal.asdf`` of WFI with a GWCS, in DN/s, and their association (JSON).

The trees consist of plain types, with the names of roman_datamodels' schemas.
"""

from __future__ import annotations

import json
import math
import os

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.asdf_trees import asdf_bytes
from drizzleflow.io.files import replacing, write_text
from drizzleflow.simulate.gwcs import s_region, telescope_wcs
from drizzleflow.simulate.scene import SR

SCALE = 0.11  #: arcsec a pixel
DETECTORS = 18  #: of the camera
AIM = (1546.4, -892.8)  #: (v2, v3) of the camera's centre, arcsec
ANGLE = -60.0  #: degrees, from V3 to the detectors' y axes
#: filter -> FWHM of the point-spread function's core, arcsec
FWHM = {
    "F062": 0.073,
    "F087": 0.080,
    "F106": 0.088,
    "F129": 0.105,
    "F146": 0.106,
    "F158": 0.128,
    "F184": 0.146,
    "F213": 0.169,
}
#: quadratic and cubic distortion, arcsec a pixel^(i+j): a few pixels at the corners of 4088 x 4088
DISTORTION = {
    "x": {(1, 0): 0.1098, (0, 1): 2.1e-5, (2, 0): 6.2e-8, (1, 1): -4.1e-8, (0, 2): 2.3e-8,
          (3, 0): 2.6e-12, (1, 2): 2.2e-12},
    "y": {(1, 0): -1.7e-5, (0, 1): 0.1069, (2, 0): 1.9e-8, (1, 1): 5.4e-8, (0, 2): -3.7e-8,
          (2, 1): 2.4e-12, (0, 3): 2.9e-12},
}  # fmt: skip
GAIN = 2.0  #: electrons a DN
EPOCH = 61500.0  #: MJD of the first exposure
VISIT = {"program": 999, "execution_plan": 1, "pass": 1, "segment": 1, "observation": 1, "visit": 1}
VISIT_ID = "0099901001001001001"


def wfi_like(detector: int, shape, ra: float, dec: float, roll: float):
    """The GWCS and wcsinfo of one of 18 detectors of a camera like WFI.

    The camera is pointed at (ra, dec), with V3 at the position angle `roll` (degrees). The detectors lie in
    three rows of six, with gaps of a tenth of a side. Frames smaller than 4088 x 4088 belong to a small
    camera of the same pixels.
    """
    column, row = detector // 3 - 2.5, detector % 3 - 1
    x, y = 1.1 * shape[1] * SCALE * column, 1.1 * shape[0] * SCALE * row
    s, c = math.sin(math.radians(ANGLE)), math.cos(math.radians(ANGLE))
    reference = AIM[0] - c * x + s * y, AIM[1] + s * x + c * y
    vary = 1 + 0.05 * math.sin(1.7 * detector + 0.4)
    terms = [
        {(i, j): k * (vary if i + j > 1 else 1.0) for (i, j), k in DISTORTION[axis].items()} for axis in "xy"
    ]
    return telescope_wcs(shape, reference, ANGLE, AIM, (ra, dec, roll), terms, SCALE)


def plan(points, *, exposures, detectors, shape, wcs, filter_name, product, **_):
    """The files to write: one for each detector and exposure."""
    from drizzleflow.simulate.specs import FileSpec, FrameSpec

    if wcs is not None:
        raise InputError(f"wcs {wcs}: only the jwst flavour takes real coordinate systems")
    count, used = int(detectors), filter_name or "F158"
    if not 1 <= count <= DETECTORS:
        raise InputError(f"detectors {detectors}: expected 1 to {DETECTORS}")
    files = []
    for e, (ra, dec, roll) in enumerate(points(max(shape) * SCALE)):
        for d in range(count):
            model, info = wfi_like(d, shape, ra, dec, roll)
            group = f"r{VISIT_ID}_{e + 1:04d}"
            name = f"{group}_wfi{d + 1:02d}_{used.lower()}"
            frame = FrameSpec(
                detector=f"WFI{d + 1:02d}",
                shape=shape,
                fwhm=FWHM.get(used, 0.12),
                to_sky=lambda x, y, w=model: w(x, y, with_bounding_box=False),
                payload={"wcs": model, "info": info, "filter": used},
            )
            target = product or f"r00999_p_v01001001001001_{used.lower()}"
            files.append(FileSpec(name, f"{name}_cal.asdf", group, e, [frame], target))
    return files


def unit_factor(camera, exptime) -> float:
    """The value of 1 MJy/sr in the file's unit (DN/s)."""
    return camera.conversion / GAIN


def write(path, spec, planes, *, exptime, camera, **_):
    """Write one member; `planes` is [[readout]] with that of its only frame."""
    from astropy.time import Time

    frame, readout = spec.frames[0], planes[0][0]
    factor = np.float32(unit_factor(camera, exptime))
    start = EPOCH + spec.exposure * (exptime + 60) / 86400
    start, end = (
        Time(Time(t, format="mjd", scale="utc").isot, scale="utc")
        for t in (start, start + (exptime + 6.3) / 86400)
    )
    steps = (
        "assign_wcs",
        "dark",
        "dq_init",
        "flat_field",
        "linearity",
        "photom",
        "ramp_fit",
        "refpix",
        "saturation",
    )
    visit = {
        "observation_id": f"{VISIT_ID}01101{spec.exposure + 1:04d}",
        "visit_id": VISIT_ID,
        **VISIT,
        "visit_file_group": 1,
        "visit_file_sequence": 1,
        "visit_file_activity": "01",
        "exposure": spec.exposure + 1,
    }
    meta = {
        "calibration_software_version": "drizzleflow",
        "filename": os.path.basename(path),
        "telescope": "ROMAN",
        "instrument": {"name": "WFI", "detector": frame.detector, "optical_element": frame.payload["filter"]},
        "observation": visit,
        "exposure": {
            "type": "WFI_IMAGE",
            "start_time": start,
            "end_time": end,
            "exposure_time": exptime + 6.3,
            "effective_exposure_time": float(exptime),
            "ma_table_name": "SIMULATED",
        },
        "photometry": {
            "conversion_megajanskys": 1 / float(factor),
            "conversion_megajanskys_uncertainty": 0.0,
            "pixel_area": round(frame.map.scale**2, 7) * SR,
        },
        "cal_step": dict.fromkeys(steps, "COMPLETE")
        | dict.fromkeys(
            ("flux", "outlier_detection", "skymatch", "source_catalog", "tweakreg"), "INCOMPLETE"
        ),
        "wcsinfo": {**frame.payload["info"], "s_region": s_region(frame.payload["wcs"], frame.shape)},
        "wcs": frame.payload["wcs"],
    }
    image = {
        "meta": meta,
        "data": readout["sci"] * factor,
        "dq": readout["dq"],
        "err": readout["err"] * factor,
    }
    image |= {name: readout[name] * factor**2 for name in ("var_poisson", "var_rnoise", "var_flat")}
    with replacing(path) as temporary, open(temporary, "wb") as out:
        out.write(asdf_bytes({"roman": image}))


def write_associations(outdir, files, products) -> list[str]:
    """Write an association for each product, in the form of romancal's; return the paths."""
    paths = []
    for number, product in enumerate(products, start=1):
        members = [{"expname": f.filename, "exptype": "science"} for f in files if f.product == product]
        content = {
            "asn_type": "image",
            "asn_rule": "DMS_ELPP_Base",
            "version_id": None,
            "code_version": "drizzleflow",
            "target": "None",
            "degraded_status": "No known degraded exposures in association.",
            "program": f"{VISIT['program']:05d}",
            "constraints": "No constraints",
            "asn_id": "a3001",
            "asn_pool": "none",
            "skycell_wcs_info": "none",
            "products": [{"name": product, "members": members}],
        }
        path = os.path.join(outdir, f"r{VISIT['program']:05d}_image_{number:05d}_asn.json")
        write_text(path, json.dumps(content, indent=2) + "\n")
        paths.append(path)
    return paths
