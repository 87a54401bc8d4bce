"""The simulator: geometry, photometry, noise, truth, files, and the score against the truth."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.formats import hst, jwst
from drizzleflow.frames.frame import SkyWCS
from drizzleflow.simulate import faults, scene, simulate
from drizzleflow.simulate import jwst as simulate_jwst
from drizzleflow.simulate.exposures import pointings
from drizzleflow.simulate.hst import to_sky_of, wcs_cards
from drizzleflow.simulate.score import score, score_frame, table

SMALL = {"exposures": 3, "detectors": 2, "shape": (96, 112), "stars": 900, "galaxies": 300}


def digests(folder):
    out = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as data:
                out[os.path.relpath(path, folder)] = hashlib.sha256(data.read()).hexdigest()
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One small simulation of each flavour."""
    out = {}
    for flavour in ("jwst", "roman", "hst", "simple"):
        out[flavour] = simulate(tmp_path_factory.mktemp(flavour), flavour=flavour, cosmic_rays=0.01, **SMALL)
    return out


def truth_of(result):
    with open(os.path.join(result["truth"], "truth.json")) as text:
        return json.load(text)


@pytest.mark.parametrize("flavour", ["jwst", "roman", "hst", "simple"])
def test_the_same_arguments_give_the_same_bytes(tmp_path, flavour, made):
    simulate(tmp_path / "again", flavour=flavour, cosmic_rays=0.01, **SMALL)
    simulate(tmp_path / "other", flavour=flavour, cosmic_rays=0.01, seed=2, **SMALL)
    first = digests(os.path.dirname(made[flavour]["truth"]))
    assert digests(tmp_path / "again") == first
    assert all(
        v != first[k] for k, v in digests(tmp_path / "other").items() if k.endswith("fits") and "asn" not in k
    )


@pytest.mark.parametrize("detector", range(8))
@pytest.mark.parametrize("side", [256, 2048])
def test_the_gwcs_inverts_itself_and_keeps_one_attitude(detector, side):
    wcs, info = simulate_jwst.nircam_like(detector, (side, side), 359.9999, -60.0, 123.0)
    edge = np.linspace(-0.5, side - 0.5, 17)
    x, y = (g.ravel() for g in np.meshgrid(edge, edge))
    back = wcs.invert(*wcs(x, y, with_bounding_box=False), with_bounding_box=False)
    assert np.hypot(back[0] - x, back[1] - y).max() < 1e-6
    # all detectors agree where the telescope points, and wcsinfo says where the reference point is
    to_world = wcs.get_transform("v2v3", "world")
    np.testing.assert_allclose(to_world(86.0, -493.6), (359.9999, -60.0), atol=1e-10)
    middle = (side - 1) / 2
    np.testing.assert_allclose(wcs(middle, middle), (info["ra_ref"], info["dec_ref"]), atol=1e-9)
    # V3 points to roll_ref there
    up = to_world(info["v2_ref"], info["v3_ref"] + 1.0)
    xi, eta = scene.to_plane(*up, (info["ra_ref"], info["dec_ref"]))
    assert (np.degrees(np.arctan2(xi, eta)) - info["roll_ref"] + 180) % 360 - 180 == pytest.approx(
        0, abs=1e-4
    )


def test_distortion_is_as_large_as_nircams():
    wcs, _ = simulate_jwst.nircam_like(0, (2048, 2048), 10.0, 10.0, 0.0)
    edge = np.linspace(0, 2047, 9)
    x, y = (g.ravel() for g in np.meshgrid(edge, edge))
    sky = np.stack(scene.to_plane(*wcs(x, y), wcs(1023.5, 1023.5))) / simulate_jwst.SCALE
    design = np.stack([np.ones_like(x), x, y], axis=1)
    left = sky.T - design @ np.linalg.lstsq(design, sky.T, rcond=None)[0]
    assert 2 < np.abs(left).max() < 12


def test_plane_and_sphere_are_inverse_at_ra_zero_and_near_the_pole():
    for tangent in ((0.0, 0.0), (359.999, 89.9), (120.0, -45.0)):
        xi, eta = np.array([-200.0, 0, 150]), np.array([30.0, 0, -90])
        back = scene.to_plane(*scene.to_sphere(xi, eta, tangent), tangent)
        np.testing.assert_allclose(back, (xi, eta), atol=1e-6)


