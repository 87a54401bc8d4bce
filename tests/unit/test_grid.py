"""The output grid: jwst's formulas, the options, FITS headers, a user's own WCS."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.geometry.build_grid import build, parse_s_region
from drizzleflow.geometry.footprint import describe
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.gwcs_wcs import from_gwcs
from drizzleflow.geometry.projection import projection
from drizzleflow.simulate.gwcs import s_region
from drizzleflow.simulate.jwst import nircam_like

OPTIONS = {
    "pixel_scale": None,
    "pixel_scale_ratio": 1.0,
    "rotation": None,
    "crpix": None,
    "crval": None,
    "output_shape": None,
    "output_wcs": None,
    "method": "tangent_plane",
    "footprints": "wcs",
}
SHAPE = (64, 80)


@pytest.fixture(scope="module")
def footprints():
    """Two detectors, a roll of one degree between them."""
    out = []
    for detector, ra, dec, roll in ((0, 150.1, 2.2, 40.0), (1, 150.1002, 2.2001, 41.0)):
        wcs, info = nircam_like(detector, SHAPE, ra, dec, roll)
        out.append(describe(from_gwcs(wcs, SHAPE, info), s_region(wcs, SHAPE)))
    return out


def all_pixels(footprints, grid):
    lon, lat = np.concatenate([f["outline"] for f in footprints], axis=1)
    return grid.to_pixel(lon, lat)


# --- jwst's geometry
# ----------------------------------------------------------------------------------------------

# from stcal 1.20.0, alignment.util.wcs_from_sregions, for these two detectors' S_REGION: options -> shape,
# crval, crpix, cdelt
PEER = [
    ({}, (158, 92), (150.10038283786858, 2.199815084432551), (46.587354227894096, 78.51590593134642), 8.637419890851869e-06),
    ({"rotation": 0.0}, (165, 170), (150.10038283786858, 2.199815084432551), (85.0829325741603, 82.26998660391831), 8.637419890851869e-06),
    ({"pixel_scale_ratio": 0.5}, (316, 185), (150.10038283786858, 2.199815084432551), (93.17470845578819, 157.03181186269285), 4.3187099454259346e-06),
    ({"pixel_scale": 0.05}, (98, 57), (150.10038283786858, 2.199815084432551), (28.972406885052546, 48.828589030055944), 1.388888888888889e-05),
    ({"crpix": [30.0, 20.0]}, (99, 76), (150.10038283786858, 2.199815084432551), (30.0, 20.0), 8.637419890851869e-06),
    ({"crval": [150.11, 2.21]}, (158, 92), (150.11, 2.21), (-64.15040564884505, 1695.9372034414885), 8.637419890851869e-06),
    ({"output_shape": [70, 90]}, (90, 70), (150.10038283786858, 2.199815084432551), (46.587354227894096, 78.51590593134642), 8.637419890851869e-06),
]  # fmt: skip
ROLLED = [[-0.77251191553026, 0.63500026800291], [0.63500026800291, 0.77251191553026]]


@pytest.mark.parametrize(
    ("options", "shape", "crval", "crpix", "cdelt"), PEER, ids=[str(list(p[0])) for p in PEER]
)
def test_the_peers_grid_from_s_regions(footprints, options, shape, crval, crpix, cdelt):
    grid = build(footprints, OPTIONS | {"footprints": "s_region"} | options)
    assert grid.shape == shape
    np.testing.assert_allclose(grid.crval, crval, rtol=0, atol=1e-11)
    np.testing.assert_allclose(grid.crpix, crpix, rtol=0, atol=1e-6)
    assert grid.pixel_scale == pytest.approx(3600 * cdelt, rel=1e-9)
    pc = [[-1, 0], [0, 1]] if "rotation" in options else ROLLED
    np.testing.assert_allclose(np.reshape(grid.cd, (2, 2)) * 3600 / grid.pixel_scale, pc, rtol=0, atol=1e-9)


# --- ours
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"rotation": 33.0}, {"pixel_scale_ratio": 0.6}, {"crval": [150.099, 2.201]}]
)
def test_the_grid_just_holds_the_outer_pixel_edges(footprints, options):
    grid = build(footprints, OPTIONS | options)
    x, y = all_pixels(footprints, grid)
    ny, nx = grid.shape
    assert x.min() == pytest.approx(-0.5, abs=1e-6) and y.min() == pytest.approx(-0.5, abs=1e-6)
    assert nx - 1.5 - 0.002 < x.max() <= nx - 0.5 + 0.002 and ny - 1.5 - 0.002 < y.max() <= ny - 0.5 + 0.002


def test_scale_options(footprints):
    plain = build(footprints, OPTIONS)
    assert plain.pixel_scale == footprints[0]["scale"] and plain.pixel_scale_ratio == 1
    half = build(footprints, OPTIONS | {"pixel_scale_ratio": 0.5})
    assert half.pixel_scale == pytest.approx(plain.pixel_scale / 2) and half.pixel_scale_ratio == 0.5
    given_ = build(footprints, OPTIONS | {"pixel_scale": 0.062, "pixel_scale_ratio": 0.1})
    mean = np.degrees(np.sqrt(footprints[0]["pixel_area"])) * 3600
    assert given_.pixel_scale == 0.062 and given_.pixel_scale_ratio == pytest.approx(0.062 / mean)
    assert given_.pixel_area == pytest.approx((0.062 / 3600 * np.pi / 180) ** 2, rel=1e-12, abs=0)


@pytest.mark.parametrize("rotation", [0.0, 90.0, -33.0])
def test_rotation_is_the_position_angle_of_y(footprints, rotation):
    grid = build(footprints, OPTIONS | {"rotation": rotation})
    lon, lat = grid.to_sky(np.array([0.0, 0.0]) + grid.crpix[0], np.array([0.0, 1.0]) + grid.crpix[1])
    east, north = (lon[1] - lon[0]) * np.cos(np.radians(lat[0])), lat[1] - lat[0]
    assert (np.degrees(np.arctan2(east, north)) - rotation + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)


def test_crpix_crval_and_shape_are_taken_as_they_are(footprints):
    given_ = {"crpix": [12.5, 30.0], "crval": [150.1, 2.2], "output_shape": [55, 44]}
    grid = build(footprints, OPTIONS | given_)
    assert (grid.crpix, grid.crval, grid.shape) == ((12.5, 30.0), (150.1, 2.2), (44, 55))
    np.testing.assert_allclose(grid.to_pixel(150.1, 2.2), (12.5, 30.0), rtol=0, atol=1e-9)


def test_the_first_frame_is_the_reference(footprints):
    swapped = build(footprints[::-1], OPTIONS)
    assert swapped.pixel_scale == footprints[1]["scale"] != build(footprints, OPTIONS).pixel_scale


def test_a_missing_s_region_falls_back_to_the_outlines(footprints):
    without = [footprints[0], footprints[1] | {"s_region": None}]
    assert build(without, OPTIONS | {"footprints": "s_region"}) == build(without, OPTIONS)


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.9999, 50.0), (10.0, 90.0), (200.0, -89.9999)])
def test_over_ra_zero_and_at_the_poles(ra, dec):
    wcs, info = nircam_like(0, SHAPE, ra, dec, 40.0)
    frames = [describe(from_gwcs(wcs, SHAPE, info))]
    grid = build(frames, OPTIONS)
    assert max(grid.shape) < 100
    x, y = all_pixels(frames, grid)
    assert x.min() > -0.51 and y.min() > -0.51 and x.max() < grid.shape[1] and y.max() < grid.shape[0]


def test_a_grid_of_absurd_size_is_refused(footprints):
    """Before any memory is taken, and with the numbers that show why."""
    far = footprints[1] | {"outline": (np.array(footprints[1]["outline"]) + 20).tolist()}
    with pytest.raises(InputError, match=r"grid: \d+ x \d+ pixels .*absurdly large"):
        build([footprints[0], far], OPTIONS)
    with pytest.raises(InputError, match="absurdly large"):
        build(footprints, OPTIONS | {"output_shape": [100_000, 100_000]})
    around = footprints[1] | {"outline": [[0.0, 90.0, 180.0, 270.0], [-1.0, 1.0, -1.0, 1.0]]}
    with pytest.raises(InputError, match=r"hemisphere.*output_wcs"):
        build([footprints[0], around], OPTIONS)


def test_a_grid_without_pixels_is_refused(footprints):
    with pytest.raises(InputError, match=r"too small.*crpix"):
        build(footprints, OPTIONS | {"crpix": [-500, -500], "footprints": "s_region"})


@pytest.mark.parametrize("crpix", [[-500.25, 30.0], [10.0, 12.5], [1000.0, 900.0]])
def test_a_reference_point_without_a_shape_leaves_no_member_out(footprints, crpix):
    """Whole pixels are added in front: the pixels stay where the reference point puts them."""
    grid = build(footprints, OPTIONS | {"crpix": crpix, "crval": [150.1, 2.2]})
    free = build(footprints, OPTIONS | {"crval": [150.1, 2.2]})
    for at, asked, least in zip(grid.crpix, crpix, free.crpix, strict=True):
        assert (at - asked) % 1 == 0 and at >= asked and (at == asked or at < least + 1)
    for footprint in footprints:
        x, y = grid.to_pixel(*np.array(footprint["outline"]))
        assert x.min() > -0.502 and y.min() > -0.502
        assert x.max() < grid.shape[1] - 0.498 and y.max() < grid.shape[0] - 0.498


def test_parse_s_region():
    one = parse_s_region("POLYGON ICRS  10.0 -5.0 11.0 -5.0 11.0 -4.0")
    assert len(one) == 1 and one[0].tolist() == [[10, 11, 11], [-5, -5, -4]]
    two = parse_s_region("polygon icrs 1 2 3 4 5 6 POLYGON ICRS 7 8 9 10 11 12")
    assert [p.shape for p in two] == [(2, 3), (2, 3)] and two[1][0].tolist() == [7, 9, 11]
    for wrong in ("CIRCLE ICRS 1 2 3", ""):
        with pytest.raises(InputError, match="S_REGION"):
            parse_s_region(wrong)


# --- one grid in all its forms
# ----------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(-2000, 2000), st.sampled_from([-1, 1])
)
@example(10.0, 90.0, 30.0, 100.0, -1)  # where LONPOLE has another default
@example(10.0, -90.0, 30.0, 100.0, 1)
def test_the_fits_header_says_what_to_pixel_does(ra, dec, angle, crpix, parity):
    s, c = 1e-5 * np.sin(np.radians(angle)), 1e-5 * np.cos(np.radians(angle))
    grid = Grid((200, 300), (ra, dec), (crpix, 100.25), (parity * c, s, -parity * s, c), 0.036)
    header = fits.Header([fits.Card(*card) for card in grid.cards()])
    x, y = np.array([0.0, 299.0, 150.3]), np.array([0.0, 10.0, 199.0])
    lon, lat = grid.to_sky(x, y)
    np.testing.assert_allclose(
        grid.to_pixel(lon, lat), (x, y), rtol=0, atol=1e-6 if abs(dec) > 89.9 else 1e-8
    )
    theirs = WCS(header).all_pix2world(x, y, 0)
    np.testing.assert_allclose(
        np.cos(np.radians(lat)) * ((lon - theirs[0] + 180) % 360 - 180) / 1e-5, 0, rtol=0, atol=1e-8
    )
    np.testing.assert_allclose((lat - theirs[1]) / 1e-5, 0, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("ra", "dec"), [(150.1, 2.2), (0.0, 0.0), (0.000001, -70.0), (33.0, 89.9)])
def test_the_fits_header_and_to_pixel_give_one_place(ra, dec):
    grid = Grid((200, 300), (ra, dec), (150.0, 100.0), (-8e-6, 1e-6, 1e-6, 8e-6), 0.029)
    y, x = np.mgrid[0:200:23, 0:300:31].astype(float)
    lon, lat = grid.to_sky(x, y)
    theirs = WCS(fits.Header([fits.Card(*card) for card in grid.cards()])).all_world2pix(lon, lat, 0)
    np.testing.assert_allclose(grid.to_pixel(lon, lat), theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(theirs, (x, y), rtol=0, atol=1e-7)


def test_a_window_is_the_grid_shifted():
    grid = Grid((200, 300), (10.0, 20.0), (150.25, 100.0), (-8e-6, 1e-6, 1e-6, 8e-6), 0.029)
    window = grid.window(-5, 40, 100, 230)
    assert (window.shape, window.origin) == ((130, 45), (-5, 100))
    inner = window.window(3, 10, 4, 6)
    assert (inner.shape, inner.origin) == ((2, 7), (-2, 104))
    lon, lat = grid.to_sky(np.array([7.0, 12.0]), np.array([150.0, 151.0]))
    np.testing.assert_allclose(window.to_pixel(lon, lat), ([12.0, 17.0], [50.0, 51.0]), rtol=0, atol=1e-9)
    theirs = WCS(fits.Header([fits.Card(*c) for c in window.cards()])).all_world2pix(lon, lat, 0)
    np.testing.assert_allclose(theirs, ([12.0, 17.0], [50.0, 51.0]), rtol=0, atol=1e-8)


def test_saved_and_loaded(tmp_path, footprints):
    grid = build(footprints, OPTIONS)
    grid.save(tmp_path / "a.json")
    grid.save(tmp_path / "b.json")
    assert Grid.load(tmp_path / "a.json") == grid  # every bit: floats are written whole
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    json.loads((tmp_path / "a.json").read_text())


# --- a user's own WCS
# -------------------------------------------------------------------------------------------------


def header_of(ctype=("RA---TAN", "DEC--TAN"), crval=(150.1, 2.2), shape=(60, 50), **more):
    header = fits.Header()
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, shape[1], shape[0]
    header["CTYPE1"], header["CTYPE2"] = ctype
    header["CRVAL1"], header["CRVAL2"] = crval
    header["CRPIX1"], header["CRPIX2"] = 25.5, 30.5
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -1e-5, 1e-6, 1e-6, 1e-5
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    for key, value in more.items():
        header[key] = value
    return header


def fits_file(path, header):
    fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((header["NAXIS2"], header["NAXIS1"]), "f4"), header)]
    ).writeto(path)
    return str(path)


SIP = {"A_ORDER": 2, "A_2_0": 1e-4, "B_ORDER": 2, "B_0_2": -2e-4}
CASES = {
    "TAN": {},
    "SIN": {"ctype": ("RA---SIN", "DEC--SIN")},
    "CAR": {"ctype": ("RA---CAR", "DEC--CAR"), "crval": (150.1, 0.0)},
    "SIP": {"ctype": ("RA---TAN-SIP", "DEC--TAN-SIP"), **SIP},
    "galactic": {"ctype": ("GLON-TAN", "GLAT-TAN"), "crval": (238.0, 43.0)},
    "FK5": {"RADESYS": "FK5", "EQUINOX": 2000.0},
    "FK4": {"RADESYS": "FK4", "EQUINOX": 1950.0},
    "swapped": {"ctype": ("DEC--TAN", "RA---TAN"), "crval": (2.2, 150.1)},
    "longitude of the pole": {"LONPOLE": 150.0},
}


def sky_of(header, x, y):
    """ICRS by astropy's high-level interface."""
    sky = WCS(header).pixel_to_world(x, y).icrs
    return sky.ra.deg, sky.dec.deg


