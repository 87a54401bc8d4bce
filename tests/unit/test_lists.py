"""Text files with a line for each member: sky levels (AstroDrizzle's skyfile) and masks (its skymask_cat)."""

import numpy as np
import pytest
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.io.lists import read_sky_masks, read_skylist
from drizzleflow.sky.masks import sky_mask


def written(tmp_path, text, name="list.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


# -- levels


def test_levels(tmp_path):
    text = "# by hand\na_cal.fits 1.5\n\ndata/a_1_cal.fits  -2e-3  # low\nb 7 8.5\nelse.fits 3\n"
    assert read_skylist(written(tmp_path, text), ["a", "a_1", "b", "b"]) == {
        "a": [1.5],
        "a_1": [-0.002],
        "b": [7.0, 8.5],
    }


@pytest.mark.parametrize(
    "said, applied", [("# applied = yes", True), ("#applied=TRUE", True), ("# applied = no", False)]
)
def test_levels_that_are_subtracted_already(tmp_path, said, applied):
    path = written(tmp_path, f"{said}\na 1.5\nb 2 3\n")
    assert read_skylist(path, ["a", "b"]) == (
        {"a": [0.0], "b": [0.0, 0.0]} if applied else {"a": [1.5], "b": [2, 3]}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\n", "no level of b; expected a line 'name level' for each member"),
        ("a 1\nb two\n", "line 2 is 'b two', expected a member's name and its sky level"),
        ("a 1\nb nan\n", "line 2 is 'b nan'"),
        ("a 1\nb 1 x\n", "line 2 is 'b 1 x'"),
        ("a 1\nb\n", "line 2 is 'b'"),
        ("a 1\na.fits 2\nb 1\n", "line 2: a second level of a"),
        (None, "not a readable list of sky levels"),
    ],
)
def test_wrong_levels(tmp_path, text, message):
    path = tmp_path / "none.txt" if text is None else written(tmp_path, text)
    with pytest.raises(InputError, match=f"{path.name}.*{message}"):
        read_skylist(path, ["a", "b"])


# -- masks


@pytest.fixture
def masks(tmp_path):
    """m.fits: an image in the primary HDU, another in HDU 2; n.fits of another shape."""
    one, two = np.zeros((4, 6), np.uint8), np.ones((4, 6), np.int16)
    one[1:3] = 7
    two[0] = 0
    fits.HDUList([fits.PrimaryHDU(one), fits.BinTableHDU(), fits.ImageHDU(two)]).writeto(tmp_path / "m.fits")
    fits.writeto(tmp_path / "n.fits", np.ones((5, 6), np.uint8))
    return one != 0, two != 0


MEMBER = {"member": "a", "nframes": 2, "cube": False}


@pytest.mark.parametrize(
    "line", ["a_flt.fits m.fits, m.fits[2]", "a_flt.fits,m.fits,m.fits[2]", "a m.fits m.fits[2]"]
)
def test_masks(tmp_path, masks, line):
    path = (
        written(tmp_path, f"# masks\n{line}\nother x.fits\n") if "other" in line else written(tmp_path, line)
    )
    found = read_sky_masks(path, ["a", "b"])
    assert list(found) == ["a"]
    for extver, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(sky_mask(found["a"], MEMBER, extver, (4, 6)), mask)


def test_frames_without_a_mask(tmp_path, masks):
    found = read_sky_masks(written(tmp_path, "a None, m.fits\n"), ["a"])
    assert sky_mask(found["a"], MEMBER, 1, (4, 6)).all()
    np.testing.assert_array_equal(sky_mask(found["a"], MEMBER, 2, (4, 6)), masks[0])
    one = read_sky_masks(written(tmp_path, "a m.fits\n"), ["a"])
    assert sky_mask(one["a"], MEMBER, 2, (4, 6)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n", "line 1 is 'a', expected a member's name and its masks"),
        ("a gone.fits\n", r"line 1: .*gone\.fits: no such file"),
        ("a m.fits\na m.fits\n", "line 2: a second line of a"),
        ("a m.fits[1]\n", r"m\.fits: no image in HDU 1"),
        ("a n.fits\n", r"n\.fits\[0\]: shape \(5, 6\), expected \(4, 6\) as frame 1 of a has"),
        ("a m.fits,m.fits,m.fits\n", r"3 masks of a, which has 2 frame\(s\)"),
    ],
)
def test_wrong_masks(tmp_path, masks, text, message):
    with pytest.raises(InputError, match=message):
        sky_mask(read_sky_masks(written(tmp_path, text), ["a"])["a"], MEMBER, 1, (4, 6))