def test_field_map_follows_the_wcs_and_refuses_a_kinked_one():
    cards = wcs_cards((300, 200), 0.001, 20.0, 33.0)
    to_sky = to_sky_of(cards)
    field = scene.FieldMap(to_sky, (300, 200), (0.0, 20.0))
    x, y = np.array([-0.5, 10.2, 150.0, 199.5]), np.array([-0.5, 280.1, 3.3, 299.5])
    px, py, inside = field.invert(*scene.to_plane(*to_sky(x, y), (0.0, 20.0)), margin=1e-6)
    assert inside.all() and np.hypot(px - x, py - y).max() < 1e-6
    edges = field.points(np.array([-0.4, -0.6, 199.4, 199.6]), np.full(4, 50.0))
    assert field.invert(*edges)[2].tolist() == [True, False] * 2
    far = field.invert(*field.grid([-900.0, 100.0, 1100.0], [-1200.0, 150.0, 1500.0]))[2]
    assert far.sum() == 1 and far[1, 1]
    with pytest.raises(ValueError, match="not smooth"):
        scene.FieldMap(lambda x, y: to_sky(x + 0.01 * np.abs(x - 64), y), (300, 200), (0.0, 20.0))


@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.5, 0.5), (0.31, -0.22)])
def test_an_undersampled_star_keeps_flux_and_place(phase):
    field = scene.FieldMap(to_sky_of(wcs_cards((81, 81), 50.0, 10.0, 70.0)), (81, 81), (50.0, 10.0))
    x, y = 40 + phase[0], 40 + phase[1]
    xi, eta = field.points(np.array([x]), np.array([y]))
    one = np.ones(1)
    star = scene.Catalogue(xi, eta, 1e-9 * one, 0 * one, one, one, one)
    for fwhm in (0.04, 0.1):  # pixels cannot tell the place of a core of 0.8 pixels, but its flux
        image = scene.render(field, star, fwhm, 1e-7)
        assert image.sum() * abs(field.area(x, y)) * scene.SR == pytest.approx(1e-9, rel=1e-4)
    yy, xx = np.mgrid[:81, :81]
    assert (image * xx).sum() / image.sum() == pytest.approx(x, abs=1e-3)
    assert (image * yy).sum() / image.sum() == pytest.approx(y, abs=1e-3)


def test_a_galaxy_keeps_its_flux_and_angle():
    field = scene.FieldMap(
        to_sky_of(wcs_cards((201, 201), 50.0, 10.0, 0.0, sip=None)), (201, 201), (50.0, 10.0)
    )
    xi, eta = field.points(np.array([100.0]), np.array([100.0]))
    one = np.ones(1)
    # major axis 30 degrees east of north; +y is north and +x west
    galaxy = scene.Catalogue(xi, eta, 1e-9 * one, 0.4 * one, one, 0.5 * one, np.radians(30) * one)
    image = scene.render(field, galaxy, 0.05, 1e-9)
    assert image.sum() * abs(field.area(100.0, 100.0)) * scene.SR == pytest.approx(1e-9, rel=0.02)
    yy, xx = np.mgrid[:201, :201] - 100.0
    moment = np.arctan2(2 * (image * -xx * yy).sum(), (image * (yy * yy - xx * xx)).sum()) / 2
    assert np.degrees(moment) == pytest.approx(30, abs=0.5)


def test_noise_is_what_err_says():
    rng = np.random.default_rng(0)
    detector = scene.make_detector(rng, (400, 400), 1.2, 14.0)
    image = np.zeros((400, 400))
    image[100:200] = 5.0
    planes = scene.expose(rng, image, 0.3, 300.0, detector, None)
    bad = (planes["dq"] & 1) != 0
    assert 0.002 < bad.mean() < 0.02
    for name in ("sci", "err", "var_poisson", "var_rnoise", "var_flat"):
        assert np.array_equal(np.isnan(planes[name]), bad) and planes[name].dtype == np.float32
    variance = planes["var_poisson"] + planes["var_rnoise"] + planes["var_flat"]
    np.testing.assert_allclose(planes["err"][~bad] ** 2, variance[~bad], rtol=1e-5)
    pull = (planes["sci"] - image - 0.3) / planes["err"]
    for part in (pull[100:200], pull[200:]):
        assert np.nanmean(part) == pytest.approx(0, abs=0.03) and np.nanstd(part) == pytest.approx(
            1, abs=0.02
        )
    assert ((planes["dq"] & scene.JUMP_DET) != 0)[~bad].mean() == pytest.approx(0.005, rel=0.3)


