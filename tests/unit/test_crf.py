"""crf: a changed copy of a FITS file, whose other bytes are the input's."""

import gzip
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from real_data import real_data

from drizzleflow.errors import InputError
from drizzleflow.io import fits as fitsio
from drizzleflow.io import fits_copy

REAL = [
    "wcs_assets/hst_uvis_sample_svm_flc_10x10.fits",
    "wcs_assets/astropy_j94f05bgq_flt.fits",
    "wcs_assets/reproject_image_with_distortion_map.fits",
    "decam_legacypipe/c4d_150411_035242_ood_z_ls9.N3.fits",
    "jwst_nircam_cutout/nircam_f444w_cutout_cal.fits",
    "jwst_miri_lrs_tso/ERS_NGTS10_2022_new_drift_041_calints.fits",
]


def opened(path):
    """Open with every checksum verified, raw (neither scaled nor decompressed)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        hdus = fits.open(path, checksum=True, disable_image_compression=True, memmap=False)
    for hdu in hdus:
        assert hdu.verify_datasum() == 1 and hdu.verify_checksum() == 1, hdu.name
    return hdus


def data_bytes(path):
    raw = Path(path).read_bytes()
    with fits.open(path, disable_image_compression=True) as hdus:
        info = [hdu.fileinfo() for hdu in hdus]
    return [raw[i["datLoc"] : i["datLoc"] + i["datSpan"]] for i in info]


def cards(header, ignore=("CHECKSUM", "DATASUM")):
    images = [str(card) for card in header.cards if card.keyword not in ignore]
    while images and not images[-1].strip():
        images.pop()
    return images


@pytest.fixture
def sample(tmp_path):
    """Unsigned and scaled images, a table, a compressed image, a long string, blanks at a header's end."""
    rng = np.random.default_rng(1)
    primary = fits.PrimaryHDU()
    primary.header["LONG"] = ("x" * 150, "a long string")
    primary.header["NEXTEND"] = (5, "extensions")
    for _ in range(40):
        primary.header.append(fits.Card(), end=True)
    scaled = fits.ImageHDU(rng.integers(-5, 5, (7, 9)).astype(np.int16), name="SCALED")
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.5, 3.0, -5
    table = fits.BinTableHDU.from_columns(
        [fits.Column("a", "3A", array=["abc", "d"]), fits.Column("b", "D", array=[1, 2])]
    )
    packed = fits.CompImageHDU(rng.normal(size=(40, 30)).astype(np.float32), name="PACKED")
    path = tmp_path / "in.fits"
    fits.HDUList(
        [
            primary,
            fits.ImageHDU(rng.normal(size=(5, 3)).astype(np.float32), name="SCI"),
            fits.ImageHDU(np.arange(15, dtype=np.uint16).reshape(5, 3), name="DQ"),
            scaled,
            table,
            packed,
        ]
    ).writeto(path)
    return path


@pytest.mark.parametrize("name", REAL)
def test_real_files_keep_their_bytes_and_cards(name, tmp_path):
    source, out = real_data(name), tmp_path / "out.fits"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits_copy.write(source, out, {}, primary_cards=[("S_OUTLIR", "COMPLETE", "outlier detection")])
    assert data_bytes(out) == data_bytes(source)
    with fits.open(source, disable_image_compression=True) as before, opened(out) as after:
        assert len(before) == len(after)
        for i, (old, new) in enumerate(zip(before, after, strict=True)):
            gained = ["S_OUTLIR"] if i == 0 else []
            assert cards(new.header, ("CHECKSUM", "DATASUM", *gained)) == cards(old.header)
        assert after[0].header["S_OUTLIR"] == "COMPLETE"


def test_changes_only_what_is_named(sample, tmp_path):
    out = tmp_path / "out.fits"
    dq = np.arange(15, dtype=np.uint32).reshape(5, 3) + (1 << 31)
    new = (fitsio.image_header(dq, "MORE", extver=2), dq)
    changes = {("DQ", 1): {"data": dq}, (1, 1): {"cards": [("BKGLEVEL", 1.5, "sky")]}}
    fits_copy.write(
        sample,
        out,
        changes,
        primary_cards=[("LONG", "short", "now"), ("PROVX", "y" * 100, "z")],
        append=[new],
    )
    before, after = data_bytes(sample), data_bytes(out)
    assert [a == b for a, b in zip(before, after[:-1], strict=True)] == [True, True, False, True, True, True]
    with opened(out) as hdus:
        assert hdus[0].header["LONG"] == "short" and hdus[0].header["PROVX"] == "y" * 100
        assert hdus[0].header["NEXTEND"] == 6
        assert "xxx" not in hdus[0].header.tostring()  # nothing of the long string is left
        assert hdus["SCI"].header["BKGLEVEL"] == 1.5
    with fits.open(out) as hdus:
        np.testing.assert_array_equal(hdus["DQ"].data, dq)
        np.testing.assert_array_equal(hdus["MORE", 2].data, dq)
        assert hdus["PACKED"].data.shape == (40, 30)


