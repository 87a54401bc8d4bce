"""The part of a grid that frames cover: S_REGION, the windows of groups, and how far frames are rolled."""

import numpy as np
import pytest

from drizzleflow.geometry.build_grid import parse_s_region
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.region import covered, tilt, windows

GRID = Grid((80, 120), (359.999, 60.0), (59.5, 39.5), (-1e-5, 0.0, 0.0, 1e-5), 0.036)


def outline(x0, x1, y0, y1, n=4):
    t = np.arange(n) / n
    x = np.concatenate([x0 + (x1 - x0) * t, np.full(n, x1), x1 + (x0 - x1) * t, np.full(n, x0)])
    y = np.concatenate([np.full(n, y0), y0 + (y1 - y0) * t, np.full(n, y1), y1 + (y0 - y1) * t])
    return GRID.to_sky(x, y)


def corners(text):
    return [
        {tuple(np.round(p, 2) + 0.0) for p in np.transpose(GRID.to_pixel(*polygon))}
        for polygon in parse_s_region(text)
    ]


def test_frames_that_overlap_are_one_polygon():
    text, outside = covered([outline(10, 50, 10, 40), outline(30, 70, 20, 60)], GRID)
    assert outside == []
    assert corners(text) == [{(10, 10), (50, 10), (50, 20), (70, 20), (70, 60), (30, 60), (30, 40), (10, 40)}]


def test_frames_apart_are_polygons_in_an_order_that_is_not_theirs():
    frames = [outline(10, 20, 10, 20), outline(60, 70, 30, 50)]
    text = covered(frames, GRID)[0]
    assert sorted(map(len, corners(text))) == [4, 4] and text == covered(frames[::-1], GRID)[0]
    assert {(10, 10), (20, 10), (20, 20), (10, 20)} in corners(text)


def test_only_inside_the_grid():
    text, outside = covered([outline(-30, 20, 60, 100), outline(200, 260, 10, 20)], GRID)
    assert corners(text) == [{(-0.5, 60), (20, 60), (20, 79.5), (-0.5, 79.5)}] and outside == [1]
    elsewhere = np.array([180.0, 180.1, 180.1]), np.array([-60.0, -60.0, -59.9])
    assert covered([elsewhere], GRID) == ("", [0])


@pytest.mark.parametrize("hole", [False, True])
def test_a_hole_is_not_told(hole):
    ring = [
        outline(10, 20, 10, 60),
        outline(10, 60, 10, 20),
        outline(50, 60, 10, 60),
        outline(10, 60, 50, 60),
    ]
    text = covered(ring if hole else [outline(10, 60, 10, 60)], GRID)[0]
    assert corners(text) == [{(10, 10), (60, 10), (60, 60), (10, 60)}]


def test_windows_hold_the_frames_of_a_group_inside_the_grid():
    frames = [
        outline(10.2, 50.4, 10.2, 40),
        outline(60, 130, 20, 59.8),
        outline(30.2, 39.8, -20, 4.8),
        outline(200, 260, 10, 20),
    ]
    assert windows(frames, ["a", "a", "b", "c"], GRID) == {
        "a": (10, 120, 10, 61),
        "b": (30, 41, 0, 6),
        "c": (0, 0, 0, 0),
    }


def test_tilt_is_the_slope_of_the_most_rolled_frame():
    angle = np.radians(30)
    x, y = GRID.to_pixel(*outline(0, 40, 0, 20))
    rolled = GRID.to_sky(x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle))
    assert tilt([outline(0, 40, 0, 20)], GRID) == pytest.approx(0, abs=1e-6)
    assert tilt([outline(0, 40, 0, 20), rolled], GRID) == pytest.approx(np.tan(angle), rel=1e-5)
