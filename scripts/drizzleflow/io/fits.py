"""FITS in and out: atomic, checksummed, and the same bytes for the same content.

Reading goes through astropy.io.fits. Writing is our own because a product must not hold the time of its
making (astropy's ``checksum=True`` writes one), must appear under its name only when it is whole, and must
copy an input's other HDUs byte for byte. Checksums follow the FITS checksum convention (FITS Standard 4.0,
appendix J).
"""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.io.checksum import sum32
from drizzleflow.io.files import replacing, write_text  # noqa: F401 (write_text: also found here)
from drizzleflow.io.fits_layout import BITPIX, BLOCK, BZERO, whole_blocks
from drizzleflow.io.header import number


def open_fits(path, **kwargs):
    """`astropy.io.fits.open` (memory-mapped, unscaled integers converted) that names the file when it cannot."""
    try:
        # astropy maps the file by default; asked for it explicitly, it refuses scaled planes such as JWST's
        # unsigned DQ
        return fits.open(path, uint=True, **kwargs)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # astropy raises many kinds for a broken file
        raise InputError(f"{path}: not a readable FITS file ({error})") from None


def plane(hdus, key, dtype, path, index=None, rows=None) -> np.ndarray:
    """The data of HDU `key` as a native, C-contiguous array of `dtype`; `index` picks one plane of a cube,
    `rows` (first, end) some of its rows.

    Raises
    ------
    InputError
        The HDU is missing, empty or cut short; the message names file and extension.
    """
    part = (() if index is None else (index,)) + (() if rows is None else (slice(*rows),))
    try:
        data = hdus[key].section[part] if part and hdus[key].header["NAXIS"] else hdus[key].data
    except KeyError:
        raise InputError(f"{path}[{key}]: no such extension") from None
    except Exception as error:
        raise InputError(f"{path}[{key}]: cannot be read ({error})") from None
    if data is None:
        raise InputError(f"{path}[{key}]: the extension has no data")
    return np.ascontiguousarray(data, dtype=dtype)


def expect_plane(hdu, shape, path, *, flags: bool = False) -> None:
    """Refuse, by its header alone, a plane that is not an image of `shape`, or `flags` that are not integers
    of up to 32 bits.

    Without axes it is HST's constant plane, of any shape, where it has PIXVALUE, and none where it has not.
    """
    header, where = hdu.header, f"{path}[{hdu.name},{hdu.ver}]" if hdu.name else path
    if not hdu.is_image:
        raise InputError(f"{where}: a table, expected an image")
    if header["NAXIS"] == 0:
        if "PIXVALUE" in header and number(header["PIXVALUE"]) is None:
            raise InputError(f"{where}: PIXVALUE is {header['PIXVALUE']!r}, expected a number")
        return
    found = tuple(header.get(f"NAXIS{i}", 0) for i in range(header["NAXIS"], 0, -1))
    if found[: -len(shape)] == (1,) * (len(found) - len(shape)):
        found = found[-len(shape) :]
    if found != tuple(shape):
        raise InputError(f"{where}: shape {found}, expected {tuple(shape)} as the image has")
    if flags and (header["BITPIX"] not in (8, 16, 32) or header.get("BSCALE", 1) != 1):
        found = f"BITPIX {header['BITPIX']}" + (
            f" and BSCALE {header['BSCALE']}" if header.get("BSCALE", 1) != 1 else ""
        )
        raise InputError(
            f"{where}: flags with {found}, expected integers of at most 32 bits (BITPIX 8, 16, 32)"
        )


def expect_once(hdus, names, path) -> None:
    """Refuse a file in which two extensions of the same one of `names` have one EXTVER."""
    seen = set()
    for hdu in hdus:
        key = hdu.name, hdu.ver
        if hdu.name in names and key in seen:
            raise InputError(f"{path}: two extensions {hdu.name} with EXTVER {hdu.ver}, expected each once")
        seen.add(key)


def _encode(value: int) -> str:
    """The 16 ASCII characters of a checksum: each byte shared over four printable characters."""
    excluded = set(range(0x3A, 0x41)) | set(range(0x5B, 0x61))
    columns = []
    for shift in (24, 16, 8, 0):
        byte = (value >> shift) & 0xFF
        quotient, remainder = divmod(byte, 4)
        characters = [quotient + remainder + 0x30, quotient + 0x30, quotient + 0x30, quotient + 0x30]
        while any(c in excluded for c in characters):
            for i in (0, 2):
                if characters[i] in excluded or characters[i + 1] in excluded:
                    characters[i] += 1
                    characters[i + 1] -= 1
        columns.append(characters)
    text = "".join(chr(columns[j][i]) for i in range(4) for j in range(4))
    return text[-1] + text[:-1]


