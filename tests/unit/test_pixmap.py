"""Pixel maps: interpolated against exact, bits under a shift, and the lattice files."""

import logging
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import real_data

from drizzleflow.frames.frame import Frame, SkyWCS
from drizzleflow.geometry import pixmap
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.fits_wcs import from_astropy, open_sky_wcs
from drizzleflow.geometry.footprint import describe
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.gwcs_wcs import from_gwcs
from drizzleflow.geometry.lattice import DEGREE, MAX_STEP, Lattice, inside
from drizzleflow.geometry.pixmap import LatticeFiles, exact, from_lattice, step_name
from drizzleflow.geometry.sphere import from_tangent_plane, tangent_plane
from drizzleflow.simulate.hst import wcs_cards
from drizzleflow.simulate.jwst import nircam_like, read_wcs

GRID_OPTIONS = {
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
TOLERANCE = 1e-3


def grid_of(wcs, **options):
    return build([describe(wcs)], GRID_OPTIONS | options)


def like_nircam(shape=(2048, 2048), detector=0, ra=150.1, dec=2.2, roll=40.0):
    wcs, info = nircam_like(detector, shape, ra, dec, roll)
    return from_gwcs(wcs, shape, info)


def with_sip(shape=(2048, 4096), ra=10.0, dec=-30.0, roll=30.0):
    from astropy.wcs import WCS

    header = fits.Header([fits.Card(*card) for card in wcs_cards(shape, ra, dec, roll)])
    return from_astropy(WCS(header), shape)


def with_tables():
    """A real WFC3/UVIS chip: SIP, NPOL and D2IM, a kink every 64 pixels."""
    path = real_data("wcs_assets/hst_uvis_sample_svm_flc_10x10.fits")
    with fits.open(path) as hdus:
        return open_sky_wcs(path, hdus, ("SCI", 1), (2051, 4096))


def real_nircam():
    folder = real_data("jwst_nircam_wcs")
    wcs, info = read_wcs(folder / "jw01345001001_02201_00001_nrcb4_tweakreg.asdf")
    return from_gwcs(wcs, (2048, 2048), info)


def bands(ny):
    return [(0, 3), (31, 33), (ny // 2 - 2, ny // 2 + 2), (ny - 3, ny)]


# --- interpolated against exact
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [like_nircam, with_sip, with_tables, real_nircam])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_interpolated_is_within_the_tolerance_of_exact(make, ratio):
    wcs = make()
    lattice = Lattice.sample(wcs, tolerance=TOLERANCE)
    grid = grid_of(wcs, pixel_scale_ratio=ratio)
    worst = 0.0
    for rows in bands(wcs.shape[0]):
        found = from_lattice(lattice, grid, rows)
        true = exact(wcs, grid, rows)
        assert found.shape == true.shape and np.array_equal(np.isnan(found), np.isnan(true))
        worst = max(worst, np.nanmax(np.hypot(*np.moveaxis(found - true, -1, 0))))
    assert worst < TOLERANCE
    assert len(lattice.x) * len(lattice.y) < 0.02 * wcs.shape[0] * wcs.shape[1]  # and it is a sparse lattice


def test_a_nircam_like_distortion_takes_few_nodes():
    """A polynomial of degree 5: the coarsest lattice is far below the tolerance."""
    wcs = like_nircam()
    lattice = Lattice.sample(wcs, tolerance=TOLERANCE)
    assert len(lattice.x) <= 2048 / MAX_STEP + 2
    assert lattice.error(grid_of(wcs)) < 1e-6


def test_a_wavy_wcs_gets_a_finer_lattice():
    """The step follows the distortion, and the error that is promised is the one that is found."""
    flat = Grid((300, 300), (80.0, 10.0), (150.0, 150.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036)

    def to_sky(x, y):
        return flat.to_sky(x + 0.4 * np.sin(2 * np.pi * y / 90), y + 0.4 * np.cos(2 * np.pi * x / 70))

    wcs = SkyWCS(to_sky, flat.to_pixel, (300, 300))
    loose, tight = (Lattice.sample(wcs, tolerance=t) for t in (1e-1, 1e-3))
    assert len(tight.x) > len(loose.x) > 300 / MAX_STEP
    for lattice, tolerance in ((loose, 1e-1), (tight, 1e-3)):
        difference = from_lattice(lattice, flat) - exact(wcs, flat)
        assert 0 < np.abs(difference).max() < tolerance


def test_the_tables_matter():
    """Without the lookup tables the map would be off by more than the tolerance: the test above sees them."""
    wcs = with_tables()
    smooth = SkyWCS(wcs.smooth, wcs.to_pixel, wcs.shape, info=wcs.info)
    grid = grid_of(wcs)
    rows = (1000, 1004)
    off = np.abs(from_lattice(Lattice.sample(smooth), grid, rows) - exact(wcs, grid, rows)).max()
    assert off > 10 * TOLERANCE


@pytest.mark.parametrize(
    ("ra", "dec"),
    [(0.0, 0.0), (359.99999, 45.0), (0.0, 90.0), (77.0, 89.9995), (123.0, -90.0), (180.0, -89.99)],
)
def test_over_ra_zero_and_at_the_poles(ra, dec):
    wcs = like_nircam((256, 256), ra=ra, dec=dec)
    centred = like_nircam((256, 256), ra=150.0, dec=0.0)
    lattice = Lattice.sample(wcs, tolerance=TOLERANCE)
    grid = grid_of(wcs)
    assert abs(grid.shape[0] - grid_of(centred).shape[0]) < 100  # no absurd grid
    difference = from_lattice(lattice, grid) - exact(wcs, grid)
    assert np.abs(difference).max() < 1e-6


def test_given_steps_and_orders():
    wcs = like_nircam((512, 512))
    grid = grid_of(wcs)
    true = exact(wcs, grid)
    for step, order, error in ((10, 3, 1e-6), (10, 1, 1e-2), (64, 1, 1.0)):
        lattice = Lattice.sample(wcs, stepsize=step, order=order)
        assert len(lattice.x) == max(10, np.ceil(512 / step)) and lattice.degree == (
            1 if order == 1 else DEGREE
        )
        off = np.abs(from_lattice(lattice, grid) - true).max()
        assert off < error and (order == 3 or off > 1e-5)


def test_only_inside_the_bounding_box():
    wcs = like_nircam((128, 128))
    wcs.bbox = ((3.5, 100.5), (10.5, 120.5))
    assert inside(wcs) == ((4, 100), (11, 120))
    lattice, grid = Lattice.sample(wcs), grid_of(like_nircam((128, 128)))
    for made in (from_lattice(lattice, grid), exact(wcs, grid)):
        y, x = np.nonzero(np.isfinite(made[..., 0]))
        assert (x.min(), x.max(), y.min(), y.max()) == (4, 100, 11, 120)
        assert np.array_equal(np.isnan(made[..., 0]), np.isnan(made[..., 1]))


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 7), (1, 40), (5, 300)])
def test_small_frames(shape):
    flat = Grid(shape, (80.0, 10.0), (1.0, 2.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036)
    wcs = SkyWCS(flat.to_sky, flat.to_pixel, shape)
    found = from_lattice(Lattice.sample(wcs), flat)
    y, x = np.mgrid[: shape[0], : shape[1]]
    np.testing.assert_allclose(found, np.stack([x, y], axis=-1), rtol=0, atol=1e-7)


def test_a_wcs_that_is_not_finite():
    wcs = SkyWCS(lambda x, y: (np.where(x > 30, np.nan, x), y), None, (50, 50))
    with pytest.raises(ValueError, match="not finite"):
        Lattice.sample(wcs)


# --- bits
# -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    wcs = like_nircam((150, 190))
    return wcs, Lattice.sample(wcs), grid_of(wcs)


@pytest.mark.parametrize("make", [like_nircam, with_tables])
def test_values_are_multiples_of_the_quantum(make, small):
    wcs, lattice, grid = (make(), None, None) if make is with_tables else small
    lattice, grid = lattice or Lattice.sample(wcs), grid or grid_of(wcs)
    for made in (from_lattice(lattice, grid, (5, 25)), exact(wcs, grid, (5, 25))):
        scaled = made * 2.0**32
        assert np.array_equal(scaled, np.rint(scaled))


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 149), count=st.integers(1, 150))
def test_rows_do_not_depend_on_what_else_is_asked_for(small, first, count):
    _, lattice, grid = small
    rows = (first, min(150, first + count))
    np.testing.assert_array_equal(
        from_lattice(lattice, grid, rows), from_lattice(lattice, grid)[slice(*rows)]
    )


