"""Read and write FITS files: whole or not at all, with checksums, the same bytes for the same content.

astropy.io.fits reads. Writing is done here, because a product must not hold the time of its making (astropy's
``checksum=True`` writes one), must appear under its name only when it is complete, and must copy an input's
other HDUs byte for byte. Checksums follow the FITS checksum convention (FITS Standard 4.0, appendix J).
"""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.io.checksum import sum32
from drizzleflow.io.files import replacing, write_text  # noqa: F401 (write_text: others import it from here)
from drizzleflow.io.fits_layout import BITPIX, BLOCK, BZERO, whole_blocks
from drizzleflow.io.header import number

PIECE = 2**20  #: bytes that are written at a time


def open_fits(path, **kwargs):
    """Open a file with `astropy.io.fits.open` (memory-mapped, unsigned integers); errors name the file."""
    try:
        # astropy maps the file by default; with an explicit memmap=True it would refuse scaled planes such as
        # JWST's unsigned DQ
        return fits.open(path, uint=True, **kwargs)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # astropy raises errors of many kinds for a broken file
        raise InputError(f"{path}: not a readable FITS file ({error})") from None


def plane(hdus, key, dtype, path, index=None, rows=None) -> np.ndarray:
    """Return the data of HDU `key` as a native, C-contiguous array of `dtype`.

    `index` selects one plane of a cube, `rows` (first, end) some of its rows.

    Raises
    ------
    InputError
        The HDU is missing, empty or cut short. The message names file and extension.
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
    """Raise InputError, by the header alone, for a plane that is not an image of `shape`.

    The same holds for `flags` that are not integers.

    An HDU without axes is HST's constant plane, of any shape, if it has PIXVALUE; otherwise it counts as no
    plane.
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
    if not flags:
        return
    bits, scale, zero = (
        header.get(key, value) for key, value in (("BITPIX", 0), ("BSCALE", 1), ("BZERO", 0))
    )
    unsigned = -128 if bits == 8 else 1 << (bits - 1 if bits > 0 else 0)
    if bits not in (8, 16, 32, 64) or scale != 1 or zero not in (0, unsigned):
        found = f"BITPIX {bits}" + "".join(
            f" and {key} {value}"
            for key, value, usual in (("BSCALE", scale, 1), ("BZERO", zero, 0))
            if value != usual
        )
        raise InputError(f"{where}: flags with {found}, expected integers (BITPIX 8, 16, 32 or 64)")


def expect_once(hdus, names, path) -> None:
    """Raise InputError if two extensions of one name in `names` have the same EXTVER."""
    seen = set()
    for hdu in hdus:
        key = hdu.name, hdu.ver
        if hdu.name in names and key in seen:
            raise InputError(f"{path}: two extensions {hdu.name} with EXTVER {hdu.ver}, expected each once")
        seen.add(key)


def _encode(value: int) -> str:
    """Return the 16 ASCII characters of a checksum; each byte is split over four printable characters."""
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
    """Return an array in FITS's big-endian form; unsigned 16 and 32-bit integers lose their BZERO offset."""
    array = np.asarray(array)
    if array.dtype.kind == "u" and array.dtype.itemsize in (2, 4):
        bits = 8 * array.dtype.itemsize
        native = array.astype(f"u{array.dtype.itemsize}", copy=False)
        array = (native ^ native.dtype.type(1 << (bits - 1))).view(f"i{array.dtype.itemsize}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">"))


def checksummed(header, parts) -> bytes:
    """Return header bytes (whole blocks, with END) whose DATASUM and CHECKSUM fit the data.

    Parameters
    ----------
    header : fits.Header or bytes
        Bytes are card images of 80 characters without END; they are kept as they are (see
        `drizzleflow.io.fits_copy`).
    parts : iterable of bytes-like
        The data unit in pieces, so that a large array need not be copied for the padding; each piece has a
        multiple of 4 bytes.
    """
    datasum = 0
    for part in parts:
        datasum = sum32(part, datasum)
    return _with_sums(header, datasum)


def _with_sums(header, datasum: int) -> bytes:
    """Return header bytes as `checksummed`; their length does not depend on `datasum`."""
    if isinstance(header, fits.Header):
        header = header.tostring(endcard=False, padding=False).encode("ascii")
    cards = [bytes(header[i : i + 80]) for i in range(0, len(header), 80)]
    _set_card(cards, "DATASUM", str(datasum), "data unit checksum")
    where = _set_card(cards, "CHECKSUM", "0" * 16, "HDU checksum")
    block = b"".join(cards) + b"END".ljust(80)
    block = block.ljust(whole_blocks(len(block)))
    total = sum32(block, datasum)
    start = 80 * where + 11  # position of the value's first character
    return block[:start] + _encode(~total & 0xFFFFFFFF).encode("ascii") + block[start + 16 :]


def _set_card(cards: list, key: str, value, comment: str) -> int:
    """Set a keyword of one card in its old place, or at the end, and return its index."""
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
    """Write HDUs to `path`, whole or not at all, with checksums and without the time.

    Parameters
    ----------
    hdus : iterable of (header, data)
        `header` is a fits.Header or raw card images (see `checksummed`).
        `data` is None, an array, ``bytes`` copied as they are (already in FITS layout), or an object whose
        ``pieces()`` yields arrays one after the other (`drizzleflow.io.spool.Spool`). The header must
        describe the data (use `image_header`); checksums are added here.
    """
    with replacing(path) as temporary, open(temporary, "wb") as out:
        for header, data in hdus:
            start = out.tell()
            out.write(_with_sums(header, 0))  # written again when the sum of the data is known
            size, datasum, rest = 0, 0, b""
            for raw in _pieces(data):
                size += out.write(raw)
                whole, rest = _words(rest, raw)
                datasum = sum32(whole, datasum)
            datasum = sum32(rest.ljust(-(-len(rest) // 4) * 4, b"\0"), datasum)
            out.write(b"\0" * (-size % BLOCK))
            if datasum:
                out.seek(start)
                out.write(_with_sums(header, datasum))
                out.seek(0, 2)


def _pieces(data):
    """Yield the bytes of a data unit in pieces that a processor's cache holds."""
    if data is None or isinstance(data, (bytes, memoryview)):
        yield memoryview(data or b"")
        return
    for array in data.pieces() if hasattr(data, "pieces") else [np.asarray(data)]:
        flat = np.ascontiguousarray(array).reshape(-1)
        each = max(1, PIECE // max(flat.itemsize, 1))
        for first in range(0, len(flat), each):
            yield _raw(_pack(flat[first : first + each]))


def _words(rest: bytes, raw):
    """Return the whole 32-bit words of `rest` and what follows it, and the bytes that are left over."""
    if rest:
        raw = rest + bytes(raw)
    end = len(raw) - len(raw) % 4
    return raw[:end], bytes(raw[end:])


def image_header(
    array, name: str | None = None, *, extver: int | None = None, cards=(), primary: bool = False
):
    """Return the header for an image HDU of `array` (or an empty primary HDU).

    `cards` (key, value, comment) follow the structural cards.
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