def test_cosmic_rays_have_lengths_angles_and_a_density():
    charge, tracks = faults.cosmic_rays(np.random.default_rng(3), (512, 512), 2000.0, 450.0, 5.0)
    assert charge.dtype == np.float32 and not ((charge > 0) & (charge < 5)).any()
    assert 1000 < (charge > 50).sum() < 4000
    assert tracks[:, 2].max() > 20 and 0.25 < (tracks[:, 2] < 1.3).mean() < 0.55
    assert np.histogram(tracks[:, 3], 4, (0, 2 * np.pi))[0].min() > 0.15 * len(tracks)
    assert not faults.cosmic_rays(np.random.default_rng(3), (64, 64), 0.0, 450.0, 5.0)[0].any()


def test_truth_is_what_was_planted(made):
    """Residuals (data minus sky) at planted pixels follow the planted flux, in the file's own unit."""
    for flavour, name in (
        ("jwst", "jw98765001001_02101_00002_nrca1"),
        ("hst", "jsim0102q"),
        ("simple", "sim_e002_d1"),
    ):
        truth = truth_of(made[flavour])["members"][name]
        factor = truth["sky_in_file_unit"] / truth["sky"]
        with fits.open(os.path.join(os.path.dirname(made[flavour]["truth"]), truth["file"])) as hdus:
            data, err = hdus["SCI"].data.astype(float), hdus["ERR"].data.astype(float)
        with fits.open(os.path.join(made[flavour]["truth"], f"{name}_truth.fits")) as hdus:
            mask, flux, sigma = (hdus[k].data for k in ("CRMASK", "CRFLUX", "CRSIGMA"))
            depth = hdus["DEPTH"].data
        assert mask.dtype == np.uint8 and np.array_equal(mask == 1, flux > 0) and 30 < mask.sum() < 600
        planted = mask == 1
        np.testing.assert_allclose(sigma[planted], flux[planted] * factor / err[planted], rtol=1e-4)
        residual = (data - truth["sky_in_file_unit"] - flux * factor) / err
        assert abs(np.median(residual[planted])) < 1.0  # sources hide under few of them
        assert np.array_equal(depth > 0, planted) and depth.max() == 3
        assert np.nanmedian(data) == pytest.approx(truth["sky_in_file_unit"], rel=0.1)


def coordinates(path, hdu):
    """(to_sky, to_pixel) of a written frame, as its readers find them."""
    if "_cal.fits" in path:
        wcs = jwst._open_wcs(path, hdu.shape)
        return wcs.to_sky, wcs.to_pixel
    wcs = WCS(hdu.header)
    return (lambda x, y: wcs.all_pix2world(x, y, 0)), (
        lambda lon, lat: wcs.all_world2pix(lon, lat, 0, quiet=True)
    )


def pixel_area(to_sky, x, y):
    """Steradians of the pixel at (x, y)."""
    here = to_sky(x, y)
    a, b = (scene.to_plane(*to_sky(x + i, y + j), here) for i, j in ((1, 0), (0, 1)))
    return abs(a[0] * b[1] - a[1] * b[0]) * scene.SR