def test_rows_of_the_exact_map(small):
    wcs, _, grid = small
    whole = exact(wcs, grid)
    for rows in ((0, 1), (17, 60), (149, 150)):
        np.testing.assert_array_equal(exact(wcs, grid, rows), whole[slice(*rows)])


def test_rows_with_tables():
    wcs = with_tables()
    lattice, grid = Lattice.sample(wcs), grid_of(wcs)
    some = from_lattice(lattice, grid, (60, 140))
    for row in (60, 63, 64, 101, 139):
        np.testing.assert_array_equal(from_lattice(lattice, grid, (row, row + 1))[0], some[row - 60])


@settings(max_examples=20, deadline=None)
@given(st.integers(-5000, 200000), st.integers(-5000, 200000))
def test_subtracting_an_integer_origin_is_exact(small, x0, y0):
    _, lattice, grid = small
    whole = from_lattice(lattice, grid, (70, 80))
    moved = whole - np.array([x0, y0], float)
    np.testing.assert_array_equal(moved + np.array([x0, y0], float), whole)


def test_the_number_of_threads_makes_no_difference(tmp_path):
    """BLAS splits long products over threads; the bits of a row must not change."""
    import os
    import subprocess
    import sys

    code = (
        "import hashlib; from drizzleflow.geometry.lattice import Lattice; from drizzleflow.geometry.pixmap import from_lattice; from drizzleflow.geometry.grid import Grid;"
        "import numpy as np; from drizzleflow.frames.frame import SkyWCS;"
        "g = Grid((64, 4096), (80., 10.), (1., 2.), (-1e-5, 1e-6, 2e-6, 1e-5), .036);"
        "w = SkyWCS(lambda x, y: g.to_sky(x + 1e-6 * x * y, y + 1e-6 * x * x), None, (64, 4096));"
        "print(hashlib.sha256(from_lattice(Lattice.sample(w), g)).hexdigest())"
    )
    found = set()
    for threads in ("1", "2"):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = dict(
            os.environ, PYTHONPATH=str(Path(pixmap.__file__).parents[2]), **dict.fromkeys(names, threads)
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


# --- the inverse
# ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: like_nircam((512, 640)), with_sip])
@pytest.mark.parametrize("dec", [None, 89.999])
def test_back_to_the_detector(make, dec):
    wcs = make() if dec is None else like_nircam((512, 640), dec=dec)
    ny, nx = wcs.shape
    lattice = Lattice.sample(wcs)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-3, nx + 2, 500), rng.uniform(-3, ny + 2, 500)
    found = lattice.to_pixel(*wcs.to_sky(x, y))
    np.testing.assert_allclose(found, (x, y), rtol=0, atol=1e-6)


