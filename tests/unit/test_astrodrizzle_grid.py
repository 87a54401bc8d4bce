"""AstroDrizzle's output grid: its defining properties, and numbers that stwcs 1.7.7 gave."""

from dataclasses import replace

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.geometry import build_grid, footprint
from drizzleflow.geometry.astrodrizzle_frame import aperture_angle, corner_centres, describe, orientation
from drizzleflow.geometry.astrodrizzle_grid import build
from drizzleflow.simulate import hst

SHAPE = (120, 160)


def chip(ra, dec, roll=40.0):
    return SkyWCS(hst.to_sky_of(hst.wcs_cards(SHAPE, ra, dec, roll)), None, SHAPE)


CHIPS = [chip(150.1, 2.2), chip(150.1013, 2.2008, 41.0)]


def corners(grid):
    places = [
        c.to_sky(
            np.array([0, 0, SHAPE[1] - 1, SHAPE[1] - 1.0]), np.array([0, SHAPE[0] - 1.0, 0, SHAPE[0] - 1.0])
        )
        for c in CHIPS
    ]
    return grid.to_pixel(*np.concatenate(places, axis=1))


def test_the_configuration_s_method():
    """`grid.method` alone chooses this grid: `grid.footprints` does not matter to it."""
    options = dict.fromkeys(("pixel_scale", "rotation", "crpix", "crval", "output_shape", "output_wcs"))
    options |= {"pixel_scale_ratio": 1.0, "method": "astrodrizzle"}
    planes = [build([one], 0.05, 40.0) for one in CHIPS]
    frames = [SkyWCS(plane.to_sky, plane.to_pixel, SHAPE) for plane in planes]
    described = [
        footprint.describe(c) | {"corners": np.array(corner_centres(c)).tolist(), "orientation": [0.05, 40.0]}
        for c in frames
    ]
    for outlines in ("wcs", "s_region"):
        grid = build_grid.build(described, options | {"footprints": outlines})
        assert replace(grid, input_scale=1.0) == replace(build(frames, 0.05, 40.0), input_scale=1.0)
    tangent = build_grid.build(described, options | {"method": "tangent_plane", "footprints": "wcs"})
    assert tangent.shape != grid.shape and tangent.crpix != grid.crpix
    with pytest.raises(InputError, match=r"m1: grid\.method: astrodrizzle is for HST files"):
        describe(Frame("m1", 1, "g", SHAPE), frames[0])


def test_the_default_grid_holds_the_corners_of_all_chips():
    grid = build(CHIPS, 0.05, 40.0)
    x, y = corners(grid)
    np.testing.assert_allclose((x.min(), y.min()), 0, atol=1e-3)  # the centre of the first pixel
    assert grid.shape == (int(np.ceil(np.ptp(y))), int(np.ceil(np.ptp(x))))
    assert grid.crpix == (grid.shape[1] / 2 - 1, grid.shape[0] / 2 - 1)
    north = np.degrees(np.arctan2(grid.cd[1], grid.cd[3]))
    assert abs(north - 40) < 1e-12 and grid.pixel_scale == 0.05 and grid.pixel_scale_ratio == 1
    assert grid.cd[0] * grid.cd[3] - grid.cd[1] * grid.cd[2] < 0
    other = build(CHIPS[::-1], 0.05, 40.0)
    np.testing.assert_allclose((*other.crval, *other.crpix), (*grid.crval, *grid.crpix), atol=1e-12)


@pytest.mark.parametrize("rot, scale", [(0.0, 0.05), (75.0, 0.03), (-130.0, 0.08)])
def test_a_turned_grid_holds_the_old_one(rot, scale):
    old, new = build(CHIPS, 0.05, 40.0), build(CHIPS, 0.05, 40.0, rot=rot, new_scale=scale)
    ny, nx = old.shape
    x, y = np.array([-0.5, nx - 0.5, -0.5, nx - 0.5]), np.array([-0.5, -0.5, ny - 0.5, ny - 0.5])
    u, v = new.to_pixel(*old.to_sky(x, y))
    np.testing.assert_allclose((u.min(), v.min()), -0.5, atol=1e-6)
    assert new.shape == (int(np.ceil(np.ptp(v) - 1e-6)), int(np.ceil(np.ptp(u) - 1e-6)))
    assert new.crval == old.crval and new.pixel_scale_ratio == scale / 0.05


