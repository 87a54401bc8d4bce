"""Departures from jwst and drizzlepac that no other test shows; docs/differences.md lists them all."""

import time
from pathlib import Path

import numpy as np
import pytest

from drizzleflow.arrays.statistics import SkyStats
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.geometry import footprint
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.io import fits as fitsio
from drizzleflow.outliers.expected_noise import expected
from drizzleflow.plan import config
from drizzleflow.resample import Resample, single
from drizzleflow.sky.cells import SkyCells

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"kernel": "square", "pixfrac": 1.0, "fillval": "NAN", "weight_type": "ivm"}
GRID = Grid((12, 10), (150.0, 2.0), (4.5, 5.5), (-1e-5, 0.0, 0.0, 1e-5), 0.036)


def pixmap(shape=(12, 10), dx=0.0, dy=0.0):
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return np.stack([x + dx, y + dy], axis=-1)


def model(data=1.0, variances=(("rnoise", 1.0),), group="g", dx=0.0):
    planes = {f"var_{name}": np.full((12, 10), value, np.float32) for name, value in variances}
    return {
        "data": np.full((12, 10), data, np.float32),
        "dq": np.zeros((12, 10), np.uint32),
        "err": np.ones((12, 10), np.float32),
        "pixmap": pixmap(dx=dx),
        "filename": group,
        "group_id": group,
        "exposure_time": 10.0,
        "measurement_time": None,
        "duration": None,
        "start_time": None,
        "end_time": None,
        "level": None,
        "subtracted": False,
        "pixelarea_steradians": None,
        "var_rnoise": None,
        "var_poisson": None,
        "var_flat": None,
        **planes,
    }


def resampled(*models, **options):
    made = Resample(
        {"wcs": GRID, "pixel_scale_ratio": 1.0}, len(models), fillval="NAN", good_bits=0, **options
    )
    for one in models:
        made.add_model(one)
    made.finalize()
    return made.output_model


@pytest.mark.parametrize(("pad", "weight"), [(True, 1.0), (False, 0.6)])
def test_pixels_that_the_grid_s_edge_cuts(pad, weight):
    """The first column's centre lies 0.6 px left of the grid, 40 % of it inside."""
    frame = Frame(
        "m",
        1,
        "g",
        (12, 10),
        np.ones((12, 10), np.float32),
        dq=np.zeros((12, 10), np.uint32),
        exposure_time=1.0,
    )
    frame.var = {"rnoise": np.ones((12, 10), np.float32)}
    made = single.drizzle(
        [(frame, None)], GRID, lambda _: pixmap(dx=-0.6), SETTINGS, good_bits=0, flags={}, pad=pad
    )
    assert made.window[0] == 0
    np.testing.assert_allclose(made.wht[2:-2, 0], weight, rtol=1e-5)
    np.testing.assert_allclose(made.wht[2:-2, 1], 1.0, rtol=1e-5)


@pytest.mark.parametrize(("variance", "expected"), [("exact", 2.0), ("reference", 4.0)])
def test_variance_of_a_mean_of_two_pixels(variance, expected):
    """Half a pixel's shift: each output pixel is the mean of two input pixels of variance 4."""
    found = resampled(model(variances=[("rnoise", 4.0)], dx=0.5), variance=variance)
    np.testing.assert_allclose(found["var_rnoise"][3:-3, 3:-3], expected, rtol=1e-5)


def test_variance_with_unequal_weights_is_the_formula():
    first, second = (
        model(variances=[("rnoise", 1.0), ("poisson", 3.0)]),
        model(variances=[("rnoise", 4.0), ("poisson", 5.0)], group="h"),
    )
    found = resampled(first, second, variance="exact")
    w = np.array([1.0, 0.25])
    np.testing.assert_allclose(
        found["var_poisson"][3:-3, 3:-3], (w**2 @ [3.0, 5.0]) / w.sum() ** 2, rtol=1e-5
    )


@pytest.mark.parametrize("order", [1, -1])
def test_an_image_without_read_noise_variance(order):
    """Equal weights of 1 for it, whatever came before; jwst stops, or takes the image before's."""
    models = [model(1.0, [("rnoise", 0.25)]), model(6.0, [], "h")]
    found = resampled(*models[::order])
    np.testing.assert_allclose(found["data"][3:-3, 3:-3], (4 * 1 + 1 * 6) / 5, rtol=1e-6)


def test_from_var_makes_the_variances_that_it_needs():
    found = resampled(model(), enable_var=False, compute_err="from_var")
    np.testing.assert_allclose(found["err"][3:-3, 3:-3], 1.0, rtol=1e-6)


def test_a_nan_without_a_flag_blanks_only_itself():
    hurt = model(dx=0.5)
    hurt["data"][6, 5] = np.nan
    found = resampled(hurt, model(2.0, group="h"))
    assert np.isfinite(found["data"][2:-2, 2:-2]).all()


