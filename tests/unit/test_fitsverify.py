"""checksum.py and fitsverify.py: FITS checksums against astropy's, and any flipped byte of a FITS file found."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.checksum import sum32
from drizzleflow.fitsio import image_header, write_hdus
from drizzleflow.fitsverify import Verifier


def verify(content: bytes, piece: int = 2880 * 2) -> list[str]:
    verifier = Verifier()
    for start in range(0, len(content), piece):
        verifier.update(content[start : start + piece])
    return verifier.close()


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
    assert verify(good, 2880 * pieces) == []


def test_our_own_hold(tmp_path):
    data = np.arange(7000, dtype=np.float32).reshape(70, 100)
    write_hdus(tmp_path / "x.fits", [(image_header(None, primary=True), None), (image_header(data, "SCI"), data)])
    assert verify((tmp_path / "x.fits").read_bytes()) == []


def test_any_flipped_bit_is_found(good):
    rng = np.random.default_rng(3)
    for place in {*rng.integers(0, len(good), 1500).tolist(), 0, len(good) - 1}:
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(0, 8))
        assert verify(bytes(bad)), place


def test_it_says_which(good):
    at = good.index(b"SCI  ") + 2880
    bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
    (problem,) = verify(bad)
    assert problem.startswith("HDU 1 (SCI): the data sum up to ")
    (problem,) = verify(good.replace(b"'TAB     '", b"'TUB     '"))
    assert problem == "HDU 2 (TUB): the header does not fit its CHECKSUM"
    (problem,) = verify(good.replace(b"DATASUM ", b"DUTASUM ", 1))
    assert problem == "HDU 0: no DATASUM or CHECKSUM"


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "HDU 0: cut short"),
        (b"SIMPLE  =" + b" " * 2871, "HDU 0: cut short"),
        (b"hello", "HDU 0: no header where one is expected"),
        (b"SIMPLE  = T" + b"\xff" * 5000, "HDU 0: no header where one is expected"),
        (b"SIMPLE  =".ljust(80) + b"NAXIS   = x".ljust(80) + b"END".ljust(2720), "HDU 0: its header does not say how long its data are"),
    ],
)  # fmt: skip
def test_what_is_no_fits(content, problem):
    assert verify(content) == [problem]


def test_cut_short_or_too_long(good):
    assert verify(good[:-1]) == ["HDU 4: cut short"]
    assert verify(good[: 2880 * 3]) == ["HDU 1 (SCI): cut short"]
    assert verify(good + b"\0" * 2880) == ["HDU 5: no header where one is expected"]
