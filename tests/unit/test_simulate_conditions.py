"""What else the simulator can be asked for: PSF, pointing errors, depths, low pixels, trails, ERR, truth."""

import json
import os

import numpy as np
import pytest
from astropy.io import fits

from drizzleflow.errors import InputError
from drizzleflow.simulate import faults, simulate

SIZE = {
    "exposures": 3,
    "detectors": 1,
    "shape": (80, 90),
    "stars": 1500,
    "galaxies": 300,
    "bad_fraction": 0.002,
}


def planes(result, member, kind, ver=1):
    """Extensions of one file of the truth folder, float64, or of the exposure itself (`kind` None)."""
    with open(os.path.join(result["truth"], "truth.json")) as text:
        about = json.load(text)["members"][member]
    name = os.path.join(result["truth"], f"{member}_{kind}.fits")
    if kind is None:
        name = os.path.join(os.path.dirname(result["truth"]), about["file"])
    with fits.open(name) as hdus:
        return about, {h.name: h.data.astype(float) for h in hdus[1:] if h.ver == ver and h.is_image}


def member(number=1):
    return f"jw98765001001_02101_{number:05d}_nrca1"


def test_the_width_of_stars_is_what_is_asked_for(tmp_path):
    widths = {}
    for fwhm in (1.4, 2.0, 4.0):
        made = simulate(
            tmp_path / str(fwhm), fwhm=fwhm, scene_truth=True, galaxies=0, stars=100, cosmic_rays=0,
            shape=(128, 128), exposures=1, detectors=1,
        )  # fmt: skip
        about, scene = planes(made, member(), "scene")
        ratios = []
        for _row, x, y in about["stars"]["1"]:
            if 20 < x < 107 and 20 < y < 107:
                box = scene["SCENE"][round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]
                ratios.append(
                    box.sum()
                    / scene["SCENE"][round(y) - 9 : round(y) + 10, round(x) - 9 : round(x) + 10].sum()
                )
        widths[fwhm] = np.median(ratios)
    # the share of a Gaussian's core in 3 x 3 pixels (0.8 of the light), and a few per cent of the wings
    assert widths[1.4] > widths[2.0] > widths[4.0] and 0.7 < widths[1.4] < 0.9 and 0.25 < widths[4.0] < 0.5


@pytest.mark.parametrize("flavour", ["jwst", "roman", "hst", "simple"])
def test_pointing_errors_move_the_sky_and_not_what_files_say(tmp_path, flavour):
    plain = simulate(tmp_path / "plain", flavour=flavour, cosmic_rays=0, **SIZE)
    moved = simulate(tmp_path / "moved", flavour=flavour, cosmic_rays=0, wcs_error=0.5, **SIZE)
    truths = []
    for made in (plain, moved):
        with open(os.path.join(made["truth"], "truth.json")) as text:
            truths.append(json.load(text))
    assert "wcs_error" not in truths[0]["parameters"] and truths[1]["parameters"]["wcs_error"] == 0.5
    shifts = [about["shift_px"] for about in truths[1]["members"].values()]
    assert 0.1 < np.std(shifts) < 1.2 and len(np.unique(shifts)) == 6
    for about in truths[1]["members"].values() if flavour in ("hst", "simple") else ():
        headers = [fits.getheader(tmp_path / name / about["file"], 1) for name in ("plain", "moved")]
        assert all(headers[0][key] == headers[1][key] for key in ("CRVAL1", "CRVAL2", "CD1_1", "CD2_1"))


def test_a_pointing_error_is_seen_in_the_centroids(tmp_path):
    options = SIZE | {"galaxies": 0, "stars": 1500, "shape": (128, 128), "exposures": 4, "bad_fraction": 0}
    made = simulate(tmp_path, wcs_error=0.8, fwhm=3.0, cosmic_rays=0, scene_truth=True, **options)
    from drizzleflow.formats import jwst

    with open(os.path.join(made["truth"], "truth.json")) as text:
        truth = json.load(text)
    checked = 0
    for about in truth["members"].values():
        wcs = jwst._open_wcs(os.path.join(tmp_path, about["file"]), (128, 128))
        # rows of truth.json are true places; by the files' coordinates they are `shift_px` from where they
        # are seen
        differences = []
        for row, x, y in about["stars"]["1"]:
            px, py = wcs.to_pixel(*(np.array([v]) for v in truth["sources"]["rows"][row][:2]))
            differences.append((px[0] - x, py[0] - y))
        difference = np.array(differences)
        assert difference.std(axis=0).max() < 0.01
        assert np.hypot(*difference.mean(axis=0)) == pytest.approx(np.hypot(*about["shift_px"]), rel=0.02)
        checked += len(differences)
    assert checked > 4


