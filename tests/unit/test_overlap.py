"""Overlaps: polygons on the sphere, and their pixels."""

import numpy as np
import pytest
from gwcs import region
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.geometry import overlap
from drizzleflow.geometry.overlap import border, overlap_vertices, rasterise
from drizzleflow.geometry.overlapping import near, overlapping, shared_areas


def square(ra, dec, side=0.1, turn=0.0):
    """Corners of a square on the tangent plane at (ra, dec), in degrees."""
    t = np.radians(turn)
    corner = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) * side / 2
    x, y = np.radians(np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) @ corner)
    a, d = np.radians([ra, dec])
    v = np.stack([np.cos(d) - y * np.sin(d), -x, np.sin(d) + y * np.cos(d)])
    lon, lat = np.arctan2(v[1], v[0]) + a, np.arctan2(v[2], np.hypot(v[0], v[1]))
    return np.degrees(lon) % 360, np.degrees(lat)


def area(lon, lat):
    """Square degrees of a small polygon, on its own tangent plane."""
    v = overlap._vectors((lon, lat))
    return abs(overlap._signed_area(v)) * np.degrees(1) ** 2


PLACES = [(0.0, 0.0), (359.99, 30.0), (120.0, -89.99), (0.0, 90.0), (77.0, 89.95), (250.0, -45.0)]


@pytest.mark.parametrize("engine", ["clip", "spherical_geometry"])
@pytest.mark.parametrize("place", PLACES)
def test_two_squares_one_turned_by_45_degrees_share_an_octagon(place, engine):
    (polygon,) = overlap_vertices(square(*place), square(*place, turn=45), engine)
    assert len(polygon[0]) == 9  # closed
    assert area(*polygon) == pytest.approx(0.01 * 2 * (np.sqrt(2) - 1), rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PLACES), st.floats(0, 360), st.floats(0.0, 0.2), st.floats(0, 90))
def test_clipping_agrees_with_spherical_geometry(place, direction, distance, turn):
    a = square(*place, turn=10)
    lon, lat = square(place[0], place[1], 2 * distance, direction)
    b = square(lon[0], lat[0], turn=turn)
    ours, theirs = (sum(area(*p) for p in overlap_vertices(a, b, e)) for e in ("clip", "spherical_geometry"))
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert sum(area(*p) for p in overlap_vertices(b, a)) == pytest.approx(ours, abs=1e-12)


def test_no_overlap_a_touch_and_nan():
    here, beside = square(10, 0), square(10.1, 0)
    assert overlap_vertices(here, square(12, 0)) == []
    assert sum(area(*p) for p in overlap_vertices(here, beside)) < 1e-9
    assert overlap_vertices(here, np.array(here) * np.nan) == []


def test_identical_and_nested():
    here = square(10, 40)
    assert area(*overlap_vertices(here, here)[0]) == pytest.approx(0.01, rel=1e-5)
    assert area(*overlap_vertices(here, square(10, 40, 0.02))[0]) == pytest.approx(0.0004, rel=1e-5)
    reverse = tuple(v[::-1] for v in here)
    assert area(*overlap_vertices(reverse, here)[0]) == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize("order", [1, -1])
def test_two_concave_outlines(order):
    """V shapes (a notch in the top side), the second half a width to the east."""
    lon, lat = np.array([0, 2, 2, 1, 0])[::order] / 10, np.array([0, 0, 2, 1, 2])[::order] / 10
    found = overlap_vertices((lon + 359.9, lat), (lon + 359.95, lat))
    x = np.linspace(0.05, 0.2, 30001)

    def top(x):
        return 0.1 + np.abs(x - 0.1)

    expected = np.trapezoid(np.minimum(top(x), top(x - 0.05)), x)
    assert sum(area(*p) for p in found) == pytest.approx(expected, rel=1e-4)
    assert overlap_vertices((lon + 359.9, lat), (lon + 359.9, lat + 0.5)) == []


def test_malformed_polygons_fall_back(monkeypatch, caplog):
    from spherical_geometry.polygon import MalformedPolygonError, SphericalPolygon

    def fail(self, other):
        raise MalformedPolygonError("no")

    monkeypatch.setattr(SphericalPolygon, "intersection", fail)
    here = square(10, 40)
    half = square(10 + 0.05 / np.cos(np.radians(40)), 40)
    assert area(*overlap_vertices(here, half, "spherical_geometry")[0]) == pytest.approx(0.005, rel=1e-3)
    assert "convex hulls" in caplog.text
    (same,) = overlap_vertices(here, tuple(v + 1e-9 for v in here), "spherical_geometry")
    np.testing.assert_allclose(same[1][:4], here[1], atol=1e-12)
    assert overlap_vertices(here, square(50, 40), "spherical_geometry") == []


@pytest.mark.parametrize("place", PLACES)
def test_overlapping_finds_exactly_the_pairs(place):
    rng = np.random.default_rng(4)
    spread = rng.normal(0, 0.2, (60, 2))
    outlines = []
    for x, y in spread:
        lon, lat = square(place[0], place[1], 2 * np.hypot(x, y), np.degrees(np.arctan2(y, x)))
        outlines.append(np.array(square(lon[0], lat[0], rng.choice([0.02, 0.1]), rng.uniform(0, 90))))
    outlines.append(outlines[0] * np.nan)
    brute = [
        (i, j) for i in range(61) for j in range(i + 1, 61) if overlap_vertices(outlines[i], outlines[j])
    ]
    assert len(brute) > 20
    assert overlapping(outlines).tolist() == [list(pair) for pair in brute]
    partners = {j for i, j in brute if i == 0}
    assert partners <= set(near(outlines[0], outlines).tolist())
    assert len(near(outlines[0], outlines)) < 40


