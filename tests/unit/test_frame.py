"""A frame: in the product's unit and back, on a grid, and parts of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.frames.frame import Frame

GRID = SimpleNamespace(pixel_area=4e-13)


def frame(**more):
    rng = np.random.default_rng(2)
    planes = rng.uniform(1, 9, (4, 5, 6)).astype(np.float32)
    known = {
        "data": planes[0],
        "err": planes[1],
        "dq": np.ones((5, 6), np.uint32),
        "var": {"rnoise": planes[2], "sky": planes[3]},
        "pixelarea_steradians": 1e-13,
    }
    return Frame("m", 1, "g", (5, 6), **{**known, **more})


def test_on_a_grid_it_is_a_new_frame_and_twice_the_same():
    one = frame(per_pixel=True, rate_factor=0.5)
    made = one.on_grid(GRID)
    assert (one.factor, made.factor) == (0.5, 2.0)
    assert made.on_grid(GRID).factor == one.on_grid(GRID).factor == 2.0
    assert made.data is one.data and made.var["sky"] is one.var["sky"]  # shared, not copied


@pytest.mark.parametrize("more", [{}, {"per_pixel": True, "pixelarea_steradians": None}])
def test_surface_brightness_is_the_same_on_every_grid(more):
    assert frame(rate_factor=0.5, **more).on_grid(GRID).factor == 0.5


@given(st.floats(1e-6, 1e6))
def test_to_the_products_unit_and_back(factor):
    one, single = frame(rate_factor=factor), np.float32(factor)
    np.testing.assert_array_equal(one.to_product(one.data), one.data * single)
    np.testing.assert_array_equal(one.to_product(one.var["rnoise"], 2), one.var["rnoise"] * single**2)
    np.testing.assert_array_equal(one.from_product(one.data), one.data / single)
    assert one.to_product(3.25) == 3.25 * float(single)  # the level of the very pixels
    assert one.from_product(3.25) == 3.25 / factor
    held = one.data.copy()
    assert one.from_product(held, out=held) is held or factor == 1
    np.testing.assert_array_equal(held, one.data / single)
    assert one.to_product(one.data).dtype == one.from_product(one.data).dtype == np.float32


def test_nothing_is_computed_where_the_units_are_one():
    one = frame()
    assert one.to_product(one.data) is one.data and one.from_product(one.data) is one.data
    assert one.to_product(2.0) == one.from_product(2.0) == 2.0


def test_a_part_is_a_new_frame():
    one = frame()
    rows, patch = one.cut((1, 3)), one.cut((1, 3), (2, 6))
    for plane in (one.data, one.err, one.dq, *one.var.values()):
        assert plane.shape == (5, 6)
    np.testing.assert_array_equal(rows.var["sky"], one.var["sky"][1:3])
    np.testing.assert_array_equal(patch.err, one.err[1:3, 2:6])
    assert patch.data.base is not None and patch.shape == (5, 6)
    assert frame(err=None).cut((0, 2)).err is None


def test_only_some_planes():
    one = frame()
    less = one.only("data", "sky")
    assert less.data is one.data and less.err is None and less.dq is None and list(less.var) == ["sky"]
    assert one.err is not None and len(one.var) == 2
