"""combine_stack and median_image: every type against its slow definition, on disk and in memory, in any
sections.
"""

import itertools
import os
import tempfile
from dataclasses import dataclass

import numpy as np
import pytest
import slow_combine as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.arrays import ranks
from drizzleflow.combine import combine_stack
from drizzleflow.combine.parameters import TYPES, Parameters
from drizzleflow.combine.stack import Combined, median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed, union
from drizzleflow.resample.single import SingleImage
from drizzleflow.resample.weights import mean_weights

MEDIAN = Parameters(combine_type="median")
BASE = np.array([[0, 1], [2, 3]], np.float32)
FOUR = np.array([BASE * 16, BASE * 4, BASE * 2, BASE * 8])  # the stack of stsci.image's own tests
PLANE_2 = np.zeros(FOUR.shape, bool)
PLANE_2[2] = True


# --- known numbers (study of drizzlepac, 5)
# -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("median", {}, [[0, 6], [12, 18]]),
        ("median", {"combine_nhigh": 1}, [[0, 4], [8, 12]]),
        ("median", {"combine_nlow": 1}, [[0, 8], [16, 24]]),
        ("median", {"masks": PLANE_2}, [[0, 8], [16, 24]]),
        ("median", {"combine_hthresh": 25}, [[0, 6], [8, 12]]),
        ("mean", {}, [[0, 7.5], [15, 22.5]]),
        ("average", {}, [[0, 7.5], [15, 22.5]]),
        ("mean", {"combine_nhigh": 1}, [[0, 14 / 3], [28 / 3, 14]]),
        ("mean", {"combine_nlow": 1}, [[0, 28 / 3], [56 / 3, 28]]),
        ("mean", {"masks": PLANE_2}, [[0, 28 / 3], [56 / 3, 28]]),
        ("mean", {"combine_hthresh": 25}, [[0, 7.5], [28 / 3, 14]]),
        ("median", {"combine_lthresh": 10}, [[0, 16], [24, 24]]),
        ("median", {"combine_lthresh": 16}, [[0, 16], [24, 36]]),  # 16 itself is good
        ("median", {"combine_hthresh": 24}, [[0, 6], [8, 9]]),  # 24 itself is bad
        ("sum", {}, [[0, 30], [60, 90]]),
        ("sum", {"masks": PLANE_2, "combine_hthresh": 25, "combine_nhigh": 1}, [[0, 30], [60, 90]]),
    ],
)
def test_numbers_of_the_peers_tests(kind, more, expected):
    np.testing.assert_array_equal(combine_stack(FOUR, combine_type=kind, **more), np.float32(expected))


def test_mean_of_the_peers_docstring():
    images = np.array([1.0, 0.95, 1.1], np.float32)[:, None, None]
    assert combine_stack(images, combine_type="mean") == np.float32(1.0166667)


def test_mean_relaxes_like_median_where_few_are_good():
    """drizzlepac gives 0 for one good value and nhigh 1."""
    images = np.arange(1, 6, dtype=np.float32)[:, None, None]
    masks = images > 1
    for kind in ("mean", "median", "imean", "imedian"):
        assert combine_stack(images, masks=masks, combine_type=kind, combine_nhigh=1) == 1


@pytest.mark.parametrize("kind", ["imedian", "imean", "iminmed"])
def test_i_types_fill_with_the_last_value_in_every_column(kind):
    images = np.array([5, 6, 7], np.float32)[:, None, None] * np.ones((3, 2, 3), np.float32)
    images[2, 1, 1] = np.nan
    masks = np.ones(images.shape, bool)
    masks[1, 0, 0] = False
    made = combine_stack(images, masks=masks, exptime=10, readnoise=1, combine_type=kind, full_output=True)
    np.testing.assert_array_equal(made.sci, [[6, 7, 7], [7, 6, 7]])
    np.testing.assert_array_equal(made.nused, [[1, 0, 0], [0, 0, 0]])
    assert any("5 pixels without a good value have the last image's value" in note for note in made.notes)
    assert (
        combine_stack(images, masks=masks, exptime=10, readnoise=1, combine_type=kind[1:])[0, 1:] == 0
    ).all()


