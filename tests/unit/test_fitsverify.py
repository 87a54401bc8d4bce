"""checksum.py and fitsverify.py: FITS checksums against astropy's, and any flipped byte of a FITS file found."""

import io
import re

import asdf
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.io.checksum import sum32
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.io.fits_layout import walk
from drizzleflow.io.fits_verify import Sums, verify


def faults(content: bytes, piece: int = 2880 * 2) -> list[str]:
    """What is wrong with the bytes of a file, as the audit reads them."""
    try:
        sums = Sums(walk(io.BytesIO(content), "x.fits", len(content)))
    except InputError as error:
        return [str(error)]
    for start in range(0, len(content), piece):
        sums.update(content[start : start + piece])
    return [f"{unit.name}: {fault or keyword}" for unit, keyword, fault in sums.faults()]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A file with every kind of HDU: empty, image, table with a heap, compressed image; checksums by astropy."""
    path = tmp_path_factory.mktemp("fits") / "all.fits"
    rng = np.random.default_rng(2)
    image = rng.integers(-3000, 3000, (61, 47), dtype=np.int16)
    columns = [
        fits.Column("A", "D", array=rng.normal(size=3)),
        fits.Column("B", "PJ()", array=np.array([[1, 2], [3], [4, 5, 6]], dtype=object)),
        fits.Column("C", "12A", array=["END", "a", "b"]),
    ]
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(image, name="SCI"),
        fits.BinTableHDU.from_columns(columns, name="TAB"),
        fits.CompImageHDU(image, name="COMP"),
        fits.ImageHDU(name="EMPTY"),
    ]
    fits.HDUList(hdus).writeto(path, checksum=True)
    return path.read_bytes()


@given(words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50), start=st.integers(0, 2**32 - 1))
def test_sum_is_that_of_astropy(words, start):
    data = np.array(words, ">u4").tobytes()
    reference = fits.ImageHDU()._compute_checksum(np.frombuffer(data, np.uint8), start)
    assert sum32(data, start) == reference


@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_astropys_checksums_hold(good, pieces):
    assert faults(good, 2880 * pieces) == []


def test_our_own_hold(tmp_path):
    data = np.arange(7000, dtype=np.float32).reshape(70, 100)
    write_hdus(
        tmp_path / "x.fits", [(image_header(None, primary=True), None), (image_header(data, "SCI"), data)]
    )
    assert faults((tmp_path / "x.fits").read_bytes()) == [] == verify(tmp_path / "x.fits")


def test_any_flipped_bit_is_found(good):
    rng = np.random.default_rng(3)
    for place in {*rng.integers(0, len(good), 1500).tolist(), 0, len(good) - 1}:
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(0, 8))
        assert faults(bytes(bad)), place


def test_it_says_which(good, tmp_path):
    at = good.index(b"SCI  ") + 2880
    cases = [
        (good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], "SCI: the data are not those of DATASUM "),
        (good.replace(b"'TAB     '", b"'TUB     '"), "TUB: its header is not that of CHECKSUM"),
        (good.replace(b"DATASUM ", b"DUTASUM ", 1), "0: DATASUM"),
    ]
    for content, problem in cases:
        assert faults(content)[0].startswith(problem)
    path = tmp_path / "x.fits"
    path.write_bytes(cases[0][0])
    with pytest.raises(
        InputError, match=r"x\.fits\[SCI\]: the data are not those of DATASUM .*: the file is damaged"
    ):
        verify(path)
    path.write_bytes(cases[1][0])
    assert [warning.split("]: ")[1] for warning in verify(path)] == [
        "its header is not that of CHECKSUM: edited after it was written, or damaged"
    ]
    path.write_bytes(good.replace(b"DATASUM ", b"DUTASUM ").replace(b"CHECKSUM", b"CHICKSUM"))
    assert verify(path) == []  # nothing is stated


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "does not begin with SIMPLE"),
        (b"SIMPLE  =" + b" " * 2871, "cut short in the header of HDU 0"),
        (b"hello", "does not begin with SIMPLE"),
        (b"SIMPLE  =".ljust(80) + b"NAXIS   = x".ljust(80) + b"END".ljust(2720), "SIMPLE is not T"),
    ],
)
def test_what_is_no_fits(content, problem):
    assert problem in faults(content)[0]


def test_cut_short(good):
    assert "the file is cut short" in faults(good[: 2880 * 3])[0]
    assert faults(good[:-1])  # what is missing counts as zeros


def test_data_that_are_not_those_of_their_checksum(good, tmp_path):
    """An error that names what lets them pass, or a warning (`inputs.checksum`); ASDF likewise."""
    content = bytearray(good)
    with fits.open(io.BytesIO(good)) as hdus:
        content[hdus["SCI"].fileinfo()["datLoc"] + 7] ^= 1
    damaged = tmp_path / "x.fits"
    damaged.write_bytes(content)
    tree = {"roman": {"data": np.arange(100.0)}}
    asdf.AsdfFile(tree).write_to(tmp_path / "y.asdf", all_array_compression=None)
    assert formats.verify(tmp_path / "y.asdf") == []
    content = bytearray((tmp_path / "y.asdf").read_bytes())
    content[content.index(np.float64(99).tobytes())] ^= 1
    (tmp_path / "y.asdf").write_bytes(content)
    for path, words in (
        (damaged, r"x\.fits\[SCI.*\]: .*the file is damaged"),
        (tmp_path / "y.asdf", "block 0 is not that of"),
    ):
        with pytest.raises(InputError, match=rf"{words}.*; inputs\.checksum: warn uses it nevertheless"):
            formats.verify(path)
        (warning,) = formats.verify(path, "warn")
        assert re.search(rf"{words}.*; used nevertheless \(inputs\.checksum: warn\)", warning)
    (tmp_path / "cut.fits").write_bytes(good[:4000])
    with pytest.raises(InputError, match="cut short"):  # no choice
        formats.verify(tmp_path / "cut.fits", "warn")
