"""Values of header cards, as a program can use them."""

from __future__ import annotations


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
