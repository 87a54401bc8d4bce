"""Copy a FITS file with a few HDUs changed; the crf product is such a copy with outliers marked.

Everything else stays as it is: data units byte for byte (scaled integers, tables, tile-compressed images,
HDUs that astropy does not know) and header cards character for character. Headers gain only checksums and the
keywords that the caller names. No time is written, so that two runs give the same bytes.
"""

from __future__ import annotations

import os

import numpy as np
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.io.fits import open_fits, write_hdus
from drizzleflow.io.fits_layout import BITPIX, BZERO, COMPRESSED, whole_blocks


def write(path_in, path_out, changes: dict, primary_cards=(), append=()) -> None:
    """Copy `path_in` to `path_out`, whole or not at all, with changed data and keywords.

    Parameters
    ----------
    path_in, path_out : path
        The input is never changed. The copy of a gzip or bzip2 input is not compressed.
    changes : dict
        ``(EXTNAME, EXTVER)`` or ``(index, anything)`` -> ``{"data": array or None, "cards": [(key, value,
        comment)]}``; index 0 is the primary HDU. None keeps the data unit. An array is stored in its own
        dtype (unsigned integers with BZERO). Instead of an array, a function without arguments may be given;
        it is called when its HDU is written. A tile-compressed image that gets new data becomes an
        uncompressed image extension.
    primary_cards : list of (key, value, comment)
        Cards for the primary header.
    append : list of (fits.Header, array)
        New HDUs at the end of the file (headers from `drizzleflow.io.fits.image_header`).

    Raises
    ------
    InputError
        The input cannot be read, is cut short, or lacks a named HDU, or both paths are the same file.
    """
    path_in, path_out = os.fspath(path_in), os.fspath(path_out)
    if os.path.exists(path_out) and os.path.samefile(path_in, path_out):
        raise InputError(f"{path_out}: the output would replace its own input")
    source = _bytes_of(path_in)
    with open_fits(path_in, disable_image_compression=True) as hdus:
        units = [(hdu.name, hdu.ver, *_span(hdu, source, path_in, i)) for i, hdu in enumerate(hdus)]
        wanted = {_find(units, key, path_in): change for key, change in changes.items()}
        primary_cards = list(primary_cards)
        if append:
            primary_cards += _extension_count(hdus[0].header, len(units) - 1 + len(append))
    edits = {i: list(change.get("cards") or ()) for i, change in wanted.items()}
    edits[0] = edits.get(0, []) + primary_cards

    def stream():
        for i, (_, _, start, data, end) in enumerate(units):
            cards = _cards(source[start:data])
            raw = source[data:end]
            new = wanted.get(i, {}).get("data")
            if new is not None:
                if _value(cards, "ZIMAGE") is True:
                    cards = _uncompressed_cards(path_in, i)
                new = np.asarray(new() if callable(new) else new)
                cards = describe_image(cards, new)
                raw = new
            yield edit(cards, edits.get(i, ())), raw
        yield from append

    write_hdus(path_out, stream())


SKY = ("BKG", "MDRIZSKY")  #: beginnings of keywords whose values differ between frames


def primary_cards(keywords: dict) -> list:
    """Return the cards of ``{keyword: (value, comment)}`` for the primary header: all but those of `SKY`."""
    return [(key, *card) for key, card in keywords.items() if not key.startswith(SKY)]


def sci_cards(keywords: dict, extver: int) -> list:
    """Return the cards of `SKY` for a frame's SCI header; a value may be a dict extver -> value."""
    cards = [(key, *card) for key, card in keywords.items() if key.startswith(SKY)]
    return [
        (key, value.get(extver) if isinstance(value, dict) else value, *rest) for key, value, *rest in cards
    ]


def _bytes_of(path) -> memoryview:
    """Return the file's (uncompressed) content; an uncompressed file is mapped, not read."""
    try:
        with open(path, "rb") as file:
            packer = COMPRESSED.get(file.read(2))
        if packer:
            with packer.open(path) as file:
                return memoryview(file.read())
        return memoryview(np.memmap(path, mode="r", dtype=np.uint8))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not a readable FITS file ({error})") from None


def _span(hdu, source, path, index) -> tuple[int, int, int]:
    """Return the positions in the file of an HDU's header, data and padded end."""
    info = hdu.fileinfo()
    start, data = info["hdrLoc"], info["datLoc"]
    if data + hdu.size > len(source):
        raise InputError(
            f"{path}[{hdu.name or index}]: the file is cut short "
            f"({len(source)} bytes, expected {data + hdu.size})"
        )
    return start, data, min(data + whole_blocks(hdu.size), len(source))


