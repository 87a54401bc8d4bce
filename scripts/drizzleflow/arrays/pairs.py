"""Read parameters that are two numbers, such as two thresholds."""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError


def pair(value, name: str) -> tuple[float, float]:
    """Return two numbers >= 0, written as "4 2.5", "4,2.5" or [4, 2.5]; one number counts twice.

    Raises
    ------
    InputError
        Anything else; the message calls it `name`.
    """
    words = value.replace(",", " ").split() if isinstance(value, str) else np.atleast_1d(value).tolist()
    try:
        numbers = [float(word) for word in words]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 <= number < np.inf for number in numbers):
        raise InputError(f"{name} is {value!r}, expected two numbers >= 0, as '5.0 4.0'")
    return numbers[0], numbers[-1]
