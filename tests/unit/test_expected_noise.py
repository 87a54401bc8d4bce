"""ERR without the photons of what only one exposure shows: on planted rays, and its limits on any data."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.noise import sample, signal_and_variance
from drizzleflow.outliers.expected_noise import NOISES, expected, noise_of

SHAPE = (110, 130)
READ, PHOTONS, SKY = 5.0, 0.5, 20.0  #: read noise; variance for each unit of signal; level of the sky


def frame_of(data, err=None, **more) -> Frame:
    err = None if err is None else err.astype(np.float32)
    return Frame("m", 1, "g", data.shape, data=data.astype(np.float32), err=err, **more)


def sources(shape=SHAPE):
    """Stars, float32: what the other exposures show."""
    rng, (y, x) = np.random.default_rng(5), np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for _ in range(25):
        cy, cx, peak = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), 10 ** rng.uniform(2, 4)
        image += peak * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 3)
    return image.astype(np.float32)


def exposure(seed=1):
    """(frame, template, rays, true): ERR has the photons of all data, `true` those of sky and sources alone."""
    rng, template = np.random.default_rng(seed), sources()
    rays = np.where(rng.random(SHAPE) < 0.004, rng.uniform(100, 3000, SHAPE), 0)
    variance = READ**2 + PHOTONS * (SKY + template)
    data = SKY + template + rays + rng.normal(size=SHAPE) * np.sqrt(variance + PHOTONS * rays)
    seen = READ**2 + PHOTONS * np.maximum(data, 0)
    return frame_of(data, np.sqrt(seen)), template, rays > 0, np.sqrt(variance)


def test_the_rays_photons_are_no_noise():
    frame, template, rays, true = exposure()
    made = expected(frame, template, SKY)
    assert made.dtype == np.float32 and made.shape == SHAPE
    assert np.median(frame.err[rays] / true[rays]) > 2  # with them it would be twice as much
    np.testing.assert_allclose(made[rays], true[rays], rtol=0.03)
    bright = (template > 200) & ~rays
    assert bright.sum() > 200
    np.testing.assert_allclose(made[bright], true[bright], rtol=0.03)
    np.testing.assert_allclose(made[bright], frame.err[bright], rtol=0.2)  # it holds the data's own noise
    for place in (bright, (template < 1) & ~rays):
        assert abs(np.median(made[place] / frame.err[place]) - 1) < 0.03


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_err_of_the_true_signal(seed):
    """It does not follow the data's own noise, and a pixel that is high by chance has no less noise for that."""
    frame, template, rays, true = exposure(seed)
    signal = SKY + template + np.where(rays, frame.data - SKY - template, 0)
    frame.err = np.sqrt(READ**2 + PHOTONS * signal).astype(np.float32)
    rng = np.random.default_rng(seed)
    frame.data = (signal + rng.normal(size=SHAPE) * frame.err).astype(np.float32)
    made = expected(frame, template, SKY)
    ratio = (made / true)[rays]
    assert abs(np.median(ratio) - 1) < 0.05 and ratio.min() > 0.95
    assert np.mean(made[rays] < frame.err[rays]) > 0.99
    blank = (template < 1) & ~rays
    assert np.quantile((made / true)[blank], 0.01) > 0.97


def test_without_a_template_err_stays():
    frame, template, rays, _ = exposure()
    template[30:60] = np.nan
    made = expected(frame, template, SKY)
    np.testing.assert_array_equal(made[30:60], frame.err[30:60])
    assert (made[rays & ~np.isnan(template)] < frame.err[rays & ~np.isnan(template)]).all()


def test_err_without_photons_stays_bit_for_bit():
    frame, template, _, _ = exposure()
    for err in (np.full(SHAPE, 3.0), 3 - 1e-4 * np.clip(frame.data, 0, 1000)):  # it may even fall
        same = frame_of(frame.data, err)
        np.testing.assert_array_equal(expected(same, template, SKY), same.err)