# --- the tangent plane
# ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(-1, 1), st.floats(-1, 1))
def test_tangent_plane_and_back(lon0, lat0, xi, eta):
    lon, lat = from_tangent_plane(xi, eta, lon0, lat0)
    assert 0 <= lon <= 360 and -90 <= lat <= 90
    if abs(lat) < 89.99:
        np.testing.assert_allclose(tangent_plane(lon, lat, lon0, lat0), (xi, eta), rtol=0, atol=1e-10)


def test_the_far_hemisphere_has_no_place_on_the_plane():
    xi, eta = tangent_plane(np.array([10.0, 190.0, 101.0]), np.array([0.0, 0.0, 0.0]), 10.0, 0.0)
    assert np.isfinite(xi).tolist() == [True, False, False] and np.isfinite(eta).tolist() == [
        True,
        False,
        False,
    ]


# --- files
# ------------------------------------------------------------------------------------------------------------


def save(path, **lattices):
    arrays = {}
    for name, lattice in lattices.items():
        key = name.replace("__", "/")
        arrays |= {f"{key}/{k}": v for k, v in lattice.arrays().items()}
    np.savez(path, **arrays)
    return path


def test_lattices_come_back_from_files(tmp_path, small):
    wcs, lattice, grid = small
    coarse = Lattice.sample(wcs, stepsize=20, order=1)
    files = LatticeFiles(
        [
            save(tmp_path / "a.npz", **{"m1/1/auto": lattice, "m1/1/20-1": coarse}),
            save(tmp_path / "b.npz", **{"m2/2/auto": lattice}),
        ]
    )
    frame = Frame("m1", 1, "g", wcs.shape, open_wcs=lambda: wcs)
    np.testing.assert_array_equal(
        files.pixmap(frame, grid, "auto", 3, TOLERANCE), from_lattice(lattice, grid)
    )
    np.testing.assert_array_equal(files.pixmap(frame, grid, 20, 1, TOLERANCE), from_lattice(coarse, grid))
    np.testing.assert_array_equal(
        files.pixmap(frame, grid, 20.0, 1, TOLERANCE, (3, 9)), from_lattice(coarse, grid, (3, 9))
    )
    np.testing.assert_array_equal(files.pixmap(frame, grid, 1, 1, TOLERANCE), exact(wcs, grid))
    second = Frame("m2", 2, "g", wcs.shape, open_wcs=lambda: pytest.fail("the exact WCS was opened"))
    np.testing.assert_array_equal(
        files.pixmap(second, grid, "auto", 3, TOLERANCE), from_lattice(lattice, grid)
    )


