"""The combined product: what goes into the resampling of a frame, and the ``i2d`` file."""

from __future__ import annotations

import numpy as np

from drizzleflow.frame import Frame
from drizzleflow.resample import Resample, kernel_reach

#: keywords that describe one file, its layout, its own WCS or its making: never merged into a product
OWN_KEYWORDS = (
    "SIMPLE BITPIX NAXIS NAXIS1 NAXIS2 NAXIS3 EXTEND XTENSION PCOUNT GCOUNT EXTNAME EXTVER EXTLEVEL BSCALE BZERO NEXTEND"
    " CHECKSUM DATASUM DATE FILENAME DATAMODL ROOTNAME IRAF-TLM ORIGIN HISTORY COMMENT CONTINUE S_REGION WCSAXES WCSNAME"
    " RADESYS EQUINOX LONPOLE LATPOLE VELOSYS MJDREF BUNIT EXPTIME EFFEXPTM TMEASURE DURATION XPOSURE TELAPSE EXPSTART"
    " EXPMID EXPEND PIXAR_SR PIXAR_A2 S_OUTLIR BKGMETH BKGLEVEL BKGSUB INHERIT LTV1 LTV2 LTM1_1 LTM2_2 IDCSCALE VAFACTOR"
).split()
OWN_PREFIXES = (
    "CRPIX CRVAL CDELT CTYPE CUNIT CD1_ CD2_ PC1_ PC2_ PV1_ PV2_ A_ B_ AP_ BP_ CPDIS CPERR DP1 DP2 D2IM OCRVAL OCRPIX OCD"
    " OCTYPE OORIENTA V2_REF V3_REF RA_REF DEC_REF ROLL_REF V3I_YANG VPARITY PROV S_SKYMAT"
).split()


def frame_model(frame: Frame, pixmap, level: float | None) -> dict:
    """A frame as the model dictionary of `drizzleflow.resample.Resample`, in the product's unit.

    Parameters
    ----------
    pixmap : float64 (ny, nx, 2)
        In pixels of the output array.
    level : float or None
        Sky to subtract, in the frame's unit per pixel.
    """
    factor = np.float32(frame.rate_factor)
    convert = (lambda a, power=1: a) if factor == 1 else (lambda a, power=1: a * factor**power)
    variances = dict(frame.var)
    if frame.err is not None and "poisson" not in variances:
        # a file with ERR alone: it is propagated, and weights the frame where the read noise is not known
        variances["total"] = frame.total_variance
        variances.setdefault("rnoise", variances["total"])
    return {
        "data": convert(frame.data), "dq": frame.dq, "err": None if frame.err is None else convert(frame.err),
        **{f"var_{key}": convert(plane, 2) for key, plane in variances.items()},
        "pixmap": pixmap, "filename": frame.member, "group_id": frame.group,
        "exposure_time": frame.exposure_time, "measurement_time": frame.measurement_time, "duration": frame.duration,
        "start_time": frame.start_time, "end_time": frame.end_time,
        "level": None if level is None else level * float(factor), "subtracted": False,
    }  # fmt: skip


class TotalVarianceResample(Resample):
    """For formats with ERR alone: one variance plane, from which the product's ERR is computed."""

    variance_array_names = ("var_total",)


class Mosaic:
    """The drizzle of all frames of a product, added one by one in the association's order.

    Parameters
    ----------
    grid : Grid
    settings : dict
        The configuration's ``mosaic`` section.
    format_module : module
        Of `drizzleflow.formats`: its names of DQ flags and default good bits.
    pad : bool
        Drizzle beyond the grid's outer edge and crop; False loses, as the peer, input pixels whose centre is outside.
    n_frames : int
        How many frames will come (context planes).
    """

    def __init__(self, grid, settings: dict, format_module, *, pad: bool, n_frames: int):
        self.grid, self.settings, self.format = grid, settings, format_module
        self.n_frames = n_frames
        self.margin = kernel_reach(settings["kernel"], 1.0 / grid.pixel_scale_ratio) if pad else 0
        self.compute_err = None if settings["compute_err"] == "none" else settings["compute_err"]
        self.enable_var = settings["report_var"] or self.compute_err == "from_var"
        self.resample: Resample | None = None  # made for the first frame: it shows which variances there are
        self.unit = ""

    def _start(self, frame: Frame) -> Resample:
        settings, m = self.settings, self.margin
        ny, nx = self.grid.shape
        good_bits = self.format.GOOD_BITS["mosaic"] if settings["good_bits"] == "auto" else settings["good_bits"]
        resample = (Resample if "poisson" in frame.var else TotalVarianceResample)(
            {"wcs": self.grid.window(-m, nx + m, -m, ny + m), "pixel_scale_ratio": self.grid.pixel_scale_ratio},
            n_input_models=self.n_frames, pixfrac=settings["pixfrac"], kernel=settings["kernel"],
            fillval=settings["fillval"], weight_type=settings["weight_type"], good_bits=good_bits,
            enable_ctx=settings["context"] == "full", enable_var=self.enable_var, compute_err=self.compute_err,
            propagate_dq=settings["propagate_dq"], variance=settings["variance"],
        )  # fmt: skip
        resample.dq_flag_name_map = self.format.DQ_FLAGS
        return resample

    @property
    def planes(self) -> tuple[str, ...]:
        """What has to be read of each frame."""
        need_var = self.enable_var or self.settings["weight_type"] != "exptime"
        need_err = self.compute_err == "driz_err" or (need_var and self.format.ERR_ALONE)
        return ("data", "dq", *(("var",) if need_var else ()), *(("err",) if need_err else ()))

    def add(self, frame: Frame, pixmap, level: float | None) -> None:
        """Drizzle one frame; `pixmap` (on the full grid) is changed in place."""
        pixmap += float(self.margin)  # exact: pixel maps are multiples of 2^-32
        self.unit = frame.product_unit or frame.unit
        self.resample = self.resample or self._start(frame)
        self.resample.add_model(frame_model(frame, pixmap, level))

    def finish(self) -> tuple[dict, str]:
        """The output model, cropped to the grid, and its unit. Variances that no input has are left out."""
        self.resample.finalize()
        model = self.resample.output_model
        m = self.margin
        ny, nx = self.grid.shape
        for key, plane in model.items():
            if isinstance(plane, np.ndarray) and plane.ndim >= 2:
                model[key] = np.ascontiguousarray(plane[..., m : m + ny, m : m + nx])
        reported = self.resample.seen_variances - {"var_total"}
        model = {k: v for k, v in model.items() if not k.startswith("var_") or k in reported}
        return model, self.unit


