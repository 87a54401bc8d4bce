"""Values of header cards, as a program can use them."""

from __future__ import annotations

import re


def number(value) -> float | None:
    """A header's value as a number; None for what is none: missing, text, a truth value, undefined, not
    finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        return None
    return float(value)


def text(value) -> str:
    """A header's value as text without blanks at its ends; "" for what is missing or undefined."""
    return str(value).strip() if isinstance(value, (str, int, float)) else ""


def is_rate(unit: str) -> bool:
    """Whether a unit is per second, such as ``electron/s``, ``DN s-1`` or ``MJy/sr`` (a rate of energy)."""
    return bool(re.search(r"/\s*s(ec(ond)?)?\b|\bs(ec)?\s*(\^|\*\*)?\s*\(?-1\b|jy", unit, re.IGNORECASE))


def is_count(unit: str) -> bool:
    """Whether a unit is one of counts, which grow with the exposure time."""
    return bool(re.fullmatch(r"\s*(adu|dn|counts?|cts?|electrons?|e-?|photons?)\s*", unit, re.IGNORECASE))
