"""Rectangles of the grid, and the images that hold one of them."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.combine.drizzle_singles import DrizzledSingle, MemoryPlane
from drizzleflow.combine.in_memory import _InMemory
from drizzleflow.combine.stack import median_image
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import NOWHERE, Window
from drizzleflow.frames.windowed import Windowed
from drizzleflow.geometry.grid import Grid
from drizzleflow.resample.single import SingleImage

edges = st.integers(-8, 12)
windows = st.builds(lambda x, y, nx, ny: Window(x, x + nx, y, y + ny), edges, edges, *[st.integers(0, 9)] * 2)


def pixels(window):
    return {(x, y) for x in range(window.x0, window.x1) for y in range(window.y0, window.y1)}


@given(windows, windows)
def test_windows_are_sets_of_pixels(a, b):
    assert pixels(a.intersection(b)) == pixels(a) & pixels(b)
    assert pixels(a.clipped((5, 7))) == pixels(a) & pixels(Window(0, 7, 0, 5))
    both = Window.enclosing([a, b])
    assert pixels(both) >= pixels(a) | pixels(b)
    for x0, x1, y0, y1 in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):  # and no smaller one does
        less = Window(both.x0 + x0, both.x1 - x1, both.y0 + y0, both.y1 - y1)
        assert both.empty or not pixels(less) >= pixels(a) | pixels(b)
    assert a.empty == (not pixels(a)) and all(a.holds(*pixel) for pixel in pixels(a))
    assert not a.holds(a.x1, a.y0) and Window.placed(a.shape, a.origin) == a


@given(windows, windows)
def test_a_window_in_an_array_of_another(outer, window):
    window = window.intersection(outer)
    if window.empty:
        return
    y, x = np.mgrid[outer.y0 : outer.y1, outer.x0 : outer.x1]
    place = window.inside(outer)
    assert set(zip(x[place].ravel(), y[place].ravel(), strict=True)) == pixels(window)
    assert x[place].shape == window.shape and window.grown(2).grown(-2) == window


def test_no_windows_at_all():
    assert (
        Window.enclosing([]) == Window.enclosing([NOWHERE, Window(5, 5, 1, 4)]) == NOWHERE and NOWHERE.empty
    )


def test_a_window_is_written_as_its_four_numbers(tmp_path):
    """Columns first: grid.json, records and the bands of a mosaic hold it so."""
    grid = Grid(
        (9, 9), (10.0, 0.0), (5.0, 5.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036, windows={"g": Window(1, 2, 3, 4)}
    )
    assert json.dumps(grid.windows) == '{"g": [1, 2, 3, 4]}'
    grid.save(tmp_path / "grid.json")
    assert Grid.load(tmp_path / "grid.json") == grid
    assert Grid.load(tmp_path / "grid.json").windows["g"].shape == (1, 1)


@dataclass
class Least(StackImage):
    """An image with what every image has to have."""

    window: Window
    mean_weight: float = 1.0

    def read(self, plane, y0, y1):
        return np.full((y1 - y0, self.shape[1]), 1 + (plane == "WHT"), np.float32)


def test_an_image_may_leave_the_optional_members_out():
    image = Least(Window(3, 6, 1, 3))
    assert (image.noise, image.weight_type, image.uniform_weight, image.bad(0, 1)) == (
        None,
        "exptime",
        None,
        None,
    )
    assert (image.shape, image.origin) == ((2, 3), (3, 1))
    made = median_image([image], (2, 7, 1, 3))
    np.testing.assert_array_equal(made.nused, [[0, 1, 1, 1, 0]] * 2)


@pytest.mark.parametrize("kind", [Windowed, SingleImage, DrizzledSingle, _InMemory])
def test_every_stack_image_says_so(kind):
    assert StackImage in kind.__mro__


def test_an_image_that_cannot_be_read_is_none():
    class Unread(StackImage):
        window, mean_weight = NOWHERE, 1.0

    with pytest.raises(TypeError, match="read"):
        Unread()


def test_the_window_of_a_single_that_a_user_names():
    plane = MemoryPlane("a", np.ones((4, 5), np.float32))
    single = DrizzledSingle(plane, None, Noise(1.0, 1.0, 0.0, 1.0), {"WINX0": 7, "WINY0": -2})
    assert single.window == (7, 12, -2, 2) and single.origin == (7, -2)
    assert DrizzledSingle(plane, None, single.noise).window == (0, 5, 0, 4)