@pytest.mark.parametrize("case", CASES)
def test_a_fits_wcs_of_the_users(tmp_path, footprints, case):
    """Any celestial WCS, any frame: ICRS degrees come out where astropy says the pixels are."""
    header = header_of(**CASES[case])
    grid = build(footprints, OPTIONS | {"output_wcs": fits_file(tmp_path / "ref.fits", header)})
    assert grid.shape == (60, 50) and (grid.custom is None) == (case == "TAN")
    x, y = np.array([0.0, 49.0, 20.0]), np.array([0.0, 10.0, 59.0])
    lon, lat = sky_of(header, x, y)
    np.testing.assert_allclose(grid.to_sky(x, y), (lon, lat), rtol=0, atol=1e-11)
    np.testing.assert_allclose(grid.to_pixel(lon, lat), (x, y), rtol=0, atol=1e-5)
    window = grid.window(10, 30, 20, 50)
    np.testing.assert_allclose(window.to_pixel(lon, lat), (x - 10, y - 20), rtol=0, atol=1e-5)
    written = fits.Header([fits.Card(*card) for card in window.cards()])
    np.testing.assert_allclose(sky_of(written, x - 10, y - 20), (lon, lat), rtol=0, atol=1e-9)
    grid.save(tmp_path / "grid.json")
    projection.cache_clear()
    np.testing.assert_allclose(Grid.load(tmp_path / "grid.json").to_sky(x, y), (lon, lat), rtol=0, atol=1e-11)
    ratio = grid.pixel_scale / (np.degrees(np.sqrt(footprints[0]["pixel_area"])) * 3600)
    assert grid.pixel_scale_ratio == pytest.approx(ratio) and 0.03 < grid.pixel_scale < 0.04


