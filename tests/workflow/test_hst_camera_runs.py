"""ACS/HRC, STIS and WFPC2 from end to end: by default, and with AstroDrizzle's settings of bits, weights and units."""

import hst_instruments
import numpy as np
import pytest
from astropy.io import fits
from running import digests, masks, open_verified, rows, run

from drizzleflow.frames import hst_detectors
from drizzleflow.provenance.trace import trace

CAMERAS = ("hrc", "stis", "wfpc2")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Camera -> its exposures (tests/hst_instruments.py)."""
    folder, made = tmp_path_factory.mktemp("cameras"), {}
    for camera in CAMERAS:
        (folder / camera).mkdir()
        made[camera] = getattr(hst_instruments, camera)(folder / camera)
    return made


@pytest.fixture(scope="module")
def done(inputs, tmp_path_factory):
    """One run of all three, with the default settings."""
    files = [path for made in inputs.values() for path in made["members"][0].parent.iterdir()]
    before, folder = digests(files), tmp_path_factory.mktemp("run")
    config = {"associations": [str(made["association"]) for made in inputs.values()]}
    finished = run(folder, config)
    assert digests(files) == before
    assert "every file is what its record says" in run(folder, config, "audit").said
    assert "Nothing to be done" in run(folder, config).said
    return finished


def found(product, made):
    """(share of the rays' pixels that are flagged, of other pixels that are), where two more exposures look."""
    seen = hit = false = total = 0
    for member, planes in masks(product).items():
        for ver, mask in planes.items():
            inner = np.zeros(mask.shape, bool)
            inner[18:-18, 18:-18] = True  # the dithers are less
            rays = made["rays"][member, ver] & inner
            seen, hit = seen + rays.sum(), hit + (mask & rays).sum()
            false, total = false + (mask & inner & ~rays).sum(), total + inner.sum()
    return hit / seen, false / total


@pytest.mark.parametrize("camera", CAMERAS)
def test_rays_are_found(done, inputs, camera):
    completeness, wrong = found(done.product(camera), inputs[camera])
    print(camera, completeness, wrong)
    assert completeness > 0.95 and wrong < 1e-3


@pytest.mark.parametrize(("camera", "seconds"), [("hrc", 1600), ("stis", 1300), ("wfpc2", 2000)])
def test_the_mosaic_counts_each_exposure(done, camera, seconds):
    with open_verified(done.product(camera) / f"{camera}_i2d.fits") as hdus:
        assert (hdus[0].header["EXPTIME"], hdus[0].header["NDRIZ"]) == (seconds, 4)
        assert hdus["SCI"].header["BUNIT"] == "ELECTRONS/S"
        sci, err = hdus["SCI"].data, hdus["ERR"].data
        inner = np.isfinite(sci) & (hdus["WHT"].data > 0.9 * np.nanmax(hdus["WHT"].data))
        scatter = 1.4826 * np.median(np.abs(sci[inner] - np.median(sci[inner])))
    # neighbours share light, and stars add to the scatter: of one size all the same
    assert 0.5 < np.median(err[inner]) / scatter < 1.3


def test_stis_exposures_are_drizzled_apart(done):
    product = done.product("stis")
    names = [f"o6abcd0{k}0-v000{v}" for k in (1, 2) for v in (1, 2)]
    assert sorted(path.name for path in (product / "single").iterdir()) == [
        f"{n}_outlier_i2d.fits" for n in names
    ]
    assert [row["group"] for row in rows(product / "sky.csv")] == names
    times = [fits.getheader(product / f"single/{n}_outlier_i2d.fits", "SCI")["EXPTIME"] for n in names]
    assert times == [400.0, 250.0, 400.0, 250.0]


def test_both_pixel_sizes_of_wfpc2_are_compared(done):
    """PC's pixels have a fifth of the weight of WF's on the grid, and are not too little for all that."""
    for row in rows(done.product("wfpc2") / "frames.csv"):
        assert int(row["flagged"]) > 20, row
    with open_verified(done.product("wfpc2") / "crf/u6abcd01m_crf.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", *["SCI"] * 4, *["DQ"] * 4]
    members = rows(done.product("wfpc2") / "members.csv")
    assert all(row["dq"] == row["path"].replace("_c0m", "_c1m") for row in members)


def test_the_sky_of_chips_with_different_gains(done):
    """One level in electrons a second and solid angle, not one in DN."""
    levels = {}
    for row in rows(done.product("wfpc2") / "sky.csv"):
        gain = hst_detectors.WFPC2[7][int(row["extver"])][0]
        area = hst_instruments.CHIPS[int(row["extver"])][0] ** 2
        levels.setdefault(row["group"], []).append(float(row["sky"]) * gain / area / 500)
    for electrons in levels.values():
        np.testing.assert_allclose(electrons, electrons[0], rtol=1e-6)
    assert np.ptp([one[0] for one in levels.values()]) < 0.02 * hst_instruments.SKY


# -- AstroDrizzle's settings

SETTINGS = {
    "inputs": {"resetbits": "4096,16"},
    "crmask": {"crbit": 8192, "driz_cr_corr": True},
    "mosaic": {"final_wht_type": "ERR", "final_units": "counts"},
}


@pytest.fixture(scope="module")
def chosen(inputs, tmp_path_factory):
    config = {"associations": str(inputs["hrc"]["association"]), **SETTINGS}
    finished = run(tmp_path_factory.mktemp("chosen"), config)
    assert "every file is what its record says" in run(finished.folder, config, "audit").said
    return finished


def test_bits(chosen, inputs):
    """Hot pixels (16) are cleared, used, and in the copies without their flag; outliers have 8192."""
    product = chosen.product("hrc")
    for member, planes in masks(product).items():
        with open_verified(product / f"crf/{member}_crf.fits") as hdus:
            np.testing.assert_array_equal(hdus["DQ", 1].data, np.where(planes[1], 8192, 0))
            assert hdus["DQ", 1].data.dtype.name == "int16"
        with open_verified(product / f"crclean/{member}_crclean.fits") as hdus:
            assert set(np.unique(hdus["DQ", 1].data)) == {0, 8192}
        hot = fits.getdata(inputs["hrc"]["members"][0].parent / f"{member}_flt.fits", "DQ") == 16
        inner = hot[18:-18, 18:-18]
        assert planes[1][18:-18, 18:-18][inner].mean() > 0.9  # found as outliers now


def test_counts_with_weights_by_error(chosen, inputs, tmp_path):
    """The mosaic in counts is the rate's times the time, ERR and VAR with it, in any number of bands."""
    made = chosen.product("hrc") / "hrc_i2d.fits"
    association = str(inputs["hrc"]["association"])
    rate = {**SETTINGS, "mosaic": {"weight_type": "err", "units": "cps"}}
    other = run(tmp_path / "rate", {"associations": association, **rate}).product("hrc") / "hrc_i2d.fits"
    with open_verified(made) as counts, open_verified(other) as cps:
        assert [hdu.name for hdu in counts] == [hdu.name for hdu in cps]
        units = {hdu.name: hdu.header.get("BUNIT") for hdu in counts}
        assert (units["SCI"], units["ERR"]) == ("ELECTRONS", "ELECTRONS")
        assert counts[0].header["RESWHT"] == "err"
        for name, power in (("SCI", 1), ("ERR", 1), ("WHT", 0)):
            np.testing.assert_allclose(
                counts[name].data, cps[name].data * np.float32(1600.0**power), rtol=1e-6
            )
    banded = {**SETTINGS, "mosaic": {**SETTINGS["mosaic"], "bands": 3}}
    bands = run(tmp_path / "bands", {"associations": association, **banded}).product("hrc") / "hrc_i2d.fits"
    with open_verified(made) as one, open_verified(bands) as three:
        for before, after in zip(one[1:], three[1:], strict=True):
            assert before.data.tobytes() == after.data.tobytes()


@pytest.mark.parametrize("camera", CAMERAS)
def test_pixels_are_traced(done, camera):
    """Through flags beside the file, groups of a file's exposures and pixels of two sizes."""
    for kind, folder in (("_i2d", done.product(camera)), ("_outlier_i2d", done.product(camera) / "single")):
        path = sorted(folder.glob(f"*{kind}.fits"))[0]
        trail = trace(path, 60, 62)
        assert trail["agrees"] and trail["notes"] == [] and trail["sum"]["WHT"] > 0, (path, trail["notes"])
        assert {frame["group"] for frame in trail["frames"]} <= {
            row["group"] for row in rows(done.product(camera) / "sky.csv")
        }


def test_a_pixel_in_counts_is_traced(chosen):
    trail = trace(chosen.product("hrc") / "hrc_i2d.fits", 60, 60)
    assert trail["agrees"] and trail["unit"] == "ELECTRONS" and trail["notes"] == []
    assert trail["values"]["SCI"] == pytest.approx(trail["sum"]["SCI"], rel=1e-5)
