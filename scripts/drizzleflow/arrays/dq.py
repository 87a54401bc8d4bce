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

    Bits of signed integers keep their place: bit 15 of an int16 becomes 32768, not a sign.

    Raises
    ------
    InputError
        Anything but truth values and integers of at most 32 bits; the message begins with `where`.
    """
    if flags.dtype.kind == "b":
        flags = flags.astype(np.uint8)
    if flags.dtype.kind not in "iu" or flags.dtype.itemsize > 4:
        raise InputError(f"{where}: flags of type {flags.dtype.name}, expected integers of at most 32 bits")
    native = np.ascontiguousarray(flags, dtype=flags.dtype.newbyteorder("="))
    return native.view(f"u{native.dtype.itemsize}").astype(np.uint32)


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
