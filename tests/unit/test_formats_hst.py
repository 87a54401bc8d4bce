"""HST _flt/_flc: planes, units and the WCS with its lookup tables."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from real_data import real_data

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.formats import hst

UVIS = "wcs_assets/hst_uvis_sample_svm_flc_10x10.fits"
TAN = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 10.0,
    "CRVAL2": -20.0,
    "CRPIX1": 4.0,
    "CRPIX2": 3.0,
    "CD1_1": -1e-5,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 1e-5,
}
PRIMARY = {
    "TELESCOP": "HST",
    "INSTRUME": "ACS",
    "DETECTOR": "WFC",
    "ROOTNAME": "JABC01XYQ",
    "EXPTIME": 500.0,
    "EXPSTART": 55000.0,
    "EXPEND": 55000.01,
    "FILTER1": "CLEAR1L",
    "FILTER2": "F814W",
    "OBSTYPE": "IMAGING",
    "ATODGNA": 2.0,
    "ATODGNB": 0.0,
    "ATODGNC": 4.0,
    "ATODGND": 0.0,
    "READNSEA": 5.0,
    "READNSEB": 0.0,
    "READNSEC": 7.0,
    "READNSED": 0.0,
    "NEXTEND": 8,
}


def make(path, unit="ELECTRONS", vers=(1, 2), dq=True, **primary):
    """Two chips of 6 x 8, with tables and other HDUs between them."""
    rng = np.random.default_rng(3)
    hdus = [fits.PrimaryHDU(header=fits.Header(PRIMARY | primary))]
    for ver in vers:
        header = fits.Header(TAN | {"BUNIT": unit, "MDRIZSKY": 3.5 * ver, "CCDCHIP": 3 - ver})
        hdus.append(fits.ImageHDU(rng.normal(size=(6, 8)).astype(np.float32), header, name="SCI", ver=ver))
        hdus.append(fits.ImageHDU(np.full((6, 8), ver, np.float32), name="ERR", ver=ver))
        if dq:
            flags = np.zeros((6, 8), np.int16)
            flags[0, :3] = -32768, 16, 4096
            hdus.append(fits.ImageHDU(flags, name="DQ", ver=ver))
    hdus.append(fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1, 2])], name="WCSCORR"))
    hdus.append(fits.ImageHDU(name="SAMP"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return {"member": "jabc01xy", "path": str(path), "group": "jabc01xyq", "format": "hst", "cube": False}


def test_describe(tmp_path):
    member = make(tmp_path / "jabc01xyq_flc.fits")
    header = fits.getheader(member["path"])
    assert formats.detect(header) == "hst"
    assert hst.describe(member["path"], header) == {
        "group": "jabc01xyq",
        "nframes": 2,
        "cube": False,
        "nx": 8,
        "ny": 6,
        "instrument": "ACS",
        "detector": "WFC",
        "exp_type": "IMAGING",
        "filter": "F814W",
        "exptime": 500.0,
        "unit": "ELECTRONS",
        "dispersed": False,
        "err": True,
        "dq": None,
        "apart": False,
    }


def test_planes(tmp_path):
    member = make(tmp_path / "a_flc.fits")
    frame = formats.read(member, 2, ("data", "err", "dq", "var"))
    with fits.open(member["path"]) as hdus:
        np.testing.assert_array_equal(frame.data, hdus["SCI", 2].data)
    for plane, dtype in ((frame.data, np.float32), (frame.err, np.float32), (frame.dq, np.uint32)):
        assert (
            plane.dtype == dtype
            and plane.dtype.isnative
            and plane.flags.c_contiguous
            and plane.shape == (6, 8)
        )
    assert (frame.err == 2).all()
    assert frame.dq[0, :4].tolist() == [32768, 16, 0, 0]  # bit 15, not a sign; 4096 is found anew
    assert (frame.level, frame.subtracted, frame.exposure_time) == (7.0, False, 500.0)
    assert (frame.start_time, frame.end_time) == (55000.0, 55000.01)
    assert hst.read(member, 1, ("dq",)).data is None


@pytest.mark.parametrize(
    "unit, gain, factor, noise",
    [
        ("ELECTRONS", 1.0, 1 / 500, 6.0),
        ("ELECTRONS/S", 1.0, 1.0, 6 / 500),
        ("COUNTS", 3.0, 3 / 500, 2.0),
        ("COUNTS/S", 3.0, 3.0, 6 / 3 / 500),
    ],
)
def test_units_gain_and_read_noise(tmp_path, unit, gain, factor, noise):
    frame = hst.read(make(tmp_path / "a_flt.fits", unit), 1, ("var",))
    assert (frame.gain, frame.readnoise, frame.unit) == (gain, 6.0, unit)  # unused amplifiers do not count
    assert frame.rate_factor == pytest.approx(factor)
    np.testing.assert_allclose(frame.var["rnoise"], noise**2, rtol=1e-6)


def test_what_is_missing(tmp_path):
    bare = make(tmp_path / "b_flt.fits", dq=False, READNSEA=0.0, READNSEC=0.0)
    frame = hst.read(bare, 1, ("dq", "var"))
    assert frame.dq is None and frame.readnoise is None and frame.var == {}
    with pytest.raises(InputError, match=r"a_flt.fits\[SCI,1\]: BUNIT 'ERGS', expected"):
        hst.read(make(tmp_path / "a_flt.fits", "ERGS"), 1)
    with pytest.raises(InputError, match="no frame 3"):
        hst.read(make(tmp_path / "a_flt.fits"), 3)
    fits.PrimaryHDU(header=fits.Header(PRIMARY)).writeto(tmp_path / "spt.fits")
    with pytest.raises(InputError, match="no SCI extension"):
        hst.describe(str(tmp_path / "spt.fits"), fits.Header(PRIMARY))


def test_crf_gains_the_bit_and_nothing_else(tmp_path):
    member = make(tmp_path / "a_flc.fits")
    mask = np.zeros((6, 8), bool)
    mask[2, 3] = mask[0, 0] = True
    out = tmp_path / "a_crf.fits"
    keywords = {"S_OUTLIR": ("COMPLETE", "outliers"), "BKGLEVEL": ({1: 0.5, 2: 0.25}, "sky")}
    hst.write_crf(member, {1: mask, 2: ~mask}, out, keywords)
    with fits.open(member["path"]) as before, fits.open(out, checksum=True) as after:
        assert [(h.name, h.ver) for h in before] == [(h.name, h.ver) for h in after]
        for old, new in zip(before, after, strict=True):
            assert new.verify_checksum() == 1 and new.verify_datasum() == 1
            if old.name != "DQ" and old.data is not None:
                assert old.data.tobytes() == new.data.tobytes()
        assert after["DQ", 1].data.dtype.name == "int16"
        expected = np.where(mask, before["DQ", 1].data | 4096, before["DQ", 1].data & ~4096)
        np.testing.assert_array_equal(after["DQ", 1].data, expected)
        assert after[0].header["S_OUTLIR"] == "COMPLETE"
        assert [after["SCI", v].header["BKGLEVEL"] for v in (1, 2)] == [0.5, 0.25]
        assert "BKGLEVEL" not in after[0].header
    again = hst.read(member | {"path": str(out)}, 1, ("dq",))
    assert again.dq[2, 3] == 4096 and again.dq[0, 0] == 32768 + 4096


@pytest.mark.parametrize("value, flags", [(None, 0), (16, 16), (-32768, 32768)])
def test_a_constant_plane_of_flags(tmp_path, value, flags):
    path = tmp_path / "a_flt.fits"
    make(path, vers=(1,), dq=False)
    cards = {"NPIX1": 8, "NPIX2": 6} | ({} if value is None else {"PIXVALUE": value})
    fits.append(path, None, fits.Header({"XTENSION": "IMAGE", "EXTNAME": "DQ", "EXTVER": 1} | cards))
    frame = hst.read({"member": "a", "path": str(path), "group": "g", "cube": False}, 1, ("dq",))
    assert frame.dq.dtype == np.uint32 and (frame.dq == flags).all() and frame.dq.shape == (6, 8)


def test_constant_planes_and_nonstandard_hdus():
    """Real headers: HDRLET and tables among the chips; a file whose ERR and DQ are headers alone."""
    for path in map(real_data, (UVIS, "wcs_assets/astropy_j94f05bgq_flt.fits")):
        header = fits.getheader(path)
        told = hst.describe(str(path), header)
        assert told["nframes"] == 2 and hst.recognise(header)
        member = {"member": "m", "path": str(path), "group": told["group"], "cube": False}
        for extver in (1, 2):
            frame = hst.read(member, extver, ("data", "err", "dq", "var"))
            assert frame.dq.shape == frame.data.shape == frame.shape
    assert frame.err is None  # NAXIS = 0 and no PIXVALUE


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """The real header on full chips; its cut tables continued by reflection to their full 65 x 33 nodes."""
    path = tmp_path_factory.mktemp("uvis") / "full_flc.fits"
    with fits.open(real_data(UVIS)) as source:
        hdus = [source[0].copy()]
        for hdu in source[1:]:
            if hdu.name == "SCI":
                hdus.append(fits.ImageHDU(np.zeros((2051, 4096), np.float32), hdu.header))
            elif hdu.name in ("WCSDVARR", "D2IMARR"):
                table = np.pad(hdu.data, ((0, 23), (0, 55)), mode="reflect").astype(np.float32)
                hdus.append(fits.ImageHDU(table, hdu.header))
        fits.HDUList(hdus).writeto(path)
    return {"member": "m", "path": str(path), "group": "g", "cube": False}


@pytest.mark.parametrize("extver", [1, 2])
def test_smooth_plus_bilinear_is_the_full_wcs(full_size, extver):
    """Measured: 1.4e-5 px (chip 1), 4.6e-5 px (chip 2); nodes displaced by one pixel: over 1e-3 px."""
    wcs = hst.read(full_size, extver, ()).wcs
    with fits.open(full_size["path"]) as hdus:
        plain = WCS(hdus["SCI", extver].header, hdus)

    def focal(sky):
        return np.array(plain.wcs_world2pix(*sky, 0))

    def error(kx, ky):
        grid = np.meshgrid(kx, ky)
        step = focal(wcs.to_sky(*grid)) - focal(wcs.smooth(*grid))
        i = np.clip(np.searchsorted(kx, x) - 1, 0, len(kx) - 2)
        j = np.clip(np.searchsorted(ky, y) - 1, 0, len(ky) - 2)
        u, v = (x - kx[i]) / (kx[i + 1] - kx[i]), (y - ky[j]) / (ky[j + 1] - ky[j])
        low = step[:, j, i] * (1 - u) + step[:, j, i + 1] * u
        high = step[:, j + 1, i] * (1 - u) + step[:, j + 1, i + 1] * u
        return np.abs(tables - low * (1 - v) - high * v).max()

    rng = np.random.default_rng(1)
    x, y = rng.uniform(-0.5, 4095.5, 30000), rng.uniform(-0.5, 2050.5, 30000)
    tables = focal(wcs.to_sky(x, y)) - focal(wcs.smooth(x, y))
    kx, ky = wcs.kinks
    assert (kx[0], kx[-1], ky[0], ky[-1]) == (-0.5, 4095.5, -0.5, 2050.5)
    assert np.abs(tables).max() > 0.03
    assert error(kx, ky) < 1e-4
    assert error(kx + 1, ky + 1) > 1e-3


def test_inverse_and_orientation(full_size):
    wcs = hst.read(full_size, 1, ()).wcs
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 4095, (20, 30)), rng.uniform(0, 2050, (20, 30))
    lon, lat = wcs.to_sky(x, y)
    assert lon.shape == (20, 30)
    back = wcs.to_pixel(lon, lat)
    assert np.abs(back[0] - x).max() < 1e-5 and np.abs(back[1] - y).max() < 1e-5
    orientat = fits.getheader(real_data(UVIS), ("SCI", 1))[
        "ORIENTAT"
    ]  # position angle of y, written by the pipeline
    assert wcs.info["pa_y"] == pytest.approx(orientat, abs=1e-4) and wcs.info["vparity"] == -1
    lost = wcs.to_pixel(np.array([0.0, lon[0, 0]]), np.array([10.0, lat[0, 0]]))
    assert np.isnan(lost[0][0]) and lost[0][1] == pytest.approx(x[0, 0], abs=1e-4)


def test_the_pixel_that_flat_fields_refer_to(tmp_path):
    """IDCSCALE, one for both chips: by their WCS the chips of ACS/WFC differ by 5 % in area."""
    scales = {}
    for idcscale in (None, 0.05):
        member = make(tmp_path / f"{idcscale}_flt.fits")
        with fits.open(member["path"], mode="update") as hdus:
            for chip, factor in ((1, 1.0), (2, 0.95)):
                for key in ("CD1_1", "CD2_2"):
                    hdus["SCI", chip].header[key] *= factor
                if idcscale:
                    hdus["SCI", chip].header["IDCSCALE"] = idcscale
        scales[idcscale] = [
            np.degrees(np.sqrt(hst.read(member, chip, ()).pixelarea_steradians)) * 3600 for chip in (1, 2)
        ]
    np.testing.assert_allclose(scales[0.05], 0.05)
    assert scales[None][1] == pytest.approx(0.95 * scales[None][0])


def test_the_reads_of_a_ramp_are_no_chips(tmp_path):
    member = make(tmp_path / "iabc_ima.fits")
    with fits.open(member["path"], mode="update") as hdus:
        for ver in (1, 2):
            hdus["SCI", ver].header["SAMPNUM"] = ver
    message = r"iabc_ima\.fits: its 2 SCI extensions are the reads of one ramp \(an _ima file\), not chips; expected"
    with pytest.raises(InputError, match=message):
        hst.describe(member["path"], fits.getheader(member["path"]))
    one = make(tmp_path / "iabc_flt.fits", vers=(1,))
    with fits.open(one["path"], mode="update") as hdus:
        hdus["SCI", 1].header["SAMPNUM"] = 7  # the number of reads behind it
    assert hst.describe(one["path"], fits.getheader(one["path"]))["nframes"] == 1


def test_real_reads_of_a_ramp():
    path = real_data("odd_files/iccz11q4q_ima.fits")
    with pytest.raises(InputError, match=r"are the reads of one ramp .* expected the calibrated image, _flt"):
        hst.describe(str(path), fits.getheader(path))


@pytest.mark.parametrize(
    ("name", "dispersed"), [("G800L", True), ("PR200L", True), ("F814W", False), ("POL0V", False)]
)
def test_grisms_and_prisms(tmp_path, name, dispersed):
    member = make(tmp_path / "a_flc.fits", FILTER1="CLEAR1L", FILTER2=name)
    assert hst.describe(member["path"], fits.getheader(member["path"]))["dispersed"] is dispersed