def test_lookup_tables_come_back_from_files(tmp_path):
    wcs = with_tables()
    lattice, grid = Lattice.sample(wcs), grid_of(wcs)
    files = LatticeFiles([save(tmp_path / "a.npz", **{"m/1/auto": lattice})])
    found = from_lattice(files.lattice("m", 1), grid, (500, 510))
    np.testing.assert_array_equal(found, from_lattice(lattice, grid, (500, 510)))


def test_exact_where_the_interpolation_is_not_good_enough(tmp_path, small, caplog):
    """The lattice was fit for its purpose, but this grid is finer (or the lattice's check says not a number)."""
    wcs, _, grid = small
    coarse = Lattice.sample(wcs, stepsize=64, order=1)
    broken = Lattice.sample(wcs)
    broken.check = broken.check.copy()
    broken.check[2, 0] = np.nan
    files = LatticeFiles([save(tmp_path / "a.npz", **{"m/1/auto": coarse, "m/2/auto": broken})])
    for extver in (1, 2):
        frame = Frame("m", extver, "g", wcs.shape, open_wcs=lambda: wcs)
        with caplog.at_level(logging.WARNING, "drizzleflow"):
            caplog.clear()
            found = files.pixmap(frame, grid, "auto", 3, 1e-9 if extver == 1 else TOLERANCE)
        np.testing.assert_array_equal(found, exact(wcs, grid))
        assert "exact WCS" in caplog.text


def test_names_of_steps():
    assert [step_name(*a) for a in (("auto", 3), (1, 1), (10, 3), (10.0, 1), (2.5, 3))] == [
        "auto",
        "auto",
        "10-3",
        "10-1",
        "2.5-3",
    ]
