"""Read and write Roman WFI level-2 images, ``_cal.asdf``, without the packages of the Roman pipeline.

Arrays and metadata under the tree's ``roman`` have the names of roman_datamodels' schemas (RAD). Its tags are
not interpreted, and copied as they are. asdf and gwcs are used only for exact coordinates.
"""

from __future__ import annotations

import os
import re
from functools import partial

import numpy as np

from drizzleflow.arrays.dq import as_bits
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.io import asdf_nodes
from drizzleflow.io.asdf_file import AsdfFile
from drizzleflow.io.asdf_time import mjd
from drizzleflow.io.header import number

NAME, TITLE, PRIORITY = "roman", "Roman", 2  # tried before the formats that read a FITS header
SUFFIXES = ("_cal", "_crf", "_tweakreg", "_skymatch")
ENDING = "asdf"
ROADS = {"WFI_IMAGE": "imaging"}  #: from romancal.outlier_detection; other exposure types are refused
HAS_GWCS, READS_ROWS, TAKES_COMPANIONS = True, True, False
ERR_ALONE = False  #: the schema requires two of the variances
MEMORY = {
    "sky_overlaps": 27,
    "sky_cells": 68,
    "static_mask": 20,
    "single_drizzle": 33,
    "crmask": 62,
    "mosaic": 63,
}
#: Roman data-quality flags (bit values) that a user may name: roman_datamodels.dqflags.pixel
DQ_FLAGS = {
    "DO_NOT_USE": 1, "SATURATED": 2, "JUMP_DET": 4, "DROPOUT": 8, "GW_AFFECTED_DATA": 16, "PERSISTENCE": 32, "AD_FLOOR": 64,
    "OUTLIER": 128, "UNRELIABLE_ERROR": 256, "NON_SCIENCE": 512, "DEAD": 1024, "HOT": 2048, "WARM": 4096, "LOW_QE": 8192,
    "TELEGRAPH": 32768, "NONLINEAR": 65536, "BAD_REF_PIXEL": 131072, "NO_FLAT_FIELD": 262144, "NO_GAIN_VALUE": 524288,
    "NO_LIN_CORR": 1048576, "NO_SAT_CHECK": 2097152, "UNRELIABLE_BIAS": 4194304, "UNRELIABLE_DARK": 8388608,
    "UNRELIABLE_SLOPE": 16777216, "UNRELIABLE_FLAT": 33554432, "RESERVED_5": 67108864, "RESERVED_6": 134217728,
    "UNRELIABLE_RESET": 268435456, "RESERVED_7": 536870912, "OTHER_BAD_PIXEL": 1073741824, "REFERENCE_PIXEL": 2147483648,
}  # fmt: skip
#: as in romancal; its versions before 2025 also left out NON_SCIENCE pixels
GOOD_BITS = {"single": "~DO_NOT_USE", "mosaic": "~DO_NOT_USE"}
SKY_BITS = "~DO_NOT_USE"
SKYMETHOD, SATURATED = "match", DQ_FLAGS["SATURATED"]
DETECTORS_APART = False
DO_NOT_USE, OUTLIER_FLAG = 1, 128
TAKES_BITS = False
SETTINGS: dict[str, list[str]] = {}
OUTLIER, OUTLIER_KEY = DO_NOT_USE | OUTLIER_FLAG, None
VARIANCES = {"rnoise": "var_rnoise", "poisson": "var_poisson", "flat": "var_flat"}
write_clean = None
NONE = -999999  #: what the Roman pipeline writes for an unknown number
#: keyword of a FITS product -> place in meta
CARDS = {
    "TELESCOP": ("telescope",),
    "INSTRUME": ("instrument", "name"),
    "DETECTOR": ("instrument", "detector"),
    "FILTER": ("instrument", "optical_element"),
    "EXP_TYPE": ("exposure", "type"),
    "MATABLE": ("exposure", "ma_table_name"),
    "PROGRAM": ("observation", "program"),
    "EXECPLAN": ("observation", "execution_plan"),
    "PASS": ("observation", "pass"),
    "SEGMENT": ("observation", "segment"),
    "OBSERVTN": ("observation", "observation"),
    "VISIT": ("observation", "visit"),
    "CAL_VER": ("calibration_software_version",),
    "CRDS_CTX": ("ref_file", "crds", "context"),
    "PHOTMJSR": ("photometry", "conversion_megajanskys"),
    "PROVIN": ("drizzleflow", "input_sha256"),
}
#: PROV* keyword -> name in meta.drizzleflow of a flagged copy
PROVENANCE = {
    "PROVVER": "software",
    "PROVCODE": "code_sha256",
    "PROVCONF": "settings_sha256",
    "PROVIN": "input_sha256",
}


