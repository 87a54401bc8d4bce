"""JWST files: what is read of them, the exposure that they belong to, and the flagged copy."""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from real_data import real_data

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.formats import jwst
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.simulate import simulate

SHAPE = (40, 48)
PLANES = ("SCI", "ERR", "VAR_RNOISE", "VAR_POISSON", "VAR_FLAT")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file and a cube of three integrations."""
    folder = tmp_path_factory.mktemp("jwst")
    few = {
        "exposures": 1,
        "detectors": 1,
        "shape": SHAPE,
        "stars": 900,
        "galaxies": 0,
        "bad_fraction": 0.02,
        "cosmic_rays": 0.01,
    }
    image = simulate(folder / "image", **few)["members"][0]
    cube = simulate(folder / "cube", nints=3, **few)["members"][0]
    return {"image": image, "cube": cube}


def member(path, **more):
    with fits.open(path) as hdus:
        described = jwst.describe(path, hdus[0].header)
    return {"member": "m", "path": os.fspath(path), "format": "jwst", **described, **more}


def edited(tmp_path, path, change, name="edited_cal.fits"):
    """A copy of a file with `change(hdus)` made."""
    with fits.open(path, memmap=False) as hdus:
        change(hdus)
        hdus.writeto(tmp_path / name, overwrite=True)
    return str(tmp_path / name)


# --- identity
# ---------------------------------------------------------------------------------------------------------

HEADER = {
    "TELESCOP": "JWST",
    "PROGRAM": "01093",
    "OBSERVTN": "001",
    "VISIT": "001",
    "VISITGRP": "03",
    "SEQ_ID": "1",
    "ACT_ID": "01",
    "EXPOSURE": "2",
}


def test_recognised_by_its_telescope():
    assert jwst.recognise({"TELESCOP": "JWST"}) and jwst.recognise({"TELESCOP": " jwst "})
    assert not jwst.recognise({"TELESCOP": "HST"}) and not jwst.recognise({})
    assert formats.detect(HEADER) == "jwst" and formats.get("jwst") is jwst


@pytest.mark.parametrize(
    ("change", "group"),
    [
        ({}, "jw01093001001_03101_00002"),
        ({"EXPOSURE": 12, "PROGRAM": 42, "ACT_ID": "0a"}, "jw00042001001_0310a_00012"),
        ({"EXPOSURE": ""}, None),
        ({"VISITGRP": None}, None),
    ],
)
def test_the_exposure_that_a_file_belongs_to(change, group):
    header = {k: v for k, v in (HEADER | change).items() if v is not None}
    assert jwst.group_id(header) == group


def test_describe(made):
    assert member(made["image"])["cube"] is False
    found = member(made["cube"])
    assert (found["nframes"], found["cube"], found["nx"], found["ny"]) == (3, True, SHAPE[1], SHAPE[0])
    assert (found["instrument"], found["detector"], found["exp_type"], found["filter"]) == (
        "NIRCAM",
        "NRCA1",
        "NRC_IMAGE",
        "F115W",
    )
    assert found["group"] == os.path.basename(made["cube"])[:25] and found["exptime"] > 0


@pytest.mark.parametrize("data", [None, np.zeros(5, np.float32), np.zeros((2, 2, 2, 2), np.float32)])
def test_a_file_without_an_image(tmp_path, data):
    path = tmp_path / "x_cal.fits"
    hdus = [(image_header(None, primary=True), None)]
    write_hdus(path, hdus if data is None else [*hdus, (image_header(data, "SCI"), data)])
    with pytest.raises(InputError, match=r"x_cal\.fits.*SCI"):
        jwst.describe(path, {})


def test_every_flag_is_one_bit():
    assert sorted(jwst.DQ_FLAGS.values()) == [1 << k for k in range(32)] and jwst.OUTLIER == 17


# --- reading
# ----------------------------------------------------------------------------------------------------------


def test_read(made):
    everything = ("data", "dq", "err", "var")
    frame = formats.read(member(made["image"]), 1, everything)
    with fits.open(made["image"]) as hdus:
        primary = hdus[0].header
        for found, name in (
            (frame.data, "SCI"),
            (frame.err, "ERR"),
            *((frame.var[k], v) for k, v in jwst.VARIANCES.items()),
        ):
            assert (
                found.dtype == np.float32
                and found.dtype.isnative
                and found.flags.c_contiguous
                and found.flags.writeable
            )
            np.testing.assert_array_equal(found, hdus[name].data)
        assert frame.dq.dtype == np.uint32
        np.testing.assert_array_equal(frame.dq, hdus["DQ"].data)
        assert frame.unit == hdus["SCI"].header["BUNIT"] and frame.s_region == hdus["SCI"].header["S_REGION"]
        assert (frame.exposure_time, frame.measurement_time) == (primary["EFFEXPTM"], primary["TMEASURE"])
        assert (frame.duration, frame.start_time, frame.end_time) == (
            primary["DURATION"],
            primary["EXPSTART"],
            primary["EXPEND"],
        )
        assert frame.pixelarea_steradians == hdus["SCI"].header["PIXAR_SR"]
    assert (frame.level, frame.subtracted, frame.rate_factor, frame.shape) == (None, None, 1.0, SHAPE)


def test_only_what_is_asked_for(made):
    frame = formats.read(member(made["image"]), 1, ())
    assert frame.data is frame.err is frame.dq is None and frame.var == {} and frame.shape == SHAPE
    frame = formats.read(member(made["image"]), 1, ("dq",))
    assert frame.data is None and frame.dq.shape == SHAPE


@pytest.mark.parametrize("rows", [(0, 40), (7, 19), (39, 40), (5, 5)])
@pytest.mark.parametrize("kind", ["image", "cube"])
def test_some_rows(made, kind, rows):
    """The rows of a band: those of the whole, for every plane; the frame's shape and WCS are still the whole
    frame's.
    """
    asked = member(made[kind])
    whole, some = (
        formats.read(asked, asked["nframes"], ("data", "dq", "err", "var"), rows=r) for r in (None, rows)
    )
    assert some.shape == SHAPE
    for a, b in (
        (whole.data, some.data),
        (whole.err, some.err),
        (whole.dq, some.dq),
        *((whole.var[k], some.var[k]) for k in whole.var),
    ):
        assert b.dtype == a.dtype and b.flags.c_contiguous
        np.testing.assert_array_equal(a[slice(*rows)], b)


def test_integrations_of_a_cube(made):
    asked = member(made["cube"])
    with fits.open(made["cube"]) as hdus:
        for extver in (1, 2, 3):
            frame = formats.read(asked, extver, ("data", "dq"))
            assert frame.extver == extver
            np.testing.assert_array_equal(frame.data, hdus["SCI"].data[extver - 1])
            np.testing.assert_array_equal(frame.dq, hdus["DQ"].data[extver - 1])


def test_a_plane_of_another_shape(tmp_path, made):
    """Told by the plan; variances (MIRI's coronagraphic cubes keep the untrimmed shape) can be done without."""

    def change(hdus):
        shape = (*hdus["SCI"].shape[:-2], SHAPE[0] + 2, SHAPE[1])
        hdus["VAR_FLAT"].data = np.zeros(shape, np.float32)

    for kind, shape in (
        ("image", r"\(42, 48\), expected \(40, 48\)"),
        ("cube", r"\(3, 42, 48\), expected \(3, 40, 48\)"),
    ):
        asked = member(edited(tmp_path, made[kind], change))
        assert re.search(
            rf"edited_cal\.fits\[VAR_FLAT,1\]: shape {shape} as the image has", asked["odd_variances"]
        )
        frame = formats.read(asked, 1, ("err", "var"))  # ERR stands for them
        np.testing.assert_array_equal(frame.var["total"], frame.err**2)
        assert frame.var["rnoise"].shape == SHAPE and set(frame.var) == {"total", "rnoise"}
        part = formats.read(asked, 1, ("var",), rows=(7, 21))
        np.testing.assert_array_equal(part.var["rnoise"], frame.var["rnoise"][7:21])
        with pytest.raises(InputError, match=r"edited_cal\.fits\[VAR_FLAT\]: shape"):
            formats.read(asked | {"odd_variances": False}, 1, ("var",))

    def without_err(hdus):
        change(hdus)
        del hdus["ERR"]

    with pytest.raises(InputError, match=r"edited_cal\.fits\[VAR_FLAT,1\]: shape"):
        member(edited(tmp_path, made["image"], without_err))


def test_a_real_file_whose_variances_have_another_shape():
    asked = member(sorted(real_data("jwst_miri_4qpm").iterdir())[0])
    assert re.search(r"calints\.fits\[VAR_\w+,1\]: shape", asked["odd_variances"])
    assert formats.read(asked, 1, ("var",)).var["rnoise"].shape == (210, 215)


def test_a_recorded_sky_level(tmp_path, made):
    def change(hdus):
        hdus["SCI"].header["BKGLEVEL"], hdus["SCI"].header["BKGSUB"] = 0.25, False

    frame = formats.read(member(edited(tmp_path, made["image"], change)), 1, ())
    assert (frame.level, frame.subtracted) == (0.25, False)


def test_a_file_without_a_gwcs(tmp_path, made):
    def change(hdus):
        del hdus["ASDF"]

    frame = formats.read(member(edited(tmp_path, made["image"], change)), 1, ())
    with pytest.raises(InputError, match=r"edited_cal\.fits: no ASDF extension"):
        _ = frame.wcs


def test_the_wcs_and_its_reference_point(made):
    wcs = formats.read(member(made["image"]), 1, ()).wcs
    with fits.open(made["image"]) as hdus:
        sci = hdus["SCI"].header
    assert wcs.bbox == ((-0.5, SHAPE[1] - 0.5), (-0.5, SHAPE[0] - 0.5)) and wcs.shape == SHAPE
    assert wcs.info["ra_ref"] == pytest.approx(sci["RA_REF"], abs=1e-9) and wcs.info["vparity"] == -1
    assert wcs.info["pa_y"] == pytest.approx(sci["ROLL_REF"] + sci["V3I_YANG"])
    lon, lat = wcs.to_sky(np.array([sci["CRPIX1"] - 1]), np.array([sci["CRPIX2"] - 1]))
    assert (lon[0], lat[0]) == pytest.approx((sci["CRVAL1"], sci["CRVAL2"]), abs=1e-9)
    np.testing.assert_allclose(wcs.to_pixel(lon, lat), [[sci["CRPIX1"] - 1], [sci["CRPIX2"] - 1]], atol=1e-4)


# --- the flagged copy
# -------------------------------------------------------------------------------------------------


def data_bytes(path):
    raw = Path(path).read_bytes()
    with fits.open(path) as hdus:
        return {
            (h.name, h.ver): raw[h.fileinfo()["datLoc"] : h.fileinfo()["datLoc"] + h.fileinfo()["datSpan"]]
            for h in hdus
        }


KEYWORDS = {
    "S_OUTLIR": ("COMPLETE", "outlier detection status"),
    "BKGMETH": ("match", "method"),
    "BKGLEVEL": (0.25, "level"),
    "BKGSUB": (False, "subtracted"),
}


def flag(path, tmp_path, masks=None, name="m_crf.fits"):
    asked = member(path)
    if masks is None:
        masks = {}
        for extver in range(1, asked["nframes"] + 1):
            masks[extver] = np.zeros(SHAPE, bool)
            masks[extver][extver, 3] = masks[extver][20, 20:23] = True
    jwst.write_crf(asked, masks, tmp_path / name, KEYWORDS)
    return masks, tmp_path / name


@pytest.mark.parametrize("kind", ["image", "cube"])
def test_nan_and_flag_rules(tmp_path, made, kind):
    """Outliers: DO_NOT_USE + OUTLIER. Whatever is NaN in any plane or DO_NOT_USE: NaN in all, and DO_NOT_USE."""

    def change(hdus):
        for k, name in enumerate(PLANES):
            hdus[name].data[..., 10 + k, 10] = np.nan
        hdus["DQ"].data[..., 30, 30] |= 1
        hdus["DQ"].data[..., 31, 30] |= 4

    source = edited(tmp_path, made[kind], change)
    before = Path(source).read_bytes()
    masks, path = flag(source, tmp_path)
    assert Path(source).read_bytes() == before
    mask = masks[1] if kind == "image" else np.stack(list(masks.values()))
    with fits.open(source) as old, fits.open(path) as new:
        invalid = mask | ((old["DQ"].data & 1) != 0)
        for name in PLANES:
            invalid |= np.isnan(old[name].data)
        assert (
            all(invalid[..., y, 10].all() for y in range(10, 15))
            and invalid[..., 30, 30].all()
            and not invalid[..., 31, 30].any()
        )
        for name in PLANES:
            np.testing.assert_array_equal(np.isnan(new[name].data), invalid, err_msg=name)
            np.testing.assert_array_equal(new[name].data[~invalid], old[name].data[~invalid])
        expected = old["DQ"].data | np.where(mask, 17, 0).astype(np.uint32) | invalid.astype(np.uint32)
        assert new["DQ"].data.dtype == np.uint32
        np.testing.assert_array_equal(new["DQ"].data, expected)
        np.testing.assert_array_equal((new["DQ"].data & 16) != 0, mask | ((old["DQ"].data & 16) != 0))


@pytest.mark.parametrize("kind", ["image", "cube"])
def test_everything_else_is_the_inputs(tmp_path, made, kind):
    """HDUs and their order, the bytes of those that are not flagged, and all header cards but the documented
    ones.
    """
    _, path = flag(made[kind], tmp_path)
    old, new = data_bytes(made[kind]), data_bytes(path)
    assert list(old) == list(new) and {"ASDF"} <= {name for name, _ in old}
    for key, raw in old.items():
        if key[0] not in (*PLANES, "DQ"):
            assert new[key] == raw, key
    with fits.open(made[kind]) as a, fits.open(path, checksum=True) as b:
        for x, y in zip(a, b, strict=True):
            assert y.verify_checksum() == 1 and y.verify_datasum() == 1
            added = {"CHECKSUM", "DATASUM"}
            if x.name == "PRIMARY":
                added |= {"S_OUTLIR"}
            if x.name == "SCI":
                added |= {"BKGMETH", "BKGLEVEL", "BKGSUB"}
            assert set(y.header) - set(x.header) <= added
            for card in x.header.cards:
                if card.keyword not in added:
                    assert str(y.header.cards[card.keyword]) == str(card) if card.keyword else True
        assert (
            b[0].header["S_OUTLIR"] == "COMPLETE"
            and b["SCI"].header["BKGLEVEL"] == 0.25
            and b["SCI"].header["BKGSUB"] is False
        )


def test_a_flagged_copy_can_be_read_and_flagged_again(tmp_path, made):
    masks, path = flag(made["image"], tmp_path)
    frame = formats.read(member(path), 1, ("data", "dq"))
    assert np.isnan(frame.data[masks[1]]).all() and ((frame.dq[masks[1]] & 17) == 17).all()
    assert (frame.level, frame.subtracted) == (0.25, False)
    _, again = flag(path, tmp_path, masks, "again_crf.fits")
    assert path.read_bytes() == again.read_bytes()


def test_no_outliers_no_change_but_the_invalid_pixels(tmp_path, made):
    none = {1: np.zeros(SHAPE, bool)}
    _, path = flag(made["image"], tmp_path, none)
    with fits.open(made["image"]) as old, fits.open(path) as new:
        np.testing.assert_array_equal(new["DQ"].data & ~np.uint32(1), old["DQ"].data & ~np.uint32(1))


def test_a_file_without_dq_gains_one(tmp_path, made):
    def change(hdus):
        del hdus["DQ"]

    source = edited(tmp_path, made["image"], change)
    frame = formats.read(member(source), 1, ("data", "dq"))
    assert frame.dq is None
    masks, path = flag(source, tmp_path)
    with fits.open(path, checksum=True) as hdus:
        assert ((hdus["DQ"].data & 16) != 0).tolist() == masks[1].tolist()


def test_a_real_cutout(tmp_path):
    """All 8 HDUs of a real NIRCam file, AREA among them."""
    source = real_data("jwst_nircam_cutout/nircam_f444w_cutout_cal.fits")
    mask = np.zeros((100, 100), bool)
    mask[50, 50:60] = True
    jwst.write_crf({"member": "m", "path": str(source)}, {1: mask}, tmp_path / "a_crf.fits", KEYWORDS)
    old, new = data_bytes(source), data_bytes(tmp_path / "a_crf.fits")
    assert list(old) == list(new)
    assert [k[0] for k in old if old[k] != new[k]] == [k[0] for k in old if k[0] in (*PLANES, "DQ")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(tmp_path / "a_crf.fits") as hdus:
            assert np.isnan(hdus["SCI"].data[mask]).all() and (hdus["DQ"].data[mask] & 17 == 17).all()