@pytest.mark.parametrize("kind", TYPES)
def test_one_image_is_taken_as_it_is(kind):
    image = np.array([[[1.5, -2], [np.nan, 4]]], np.float32)
    found = combine_stack(image, exptime=5, readnoise=3, combine_type=kind, empty=-9)
    np.testing.assert_array_equal(found, [[1.5, -2], [-9, 4]])


# --- every type is its definition
# -------------------------------------------------------------------------------------


def drawn(seed, n=None, shape=(6, 7)):
    """(images, weights, masks, keywords): NaN, weights that are low, zero or NaN, images without weight."""
    rng = np.random.default_rng(seed)
    n = n or int(rng.integers(1, 8))
    images = (rng.normal(1, 0.2, (n, *shape)) + (rng.random((n, *shape)) < 0.1) * 8).astype(np.float32)
    if seed % 4 == 0:
        images = np.round(images)
    images[rng.random(images.shape) < 0.08] = np.nan
    weights = rng.uniform(60, 110, images.shape).astype(np.float32)
    weights[rng.random(images.shape) < 0.1] = 0
    weights[rng.random(images.shape) < 0.1] = 20
    weights[rng.random(images.shape) < 0.03] = np.nan
    if rng.random() < 0.2:
        weights[rng.integers(0, n)] = 0
    masks = rng.random(images.shape) < rng.choice([0, 0.1, 0.8])
    noise = {
        "exptime": rng.uniform(50, 150, n),
        "readnoise": rng.uniform(0, 9, n),
        "sky": rng.uniform(0, 90, n),
    }
    return images, weights, masks, noise


def bad_pixels(images, weights, masks, p):
    """What is left out: NaN, masks, low weights, thresholds."""
    bad = np.isnan(images) | masks
    if p.median_newmasks:
        for plane, weight in zip(bad, weights, strict=True):
            used = weight[weight >= 1e-8]
            if not used.size:
                plane[...] = True
            else:
                plane |= ~(weight >= np.float32(p.combine_maskpt * used.mean(dtype=float))) | (weight == 0)
    if p.clips and p.combine_lthresh is not None:
        bad |= images < p.combine_lthresh
    if p.clips and p.combine_hthresh is not None:
        bad |= images >= p.combine_hthresh
    return bad


def definition(images, weights, masks, noise, p):
    bad = bad_pixels(images, weights, masks, p)
    seconds = np.nan_to_num(weights)
    if p.statistic == "minmed":
        made = slow.minmed(images, bad, seconds, *noise.values(), p.combine_nsigma, p.combine_grow)
    elif p.statistic == "auto":
        relative = np.ones_like(weights)
        for plane, weight in zip(relative, seconds, strict=True):
            if (weight >= 1e-8).any():
                plane[...] = weight / np.float32(weight[weight >= 1e-8].mean(dtype=float))
        relative[~(relative > 0)] = 1
        t, r, s = noise.values()
        made = slow.auto(
            np.where(bad, np.nan, images),
            relative,
            (s + r**2) / t**2,
            1 / t,
            p.combine_nsigma,
            p.combine_grow,
            0.5,
        )[0]
    else:
        made = slow.statistic(p.statistic, images, bad, p.combine_nlow, p.combine_nhigh)
    return slow.filled(made, images) if p.fills else made


