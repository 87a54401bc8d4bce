"""The test against the other exposures: its parts and the whole, on planted images."""

import numpy as np
import pytest

from drizzleflow.arrays.morphology import abs_deriv
from drizzleflow.outliers.matching import apply, fit_kernel, identity
from drizzleflow.outliers.others import Thresholds, outliers
from drizzleflow.outliers.sharpness import sharper, sharpness_of_sources
from drizzleflow.outliers.significance import connected, noise_scale, steep_pixels, structure, tolerance

SHAPE = (160, 180)


def stars(dx=0.0, dy=0.0, width=0.85, seed=3, shape=SHAPE, density=40):
    """Stars of a Gaussian PSF of `width` px (sigma), float32; the same ones for each seed."""
    rng, (y, x) = np.random.default_rng(seed), np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for _ in range(density):
        cy, cx, peak = rng.uniform(6, shape[0] - 6), rng.uniform(6, shape[1] - 6), 10 ** rng.uniform(1, 4)
        cut = np.s_[int(cy) - 6 : int(cy) + 7, int(cx) - 6 : int(cx) + 7]
        image[cut] += peak * np.exp(-((y[cut] - cy - dy) ** 2 + (x[cut] - cx - dx) ** 2) / 2 / width**2)
    return image.astype(np.float32)


def exposure(seed=1, noise=1.0, **scene):
    """(data, err): an exposure of the stars with photon noise; `noise` times what err says."""
    truth = stars(**scene)
    err = np.sqrt(1 + 0.05 * truth).astype(np.float32)
    return (truth + noise * err * np.random.default_rng(seed).normal(size=truth.shape)).astype(
        np.float32
    ), err


EVERYWHERE = np.ones(SHAPE, bool)


def test_the_kernel_finds_shift_and_width():
    data, err = exposure(dx=0.2, dy=-0.1, width=0.95)
    template = stars()
    match = fit_kernel(data, template, abs_deriv(template), err, EVERYWHERE)
    assert match.fitted and match.kernel.sum() == pytest.approx(1, abs=1e-12)
    assert match.shift == pytest.approx((0.2, -0.1), abs=0.05)
    assert match.width == pytest.approx(np.sqrt(0.95**2 - 0.85**2), abs=0.1)
    better = template.copy()
    apply(match, better, abs_deriv(template), err)
    steep = abs_deriv(template) > 5 * err
    scale = np.hypot(err, 0.03 * template)
    before, after = (np.median((np.abs(data - t) / scale)[steep]) for t in (template, better))
    assert after < 0.6 * before


def test_the_kernel_is_the_identity_where_little_tells():
    data, err = exposure(density=2)
    template = stars(density=2)
    match = fit_kernel(data, template, abs_deriv(template), err, EVERYWHERE)
    assert not match.fitted and match.shift == (0, 0) and match.width == 0
    before = template.copy()
    apply(match, template, abs_deriv(template), err)
    np.testing.assert_array_equal(template, before)
    assert identity(1).kernel.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_bright_stars_do_not_decide_alone():
    """A star of 10^6 sigma that is wrong by 10 % (a variable) does not move the kernel."""
    data, err = exposure(dx=0.1)
    template = stars(dx=0.0)
    star = 1e6 * np.exp(-((np.mgrid[:9, :9] - 4) ** 2).sum(axis=0) / 2 / 0.85**2)
    data[70:79, 80:89] += np.float32(1.1 * star)
    template[70:79, 80:89] += np.float32(star)
    match = fit_kernel(data, template, abs_deriv(template), err, EVERYWHERE)
    assert match.shift == pytest.approx((0.1, 0), abs=0.05)


def test_at_holes_and_edges_the_template_stays():
    data, err = exposure(dx=0.2)
    template = stars()
    template[40:44, 50:60] = np.nan
    match = fit_kernel(data, template, abs_deriv(template), err, EVERYWHERE)
    made = template.copy()
    apply(match, made, abs_deriv(template), err)
    assert np.array_equal(np.isnan(made), np.isnan(template)) and not np.array_equal(made, template)
    beside = np.s_[39, 50:60]
    np.testing.assert_array_equal(made[beside], template[beside])


@pytest.mark.parametrize("factor, measured", [(1.0, 1.0), (1.3, 1.3), (3.0, 2.0), (0.5, 0.8)])
def test_the_noise_is_measured_within_limits(factor, measured):
    data, err = exposure(noise=factor)
    template = stars()
    scale = noise_scale(data - template, abs_deriv(template), err, EVERYWHERE, (0.8, 2.0))
    assert scale == pytest.approx(measured, rel=0.05)