def _find(units, key, path) -> int:
    name, ver = key if isinstance(key, tuple) else (key, 1)
    if isinstance(name, int):
        if 0 <= name < len(units):
            return name
    else:
        for index, unit in enumerate(units):
            if unit[0].upper() == name.upper() and unit[1] == ver:
                return index
    raise InputError(f"{path}[{name},{ver}]: no such extension")


def _extension_count(header, count) -> list:
    """Return the cards that must change in the primary header when HDUs are added: NEXTEND (HST), EXTEND."""
    cards = []
    if "NEXTEND" in header:
        cards.append(("NEXTEND", count, header.comments["NEXTEND"]))
    if header.get("EXTEND") is False:
        cards.append(("EXTEND", True, header.comments["EXTEND"]))
    return cards


def _uncompressed_cards(path, index) -> list[bytes]:
    with open_fits(path) as hdus:
        header = hdus[index].header.copy()
    header["XTENSION"] = ("IMAGE", "Image extension")
    return _cards(header.tostring().encode("ascii"))


# -- card images of 80 bytes each; cards that are not changed are not parsed -----------------------------


def _cards(block) -> list[bytes]:
    """Return the card images of a header up to END, without blank cards at its end."""
    block = bytes(block)
    cards = []
    for start in range(0, len(block), 80):
        card = block[start : start + 80]
        if card[:8] == b"END     ":
            break
        cards.append(card)
    while cards and not cards[-1].strip():
        cards.pop()
    return cards


def _name(key: str) -> bytes:
    if len(key) > 8:
        raise ValueError(f"keyword {key}: longer than eight characters")
    return key.upper().ljust(8).encode("ascii")


def _locate(cards, key) -> tuple[int, int] | None:
    """Return the index range of a keyword's card images, with the CONTINUE cards of a long string."""
    name = _name(key)
    for start, card in enumerate(cards):
        if card[:8] == name:
            stop = start + 1
            while stop < len(cards) and cards[stop][:8] == b"CONTINUE":
                stop += 1
            return start, stop
    return None


def _value(cards, key):
    place = _locate(cards, key)
    return fits.Card.fromstring(cards[place[0]]).value if place else None


def _set(cards, key, value, comment="", after=None) -> None:
    image = str(fits.Card(key, value, comment)).encode("ascii")
    new = [image[i : i + 80] for i in range(0, len(image), 80)]
    place = _locate(cards, key)
    if place:
        cards[place[0] : place[1]] = new
    elif after:
        position = _locate(cards, after)[1]
        cards[position:position] = new
    else:
        cards.extend(new)


def _remove(cards, key) -> None:
    place = _locate(cards, key)
    if place:
        del cards[place[0] : place[1]]


def edit(cards: list[bytes], changes) -> bytes:
    """Return the card images with keywords (key, value, comment) set in their old place, or at the end."""
    cards = list(cards)
    for key, value, *comment in changes:
        _set(cards, key, value, *comment)
    return b"".join(cards)


def describe_image(cards: list[bytes], array) -> list[bytes]:
    """Return the cards with BITPIX, NAXIS*, BSCALE and BZERO changed, where needed, to describe `array`."""
    cards = list(cards)
    kind = array.dtype.str[1:]
    if kind not in BITPIX:
        raise ValueError(f"dtype {array.dtype} has no FITS image type")
    shape = array.shape[::-1]
    axes = {f"NAXIS{i}": length for i, length in enumerate(shape, start=1)}
    old = _value(cards, "NAXIS") or 0
    if old == 0:  # HST writes a constant plane as a header without data
        for key in ("PIXVALUE", "NPIX1", "NPIX2"):
            _remove(cards, key)
    for i in range(len(shape) + 1, old + 1):
        _remove(cards, f"NAXIS{i}")
    after = None
    for key, value in {"BITPIX": BITPIX[kind], "NAXIS": len(shape), **axes}.items():
        if _value(cards, key) != value:
            _set(cards, key, value, "", after)
        after = key
    offset = BZERO.get(kind, 0)
    if offset and not (_value(cards, "BZERO") == offset and _value(cards, "BSCALE") in (None, 1)):
        _set(cards, "BSCALE", 1)
        _set(cards, "BZERO", offset)
    if not offset:
        for key in ("BSCALE", "BZERO"):
            if _value(cards, key) not in (None, {"BSCALE": 1, "BZERO": 0}[key]):
                _remove(cards, key)
    _remove(cards, "BLANK")
    return cards