def test_few_pixels_tell_nothing():
    frame, template, _, _ = exposure()
    assert not np.array_equal(expected(frame, template, SKY), frame.err)
    for plane in ("data", "err"):
        few = frame_of(frame.data.copy(), frame.err.copy())
        getattr(few, plane).reshape(-1)[99:] = np.nan
        np.testing.assert_array_equal(expected(few, template, SKY), few.err)


def test_a_pixel_that_is_far_too_low_has_the_expected_noise():
    """A pipeline that counts the photons of the data finds none there, and gives it too small an ERR."""
    frame, template, rays, true = exposure()
    y, x = np.argwhere((template > 500) & ~rays)[0]
    for place in ((y, x), tuple(np.argwhere((template < 1) & ~rays)[0])):
        frame.data[place] -= 300 * true[place]
        frame.err[place] = READ
        assert expected(frame, template, SKY)[place] == pytest.approx(true[place], rel=0.05)


def test_any_unit_gives_the_same():
    frame, template, _, _ = exposure()
    made = expected(frame, template, SKY)
    for factor in (1e-3, 16, 1e5):
        other = frame_of(factor * frame.data, factor * frame.err)
        found = expected(other, np.float32(factor) * template, factor * SKY)
        np.testing.assert_allclose(found, factor * made, rtol=1e-3)


def measured(frame, level):
    """What the frame itself tells: variance for each unit of signal, variance of blank sky."""
    cut = sample(frame.shape)
    data, variance = frame.data[cut].astype(float), frame.err[cut].astype(float) ** 2
    known = np.isfinite(data) & (variance > 0)
    return signal_and_variance(data[known], variance[known], level)


@given(seed=st.integers(0, 2**32 - 1), level=st.floats(-100, 1000))
def test_its_limits(seed, level):
    """Whatever data, template and level are, it is at least the template's photons, and at most the larger of
    ERR and what the noisiest sky and the template would have.
    """
    rng, shape = np.random.default_rng(seed), (30, 25)
    base = rng.lognormal(3, 2, shape)
    data = level + base + rng.normal(size=shape) * 10 ** rng.uniform(-1, 4)
    data[rng.random(shape) < 0.03] -= 1e6
    data[rng.random(shape) < 0.1] = np.nan
    template = (base * rng.uniform(-1, 3, shape)).astype(np.float32)
    template[rng.random(shape) < 0.1] = np.nan
    frame = frame_of(data, np.sqrt(rng.uniform(1, 100) + 10 ** rng.uniform(-3, 1) * base))
    before = template.copy()
    made = expected(frame, template, level)
    np.testing.assert_array_equal(template, before)
    assert np.isfinite(made).all() and (made > 0).all()
    per_unit, _ = measured(frame, level)
    there = ~np.isnan(template)
    np.testing.assert_array_equal(made[~there], frame.err[~there])
    if not per_unit:
        np.testing.assert_array_equal(made, frame.err)
        return
    square, photons = made[there].astype(float) ** 2, per_unit * np.maximum(template[there], 0.0)
    variance = frame.err[there].astype(float) ** 2
    blank = max(0.0, (variance - photons).max())
    assert (square >= photons * (1 - 1e-5)).all()
    assert (square <= np.maximum(variance, blank + photons) * (1 + 1e-5)).all()


def test_noise_that_is_not_known_stays_so():
    frame, template, _, _ = exposure()
    frame.err[50, 60] = np.nan
    made = expected(frame, template, SKY)
    assert np.isnan(made[50, 60]) and np.count_nonzero(np.isnan(made)) == 1


def test_the_sky_s_noise_may_differ_across_the_frame():
    """Vignetting: a corner with half the sky has its own noise."""
    rng, shape = np.random.default_rng(2), (256, 256)
    sky = np.linspace(400, 100, shape[1]) * np.ones(shape)
    ray = np.zeros(shape)
    ray[::16, ::16] = 500
    data = sky + ray + rng.normal(size=shape) * np.sqrt(PHOTONS * (sky + ray))
    template = (sky - 250).astype(np.float32)
    made = expected(frame_of(data, np.sqrt(PHOTONS * np.maximum(data, 1))), template, 250.0)
    true = np.sqrt(PHOTONS * sky)
    np.testing.assert_allclose(np.median((made / true)[ray > 0]), 1, atol=0.1)


