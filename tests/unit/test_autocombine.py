"""combine_type auto on arrays, its uncertainty, and the noise that it uses."""

from dataclasses import dataclass

import numpy as np
import pytest
import slow_combine as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.combine import auto as autocombine
from drizzleflow.combine import combine_stack, stack_noise
from drizzleflow.combine.stack_noise import StackNoise
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window

SKY, READNOISE, TIME = 200.0, 5.0, 100.0
SIGMA = np.sqrt(SKY + READNOISE**2) / TIME


def noise_of(n, exptime=TIME, readnoise=READNOISE, sky=SKY, electrons=1.0):
    return StackNoise(
        *(np.broadcast_to(np.asarray(x, float), n) for x in (exptime, readnoise, sky, electrons))
    )


def blank(n, shape=(200, 200), seed=0, time=TIME):
    rng = np.random.default_rng(seed)
    times = np.broadcast_to(np.asarray(time, float), n)[:, None, None]
    return (rng.normal(0, np.sqrt(SKY + READNOISE**2), (n, *shape)) / times).astype(np.float32)


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.integers(0, 2),
    st.sampled_from([(4.0, 3.0), (1.0, 0.5)]),
    st.sampled_from([0.0, 0.5]),
)
def test_it_is_the_definition(seed, n, grow, nsigma, derivative):
    rng = np.random.default_rng(seed)
    shape = (n, 5, 6)
    stack = (
        rng.normal(0, 0.2, shape) + (rng.random(shape) < 0.15) * 5 + 3 * (rng.random(shape[1:]) < 0.1)
    ).astype(np.float32)
    stack[rng.random(shape) < rng.choice([0, 0.3, 0.8])] = np.nan
    weights = None if seed % 2 else rng.uniform(0.5, 1.4, shape).astype(np.float32)
    noise = noise_of(n, rng.uniform(50, 200, n), rng.uniform(0, 9, n), rng.uniform(1, 300, n))
    expected, uncertain = slow.auto(stack, weights, noise.constant, noise.slope, nsigma, grow, derivative)
    sci, err, count = autocombine.combine(
        stack, weights, noise, nsigma=nsigma, grow=grow, derivative=derivative
    )
    np.testing.assert_array_equal(sci, expected)
    np.testing.assert_allclose(err, uncertain, rtol=1e-5)
    np.testing.assert_array_equal(count, (~np.isnan(stack)).sum(axis=0))


def test_two_exposures_reject_a_ray_and_keep_a_star():
    stack = np.full((2, 5, 6), 0.1, np.float32)
    stack[0, 2, 1] = 3.0  # a ray
    stack[:, 2, 4] = 300, 303  # a star of 30,000 e-: sigma of the difference 245 e-
    found = combine_stack(stack, exptime=TIME, readnoise=READNOISE, sky=SKY, combine_type="auto")
    assert found[2, 1] == np.float32(0.1)
    assert found[2, 4] == pytest.approx(301.5)


def test_two_exposures_of_different_length_are_weighted():
    noise = noise_of(2, [100.0, 300.0], 0.0, [100.0, 300.0])  # variances 1/100 and 1/300 at level 0
    stack = np.array([0.0, 0.4], np.float32).reshape(2, 1, 1) - 1
    sci, err, _ = autocombine.combine(stack, None, noise)
    assert sci == pytest.approx(-0.7)
    assert err == pytest.approx(np.sqrt(1 / 400))


def test_the_noise_is_that_of_the_lower_value():
    """Of one exposure: a ray makes its own pixel noisy, not the truth."""
    stack = np.zeros((2, 1, 1), np.float32)
    stack[1] = 0.9
    limit = 4 * np.sqrt(2) * SIGMA
    assert limit < 0.9 < 4 * np.sqrt((2 * SKY + 2 * READNOISE**2 + 90) / TIME**2)
    assert autocombine.combine(stack, None, noise_of(2))[0] == 0


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 10, 20, 21, 40])
def test_blank_sky_is_unbiased_and_err_is_its_scatter(n):
    sci, err, _ = autocombine.combine(blank(n, seed=n), None, noise_of(n))
    assert abs(sci.mean(dtype=float)) < 0.04 * SIGMA / np.sqrt(n)
    # at the level of the pixel's own result, positive noise counts as source
    assert np.median(err) == pytest.approx(sci.std(dtype=float), rel=0.02)


