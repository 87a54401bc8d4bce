"""Plain FITS: where planes and numbers are found, codes and bits, files beside the image, TPV."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from real_data import real_data

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.formats import simple

SHAPE = (5, 7)
WCS_CARDS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 10.0,
    "CRVAL2": -20.0,
    "CRPIX1": 4.0,
    "CRPIX2": 3.0,
    "CD1_1": -1e-4,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 1e-4,
}
ALL = ("data", "err", "dq", "var")


def image(seed=0, name=None, ver=1, dtype=np.float32, **cards):
    data = np.random.default_rng(seed).normal(100, 5, SHAPE).astype(dtype)
    return fits.ImageHDU(data, fits.Header(WCS_CARDS | cards), name=name, ver=ver)


def plane(value, name, ver=1, dtype=np.float32):
    return fits.ImageHDU(np.broadcast_to(np.asarray(value, dtype), SHAPE).copy(), name=name, ver=ver)


def member(path, **more):
    return {"member": "m", "path": str(path), "group": "g", "format": "simple", "cube": False} | more


def write(path, *hdus, **primary):
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(primary)), *hdus]).writeto(path, overwrite=True)
    return path


def test_image_in_the_primary(tmp_path):
    path = tmp_path / "a.fits"
    cards = fits.Header(
        WCS_CARDS | {"EXPTIME": 30.0, "MJD-OBS": 59000.0, "BUNIT": "adu", "FILTER": "r", "GAIN": 2.0}
    )
    fits.PrimaryHDU(image().data, cards).writeto(path)
    told = simple.describe(path, fits.getheader(path))
    assert (told["nframes"], told["nx"], told["ny"], told["filter"], told["exptime"]) == (1, 7, 5, "r", 30.0)
    assert told["group"] is None and not told["cube"]
    frame = formats.read(member(path), 1, ALL)
    np.testing.assert_array_equal(frame.data, image().data)
    assert frame.data.dtype.isnative and (frame.err, frame.dq, frame.var) == (None, None, {})
    assert (frame.gain, frame.unit, frame.end_time) == (2.0, "adu", 59000.0 + 30 / 86400)


def test_extensions_by_version_and_flux_scale(tmp_path):
    path = write(
        tmp_path / "a.fits",
        image(1, "SCI", 1),
        image(2, "SCI", 2),
        plane(2.0, "ERR", 2),
        plane(1.0, "ERR", 1),
        plane(4, "DQ", 2, np.int16),
        plane(9.0, "VAR_RNOISE", 2),
        SKYLEV=3.0,
        GAIN=5.0,
        RDA=4.0,
        RDB=6.0,
    )
    options = {"sky_keyword": "SKYLEV", "readnoise_keyword": "RDA,RDB"}
    frame = simple.read(member(path, flux_scale=10.0), 2, ALL, options)
    np.testing.assert_allclose(frame.data, image(2).data * 10, rtol=1e-6)
    assert (frame.err == 20).all() and (frame.dq == 4).all() and (frame.var["rnoise"] == 900).all()
    assert (frame.level, frame.subtracted, frame.gain, frame.readnoise) == (30.0, False, 0.5, 5.0)
    assert simple.read(member(path), 1, ("dq",)).dq is None


@pytest.mark.parametrize("beside", [False, True])
def test_inverse_variance(tmp_path, beside):
    weights = np.full(SHAPE, 0.25, np.float32)
    weights[0, :4] = 0.0, -1.0, np.nan, np.inf
    plane_hdu = fits.ImageHDU(weights, name="IVAR")
    path = write(tmp_path / "a.fits", image(1, "SCI"), *([] if beside else [plane_hdu]))
    extra = {"ivar": str(write(tmp_path / "w.fits", plane_hdu))} if beside else {}
    frame = simple.read(member(path, flux_scale=3.0, **extra), 1, ("err", "dq"))
    assert (
        np.isnan(frame.err[0, :4]).all() and (frame.err[1:] == 6.0).all() and (frame.err[0, 4:] == 6.0).all()
    )
    assert (frame.dq[0, :4] == simple.DQ_FLAGS["NO_WEIGHT"]).all() and not frame.dq[1:].any()


def test_codes_and_bits(tmp_path):
    values = np.zeros(SHAPE, np.int32)
    values[0, :3] = 1, 5, 30
    path = write(tmp_path / "a.fits", image(1, "SCI"), fits.ImageHDU(values, name="DQ"))
    assert simple.read(member(path), 1, ("dq",)).dq[0, :4].tolist() == [1, 5, 30, 0]
    coded = simple.read(member(path), 1, ("dq",), {"dq_codes": True}).dq
    assert coded.dtype == np.uint32 and coded[0, :4].tolist() == [1, 16, 1 << 29, 0]
    assert coded[0, 1] == simple.DQ_FLAGS["CODE5"]
    values[0, 0] = 31
    path = write(tmp_path / "a.fits", image(1, "SCI"), fits.ImageHDU(values, name="DQ"))
    with pytest.raises(InputError, match=r"values 0 to 31 of type int32, expected codes 0 to 30"):
        simple.read(member(path), 1, ("dq",), {"dq_codes": True})
    path = write(tmp_path / "a.fits", image(1, "SCI"), plane(1.0, "DQ"))
    with pytest.raises(InputError, match="flags of type float32"):
        simple.read(member(path), 1, ("dq",))
    signed = write(tmp_path / "a.fits", image(1, "SCI"), plane(-1, "DQ", dtype=np.int16))
    assert (simple.read(member(signed), 1, ("dq",)).dq == 0xFFFF).all()


def test_images_that_are_not_used(tmp_path):
    """As large as the first, and neither error nor flags; where SCI is there or images are named, all is meant."""
    few = fits.ImageHDU(np.ones((2, 2), np.float32), name="PSF")
    planes = [image(1, "S1"), plane(1.0, "ERR"), image(2, "N3"), few, plane(0, "DQ", dtype=np.int16)]
    path = write(tmp_path / "a.fits", *planes, image(3, "N4"))
    header = fits.getheader(path)
    assert simple.describe(path, header)["unused"] == ["N3", "N4"]
    assert simple.describe(path, header, {"sci": "S1"})["unused"] == []
    path = write(tmp_path / "b.fits", image(1, "SCI"), plane(1.0, "WHT"))
    assert simple.describe(path, header)["unused"] == []


def test_which_images(tmp_path):
    path = write(tmp_path / "a.fits", image(1, "S1"), image(2, "N3"), image(3, "N4"))
    header = fits.getheader(path)
    for sci, expected in (
        (None, [1]),
        ("n3", [2]),
        (["N4", 2], [3, 2]),
        (3, [3]),
        ("*", [1, 2, 3]),
        ("n[3-9]", [2, 3]),
    ):
        options = {"sci": sci}
        assert simple.describe(path, header, options)["nframes"] == len(expected)
        for extver, seed in enumerate(expected, start=1):
            frame = simple.read(member(path), extver, ("data",), options)
            np.testing.assert_array_equal(frame.data, image(seed).data)
    with pytest.raises(
        InputError, match=r"no image extension 'N9' \(simple.sci\); the file's images: 1 S1, 2 N3, 3 N4"
    ):
        simple.describe(path, header, {"sci": "N9"})
    with pytest.raises(InputError, match="no image in any HDU"):
        simple.describe(write(tmp_path / "b.fits"), header)
    cube = fits.ImageHDU(np.zeros((3, *SHAPE), np.float32))
    with pytest.raises(InputError, match="3 dimensions"):
        simple.describe(write(tmp_path / "c.fits", cube), header)
    wrong = write(tmp_path / "w.fits", fits.ImageHDU(np.ones((2, 2), np.float32)))
    with pytest.raises(InputError, match=r"w.fits: shape \(2, 2\), expected \(5, 7\)"):
        simple.read(member(path, ivar=str(wrong)), 1, ("err",))


@pytest.mark.parametrize("mode", ["none", "bits", "codes", "beside"])
def test_crf_has_bits_whatever_the_input_had(tmp_path, mode):
    flags = np.zeros(SHAPE, np.int16)
    flags[0, 0] = 5
    inside = [fits.ImageHDU(flags, name="DQ")] if mode in ("bits", "codes") else []
    path = write(tmp_path / "a.fits", image(1, "SCI", dtype=np.int16, BZERO=10.0), image(2, "OTHER"), *inside)
    extra = {"dq": str(write(tmp_path / "q.fits", fits.ImageHDU(flags)))} if mode == "beside" else {}
    options = {"dq_codes": mode in ("codes", "beside")}
    m = member(path, flux_scale=7.0, **extra)
    mask = np.zeros(SHAPE, bool)
    mask[1, 2] = True
    out = tmp_path / "a_crf.fits"
    simple.write_crf(m, {1: mask}, out, {"S_OUTLIR": ("COMPLETE", ""), "BKGLEVEL": (2.0, "sky")}, options)
    with (
        fits.open(path, do_not_scale_image_data=True) as old,
        fits.open(out, do_not_scale_image_data=True) as new,
    ):
        assert [h.name for h in new] == ["PRIMARY", "SCI", "OTHER", "DQ"]
        for i in (1, 2):  # the image is not scaled by flux_scale
            assert old[i].data.tobytes() == new[i].data.tobytes()
        assert new["SCI"].header["BKGLEVEL"] == 2.0 and new[0].header["S_OUTLIR"] == "COMPLETE"
        assert all(h.verify_checksum() == 1 and h.verify_datasum() == 1 for h in new)
    again = simple.read(m | {"path": str(out)}, 1, ("data", "dq"), options)
    first = {"none": 0, "bits": 5}.get(mode, 16)
    assert (
        again.dq[0, 0] == first
        and again.dq[1, 2] == 1 << 30
        and np.count_nonzero(again.dq) == 1 + (first > 0)
    )
    np.testing.assert_array_equal(again.data, simple.read(m, 1, ("data",), options).data)
    second = tmp_path / "b_crf.fits"
    simple.write_crf(m, {1: mask}, second, {"S_OUTLIR": ("COMPLETE", ""), "BKGLEVEL": (2.0, "sky")}, options)
    assert second.read_bytes() == out.read_bytes()


def test_axes_and_frames(tmp_path):
    """Declination first, a degenerate third axis, galactic and FK5 coordinates: always ICRS (lon, lat)."""
    x, y = np.array([0.0, 6.0, 2.5]), np.array([0.0, 1.0, 4.0])
    swapped = WCS_CARDS | {
        "CTYPE1": "DEC--TAN",
        "CTYPE2": "RA---TAN",
        "CRVAL1": -20.0,
        "CRVAL2": 10.0,
        "CD1_1": 0.0,
        "CD1_2": 1e-4,
        "CD2_1": -1e-4,
        "CD2_2": 0.0,
    }
    base = simple.read(member(write(tmp_path / "a.fits", image())), 1, ()).wcs
    np.testing.assert_allclose(
        simple.read(member(write(tmp_path / "b.fits", image(**swapped))), 1, ()).wcs.to_sky(x, y),
        base.to_sky(x, y),
    )
    cube = fits.ImageHDU(
        np.zeros((1, *SHAPE), np.float32), fits.Header(WCS_CARDS | {"CTYPE3": "WAVE", "CRVAL3": 1.0})
    )
    np.testing.assert_allclose(
        simple.read(member(write(tmp_path / "c.fits", cube)), 1, ()).wcs.to_sky(x, y), base.to_sky(x, y)
    )
    galactic = {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}
    for cards, name in ((galactic, "galactic"), ({"RADESYS": "FK5", "EQUINOX": 1975.0}, "fk5")):
        path = write(tmp_path / "d.fits", image(**cards))
        wcs = simple.read(member(path), 1, ()).wcs
        lon, lat = WCS(fits.getheader(path, 1)).all_pix2world(x, y, 0)
        equinox = {"equinox": "J1975"} if name == "fk5" else {}
        truth = SkyCoord(lon, lat, unit="deg", frame=name, **equinox).icrs
        sky = wcs.to_sky(x, y)
        np.testing.assert_allclose(sky, (truth.ra.deg, truth.dec.deg), atol=1e-10)
        np.testing.assert_allclose(wcs.to_pixel(*sky), (x, y), atol=1e-6)
    with pytest.raises(InputError, match="no celestial WCS"):
        plain = fits.ImageHDU(np.zeros(SHAPE, np.float32))
        simple.read(member(write(tmp_path / "e.fits", plain)), 1, ()).open_wcs()


def test_orientation(tmp_path):
    angle = np.radians(30.0)  # y points 30 degrees east of north
    for parity in (-1, 1):
        cd = 1e-4 * np.array(
            [[parity * np.cos(angle), np.sin(angle)], [-parity * np.sin(angle), np.cos(angle)]]
        )
        cards = {f"CD{i + 1}_{j + 1}": cd[i, j] for i in (0, 1) for j in (0, 1)}
        wcs = simple.read(member(write(tmp_path / "a.fits", image(**cards))), 1, ()).wcs
        assert wcs.info["pa_y"] == pytest.approx(30.0, abs=1e-3) and wcs.info["vparity"] == parity
        assert wcs.info["ra_ref"] == pytest.approx(10.0) and wcs.info["dec_ref"] == pytest.approx(-20.0)


def test_decam(tmp_path):
    """Real files: N2 is no SCI, codes and inverse variance beside it, TPV, gain by amplifier."""
    decam = real_data("decam_legacypipe")
    paths = {k: str(decam / f"c4d_170316_062107_{k}_z_ls9.N2.fits") for k in ("ooi", "ood", "oow")}
    options = {
        "dq_codes": True,
        "gain_keyword": "GAINA,GAINB",
        "readnoise_keyword": "RDNOISEA,RDNOISEB",
        "sky_keyword": "AVSKY",
    }
    m = member(paths["ooi"], dq=paths["ood"], ivar=paths["oow"], flux_scale=2.0)
    header = fits.getheader(paths["ooi"])
    assert formats.detect(header) == "simple"
    told = simple.describe(paths["ooi"], header, options)
    assert (told["instrument"], told["nx"], told["exptime"]) == ("DECam", told["nx"], 107.0)
    assert told["filter"].startswith("z DECam")
    frame = simple.read(m, 1, ALL, options)
    codes, weight = fits.getdata(paths["ood"]), fits.getdata(paths["oow"])
    cosmic = (frame.dq & simple.DQ_FLAGS["CODE5"]) != 0
    np.testing.assert_array_equal(cosmic, codes == 5)
    assert cosmic.sum() > 10 and (weight[cosmic] == 0).all()
    np.testing.assert_array_equal((frame.dq & simple.NO_WEIGHT) != 0, weight <= 0)
    np.testing.assert_array_equal(np.isnan(frame.err), weight <= 0)
    good = weight > 0
    np.testing.assert_allclose(frame.err[good], 2 / np.sqrt(weight[good]), rtol=1e-6)
    header = fits.getheader(paths["ooi"], 1)
    assert frame.gain == pytest.approx((header["GAINA"] + header["GAINB"]) / 2 / 2)
    assert frame.readnoise == pytest.approx((header["RDNOISEA"] + header["RDNOISEB"]) / 2)
    assert frame.level == pytest.approx(2 * header["AVSKY"])
    wcs = frame.wcs
    x, y = np.meshgrid(np.arange(0, 250, 40.0), np.arange(0, 250, 40.0))
    sky = wcs.to_sky(x, y)
    np.testing.assert_allclose(sky, WCS(fits.getheader(paths["ooi"], 1)).all_pix2world(x, y, 0), atol=1e-12)
    np.testing.assert_allclose(wcs.to_pixel(*sky), (x, y), atol=1e-5)
    assert wcs.kinks is None and wcs.smooth is None
    scale = np.sqrt(frame.pixelarea_steradians) * 180 / np.pi * 3600
    assert scale == pytest.approx(0.2623, abs=1e-3)


# -- noise measured, counts made rates, what a folder asks
# ----------------------------------------------------------------


def noisy(path, sigma=4.0, ver=1, **cards):
    """An image of 128 x 128 pixels without errors, with a bright square; and the square."""
    data = np.random.default_rng(6).normal(50, sigma, (128, 128)).astype(np.float32)
    square = np.zeros(data.shape, bool)
    square[40:52, 70:82] = True
    data[square] += 2000
    return write(path, fits.ImageHDU(data, fits.Header(WCS_CARDS | cards), name="SCI", ver=ver)), square


@pytest.mark.parametrize(
    ("cards", "options", "scale", "gain"),
    [
        ({}, {}, 1.0, None),
        ({"GAIN": 2.0}, {}, 1.0, 2.0),
        ({"GAIN": 2.0, "BUNIT": "adu/s"}, {}, 1.0, 60.0),  # electrons in 30 s
        ({"GAIN": 2.0, "BUNIT": "adu s-1"}, {}, 1.0, 60.0),
        ({"GAIN": 2.0}, {}, 3.0, 2.0),  # the association's flux_scale
        ({"GAIN": 2.0, "BUNIT": "adu"}, {"flux_scale": "exptime"}, 1 / 30, 2.0),
        ({"GAIN": 2.0, "ZPSCALE": 5.0}, {"flux_scale": "ZPSCALE"}, 5.0, 2.0),
    ],
)
def test_noise_that_is_measured(tmp_path, cards, options, scale, gain):
    """The scatter of the sky and, where the gain is known, photons of the source; scaled as the data are."""
    path, square = noisy(tmp_path / "a.fits", EXPTIME=30.0, **cards)
    options = {"noise": "measured", **options}
    assert simple.describe(path, fits.getheader(path), options)["err"] is True
    frame = formats.read(member(path, flux_scale=scale), 1, ("err", "var"), options)
    assert frame.err.dtype == np.float32 and np.isfinite(frame.err).all()
    np.testing.assert_allclose(np.median(frame.err[~square]), 4.0 * scale, rtol=0.05)
    photons = 2000 / gain if gain else 0.0
    np.testing.assert_allclose(np.median(frame.err[square]), np.sqrt(16 + photons) * scale, rtol=0.05)
    np.testing.assert_allclose(frame.var["total"], frame.err**2)
    assert not simple.describe(path, fits.getheader(path), options | {"noise": "file"})["err"]


def test_errors_of_the_file_win_over_measured_ones(tmp_path):
    path = write(tmp_path / "a.fits", image(1, "SCI"), plane(2.0, "ERR"))
    assert (simple.read(member(path), 1, ("err",), {"noise": "measured"}).err == 2).all()
    path = write(tmp_path / "b.fits", image(1, "SCI"), plane(0.25, "IVAR"))
    assert (simple.read(member(path), 1, ("err",), {"noise": "measured"}).err == 2).all()


def test_bad_pixels_do_not_count_for_the_noise(tmp_path):
    path, _ = noisy(tmp_path / "a.fits")
    with fits.open(path, mode="append") as hdus:
        bad = np.zeros((128, 128), np.int16)
        bad[:, ::3] = 4
        hdus["SCI"].data[:, ::3] = np.random.default_rng(1).normal(0, 500, hdus["SCI"].data[:, ::3].shape)
        hdus.append(fits.ImageHDU(bad, name="DQ"))
        hdus.writeto(tmp_path / "b.fits")
    frame = simple.read(member(tmp_path / "b.fits"), 1, ("err",), {"noise": "measured"})
    np.testing.assert_allclose(np.median(frame.err), 4.0, rtol=0.05)


def test_counts_become_rates(tmp_path):
    path = write(tmp_path / "a.fits", image(1, "SCI", BUNIT="adu"), plane(2.0, "ERR"), EXPTIME=30.0, GAIN=2.0)
    options = {"flux_scale": "exptime"}
    told = simple.describe(path, fits.getheader(path), options)
    assert told["unit"] == "adu/s" and told["flux_scale"] == pytest.approx(1 / 30)
    frame = simple.read(member(path, flux_scale=told["flux_scale"]), 1, ALL, options)
    np.testing.assert_allclose(frame.data, image(1).data / 30, rtol=1e-6)
    np.testing.assert_allclose(frame.err, 2 / 30, rtol=1e-6)
    assert frame.unit == "adu/s"
    # as many electrons as before
    np.testing.assert_allclose(frame.data * frame.electrons_per_unit, image(1).data * 2.0, rtol=1e-6)
    assert simple.describe(write(path, image(1)), fits.getheader(path), options)["unit"] == "counts/s"


def test_flux_scales_that_cannot_be(tmp_path):
    path = write(tmp_path / "a.fits", image(1, "SCI", BUNIT="electron/s"), EXPTIME=30.0, MAGZP=-2.0)
    header = fits.getheader(path)
    with pytest.raises(
        InputError, match=r"a\.fits: its unit is electron/s, a rate already: simple\.flux_scale"
    ):
        simple.describe(path, header, {"flux_scale": "exptime"})
    for keyword, found in (("MAGZP", "-2.0"), ("NOWHERE", "None")):
        with pytest.raises(
            InputError, match=rf"a\.fits: {keyword} \(simple\.flux_scale\) is {found}, expected a number > 0"
        ):
            simple.describe(path, header, {"flux_scale": keyword})


@pytest.mark.parametrize(
    ("types", "celestial"),
    [
        (("RA---TAN", "DEC--TAN"), True),
        (("RA---TPV", "DEC--TPV"), True),
        (("DEC--TAN", "RA---TAN"), True),
        (("GLON-CAR", "GLAT-CAR"), True),
        (("ELON-AIT", "ELAT-AIT"), True),
        (("LINEAR", "LINEAR"), False),
        (("", ""), False),
        (("PIXEL", "WAVE"), False),
    ],
)
def test_whether_a_wcs_is_celestial(tmp_path, types, celestial):
    path = write(tmp_path / "a.fits", image(1, CTYPE1=types[0], CTYPE2=types[1]))
    assert simple.describe(path, fits.getheader(path))["celestial"] is celestial


def test_kinds_of_exposures(tmp_path):
    for cards, kind in (
        ({"OBSTYPE": "object"}, "object"),
        ({"IMAGETYP": "Light Frame"}, "Light Frame"),
        ({}, ""),
    ):
        path = write(tmp_path / "a.fits", image(1), **cards)
        assert simple.describe(path, fits.getheader(path))["exp_type"] == kind
