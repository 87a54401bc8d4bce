"""The median of a stack, section by section."""

import itertools
import os
import tempfile
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow import combine
from drizzleflow.combine import BLOCK, NETWORK_LIMIT, _exchange, median_image, nanmedian, sorting_network
from drizzleflow.single import SingleImage
from drizzleflow.weights import clipped_mean_weight
from drizzleflow.windowed import Windowed, union


@pytest.mark.parametrize("n", range(1, 13))
def test_the_network_sorts_all_vectors_of_zeros_and_ones(n):
    """By the 0-1 principle it then sorts everything."""
    vectors = np.array(list(itertools.product([0, 1], repeat=n)), np.float32).reshape(2**n, n).T.copy()
    expected = np.sort(vectors, axis=0)
    rows = _exchange(list(vectors), sorting_network(n), np.empty(2**n, np.float32))
    np.testing.assert_array_equal(np.array(rows), expected)


@pytest.mark.parametrize("n", range(1, 13))
def test_the_pruned_network_finds_the_wanted_ranks(n):
    vectors = np.array(list(itertools.product([0, 1], repeat=n)), np.float32).T
    expected = np.sort(vectors, axis=0)
    for wanted in {((n - 1) // 2, n // 2), (0,), (n - 1,)}:
        pairs = sorting_network(n, tuple(sorted(set(wanted))))
        assert len(pairs) <= len(sorting_network(n))
        rows = _exchange(list(vectors.copy()), pairs, np.empty(2**n, np.float32))
        for rank in wanted:
            np.testing.assert_array_equal(rows[rank], expected[rank])


def with_numpy(stack):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.nanmedian(stack, axis=0)


@pytest.mark.parametrize("n", [*range(1, 41), NETWORK_LIMIT, NETWORK_LIMIT + 1, 70])
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
def test_equal_to_numpys_nanmedian(n, missing):
    rng = np.random.default_rng(n)
    stack = rng.normal(0, 100, (n, 7, 11)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.1] = 3  # ties
    stack[rng.random(stack.shape) < missing] = np.nan
    if missing:
        stack[:, 0, 0] = np.nan
    expected = with_numpy(stack)
    found = nanmedian(stack.copy())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n", [3, 4])
def test_blocks_and_infinities(n):
    """More pixels than a block, blocks with and without missing values, infinite values, which are not missing."""
    rng = np.random.default_rng(0)
    stack = rng.normal(size=(n, 2, BLOCK + 100)).astype(np.float32)
    stack[0, 1, -50:] = np.nan
    stack[1, 1, -20:] = np.inf
    stack[2, 1, -10:] = np.inf
    np.testing.assert_array_equal(nanmedian(stack.copy()), with_numpy(stack))


def test_oracle_of_the_peer():
    stack = np.array([3, 2, np.nan], np.float32).reshape(3, 1, 1) * np.ones((3, 2, 2), np.float32)
    assert (nanmedian(stack) == 2.5).all()


# --- images on disk ---------------------------------------------------------------------------------------------------


def write_single(folder, index, sci, wht, x0, y0):
    path = os.path.join(folder, f"{index}_outlier_i2d.fits")
    ny, nx = sci.shape
    SingleImage(sci, wht, (x0, x0 + nx, y0, y0 + ny), "MJy/sr").write(path)
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
    return planes, [write_single(folder, i, *p) for i, p in enumerate(planes)]


def slow_median(planes, window, maskpt):
    x0, x1, y0, y1 = window
    stack = np.full((len(planes), y1 + 40, x1 + 40), np.nan, np.float32)
    for plane, (sci, wht, sx, sy) in zip(stack, planes, strict=True):
        mean = clipped_mean_weight(wht)
        good = wht >= maskpt * mean if np.isfinite(mean) else np.zeros(wht.shape, bool)
        good &= wht != 0
        plane[sy : sy + sci.shape[0], sx : sx + sci.shape[1]] = np.where(good, sci, np.nan)
    stack = stack[:, y0:y1, x0:x1]
    return with_numpy(stack), (~np.isnan(stack)).sum(axis=0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 0.7, 1.0]), st.data())
