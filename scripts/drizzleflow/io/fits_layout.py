"""Find the HDUs of a FITS file by its headers alone, and whether the file is whole.

The plan reads every member's headers (a millisecond a file). A file that is cut short, or claims an image
larger than itself, is reported before any job starts. `drizzleflow.io.fits_verify` compares the checksums.
The layout is that of the FITS Standard 4.0. This module uses neither numpy nor astropy, because the plan
imports it and must start fast.
"""

from __future__ import annotations

import bz2
import gzip
import math
import os
import re
from dataclasses import dataclass, field

from drizzleflow.errors import InputError

BLOCK = 2880  #: bytes of a FITS block
MAX_HEADER = 20_000  #: largest number of blocks of one header
COMPRESSED = {b"\x1f\x8b": gzip, b"BZ": bz2}  #: first bytes of a compressed file -> its reader
#: an array's ``dtype.str`` without the byte order -> BITPIX; unsigned integers of 16 and 32 bits have a BZERO
BITPIX = {"u1": 8, "i2": 16, "u2": 16, "i4": 32, "u4": 32, "i8": 64, "f4": -32, "f8": -64}
BZERO = {"u2": 1 << 15, "u4": 1 << 31}
_REPEATED = ("EXTNAME", "EXTVER", "DATASUM", "CHECKSUM")  #: some real files have them twice; the first counts
_STRUCTURE = re.compile(
    rb"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|EXTNAME|EXTVER|ZIMAGE|ZNAXIS\d*|ZTILE\d+|DATASUM|CHECKSUM) *$"
)