def _pack(array) -> np.ndarray:
    """An array's big-endian form as stored in FITS; unsigned 16 and 32-bit integers lose their BZERO offset."""
    array = np.asarray(array)
    if array.dtype.kind == "u" and array.dtype.itemsize in (2, 4):
        bits = 8 * array.dtype.itemsize
        native = array.astype(f"u{array.dtype.itemsize}", copy=False)
        array = (native ^ native.dtype.type(1 << (bits - 1))).view(f"i{array.dtype.itemsize}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">"))


def checksummed(header, parts) -> bytes:
    """Header bytes (whole blocks, with END) in which DATASUM and CHECKSUM fit the data.

    Parameters
    ----------
    header : fits.Header or bytes
        Bytes are card images of 80 characters without END, and stay as they are (see
        `drizzleflow.io.fits_copy`).
    parts : iterable of bytes-like
        The data unit in pieces, so that a large array need not be copied to be padded; each piece a multiple
        of 4 long.
    """
    if isinstance(header, fits.Header):
        header = header.tostring(endcard=False, padding=False).encode("ascii")
    cards = [bytes(header[i : i + 80]) for i in range(0, len(header), 80)]
    datasum = 0
    for part in parts:
        datasum = sum32(part, datasum)
    _set_card(cards, "DATASUM", str(datasum), "data unit checksum")
    where = _set_card(cards, "CHECKSUM", "0" * 16, "HDU checksum")
    block = b"".join(cards) + b"END".ljust(80)
    block = block.ljust(whole_blocks(len(block)))
    total = sum32(block, datasum)
    start = 80 * where + 11  # the value's first character
    return block[:start] + _encode(~total & 0xFFFFFFFF).encode("ascii") + block[start + 16 :]


def _set_card(cards: list, key: str, value, comment: str) -> int:
    """Put a one-card keyword in its old place, or at the end; its index."""
    image = str(fits.Card(key, value, comment)).encode("ascii")
    name = key.ljust(8).encode("ascii")
    for index, card in enumerate(cards):
        if card[:8] == name:
            cards[index] = image
            return index
    cards.append(image)
    return len(cards) - 1


def _raw(array) -> memoryview:
    view = (
        memoryview(np.ascontiguousarray(array)).cast("B")
        if array is not None and np.size(array)
        else memoryview(b"")
    )
    return view


def write_hdus(path, hdus) -> None:
    """Write HDUs to `path`, whole or not at all, with checksums and no clock.

    Parameters
    ----------
    hdus : iterable of (header, data)
        `header` is a fits.Header or raw card images (see `checksummed`).
        `data` is None, an array, ``bytes`` copied as they are (already in FITS layout), or an object whose
        ``pieces()`` gives arrays one after the other (`drizzleflow.resample.mosaic.Stacked`): these are gone
        through twice. The header must describe the data (use `image_header`); checksums are added here.
    """
    with replacing(path) as temporary, open(temporary, "wb") as out:
        for header, data in hdus:
            pieces = _pieces(data)
            out.write(checksummed(header, _words(pieces())))
            size = sum(out.write(raw) for raw in pieces())
            out.write(b"\0" * (-size % BLOCK))


def _pieces(data):
    """A function that gives the bytes of a data unit in pieces, as often as it is called."""
    if hasattr(data, "pieces"):
        return lambda: (_raw(_pack(array)) for array in data.pieces())
    packed = (
        memoryview(data or b"")
        if data is None or isinstance(data, (bytes, memoryview))
        else _raw(_pack(data))
    )
    return lambda: [packed]


def _words(pieces):
    """The same bytes in pieces of whole 32-bit words, zeros at the end."""
    for raw in pieces:
        whole = len(raw) - len(raw) % 4
        yield raw[:whole]
        if whole < len(raw):
            yield bytes(raw[whole:]) + b"\0" * (whole + 4 - len(raw))


def image_header(
    array, name: str | None = None, *, extver: int | None = None, cards=(), primary: bool = False
):
    """A header for an image HDU of `array` (or an empty primary HDU), followed by `cards` (key, value,
    comment).
    """
    header = fits.Header()
    if primary:
        header["SIMPLE"] = (True, "conforms to FITS standard")
    else:
        header["XTENSION"] = ("IMAGE", "Image extension")
    kind = None if array is None else (array if hasattr(array, "dtype") else np.asarray(array)).dtype.str[1:]
    header["BITPIX"] = (8 if array is None else BITPIX[kind], "array data type")
    shape = () if array is None else np.shape(array)
    header["NAXIS"] = (len(shape), "number of array dimensions")
    for axis, length in enumerate(reversed(shape), start=1):
        header[f"NAXIS{axis}"] = length
    if primary:
        header["EXTEND"] = True
    else:
        header["PCOUNT"] = (0, "number of parameters")
        header["GCOUNT"] = (1, "number of groups")
    if kind in BZERO:
        header["BSCALE"] = 1
        header["BZERO"] = BZERO[kind]
    if name:
        header["EXTNAME"] = (name, "extension name")
    if extver is not None:
        header["EXTVER"] = (extver, "extension value")
    for card in cards:
        header.append(card, end=True)
    return header