def test_new_data_in_a_scaled_and_in_a_compressed_image(sample, tmp_path):
    out = tmp_path / "out.fits"
    whole = np.arange(63, dtype=np.int16).reshape(7, 9)
    flags = np.ones((40, 30), np.uint8)
    fits_copy.write(sample, out, {("SCALED", 1): {"data": whole}, ("PACKED", 1): {"data": flags}})
    with opened(out) as hdus:
        for key, data in (("SCALED", whole), ("PACKED", flags)):
            assert hdus[key].data.dtype.name == data.dtype.name
            np.testing.assert_array_equal(hdus[key].data, data)
        assert "BLANK" not in hdus["SCALED"].header and "ZIMAGE" not in hdus["PACKED"].header


def test_constant_plane_becomes_an_image(tmp_path):
    header = fits.Header({"PIXVALUE": 7, "NPIX1": 4, "NPIX2": 3, "KEEP": 1})
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(header=header, name="DQ")]).writeto(tmp_path / "in.fits")
    data = np.arange(12, dtype=np.int16).reshape(3, 4)
    fits_copy.write(tmp_path / "in.fits", tmp_path / "out.fits", {("DQ", 1): {"data": data}})
    with opened(tmp_path / "out.fits") as hdus:
        np.testing.assert_array_equal(hdus["DQ"].data, data)
        assert "PIXVALUE" not in hdus["DQ"].header and hdus["DQ"].header["KEEP"] == 1


def test_gzip_input_same_as_plain(sample, tmp_path):
    packed = tmp_path / "in.fits.gz"
    packed.write_bytes(gzip.compress(sample.read_bytes()))
    for source, out in ((sample, "a"), (packed, "b")):
        fits_copy.write(source, tmp_path / out, {("SCI", 1): {"cards": [("BKGSUB", False, "")]}})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_clear_message(sample, tmp_path):
    out = tmp_path / "out.fits"
    with pytest.raises(InputError, match=r"in.fits\[NOPE,1\]: no such extension"):
        fits_copy.write(sample, out, {("NOPE", 1): {}})
    with pytest.raises(InputError, match="replace its own input"):
        fits_copy.write(sample, sample, {})
    with pytest.raises(InputError, match="no such file"):
        fits_copy.write(tmp_path / "none.fits", out, {})
    cut = tmp_path / "cut.fits"
    whole = tmp_path / "whole.fits"
    fits.PrimaryHDU(np.zeros((100, 100), np.float32)).writeto(whole)
    cut.write_bytes(whole.read_bytes()[:-8000])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match="cut short"):
            fits_copy.write(cut, out, {})
    assert not out.exists() and not [n for n in os.listdir(tmp_path) if ".tmp-" in n]


def test_encode_is_the_conventions_own():
    """Against astropy's encoder, on 2,000 values that meet the excluded characters."""
    hdu = fits.PrimaryHDU()
    rng = np.random.default_rng(5)
    for value in [0, 1, 0xFFFFFFFF, *map(int, rng.integers(0, 1 << 32, 2000))]:
        assert fitsio._encode(~value & 0xFFFFFFFF) == hdu._char_encode(np.uint32(~value & 0xFFFFFFFF))


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", ">u2", "i4", "u4", ">u4", "f4", ">f4", "f8"])
def test_arrays_of_all_types_come_back(dtype, tmp_path):
    data = np.arange(35).reshape(5, 7).astype(dtype)
    fitsio.write_hdus(
        tmp_path / "a.fits",
        [
            (fitsio.image_header(None, primary=True), None),
            (fitsio.image_header(data.astype(dtype.strip(">")), "X"), data),
        ],
    )
    with opened(tmp_path / "a.fits"):
        pass
    with fits.open(tmp_path / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus["X"].data, data)
