"""Noise of an exposure from its header or from how its variances grow with the signal."""

import numpy as np
import pytest

from drizzleflow.frames.frame import Frame
from drizzleflow.frames.noise import Noise, of_frame, pooled, signal_and_variance

SHAPE, TIME, GAIN, READ, SKY = (400, 300), 250.0, 1.7, 12.0, 0.4  # SKY in units; GAIN electrons/s a unit


def exposure(stars=True, noisy=True, **changes):
    rng = np.random.default_rng(3)
    signal = np.full(SHAPE, SKY)
    if stars:
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        for _ in range(40):
            cx, cy = rng.uniform(0, SHAPE[1]), rng.uniform(0, SHAPE[0])
            signal += rng.exponential(50) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18)
    electrons = GAIN * TIME
    poisson, rnoise = signal / electrons, np.full(SHAPE, (READ / electrons) ** 2)
    data = signal + (rng.normal(0, np.sqrt(poisson + rnoise)) if noisy else 0)
    planes = {"rnoise": rnoise, "poisson": np.clip(data, 0, None) / electrons if noisy else poisson}
    keys = {
        "data": data.astype(np.float32),
        "var": {k: v.astype(np.float32) for k, v in planes.items()},
        "exposure_time": TIME,
    }
    return Frame("m", 1, "g", SHAPE, **(keys | changes))


@pytest.mark.parametrize("noisy", [False, True])
def test_the_truth_is_found_from_variances(noisy):
    found = of_frame(exposure(noisy=noisy), SKY)
    assert found.exptime == TIME
    assert found.electrons == pytest.approx(GAIN, rel=0.05)
    assert found.readnoise == pytest.approx(READ, rel=0.05)
    assert found.sky == pytest.approx(SKY * GAIN * TIME, rel=0.15)


def test_err_alone_gives_the_total():
    frame = exposure()
    frame.err, frame.var = np.sqrt(frame.var["rnoise"] + frame.var["poisson"]), {}
    found = of_frame(frame, SKY)
    total = SKY * GAIN * TIME + READ**2
    assert found.readnoise**2 + found.sky == pytest.approx(total, rel=0.1)


def test_without_sources_the_signal_adds_next_to_nothing():
    frame = exposure(stars=False, noisy=False)
    found = of_frame(frame, SKY)
    variance = np.median(frame.var["rnoise"] + frame.var["poisson"])
    assert (found.readnoise**2 + found.sky) / (found.electrons * TIME) ** 2 == pytest.approx(
        variance, rel=1e-4
    )
    signal = 10 * np.sqrt(variance)
    assert signal / (found.electrons * TIME) < 0.02 * variance


def test_the_products_unit():
    """A frame whose data are multiplied on their way has so many fewer electrons a unit."""
    plain, scaled = of_frame(exposure(), SKY), of_frame(exposure(rate_factor=4.0), SKY)
    assert scaled.electrons == pytest.approx(plain.electrons / 4) and scaled.readnoise == plain.readnoise


def test_hst_headers_say_it():
    frame = exposure(gain=1.0, readnoise=4.5, unit="ELECTRONS", product_unit="ELECTRONS/S")
    assert of_frame(frame, 30.0) == Noise(TIME, 4.5, 30.0, 1.0)
    frame = exposure(gain=2.0, readnoise=4.5, unit="COUNTS/S", product_unit="ELECTRONS/S")
    assert of_frame(frame, 0.1).sky == pytest.approx(0.1 * 2 * TIME)
    assert of_frame(frame, None).sky == 0


def test_nothing_tells():
    assert of_frame(exposure(var={}), SKY) is None
    assert of_frame(exposure(data=np.full(SHAPE, np.nan, np.float32)), SKY) is None


def test_pooled():
    a, b = Noise(100.0, 3.0, 20.0, 1.0), Noise(100.0, 4.0, 10.0, 1.0)
    assert pooled([a, b]) == Noise(100.0, np.sqrt(12.5), 10.0, 1.0)
    assert pooled([a, None]) is None and pooled([]) is None


def test_larger_output_pixels_hold_more_electrons():
    noise = Noise(100.0, 3.0, 20.0, 1.5)
    assert noise.binned(2.0) == Noise(100.0, 6.0, 80.0, 6.0)
    assert noise.binned(0.5) == noise  # smaller ones share their input pixel's


def test_headers_keep_it():
    from astropy.io import fits

    noise = Noise(100.0, 3.25, 20.0, 1.5)
    assert Noise.from_header(fits.Header(list(noise.cards()))) == noise
    assert Noise.from_header({"EXPTIME": 3.0}) is None


def test_variances_that_do_not_grow():
    data = np.linspace(0, 10, 1000)
    assert signal_and_variance(data, np.full(1000, 2.0), 3.0) == (0.0, 2.0)
