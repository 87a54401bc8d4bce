"""The comparison of a frame with the blotted median, against slow definitions and jwst's oracle numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_morphology import slow_derivative

from drizzleflow.errors import InputError
from drizzleflow.outliers import flag_cr
from drizzleflow.outliers.thresholds import flag_crs, flag_resampled_crs, noise

ZEROS = np.zeros((5, 7), np.float32)


def test_a_single_cosmic_ray_is_the_only_flag():
    sci, err = ZEROS.copy(), np.ones_like(ZEROS)
    sci[2, 3] = 10
    expected = sci == 10
    np.testing.assert_array_equal(flag_crs(sci, err, ZEROS, 1), expected)
    np.testing.assert_array_equal(flag_resampled_crs(sci, err, ZEROS, (5, 4), (1.2, 0.7), 0), expected)
    np.testing.assert_array_equal(flag_resampled_crs(sci + 3, err, ZEROS, (5, 4), (1.2, 0.7), 3), expected)
    assert not flag_resampled_crs(sci, err, ZEROS, (10, 4)).any()  # strictly greater
    sci[2, 3] = -10
    np.testing.assert_array_equal(flag_resampled_crs(sci, err, ZEROS), expected)


def test_neighbours_need_only_the_second_threshold():
    sci, err = ZEROS.copy(), np.ones_like(ZEROS)
    sci[2, 3], sci[1, 2], sci[2, 4], sci[2, 5], sci[4, 3] = 10, 4.5, 4.0, 4.5, 4.5
    flagged = np.argwhere(flag_resampled_crs(sci, err, ZEROS, (5, 4))).tolist()
    assert flagged == [[1, 2], [2, 3]]  # 4.0 is not above 4; the others are not neighbours


def slow_flags(sci, err, blot, snr, scale, backg, zero):
    ny, nx = sci.shape
    with np.errstate(invalid="ignore", over="ignore"):
        slope = slow_derivative(blot)
        err = np.where(np.isnan(err), np.float32(0), err) if zero else err
        difference = np.abs(sci - blot - np.float32(backg))
        first = difference > np.float32(scale[0]) * slope + np.float32(snr[0]) * err
        second = difference > np.float32(scale[1]) * slope + np.float32(snr[1]) * err
    out = np.zeros(sci.shape, bool)
    for y in range(ny):
        for x in range(nx):
            out[y, x] = second[y, x] and first[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()
    return out


@settings(deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.floats(-2, 2))
def test_flags_by_their_definition(seed, zero, backg):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 12, 2)
    sci, blot = rng.normal(0, 3, (2, *shape)).astype(np.float32)
    err = rng.uniform(0.2, 1, shape).astype(np.float32)
    for plane in (sci, blot, err):
        plane[rng.random(shape) < 0.1] = np.nan
    found = flag_resampled_crs(sci, err, blot, (5, 3), (1.2, 0.5), backg, "zero" if zero else "invalid")
    np.testing.assert_array_equal(found, slow_flags(sci, err, blot, (5, 3), (1.2, 0.5), backg, zero))


@pytest.mark.parametrize("plane", ["sci", "blot"])
def test_nan_is_never_flagged(plane):
    planes = {"sci": ZEROS + 100, "err": np.ones_like(ZEROS), "blot": ZEROS.copy()}
    planes[plane] = planes[plane].copy()
    planes[plane][2, 3] = np.nan
    mask = flag_resampled_crs(**planes)
    assert not mask[2, 3] and mask.sum() == mask.size - 1


def test_what_a_nan_error_means():
    sci, err = ZEROS + 1, np.ones_like(ZEROS)
    err[2, 3] = np.nan
    assert not flag_resampled_crs(sci, err, ZEROS).any()
    assert np.argwhere(flag_resampled_crs(sci, err, ZEROS, err_nan="zero")).tolist() == [[2, 3]]
    assert not flag_crs(sci, err, ZEROS, 5).any()
    assert np.argwhere(flag_crs(sci, err, ZEROS, 5, "zero")).tolist() == [[2, 3]]
    assert noise(np.array([np.nan, np.inf], np.float32), "zero").tolist() == [0, np.finfo(np.float32).max]
    assert np.isnan(err[2, 3])


def test_an_isolated_ray_needs_three_exposures():
    """With two, the median is their mean: half of the ray is in the median and its derivative hides it."""
    err = np.full_like(ZEROS, 0.1)
    sci = ZEROS.copy()
    sci[2, 3] = 50
    mean_of_two = sci / 2
    assert not flag_resampled_crs(sci, err, mean_of_two).any()
    assert flag_resampled_crs(sci, err, ZEROS).sum() == 1


def image(**planes):
    return SimpleNamespace(**planes)


def test_flag_cr_updates_dq_in_place():
    sci = image(data=ZEROS.copy(), err=np.ones_like(ZEROS), dq=np.full(ZEROS.shape, 4, np.uint32))
    sci.data[2, 3] = 10
    assert flag_cr(sci, image(data=ZEROS)) == 1
    assert sci.dq[2, 3] == 4 | 17 and (np.delete(sci.dq, 2 * 7 + 3) == 4).all()


@pytest.mark.parametrize(
    ("level", "subtracted", "count"), [(3.0, False, 1), (3.0, True, 0), (None, False, 0)]
)
def test_flag_cr_takes_a_level_that_is_not_subtracted_for_the_background(level, subtracted, count):
    sci = image(
        data=ZEROS + np.float32(3),
        err=np.full_like(ZEROS, 100),
        dq=np.zeros(ZEROS.shape, np.int16),
        level=level,
        subtracted=subtracted,
    )
    sci.err[2, 3], sci.data[2, 3] = 0.1, 0.0  # differs from the level alone
    assert flag_cr(sci, image(data=ZEROS), flag=4096) == count
    assert sci.dq[2, 3] == 4096 * count and sci.dq.dtype == np.int16


def test_flag_cr_without_resampling_has_one_threshold():
    sci = image(data=ZEROS.copy(), err=np.ones_like(ZEROS), dq=np.zeros(ZEROS.shape, np.uint32))
    sci.data[2, 3], sci.data[2, 4] = 10, 4.5
    assert flag_cr(sci, image(data=ZEROS), resample_data=False) == 1
    assert sci.dq[2, 4] == 0


def test_flag_cr_against_the_other_exposures():
    """The test of ``crmask.reference: others`` on one image and its template, which stay as they are."""
    rng = np.random.default_rng(1)
    data = rng.normal(7, 1, (60, 70)).astype(np.float32)
    sci = image(
        data=data, err=np.ones_like(data), dq=np.zeros(data.shape, np.uint32), level=7.0, subtracted=False
    )
    sci.data[20, 30:32] += 6
    sci.data[40, 50] -= 20  # two other exposures tell that it is too low
    template = image(
        data=np.zeros_like(data),
        variance=np.full_like(data, 0.1),
        count=np.full(data.shape, 2, np.int16),
    )
    before = template.variance.copy(), sci.data.copy()
    assert flag_cr(sci, template, reference="others") == 3
    assert list(zip(*np.nonzero(sci.dq), strict=True)) == [(20, 30), (20, 31), (40, 50)]
    np.testing.assert_array_equal(template.variance, before[0])
    np.testing.assert_array_equal(sci.data, before[1])
    sci.dq[:] = 0
    more = {"snr_negative": (0, 0), "snr_beside": (0, 0)}
    assert flag_cr(sci, image(data=template.data), "9 8", reference="others", **more) == 0
    with pytest.raises(InputError, match="reference is 'mean', expected median or others"):
        flag_cr(sci, template, reference="mean")
