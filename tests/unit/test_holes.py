"""combine_type auto does not take a lowest value that is itself the outlier."""

import numpy as np
import pytest

from drizzleflow.combine import auto
from drizzleflow.combine.holes import holes
from drizzleflow.combine.stack_noise import StackNoise


def noise_of(n):
    one = np.ones(n)
    return StackNoise(one, one, 0 * one, one, poisson=False)


def combined(stack, **how):
    return auto.combine(stack.copy(), None, noise_of(len(stack)), **how)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("low", [[(10, 10)], [(10, 10), (10, 11)], [(10, 10), (11, 10), (10, 11), (11, 11)]])
def test_low_pixels_of_one_image_make_no_hole(n, low):
    rng = np.random.default_rng(n)
    stack = rng.normal(100, 1, (n, 24, 24)).astype(np.float32)
    for y, x in low:
        stack[1, y, x] = 20
    plain, _, _ = combined(stack)
    sci, err, _ = combined(stack, hole_nsigma=4.0)
    for y, x in low:
        assert abs(sci[y, x] - 100) < 4
        # of 5 and more a value that is alone is not taken to begin with
        assert plain[y, x] == (20 if n < 5 else sci[y, x])
        others = np.delete(stack[:, y, x], 1)
        expected = others[0] if n == 2 else np.median(stack[:, y, x])
        assert sci[y, x] == np.float32(expected)
        assert err[y, x] == pytest.approx(1 if n == 2 else np.sqrt(auto.median_variance(np.array([n]))[0]))
    same = np.ones(sci.shape, bool)
    same[tuple(np.transpose(low))] = False
    np.testing.assert_array_equal(sci[same], plain[same])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_crossing_rays_are_still_removed(n):
    """In all images but one a ray on the same pixels: the lowest value is the sky."""
    rng = np.random.default_rng(n)
    stack = rng.normal(100, 1, (n, 24, 24)).astype(np.float32)
    stack[:-1, 8:14, 10] += 60
    stack[:-1, 11, 6:16] += 50
    sci, _, _ = combined(stack, hole_nsigma=4.0)
    assert np.abs(sci - 100).max() < 5


def test_a_star_between_exposures_is_no_hole():
    """An undersampled star whose place differs by 0.3 px: its wings are lower in one image, the image between
    is no hole.
    """
    y, x = np.mgrid[:24, :24]
    star = [2000 * np.exp(-((y - 12 - d) ** 2 + (x - 12) ** 2) / 0.7) for d in (0, 0.3, -0.3)]
    stack = (np.array(star) + 100).astype(np.float32)
    np.testing.assert_array_equal(combined(stack, hole_nsigma=4.0)[0], combined(stack)[0])


def test_the_edge_and_missing_surroundings():
    image = np.full((12, 12), 50, np.float32)
    image[0, 6] = image[6, 6] = 0
    image[3:10, 3:10] = np.where(np.isin(image[3:10, 3:10], 0), 0, np.nan)
    y, x = np.array([0, 6]), np.array([6, 6])
    assert holes(image, np.ones(2, np.float32), (y, x), 4.0).tolist() == [True, False]


def test_the_top_of_a_star_in_changing_seeing():
    """Five exposures, one of a wider PSF: lower than all others at the top of the star, and alone there."""
    y, x = np.mgrid[:31, :31] - 15
    widths = np.array([2.0, 2.0, 2.05, 1.95, 2.4])
    stack = np.stack([5000 * np.exp(-(y**2 + x**2) / (2 * w * w)) / w**2 for w in widths]).astype(np.float32)
    sci, _, _ = combined(stack)
    np.testing.assert_array_equal(sci, np.median(stack, axis=0))
    rays = stack.copy()
    rays[:3, 12:15, 15] += 800  # in three of five: the other two agree
    rays[4] = rays[3]
    sci, _, _ = combined(rays)
    assert (sci[12:15, 15] <= stack[:4, 12:15, 15].max(axis=0) + 4).all()
