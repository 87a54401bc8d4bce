"""The comparison finds what it must: equal results give zeros; one changed pixel, level or bit is counted."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from compare import PLANES, compare, compare_intermediates, difference

NY, NX, MEMBERS = 20, 24, ("a_1", "a_11")


def header(crpix=10.0):
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 10.0,
        "CRVAL2": 20.0,
        "CRPIX1": crpix,
        "CRPIX2": 9.0,
    }
    return fits.Header({**cards, "CDELT1": -1e-5, "CDELT2": 1e-5})


@pytest.fixture
def results(tmp_path):
    """A product folder and a peer folder that agree."""
    ours, peer = tmp_path / "results" / "m", tmp_path / "peer"
    for folder in (ours / "crmask", ours / "single", ours / "blot", peer):
        folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    planes = {name: rng.uniform(1, 2, (NY, NX)).astype("f4") for name in PLANES}
    planes["SCI"][0, 0] = np.nan
    con = np.full((1, NY, NX), 3, "i4")
    hdus = [fits.ImageHDU(plane, header(), name) for name, plane in planes.items()] + [
        fits.ImageHDU(con, header(), "CON")
    ]
    for path in (ours / "m_i2d.fits", peer / "m_i2d.fits"):
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    np.savez(peer / "weights.npz", **{name: np.ones((NY, NX), "f4") for name in MEMBERS})
    mask = np.zeros((30, 40), bool)
    mask[3, 4] = True
    np.savez(peer / "masks.npz", **dict.fromkeys(MEMBERS, mask))
    for name in MEMBERS:
        fits.ImageHDU(mask.astype("u1"), name="CRMASK").writeto(ours / "crmask" / f"{name}_crmask.fits")
    levels = {"a_1": 1.5, "a_11": None}
    (peer / "sky.json").write_text(json.dumps({"levels": levels, "noise": dict.fromkeys(MEMBERS, 0.1)}))
    (ours / "sky.csv").write_text(
        "member,group,sky,component,npix,valid\na_1,g1,1.5,1,9,1\na_11,g2,0.0,0,0,0\n"
    )
    (ours / "members.csv").write_text("member,path,exptype,group\na_1,x,science,g1\na_11,x,science,g2\n")
    return ours, peer


def change(path, name, edit):
    with fits.open(path, mode="update", memmap=False) as hdus:
        edit(hdus[name].data)


def test_equal(results):
    found = compare(*results)
    assert found["crmask"]["differ"] == 0 and found["crmask"]["peer"] == 2
    assert found["sky"]["max"] == 0
    assert found["grid"]["max_pixels"] < 1e-6
    assert all(plane["max"] == 0 and plane["nan_differs"] == 0 for plane in found["i2d"].values())
    assert set(found["i2d"]) == set(PLANES)
    assert (found["con"]["differ"], found["con"]["dust"], found["con"]["self"]) == (0, 0, 0)


def test_mask_pixel(results):
    change(results[0] / "crmask" / "a_11_crmask.fits", "CRMASK", lambda d: d.__setitem__((7, 8), 1))
    found = compare(*results)["crmask"]
    assert found["differ"] == 1 and found["members"]["a_11"]["where"] == [(7, 8)]
    assert found["per_million"] == pytest.approx(1e6 / 2400)


@pytest.mark.parametrize("name", PLANES)
def test_value_and_nan(results, name):
    def edit(data):
        data[5, 6] *= 1.001
        data[8, 9] = np.nan

    change(results[0] / "m_i2d.fits", name, edit)
    found = compare(*results)["i2d"][name]
    assert found["above"] == 1 and found["worst"] == (5, 6) and found["nan_differs"] == 1


def test_difference_unit():
    """The unit is the error where the value is small; zero against zero is no difference."""
    a, b = np.array([[1.0, 0.0, 1e-9]]), np.array([[1.0, 0.0, 0.0]])
    assert difference(a, b, np.array([[0.1, 0.1, 0.1]]))["max"] == pytest.approx(1e-8)
    assert difference(a, b)["max"] == np.inf


def test_context(results):
    change(results[0] / "m_i2d.fits", "CON", lambda d: d.__setitem__((0, 2, 2), 1))
    assert compare(*results)["con"]["differ"] == 1
    weights = {name: np.ones((NY, NX), "f4") for name in MEMBERS}
    weights["a_11"][2, 2] = 1e-7
    np.savez(results[1] / "weights.npz", **weights)
    found = compare(*results)["con"]
    assert found["differ"] == 0 and found["dust"] == 1


def test_sky(results):
    path = results[0] / "sky.csv"
    path.write_text(path.read_text().replace("1.5", "1.6"))
    assert compare(*results)["sky"]["max"] == pytest.approx(1.0)
    path.write_text(path.read_text().replace(",0,0,0\n", ",0,0,1\n"))  # valid, where the peer found no sky
    assert compare(*results)["sky"]["max"] == np.inf


def test_grid(results):
    with fits.open(results[0] / "m_i2d.fits", mode="update") as hdus:
        hdus["SCI"].header["CRPIX1"] += 0.25
    assert compare(*results)["grid"]["max_pixels"] == pytest.approx(0.25, rel=1e-3)


def test_intermediates(results):
    """Windows are laid on the peer's frame; members whose names begin alike are not mixed up."""
    ours, peer = results
    frame = np.zeros((NY, NX), "f4")
    frame[4:10, 5:12] = np.arange(42, dtype="f4").reshape(6, 7) + 1
    window = fits.Header({"WINX0": 5, "WINY0": 4})
    for group, member in (("g1", "a_1"), ("g2", "a_11")):
        part = [fits.ImageHDU(frame[4:10, 5:12], window, name) for name in ("SCI", "WHT")]
        fits.HDUList([fits.PrimaryHDU(), *part]).writeto(ours / "single" / f"{group}_outlier_i2d.fits")
        whole = [fits.ImageHDU(frame * len(member), name=name) for name in ("SCI", "WHT")]
        fits.HDUList([fits.PrimaryHDU(), *whole]).writeto(peer / f"{member}_a3001_outlier_i2d.fits")
    fits.ImageHDU(frame[4:10, 5:12], window, "SCI").writeto(ours / "m_median.fits")
    fits.ImageHDU(frame, name="SCI").writeto(peer / "a_1_median.fits")
    shutil.copy(ours / "m_median.fits", ours / "blot" / "a_1_blot.fits")
    fits.ImageHDU(frame[4:10, 5:12], name="SCI").writeto(peer / "a_1_a3001_blot.fits")
    with pytest.raises(ValueError, match="leaves the peer's frame"):
        compare_intermediates(ours, peer)  # a blot has no window: WINX0 of the median is wrong there
    fits.ImageHDU(frame[4:10, 5:12], name="SCI").writeto(ours / "blot" / "a_1_blot.fits", overwrite=True)
    found = compare_intermediates(ours, peer)
    assert {key[0] for key in found} == {"single", "single_wht", "median", "blot"}
    assert found["median", "m"]["max"] == 0 and found["median", "m"]["outside"] == 0
    assert found["blot", "a_1"]["max"] == 0
    assert found["single", "g1"]["max"] == pytest.approx(2 / 3, rel=1e-6)
    assert found["single", "g2"]["max"] == pytest.approx(3 / 4, rel=1e-6)