def test_sections_and_windows_make_no_difference(seed, n, maskpt, data):
    with tempfile.TemporaryDirectory() as folder:
        planes, singles = random_singles(folder, seed, n)
        window = x0, x1, y0, y1 = union(singles)
        expected, depth = slow_median(planes, window, maskpt)
        row = 4 * (x1 - x0) / 2**20
        for bufsize in (1e-9, row, 3 * row, 5.5 * row, 100.0):
            sci, nused = median_image(singles, window, maskpt=maskpt, combine_bufsize=bufsize)
            assert (sci.dtype, nused.dtype) == (np.float32, np.int16)
            np.testing.assert_array_equal(sci, expected)
            np.testing.assert_array_equal(nused, depth)
        cut_x, cut_y = data.draw(st.integers(x0, x1)), data.draw(st.integers(y0, y1))
        for left, right in ((x0, cut_x), (cut_x, x1)):
            for low, high in ((y0, cut_y), (cut_y, y1)):
                if left < right and low < high:
                    part, used = median_image(singles, (left, right, low, high), maskpt=maskpt, combine_bufsize=2 * row)
                    inside = np.s_[low - y0 : high - y0, left - x0 : right - x0]
                    np.testing.assert_array_equal(part, expected[inside])
                    np.testing.assert_array_equal(used, depth[inside])


def test_an_image_without_weight_is_masked_wholly(tmp_path):
    """The peers' threshold is then NaN, and they take its zeros for data."""
    one = np.ones((4, 5), np.float32)
    images = [(one, one, 0, 0), (3 * one, one, 0, 0), (0 * one, 0 * one, 0, 0)]
    singles = [write_single(tmp_path, i, *image) for i, image in enumerate(images)]
    for maskpt in (0.0, 0.7):
        sci, nused = median_image(singles, (0, 5, 0, 4), maskpt=maskpt)
        assert (sci == 2).all() and (nused == 2).all()


def test_maskpt(tmp_path):
    """A pixel below 0.7 of the mean weight is left out; exactly at the threshold it stays (strictly less)."""
    wht = np.full((10, 10), 1, np.float32)
    wht[2, 3], wht[4, 5] = 0.69, 0.7
    single = write_single(tmp_path, 0, np.ones((10, 10), np.float32), wht, 0, 0)
    threshold = 0.7 * single.mean_weight
    sci, _ = median_image([single], (0, 10, 0, 10))
    assert np.argwhere(np.isnan(sci)).tolist() == [[2, 3]] if threshold <= np.float32(0.7) else [[2, 3], [4, 5]]
    sci, _ = median_image([single], (0, 10, 0, 10), maskpt=0)
    assert np.isfinite(sci).all()


def test_rows_that_no_image_meets(tmp_path):
    one = np.ones((2, 3), np.float32)
    singles = [write_single(tmp_path, i, one * i, one, 2 * i, 8 * i) for i in range(2)]
    sci, nused = median_image(singles, (-1, 6, -1, 12), combine_bufsize=1e-9)
    expected = np.full((13, 7), np.nan)
    expected[1:3, 1:4], expected[9:11, 3:6] = 0, 1
    np.testing.assert_array_equal(sci, expected)
    np.testing.assert_array_equal(nused, np.isfinite(expected))


def test_only_sections_are_in_memory(tmp_path, monkeypatch):
    """With 12 images of 200 rows and a buffer of 14 rows, of which a quarter is for sorting, reads are of 10 and no file stays open."""
    one = np.ones((200, 64), np.float32)
    singles = [write_single(tmp_path, i, one, one, 0, 0) for i in range(12)]
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    longest, stacks = 0, []
    read, median = Windowed.read, combine.nanmedian

    def watch(self, plane, y0, y1):
        nonlocal longest
        longest = max(longest, y1 - y0)
        if before is not None:
            assert len(os.listdir("/proc/self/fd")) <= before + 1
        return read(self, plane, y0, y1)

    def look(stack, *args, **kwargs):
        stacks.append(stack.shape)
        return median(stack, *args, **kwargs)

    monkeypatch.setattr(Windowed, "read", watch)
    monkeypatch.setattr(combine, "nanmedian", look)
    sci, _ = median_image(singles, (0, 64, 0, 200), combine_bufsize=14 * 64 * 4 / 2**20)
    assert longest == 10 and {s[:2] for s in stacks} == {(12, 10)} and (sci == 1).all()


def test_a_large_buffer_takes_no_more_than_the_images(tmp_path):
    """`combine_bufsize` is a limit: what the images do not need is not asked of the system."""
    import tracemalloc

    one = np.ones((20, 64), np.float32)
    singles = [write_single(tmp_path, i, one, one, 0, 0) for i in range(4)]
    tracemalloc.start()
    median_image(singles, (0, 64, 0, 20), combine_bufsize=50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 2**20