def test_a_rescaled_grid_keeps_the_centre_of_its_first_pixel():
    old, new = build(CHIPS, 0.05, 40.0), build(CHIPS, 0.05, 40.0, new_scale=0.04)
    np.testing.assert_allclose(new.to_pixel(*old.to_sky(0.0, 0.0)), 0, atol=1e-6)
    assert new.shape == tuple(int(np.ceil(n * 1.25)) for n in old.shape)
    assert new.input_scale == 1.25


def test_places_and_shapes():
    grid = build(CHIPS, 0.05, 40.0, outnx=300, outny=201)
    assert grid.shape == (201, 300) and grid.crpix == (149.5, 100.0)
    moved = build(CHIPS, 0.05, 40.0, ra=150.2, dec=2.3, crpix1=10.0, crpix2=20.0)
    assert moved.crval == (150.2, 2.3) and moved.crpix == (9.0, 19.0)
    assert moved.shape == build(CHIPS, 0.05, 40.0).shape


@pytest.mark.parametrize(
    "bad, says",
    [
        ({"ra": 1.0}, "ra and dec"),
        ({"outny": 5}, "outnx and outny"),
        ({"crpix1": 5}, "crpix1 and crpix2"),
        ({"outnx": 0, "outny": 5}, "outnx"),
    ],
)
def test_bad_arguments(bad, says):
    with pytest.raises(InputError, match=says):
        build(CHIPS, 0.05, 40.0, **bad)
    with pytest.raises(InputError, match="no chips"):
        build([], 0.05, 40.0)


#: of the ACS/WFC file j94f05bgq, and what stwcs makes of it
PRIMARY = {"INSTRUME": "ACS", "DETECTOR": "WFC", "PA_V3": 337.125305}
SCI = {
    "CD1_1": 1.29056256197165e-05,
    "CD1_2": 5.95309123310338e-06,
    "CD2_1": 5.0220581265601e-06,
    "CD2_2": -1.2644774105568e-05,
    "CRVAL2": -72.05457184278998,
    "IDCSCALE": 0.05,
    "IDCV2REF": 256.6222229003906,
    "IDCV3REF": 302.2264099121094,
    "IDCTHETA": 0.0,
}


@pytest.mark.parametrize(
    "primary, sci, angle",
    [
        ({}, {}, 157.02382643625262),
        ({"PA_V3": 10.0}, {}, 189.73921822676476),
        ({"PA_V3": 100.0}, {}, 279.7818418005023),
        ({"PA_V3": 200.0}, {}, 20.296347261940447),
        ({}, {"IDCTHETA": 30.0}, 187.02382643625262),
        ({}, {"CRVAL2": 40.0}, 157.15305344561756),
        ({"DETECTOR": "HRC"}, {}, 337.02382643625262),
        ({}, {"IDCV2REF": None}, 154.7891974912018),
        ({"PA_V3": None}, {}, 154.7891974912018),
    ],
)
def test_orientation_of_a_real_header(primary, sci, angle):
    scale, found = orientation({**PRIMARY, **primary}, {**SCI, **sci})
    assert scale == 0.05
    assert abs((found - angle + 180) % 360 - 180) < 1e-9


def test_scale_without_idcscale():
    scale, _ = orientation(PRIMARY, {**SCI, "IDCSCALE": None})
    assert abs(scale - 3600 * np.hypot(SCI["CD1_1"], SCI["CD2_1"])) < 1e-15


@pytest.mark.parametrize("angle", [0.0, 90.0, 211.0])
@pytest.mark.parametrize("v2, v3", [(0.0, 0.0), (300.0, 0.0), (-120.0, 250.0), (40.0, -500.0)])
def test_aperture_angle(angle, v2, v3):
    """On the equator the sky is flat about V1; elsewhere the meridians' convergence is what turns the angle."""

    def turned(dec):
        return (aperture_angle(angle, dec, v2, v3) - angle + 180) % 360 - 180

    assert abs(turned(0.0)) < 1e-3
    turn = np.radians(angle)
    east = (v3 * np.sin(turn) + v2 * np.cos(turn)) / 3600
    north = (v3 * np.cos(turn) - v2 * np.sin(turn)) / 3600
    assert abs(turned(50.0) - east * np.tan(np.radians(50 + north / 2))) < 1e-3