@settings(max_examples=120)
@given(st.integers(0, 10**6), st.sampled_from(TYPES), st.data())
def test_every_type_is_its_definition(seed, kind, data):
    images, weights, masks, noise = drawn(seed)
    n = len(images)
    low = data.draw(st.integers(0, n - 1))
    given_ = {
        "combine_type": kind,
        "combine_nlow": low,
        "combine_nhigh": data.draw(st.integers(0, n - 1 - low)),
        "combine_lthresh": data.draw(st.sampled_from([None, 0.8])),
        "combine_hthresh": data.draw(st.sampled_from([None, 6.0])),
        "combine_grow": data.draw(st.integers(0, 3)),
        "combine_maskpt": data.draw(st.sampled_from([0.0, 0.3, 0.7, 1.0])),
        "combine_nsigma": data.draw(st.sampled_from(["4 3", "2,0.5", 1])),
        "median_newmasks": data.draw(st.booleans()),
        "combine_bufsize": data.draw(st.sampled_from([1e-9, 0.001, 1])),
        "hole_nsigma": 0,  # test_holes
    }
    p = Parameters(**given_)
    made = combine_stack(images, weights, masks=masks, **noise, empty=np.nan, full_output=True, **given_)
    np.testing.assert_array_equal(made.sci, definition(images, weights, masks, noise, p))
    assert (made.sci.dtype, made.nused.dtype) == (np.float32, np.int16)
    missing = np.isnan(images) if kind == "sum" else bad_pixels(images, weights, masks, p)
    np.testing.assert_array_equal(made.nused, (~missing).sum(axis=0))
    assert (made.err is None) == (kind != "auto")


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([kind for kind in TYPES if kind[0] != "i"]))
def test_the_order_of_the_images_makes_no_difference(seed, kind):
    images, weights, masks, noise = drawn(4 * seed + 1)
    order = np.random.default_rng(seed).permutation(len(images))
    one = combine_stack(images, weights, masks=masks, **noise, combine_type=kind)
    other = combine_stack(
        images[order],
        weights[order],
        masks=masks[order],
        **{k: v[order] for k, v in noise.items()},
        combine_type=kind,
    )
    exact = kind in ("median", "minmed", "auto")
    np.testing.assert_allclose(other, one, rtol=0 if exact else 1e-6)


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from([kind for kind in TYPES if kind not in ("sum", "iminmed", "imedian", "imean")]),
)
def test_values_under_a_mask_make_no_difference(seed, kind):
    images, weights, masks, noise = drawn(seed)
    other = images.copy()
    other[masks] = np.random.default_rng(seed).choice([np.nan, 1e30, -1e30, 0], masks.sum())
    a, b = (combine_stack(x, weights, masks=masks, **noise, combine_type=kind) for x in (images, other))
    np.testing.assert_array_equal(a, b)


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_minmed_is_never_above_the_median_and_knows_no_unit(seed):
    images, weights, masks, noise = drawn(seed, n=4)
    minmed = combine_stack(images, weights, masks=masks, **noise, empty=np.nan)
    median = combine_stack(images, weights, masks=masks, combine_type="median", combine_nhigh=1, empty=np.nan)
    assert not (minmed > median).any()
    noise = noise | {"exptime": noise["exptime"] * 4}
    scaled = combine_stack(images / 4, weights * 4, masks=masks, **noise, empty=np.nan)
    np.testing.assert_array_equal(scaled * 4, minmed)


def test_defaults_of_the_keywords():
    """Exposure times are the weights; full_output; float64 and lists are taken; nothing is overwritten."""
    images = np.random.default_rng(0).normal(1, 0.1, (3, 5, 6))
    images[:2, 2, 2] = 9
    noise = {"exptime": 100, "readnoise": [5, 5, 5]}
    before = images.copy()
    made = combine_stack(images.tolist(), **noise, full_output=True)
    assert isinstance(made, Combined) and made.sci[2, 2] == np.float32(images[2, 2, 2])
    for weights in (np.full(3, 100.0), np.full(images.shape, 100, np.int64)):
        np.testing.assert_array_equal(combine_stack(images, weights, **noise), made.sci)
    np.testing.assert_array_equal(images, before)
    assert (combine_stack(images, [100, 0, 100], combine_type="median", full_output=True).nused == 2).all()
    assert combine_stack(images * np.nan, **noise, empty=7).max() == 7


# --- images on disk
# ---------------------------------------------------------------------------------------------------


