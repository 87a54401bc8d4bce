"""The noise of an image measured in the image itself, and what a frame is worth by it."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drizzleflow.frames.frame import Frame
from drizzleflow.frames.measured_noise import measured_error, scatter_in_boxes
from drizzleflow.frames.quality import quality


def field(shape=(192, 256), sigma=3.0, slope=(0.0, 0.0), level=100.0, stars=0, seed=0):
    """An image of Gaussian noise and stars on a sky that rises, float32, and where its pixels are sky."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    image = level + slope[0] * y + slope[1] * x + rng.normal(scale=sigma, size=shape)
    blank = np.ones(shape, bool)
    for _ in range(stars):
        at, flux = rng.uniform(0, shape), rng.lognormal(3, 1.5) * 20 * sigma
        light = flux / (2 * np.pi * 1.3**2) * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * 1.3**2))
        image += light
        blank &= light < 0.5 * sigma
    return image.astype(np.float32), blank


@settings(max_examples=40)
@given(
    st.tuples(st.integers(64, 300), st.integers(64, 300)),
    st.floats(1e-3, 1e3),
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    st.floats(-50, 1000),
    st.floats(0, 0.3),
    st.integers(0, 999),
)
@example((64, 64), 1.0, (0.5, -0.5), 0.0, 0.0, 1)  # one box
@example((65, 130), 1.0, (-0.5, 0.5), 0.0, 0.3, 2)  # and boxes of a few rows
def test_gaussian_noise_at_any_slope_of_the_sky(shape, sigma, slope, level, bad, seed):
    """Slopes, in sigma a pixel, of up to 32 sigma across a box; a few stars; pixels that do not count."""
    stars = shape[0] * shape[1] // 3000
    image, blank = field(shape, sigma, tuple(sigma * s for s in slope), level * sigma, stars, seed)
    usable = np.random.default_rng(seed).random(shape) >= bad
    image[~usable] = np.where(np.arange((~usable).sum()) % 2, np.nan, 1e6 * sigma)
    found = scatter_in_boxes(image, usable)
    assert found.shape == tuple(-(-n // 64) for n in shape) and np.isfinite(found).all()
    pixels = usable[::2, ::2].sum()
    # 1.4 sigma / sqrt(n) for the difference of the two percentiles, three of them, and what stars add
    allowed = 3 * 1.4 / np.sqrt(pixels) + 1.2 * (1 - blank.mean()) + 0.02
    assert abs(np.median(found) / sigma - 1) < allowed
    assert found.max() < 1.8 * sigma and found.min() > 0.6 * sigma


def test_the_noise_of_a_large_field_within_a_few_per_cent():
    for slope in ((0.0, 0.0), (0.02, -0.1), (6.0, 6.0)):
        image, _ = field((640, 640), slope=slope, stars=80)
        assert np.median(scatter_in_boxes(image, np.ones(image.shape, bool))) == pytest.approx(3.0, rel=0.03)


def test_noise_that_changes_across_the_image():
    image, _ = field((256, 512))
    image[:, 256:] = 100 + 4 * (image[:, 256:] - 100)
    sigma = measured_error(image, np.ones(image.shape, bool))
    assert sigma.dtype == np.float32 and sigma.shape == image.shape
    np.testing.assert_allclose(np.median(sigma[:, :200]), 3.0, rtol=0.05)
    np.testing.assert_allclose(np.median(sigma[:, 320:]), 12.0, rtol=0.05)


def test_photons_of_sources_where_the_gain_is_known():
    """Electrons: variance of sky and read noise, and of the source above it, which only this adds."""
    gain, sky = 2.5, 400.0
    truth = np.zeros((256, 256))
    truth[100:112, 136:148] = 3000.0
    rng = np.random.default_rng(4)
    image = (rng.poisson((truth + sky) * gain) / gain).astype(np.float32)
    for offset in (0.0, -sky):  # with its sky and without
        sigma = measured_error(image + np.float32(offset), np.ones(image.shape, bool), gain)
        np.testing.assert_allclose(np.median(sigma[truth == 0]), np.sqrt(sky / gain), rtol=0.04)
        np.testing.assert_allclose(np.median(sigma[truth > 0]), np.sqrt((sky + 3000) / gain), rtol=0.04)
        flat = measured_error(image + np.float32(offset), np.ones(image.shape, bool))
        np.testing.assert_allclose(np.median(flat[truth > 0]), np.sqrt(sky / gain), rtol=0.04)


def test_what_has_no_noise():
    for image, usable in (
        (np.full((128, 128), 7, np.float32), np.ones((128, 128), bool)),
        (np.full((128, 128), np.nan, np.float32), np.ones((128, 128), bool)),
        (field((128, 128))[0], np.zeros((128, 128), bool)),
        (np.add(*np.indices((64, 64))).astype(np.float32), np.ones((64, 64), bool)),  # a sky that rises
        (field((3, 4))[0], np.ones((3, 4), bool)),  # too few pixels
    ):
        assert scatter_in_boxes(image, usable) is None
        assert np.isnan(measured_error(image, usable, 2.0)).all()
    half, _ = field((128, 256))
    half[:, :128] = 5  # a constant part has the noise of the rest
    found = scatter_in_boxes(half, np.ones(half.shape, bool))
    assert found.shape == (2, 4) and np.ptp(found[:, :2]) == 0 and found[0, 0] == np.median(found[:, 2:])


def test_a_narrow_box_at_the_edge_has_the_noise_of_the_others():
    image, _ = field((128, 132))
    found = scatter_in_boxes(image, np.ones(image.shape, bool))
    assert found.shape == (2, 3) and (found[:, 2] == np.median(found[:, :2])).all()


def test_nan_and_infinite_pixels_do_not_count():
    image, _ = field()
    odd = image.copy()
    odd[5:9, 7:90], odd[60:62, :] = np.nan, np.inf
    usable = np.isfinite(odd)
    np.testing.assert_array_equal(
        scatter_in_boxes(odd, np.ones(odd.shape, bool)), scatter_in_boxes(image, usable)
    )


# -- what a frame is worth
# -----------------------------------------------------------------------------------------


def frame(err=3.0, **more):
    image, _ = field()
    error = None if err is None else np.full(image.shape, err, np.float32)
    return Frame("m", 1, "g", image.shape, data=image, err=error, **more)


def test_quality_of_a_frame():
    one = frame()
    found = quality(one, np.ones(one.shape, bool), 0)
    assert found["good"] == 1.0 and found["saturated"] is None
    assert found["scatter"] == pytest.approx(3.0, rel=0.03) and found["error"] == pytest.approx(1.0, rel=0.03)
    assert all(type(value) is float for value in found.values() if value is not None)
    assert quality(frame(err=6.0), np.ones(one.shape, bool), 0)["error"] == pytest.approx(0.5, rel=0.03)
    assert quality(frame(err=None), np.ones(one.shape, bool), 0)["error"] is None
    assert quality(frame(err=0.0), np.ones(one.shape, bool), 0)["error"] is None


def test_quality_counts_good_and_saturated_pixels():
    one = frame(dq=np.zeros((192, 256), np.uint32))
    one.dq[:96], one.dq[:48, :128] = 4, 6
    one.data[96:144] = np.nan
    found = quality(one, one.dq == 0, 2)
    assert found["good"] == 0.25 and found["saturated"] == 0.125
    empty = quality(one, np.zeros(one.shape, bool), 2)
    assert empty == {"good": 0.0, "saturated": 0.125, "scatter": None, "error": None}