@pytest.mark.parametrize(("flavour", "mag"), [("jwst", 21.5), ("hst", 20.5), ("simple", 18.5)])
def test_stars_are_where_the_written_wcs_says_with_their_flux(tmp_path, flavour, mag):
    """Nine stars of a source list: centroid and flux in every exposure, through each file's own coordinates."""
    options = {
        "flavour": flavour,
        "exposures": 2,
        "detectors": 1,
        "shape": (128, 128),
        "cosmic_rays": 0,
        "bad_fraction": 0,
    }
    options["filter_name"] = "F200W"
    first = simulate(tmp_path / "first", **options)["members"][0]
    with fits.open(first) as hdus:
        places = np.meshgrid([40.2, 63.0, 87.6], [41.5, 65.1, 87.0])
        ra, dec = (np.ravel(v) for v in coordinates(first, hdus["SCI", 1])[0](*places))
    rows = [f"{a!r} {d!r} {mag} 3.0" for a, d in zip(ra.tolist(), dec.tolist(), strict=True)]
    (tmp_path / "list.ecsv").write_text("\n".join(["# %ECSV 1.0", "RA DEC MAG rh", *rows]) + "\n")
    result = simulate(tmp_path / "out", catalogue=tmp_path / "list.ecsv", **options)
    checked = 0
    for path, about in zip(result["members"], truth_of(result)["members"].values(), strict=True):
        with fits.open(path) as hdus:
            hdu = hdus["SCI", 1]
            data = hdu.data / (about["sky_in_file_unit"] / about["sky"]) - about["sky"]
            to_sky, to_pixel = coordinates(path, hdu)
            for x, y in zip(*to_pixel(ra, dec), strict=True):
                if not (10 < x < 117 and 10 < y < 117):
                    continue
                yy, xx = np.mgrid[round(y) - 8 : round(y) + 9, round(x) - 8 : round(x) + 9]
                star = data[yy, xx]
                total = star.sum()
                assert np.hypot((star * xx).sum() / total - x, (star * yy).sum() / total - y) < 0.1
                assert total * pixel_area(to_sky, x, y) / scene.flux_of(mag) == pytest.approx(1, abs=0.04)
                checked += 1
    assert checked >= 15


def test_jwst_files_are_read_by_the_format(made):
    path = made["jwst"]["members"][3]
    with fits.open(path) as hdus:
        assert [h.name for h in hdus] == [
            "PRIMARY",
            "SCI",
            "ERR",
            "DQ",
            "VAR_POISSON",
            "VAR_RNOISE",
            "VAR_FLAT",
            "ASDF",
        ]
        header = hdus[0].header
        assert formats.detect(header) == "jwst" and all(hdu.verify_checksum() == 1 for hdu in hdus)
        about = jwst.describe(path, header)
        assert hdus["SCI"].header["S_REGION"].startswith("POLYGON ICRS  ")
        assert hdus["SCI"].header["PIXAR_SR"] == pytest.approx(hdus["SCI"].header["PIXAR_A2"] * scene.SR)
    assert (
        about["group"] == "jw98765001001_02101_00002" and about["detector"] == "NRCA2" and not about["cube"]
    )
    frame = jwst.read({"path": path, "member": "m", **about}, planes=("data", "err", "dq", "var"))
    assert frame.shape == (96, 112) and frame.exposure_time == frame.measurement_time == 300.0
    assert isinstance(frame.wcs, SkyWCS) and frame.wcs.info["ra_ref"] == pytest.approx(150.1, abs=0.01)


def test_linear_header_wcs_agrees_with_the_gwcs_at_the_centre(made):
    path = made["jwst"]["members"][0]
    with fits.open(path) as hdus:
        linear, shape = WCS(hdus["SCI"].header), hdus["SCI"].shape
    exact = jwst._open_wcs(path, shape)
    for x, y, tolerance in ((55.5, 47.5, 1e-9), (60.0, 40.0, 1e-8), (0.0, 0.0, 1e-6)):
        np.testing.assert_allclose(
            linear.all_pix2world(x, y, 0), np.ravel(exact.to_sky(x, y)), atol=tolerance
        )


def test_cubes_have_a_plane_and_a_truth_for_each_integration(tmp_path):
    result = simulate(tmp_path, exposures=1, detectors=1, shape=(40, 50), nints=3, cosmic_rays=0.02)
    with fits.open(result["members"][0]) as hdus:
        assert result["members"][0].endswith("_calints.fits") and hdus[0].header["NINTS"] == 3
        cube = hdus["SCI"].data
        assert all(hdus[k].shape == (3, 40, 50) for k in ("SCI", "ERR", "DQ", "VAR_RNOISE"))
        assert jwst.describe(result["members"][0], hdus[0].header)["nframes"] == 3
    with fits.open(os.path.join(result["truth"], "jw98765001001_02101_00001_nrca1_truth.fits")) as hdus:
        masks = hdus["CRMASK"].data
    assert (
        masks.shape == (3, 40, 50)
        and not np.array_equal(masks[0], masks[1])
        and not np.array_equal(cube[0], cube[1])
    )