def write_single(folder, index, sci, wht, x0, y0, noise=None):
    path = os.path.join(folder, f"{index}_outlier_i2d.fits")
    ny, nx = sci.shape
    SingleImage(sci, wht, Window.placed((ny, nx), (x0, y0)), "MJy/sr", noise=noise).write(path)
    return Windowed.open(path)


def random_singles(folder, seed, n):
    """Windows of different size and place, with missing data, and weights that are zero, NaN or low."""
    rng = np.random.default_rng(seed)
    planes = []
    for _ in range(n):
        ny, nx = rng.integers(1, 15, 2)
        x0, y0 = rng.integers(0, 12, 2)
        sci = rng.normal(size=(ny, nx)).astype(np.float32)
        wht = rng.uniform(0.5, 1.5, (ny, nx)).astype(np.float32)
        sci[rng.random(sci.shape) < 0.1] = np.nan
        wht[rng.random(sci.shape) < 0.1] = 0
        wht[rng.random(sci.shape) < 0.05] = np.nan
        if rng.random() < 0.15:
            wht[:] = 0
        planes.append((sci, wht, int(x0), int(y0)))
    noise = Noise(10.0, 1.0, 3.0, 2.0) if seed % 2 else None
    return planes, [write_single(folder, i, *p, noise) for i, p in enumerate(planes)]


def slow_median(planes, window, maskpt):
    x0, x1, y0, y1 = window
    stack = np.full((len(planes), y1 + 40, x1 + 40), np.nan, np.float32)
    for plane, (sci, wht, sx, sy) in zip(stack, planes, strict=True):
        mean = mean_weights(wht)["clipped_mean"]
        good = wht >= maskpt * mean if np.isfinite(mean) else np.zeros(wht.shape, bool)
        good &= wht != 0
        plane[sy : sy + sci.shape[0], sx : sx + sci.shape[1]] = np.where(good, sci, np.nan)
    stack = stack[:, y0:y1, x0:x1]
    return slow.statistic("median", stack, np.isnan(stack)), (~np.isnan(stack)).sum(axis=0)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 0.7, 1.0]))
def test_windows_are_placed_on_the_grid(seed, n, maskpt):
    with tempfile.TemporaryDirectory() as folder:
        planes, singles = random_singles(folder, seed, n)
        window = union(singles)
        expected, depth = slow_median(planes, window, maskpt)
        made = median_image(singles, window, Parameters(combine_type="median", combine_maskpt=maskpt))
        np.testing.assert_array_equal(made.sci, expected)
        np.testing.assert_array_equal(made.nused, depth)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from(TYPES), st.integers(0, 4), st.data())
def test_sections_and_windows_make_no_difference(seed, n, kind, grow, data):
    """Whatever combine_bufsize; and a part of the grid is the same as cut from the whole."""
    with tempfile.TemporaryDirectory() as folder:
        _, singles = random_singles(folder, seed, n)
        window = x0, x1, y0, y1 = union(singles)
        row = 4 * (x1 - x0) / 2**20

        def run(window, bufsize):
            nsigma = data.draw(st.just("1.5 0.7"))
            return median_image(
                singles,
                window,
                Parameters(
                    combine_type=kind, combine_grow=grow, combine_bufsize=bufsize, combine_nsigma=nsigma
                ),
            )

        whole = run(window, 100.0)
        for bufsize in (1e-9, row, 5.5 * row):
            same(run(window, bufsize), whole, np.s_[:])
        cut_x, cut_y = data.draw(st.integers(x0, x1)), data.draw(st.integers(y0, y1))
        for (left, right), (low, high) in itertools.product(
            ((x0, cut_x), (cut_x, x1)), ((y0, cut_y), (cut_y, y1))
        ):
            if left < right and low < high:
                part = run((left, right, low, high), 2 * row)
                same(part, whole, np.s_[low - y0 : high - y0, left - x0 : right - x0])


