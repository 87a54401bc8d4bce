"""Images of a window of the grid, read in sections."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from drizzleflow.errors import InputError
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed, cards, union
from drizzleflow.geometry.grid import Grid
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.resample.single import SingleImage

GRID = Grid((100, 120), (150.0, 2.0), (60.0, 50.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036)


@pytest.fixture
def single(tmp_path):
    rng = np.random.default_rng(0)
    sci, wht = rng.normal(size=(2, 30, 40)).astype(np.float32)
    path = tmp_path / "g1_outlier_i2d.fits"
    SingleImage(sci, wht, Window(10, 50, -5, 25), "MJy/sr", GRID).write(path)
    return path, sci, wht


def test_open_and_read(single):
    path, sci, wht = single
    image = Windowed.open(path)
    assert (image.shape, image.origin, image.window, image.unit) == (
        (30, 40),
        (10, -5),
        (10, 50, -5, 25),
        "MJy/sr",
    )
    for name, plane in (("SCI", sci), ("WHT", wht)):
        found = image.read(name, 3, 17)
        assert (
            found.dtype == np.float32
            and found.dtype.isnative
            and found.flags.c_contiguous
            and found.flags.writeable
        )
        np.testing.assert_array_equal(found, plane[3:17])
    assert image.read("SCI", 4, 4).shape == (0, 40)


def test_header_of_a_window(single):
    """Any viewer finds the pixels on the sky: the window's WCS is the grid's."""
    path, sci, _ = single
    with fits.open(path, checksum=True) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "SCI", "WHT"]
        assert (hdus["SCI"].header["WINX0"], hdus["SCI"].header["WINY0"]) == (10, -5)
        assert hdus["SCI"].header["BUNIT"] == "MJy/sr" and "BUNIT" not in hdus["WHT"].header
        for name in ("SCI", "WHT"):
            lon, lat = WCS(hdus[name].header).all_pix2world([0.0, 39.0], [0.0, 29.0], 0)
            np.testing.assert_allclose(
                (lon, lat), GRID.to_sky([10.0, 49.0], [-5.0, 24.0]), rtol=0, atol=1e-12
            )
        np.testing.assert_array_equal(hdus["SCI"].data, sci)


def test_the_mean_weight_is_kept(tmp_path):
    wht = np.full((4, 4), 2.5, np.float32)
    SingleImage(wht, wht, Window.placed((4, 4)), "").write(tmp_path / "a.fits")
    SingleImage(wht, 0 * wht, Window.placed((4, 4)), "").write(tmp_path / "b.fits")
    assert Windowed.open(tmp_path / "a.fits").mean_weight == 2.5
    assert np.isnan(Windowed.open(tmp_path / "b.fits").mean_weight)


@pytest.mark.parametrize(
    ("hdus", "message"),
    [
        ([("SCI", np.zeros((3, 4), np.float32))], "WHT.*no such extension"),
        ([("SCI", np.zeros((3, 4), np.float64)), ("WHT", np.zeros((3, 4), np.float32))], "SCI.*float32"),
        ([("SCI", np.zeros((3, 4), np.float32)), ("WHT", np.zeros((4, 3), np.float32))], "WHT.*shape"),
        (
            [("SCI", np.zeros((2, 3, 4), np.float32)), ("WHT", np.zeros((3, 4), np.float32))],
            "SCI.*float32 image",
        ),
    ],
)
def test_another_file_is_refused(tmp_path, hdus, message):
    path = tmp_path / "x.fits"
    write_hdus(path, [(image_header(None, primary=True), None), *((image_header(d, n), d) for n, d in hdus)])
    with pytest.raises(InputError, match=message):
        Windowed.open(path)


def test_a_file_that_is_cut_short(single):
    path, *_ = single
    image = Windowed.open(path)
    path.write_bytes(path.read_bytes()[: image.offsets["WHT"] + 100])
    assert image.read("SCI", 0, 30).shape == (30, 40)
    with pytest.raises(InputError, match=r"WHT\]: the file is cut short"):
        image.read("WHT", 0, 30)


def test_the_part_that_a_pixel_map_touches(single):
    path, sci, _ = single
    image = Windowed.open(path)  # grid columns 10..49, rows -5..24
    y, x = np.mgrid[:5, :6].astype(float)
    window = image.touched(np.stack([x + 20.3, y + 10.6], axis=-1), margin=3)
    assert window == (17, 30, 7, 19)
    section = image.cut("SCI", window)
    assert section.flags.c_contiguous
    np.testing.assert_array_equal(section, sci[7 + 5 : 19 + 5, 17 - 10 : 30 - 10])
    window = image.touched(np.stack([x + 8, y - 7], axis=-1), margin=3)  # over a corner
    assert window == (10, 17, -5, 1)
    np.testing.assert_array_equal(image.cut("SCI", window), sci[:6, :7])
    for nothing in (np.full((5, 6, 2), np.nan), np.stack([x + 500, y], axis=-1)):
        assert image.cut("SCI", image.touched(nothing)).size == 0
    partly = np.stack([x + 20, y + 10], axis=-1)
    partly[0] = np.nan
    assert image.touched(partly, margin=3)[::2] == (17, 8)


def test_union():
    images = [SimpleNamespace(window=Window(*w)) for w in ((0, 5, 2, 9), (-3, 2, 4, 20), (1, 4, 5, 6))]
    assert union(images) == (-3, 5, 2, 20)


def test_cards_without_a_grid():
    assert [c[:2] for c in cards(Window(1, 2, 3, 4), "e-/s")] == [
        ("WINX0", 1),
        ("WINY0", 3),
        ("BUNIT", "e-/s"),
    ]