def test_a_wrong_s_region_does_not_cut_the_mosaic():
    """The outline is computed from the WCS; the preset believes the header."""
    wcs = SkyWCS(GRID.to_sky, GRID.to_pixel, GRID.shape)
    lon, lat = wcs.to_sky(np.array([2.0, 6.0, 6.0, 2.0]), np.array([2.0, 2.0, 8.0, 8.0]))  # the middle only
    region = "POLYGON ICRS " + " ".join(f"{v:.9f}" for pair in zip(lon, lat, strict=True) for v in pair)
    options = {
        "pixel_scale": None,
        "pixel_scale_ratio": 1.0,
        "rotation": None,
        "crpix": None,
        "crval": None,
        "output_shape": None,
        "output_wcs": None,
    }
    found = footprint.describe(wcs, region)
    assert build([found], options | {"method": "tangent_plane", "footprints": "wcs"}).shape == (12, 10)
    assert build([found], options | {"method": "tangent_plane", "footprints": "s_region"}).shape < (9, 9)


def test_the_default_statistic_is_quiet_on_blank_sky():
    rng = np.random.default_rng(3)
    skies = [rng.normal(20.0, 1.0, 4000) for _ in range(60)]
    scatter = {name: np.std([SkyStats(name)(sky)[0] for sky in skies]) for name in ("median", "mode")}
    assert scatter["mode"] > 5 * scatter["median"]


def test_the_default_measures_differences_in_cells():
    """`auto`: what a statistic of each frame alone makes of a galaxy is tested beside the cells in
    test_skycells.py.
    """
    defaults = config.load(ROOT / "config/config.yaml")
    assert defaults["skymatch"]["skystat"] == "auto"


def test_structure_that_both_images_see_does_not_pull_the_difference():
    """A bright galaxy in the overlap of two exposures of different depth: the median takes it for sky, in
    cells it cancels.
    """
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:300, :300]
    galaxy = 300 * np.exp(-np.hypot(x - 150, y - 150) / 60)
    errors = {"median": [], "cells": []}
    for _ in range(20):
        frames = [
            galaxy + level + rng.normal(0, np.sqrt((galaxy + level) / time + 4))
            for level, time in ((20.0, 1.0), (30.0, 4.0))
        ]
        frames = [frame.astype(np.float32) for frame in frames]
        errors["median"].append(SkyStats("median")(frames[1])[0] - SkyStats("median")(frames[0])[0] - 10)
        a, b = (SkyCells.measure([(frame.ravel(), x.ravel(), y.ravel())]) for frame in frames)
        errors["cells"].append(b.minus(a).value - 10)
    rms = {name: np.sqrt(np.mean(np.square(found))) for name, found in errors.items()}
    assert rms["cells"] < 0.5 * rms["median"]


def test_a_deep_stack_is_compared_with_its_largest_overlaps_only():
    """30 exposures in a row, each shifted by 3 % of its width: all chains hold together, few pairs are
    measured.
    """
    outlines = [
        (np.array([0.0, 1, 1, 0]) * 0.01 + 10 + 3e-4 * k, np.array([0.0, 0, 1, 1]) * 0.01) for k in range(30)
    ]
    names = [f"g{k}" for k in range(30)]
    all_pairs, few = neighbours(outlines, names), neighbours(outlines, names, 4)
    count = {k: sum(map(len, found.values())) // 2 for k, found in (("all", all_pairs), ("few", few))}
    assert count["all"] == 30 * 29 / 2
    assert count["few"] <= 4 * 30
    reached, waiting = set(), ["g0"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += few[name]
    assert reached == set(names)


def test_files_hold_no_time_of_their_making(tmp_path):
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    written = []
    for name in ("one.fits", "two.fits"):
        fitsio.write_hdus(
            tmp_path / name,
            [(fitsio.image_header(None, primary=True), None), (fitsio.image_header(image, "SCI"), image)],
        )
        written.append((tmp_path / name).read_bytes())
        time.sleep(1.1)  # FITS dates have seconds
    assert written[0] == written[1]
    assert time.strftime("%Y-%m-%d", time.gmtime()).encode() not in written[0]


def test_a_combination_that_does_not_exist_is_refused():
    defaults = config.load(ROOT / "config/config.yaml")
    for name in ("sinc", "spline3", "averge"):
        with pytest.raises(
            InputError, match=rf"median\.combine_type.*'{name}', expected one of auto, median, mean"
        ):
            config.resolve(defaults, {"median": {"combine_type": name}}, ROOT / "config/presets")
    resolved = config.resolve(defaults, {"median": {"combine_type": "average"}}, ROOT / "config/presets")
    assert resolved["median"]["combine_type"] == "mean"


def test_a_ray_s_own_photons_are_not_its_noise():
    """ERR of the pixels of a ray and of a star of the same brightness: the star keeps it."""
    y, x = np.mgrid[:60, :60]
    sky, gain = 50.0, 4.0
    star = (2000 * np.exp(-((y - 30) ** 2 + (x - 30) ** 2) / 2 / 9)).astype(np.float32)
    data = sky + star
    data[10, 45] += 2000
    err = np.sqrt(9 + data / gain).astype(np.float32)
    frame = Frame("m", 1, "g", data.shape, data=data.astype(np.float32), err=err)
    noise = expected(frame, star, sky)
    assert err[10, 45] > 4 * err[10, 44]
    assert noise[10, 45] == pytest.approx(err[10, 44], rel=0.3)
    np.testing.assert_allclose(noise[30, 25:35], err[30, 25:35], rtol=0.01)