def recognise(header) -> bool:
    return isinstance(header, AsdfFile)


def group_id(meta: dict, path="") -> str:
    """Return the exposure that a file belongs to, the same for all detectors.

    It is ``r<program><plan><pass><segment><observation><visit>_<exposure>`` from the observation in `meta`,
    as in the file names. If one of these numbers is missing, it is the file's name without the detector
    (``_wfi01``) and the ending.
    """
    found = meta.get("observation") or {}
    widths = {
        "program": 5,
        "execution_plan": 2,
        "pass": 3,
        "segment": 3,
        "observation": 3,
        "visit": 3,
        "exposure": 4,
    }
    found = found if isinstance(found, dict) else {}
    values = {key: _text(found.get(key)) for key in widths}
    values["execution_plan"] = values["execution_plan"] or _text(found.get("plan"))
    if all(re.fullmatch(r"[0-9]+", value) for value in values.values()):
        parts = [value.zfill(widths[key]) for key, value in values.items()]
        return f"r{''.join(parts[:-1])}_{parts[-1]}"
    stem = os.path.basename(os.fspath(path)).split(".")[0]
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    return re.sub(r"_wfi\d\d(?![0-9])", "", stem, flags=re.IGNORECASE)


def describe(path, header, options=None) -> dict:
    """Return what the plan must know of a file, from its tree alone; `header` is the open `AsdfFile`."""
    meta, shape = _meta(header), _shape(header)
    for name in ("data", "err", "dq", *VARIANCES.values()):
        node = _plane_node(header, name, shape)
        if node is not None:
            header.check(node, name)
    instrument = _table(meta, "instrument")
    return {
        "group": group_id(meta, path),
        "nframes": 1,
        "cube": False,
        "nx": shape[1],
        "ny": shape[0],
        "instrument": _text(instrument.get("name")),
        "detector": _text(instrument.get("detector")),
        "exp_type": _text(_table(meta, "exposure").get("type")),
        "filter": _text(instrument.get("optical_element")),
        "exptime": _exposure_time(meta),
        "unit": _unit(header, meta),
        "dispersed": _text(instrument.get("optical_element")).upper() in ("GRISM", "PRISM"),
        "err": _plane_node(header, "err", shape) is not None,
    }


def read(member: dict, extver: int = 1, planes=("data", "dq"), options=None, rows=None) -> Frame:
    """Read the frame of a member; with `rows` (first, end) only these rows.

    The unit is that of the file's quantities; without one, MJy/sr after romancal's flux step and DN/s before
    it. Data in DN/s make a product in MJy/sr, as in romancal, because a DN differs between detectors.

    Raises
    ------
    InputError
        The file is no Roman image, a plane is missing, or its shape is not that of data.
    """
    file = AsdfFile(member["path"])
    meta, shape = _meta(file), _shape(file)

    def get(name, dtype):
        return _plane(file, name, shape, dtype, rows)

    exposure, background, info = (_table(meta, key) for key in ("exposure", "background", "wcsinfo"))
    level = _number(background.get("level"))
    frame = Frame(
        member=member["member"],
        extver=extver,
        group=member["group"],
        shape=shape,
        data=get("data", np.float32) if "data" in planes else None,
        err=get("err", np.float32) if "err" in planes else None,
        dq=get("dq", None) if "dq" in planes else None,
        unit=_unit(file, meta),
        exposure_time=_exposure_time(meta),
        duration=_number(exposure.get("duration")),
        start_time=mjd(exposure.get("start_time"), file.path),
        end_time=mjd(exposure.get("end_time"), file.path),
        level=level,
        subtracted=None if level is None else bool(background.get("subtracted")),
        pixelarea_steradians=_number(_table(meta, "photometry").get("pixel_area")),
        s_region=_text(info.get("s_region")) or None,
        open_wcs=lambda: _open_wcs(file.path, shape, info),
    )
    conversion = _number(_table(meta, "photometry").get("conversion_megajanskys"))
    if frame.unit == "DN/s" and conversion is not None and conversion > 0:
        frame.rate_factor, frame.product_unit = conversion, "MJy/sr"
    if "var" in planes:
        found = {key: get(name, np.float32) for key, name in VARIANCES.items()}
        frame.var = {key: plane for key, plane in found.items() if plane is not None}
    return frame


def headers(path) -> list[tuple]:
    """Return (keyword, value, comment) of the metadata that a FITS product takes from a file's tree."""
    meta, found = _meta(AsdfFile(path)), []
    for keyword, place in CARDS.items():
        value = meta
        for key in place:
            value = value.get(key) if isinstance(value, dict) else None
        text = (
            isinstance(value, str)
            and value.isascii()
            and value.isprintable()
            and value not in ("", "?", "None")
        )
        if text or (_number(value) is not None):
            found.append((keyword, value, "meta." + ".".join(place)))
    return found


