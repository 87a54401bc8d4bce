"""Single-drizzled images: only the window that a group covers, with the bits of the whole grid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.variances import variances_from_err
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed
from drizzleflow.geometry.grid import Grid
from drizzleflow.resample import Resample
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.models import frame_model
from drizzleflow.resample.single import SingleImage, drizzle, unresampled
from drizzleflow.resample.weights import mean_weights

SETTINGS = {"kernel": "square", "pixfrac": 1.0, "fillval": "NAN", "weight_type": "ivm"}
SHAPE = (30, 36)


def grid_of(shape=(120, 130), ratio=1.0):
    return Grid(shape, (150.0, 2.0), (60.0, 60.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036, ratio)


def frame_of(seed=0, member="m", **more):
    rng = np.random.default_rng(seed)
    dq = (rng.random(SHAPE) < 0.03).astype(np.uint32)
    planes = {
        "data": rng.normal(5, 2, SHAPE).astype(np.float32),
        "dq": dq,
        "var": {"rnoise": rng.uniform(0.5, 2, SHAPE).astype(np.float32)},
    }
    times = {"exposure_time": 10.0, "measurement_time": 9.0, "unit": "MJy/sr"}
    return Frame(member, 1, "g1", SHAPE, **{**planes, **times, **more})


def place(dx, dy, angle=15.0, scale=1.0):
    """A function frame -> its pixel map on the full grid."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    s, c = scale * np.sin(np.radians(angle)), scale * np.cos(np.radians(angle))
    made = np.rint(np.stack([c * x - s * y + dx, s * x + c * y + dy], axis=-1) * 2**32) / 2**32
    return lambda frame: made.copy()


def on_the_whole_grid(frames, grid, pixmap, options, pad):
    """jwst's way: an image of the size of the mosaic."""
    ny, nx = grid.shape
    m = kernel_reach(options["kernel"], 1 / grid.pixel_scale_ratio) if pad else 0
    resample = Resample(
        {"wcs": grid.window(-m, nx + m, -m, ny + m), "pixel_scale_ratio": grid.pixel_scale_ratio},
        kernel=options["kernel"],
        pixfrac=options["pixfrac"],
        fillval=options["fillval"],
        weight_type=options["weight_type"],
        enable_var=False,
        enable_ctx=False,
    )
    for frame, level in frames:
        resample.add_model(frame_model(frame, pixmap(frame) + m, level))
    out = resample.output_model
    return out["data"][m : m + ny, m : m + nx], out["wht"][m : m + ny, m : m + nx]


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-25, 125),
    st.floats(-25, 115),
    st.floats(-180, 180),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from(["square", "turbo", "point"]),
    st.booleans(),
)
def test_a_window_has_the_bits_of_the_whole_grid(dx, dy, angle, scale, kernel, pad):
    """Anywhere on the grid, over its edges and beside it."""
    grid, options = grid_of(ratio=1 / scale), SETTINGS | {"kernel": kernel}
    frames, pixmap = [(frame_of(), 0.5)], place(dx, dy, angle, scale)
    sci, wht = on_the_whole_grid(frames, grid, pixmap, options, pad)
    made = drizzle(frames, grid, pixmap, options, good_bits=0, flags=None, pad=pad)
    x0, x1, y0, y1 = made.window
    assert (
        0 <= x0 < x1 <= 130 and 0 <= y0 < y1 <= 120 and made.sci.shape == made.wht.shape == (y1 - y0, x1 - x0)
    )
    inside = np.s_[y0:y1, x0:x1]
    np.testing.assert_array_equal(made.wht, wht[inside])
    np.testing.assert_array_equal(made.sci, sci[inside])
    outside = np.ones(grid.shape, bool)
    outside[inside] = False
    assert (wht[outside] == 0).all()
    assert (made.sci.dtype, made.wht.dtype) == (np.float32, np.float32) and made.sci.flags.c_contiguous


@pytest.mark.parametrize("kernel", ["lanczos3", "gaussian"])
@pytest.mark.filterwarnings("ignore")
def test_wide_kernels(kernel):
    grid, options, frames, pixmap = (
        grid_of(),
        SETTINGS | {"kernel": kernel},
        [(frame_of(), None)],
        place(40.3, 50.2),
    )
    sci, wht = on_the_whole_grid(frames, grid, pixmap, options, True)
    made = drizzle(frames, grid, pixmap, options, good_bits=0, flags=None)
    x0, x1, y0, y1 = made.window
    np.testing.assert_array_equal(made.wht, wht[y0:y1, x0:x1])
    np.testing.assert_array_equal(made.sci, sci[y0:y1, x0:x1])


def test_the_window_is_small():
    made = drizzle([(frame_of(), None)], grid_of(), place(40, 50, 0.0), SETTINGS, good_bits=0, flags=None)
    reach = kernel_reach("square")
    assert made.window == (40 - reach, 76 + reach, 50 - reach, 80 + reach)