def test_text_header_and_a_shape_of_the_users(tmp_path, footprints):
    header = header_of()
    (tmp_path / "ref.hdr").write_text(header.tostring(sep="\n"))
    options = OPTIONS | {"output_wcs": str(tmp_path / "ref.hdr")}
    assert build(footprints, options).shape == (60, 50)
    assert build(footprints, options | {"output_shape": [33, 44]}).shape == (44, 33)
    del header["NAXIS1"], header["NAXIS2"]
    (tmp_path / "ref.hdr").write_text(header.tostring(sep="\n"))
    with pytest.raises(InputError, match=r"ref\.hdr states no NAXIS1.*output_shape"):
        build(footprints, options)


def test_the_header_of_a_distorted_grid_is_good_to_a_ten_thousandth_pixel(tmp_path, footprints):
    """Over the whole grid, and over a window that is far from its origin: any FITS viewer shows the right
    sky.
    """
    import asdf

    wcs, _ = nircam_like(0, (1500, 1800), 150.1, 2.2, 40.0)
    asdf.AsdfFile({"wcs": wcs}).write_to(tmp_path / "ref.asdf")
    grid = build(footprints, OPTIONS | {"output_wcs": str(tmp_path / "ref.asdf")})
    rng = np.random.default_rng(0)
    for window in (grid, grid.window(1200, 1800, 900, 1500)):
        (x0, y0), (ny, nx) = window.origin, window.shape
        x, y = rng.uniform(-0.5, nx - 0.5, 300), rng.uniform(-0.5, ny - 0.5, 300)
        written = WCS(fits.Header([fits.Card(*card) for card in window.cards()]))
        found = written.all_world2pix(*wcs(x + x0, y + y0, with_bounding_box=False), 0)
        assert np.hypot(found[0] - x, found[1] - y).max() < 1e-4


