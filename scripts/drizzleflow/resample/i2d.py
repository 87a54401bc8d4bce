"""Write the ``i2d`` product, with what its header takes from the inputs' headers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from drizzleflow.io.fits_layout import units

#: keywords that describe one file, its layout, its own WCS or its making: never merged into a product
OWN_KEYWORDS = (
    "SIMPLE BITPIX NAXIS NAXIS1 NAXIS2 NAXIS3 EXTEND XTENSION PCOUNT GCOUNT EXTNAME EXTVER EXTLEVEL BSCALE BZERO NEXTEND"
    " CHECKSUM DATASUM DATE FILENAME DATAMODL ROOTNAME IRAF-TLM ORIGIN HISTORY COMMENT CONTINUE S_REGION WCSAXES WCSNAME"
    " RADESYS EQUINOX LONPOLE LATPOLE VELOSYS MJDREF BUNIT EXPTIME EFFEXPTM TMEASURE DURATION XPOSURE TELAPSE EXPSTART"
    " EXPMID EXPEND PIXAR_SR PIXAR_A2 S_OUTLIR BKGMETH BKGLEVEL BKGSUB INHERIT LTV1 LTV2 LTM1_1 LTM2_2 IDCSCALE VAFACTOR"
).split()
OWN_PREFIXES = (
    "CRPIX CRVAL CDELT CTYPE CUNIT CD1_ CD2_ PC1_ PC2_ PV1_ PV2_ A_ B_ AP_ BP_ CPDIS CPERR DP1 DP2 D2IM OCRVAL OCRPIX OCD"
    " OCTYPE OORIENTA WAT0_ WAT1_ WAT2_ WCSDIM RADECSYS V2_REF V3_REF RA_REF DEC_REF ROLL_REF V3I_YANG VPARITY PROV S_SKYMAT"
).split()


def headers(path) -> list[tuple]:
    """Cards (keyword, value, comment) of a FITS file's primary and first image header.

    Cards that are no valid FITS are left out: they stay in the flagged copy, as they are.
    """
    found = units(path)
    wanted = found[:1] + [unit for unit in found[1:] if unit.name == "SCI" or unit.is_image][:1]
    if any(
        unit.cards.get("ZIMAGE") for unit in wanted
    ):  # its header describes the table that holds the image
        from drizzleflow.io.fits import open_fits

        with open_fits(path) as hdus:
            texts = [hdus[unit.index].header.tostring().encode("ascii") for unit in wanted]
    else:
        with open(path, "rb") as file:
            texts = [unit.text(file) for unit in wanted]
    return [card for text in texts for card in map(_card, whole_cards(text)) if card is not None]


def whole_cards(header: bytes) -> list[bytes]:
    """The card images of a header; those that continue another are with it."""
    images = [header[start : start + 80] for start in range(0, len(header), 80)]
    end = next(number for number, image in enumerate(images) if image[:8] == b"END     ")
    whole = []
    for image in images[:end]:
        if image[:8] == b"CONTINUE" and whole:
            whole[-1] += image
        else:
            whole.append(image)
    return whole


@lru_cache(maxsize=4096)  # the files of a product have most cards in common
def _card(image: bytes) -> tuple | None:
    from astropy.io.fits import Card, VerifyError

    card = Card.fromstring(image)
    try:
        return card.keyword, card.value, card.comment
    except VerifyError:
        return None


def merge_headers(paths, headers=headers, hashes: dict | None = None) -> list[tuple]:
    """Cards that have one value in all files, in the first file's order; `headers` gives those of a file.

    What differs between the inputs (times, pointings, detectors) and what describes a single file is left
    out. `hashes` is filled: path -> PROVIN, the hash of the file that a flagged copy was made from.
    """
    merged: dict[str, tuple] | None = None
    for path in paths:
        found = {}
        for card in headers(path):
            key = card[0]
            if key == "PROVIN" and hashes is not None:
                hashes[path] = card[1]
            if key and key not in OWN_KEYWORDS and not key.startswith(tuple(OWN_PREFIXES)):
                found.setdefault(key, card)
        if merged is None:
            merged = found
        else:
            merged = {k: v for k, v in merged.items() if k in found and found[k][1] == v[1]}
    return [card for card in (merged or {}).values() if not hasattr(card[1], "image")]


def write_i2d(
    path, model: dict, grid, *, unit: str, parameters: dict, cards=(), report_var: bool = True, history=()
) -> None:
    """Write a product: SCI, ERR, CON, WHT, VAR_*, DQ (those that `model` has), each with the grid's WCS.

    Parameters
    ----------
    model : dict
        ``data``, ``wht``, and optionally ``err``, ``con``, ``var_poisson``, ``var_rnoise``, ``var_flat``,
        ``dq``; times.
    parameters : dict
        ``pixfrac``, ``kernel``, ``weight_type``, ``fillval`` for the header.
    cards : list
        Merged input cards.
    history : list
        Cards of `drizzleflow.jobs.history`.
    """
    from drizzleflow.io.fits import image_header, write_hdus

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
    image = [
        *([("BUNIT", unit, "unit of the pixels")] if unit else []),
        ("PIXAR_SR", area, "[sr] nominal pixel area"),
        ("PIXAR_A2", grid.pixel_scale**2, "[arcsec2] nominal pixel area"),
        *([("S_REGION", grid.s_region)] if grid.s_region else []),
    ]
    planes = [("SCI", model["data"], image), ("ERR", model.get("err"), image[: bool(unit)])]
    planes += [("CON", _signed(model.get("con")), ()), ("WHT", model["wht"], ())]
    if report_var:
        squared = [("BUNIT", f"({unit})^2", "unit of the pixels")] if unit else []
        planes += [
            (n.upper(), model.get(n), squared)
            for n in ("var_poisson", "var_rnoise", "var_flat")
            if n in model
        ]
    planes.append(("DQ", model.get("dq"), ()))
    hdus = [(image_header(None, primary=True, cards=[*_unique(primary), *history]), None)]
    for name, data, extra in planes:
        if data is not None:
            hdus.append((image_header(data, name, cards=[*wcs, *extra]), data))
    write_hdus(path, hdus)


def _unique(cards):
    """Return each keyword's last card, at the place of its first."""
    return list({card[0]: card for card in cards}.values())


def _signed(con):
    """Return context bits as signed 32-bit planes, as jwst and AstroDrizzle write them."""
    return None if con is None else con.view(np.int32) if con.dtype == np.uint32 else con


def exposure_times(members, options) -> dict:
    """``pointings`` and the times of a product: each exposure (group) counts once, by its first frame.

    Parameters
    ----------
    members : list of dict
        Of members.csv; only headers are read.
    """
    from drizzleflow import formats
    from drizzleflow.resample.exposure_times import ExposureTimes

    times = ExposureTimes()
    for member in members:
        for extver in range(1, member["nframes"] + 1):
            frame = formats.read(member, extver, (), options)
            times.add(
                frame.group, {key: getattr(frame, key) for key in (*times.SUMMED, "start_time", "end_time")}
            )
    return times.values()