@pytest.mark.parametrize("kind", ["minmed", "auto"])
@pytest.mark.parametrize("grow", range(4))
def test_what_is_near_a_ray_is_so_across_sections(kind, grow):
    """Rays whose neighbours are between both thresholds, in sections of 1 to 8 rows."""
    rng = np.random.default_rng(grow)
    images = rng.normal(1, 0.02, (3, 40, 50)).astype(np.float32)
    images[:2, ::7, ::8] = 5
    raised = np.float32(0.44 if kind == "minmed" else 0.38) * (rng.random((40, 50)) < 0.5)
    images[:2] = np.maximum(images[:2], 1 + raised)
    noise = {
        "exptime": 100,
        "readnoise": 3,
        "combine_type": kind,
        "combine_grow": grow,
        "combine_nsigma": "4.5 2.5",
    }
    whole = combine_stack(images, **noise)
    assert grow == 0 or np.count_nonzero(whole != combine_stack(images, **noise | {"combine_grow": 0})) > 20
    for bufsize in (1e-9, 0.008, 0.02):
        np.testing.assert_array_equal(combine_stack(images, **noise, combine_bufsize=bufsize), whole)


def same(part, whole, inside):
    for name in ("sci", "nused", "err"):
        if getattr(whole, name) is not None:
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[inside])


@pytest.mark.parametrize("kind", TYPES)
def test_disk_and_memory_give_the_same(kind, tmp_path):
    images, weights, _, _ = drawn(9, n=4, shape=(20, 30))
    noise = Noise(80.0, 4.0, 30.0, 1.0)
    singles = [
        write_single(tmp_path, i, *planes, 0, 0, noise)
        for i, planes in enumerate(zip(images, weights, strict=True))
    ]
    memory = [
        SingleImage(*planes, Window.placed((20, 30)), "", noise=noise)
        for planes in zip(images, weights, strict=True)
    ]
    disk = median_image(singles, (0, 30, 0, 20), Parameters(combine_type=kind))
    same(median_image(memory, (0, 30, 0, 20), Parameters(combine_type=kind)), disk, np.s_[:])
    assert np.isfinite(disk.sci).any()


def test_an_image_without_weight_is_masked_wholly(tmp_path):
    """drizzlepac's and jwst's threshold is then NaN or 0, and they take its zeros for data."""
    one = np.ones((4, 5), np.float32)
    images = [(one, one, 0, 0), (3 * one, one, 0, 0), (0 * one, 0 * one, 0, 0)]
    singles = [write_single(tmp_path, i, *image) for i, image in enumerate(images)]
    for maskpt in (0.0, 0.7):
        made = median_image(singles, (0, 5, 0, 4), Parameters(combine_type="median", combine_maskpt=maskpt))
        assert (made.sci == 2).all() and (made.nused == 2).all()
    made = median_image(singles, (0, 5, 0, 4), Parameters(combine_type="median", median_newmasks=False))
    assert (made.sci == 1).all() and (made.nused == 3).all()


def test_maskpt(tmp_path):
    """A pixel below 0.7 of the mean weight is left out; exactly at the threshold it stays (strictly less)."""
    wht = np.full((10, 10), 1, np.float32)
    wht[2, 3], wht[4, 5] = 0.69, 0.7
    single = write_single(tmp_path, 0, np.ones((10, 10), np.float32), wht, 0, 0)
    threshold = 0.7 * single.mean_weight
    sci = median_image([single], (0, 10, 0, 10), MEDIAN).sci
    assert (
        np.argwhere(np.isnan(sci)).tolist() == [[2, 3]] if threshold <= np.float32(0.7) else [[2, 3], [4, 5]]
    )
    sci = median_image([single], (0, 10, 0, 10), Parameters(combine_type="median", combine_maskpt=0)).sci
    assert np.isfinite(sci).all()


