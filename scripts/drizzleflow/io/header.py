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


_SECOND = re.compile(r"/\s*s(ec(onds?)?)?\b|\bs(ec)?\s*(\^|\*\*)?\s*\(?-1\b|\bcps\b", re.IGNORECASE)
_SECOND_AT_END = re.compile(r"\s*(/\s*s(ec)?|[\s.*]s(ec)?\s*(\^|\*\*)?\s*\(?-1\)?)\s*$", re.IGNORECASE)


def per_second(unit: str) -> bool:
    """Whether a unit is per second, such as ``electron/s``, ``DN s-1`` or ``cps``."""
    return bool(_SECOND.search(unit))


def times_seconds(unit: str) -> str | None:
    """A unit that ends with "per second" without it, such as ``ELECTRONS``; None for another."""
    found = _SECOND_AT_END.search(unit)
    return unit[: found.start()] if found else None


def is_rate(unit: str) -> bool:
    """Whether a unit does not grow with the exposure time: per second, janskys or maggies."""
    return per_second(unit) or bool(re.search(r"jy|magg", unit, re.IGNORECASE))


def is_count(unit: str) -> bool:
    """Whether a unit is one of counts, which grow with the exposure time."""
    return bool(re.fullmatch(r"\s*(adu|dn|counts?|cts?|electrons?|e-?|photons?)\s*", unit, re.IGNORECASE))