def test_little_to_measure_has_defaults():
    nothing, err = np.zeros((9, 9), np.float32), np.ones((9, 9), np.float32)
    usable = np.ones((9, 9), bool)
    assert noise_scale(nothing, nothing, err, usable, (0.8, 2.0)) == 1.05
    assert tolerance(nothing, nothing, err, 1.0, steep_pixels(nothing, nothing, err, usable), 2.0) == 0.5


def test_the_tolerance_is_how_far_sources_are_off():
    template = stars()
    gradient = abs_deriv(template)
    data = template + np.float32(0.1) * gradient
    err = np.full(SHAPE, 0.5, np.float32)
    at = steep_pixels(data - template, gradient, err, EVERYWHERE)
    off = data - template
    assert tolerance(off, gradient, 0 * err, 1.0, at, 2.0) == pytest.approx(0.2, rel=1e-3)
    assert tolerance(0 * off, gradient, err, 1.0, at, 2.0) == 0


@pytest.mark.parametrize("error", [0.0, 0.05, 0.3])
def test_noise_is_no_tolerance(error):
    """Noise alone makes differences at sources; what is left without it is how far they are off."""
    rng, gradient = np.random.default_rng(3), np.full(SHAPE, 12.0, np.float32)
    off = rng.normal(size=SHAPE) + error * gradient * rng.normal(size=SHAPE)
    at = np.arange(off.size)
    measured = tolerance(off.astype(np.float32), gradient, np.ones(SHAPE, np.float32), 1.0, at, 1.0)
    assert measured == pytest.approx(1.2816 * error, abs=0.02)


def found(z, *limits):
    """The outliers of an image of z, as places (y, x)."""
    at = np.flatnonzero(z > 2)
    flagged = at[connected(at, z.reshape(-1)[at], z.shape, *limits)]
    return sorted(zip(*np.divmod(flagged, z.shape[1]), strict=True))


def test_connected_pixels():
    z = np.zeros((9, 12), np.float32)
    z[2, 2], z[2, 6] = 4.0, 5.0  # alone: below and above the first limit
    z[5, 2], z[6, 3] = 3.5, 3.6  # they touch by a corner
    z[0, 11], z[1, 0] = 3.5, 3.5  # they do not: the end of one row and the start of the next
    z[8, 8], z[8, 9] = 3.5, np.nan
    z[7, 11], z[8, 11] = 3.5, 3.2
    assert found(z, 4.5, 3.3) == [(2, 6), (5, 2), (6, 3)]


def test_pixels_beside_a_strong_one():
    z = np.zeros((9, 12), np.float32)
    z[2, 2], z[2, 3], z[3, 4] = 9.0, 3.1, 3.1  # beside the strong one, and beside that
    z[7, 7], z[7, 8] = 7.0, 3.1  # beside one that is not strong
    assert found(z, 4.5, 3.3, (8.0, 3.0)) == [(2, 2), (2, 3), (7, 7)]
    assert found(z, 4.5, 3.3) == [(2, 2), (7, 7)]


def test_rays_are_found_and_stars_are_not():
    data, err = exposure(dx=0.1, dy=0.05, width=0.9)
    rays = np.zeros(SHAPE, bool)
    rng = np.random.default_rng(8)
    for y, x in zip(rng.integers(4, 150, 60), rng.integers(4, 170, 60), strict=True):
        rays[y, x] = rays[y, x + 1] = True
    data[rays] += 12 * err[rays]
    made = outliers(data, err, EVERYWHERE, stars())
    assert np.count_nonzero(made.mask & rays) > 0.93 * np.count_nonzero(rays)
    assert np.count_nonzero(made.mask & ~rays) <= 3
    assert made.noise == pytest.approx(1, abs=0.06) and made.negative == made.alone == 0
    assert made.match.shift == pytest.approx((0.1, 0.05), abs=0.05)


def test_low_pixels_need_two_others():
    data, err = exposure()
    data[30, 40] -= 30
    template = stars()
    counts = np.full(SHAPE, 2, np.int16)
    for count, found in ((counts, True), (counts - 1, False), (None, False)):
        made = outliers(data, err, EVERYWHERE, template.copy(), None, count)
        assert made.mask[30, 40] == found and made.negative == found


