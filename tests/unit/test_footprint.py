"""What a frame covers."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.frames.frame import SkyWCS
from drizzleflow.frames.window import Window
from drizzleflow.geometry.footprint import box, describe, outline
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.gwcs_wcs import from_gwcs
from drizzleflow.geometry.sphere import separation
from drizzleflow.simulate.jwst import nircam_like


def tan(shape=(40, 60), crval=(30.0, -20.0), angle=25.0, parity=-1, step=(0.05, 0.05), info=None):
    """A frame whose +y axis is at position angle `angle` at its centre; steps in arcsec."""
    s, c = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    sx, sy = step[0] / 3600, step[1] / 3600
    centre = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    grid = Grid(shape, crval, centre, (parity * sx * c, sy * s, -parity * sx * s, sy * c), step[0])
    return SkyWCS(grid.to_sky, grid.to_pixel, shape, info=info)


@given(*[st.floats(0, 360), st.floats(-90, 90)] * 2)
def test_separation(lon1, lat1, lon2, lat2):
    a, b = (SkyCoord(lon * u.deg, lat * u.deg) for lon, lat in ((lon1, lat1), (lon2, lat2)))
    assert separation(lon1, lat1, lon2, lat2) == pytest.approx(a.separation(b).deg, abs=1e-9)


def test_separation_of_neighbours_is_exact():
    """A tenth of a milliarcsecond, to 1e-6 of it."""
    assert separation(150.0, 60.0, 150.0, 60.0 + 1e-4 / 3600) * 3600 == pytest.approx(1e-4, rel=1e-6, abs=0)
    assert separation(359.99999, 0.0, 0.00001, 0.0) == pytest.approx(2e-5, rel=1e-6, abs=0)


def test_box_is_open_and_counter_clockwise():
    x, y = box(-0.5, 9.5, -0.5, 4.5, 4)
    assert len(x) == 16 and len(set(zip(x, y, strict=True))) == 16
    assert {(-0.5, -0.5), (9.5, -0.5), (9.5, 4.5), (-0.5, 4.5)} <= set(zip(x, y, strict=True))
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2 == pytest.approx(50)


def test_outline_runs_along_the_outer_pixel_edges():
    wcs = tan()
    x, y = wcs.to_pixel(*outline(wcs))
    on_edge = np.isclose(x, -0.5) | np.isclose(x, 59.5) | np.isclose(y, -0.5) | np.isclose(y, 39.5)
    assert on_edge.all() and len(x) == 32


@pytest.mark.parametrize("angle", [0.0, 25.0, 170.0, -95.0])
@pytest.mark.parametrize("parity", [-1, 1])
@pytest.mark.parametrize(
    "crval", [(30.0, -20.0), (0.0, 0.0), (359.9999, 60.0), (12.0, 89.9999), (200.0, -90.0)]
)
def test_describe(angle, parity, crval):
    """Scale, area, angle and handedness of a known frame, over RA = 0 and close to the poles too."""
    found = describe(tan(angle=angle, parity=parity, crval=crval))
    assert found["scale"] == pytest.approx(0.05, rel=1e-6)
    assert found["pixel_area"] == pytest.approx(np.radians(0.05 / 3600) ** 2, rel=1e-6, abs=0)
    assert found["vparity"] == parity and (found["nx"], found["ny"]) == (60, 40)
    assert separation(found["ra_ref"], found["dec_ref"], *crval) < 1e-9
    if abs(crval[1]) < 90:
        assert (found["pa_y"] - angle + 180) % 360 - 180 == pytest.approx(0, abs=1e-3)


def test_scale_is_the_geometric_mean_of_the_axes():
    found = describe(tan(step=(0.04, 0.09)))
    assert found["scale"] == pytest.approx(0.06, rel=1e-6)
    assert found["pixel_area"] == pytest.approx(0.0036 * np.radians(1 / 3600) ** 2, rel=1e-6, abs=0)


def test_a_files_own_reference_point_and_angle_are_kept():
    info = {"ra_ref": 30.001, "dec_ref": -20.0, "pa_y": 77.0, "vparity": 1}
    found = describe(tan(info=info), "POLYGON ICRS 1 2 3 4 5 6")
    assert {k: found[k] for k in info} == info and found["s_region"].startswith("POLYGON")


def test_mean_pixel_area_of_a_distorted_frame():
    """Against the sum over all pixels of the area of each, from the cross product of its sides."""
    shape = (256, 320)
    wcs = from_gwcs(*_args(nircam_like(0, shape, 150.1, 2.2, 40.0), shape))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    lon, lat = (np.radians(v) for v in wcs.to_sky(x, y))
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    a, b = points[1:, 1:] - points[:-1, :-1], points[1:, :-1] - points[:-1, 1:]
    areas = np.linalg.norm(np.cross(a, b), axis=-1) / 2
    assert describe(wcs)["pixel_area"] == pytest.approx(areas.mean(), rel=1e-5, abs=0)


def _args(made, shape):
    wcs, info = made
    return wcs, shape, info


def test_a_wcs_that_cannot_be_used():
    nan = SkyWCS(lambda x, y: (x * np.nan, y), lambda a, b: (a, b), (4, 4))
    with pytest.raises(ValueError, match="not finite on the frame's edge"):
        describe(nan)
    flat = SkyWCS(lambda x, y: (10.0 + 0 * x, 20.0 + 0 * y), lambda a, b: (0.0 * a, 0.0 * b), (4, 4))
    with pytest.raises(ValueError, match="no usable pixel size"):
        describe(flat)


def test_window():
    x, y = np.array([[2.2, 7.9], [np.nan, 3.0]]), np.array([[-1.5, 4.0], [2.0, np.nan]])
    assert Window.around(x, y) == (2, 9, -2, 5)
    assert Window.around(x, y, 3) == (-1, 12, -5, 8)
    assert Window.around(x, y, 3).clipped((6, 7)) == (0, 7, 0, 6)
    assert Window.around(x + 100, y).clipped((6, 7)).empty