@pytest.mark.parametrize("side", [4.0, 40.0])
def test_overlapping_all_over_the_sky(side):
    """Frames on both sides of the sphere, and at its rim as seen from their middle."""
    rng = np.random.default_rng(8)
    places = zip(rng.uniform(0, 360, 150), np.degrees(np.arcsin(rng.uniform(-1, 1, 150))), strict=True)
    outlines = [np.array(square(lon, lat, side * rng.uniform(0.3, 1))) for lon, lat in places]
    brute = [
        [i, j] for i in range(150) for j in range(i + 1, 150) if overlap_vertices(outlines[i], outlines[j])
    ]
    assert brute
    assert overlapping(outlines).tolist() == brute
    opposite = [np.array(square(lon, 0, 1)) for lon in (0, 180)]  # vectors whose mean is no direction
    assert overlapping(opposite).shape == (0, 2)


def dented(outline):
    """An outline with a vertex more, half way to the middle: it is not convex."""
    lon, lat = (np.asarray(v) for v in outline)
    middle = np.array([lon.mean(), lat.mean()])
    corner = np.array([lon[0] + lon[-1], lat[0] + lat[-1]]) / 2
    inner = (middle + corner) / 2
    return np.append(lon, inner[0]), np.append(lat, inner[1])


@pytest.mark.parametrize("place", [(10.0, 0.0), (200.0, 60.0)])
def test_areas_of_many_pairs_are_those_of_each(place):
    """Squares, rolled and of two sizes; some with more vertices, some with a dent."""
    rng = np.random.default_rng(6)
    outlines = []
    for k in range(40):
        lon, lat = place + rng.uniform(-0.1, 0.1, 2)
        one = square(lon, lat, rng.choice([0.05, 0.1]), rng.uniform(0, 90))
        more = np.array([np.linspace(v, np.roll(v, -1), 3, endpoint=False).T.ravel() for v in one])
        outlines.append([one, one, more, dented(one)][k % 4])
    pairs = np.array([(i, j) for i in range(40) for j in range(40)])
    wanted = [overlap.shared_area(outlines[i], outlines[j]) for i, j in pairs]
    found = shared_areas(outlines, pairs)
    assert (found == 0).sum() > 200 and (found > 0).sum() > 200
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-18)
    assert shared_areas(outlines, pairs[:0]).shape == (0,)


def test_overlapping_of_nothing():
    assert overlapping([]).shape == (0, 2)
    assert overlapping([square(1, 1)]).shape == (0, 2)


def test_border():
    x, y = border((3, 5))
    assert list(zip(x, y, strict=True)) == [(-0.5, -0.5), (4.5, -0.5), (4.5, 2.5), (-0.5, 2.5), (-0.5, -0.5)]
    x, y = border((20, 40), 10)
    assert (x[0], y[0]) == (x[-1], y[-1]) == (-0.5, -0.5)
    assert (
        np.hypot(np.diff(x), np.diff(y)).max() <= 14
    )  # linspace of ceil((n + 1) / step) vertices, as stcal has it
    assert len(x) == 2 * (5 + 3) - 3


def loops(kind, k, ny, nx, rng):
    if kind == "whole":  # vertices and edges on pixel centres
        x, y = rng.integers(-3, nx + 3, k).astype(float), rng.integers(-3, ny + 3, k).astype(float)
    elif kind == "half":
        x, y = rng.integers(-6, 2 * nx + 6, k) / 2, rng.integers(-6, 2 * ny + 6, k) / 2
    elif kind == "outside":
        x, y = rng.uniform(-30, nx + 30, k), rng.uniform(-30, ny + 30, k)
    else:
        angle = np.sort(rng.uniform(0, 2 * np.pi, k))
        x, y = nx / 2 + 0.6 * nx * np.cos(angle), ny / 2 + 0.6 * ny * np.sin(angle)
    return np.append(x, x[0]), np.append(y, y[0])


@pytest.mark.parametrize("kind", ["whole", "half", "outside", "star"])
def test_rasterise(kind):
    rng = np.random.default_rng(7)
    for _ in range(100):
        ny, nx = (int(v) for v in rng.integers(5, 50, 2))
        x, y = loops(kind, int(rng.integers(3, 9)), ny, nx, rng)
        scan = region.Polygon(True, list(zip(x, y, strict=True))).scan(np.zeros((ny, nx), bool))
        np.testing.assert_array_equal(rasterise([(x, y)], (ny, nx), "scan"), scan)

        column, row = np.meshgrid(np.arange(nx), np.arange(ny))
        inside = np.zeros((ny, nx), bool)
        for x0, y0, x1, y1 in zip(x[:-1], y[:-1], x[1:], y[1:], strict=True):
            if y0 != y1:
                crosses = (y0 <= row) != (y1 <= row)
                inside ^= crosses & (column >= x0 + (row - y0) * ((x1 - x0) / (y1 - y0)))
        np.testing.assert_array_equal(rasterise([(x[:-1], y[:-1])], (ny, nx)), inside)


def test_rasterise_joins_polygons_and_skips_what_it_cannot_draw():
    left, right = (
        ([-0.5, 1.5, 1.5, -0.5], [-0.5, -0.5, 1.5, 1.5]),
        ([1.5, 3.5, 3.5, 1.5], [-0.5, -0.5, 1.5, 1.5]),
    )
    bad = ([0, np.nan, 3], [0, 1, 2])
    assert rasterise([left, right, bad], (2, 4)).all()
    triangle = ([0, 3, 0], [0, 0, 3])  # open, three points
    assert not rasterise([triangle], (4, 4), "scan").any()
    assert rasterise([triangle], (4, 4)).sum() == 6
    with pytest.raises(ValueError, match="centers"):
        rasterise([left], (2, 4), "pixels")
