"""DQ planes of every integer type that FITS has: read, and written into the flagged copy."""

import numpy as np
import pytest
from astropy.io import fits
from real_data import real_data

from drizzleflow import formats

KINDS = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8"]
FLAGS = [0, 1, 16, 64]
#: format -> (primary header, the bits of an outlier, those that the flags above gain by themselves)
FORMATS = {
    "hst": ({"TELESCOP": "HST", "EXPTIME": 10.0}, 4096),
    "jwst": ({"TELESCOP": "JWST", "EFFEXPTM": 10.0}, 17),
    "simple": ({"EXPTIME": 10.0}, 1 << 30),
}


def make(path, name, flags):
    data = np.ones(flags.shape, np.float32)
    hdus = [
        fits.PrimaryHDU(header=fits.Header(FORMATS[name][0])),
        fits.ImageHDU(data, fits.Header({"BUNIT": "ELECTRONS"}), name="SCI"),
        fits.ImageHDU(data, name="ERR"),
        fits.ImageHDU(flags, name="DQ"),
    ]
    fits.HDUList(hdus).writeto(path)
    return {"member": "a", "path": str(path), "group": "g", "format": name, "cube": False, "nframes": 1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_flags_of_any_type(tmp_path, name, kind):
    flags = np.zeros((5, 6), kind)
    flags[0, :4] = FLAGS
    if flags.itemsize == 2 and kind[0] == "i":
        flags[1, 1] = -32768  # bit 15
    member = make(tmp_path / "a.fits", name, flags)
    module, outlier = formats.get(name), FORMATS[name][1]
    header = fits.getheader(member["path"])
    assert formats.detect(header) == name
    module.describe(member["path"], header)
    before = formats.read(member, 1, ("data", "dq")).dq
    expected = np.zeros((5, 6), np.uint32)
    expected[0, :4] = FLAGS
    expected[1, 1] = 32768 * (flags[1, 1] < 0)
    assert before.dtype == np.uint32
    np.testing.assert_array_equal(before, expected)
    mask = np.zeros((5, 6), bool)
    mask[0, 2] = mask[4, 4] = True
    module.write_crf(member, {1: mask}, tmp_path / "a_crf.fits", {"S_OUTLIR": ("COMPLETE", "")})
    after = formats.read(member | {"path": str(tmp_path / "a_crf.fits")}, 1, ("dq",)).dq
    np.testing.assert_array_equal(after, expected | np.where(mask, np.uint32(outlier), np.uint32(0)))
    with fits.open(tmp_path / "a_crf.fits", uint=True) as hdus:
        wanted = {"u1": "int16", "i1": "int16", "u8": "int64"}.get(kind, np.dtype(kind).name)
        assert hdus["DQ"].data.dtype.name == (wanted if name == "hst" else "uint32")


@pytest.mark.parametrize("name", FORMATS)
def test_flags_beyond_32_bits_are_told(tmp_path, name):
    member = make(tmp_path / "a.fits", name, np.full((5, 6), 1 << 40))
    with pytest.raises(
        formats.InputError, match=r"a\.fits\[DQ.*\]: flags from 1099511627776 to .*, expected bits"
    ):
        formats.read(member, 1, ("dq",))


@pytest.mark.parametrize("file", ["ib6o23rtq_flt.fits", "ib6o23rwq_flt.fits"])
def test_real_flags_of_one_byte(tmp_path, file):
    """WFC3/IR files that somebody saved with planes of uint8: bit 4096 has no room in them."""
    path = real_data(f"odd_files/{file}")
    header = fits.getheader(path)
    told = formats.get("hst").describe(str(path), header)
    member = {"member": "m", "path": str(path), "group": told["group"], "format": "hst", "cube": False}
    dq = formats.read(member, 1, ("dq",)).dq
    stored = fits.getdata(path, "DQ")
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(dq, stored)
    mask = np.zeros(dq.shape, bool)
    mask[100:103, 200] = True
    formats.get("hst").write_crf(member, {1: mask}, tmp_path / "crf.fits", {"S_OUTLIR": ("COMPLETE", "")})
    with fits.open(tmp_path / "crf.fits", checksum=True) as hdus:
        assert hdus["DQ"].data.dtype.name == "int16" and hdus["DQ"].verify_datasum() == 1
        np.testing.assert_array_equal(hdus["DQ"].data, stored + 4096 * mask)
    again = formats.read(member | {"path": str(tmp_path / "crf.fits")}, 1, ("dq",)).dq
    np.testing.assert_array_equal(again & 4096 != 0, mask)
