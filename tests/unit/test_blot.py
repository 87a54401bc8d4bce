"""Looking an image up at a frame's pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.blot import blot


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
        image[j, i] * (1 - s) * (1 - t) + image[j, i + 1] * s * (1 - t)
        + image[j + 1, i] * (1 - s) * t + image[j + 1, i + 1] * s * t
    )  # fmt: skip
    np.testing.assert_allclose(blot(image, positions(x, y)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fill", [np.nan, 0.0, -7.0])
def test_outside_and_nowhere(fill):
    """Positions outside the image, and positions that are not numbers, have the fill value; drizzle refuses the latter."""
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
    (x0, y0), (x1, y1) = np.floor(pixmap.min(axis=(0, 1))).astype(int) - 3, np.ceil(pixmap.max(axis=(0, 1))).astype(int) + 4
    section = np.ascontiguousarray(image[y0:y1, x0:x1])
    part, full = blot(section, pixmap - [x0, y0]), blot(image, pixmap)
    assert 0 < np.isnan(full).sum() < 100
    np.testing.assert_allclose(part, full, rtol=0, atol=2e-5)
