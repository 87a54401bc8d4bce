"""A frame against a combined image on disk: both noise models, the combined image's own noise, holes and
growth.
"""

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed, cards
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.outliers.compare import compare, compare_aligned

SHAPE = (40, 50)
SETTINGS = {
    "snr": "5.0 4.0",
    "scale": "1.2 0.7",
    "backg": 0.0,
    "err_nan": "invalid",
    "median_err": True,
    "noise": "err",
    "empty": "linear",
    "sky_counted": "once",
    "gain_counted": "once",
    "derivative_edges": "neighbours",
    "grow": 1,
    "ctegrow": 0,
    "interp": "linear",
    "addsky": True,
    "skyval": 0.0,
}
RAY = (17, 23)


def median_file(path, sci, err=None, origin=(7, -3)):
    place = cards(Window.placed(sci.shape, origin), "u")
    hdus = [(image_header(None, primary=True), None), (image_header(sci, "SCI", cards=place), sci)]
    if err is not None:
        nused = np.full(sci.shape, 4, np.int16)
        hdus += [
            (image_header(plane, name, cards=place), plane)
            for name, plane in (("ERR", err), ("NUSED", nused))
        ]
    write_hdus(path, hdus)
    return Windowed.open(path, ("SCI",), optional=("ERR", "NUSED"))


def pixmap(origin=(7, -3)):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    return np.stack([x + origin[0], y + origin[1]], axis=-1)


def frame(level=2.0, height=30.0, **keys):
    data = np.full(SHAPE, level, np.float32)
    data[RAY] += height
    keys = {"err": np.ones(SHAPE, np.float32)} | keys
    return Frame("m", 1, "g", SHAPE, data=data, **keys)


def hits(mask):
    return [tuple(map(int, at)) for at in np.argwhere(mask)]


def test_a_ray_is_found_above_the_sky(tmp_path):
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32))
    blotted, mask = compare(frame(), pixmap(), median, 2.0, SETTINGS)
    assert (blotted == 0).all() and hits(mask) == [RAY]
    assert not compare(frame(), pixmap(), median, None, SETTINGS | {"backg": 32.0})[1][RAY]


@pytest.mark.parametrize(
    ("err", "sigma"), [(0.62, 1.0), (2.0, np.sqrt(1 + 4 - 0.5)), (10.0, np.sqrt(1 + 100 - 0.5))]
)
def test_the_noise_of_the_combined_image_counts(tmp_path, err, sigma):
    """A median of 4 exposures alike (0.62) adds nothing; of noisier ones their noise, less what is this
    exposure's own.
    """
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32), np.full(SHAPE, err, np.float32))
    for height in (4.9 * sigma, 5.1 * sigma):
        one = frame(height=height)
        assert bool(compare(one, pixmap(), median, 2.0, SETTINGS)[1][RAY]) == (height > 5 * sigma)
        assert bool(compare(one, pixmap(), median, 2.0, SETTINGS | {"median_err": False})[1][RAY]) == (
            height > 5
        )


def test_the_noise_of_the_combined_image_is_that_of_its_place_and_unit(tmp_path):
    err = np.zeros(SHAPE, np.float32)
    err[RAY] = 10.0
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32), err)
    assert not compare(frame(), pixmap(), median, 2.0, SETTINGS)[1].any()
    assert hits(compare(frame(rate_factor=10.0), pixmap(), median, 2.0, SETTINGS)[1]) == [
        RAY
    ]  # 1 in the frame's unit
    err[RAY], err[RAY[0], RAY[1] + 1] = np.nan, 10.0
    median = median_file(tmp_path / "n.fits", np.zeros(SHAPE, np.float32), err)
    assert hits(compare(frame(), pixmap(), median, 2.0, SETTINGS)[1]) == [RAY]


def test_growth(tmp_path):
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32))
    mask = compare(frame(), pixmap(), median, 2.0, SETTINGS | {"grow": 3})[1]
    assert mask.sum() == 9 and mask[16:19, 22:25].all()
    mask = compare(frame(cte_dir=1), pixmap(), median, 2.0, SETTINGS | {"ctegrow": 4})[1]
    assert hits(mask) == [(y, 23) for y in range(13, 18)]


@pytest.mark.parametrize(("empty", "value"), [("linear", np.nan), ("zero", 0.0)])
def test_holes_of_the_combined_image(tmp_path, empty, value):
    sci = np.zeros(SHAPE, np.float32)
    sci[RAY] = np.nan
    median = median_file(tmp_path / "m.fits", sci)
    blotted, mask = compare(frame(), pixmap(), median, 2.0, SETTINGS | {"empty": empty})
    np.testing.assert_equal(blotted[RAY], np.float32(value))
    assert bool(mask[RAY]) is (empty == "zero")


def test_model_noise_is_that_of_photons_and_readout(tmp_path):
    """100 electrons of sky and 20^2 of readout: 22.4 electrons of noise; twice the sky: 24.5."""
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32))
    settings = SETTINGS | {"noise": "model"}
    keys = {"unit": "ELECTRONS/S", "exposure_time": 50.0, "readnoise": 20.0, "err": None}
    for height, once, twice in (
        (2.3, True, False),
        (2.6, True, True),
        (2.1, False, False),
    ):  # 5 sigma: 2.236 and 2.449 e-/s
        one = frame(height=height, **keys)
        assert bool(compare(one, pixmap(), median, 2.0, settings)[1][RAY]) is once
        assert bool(compare(one, pixmap(), median, 2.0, settings | {"sky_counted": "twice"})[1][RAY]) is twice


def test_the_gain_of_counts(tmp_path):
    """400 electrons of sky and 20^2 of readout: 28.3 electrons of noise; with AstroDrizzle's gain of 4, 11.2."""
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32))
    settings = SETTINGS | {"noise": "model"}
    keys = {"unit": "COUNTS/S", "exposure_time": 50.0, "readnoise": 20.0, "err": None, "gain": 4.0}
    for height, once, twice in ((0.72, True, True), (0.69, False, True), (0.27, False, False)):
        one = frame(height=height, **keys)
        assert bool(compare(one, pixmap(), median, 2.0, settings)[1][RAY]) is once
        asked = settings | {"gain_counted": "twice"}
        assert bool(compare(one, pixmap(), median, 2.0, asked)[1][RAY]) is twice


def test_what_is_missing_is_named(tmp_path):
    median = median_file(tmp_path / "m.fits", np.zeros(SHAPE, np.float32))
    with pytest.raises(InputError, match="m: frame 1: no error plane"):
        compare(frame(err=None), pixmap(), median, 0.0, SETTINGS)
    with pytest.raises(InputError, match=r"m: frame 1: no read noise; crmask\.noise: model needs"):
        compare(frame(), pixmap(), median, 0.0, SETTINGS | {"noise": "model"})
    with pytest.raises(InputError, match="no error plane"):
        compare_aligned(frame(err=None), np.zeros(SHAPE, np.float32), SETTINGS)


def test_aligned():
    assert hits(compare_aligned(frame(), np.full(SHAPE, 2, np.float32), SETTINGS)) == [RAY]