@pytest.mark.parametrize(("n", "least"), [(2, 0.96), (3, 0.985), (4, 0.985), (5, 0.99), (8, 0.99)])
def test_rays_are_removed(n, least):
    rng = np.random.default_rng(n)
    stack = blank(n, seed=n)
    hit = rng.random(stack.shape) < 0.05
    stack[hit] += rng.uniform(20, 400, hit.sum()).astype(np.float32) * np.float32(SIGMA)
    sci = autocombine.combine(stack, None, noise_of(n))[0]
    removed = np.mean(np.abs(sci[hit.any(axis=0)]) < 4 * SIGMA)
    assert removed > least
    if n == 2:
        assert np.mean(np.abs(stack.mean(axis=0)[hit.any(axis=0)]) < 4 * SIGMA) < 0.1


def test_stars_that_differ_a_little_between_images_are_kept():
    """The core of an undersampled star, off by 0.05 px in one image: without the tolerance the lower value is
    taken.
    """
    y, x = np.mgrid[-4:5, -4:5]
    star = np.array([3000 * np.exp(-((y - s) ** 2 + x**2) / (2 * 0.65**2)) for s in (0.1, -0.1)]).astype(
        np.float32
    )
    kept = [
        autocombine.combine(star, None, noise_of(2), derivative=d)[0].sum() / star.mean(axis=0).sum()
        for d in (0.0, 0.5)
    ]
    assert kept[0] < 0.96
    assert kept[1] == pytest.approx(1, abs=0.002)


def test_variances_of_medians():
    rng = np.random.default_rng(1)
    for n in (3, 4, 19, 20, 21, 22, 35):
        medians = np.median(rng.normal(size=(200_000 // n, n)), axis=1)
        assert autocombine.median_variance(np.array(n)) == pytest.approx(medians.var(), rel=0.06)
    assert np.isnan(autocombine.median_variance(np.array([0])))[0]


# --- the noise
# --------------------------------------------------------------------------------------------------------


@dataclass
class Image(StackImage):
    data: np.ndarray
    first: tuple = (0, 0)
    noise: Noise | None = None

    @property
    def window(self):
        return Window.placed(self.data.shape, self.first)

    def read(self, plane, y0, y1):
        return self.data[y0:y1].copy()


def section(image, window):
    return image.data[window.inside(image.window)]


def test_known_noise_is_taken():
    images = [
        Image(np.zeros((2, 2)), (0, 0), Noise(100.0, 5.0, 20.0, 2.0)),
        Image(np.zeros((2, 2)), (0, 0), Noise(50.0, 0.0, 0.0, 1.0)),
    ]
    noise, notes = stack_noise.of_images(images, section)
    assert not notes and noise.poisson and len(noise) == 2
    np.testing.assert_allclose(noise.constant, [45 / 200**2, 0])
    np.testing.assert_allclose(noise.slope, [1 / 200, 1 / 50])
    assert len(noise[[1]]) == 1 and noise[[1]].exptime[0] == 50


def test_unknown_noise_is_measured():
    """Noise of 1, 2 and 3 with sources in all, and rays; a fourth image overlaps half of the others."""
    rng = np.random.default_rng(5)
    scene = 50 * (rng.random((225, 300)) < 0.05)
    sigmas = [1.0, 2.0, 3.0, 2.0]
    images = []
    for i, sigma in enumerate(sigmas):
        top = 75 if i == 3 else 0
        data = scene + rng.normal(0, sigma, scene.shape) + 500 * (rng.random(scene.shape) < 0.003)
        images.append(Image(data[top : top + 150].astype(np.float32), (0, top)))
    noise, notes = stack_noise.of_images(images, section)
    assert (
        not noise.poisson
        and len(notes) == 1
        and notes[0].startswith("exptime, readnoise, sky, electrons not known")
    )
    np.testing.assert_allclose(noise.readnoise, sigmas, rtol=0.08)
    np.testing.assert_allclose(noise.constant, noise.readnoise**2)
    assert (noise.slope == 0).all()


def test_a_single_image_tells_no_noise():
    made = combine_stack(blank(1, (5, 6)), combine_type="auto", full_output=True)
    assert np.isnan(made.err).all() and np.isfinite(made.sci).all()


@pytest.mark.parametrize("kind", ["auto", "minmed"])
def test_without_noise_rays_are_still_removed(kind):
    stack = blank(3, (60, 60))
    stack[0, 10, 10] = stack[1, 10, 10] = 5
    made = combine_stack(stack, combine_type=kind, full_output=True)
    assert abs(made.sci[10, 10]) < 5 * SIGMA
    assert "measured from differences" in " ".join(made.notes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exptime", 0.0),
        ("exptime", -1),
        ("exptime", float("nan")),
        ("exptime", "long"),
        ("readnoise", -1),
        ("sky", float("inf")),
        ("electrons", 0),
    ],
)
def test_impossible_noise_is_refused(name, value):
    with pytest.raises(InputError, match=rf"^{name} of image 3 is .*expected"):
        stack_noise.check(name, value, 3)