def write_crf(member: dict, masks: dict, path, keywords: dict, options=None) -> None:
    """Write the member with DO_NOT_USE and OUTLIER set in dq at outliers, and NaN at invalid pixels.

    A pixel that is NaN in data, err or a variance, or DO_NOT_USE in dq, becomes NaN in all planes and
    DO_NOT_USE in dq. Of the rest of the tree only ``meta.cal_step.outlier_detection``, ``meta.drizzleflow``
    (see `PROVENANCE`) and, if a sky level was determined, ``meta.background`` change. Every other node keeps
    its tag and text, every other block its bytes. New planes are not compressed.

    Parameters
    ----------
    masks : dict
        {1: bool (ny, nx)}, True at outliers.
    keywords : dict
        ``S_OUTLIR``, ``BKG*`` and ``PROV*``: keyword -> (value, comment).
    """
    file = AsdfFile(member["path"])
    meta, shape = _meta(file), _shape(file)
    if masks[1].shape != shape:
        raise InputError(f"{file.path}: mask of shape {masks[1].shape}, expected {shape}")
    roman = file.node("roman")
    dq = _plane(file, "dq", shape)
    dq = np.zeros(shape, np.uint32) if dq is None else dq
    dq[masks[1]] |= np.uint32(OUTLIER)
    invalid, kinds = (dq & DO_NOT_USE) != 0, {}
    for name in ("data", "err", *VARIANCES.values()):
        plane = _plane(file, name, shape)
        if plane is not None:
            invalid |= np.isnan(plane)
            kinds[name] = plane.dtype.name
    dq[invalid] |= np.uint32(DO_NOT_USE)

    def blanked(name, node):
        plane = _plane(file, name, shape, node=node)
        plane[invalid] = np.nan
        return plane

    uses, arrays = file.uses(), {}
    for name, kind in (kinds | {"dq": "uint32"}).items():
        node = file.node("roman", name)
        array = asdf_nodes.array_node(node)
        source = asdf_nodes.source_of(array)
        if uses.get(source) != 1:  # the array is in the tree itself, or shares its block with another
            source = max([len(file.blocks) - 1, *arrays]) + 1
        # functions instead of arrays: only one plane is in memory at a time
        arrays[source] = dq if name == "dq" else partial(blanked, name, node)
        new = asdf_nodes.array_entry(source, kind, shape, like=array or file.node("roman", "data"))
        if array is not None and array is not node:  # a quantity keeps its unit
            pairs = [(key, new if key.value == "value" else value) for key, value in node.value]
            new = type(node)(node.tag, pairs, flow_style=False)
        asdf_nodes.set_entry(roman, name, new)
    _record(file.node("roman", "meta"), meta, keywords)
    file.write(os.fspath(path), arrays)


def _record(node, meta: dict, keywords: dict) -> None:
    """Write into meta what the FITS formats write as keywords."""
    status, level = keywords.get("S_OUTLIR", (None,))[0], keywords.get("BKGLEVEL", (None,))[0]
    changes = {"drizzleflow": {name: keywords[key][0] for key, name in PROVENANCE.items() if key in keywords}}
    if status is not None:
        changes["cal_step"] = {"outlier_detection": status}
    if level is not None:
        method, subtracted = keywords["BKGMETH"][0], keywords["BKGSUB"][0]
        changes["background"] = {"level": float(level), "method": method, "subtracted": bool(subtracted)}
    for table, values in changes.items():
        if values and not isinstance(meta.get(table), dict):
            asdf_nodes.set_entry(node, table, asdf_nodes.mapping())
        for key, value in values.items():
            asdf_nodes.set_entry(asdf_nodes.entry(node, table), key, asdf_nodes.scalar(value))


# -- what is where in the tree


def _meta(file: AsdfFile) -> dict:
    """Return ``roman.meta`` in plain types, without its large parts, the WCS and the logs."""
    node = file.node("roman")
    if node is None:
        raise InputError(
            f"{file.path}: no 'roman' in the tree; expected a Roman WFI level-2 image (_cal.asdf)"
        )
    meta = asdf_nodes.entry(node, "meta")
    if not asdf_nodes.is_mapping(meta):
        raise InputError(
            f"{file.path}: no 'roman.meta' in the tree; expected a Roman WFI level-2 image (_cal.asdf)"
        )
    large = ("wcs", "cal_logs", "wcs_fit_results")
    try:
        return {key.value: asdf_nodes.plain(value) for key, value in meta.value if key.value not in large}
    except Exception as error:  # errors of yaml, or of a value that is not what it should be
        raise InputError(f"{file.path}: 'roman.meta' cannot be understood ({error})") from None


