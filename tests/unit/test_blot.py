"""Looking an image up at a frame's pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.outliers.blot import blot


def positions(x, y):
    return np.stack(np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float)), axis=-1)


def whole(shape, dx=0.0, dy=0.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return positions(x + dx, y + dy)


def test_identity_and_an_integer_window():
    image = np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)
    found = blot(image, whole(image.shape))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(blot(image, whole((5, 6), 3, 4)), image[4:9, 3:9])


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_bilinear_by_its_definition(seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(9, 12)).astype(np.float32)
    x, y = rng.uniform(0, 10.99, (4, 5)), rng.uniform(0, 7.99, (4, 5))
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    s, t = x - i, y - j
    expected = (
        image[j, i] * (1 - s) * (1 - t)
        + image[j, i + 1] * s * (1 - t)
        + image[j + 1, i] * (1 - s) * t
        + image[j + 1, i + 1] * s * t
    )
    np.testing.assert_allclose(blot(image, positions(x, y)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fill", [np.nan, 0.0, -7.0])
def test_outside_and_nowhere(fill):
    """Positions outside the image, and positions that are not numbers, have the fill value; drizzle refuses
    the latter.
    """
    image = np.ones((6, 8), np.float32)
    pixmap = positions([[-0.5, 3.0, 9.5, np.nan, 3.0]], [[2.0, -3.0, 2.0, 2.0, np.inf]])
    before = pixmap.copy()
    np.testing.assert_array_equal(blot(image, pixmap, fillval=fill), np.full((1, 5), fill, np.float32))
    np.testing.assert_array_equal(pixmap, before)


def test_an_image_without_pixels_and_one_that_is_far_away():
    pixmap = whole((3, 4))
    assert np.isnan(blot(np.empty((0, 0), np.float32), pixmap)).all()
    assert np.isnan(blot(np.ones((5, 5), np.float32), pixmap + 1e5)).all()
    assert np.isnan(blot(np.ones((1, 1), np.float32), pixmap + 50)).all()


def test_a_hole_touches_only_its_neighbours():
    image = np.ones((12, 12), np.float32)
    image[6, 6] = np.nan
    holes = np.argwhere(np.isnan(blot(image, whole(image.shape, 0.5, 0.5))))
    assert holes.tolist() == [[5, 5], [5, 6], [6, 5], [6, 6]]
    holes = np.argwhere(np.isnan(blot(image, whole(image.shape))))
    assert [6, 6] in holes.tolist() and (np.abs(holes - 6) <= 1).all()


def test_a_section_gives_the_values_of_the_whole():
    """Blotting from a section 3 px larger than what the frame touches; drizzle rounds positions to float32."""
    rng = np.random.default_rng(2)
    image = rng.normal(size=(60, 70)).astype(np.float32)
    image[rng.random(image.shape) < 0.02] = np.nan
    y, x = np.mgrid[:20, :25]
    pixmap = positions(20 + 0.98 * x - 0.2 * y, 15 + 0.2 * x + 0.98 * y)
    pixmap = np.rint(pixmap * 2**32) / 2**32
    (x0, y0), (x1, y1) = (
        np.floor(pixmap.min(axis=(0, 1))).astype(int) - 3,
        np.ceil(pixmap.max(axis=(0, 1))).astype(int) + 4,
    )
    section = np.ascontiguousarray(image[y0:y1, x0:x1])
    part, full = blot(section, pixmap - [x0, y0]), blot(image, pixmap)
    assert 0 < np.isnan(full).sum() < 100
    np.testing.assert_allclose(part, full, rtol=0, atol=2e-5)


def star(x, y, sigma=3.0):
    return 100 * np.exp(-0.5 * ((x - 20.3) ** 2 + (y - 15.8) ** 2) / sigma**2)


@pytest.mark.parametrize(
    "interp, error",
    [("nearest", 12), ("linear", 3.0), ("poly3", 0.2), ("poly5", 0.02), ("lanczos3", 0.4), ("lanczos5", 0.8)],
)
def test_each_interpolation_of_a_star(interp, error):
    y, x = np.mgrid[:32, :40]
    at = whole((24, 30), 5.37, 4.21)
    found = blot(star(x, y).astype(np.float32), at, interp=interp)
    assert found.dtype == np.float32
    worst = np.abs(found - star(at[..., 0], at[..., 1])).max()
    assert error / 4 < worst < error


@pytest.mark.parametrize(
    "interp, says",
    [
        ("sinc", "poly5, or lanczos3 or lanczos5"),
        ("spline3", "poly5, or lanczos3 or lanczos5"),
        ("cubic", "nearest, linear, poly3"),
    ],
)
def test_refused_interpolations(interp, says):
    with pytest.raises(InputError, match=f"{interp}.*{says}"):
        blot(np.ones((5, 5), np.float32), whole((3, 3)), interp=interp)
    with pytest.raises(InputError, match="empty"):
        blot(np.ones((5, 5), np.float32), whole((3, 3)), empty="zero")


@pytest.mark.parametrize("interp, touched", [("linear", 2), ("poly3", 4), ("poly5", 6), ("lanczos3", 6)])
def test_what_a_hole_touches(interp, touched):
    """None: the interpolation's own width; 'linear': 2 x 2; a number: nothing, but the values about it are
    wrong.
    """
    y, x = np.mgrid[:40, :40]
    image = (5 + 0.1 * x + 0.2 * y).astype(np.float32)
    image[20, 18] = np.nan
    at = whole(image.shape, 0.4, 0.3)
    truth = 5 + 0.1 * at[..., 0] + 0.2 * at[..., 1]
    inner = np.s_[5:-6, 5:-6]
    assert np.isnan(blot(image, at, interp=interp)[inner]).sum() == touched**2
    filled = blot(image, at, interp=interp, empty="linear")[inner]
    assert np.isnan(filled).sum() == 4
    np.testing.assert_allclose(filled[np.isfinite(filled)], truth[inner][np.isfinite(filled)], rtol=1e-2)
    zero = blot(image, at, interp=interp, empty=0.0)[inner]
    assert np.isfinite(zero).all()
    wrong = np.abs(zero / truth[inner] - 1) > 0.01
    assert 4 <= wrong.sum() <= touched**2


def test_fillval_is_not_taken_for_a_hole():
    image = np.ones((20, 20), np.float32)
    image[10, 10] = np.nan
    found = blot(image, whole((24, 24), -2, -2), fillval=np.nan, interp="poly5", empty="linear")
    assert np.isnan(found[0]).all() and np.isfinite(found[5:10, 5:10]).all()


@pytest.mark.parametrize("interp", ["nearest", "linear", "poly3", "poly5"])
def test_nothing_is_read_beyond_the_image(interp):
    """drizzle 3.0.0 reads the next row (nearest) or unset memory (poly3) at the far edges."""
    stack = np.full((60, 24), 1e30, np.float32)
    image = stack[20:40]  # the memory around it is not the image's
    image[:] = 1
    y, x = np.meshgrid(np.arange(-2, 22.01, 0.125), np.arange(-2, 26.01, 0.125), indexing="ij")
    found = blot(image, positions(x, y), fillval=-5, interp=interp)
    inside = found != -5
    np.testing.assert_allclose(found[inside], 1, atol=1e-6)
    limits = (23.375, 19.375) if interp == "nearest" else (23.875, 19.875)
    assert (x[inside].min(), y[inside].min()) == (0, 0)
    assert (x[inside].max(), y[inside].max()) == limits