def test_hst_files_have_two_chips_that_do_not_overlap(made):
    with fits.open(made["hst"]["members"][0]) as hdus:
        assert [(h.name, h.ver) for h in hdus[1:]] == [(n, v) for v in (1, 2) for n in ("SCI", "ERR", "DQ")]
        assert hst.recognise(hdus[0].header) and hdus["DQ", 1].data.dtype == np.dtype(">i2")
        assert all(np.isfinite(hdus["SCI", v].data).all() for v in (1, 2))
        ny, nx = hdus["SCI", 2].shape
        y, x = np.mgrid[:ny, :nx]
        sky = WCS(hdus["SCI", 2].header).all_pix2world(x.ravel(), y.ravel(), 0)
        below = WCS(hdus["SCI", 1].header).all_world2pix(*sky, 0, quiet=True)
        assert below[1].min() > ny + 40
    with fits.open(made["hst"]["associations"][0]) as hdus:
        rows = hdus[1].data
        assert [r["MEMNAME"].strip() for r in rows] == ["JSIM0101Q", "JSIM0102Q", "JSIM0103Q", "JSIM01010"]
        assert rows["MEMTYPE"][-1] == "PROD-DTH" and rows["MEMPRSNT"].all()


def test_simple_files_and_their_table(made):
    with open(made["simple"]["associations"][0]) as text:
        lines = text.read().splitlines()
    assert (
        lines[:2] == ["path,exptype,group,product", "sim_e001_d1.fits,science,e001,sim_r"] and len(lines) == 7
    )
    with fits.open(made["simple"]["members"][0]) as hdus:
        assert hdus["SCI"].header["CTYPE1"] == "RA---TPV" and hdus[0].header["BUNIT"] == "DN/s"
        assert np.isnan(hdus["SCI"].data[hdus["DQ"].data & 1 != 0]).all()


def test_pointings_dither_and_roll():
    out = np.array(pointings(1, 6, (0.0, 80.0), 10.0, 4.0))
    xi, eta = scene.to_plane(out[:, 0], out[:, 1], (0.0, 80.0))
    radius = np.hypot(xi, eta)
    assert 2 < radius.min() and 9 < radius.max() <= 10
    assert len(set(out[:, 2])) == 6 and 2 < np.ptp(out[:, 2]) <= 4


def as_run(result, folder, change=None):
    """Write the truth itself as a run's masks."""
    product = os.path.join(folder, result["products"][0])
    os.makedirs(os.path.join(product, "crmask"))
    for name in truth_of(result)["members"]:
        with fits.open(os.path.join(result["truth"], f"{name}_truth.fits")) as hdus:
            out = fits.HDUList([fits.PrimaryHDU()])
            for hdu in hdus:
                if hdu.name == "CRMASK":
                    mask = hdu.data.copy() if change is None else change(hdu.data.copy())
                    out.append(fits.ImageHDU(mask, name="CRMASK", ver=hdu.ver))
            out.writeto(os.path.join(product, "crmask", f"{name}_crmask.fits"))
    return product


@pytest.mark.parametrize("flavour", ["jwst", "roman", "hst", "simple"])
def test_the_truth_scores_full_marks_and_nothing_scores_none(tmp_path, flavour, made):
    result = made[flavour]
    full = score(result["truth"], as_run(result, tmp_path / "full"))["total"]
    none = score(result["truth"], as_run(result, tmp_path / "none", np.zeros_like))["total"]
    assert full["events"] > 10 and full["completeness"] == full["purity"] == full["pixel_completeness"] == 1
    assert full["events"] == sum(m["cr_events_5sigma"] for m in truth_of(result)["members"].values())
    assert none["found"] == none["flags"] == 0 and none["purity"] is None and none["events"] == full["events"]
    assert 0 < full["events_deep"] <= full["events"]


def test_score_counts_events_pixels_and_false_flags():
    planted, sigma, mask = np.zeros((20, 30), int), np.zeros((20, 30)), np.zeros((20, 30), int)
    planted[5, 5:9], sigma[5, 5:9] = 1, [2, 9, 9, 3]  # one event, two pixels above 5
    planted[6, 9], sigma[6, 9] = 1, 6  # touches it at a corner: the same event
    planted[15, 15], sigma[15, 15] = 1, 4  # too faint to count
    planted[10, 25], sigma[10, 25] = 1, 50  # missed
    mask[5, 5] = mask[4, 6] = 1  # found by its faint end; a flag beside it is not false
    mask[15, 15] = 1  # faint, but planted: not false
    mask[1, 1] = mask[10, 23] = 1  # false: two pixels away
    depth = np.where(planted, 4, 0)
    depth[10, 25] = 2
    counts = score_frame(mask, planted, sigma, depth)
    assert counts == {
        "events": 2,
        "found": 1,
        "events_deep": 1,
        "found_deep": 1,
        "pixels": 4,
        "pixels_found": 0,
        "pixels_deep": 3,
        "pixels_deep_found": 0,
        "flags": 5,
        "false": 2,
    }


