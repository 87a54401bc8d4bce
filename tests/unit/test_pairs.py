"""Parameters of two numbers."""

import pytest

from drizzleflow.arrays.pairs import pair
from drizzleflow.errors import InputError


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("5.0 4.0", (5, 4)),
        ("5,4", (5, 4)),
        ("5, 4", (5, 4)),
        ("4 2.5", (4, 2.5)),
        ([5, 4.5], (5, 4.5)),
        ((3, 0), (3, 0)),
        ("3", (3, 3)),
        (3.5, (3.5, 3.5)),
    ],
)
def test_pair(value, numbers):
    assert pair(value, "crmask.snr") == numbers


@pytest.mark.parametrize(
    "value", ["", "4 3 2", "five four", [], [1, "a"], [1, 2, 3], "-1 2", "nan", "inf", None]
)
def test_no_pair(value):
    with pytest.raises(InputError, match=r"crmask\.snr is .*, expected two numbers >= 0"):
        pair(value, "crmask.snr")
