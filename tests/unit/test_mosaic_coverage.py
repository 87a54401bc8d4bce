"""How much of a mosaic has data and how much is holes, against the definition pixel by pixel."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drizzleflow.resample import mosaic_coverage
from drizzleflow.resample.mosaic_coverage import coverage, level


def by_definition(wht) -> tuple[float, float]:
    has, holes = wht > 0, 0
    for y, x in np.argwhere(~has):
        holes += has[y, :x].any() and has[y, x + 1 :].any() and has[:y, x].any() and has[y + 1 :, x].any()
    return has.sum() / has.size, holes / has.size


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 14), st.integers(1, 9)),
        elements=st.sampled_from([0, 0, 1, 2.5, np.nan]),
    ),
    st.integers(1, 6),
)
def test_coverage_is_its_definition(wht, rows):
    with mock.patch.object(mosaic_coverage, "ROWS", rows):
        assert coverage(wht) == pytest.approx(by_definition(wht), abs=1e-12)


def test_holes_and_what_is_none():
    wht = np.zeros((600, 40), np.float32)
    wht[20:580, 5:35] = 1
    assert coverage(wht) == (0.7, 0.0)  # the border is no hole
    wht[300:303, 10:14] = 0
    wht[:40, 20] = 0  # a notch from the border
    covered, holes = coverage(wht)
    assert holes == 12 / wht.size and covered == 0.7 - 32 / wht.size
    wht[:, 20] = 0  # a straight gap parts two mosaics
    assert coverage(wht)[1] == 12 / wht.size


def test_the_level_is_the_median_of_what_has_data():
    data = np.random.default_rng(1).normal(5, 1, (900, 50)).astype(np.float32)
    data[:300] = np.nan
    assert level(data) == pytest.approx(5, abs=0.05)
    assert level(np.full((3, 4), np.nan, np.float32)) is None
