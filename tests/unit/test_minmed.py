"""combine_type minmed on arrays."""

import numpy as np
import slow_combine as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.combine.minmed import min_med
from drizzleflow.combine.stack_noise import StackNoise


def noise_of(n, exptime=100.0, readnoise=5.0, sky=0.0, electrons=1.0, poisson=True):
    arrays = (np.broadcast_to(np.asarray(x, float), n) for x in (exptime, readnoise, sky, electrons))
    return StackNoise(*arrays, poisson)


def drawn(seed, n, shape=(6, 7)):
    rng = np.random.default_rng(seed)
    stack = (5 + rng.normal(0, 0.3, (n, *shape)) + (rng.random((n, *shape)) < 0.1) * 30).astype(np.float32)
    stack[rng.random(stack.shape) < rng.choice([0, 0.2, 0.7])] = np.nan
    weights = rng.uniform(50, 120, stack.shape).astype(np.float32)
    return stack, weights, rng.uniform(20, 200, n), rng.uniform(0, 10, n), rng.uniform(0, 300, n)


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 7),
    st.integers(0, 3),
    st.sampled_from([(4.0, 3.0), (1.0, 0.5), (2.0, 3.0)]),
)
def test_it_is_the_definition(seed, n, grow, nsigma):
    stack, weights, exptime, readnoise, sky = drawn(seed, n)
    expected = slow.minmed(stack, np.isnan(stack), weights, exptime, readnoise, sky, nsigma, grow)
    found = min_med(stack, weights, noise_of(n, exptime, readnoise, sky), nsigma=nsigma, grow=grow)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_numbers_by_hand():
    """Three images of 100 s at 10 e-/s: 3000 e-, read noise 75 e-^2: 4 sigma are 221.8 e-, 0.739 e-/s."""
    stack = np.full((3, 1, 4), 10, np.float32)
    stack[:2, 0, 1] = 10.70  # the median without the highest: (10 + 10.7) / 2
    stack[:2, 0, 2] = 11.60  # 10.8 - 10 = 0.8: more than 4 sigma
    stack[:2, 0, 3] = 30.0
    weights = np.full(stack.shape, 100, np.float32)
    found = min_med(stack, weights, noise_of(3), grow=0)
    np.testing.assert_allclose(found, [[10, 10.35, 10, 10]], rtol=1e-6)


def test_bad_pixels_have_weight_and_sky_but_no_read_noise():
    """A fourth image, bad: 4 x 100 s count in M and S, its read noise of 1000 e- does not."""
    stack = np.array([10, 10.5, 10.5, np.nan], np.float32).reshape(4, 1, 1)
    weights = np.full(stack.shape, 100, np.float32)
    # median 10.25: 100 e- above the minimum; sigma sqrt(4100 + 3 * 25 + sky)
    for readnoise, sky, expected in (([5, 5, 5, 1000], 0, 10), ([5, 5, 5, 5], 0, 10), (5, 500, 10.25)):
        found = min_med(stack, weights, noise_of(4, readnoise=readnoise, sky=sky), nsigma=(1.5, 1), grow=0)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_two_images_have_their_mean_unless_a_part_of_more():
    stack = np.array([10, 10.2], np.float32).reshape(2, 1, 1)
    weights = np.full(stack.shape, 100, np.float32)
    assert min_med(stack, weights, noise_of(2), grow=0) == np.float32(10.1)
    assert min_med(stack, weights, noise_of(2), grow=0, images=3) == 10


def test_the_neighbours_of_a_chosen_pixel_need_less():
    stack = np.full((3, 5, 5), 10, np.float32)
    stack[:2, 2, 2] = 50
    stack[:2, 2, 3] = stack[:2, 0, 0] = 11.3  # 0.65 e-/s over the minimum: between 3 and 4 sigma
    weights = np.full(stack.shape, 100, np.float32)
    for grow, near, far in ((0, 10.65, 10.65), (1, 10, 10.65), (2, 10, 10)):
        found = min_med(stack, weights, noise_of(3), grow=grow)
        np.testing.assert_allclose([found[2, 2], found[2, 3], found[0, 0]], [10, near, far], rtol=1e-6)


def test_other_units_are_converted():
    """The same choice whether the images are in e-/s or in units of a hundredth of it."""
    stack, weights, exptime, readnoise, sky = drawn(3, 4)
    one = min_med(stack, weights, noise_of(4, exptime, readnoise, sky), nsigma=(1, 0.5))
    other = min_med(
        stack / 64, weights, noise_of(4, exptime, readnoise, sky, electrons=64.0), nsigma=(1, 0.5)
    )
    np.testing.assert_array_equal(other * 64, one)


def test_measured_noise_does_without_seconds():
    """Constant noise: the sum of n values has sigma * sqrt(n)."""
    stack = np.array([[0, 0, 0], [4.5, 5.0, 9], [4.5, 5.0, 9]], np.float32).reshape(3, 1, 3)
    noise = noise_of(3, 1, 1.0, poisson=False)
    # medians 2.25, 2.5, 4.5; 4 sqrt(3) / 3 = 2.31
    np.testing.assert_allclose(min_med(stack, np.zeros_like(stack), noise, grow=0), [[2.25, 0, 0]])