@pytest.mark.parametrize("flavour", ["jwst", "hst"])
def test_depths_are_factors_of_the_noise(tmp_path, flavour):
    options = SIZE | {"sky_spread": 0, "galaxies": 0, "stars": 0, "bad_fraction": 0, "cosmic_rays": 0.15}
    made = simulate(tmp_path, flavour=flavour, depths=(1, 5), scene_truth=True, **options)
    names = [
        os.path.basename(p).removesuffix("_truth.fits")
        for p in sorted(os.listdir(made["truth"]))
        if "_truth" in p
    ]
    noise, scatter, rays = [], [], []
    for name in names:
        about, scene = planes(made, name, "scene")
        _, truth = planes(made, name, "truth")
        _, seen = planes(made, name, None)
        factor = about["sky_in_file_unit"] / about["sky"]
        noise.append(np.median(scene["NOISE"]))
        quiet = truth["CRMASK"] == 0
        scatter.append(
            np.std((seen["SCI"][quiet] - about["sky_in_file_unit"]) / factor / scene["NOISE"][quiet])
        )
        rays.append(np.median((truth["CRFLUX"] / scene["NOISE"])[truth["CRMASK"] != 0]))
        assert about["exptime"] == pytest.approx(
            {0: 1, 1: 1 / 25}[names.index(name) % 2] * {"jwst": 300, "hst": 500}[flavour]
        )
    assert noise[1] / noise[0] == pytest.approx(5, rel=0.02) and noise[2] / noise[0] == pytest.approx(
        1, rel=0.02
    )
    assert scatter == pytest.approx([1, 1, 1], abs=0.05)
    assert rays[1] == pytest.approx(rays[0], rel=0.5)  # a factor of 5 otherwise


def test_low_pixels_are_low_other_ones_in_each_exposure(tmp_path):
    made = simulate(
        tmp_path,
        low_pixels=0.01,
        low_exposures=2,
        low_clusters=0.5,
        scene_truth=True,
        cosmic_rays=0.005,
        **SIZE,
    )
    lows = []
    for number in (1, 2, 3):
        about, low = planes(made, member(number), "low")
        _, scene = planes(made, member(number), "scene")
        _, truth = planes(made, member(number), "truth")
        _, seen = planes(made, member(number), None)
        here = low["LOW"] != 0
        lows.append(here)
        depth = (scene["SCENE"] + about["sky"] - seen["SCI"]) / scene["NOISE"]
        assert (depth[here] > 5).all() and not (here & (truth["CRMASK"] != 0)).any()
        assert not (depth[~here] > 6.5).any()
        assert low["NEAR"].any()
    assert 30 < lows[0].sum() < 160 and lows[1].sum() > 30 and not lows[2].any()
    assert not np.array_equal(lows[0], lows[1])
    assert (lows[0] & np.roll(lows[0], 1, axis=1)).any()


def test_places_near_low_pixels_are_those_of_the_sky(tmp_path):
    """Without dither and roll they are the pixels around the others' own."""
    made = simulate(tmp_path, low_pixels=0.004, low_exposures=1, dither=0.0, roll=0.0, **SIZE)
    low = planes(made, member(1), "low")[1]
    near = planes(made, member(2), "low")[1]["NEAR"]
    assert not low["NEAR"].any() and not planes(made, member(2), "low")[1]["LOW"].any()
    y, x = np.nonzero(low["LOW"])
    yy, xx = np.mgrid[: near.shape[0], : near.shape[1]]
    distance = np.hypot(yy[..., None] - y, xx[..., None] - x).min(axis=-1)
    np.testing.assert_array_equal(near != 0, distance <= 2.5)


def test_low_depths_and_clusters():
    low = faults.low_pixels(np.random.default_rng(1), (500, 500), 0.01, 0.0)
    clustered = faults.low_pixels(np.random.default_rng(1), (500, 500), 0.01, 1.0)
    for image in (low, clustered):
        assert image.dtype == np.float32 and (image > 0).mean() == pytest.approx(0.01, rel=0.1)
        values = image[image > 0]
        assert values.min() >= 10 and values.max() <= 300 and 40 < np.median(values) < 75

    def touching(image):
        on = image > 0
        around = sum(np.roll(on, (j, i), (0, 1)) for j in (-1, 0, 1) for i in (-1, 0, 1) if i or j)
        return (around[on] > 0).mean()

    assert touching(low) < 0.15 and touching(clustered) > 0.95


@pytest.mark.parametrize("direction", [1, -1])
def test_trails_lie_away_from_the_amplifiers_and_keep_the_charge(direction):
    charge = np.zeros((100, 5), np.float32)
    charge[50, 2] = charge[80, 4] = 1000
    left, behind = faults.trails(charge, 0.1, direction)
    assert (left + behind).sum() == pytest.approx(2000, rel=1e-5)
    step = -direction  # towards lower rows for 1
    assert behind[50 + step, 2] > behind[50 + 2 * step, 2] > 0 and behind[50 - step, 2] == 0
    transfers = {1: (100 - 50) / 100, -1: 51 / 100}[direction]
    assert left[50, 2] == pytest.approx(1000 * (1 - 0.1 * transfers))
    far, near = (80, 50) if direction < 0 else (50, 80)
    assert 1000 - left[far, 4 if far == 80 else 2] > 1000 - left[near, 4 if near == 80 else 2]


