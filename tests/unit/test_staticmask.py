"""The static mask: low pixels of any exposure."""

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.outliers.static_mask import lower_limit, static_mask


def sky(seed, level=100.0, sigma=5.0, shape=(200, 180)):
    return np.random.default_rng(seed).normal(level, sigma, shape).astype(np.float32)


def test_low_pixels_of_any_image_and_no_high_ones():
    images = [sky(k, level) for k, level in enumerate((100, 300, -20))]
    images[0][3, 4] -= 60
    images[2][7, 8] -= 60
    images[1][50:60, 50:60] += 1e4
    good = static_mask(images)
    assert good.dtype == bool and good.shape == images[0].shape
    assert not good[3, 4] and not good[7, 8] and good[50:60, 50:60].all()
    assert np.count_nonzero(~good) < 2 + 3 * 36000 * 1e-4


def test_the_limit_is_the_mode_less_the_clipped_deviation():
    image = sky(5)
    image[np.random.default_rng(1).random(image.shape) < 0.1] += 1000
    assert abs(lower_limit(image, 0.0) - 100) < 2
    assert abs(lower_limit(image, 4.0) - (100 - 20)) < 2


def test_one_at_a_time_and_any_order():
    images = [sky(k) for k in range(3)]
    alive = []

    def stream():
        for image in images:
            alive.append(image)
            yield image

    good = static_mask(stream(), 2.5)
    assert len(alive) == 3 and (~good).any()
    np.testing.assert_array_equal(good, static_mask(images[::-1], 2.5))
    each = [static_mask([image], 2.5) for image in images]
    np.testing.assert_array_equal(good, each[0] & each[1] & each[2])


def test_nan_and_images_without_a_histogram():
    image = sky(6)
    image[0, :50] = np.nan
    assert static_mask([image])[0, :50].all()
    for dull in (np.full((5, 6), 7.0), np.full((5, 6), np.nan), np.array([[np.nan, 3.0]])):
        assert static_mask([dull]).all()
        assert np.isnan(lower_limit(dull))


@pytest.mark.parametrize(
    "images, sig, says",
    [
        ([], 4.0, "no image"),
        ([np.zeros((2, 3)), np.zeros((3, 2))], 4.0, "image 1"),
        ([np.zeros(4)], 4.0, "image 0"),
        ([np.zeros((2, 3))], -1.0, "static_sig"),
        ([np.zeros((2, 3))], np.nan, "static_sig"),
    ],
)
def test_bad_arguments(images, sig, says):
    with pytest.raises(InputError, match=says):
        static_mask(images, sig)