def test_score_says_what_is_wrong(tmp_path, made):
    result = made["jwst"]
    with pytest.raises(InputError, match=r"truth\.json: no such file"):
        score(tmp_path, tmp_path)
    with pytest.raises(InputError, match=r"crmask\.fits: no such file"):
        score(result["truth"], tmp_path)
    product = as_run(result, tmp_path, lambda mask: mask[:-1])
    with pytest.raises(InputError, match=r"shape \(95, 112\), expected \(96, 112\)"):
        score(result["truth"], product)


def test_wrong_requests_are_refused(tmp_path):
    for wrong, message in (
        ({"flavour": "kepler"}, "flavour 'kepler'"),
        ({"flavour": "hst", "nints": 2}, "only the jwst flavour"),
        ({"wcs": tmp_path}, "no \\*.asdf"),
        ({"detectors": 9}, "expected 1 to 8"),
        ({"flavour": "hst", "wcs": tmp_path}, "only the jwst flavour"),
        ({"flavour": "roman", "detectors": 19}, "expected 1 to 18"),
        ({"flavour": "roman", "wcs": tmp_path}, "only the jwst flavour"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(tmp_path / "out", **wrong)


def test_a_folder_of_gwcs_is_the_base_of_a_simulation(tmp_path):
    """The tree is kept as it is, sources come from the folder's list, and each channel is a product of its
    own.
    """
    import asdf

    folder = tmp_path / "wcs"
    folder.mkdir()
    for exposure in (1, 2):
        for detector, name in ((0, "nrca1"), (1, "nrcalong")):
            wcs, info = simulate_jwst.nircam_like(detector, (64, 64), 30.0, 5.0 + exposure * 1e-5, 10.0)
            asdf.AsdfFile({"wcs": wcs, "wcsinfo": info}).write_to(
                folder / f"jw01345001001_02201_{exposure:05d}_{name}_t.asdf"
            )
    ra, dec = wcs(40.0, 30.0)
    (folder / "list.ecsv").write_text(
        f"# %ECSV 1.0\nRA DEC MAG rh\n{float(ra)!r} {float(dec)!r} 21.0 3.0\n0.0 0.0 20.0 3.0\n"
    )
    result = simulate(tmp_path / "out", wcs=folder, exposures=2, shape=(64, 64), cosmic_rays=0)
    assert result["products"] == ["jw01345-o001_t001_nircam_f115w", "jw01345-o001_t001_nircam_f277w"]
    assert [os.path.basename(p) for p in result["members"]][
        1
    ] == "jw01345001001_02201_00001_nrcalong_cal.fits"
    with fits.open(result["members"][3]) as hdus:
        data = hdus["SCI"].data
        assert hdus[0].header["DETECTOR"] == "NRCALONG" and hdus[0].header["EXPOSURE"] == "2"
    assert np.unravel_index(np.nanargmax(data), data.shape) == (30, 40)
    assert len(truth_of(result)["sources"]["rows"]) == 1


def test_command_line(tmp_path, made):
    def run(*arguments, hash_seed="0"):
        environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", PYTHONHASHSEED=hash_seed)
        command = [sys.executable, "-m", "drizzleflow.simulate", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    size = ("--exposures", 2, "--detectors", 1, "--shape", 40, 40, "--no-cosmic-rays")
    for seed in ("1", "2"):  # sets are ordered differently in every process
        done = run(tmp_path / seed, *size, hash_seed=seed)
        assert done.returncode == 0 and "association:" in done.stdout and done.stderr == ""
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    members = truth_of({"truth": tmp_path / "1" / "truth"})["members"]
    assert members["jw98765001001_02101_00001_nrca1"]["cr_pixels"] == 0
    product = as_run(made["jwst"], tmp_path)
    done = run("score", made["jwst"]["truth"], product)
    assert done.returncode == 0 and done.stdout.strip() == table(score(made["jwst"]["truth"], product))
    assert run("score", tmp_path / "nothing", product).returncode == 1