def test_noise_of_the_template_is_no_structure():
    """Its noise counts, with the part that drizzling and interpolating leave: a quarter of the variance."""
    data, err = exposure(density=0)
    template = np.random.default_rng(2).normal(0, 5, SHAPE).astype(np.float32)
    variance = np.full(SHAPE, 25 / 0.25, np.float32)
    assert outliers(data, err, EVERYWHERE, template.copy()).match.npix > 10_000
    known = outliers(data, err, EVERYWHERE, template.copy(), variance.copy())
    assert not known.match.fitted and not known.mask.any()


def test_bad_pixels_are_neither_measured_nor_flagged():
    data, err = exposure()
    usable = EVERYWHERE.copy()
    usable[50:60] = False
    data[50:60] += 1000
    err[100, 100], data[101, 101] = np.nan, np.nan
    made = outliers(data, err, usable, stars())
    assert not made.mask[~usable].any() and not made.mask[100, 100] and not made.mask[101, 101]
    assert made.noise == pytest.approx(1, abs=0.06)


def test_sharp_pixels_where_no_other_exposure_looks():
    scene = {"density": 150}
    data, err = exposure(**scene)
    template = stars(**scene)
    template[:, 120:] = np.nan
    rng, rays = np.random.default_rng(4), np.zeros(SHAPE, bool)
    for y, x in zip(rng.integers(4, 150, 40), rng.integers(124, 170, 40), strict=True):
        rays[y, x] = True
    blank = rays & (stars(**scene) < 1)
    data[blank] += 15
    made = outliers(data, err, EVERYWHERE, template.copy())
    unseen = np.isnan(template)
    assert made.alone == np.count_nonzero(made.mask & unseen)
    assert np.count_nonzero(made.mask & blank) > 0.9 * np.count_nonzero(blank)
    bright = np.count_nonzero(unseen & (data > 20 * err))
    assert np.count_nonzero(made.mask & unseen & ~blank) < 0.25 * bright
    without = outliers(data, err, EVERYWHERE, template.copy(), thresholds=Thresholds(sharp=0))
    assert not without.mask[unseen].any() and without.sharpness is None


def test_sharpness_needs_sources():
    data, err = exposure(density=2)
    assert sharpness_of_sources(data, err, EVERYWHERE) is None


def test_a_ray_is_sharper_than_a_star():
    data, err = exposure(density=150)
    ratios = sharpness_of_sources(data, err, EVERYWHERE)
    assert ratios["alone"] < ratios["line beside"] < ratios["line across"]
    data[80, 90] += 500
    sharp = sharper(data, err, EVERYWHERE, ratios, 5.0)
    assert sharp[80, 90] and np.count_nonzero(sharp) < 0.2 * np.count_nonzero(data > 20 * err)


@pytest.mark.parametrize("sky", [-30.0, 1000.0])
def test_a_sky_that_is_in_both_changes_nothing(sky):
    """Matched levels leave the lowest exposure's sky in all."""
    scene = {"density": 150}
    data, err = exposure(**scene)
    data[np.random.default_rng(6).random(SHAPE) < 0.003] += 30
    template = stars(**scene)
    template[:, 120:] = np.nan
    one = outliers(data, err, EVERYWHERE, template.copy())
    other = outliers(data + np.float32(sky), err, EVERYWHERE, template + np.float32(sky))
    assert one.alone > 5 and np.count_nonzero(one.mask ^ other.mask) <= 2
    assert other.sharpness["alone"] == pytest.approx(one.sharpness["alone"], rel=0.05)


def test_the_top_of_a_source_has_structure():
    """There the slope is small; a PSF of another width, as in other seeing, shows all the same."""
    y, x = np.mgrid[:41, :41] - 20.0
    star = (1000 * np.exp(-(y**2 + x**2) / 2 / 2.5**2)).astype(np.float32)
    made, slope = structure(star), abs_deriv(star)
    assert made[20, 20] > 4 * slope[20, 20] and (made >= slope).all()
    flat = structure(np.full((9, 9), 5, np.float32))
    assert not flat.any()
    star[20, 22] = np.nan  # what is two columns away is missing, and this pixel itself
    again = structure(star)
    assert np.isnan(again[20, 22]) and np.count_nonzero(np.isnan(again)) == 1
    assert again[20, 20] == abs_deriv(star)[20, 20] and again[15, 15] == made[15, 15]