def test_padding_keeps_the_light_at_the_outer_edge():
    """Pixels whose centre is just outside are drizzled in part; without padding, as by jwst, they are
    dropped.
    """
    frame, grid = frame_of(dq=None), grid_of()
    pixmap = place(-0.7, 20.0, 0.0)  # the first column's centres are outside, 0.3 of each pixel is inside
    kept = drizzle([(frame, None)], grid, pixmap, SETTINGS, good_bits=0, flags=None, pad=True)
    lost = drizzle([(frame, None)], grid, pixmap, SETTINGS, good_bits=0, flags=None, pad=False)
    assert kept.window == lost.window and kept.window[0] == 0
    np.testing.assert_array_equal(kept.wht[:, 2:], lost.wht[:, 2:])
    total = (0.3 / frame.var["rnoise"][:, 0]).sum() + (1 / frame.var["rnoise"][:, 1:]).sum()
    assert kept.wht.sum(dtype=float) == pytest.approx(total, rel=1e-5)
    assert lost.wht.sum(dtype=float) < 0.995 * total


def test_frames_of_a_group_together():
    """Two detectors of one exposure share an image; each has its own sky level."""
    frames = {"a": frame_of(1, "a"), "b": frame_of(2, "b")}
    maps = {"a": place(10, 20, 0.0), "b": place(60, 65, 0.0)}
    made = drizzle(
        [(frames["a"], 1.0), (frames["b"], 3.0)],
        grid_of(),
        lambda f: maps[f.member](f),
        SETTINGS,
        good_bits=0,
        flags=None,
    )
    reach = kernel_reach("square")
    assert made.window == (10 - reach, 96 + reach, 20 - reach, 95 + reach)
    for name, level, x, y in (("a", 1, 10, 20), ("b", 3, 60, 65)):
        part = np.s_[y - made.window[2] :, x - made.window[0] :]
        sci, wht = (v[part][: SHAPE[0], : SHAPE[1]] for v in (made.sci, made.wht))
        good = frames[name].dq == 0
        np.testing.assert_allclose(sci[good], (frames[name].data - level)[good], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(wht[good], 1 / frames[name].var["rnoise"][good], rtol=1e-5)


@pytest.mark.parametrize("pixmap", [place(900, 900), place(-90, 0), lambda f: np.full((*SHAPE, 2), np.nan)])
def test_a_group_beside_the_grid(tmp_path, pixmap):
    """One empty pixel, which the median passes over."""
    made = drizzle([(frame_of(), None)], grid_of(), pixmap, SETTINGS, good_bits=0, flags=None)
    assert (
        made.window == (0, 1, 0, 1)
        and np.isnan(made.sci).all()
        and (made.wht == 0).all()
        and np.isnan(made.mean_weight)
    )
    made.write(tmp_path / "a.fits")
    ones = np.ones((3, 3), np.float32)
    SingleImage(ones, ones, Window.placed((3, 3)), "MJy/sr").write(tmp_path / "b.fits")
    singles = [Windowed.open(tmp_path / n) for n in ("a.fits", "b.fits")]
    combined = median_image(singles, (0, 3, 0, 3), Parameters(combine_type="median"))
    assert (combined.sci == 1).all() and (combined.nused == 1).all()


def test_the_products_unit():
    """Electrons become electrons a second: data and level by the factor, weights by its square."""
    frame = frame_of(rate_factor=0.1, product_unit="electron/s", unit="electron")
    made = drizzle([(frame, 2.0)], grid_of(), place(40, 50, 0.0), SETTINGS, good_bits=0, flags=None)
    reach, good = kernel_reach("square"), frame.dq == 0
    sci, wht = (v[reach : reach + SHAPE[0], reach : reach + SHAPE[1]] for v in (made.sci, made.wht))
    assert made.unit == "electron/s"
    np.testing.assert_allclose(sci[good], 0.1 * (frame.data - 2)[good], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(wht[good], 100 / frame.var["rnoise"][good], rtol=1e-5)


def test_the_mean_weight():
    made = drizzle([(frame_of(), None)], grid_of(), place(40, 50), SETTINGS, good_bits=0, flags=None)
    assert made.mean_weight == mean_weights(made.wht)["clipped_mean"]


def test_the_same_bytes_again(tmp_path):
    for name in ("a.fits", "b.fits"):
        made = drizzle([(frame_of(), 0.1)], grid_of(), place(40.1, 50.2), SETTINGS, good_bits=0, flags=None)
        made.write(tmp_path / name)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


@pytest.mark.parametrize("weight_type", ["ivm", "exptime"])
def test_without_resampling(weight_type):
    """The frame itself, less the sky that is given, and its weights."""
    frame = frame_of(rate_factor=0.5, product_unit="e/s")
    before = frame.data.copy()
    settings = SETTINGS | {"weight_type": weight_type}
    lower = unresampled(frame, 3.0, settings, good_bits=0, flags=None)
    np.testing.assert_array_equal(lower.sci, (before - np.float32(3)) * np.float32(0.5))
    made = unresampled(frame, None, settings, good_bits=0, flags=None)
    assert made.window == (0, SHAPE[1], 0, SHAPE[0]) and made.unit == "e/s" and made.grid is None
    np.testing.assert_array_equal(made.sci, before * np.float32(0.5))
    np.testing.assert_array_equal(
        made.wht, np.where(frame.dq, 0, 9.0 if weight_type == "exptime" else 1 / frame.var["rnoise"])
    )
    np.testing.assert_array_equal(frame.data, before)


def test_without_resampling_a_file_with_err_alone():
    frame = frame_of(var={}, err=np.full(SHAPE, 2, np.float32))
    variances_from_err(frame)
    made = unresampled(frame, None, SETTINGS, good_bits=None, flags=None)
    assert (made.wht == 0.25).all()


PIXEL = float(np.radians(0.036 / 3600) ** 2)  #: steradians, of the grid's


def two_sizes(**more):
    """Frames of WFPC2's kind: one of the grid's pixel size, and beside it one of pixels twice as wide."""
    flat = {
        "dq": np.zeros(SHAPE, np.uint32),
        "per_pixel": True,
        "var": {"rnoise": np.ones(SHAPE, np.float32)},
    }
    fine = frame_of(data=np.ones(SHAPE, np.float32), pixelarea_steradians=PIXEL, **flat | more)
    coarse = frame_of(data=np.full(SHAPE, 4, np.float32), pixelarea_steradians=4 * PIXEL, **flat | more)
    maps = {id(fine): place(5, 5, 0.0), id(coarse): place(45, 50, 0.0, 2.0)}
    grid = replace(grid_of(), input_scale=2.0)
    frames = [frame.on_grid(grid) for frame in (fine, coarse)]
    placed = dict(zip(map(id, frames), (maps[id(fine)], maps[id(coarse)]), strict=True))
    return frames, grid, lambda frame: placed[id(frame)](frame)


@pytest.mark.parametrize("kernel", ["square", "turbo", "gaussian"])
@pytest.mark.filterwarnings("ignore")
def test_frames_of_two_pixel_sizes(kernel):
    """Each has drops of its own size: no holes, and the same surface brightness in both."""
    frames, grid, pixmap = two_sizes()
    made = drizzle(
        [(f, None) for f in frames], grid, pixmap, SETTINGS | {"kernel": kernel}, good_bits=0, flags={}
    )
    x0, _, y0, _ = made.window
    inner, outer = np.s_[10 - y0 : 30 - y0, 10 - x0 : 35 - x0], np.s_[55 - y0 : 100 - y0, 50 - x0 : 110 - x0]
    for part in (inner, outer):
        assert (made.wht[part] > 0).all()
        np.testing.assert_allclose(made.sci[part], 1, rtol=1e-4)
    if kernel != "gaussian":
        # the variance of a fourth of the flux is a sixteenth, and a wide pixel's weight lies on four
        np.testing.assert_allclose(made.wht[inner], 1, rtol=1e-3)
        np.testing.assert_allclose(made.wht[outer], 4, rtol=1e-3)


@pytest.mark.parametrize("weight_type", ["ivm", "exptime", "err"])
def test_too_little_for_one_size_is_all_that_the_other_has(weight_type):
    """maskpt goes by the size with the least weight; otherwise one of the two would be left out whole."""
    frames, grid, pixmap = two_sizes(err=np.ones(SHAPE, np.float32))
    options = SETTINGS | {"weight_type": weight_type}
    made = drizzle([(f, None) for f in frames], grid, pixmap, options, good_bits=0, flags={})
    x0, _, y0, _ = made.window
    least = min(
        np.median(made.wht[10 - y0 : 30 - y0, 10 - x0 : 35 - x0]),
        np.median(made.wht[55 - y0 : 100 - y0, 50 - x0 : 110 - x0]),
    )
    assert made.mean_weights["clipped_mean"] == pytest.approx(least, rel=1e-3)
    assert made.mean_weights["mean"] == mean_weights(made.wht)["mean"]
    # chips that differ by some per cent are of one size
    same = [
        replace(frame, pixelarea_steradians=area * PIXEL, area_factor=1 / area)
        for frame, area in zip(frames, (1, 1.1), strict=True)
    ]
    alike = drizzle(
        [(f, None) for f in same],
        grid,
        lambda f: place(5 + 40 * (f is same[1]), 5, 0.0)(f),
        options,
        good_bits=0,
        flags={},
    )
    assert alike.mean_weights == mean_weights(alike.wht)
