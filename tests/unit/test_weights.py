"""Input weights, and the clipped mean weight behind maskpt."""

import warnings

import numpy as np
import pytest
from astropy.stats import sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.frames.frame import Frame
from drizzleflow.frames.variances import background_variance, variances_from_err
from drizzleflow.resample.weights import mean_weights, weight_map


def test_ivm_is_the_inverse_variance_and_zero_where_there_is_none():
    variance = np.array([[4.0, 0.0, np.nan, 1.0, np.inf, -2.0, 1e-45]], np.float32)
    weight = weight_map(variance.shape, "ivm", np.ones(variance.shape, bool), variance=variance)
    assert weight.dtype == np.float32
    assert weight.tolist() == [[0.25, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("ivm", {}, 1.0),
        ("ivm-sky", {}, 1.0),
        ("ivm", {"variance": np.full((2, 2), 5.0, np.float32)}, 0.2),
        ("ivm-sky", {"variance": np.full((2, 2), 0.5, np.float32)}, 2.0),
        ("err", {"variance": np.full((2, 2), 0.25, np.float32)}, 4.0),
        ("exptime", {"exposure_time": 33.5, "variance": np.full((2, 2), 5.0, np.float32)}, 33.5),
    ],
)
def test_bad_pixels_have_no_weight(kind, options, expected):
    good = np.array([[True, False], [True, True]])
    weight = weight_map((2, 2), kind, good, **options)
    np.testing.assert_array_equal(weight, np.where(good, np.float32(expected), 0))


def test_unknown_weight_type():
    with pytest.raises(ValueError, match=r"ivm-smed.*expected ivm, ivm-sky, exptime or err"):
        weight_map((2, 2), "ivm-smed", np.ones((2, 2), bool))


@pytest.mark.parametrize(
    ("value", "maskpt", "expected"), [(11, 0.5, 5.5), (11, 0.25, 2.75), (17, 0.5, 8.5), (42, 0.5, 21)]
)
def test_constant_weights(value, maskpt, expected):
    """jwst's oracle numbers: a constant, an outlier of 9000 that is clipped, zeros that do not count."""
    weight = np.full((100, 100), value, np.float32)
    assert maskpt * mean_weights(weight)["clipped_mean"] == expected
    weight[3, 4] = 9000
    assert maskpt * mean_weights(weight)["clipped_mean"] == pytest.approx(expected, rel=1e-6)
    weight[:, :40] = 0
    weight[7] = np.nan
    assert maskpt * mean_weights(weight)["clipped_mean"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weight", [np.zeros((4, 4)), np.full((3, 3), np.nan), np.empty((0, 4))])
def test_nothing_to_average_is_nan(weight):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(mean_weights(weight.astype(np.float32))["clipped_mean"])


def with_astropy(weight):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = sigma_clip(weight[np.isfinite(weight) & (weight != 0)].astype(float), sigma=3, maxiters=5)
    return np.mean(kept)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-12, 1.0, 3e4, 1e28]), st.floats(0, 2))
def test_equal_to_astropys_sigma_clip(seed, unit, spread):
    rng = np.random.default_rng(seed)
    weight = (unit * rng.lognormal(0, spread, (40, 50))).astype(np.float32)
    weight[rng.random(weight.shape) < 0.1] = 0
    weight[rng.random(weight.shape) < 0.05] *= 30
    weight[rng.random(weight.shape) < 0.05] = np.nan
    assert mean_weights(weight)["clipped_mean"] == pytest.approx(with_astropy(weight), rel=1e-6, abs=0)


def test_the_input_is_not_changed():
    weight = np.random.default_rng(1).random((20, 30)).astype(np.float32)
    before = weight.copy()
    mean_weights(weight)["clipped_mean"]
    np.testing.assert_array_equal(weight, before)


def test_background_variance_follows_the_sky_and_not_the_sources():
    """A gradient of the sky stays, a star's own photons and pixels without a variance do not count."""
    _y, x = np.mgrid[:200, :160]
    total = (4.0 + 0.01 * x).astype(np.float32)
    sky = total.copy()
    total[90:100, 70:80] = 500.0
    total[5, 5] = np.nan
    found = background_variance(total)
    assert np.isnan(found[5, 5]) and found.dtype == np.float32
    np.testing.assert_allclose(found[64:128, 32:128], sky[64:128, 32:128], rtol=0.05)


def test_variances_from_err_keep_what_is_known():
    err = np.full((70, 70), 2.0, np.float32)
    frame = Frame("m", 1, "g", (70, 70), err=err, var={"rnoise": np.ones_like(err)})
    variances_from_err(frame)
    assert (frame.var["total"] == 4).all() and (frame.var["rnoise"] == 1).all()
    jwst = Frame("m", 1, "g", (70, 70), err=err, var={"poisson": err})
    variances_from_err(jwst)
    assert set(jwst.var) == {"poisson"}