def merge_headers(paths) -> list[tuple]:
    """Cards of the primary and first image headers that have one value in all files, in the first file's order.

    What differs between the inputs (times, pointings, detectors) and what describes a single file is left out.
    """
    from drizzleflow.fitsio import open_fits

    merged: dict[str, tuple] | None = None
    for path in paths:
        with open_fits(path) as hdus:
            image = next((h.header for h in hdus[1:] if h.name == "SCI" or h.header.get("XTENSION", "").strip() == "IMAGE"), None)
            found = {}
            for header in (hdus[0].header, image if image is not None else {}):
                for card in getattr(header, "cards", ()):
                    key = card.keyword
                    if key and key not in OWN_KEYWORDS and not key.startswith(tuple(OWN_PREFIXES)):
                        found.setdefault(key, (key, card.value, card.comment))
        if merged is None:
            merged = found
        else:
            merged = {k: v for k, v in merged.items() if k in found and found[k][1] == v[1]}
    return [card for card in (merged or {}).values() if not hasattr(card[1], "image")]


def write_i2d(path, model: dict, grid, *, unit: str, parameters: dict, cards=(), report_var: bool = True) -> None:
    """Write a product: SCI, ERR, CON, WHT, VAR_*, DQ (those that `model` has), each with the grid's WCS.

    Parameters
    ----------
    model : dict
        ``data``, ``wht``, and optionally ``err``, ``con``, ``var_poisson``, ``var_rnoise``, ``var_flat``, ``dq``; times.
    parameters : dict
        ``pixfrac``, ``kernel``, ``weight_type``, ``fillval`` for the header.
    cards : list
        Merged input cards.
    """
    from drizzleflow.fitsio import image_header, write_hdus

    area = grid.pixel_area
    primary = [
        *cards,
        ("NDRIZ", model["pointings"], "number of exposures combined"),
        ("PIXFRAC", parameters["pixfrac"], "drizzle pixel fraction"),
        ("KERNEL", parameters["kernel"], "drizzle kernel"),
        ("RESWHT", parameters["weight_type"], "weighting of the inputs"),
        ("PXSCLRT", grid.pixel_scale_ratio, "output over input pixel scale"),
    ]
    for key, name, comment in (
        ("EFFEXPTM", "exposure_time", "[s] sum of exposure times, once an exposure"),
        ("EXPTIME", "exposure_time", "[s] sum of exposure times, once an exposure"),
        ("TMEASURE", "measurement_time", "[s] sum of measurement times"),
        ("DURATION", "duration", "[s] sum of durations"),
        ("EXPSTART", "start_time", "[d] first start, MJD"),
        ("EXPEND", "end_time", "[d] last end, MJD"),
    ):
        if model.get(name):
            primary.append((key, model[name], comment))
    wcs = grid.cards()
    corners = grid.to_sky(*np.array([[-0.5, grid.shape[1] - 0.5, grid.shape[1] - 0.5, -0.5], [-0.5, -0.5, grid.shape[0] - 0.5, grid.shape[0] - 0.5]]))
    region = "POLYGON ICRS " + " ".join(f"{v:.9f}" for pair in zip(*corners, strict=True) for v in pair)
    image = [
        ("BUNIT", unit, "unit of the pixels"),
        ("PIXAR_SR", area, "[sr] nominal pixel area"),
        ("PIXAR_A2", grid.pixel_scale**2, "[arcsec2] nominal pixel area"),
        ("S_REGION", region, "region of the grid"),
    ]
    planes = [("SCI", model["data"], image), ("ERR", model.get("err"), image[:1])]
    planes += [("CON", _signed(model.get("con")), ()), ("WHT", model["wht"], ())]
    if report_var:
        squared = [("BUNIT", f"({unit})^2" if unit else "", "unit of the pixels")]
        planes += [(n.upper(), model.get(n), squared) for n in ("var_poisson", "var_rnoise", "var_flat") if n in model]
    planes.append(("DQ", model.get("dq"), ()))
    hdus = [(image_header(None, primary=True, cards=_unique(primary)), None)]
    for name, data, extra in planes:
        if data is not None:
            hdus.append((image_header(data, name, cards=[*wcs, *extra]), data))
    write_hdus(path, hdus)


def _unique(cards):
    """The last of each keyword wins, at the first's place."""
    return list({card[0]: card for card in cards}.values())


def _signed(con):
    """Context bits as the signed 32-bit planes that the peers write."""
    return None if con is None else con.view(np.int32) if con.dtype == np.uint32 else con
