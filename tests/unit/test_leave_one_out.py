"""The clipped mean and its leave-one-out against brute force: every image's template made anew from the
others.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.combine import auto
from drizzleflow.combine.leave_one_out import (
    ClippedMean,
    Limits,
    clipped_mean,
    image_weights,
    takes_part,
    variance_at,
    without,
)
from drizzleflow.combine.stack_noise import StackNoise

LIMITS = Limits()


def noise_of(constants, per_level=0.05) -> StackNoise:
    """Noise with these variances on blank sky, and `per_level` more for each unit of the level."""
    constants = np.asarray(constants, float)
    one = np.ones(len(constants))
    return StackNoise(one / per_level, np.sqrt(constants) / per_level, 0 * one, one)


def stack_of(rng, n, shape=(40, 50), constants=None):
    """(stack, noise, sci, count): stars, cosmic rays, low pixels and missing values."""
    noise = noise_of(rng.uniform(0.5, 4, n) if constants is None else constants)
    sky = np.zeros(shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(6):
        cy, cx, flux = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), 10 ** rng.uniform(1, 4)
        sky += flux * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 1.5)
    scatter = np.sqrt(noise.constant[:, None, None] + noise.slope[:, None, None] * sky)
    stack = (sky + rng.normal(size=(n, *shape)) * scatter).astype(np.float32)
    for fraction, size in ((0.01, 60), (0.003, -80)):
        hit = rng.random(stack.shape) < fraction
        stack[hit] += size * rng.random(np.count_nonzero(hit)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.02] = np.nan
    stack[0, :, :7] = np.nan
    sci, _, count = auto.combine(stack.copy(), None, noise)
    return stack, noise, sci, count


def planes_of(stack, noise, sci, count):
    weights = image_weights(noise.constant)
    return clipped_mean(stack, sci, count, noise, weights, LIMITS), weights


def parts_of(stack, noise, sci, count):
    """Which values take part, by their definition, pixel by pixel; and the noise of each value."""
    gradient = abs_deriv(sci)
    levels = [np.sqrt(variance_at(sci, *terms)) for terms in zip(noise.constant, noise.slope, strict=True)]
    parts = []
    for image, sigma in zip(stack, levels, strict=True):
        left_out = np.zeros(sci.shape, bool)
        for sign, (first, beside), least in ((1, LIMITS.nsigma, 0), (-1, LIMITS.low, LIMITS.low_count)):
            off = sign * (image - sci) - np.float32(LIMITS.slope) * gradient
            some = count >= least
            far = (off > np.float32(first) * sigma) & some
            left_out |= dilate(far, 1) & (off > np.float32(beside) * sigma) & some
        parts.append(np.isfinite(image) & ~left_out)
    return np.array(parts), np.array(levels, np.float64)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
def test_what_takes_part_is_its_definition(seed, n):
    stack, noise, sci, count = stack_of(np.random.default_rng(seed), n)
    parts, _ = parts_of(stack, noise, sci, count)
    for image, constant, per_level, part in zip(stack, noise.constant, noise.slope, parts, strict=True):
        found = takes_part(image, sci, count, constant, per_level, LIMITS)
        np.testing.assert_array_equal(found, part)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9))
def test_leave_one_out_is_the_mean_of_the_others(seed, n):
    stack, noise, sci, count = stack_of(np.random.default_rng(seed), n)
    planes, weights = planes_of(stack, noise, sci, count)
    parts, sigma = parts_of(stack, noise, sci, count)
    for i in range(n):
        others = without(planes, sci, count, stack[i], noise.constant[i], noise.slope[i], weights[i], LIMITS)
        rest = parts.copy()
        rest[i] = False
        np.testing.assert_array_equal(others.count, rest.sum(axis=0))
        factors = weights[:, None, None] * rest
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.nansum(factors * stack, axis=0) / factors.sum(axis=0)
            variance = np.nansum((factors * sigma) ** 2, axis=0) / factors.sum(axis=0) ** 2
        assert np.array_equal(np.isnan(others.mean), others.count == 0)
        there = others.count > 0
        error = np.abs(others.mean - mean)[there] / np.sqrt(variance[there])
        assert error.max(initial=0) < 5e-3  # of the noise; the planes are float32
        np.testing.assert_allclose(others.variance[there], variance[there], rtol=1e-4)


def test_a_ray_and_a_low_pixel_take_no_part():
    stack = np.full((4, 9, 9), 10, np.float32)
    stack += np.arange(4, dtype=np.float32)[:, None, None] * 0.1
    stack[1, 4, 4], stack[1, 4, 5], stack[1, 4, 7] = 30, 13.2, 13.2  # beside a ray 2.5 sigma count, alone 4
    stack[2, 2, 2] = -20
    noise = noise_of(np.ones(4), 1e-6)
    sci, _, count = auto.combine(stack.copy(), None, noise, hole_nsigma=4.0)
    parts, _ = parts_of(stack, noise, sci, count)
    left_out = {tuple(map(int, place)) for place in np.argwhere(~parts)}
    assert left_out == {(1, 4, 4), (1, 4, 5), (2, 2, 2)}
    planes, _ = planes_of(stack, noise, sci, count)
    assert planes.nmean[4, 4] == 3 and planes.nmean[0, 0] == 4
    assert planes.mean[4, 4] == pytest.approx((10 + 10.2 + 10.3) / 3, rel=1e-6)


def test_a_window_shows_what_the_whole_shows():
    """A job reads only the window about its frame, with two pixels more."""
    stack, noise, sci, count = stack_of(np.random.default_rng(5), 5)
    planes, weights = planes_of(stack, noise, sci, count)
    terms = noise.constant[2], noise.slope[2], weights[2], LIMITS
    whole = without(planes, sci, count, stack[2], *terms)
    cut, inner = np.s_[8:30, 11:44], np.s_[2:-2, 2:-2]
    part = without(
        ClippedMean(*(plane[cut] for plane in planes)), sci[cut], count[cut], stack[2][cut], *terms
    )
    for name in whole._fields:
        np.testing.assert_array_equal(getattr(part, name)[inner], getattr(whole, name)[cut][inner])


def test_weights():
    np.testing.assert_allclose(image_weights([1, 4]), [1.6, 0.4])
    for constants in ([1, 0], [1, np.nan], [2, -1]):
        assert image_weights(constants).tolist() == [1, 1]