@pytest.mark.parametrize("kind", NOISES)
def test_the_frame_stays_as_it_is(kind):
    frame, template, _, _ = exposure()
    frame.readnoise, frame.gain = 4.0, 2.0
    before = {field.name: getattr(frame, field.name) for field in fields(frame)}
    planes, shown = (frame.data.copy(), frame.err.copy()), template.copy()
    noise_of(frame, template, SKY, kind)
    assert all(getattr(frame, name) is value for name, value in before.items())
    np.testing.assert_array_equal([frame.data, frame.err, template], [*planes, shown])


# -- the kinds of noise


def model(template, level, electrons, readnoise):
    """Photons of template and sky, and read noise; without a template the sky's."""
    signal = np.where(np.isnan(template), level, np.maximum(template + level, max(level, 0)))
    return np.sqrt(np.maximum(signal, 0) * electrons + readnoise**2) / electrons


@pytest.mark.parametrize("unit, electrons", [("ELECTRONS/S", 2.0 * 250), ("ELECTRONS", 2.0), ("DN", 2.0)])
@pytest.mark.parametrize("level", [SKY, -3.0, None])
def test_the_model_is_its_formula(unit, electrons, level):
    frame, template, _, _ = exposure()
    template[:4] -= 50  # below the sky
    template[5:7] = np.nan
    frame.data = template + np.float32(level or 0)  # no scatter beyond the model
    frame.unit, frame.gain, frame.readnoise, frame.exposure_time = unit, 2.0, 4.0, 250.0
    made = noise_of(frame, template, level, "model")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, model(template, level or 0.0, electrons, 4.0), rtol=1e-5)
    frame.err = None
    np.testing.assert_array_equal(noise_of(frame, template, level, "model"), made)
    np.testing.assert_array_equal(noise_of(frame, template, level, "expected"), made)


def test_a_sky_that_was_subtracted_before_shows_in_the_model():
    """Ground-based images often have no sky left: gain and read noise alone would make it ten times too quiet."""
    rng, gain, sky = np.random.default_rng(3), 4.0, 1800.0
    template = np.zeros((200, 220), np.float32)
    template[90:110, 100:120] = 5000.0
    noise = np.sqrt((template + sky) / gain)
    frame = frame_of(template + rng.normal(size=template.shape) * noise, None)
    frame.unit, frame.gain, frame.readnoise, frame.exposure_time = "adu", gain, 5.0, 100.0
    made = noise_of(frame, template, None, "model")
    np.testing.assert_allclose(np.median(made[template == 0]), np.sqrt(sky / gain), rtol=0.03)
    np.testing.assert_allclose(np.median(made[template > 0]), np.sqrt((5000 + sky) / gain), rtol=0.03)


def test_kinds_with_err():
    frame, template, _, _ = exposure()
    np.testing.assert_array_equal(noise_of(frame, template, SKY, "err"), frame.err)
    np.testing.assert_array_equal(noise_of(frame, template, SKY, "expected"), expected(frame, template, SKY))


@pytest.mark.parametrize("kind", NOISES)
def test_no_level_is_a_level_of_zero(kind):
    frame, template, _, _ = exposure()
    frame.readnoise = 4.0
    none, zero = (noise_of(frame, template, level, kind) for level in (None, 0.0))
    np.testing.assert_array_equal(none, zero)


@pytest.mark.parametrize(
    "kind, lacking", [("err", "error plane"), ("model", "read noise"), ("expected", "read noise")]
)
def test_what_is_missing_is_named(kind, lacking):
    frame, template, _, _ = exposure()
    frame.member, frame.extver, frame.err = "jw01", 3, None
    with pytest.raises(InputError, match=f"^jw01: frame 3: no {lacking}"):
        noise_of(frame, template, SKY, kind)