def _shape(file: AsdfFile) -> tuple[int, int]:
    node = file.node("roman", "data")
    if node is None:
        raise InputError(f"{file.path}: no 'roman.data' in the tree; expected an image")
    shape = file.shape(node)
    if shape is None or len(shape) != 2 or 0 in shape:
        raise InputError(f"{file.path}[data]: shape {shape}; expected an image (2 dimensions)")
    return shape


def _plane(file: AsdfFile, name: str, shape, dtype=None, rows=None, node=None):
    """Return a plane as an array; None if the file has none."""
    node = _plane_node(file, name, shape, node)
    if node is None:
        return None
    found = file.array(node, dtype, rows, name)
    return as_bits(found, f"{file.path}[dq]") if name == "dq" else found


def _plane_node(file: AsdfFile, name: str, shape, node=None):
    """Return the node of a plane, which must have the frame's shape; None if the file has none."""
    node = file.node("roman", name) if node is None else node
    if node is None or getattr(node, "tag", "") == "tag:yaml.org,2002:null":
        return None
    found = file.shape(node)
    if found != shape:
        raise InputError(f"{file.path}[{name}]: shape {found}, expected {shape} as data has")
    kind = asdf_nodes.entry(asdf_nodes.array_node(node), "datatype")
    if name == "dq" and kind is not None and not re.fullmatch(r"u?int(8|16|32|64)", str(kind.value)):
        raise InputError(f"{file.path}[dq]: flags of type {kind.value}, expected integers")
    return node


def _table(meta: dict, key: str) -> dict:
    found = meta.get(key)
    return found if isinstance(found, dict) else {}


def _text(value) -> str:
    """Return text or a number as text; "" if it is missing, unknown or a table."""
    found = str(value).strip() if isinstance(value, (str, int, float)) else ""
    return "" if found == "?" else found


def _number(value) -> float | None:
    """Return a number, also of a quantity; None if it is missing or unknown."""
    if isinstance(value, dict):
        value = value.get("value")
    return None if value == NONE else number(value)


def _exposure_time(meta: dict) -> float | None:
    """Return the effective exposure time in seconds, or else the exposure time; None without either."""
    times = (
        _number(_table(meta, "exposure").get(key)) for key in ("effective_exposure_time", "exposure_time")
    )
    return next((time for time in times if time is not None and time > 0), None)


def _unit(file: AsdfFile, meta: dict) -> str:
    unit = asdf_nodes.entry(file.node("roman", "data"), "unit")
    if unit is not None:
        return str(unit.value).replace(" ", "") if isinstance(unit.value, str) else ""
    return "MJy/sr" if _table(meta, "cal_step").get("flux") == "COMPLETE" else "DN/s"


def _open_wcs(path, shape, info: dict) -> SkyWCS:
    """Return the GWCS, read from a small file made for it: asdf sees neither Roman's tags nor the planes."""
    from drizzleflow.geometry.gwcs_wcs import from_gwcs
    from drizzleflow.io.asdf_trees import read_tree

    file = AsdfFile(path)
    node = file.node("roman", "meta", "wcs")
    if not asdf_nodes.is_mapping(node):
        raise InputError(
            f"{path}: no 'roman.meta.wcs' in the tree; expected the GWCS of romancal's assign_wcs"
        )
    content = file.part(wcs=node)
    try:
        wcs = read_tree(content, path)["wcs"]
        made = from_gwcs(wcs, shape, {key: value for key, value in info.items() if value != NONE})
        if made.info and not _on_frame(made):
            made.info = {}  # the orientation is measured at the frame's centre instead
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: no readable GWCS at roman.meta.wcs ({error})") from None
    return made


def _on_frame(wcs: SkyWCS) -> bool:
    """Tell whether the reference point of wcsinfo lies on the frame.

    It may be that of the whole camera, half a degree away.
    """
    from drizzleflow.geometry.sphere import separation

    ny, nx = wcs.shape
    centre_and_corners = np.array([0.5, 0.0, 1.0, 0.0, 1.0]), np.array([0.5, 0.0, 0.0, 1.0, 1.0])
    lon, lat = wcs.to_sky(centre_and_corners[0] * (nx - 1), centre_and_corners[1] * (ny - 1))
    reach = separation(lon[0], lat[0], lon[1:], lat[1:]).max()
    return bool(separation(lon[0], lat[0], wcs.info["ra_ref"], wcs.info["dec_ref"]) <= reach)