@dataclass
class Unit:
    """One HDU: its byte positions in the (uncompressed) file, and its structural cards."""

    index: int
    start: int
    data: int = 0
    size: int = 0  #: bytes of the data, without padding
    cards: dict[str, bool | int | str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        name = self.cards.get("EXTNAME")
        return name if isinstance(name, str) and name else str(self.index)

    @property
    def end(self) -> int:
        return self.data + whole_blocks(self.size)

    @property
    def is_image(self) -> bool:
        """Whether it is an image extension, tile-compressed or not."""
        return self.cards.get("XTENSION") == "IMAGE" or self.cards.get("ZIMAGE") is True

    def text(self, file) -> bytes:
        """Return the header as it stands in an open file, which is not compressed."""
        file.seek(self.start)
        return file.read(self.data - self.start)


def whole_blocks(size: int) -> int:
    """Return the bytes, in whole FITS blocks, that `size` bytes of header or data take."""
    return -(-size // BLOCK) * BLOCK


def units(path) -> list[Unit]:
    """Return the HDUs of a file, in order.

    Raises
    ------
    InputError
        The file is not FITS, is cut short, or a header describes impossible data: negative axes, an unknown
        BITPIX, more data than the file has. No memory is taken for what a header claims.
    """
    return guarded(path, walk)


def guarded(path, work):
    """Return ``work(file, path, length)``; every failure becomes an `InputError`.

    A compressed file is unpacked on the way; its length is then None.
    """
    try:
        with open(path, "rb") as file:
            packer = COMPRESSED.get(file.read(2))
            file.seek(0)
            if packer is None:
                return work(file, path, os.fstat(file.fileno()).st_size)
            with packer.open(file) as unpacked:
                return work(unpacked, path, None)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except EOFError:
        raise InputError(f"{path}: the file is cut short (its compressed stream has no end)") from None
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # zlib.error and similar
        raise InputError(f"{path}: cannot be decompressed ({error})") from None


def walk(file, path, length) -> list[Unit]:
    """Return the `units` of an open file of `length` bytes (None if unknown)."""
    found, at = [], 0
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if found and not block.startswith(b"XTENSION"):
            _only_padding(file, block, path, at)
            return found
        if not found and not block.startswith(b"SIMPLE  ="):
            raise InputError(
                f"{path}: not a readable FITS file (it does not begin with SIMPLE, {len(block)} bytes read)"
            )
        unit = Unit(len(found), at)
        unit.data = at + _header(file, block, unit, path)
        unit.size = _size(unit, path)
        _inside(file, unit, path, length)
        found.append(unit)
        at = unit.end


def _only_padding(file, block, path, at) -> None:
    while block:
        if block.strip(b"\0 "):
            raise InputError(
                f"{path}: what follows its last HDU (byte {at}) is no extension; the header of one is damaged, or bytes were appended"
            )
        block = file.read(BLOCK)


def _header(file, block, unit, path) -> int:
    """Read the header into ``unit.cards`` and return its length in bytes."""
    for number in range(1, MAX_HEADER):
        if len(block) < BLOCK:
            raise InputError(
                f"{path}: not a readable FITS file (the file is cut short in the header of HDU {unit.index})"
            )
        for start in range(0, BLOCK, 80):
            key = block[start : start + 8]
            if key == b"END     ":
                return number * BLOCK
            if _STRUCTURE.match(key) and block[start + 8 : start + 10] == b"= ":
                name = key.rstrip().decode()
                value = _value(block[start + 10 : start + 80])
                if unit.cards.setdefault(name, value) != value and name not in _REPEATED:
                    raise InputError(
                        f"{path}[{unit.name}]: {name} is twice in its header, with different values"
                    )
        block = file.read(BLOCK)
    raise InputError(
        f"{path}: not a readable FITS file (the header of HDU {unit.index} has no END in {MAX_HEADER} blocks)"
    )


def _value(text: bytes) -> bool | int | str | None:
    """Return a card's value as text, whole number or truth value; None if it is neither."""
    text = text.strip()
    if text[:1] == b"'":
        found = re.match(rb"'((?:[^']|'')*)'", text)
        return found[1].replace(b"''", b"'").decode("ascii", "replace").strip() if found else None
    text = text.split(b"/")[0].strip()
    if text in (b"T", b"F"):
        return text == b"T"
    return int(text) if re.fullmatch(rb"[-+]?\d{1,18}", text) else None


def _size(unit, path) -> int:
    """Return the number of bytes of the data that a header describes."""
    cards, where = unit.cards, f"{path}[{unit.name}]"

    def number(key, default=None, low=0, high=1 << 60):
        value = cards.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            shown = (
                "missing"
                if value is None and key not in cards
                else "no whole number"
                if value is None
                else value
            )
            raise InputError(f"{where}: {key} is {shown}, expected a whole number from {low} to {high}")
        return value

    if unit.index == 0 and cards.get("SIMPLE") is not True:
        raise InputError(f"{path}: SIMPLE is not T, expected a file that conforms to the FITS standard")
    bitpix = number("BITPIX", low=-64, high=64)
    if bitpix not in BITPIX.values():
        allowed = ", ".join(map(str, dict.fromkeys(BITPIX.values())))
        raise InputError(f"{where}: BITPIX is {bitpix}, expected one of {allowed}")
    axes = [number(f"NAXIS{i}") for i in range(1, number("NAXIS", high=999) + 1)]
    if cards.get("ZIMAGE") is True:
        shape = [number(f"ZNAXIS{i}") for i in range(1, number("ZNAXIS", high=999) + 1)]
        tiles = [
            number(f"ZTILE{i}", shape[0] if i == 1 else 1, low=1)
            for i in range(1, len(shape) + 1)
            if shape[0]
        ]
        wanted = math.prod(-(-n // tile) for n, tile in zip(shape, tiles, strict=False))
        if len(axes) != 2 or axes[1] != wanted:
            raise InputError(
                f"{where}: a compressed image of {axes[1:]} tiles, expected {wanted} for {shape[::-1]} pixels"
            )
    if unit.index == 0 and cards.get("GROUPS") is True and axes and axes[0] == 0:  # random groups
        axes = axes[1:]
    if not axes:
        return 0
    return abs(bitpix) // 8 * number("GCOUNT", 1, low=1) * (number("PCOUNT", 0) + math.prod(axes))


def _inside(file, unit, path, length) -> None:
    """Raise InputError for data beyond the end of the file; the last block's padding may be missing."""
    end = unit.data + unit.size
    if length is None and unit.size:
        if end > 1 << 50:
            length = 0
        else:
            file.seek(end - 1)
            length = end if file.read(1) else file.tell()
    if unit.size and end > length:
        raise InputError(f"{path}[{unit.name}]: the file is cut short ({length} bytes, expected {end})")