def test_trails_of_hst_files_point_to_the_gap(tmp_path):
    made = simulate(tmp_path, flavour="hst", cte=0.5, scene_truth=True, cosmic_rays=0.01, **SIZE)
    for ver, step in ((1, 1), (2, -1)):  # the first extension is chip 2, read out at its bottom
        _, truth = planes(made, "jsim0101q", "truth", ver)
        _, scene = planes(made, "jsim0101q", "scene", ver)
        bright = truth["CRFLUX"] > np.sort(truth["CRFLUX"].ravel())[-15]
        bright[0] = bright[-1] = False
        # behind the brightest pixels the trail is stronger than before them
        assert (
            np.roll(scene["TRAIL"], -step, 0)[bright].sum()
            > 1.5 * np.roll(scene["TRAIL"], step, 0)[bright].sum()
            > 0
        )


def test_err_with_and_without_the_rays_photons(tmp_path):
    seen = {}
    for name, flag in (("with", True), ("without", False)):
        made = simulate(tmp_path / name, cosmic_rays=0.02, scene_truth=True, photons_in_err=flag, **SIZE)
        seen[name] = (
            planes(made, member(), None)[1],
            planes(made, member(), "scene")[1],
            planes(made, member(), "truth")[1],
        )
    hit = (seen["with"][2]["CRFLUX"] > 3) & np.isfinite(seen["with"][1]["NOISE"])
    assert hit.sum() > 20
    for key in ("SCI", "DQ", "VAR_RNOISE"):  # the exposures themselves are the same
        np.testing.assert_array_equal(seen["with"][0][key], seen["without"][0][key])
    np.testing.assert_array_equal(seen["with"][1]["NOISE"], seen["without"][1]["NOISE"])
    assert (seen["with"][0]["ERR"] > 1.05 * seen["without"][0]["ERR"])[hit].all()
    np.testing.assert_allclose(seen["without"][0]["ERR"][hit], seen["without"][1]["NOISE"][hit], rtol=1e-6)
    assert (seen["with"][0]["VAR_POISSON"] > seen["without"][0]["VAR_POISSON"])[hit].all()
    for _, _, truth in seen.values():
        assert (truth["CRMASK"] == (truth["CRFLUX"] > 0)).all()


def test_the_scene_is_what_is_exposed(tmp_path):
    made = simulate(tmp_path, scene_truth=True, cosmic_rays=0.003, **SIZE)
    with open(os.path.join(made["truth"], "truth.json")) as text:
        rows = json.load(text)["sources"]["rows"]
    about, scene = planes(made, member(2), "scene")
    _, truth = planes(made, member(2), "truth")
    _, seen = planes(made, member(2), None)
    bad = (seen["DQ"].astype(int) & 1) != 0
    assert bad.any() and np.array_equal(np.isnan(scene["NOISE"]), bad) and not scene["TRAIL"].any()
    pull = ((seen["SCI"] - about["sky"] - scene["SCENE"] - truth["CRFLUX"]) / scene["NOISE"])[~bad]
    assert abs(pull.mean()) < 0.05 and np.std(pull[np.abs(pull) < 5]) == pytest.approx(1, abs=0.05)
    planted = truth["CRMASK"] != 0
    np.testing.assert_array_equal(scene["COVER"][planted], truth["DEPTH"][planted])
    assert scene["COVER"].min() >= 1 and scene["COVER"].max() == 3
    found = 0
    for row, x, y in about["stars"]["1"]:
        assert rows[row][3] == 0
        if 2 < x < 87 and 2 < y < 77 and rows[row][2] > np.median([r[2] for r in rows]):
            near = scene["SCENE"][round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
            found += near[1:4, 1:4].max() == near.max()
    assert found > 3


def test_what_cannot_be_simulated_is_refused(tmp_path):
    for wrong, message in (
        ({"cte": 0.1}, "only the hst flavour has charge trails"),
        ({"fwhm": 0}, "fwhm 0: expected pixels"),
        ({"wcs_error": -1}, "wcs_error -1"),
        ({"depths": ()}, r"depths \[\]"),
        ({"depths": (1, 0)}, "more than 0"),
        ({"low_pixels": 2}, "low_pixels 2: expected a fraction"),
        ({"nints": 2, "scene_truth": True}, "not for cubes"),
        ({"nints": 2, "low_pixels": 0.1}, "not for cubes"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(tmp_path / "out", **wrong)
