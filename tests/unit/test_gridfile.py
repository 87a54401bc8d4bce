"""The grid as a GWCS in an ASDF file, which jwst takes for its output_wcs."""

import asdf
import gwcs
import numpy as np
import pytest
from astropy.io import fits
from test_grid import CASES, OPTIONS, fits_file, header_of, sky_of

from drizzleflow.errors import InputError
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.output_wcs import to_gwcs, write_asdf

GRID = Grid((200, 300), (10.0, 20.0), (150.25, 100.0), (-8e-6, 1e-6, 1e-6, 8e-6), 0.029, 0.9)
X, Y = np.array([0.0, 299.0, 33.3]), np.array([0.0, 199.0, 150.1])


def test_the_gwcs_is_the_grid():
    wcs = to_gwcs(GRID)
    assert isinstance(wcs, gwcs.WCS) and wcs.array_shape == GRID.shape and wcs.pixel_shape == (300, 200)
    np.testing.assert_allclose(wcs(X, Y), GRID.to_sky(X, Y), rtol=0, atol=1e-11)
    np.testing.assert_allclose(wcs.invert(*GRID.to_sky(X, Y)), (X, Y), rtol=0, atol=1e-6)
    assert np.isnan(wcs(-1.0, 5.0)).all()  # outside its bounding box


def test_the_file_has_what_the_peer_reads(tmp_path):
    write_asdf(GRID, tmp_path / "grid.asdf")
    with asdf.open(tmp_path / "grid.asdf", lazy_load=False) as tree:
        assert tree["array_shape"] == [200, 300] and tree["pixel_shape"] == [300, 200]
        assert tree["pixel_scale"] == GRID.pixel_scale and tree["pixel_area"] == GRID.pixel_area
        np.testing.assert_allclose(tree["wcs"](X, Y), GRID.to_sky(X, Y), rtol=0, atol=1e-11)


def test_the_same_bytes_again(tmp_path):
    for name in ("a.asdf", "b.asdf"):
        write_asdf(GRID, tmp_path / name)
    assert (tmp_path / "a.asdf").read_bytes() == (tmp_path / "b.asdf").read_bytes()


def test_our_file_is_an_output_wcs(tmp_path):
    """What a run wrote can be the grid of another: the same pixels."""
    write_asdf(GRID, tmp_path / "grid.asdf")
    again = build([{"pixel_area": GRID.pixel_area}], OPTIONS | {"output_wcs": str(tmp_path / "grid.asdf")})
    assert again.shape == GRID.shape and again.pixel_scale == GRID.pixel_scale and again.custom is None
    lon, lat = GRID.to_sky(X, Y)
    np.testing.assert_allclose(again.to_pixel(lon, lat), (X, Y), rtol=0, atol=1e-7)
    write_asdf(again, tmp_path / "again.asdf")
    with asdf.open(tmp_path / "again.asdf", lazy_load=False) as tree:
        np.testing.assert_allclose(tree["wcs"](X, Y), (lon, lat), rtol=0, atol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_a_users_projection(tmp_path, case, caplog):
    """A GWCS of the same sky positions, or none: never another place."""
    header = header_of(**CASES[case])
    grid = build(
        [{"pixel_area": 2.2e-14}], OPTIONS | {"output_wcs": fits_file(tmp_path / "ref.fits", header)}
    )
    write_asdf(grid, tmp_path / "grid.asdf")
    with asdf.open(tmp_path / "grid.asdf", lazy_load=False) as tree:
        assert ("wcs" in tree) == (case in ("TAN", "SIN"))
        if "wcs" in tree:
            np.testing.assert_allclose(
                tree["wcs"](X / 10, Y / 10), sky_of(header, X / 10, Y / 10), rtol=0, atol=1e-10
            )
            return
        again = fits.Header.fromstring(tree["fits_header"], sep="\n")
    assert "cannot be written as a GWCS" in caplog.text
    np.testing.assert_allclose(
        sky_of(again, X / 10, Y / 10), sky_of(header, X / 10, Y / 10), rtol=0, atol=1e-10
    )
    with pytest.raises(InputError, match=r"grid\.output_wcs"):
        to_gwcs(grid)
