"""Write the file that createMedian makes: the combined image with its header, NUSED and ERR."""

from __future__ import annotations

import math
import os
import re

import numpy as np

from drizzleflow import __version__
from drizzleflow.errors import InputError

#: keywords of a single that are not true of the combined image: its own name, its exposure, how it was
#: drizzled
_STALE = re.compile(
    r"D\d{3}[A-Z]+|NDRIZIM|DRIZPARS|ASN_MTYP|MDRIZSKY|READNSE|SKYELEC|ELECRATE|WHTMEAN|WHTAVG|EXPNAME|NGOODPIX"
    r"|EXPTIME|TEXPTIME|EXPSTART|EXPEND|FILENAME|ROOTNAME|DATE|NCOMBINE|COMBTYPE|CHECKSUM|DATASUM"
    r"|EXTNAME|EXTVER|EXTLEVEL|INHERIT|NEXTEND|WINX0|WINY0|EXTEND|BSCALE|BZERO"
    r"|Z(IMAGE|TENSION|BITPIX|NAXIS\d?|PCOUNT|GCOUNT|TILE\d|CMPTYPE|NAME\d|VAL\d|QUANTIZ|DITHER0|SIMPLE|EXTEND)"
)
_WCS = re.compile(
    r"WCSAXES|WCSNAME|C(TYPE|UNIT|RPIX|RVAL|DELT)\d|(CD|PC)\d_\d|RADESYS|EQUINOX|LONPOLE|LATPOLE"
)


def product(path, header, combined, singles, window, parameters) -> list[tuple]:
    """Return the product's HDUs, each (header, data): the image, NUSED and, where it was computed, ERR.

    Parameters
    ----------
    path : str
        The file's name; the header states it without the folder.
    header : fits.Header
        The header of the first single.
    combined : drizzleflow.combine.stack.Combined
    singles : list of DrizzledSingle
    window : Window
        The part of the grid that the product covers.
    parameters : drizzleflow.combine.parameters.Parameters
    """
    from drizzleflow.io.fits import image_header

    kept = _clean(header, singles, window)
    cards = [*kept, *_own_cards(path, singles, window, parameters)]
    place = [card for card in kept if _WCS.fullmatch(card.keyword)] + _window_cards(singles, window)
    hdus = [(image_header(combined.sci, primary=True, cards=cards), combined.sci)]
    hdus.append((image_header(combined.nused, "NUSED", cards=place), combined.nused))
    if combined.err is not None:
        unit = [card for card in kept if card.keyword == "BUNIT"]
        hdus.append((image_header(combined.err, "ERR", cards=[*unit, *place]), combined.err))
    return hdus


def write(path, hdus) -> None:
    """Write the HDUs (header, data) as a FITS file; raise InputError if it cannot be written."""
    from drizzleflow.io.fits import write_hdus

    try:
        write_hdus(path, hdus)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def hdulist(hdus):
    """Return the HDUs (header, data) as an `astropy.io.fits.HDUList`."""
    from astropy.io import fits

    kinds = [fits.PrimaryHDU, *[fits.ImageHDU] * (len(hdus) - 1)]
    return fits.HDUList([kind(data, header) for kind, (header, data) in zip(kinds, hdus, strict=True)])


def _clean(header, singles, window) -> list:
    """Return the first single's cards that hold for the product, with the WCS moved to the window."""
    from astropy.io import fits

    x0, y0 = singles[0].origin
    moved = {"CRPIX1": x0 - window.x0, "CRPIX2": y0 - window.y0}
    kept = []
    for card in header.copy(strip=True).cards:
        if _STALE.fullmatch(card.keyword):
            continue
        shift = moved.get(card.keyword)
        if shift:
            card = fits.Card(card.keyword, card.value + shift, card.comment)
        try:
            str(card)
        except (fits.VerifyError, ValueError):  # a card that cannot be written
            continue
        kept.append(card)
    return kept


def _window_cards(singles, window) -> list:
    if not any("WINX0" in single.cards for single in singles):
        return []
    return [
        ("WINX0", window.x0, "0-based grid column of the first pixel"),
        ("WINY0", window.y0, "0-based grid row of the first pixel"),
    ]


def _own_cards(path, singles, window, p) -> list[tuple]:
    """Return the product's own cards, without date and folder, so that each run writes the same bytes."""
    name = os.path.basename(path)
    times = [single.noise.exptime for single in singles]
    cards = [
        ("FILENAME", name, "name of file"),
        ("ROOTNAME", name.removesuffix("_med.fits"), "root of the name"),
    ]
    if None not in times:
        total = math.fsum(times)
        cards += [("EXPTIME", total, "total exposure time, s"), ("TEXPTIME", total, "total exposure time, s")]
    for key, of, words in (
        ("EXPSTART", min, "start of the first exposure"),
        ("EXPEND", max, "end of the last exposure"),
    ):
        values = [single.cards.get(key) for single in singles]
        if all(isinstance(value, (int, float)) for value in values):
            cards.append((key, of(values), words))
    cards += _window_cards(singles, window)
    sigmas = " ".join(f"{value:g}" for value in np.atleast_1d(p.combine_nsigma))
    cards += [
        ("NCOMBINE", len(singles), "images combined"),
        ("COMBTYPE", p.combine_type, "combine_type"),
        ("COMBMASK", bool(p.median_newmasks), "median_newmasks: pixels of low weight left out"),
        ("COMBMKPT", p.combine_maskpt, "combine_maskpt: fraction of the mean weight"),
        ("COMBNSIG", sigmas, "combine_nsigma"),
        ("COMBNLOW", p.combine_nlow, "combine_nlow"),
        ("COMBNHI", p.combine_nhigh, "combine_nhigh"),
        ("COMBLTH", "INDEF" if p.combine_lthresh is None else p.combine_lthresh, "combine_lthresh"),
        ("COMBHTH", "INDEF" if p.combine_hthresh is None else p.combine_hthresh, "combine_hthresh"),
        ("COMBGROW", p.combine_grow, "combine_grow"),
        ("COMBVER", f"drizzleflow {__version__}", "program"),
    ]
    width = max(3, len(str(len(singles))))
    names = [f"{'IMCMB'[: 8 - width]}{i:0{width}d}" for i in range(1, len(singles) + 1)]
    return cards + [(key, os.path.basename(s.path)[:67], "") for key, s in zip(names, singles, strict=True)]