def test_rows_that_no_image_meets(tmp_path):
    one = np.ones((2, 3), np.float32)
    singles = [write_single(tmp_path, i, one * i, one, 2 * i, 8 * i) for i in range(2)]
    expected = np.full((13, 7), np.nan)
    expected[1:3, 1:4], expected[9:11, 3:6] = 0, 1
    for kind in TYPES:
        made = median_image(singles, (-1, 6, -1, 12), Parameters(combine_type=kind, combine_bufsize=1e-9))
        np.testing.assert_array_equal(made.sci, expected)
        np.testing.assert_array_equal(made.nused, np.isfinite(expected))


@dataclass
class Weighted(SingleImage):
    weight_type: str = "exptime"


def test_weights_that_are_no_seconds_are_scaled_for_minmed():
    """With ivm weights of mean 0.02 the same choice as with exposure times of 100 s."""
    rng = np.random.default_rng(3)
    noise = Noise(100.0, 5.0, 10.0, 1.0)
    planes = [rng.normal(1, 0.2, (30, 30)).astype(np.float32) for _ in range(3)]
    made = []
    for kind, weight in (("exptime", 100), ("ivm", 0.02)):
        wht = np.full((30, 30), weight, np.float32)
        singles = [
            Weighted(sci, wht, Window.placed((30, 30)), "", noise=noise, weight_type=kind) for sci in planes
        ]
        made.append(median_image(singles, (0, 30, 0, 30), Parameters(combine_nsigma="1 0.5")).sci)
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize(
    ("kind", "reads", "depth"), [("median", 10, 12), ("auto", 24, 12), ("minmed", 5, 12)]
)
def test_only_sections_are_in_memory(tmp_path, monkeypatch, kind, reads, depth):
    """12 images, a buffer of 14 rows of which a quarter is for sorting: reads of 10 rows; of 5 where weights
    are kept too; but no less than twice the rows that are needed around a section. No file stays open.
    """
    one = np.ones((200, 64), np.float32)
    singles = [write_single(tmp_path, i, one, one, 0, 0, Noise(1.0, 1.0, 0.0, 1.0)) for i in range(depth)]
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    longest, read = 0, Windowed.read

    def watch(self, plane, y0, y1):
        nonlocal longest
        longest = max(longest, y1 - y0)
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) <= before + 1
        return read(self, plane, y0, y1)

    monkeypatch.setattr(Windowed, "read", watch)
    made = median_image(
        singles, (0, 64, 0, 200), Parameters(combine_type=kind, combine_bufsize=14 * 64 * 4 / 2**20)
    )
    assert longest <= reads and (made.sci == 1).all()


def test_a_large_buffer_takes_no_more_than_the_images(tmp_path):
    """`combine_bufsize` is a limit: what the images do not need is not asked of the system."""
    import tracemalloc

    one = np.ones((20, 64), np.float32)
    singles = [write_single(tmp_path, i, one, one, 0, 0) for i in range(4)]
    tracemalloc.start()
    median_image(singles, (0, 64, 0, 20), Parameters(combine_type="median", combine_bufsize=50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 2**20


def test_images_beside_a_tile_are_not_sorted_with_it(tmp_path, monkeypatch):
    """A mosaic of 8 images side by side: each block has the images that reach it."""
    one = np.ones((8, 700), np.float32)
    singles = [write_single(tmp_path, i, one * i, one, 700 * i, 0) for i in range(8)]
    depths, ranked = [], ranks.ranked
    monkeypatch.setattr(
        ranks, "ranked", lambda block, *more: (depths.append(len(block)), ranked(block, *more))[1]
    )
    for kind in ("median", "minmed", "auto"):
        made = median_image(singles, union(singles), Parameters(combine_type=kind))
        np.testing.assert_array_equal(made.sci[0], np.repeat(np.arange(8), 700))
    assert max(depths) == 2


def test_exposure_time_zero_of_an_image_on_disk(tmp_path):
    one = np.ones((3, 3), np.float32)
    singles = [write_single(tmp_path, i, one, one, 0, 0, Noise(10.0 * i, 1.0, 0.0, 1.0)) for i in range(2)]
    with pytest.raises(InputError, match=r"exptime of image 0 is 0\.0"):
        median_image(singles, (0, 3, 0, 3), Parameters())
