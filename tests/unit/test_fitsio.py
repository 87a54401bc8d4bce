"""FITS in and out: checksums, atomic writes, the same bytes for the same content."""

import os
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.io import files
from drizzleflow.io import fits as fitsio
from drizzleflow.io.fits import image_header, open_fits, plane, write_hdus

DTYPES = ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"]


def verified(path):
    """Open with astropy, every checksum verified."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hdus = fits.open(path, checksum=True, memmap=False)
        for hdu in hdus:
            assert hdu.verify_datasum() == 1 and hdu.verify_checksum() == 1, hdu.name
            hdu.verify("exception")
    return hdus


def write(path, arrays, primary=()):
    hdus = [(image_header(None, primary=True, cards=primary), None)]
    write_hdus(path, hdus + [(image_header(a, f"E{i}", extver=i + 1), a) for i, a in enumerate(arrays)])


def sample(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    if dtype[0] == "f":
        array = (rng.normal(size=shape) * 10.0 ** rng.integers(-20, 20, shape)).astype(dtype)
        array[rng.random(shape) < 0.1] = np.nan
        return array
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 4), (100, 123), (0, 4)])
def test_every_dtype_comes_back_with_good_checksums(tmp_path, dtype, shape):
    array = sample(dtype, shape)
    before = array.copy()
    write(tmp_path / "a.fits", [array])
    np.testing.assert_array_equal(array, before)
    assert os.path.getsize(tmp_path / "a.fits") % 2880 == 0
    with verified(tmp_path / "a.fits") as hdus:
        assert (hdus[1].name, hdus[1].ver) == ("E0", 1)
        if array.size:
            assert hdus[1].data.dtype.newbyteorder("=") == array.dtype and hdus[1].data.shape == shape
            np.testing.assert_array_equal(hdus[1].data, array)


@pytest.mark.parametrize("change", [lambda a: a.astype(">f4"), lambda a: a[::2, ::-1], np.asfortranarray])
def test_arrays_of_any_layout(tmp_path, change):
    array = change(sample("f4", (20, 30)))
    write(tmp_path / "a.fits", [array])
    with verified(tmp_path / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus[1].data, array)


# astropy misreads a doubled quote that is followed by a slash
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'"), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=6000), st.integers(0, 30), TEXT)
def test_checksums_of_any_bytes(tmp_path_factory, content, cards, text):
    """Data units of any length, headers of one block and more."""
    path = tmp_path_factory.mktemp("x") / "a.fits"
    array = np.frombuffer(content, "u1")
    more = [(f"KEY{i}", i / 7, text[:20]) for i in range(cards)] + [("TEXT", text, "")]
    write(path, [array], more)
    with verified(path) as hdus:
        assert (hdus[1].data is None and not len(content)) or hdus[1].data.tobytes() == content
        assert hdus[0].header["TEXT"] == text.rstrip()


def test_a_checksum_notices_one_bit(tmp_path):
    path = tmp_path / "a.fits"
    write(path, [sample("f4", (30, 30))])
    raw = bytearray(path.read_bytes())
    raw[-2000] ^= 1
    path.write_bytes(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, checksum=True) as hdus:
            assert hdus[1].verify_datasum() == 0


def test_bytes_are_copied_as_they_are(tmp_path):
    array = np.arange(10, dtype=">i2")
    header = image_header(array.astype("i2"), "RAW")
    write_hdus(tmp_path / "a.fits", [(image_header(None, primary=True), None), (header, array.tobytes())])
    with verified(tmp_path / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus["RAW"].data, np.arange(10))


def test_long_strings_and_odd_values(tmp_path):
    cards = [
        ("LONG", "x" * 200, "long"),
        ("NOTHING", None, ""),
        ("TRUTH", True, ""),
        ("TINY", 1e-300, ""),
        ("WHOLE", 1 << 40, ""),
    ]
    write(tmp_path / "a.fits", [], cards)
    with verified(tmp_path / "a.fits") as hdus:
        header = hdus[0].header
        assert (
            header["LONG"] == "x" * 200
            and header["TRUTH"] is True
            and header["TINY"] == 1e-300
            and header["WHOLE"] == 1 << 40
        )


def test_the_same_content_gives_the_same_bytes(tmp_path, monkeypatch):
    """Whatever the clock, the folder or the process says: nothing of them is in the file."""
    import time

    write(tmp_path / "a.fits", [sample("f4", (9, 9)), sample("u4", (9, 9))])
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    write("b.fits", [sample("f4", (9, 9)), sample("u4", (9, 9))])
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "else" / "b.fits").read_bytes()
    with fits.open("b.fits") as hdus:
        assert all("DATE" not in hdu.header for hdu in hdus)


# --- whole or not at all
# ----------------------------------------------------------------------------------------------


def test_an_exception_leaves_nothing(tmp_path):
    def broken():
        yield image_header(None, primary=True), None
        yield image_header(np.ones((500, 500)), "A"), np.ones((500, 500))
        raise RuntimeError("interrupted")

    for content in (None, b"what was there"):
        path = tmp_path / "a.fits"
        if content:
            path.write_bytes(content)
        with pytest.raises(RuntimeError, match="interrupted"):
            write_hdus(path, broken())
        assert os.listdir(tmp_path) == (["a.fits"] if content else [])
        assert content is None or path.read_bytes() == content


def test_a_killed_writers_leftovers_are_removed(tmp_path):
    (tmp_path / ".a.fits.tmp-12345").write_bytes(b"half")
    (tmp_path / ".b.fits.tmp-12345").write_bytes(b"another file's")
    write(tmp_path / "a.fits", [])
    assert sorted(os.listdir(tmp_path)) == [".b.fits.tmp-12345", "a.fits"]


def test_names_with_wildcards_and_new_folders(tmp_path):
    path = tmp_path / "new [1]" / "a*[x]?.txt"
    files.write_text(path, "one\n")
    files.write_text(path, "two\n")
    assert path.read_text() == "two\n" and os.listdir(path.parent) == [path.name]


def test_nobody_sees_half_a_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.replacing(path) as temporary:
        with open(temporary, "w") as out:
            out.write("new")
        assert path.read_text() == "old" and os.path.dirname(temporary) == str(tmp_path)
    assert path.read_text() == "new"


def test_fingerprint(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    found = files.fingerprint(tmp_path / "a")
    assert found == {
        "path": str(tmp_path / "a"),
        "size": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


# --- reading
# ----------------------------------------------------------------------------------------------------------


def test_open_fits_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"gone\.fits: no such file"):
        open_fits(tmp_path / "gone.fits")
    (tmp_path / "text.fits").write_text("hello")
    with pytest.raises(InputError, match=r"text\.fits: not a readable FITS file"):
        open_fits(tmp_path / "text.fits")


def test_planes_are_native_and_contiguous(tmp_path):
    cube = sample("f4", (3, 4, 5))
    flags = sample("u4", (4, 5))
    write(tmp_path / "a.fits", [cube, flags])
    with open_fits(tmp_path / "a.fits") as hdus:
        whole = plane(hdus, "E0", np.float32, "a.fits")
        one = plane(hdus, "E0", np.float32, "a.fits", 1)
        some = plane(hdus, "E0", np.float32, "a.fits", 1, (1, 3))
        bits = plane(hdus, ("E1", 2), np.uint32, "a.fits")
        few = plane(hdus, ("E1", 2), np.uint32, "a.fits", rows=(2, 4))
    for found, expected in (
        (whole, cube),
        (one, cube[1]),
        (some, cube[1, 1:3]),
        (bits, flags),
        (few, flags[2:4]),
    ):
        assert found.dtype.isnative and found.flags.c_contiguous and found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_planes_that_are_not_there(tmp_path):
    path = tmp_path / "a.fits"
    write(path, [sample("f4", (40, 50))])
    with open_fits(path) as hdus:
        with pytest.raises(InputError, match=r"a\.fits\[DQ\]: no such extension"):
            plane(hdus, "DQ", np.uint32, "a.fits")
        with pytest.raises(InputError, match=r"a\.fits\[0\]: the extension has no data"):
            plane(hdus, 0, np.float32, "a.fits")
    path.write_bytes(path.read_bytes()[:-5760])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_fits(path) as hdus, pytest.raises(InputError, match=r"a\.fits\[E0\]: cannot be read"):
            plane(hdus, "E0", np.float32, "a.fits")


def test_write_text_is_found_here_too():
    assert fitsio.write_text is files.write_text
