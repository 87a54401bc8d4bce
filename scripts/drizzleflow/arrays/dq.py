"""Decide by data-quality flags which pixels are good.

The flags that a good pixel may have, ``good_bits``, are written as for `stcal.resample.Resample` and
AstroDrizzle: an int, a list of ints or flag names, or a string such as ``4,8``, ``4+8``, ``4|8`` or
``JUMP_DET, DROPOUT``. A string with a leading ``~`` lists the flags that a good pixel may not have. None
means that flags are ignored. A pixel is good when it has no other flag than the good ones.
"""

from __future__ import annotations

import re

import numpy as np

from drizzleflow.errors import InputError

ALL = 0xFFFFFFFF


def good_mask_value(good_bits, flags: dict[str, int] | None = None) -> int | None:
    """Return the bits that a good pixel may have, as one number; None if flags are ignored.

    Parameters
    ----------
    good_bits : int, str, list or None
        See above.
    flags : dict or astropy.nddata.BitFlagNameMap, optional
        Flag name -> bit, for names in `good_bits`.

    Raises
    ------
    InputError
        A flag name is not in `flags`, or `good_bits` is a truth value.
    """
    if good_bits is None:
        return None
    if isinstance(good_bits, bool):
        raise InputError(f"good_bits {good_bits!r}: expected bits or flag names, not a truth value")
    if isinstance(good_bits, (int, np.integer)):
        return int(good_bits) & ALL
    if isinstance(good_bits, str):
        text = good_bits.strip()
        if text.upper() in ("", "NONE"):
            return None
        inverted = text.startswith("~")
        words = [w for w in re.split(r"[,+|\s()]+", text.lstrip("~ ")) if w]
    else:
        inverted, words = False, list(good_bits)
    value = 0
    for word in words:
        value |= _bit(word, flags or {})
    if inverted and value == 0:
        return None
    return (~value & ALL) if inverted else value


def _bit(word, flags) -> int:
    text = str(word).strip()
    if re.fullmatch(r"\d+", text):
        return int(text) & ALL
    known = _names(flags)
    if text.upper() in known:
        return known[text.upper()]
    listed = ", ".join(known) or "none: this format has numbers only"
    raise InputError(f"good_bits: unknown flag {text!r}; known flags: {listed}")


def _names(flags) -> dict[str, int]:
    """Bits by upper-case flag name, of a dict or an `astropy.nddata.BitFlagNameMap` (a class)."""
    if isinstance(flags, type):
        flags = {
            name: getattr(flags, name)
            for base in flags.__mro__
            for name in vars(base)
            if name.isidentifier() and name[0] != "_"
        }
        flags = {name: int(value) for name, value in flags.items() if isinstance(value, int)}
    return {str(name).upper(): int(value) for name, value in flags.items()}


def good_pixels(dq, good_bits, flags=None, shape=None) -> np.ndarray:
    """Return a bool array, True where a pixel is good.

    Parameters
    ----------
    dq : (ny, nx) integer array or None
        None: there are no flags, and all pixels are good.
    good_bits, flags
        See `good_mask_value`.
    shape : (ny, nx), optional
        Of the result, where `dq` is None.
    """
    value = good_mask_value(good_bits, flags)
    if dq is None or value is None:
        return np.ones(np.shape(dq) if dq is not None else shape, bool)
    return (dq & np.uint32(~value & ALL)) == 0


def as_bits(flags, where="DQ") -> np.ndarray:
    """Convert the flags of a file to uint32 bits.

    Bits of signed integers keep their place: bit 15 of an int16 becomes 32768, not a sign. What is uint32
    already is returned as it is.

    Raises
    ------
    InputError
        Anything but truth values and integers, or integers of 64 bits with more than 32 in use; the message
        begins with `where`.
    """
    if flags.dtype.kind == "b":
        flags = flags.astype(np.uint8)
    if flags.dtype.kind not in "iu":
        raise InputError(f"{where}: flags of type {flags.dtype.name}, expected integers")
    native = np.ascontiguousarray(flags, dtype=flags.dtype.newbyteorder("="))
    size = native.dtype.itemsize
    if size == 8 and native.size and not 0 <= int(native.min()) <= int(native.max()) <= ALL:
        raise InputError(
            f"{where}: flags from {native.min()} to {native.max()}, expected bits of at most 32, 0 to {ALL}"
        )
    return (native if size == 8 else native.view(f"u{size}")).astype(np.uint32, copy=False)


def flagged(flags, mask, bits: int, cleared: int = 0, where="DQ") -> np.ndarray:
    """Return the flags of a file with `bits` set at the pixels of a mask, to be written in their place.

    Parameters
    ----------
    flags : integer array
    mask : bool array of the same shape
    bits : int
    cleared : int
        Bits that all pixels lose first.

    Returns
    -------
    array
        Native-endian, of the type of `flags` if that has room for `bits`; otherwise int16, or int32 for bits
        above 32768. Flags of one byte become int16, unsigned ones of eight int64.

    Raises
    ------
    InputError
        See `as_bits`.
    """
    changed = as_bits(flags, where) & np.uint32(~cleared & ALL)
    changed[mask] |= np.uint32(bits)
    size = max(flags.dtype.itemsize, 2 if bits < 1 << 16 else 4)
    if size == 8:
        return changed.astype(np.int64)
    kind = flags.dtype.kind if size == flags.dtype.itemsize else "i"
    return changed.astype(f"u{size}").view(f"{kind}{size}")


def from_codes(codes, where="DQ") -> np.ndarray:
    """Convert code numbers to uint32 bits: 0 is good, c is bit ``1 << (c - 1)``; codes are 1 to 30."""
    low, high = int(codes.min()), int(codes.max())
    if codes.dtype.kind not in "iu" or low < 0 or high > 30:
        raise InputError(
            f"{where}: values {low} to {high} of type {codes.dtype.name}, "
            "expected codes 0 to 30 (simple.dq_codes)"
        )
    table = np.array([0] + [1 << (code - 1) for code in range(1, 31)], dtype=np.uint32)
    return table[codes]
