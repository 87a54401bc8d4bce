"""Neighbourhoods of pixels against their definitions written out pixel by pixel."""

import numpy as np
import pytest
import slow_combine as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from drizzleflow.arrays.morphology import abs_deriv, dilate, grown


def slow_derivative(image):
    out = np.full(image.shape, np.nan, image.dtype)
    ny, nx = image.shape
    for y in range(ny):
        for x in range(nx):
            if np.isnan(image[y, x]):
                continue
            out[y, x] = 0
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < ny and 0 <= u < nx:
                    step = abs(image[v, u] - image[y, x])
                    if np.isfinite(step):
                        out[y, x] = max(out[y, x], step)
    return out


def images(max_side=7):
    value = st.sampled_from([0.0, 1.0, -2.5, 7.25, 100.0, np.nan, np.inf])
    side = st.integers(1, max_side)
    return st.tuples(side, side).flatmap(
        lambda s: st.lists(value, min_size=s[0] * s[1], max_size=s[0] * s[1]).map(
            lambda v: np.array(v, np.float32).reshape(s)
        )
    )


@settings(deadline=None)
@given(images())
def test_derivative_by_its_definition(image):
    with np.errstate(invalid="ignore"):
        expected = slow_derivative(image)
    slope = abs_deriv(image)
    assert slope.dtype == image.dtype
    np.testing.assert_array_equal(slope, expected)


@pytest.mark.parametrize(("shape", "value"), [((5, 7), 100), ((17, 13), -200)])
def test_derivative_of_a_single_value_is_a_cross(shape, value):
    image = np.zeros(shape, np.float32)
    y, x = shape[0] // 2, shape[1] // 2
    image[y, x] = value
    expected = np.zeros(shape, np.float32)
    expected[[y, y, y, y - 1, y + 1], [x, x - 1, x + 1, x, x]] = abs(value)
    np.testing.assert_array_equal(abs_deriv(image), expected)


@pytest.mark.parametrize(("ny", "nx"), [(5, 7), (17, 13)])
def test_derivative_of_a_ramp(ny, nx):
    """Every pixel of a row-major ramp has a neighbour one row away, at the borders too."""
    image = np.arange(ny * nx, dtype=np.float32).reshape(ny, nx)
    assert (abs_deriv(image) == nx).all()
    image[2, 3] = np.nan
    assert np.argwhere(np.isnan(abs_deriv(image))).tolist() == [[2, 3]]


def test_zero_padded_derivative():
    """Inside the difference from the neighbours; about the pixel's own value at the edges (measured on the
    peer's).
    """
    image = np.random.default_rng(3).normal(50, 10, (8, 9)).astype(np.float32)
    out = abs_deriv(image, "zero")
    assert out.dtype == np.float32
    padded = np.zeros((10, 11), np.float32)
    padded[1:8, 1:9] = image[:-1, :-1]  # the last row and column are nobody's neighbours
    for y in range(8):
        for x in range(9):
            if y == 7 or x == 8:
                near = [0.0]  # and have none
            else:
                near = [padded[y, x + 1], padded[y + 2, x + 1], padded[y + 1, x], padded[y + 1, x + 2]]
            assert out[y, x] == max(abs(image[y, x] - np.float32(v)) for v in near)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_zero_edges_leave_nan_out(seed, ny, nx):
    """A pixel that is NaN stays NaN, and is none of its neighbours' differences."""
    image = np.random.default_rng(seed).normal(50, 10, (ny, nx)).astype(np.float32)
    hole = image.copy()
    hole[seed % ny, seed % nx] = np.nan
    whole, slope = abs_deriv(image, "zero"), abs_deriv(hole, "zero")
    np.testing.assert_array_equal(np.isnan(slope), np.isnan(hole))
    assert (slope[~np.isnan(slope)] <= whole[~np.isnan(slope)]).all()


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_dilation(seed, ny, nx):
    mask = np.random.default_rng(seed).random((ny, nx)) < 0.1
    before = mask.copy()
    np.testing.assert_array_equal(dilate(mask), binary_dilation(mask, np.ones((3, 3))))
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("grow", range(5))
def test_dilate(grow):
    flags = np.random.default_rng(grow).random((5, 9)) < 0.06
    before = flags.copy()
    np.testing.assert_array_equal(dilate(flags, grow), slow.within(flags, grow))
    np.testing.assert_array_equal(flags, before)
    assert dilate(np.zeros((1, 1), bool), grow).shape == (1, 1)


@pytest.mark.parametrize(
    "grow, rows, columns",
    [(1, [4], [5]), (2, [4, 5], [5, 6]), (3, [3, 4, 5], [4, 5, 6]), (4, [3, 4, 5, 6], [4, 5, 6, 7])],
)
def test_the_box(grow, rows, columns):
    """`grow` is a width; an even one is not centred."""
    mask = np.zeros((9, 11), bool)
    mask[4, 5] = True
    assert np.argwhere(grown(mask, grow)).tolist() == [[r, c] for r in rows for c in columns]


def test_trails():
    mask = np.zeros((12, 7), bool)
    mask[6, 3] = True
    assert np.argwhere(grown(mask, 1, 3, 1)).tolist() == [[3, 3], [4, 3], [5, 3], [6, 3]]
    assert np.argwhere(grown(mask, 1, 3, -1)).tolist() == [[6, 3], [7, 3], [8, 3], [9, 3]]
    assert np.argwhere(grown(mask, 1, 3, 0)).tolist() == [[6, 3]]
    assert grown(mask, 3, 4, 1).sum() == 9 + 3  # the box does not widen the trail
    mask[6, 3], mask[10, 3] = False, True
    assert np.argwhere(grown(mask, 1, 3, -1)).tolist() == [[10, 3], [11, 3]]
    mirrored = grown(mask, 1, 3, 1, mirror=True)
    assert mirrored[:, 3].tolist() == [False] * 7 + [True] * 5