def test_an_asdf_wcs_of_the_users(tmp_path, footprints):
    """A GWCS, distorted or not; what the shape is taken from, in jwst's order."""
    import asdf

    wcs, _ = nircam_like(0, SHAPE, 150.1, 2.2, 40.0)
    path = str(tmp_path / "ref.asdf")
    options = OPTIONS | {"output_wcs": path}

    def save(**tree):
        projection.cache_clear()
        asdf.AsdfFile({"wcs": wcs, **tree}).write_to(path)

    save()
    grid = build(footprints, options)
    assert grid.shape == SHAPE  # of the bounding box
    x, y = np.array([3.0, 70.0]), np.array([5.0, 60.0])
    np.testing.assert_allclose(grid.to_sky(x, y), wcs(x, y), rtol=0, atol=1e-12)
    np.testing.assert_allclose(grid.to_pixel(*wcs(x, y)), (x, y), rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        grid.window(2, 9, 4, 9).to_pixel(*wcs(x, y)), (x - 2, y - 4), rtol=0, atol=1e-5
    )
    written = WCS(fits.Header([fits.Card(*card) for card in grid.window(2, 9, 4, 9).cards()]))
    np.testing.assert_allclose(written.all_pix2world(x - 2, y - 4, 0), wcs(x, y), rtol=0, atol=0.02 * 1e-5)
    save(array_shape=[30, 20])
    assert build(footprints, options).shape == (30, 20)
    save(pixel_shape=[30, 20], pixel_scale=0.05)
    assert (build(footprints, options).shape, build(footprints, options).pixel_scale) == ((20, 30), 0.05)
    assert build(footprints, options | {"output_shape": [7, 9]}).shape == (9, 7)
    wcs.bounding_box = None
    save()
    with pytest.raises(InputError, match="states no shape"):
        build(footprints, options)


@pytest.mark.parametrize("name", ["gone.fits", "gone.asdf", "text.fits", "text.asdf", "plain.fits", "folder"])
def test_an_output_wcs_that_cannot_be_read(tmp_path, footprints, name):
    (tmp_path / "text.fits").write_text("not a FITS file\n")
    (tmp_path / "text.asdf").write_text("not an ASDF file\n")
    (tmp_path / "folder").mkdir()
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "plain.fits")
    with pytest.raises(InputError, match=r"grid\.output_wcs: .*" + name):
        build(footprints, OPTIONS | {"output_wcs": str(tmp_path / name)})
