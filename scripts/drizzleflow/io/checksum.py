"""Compute the sum behind FITS checksums (FITS Standard 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

import numpy as np


def sum32(buffer, total: int = 0) -> int:
    """Return the ones'-complement sum of big-endian 32-bit words; the length is a multiple of 4 bytes."""
    words = np.frombuffer(buffer, dtype=">u4")
    total += int(words.sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total
