"""Whole runs on real data: 25 NIRISS exposures, a DECam field in two filters, and the real NIRCam coordinate
systems.
"""

import json
import re

import asdf
import gwcs  # noqa: F401  (its converters must be installed for asdf to find)
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from real_data import real_data
from running import digests, masks, open_verified, run, star_offsets, write_table
from scipy import ndimage

from drizzleflow.simulate import simulate
from drizzleflow.simulate.score import score

OUTLIER = 16
EIGHT = np.ones((3, 3), bool)


# -- NIRISS: 25 exposures of one bright star behind a non-redundant mask, in steps of 0.3 pixels


@pytest.fixture(scope="module")
def niriss(tmp_path_factory):
    files = sorted(real_data("jwst_niriss_hd36805").glob("*_cal.fits"))
    before = digests(files)
    folder = tmp_path_factory.mktemp("niriss")
    members = [{"expname": str(file), "exptype": "science"} for file in files]
    table = {"asn_id": "a3001", "products": [{"name": "hd36805", "members": members}]}
    (folder / "hd36805_asn.json").write_text(json.dumps(table))
    made = run(folder, {"associations": ["hd36805_asn.json"], "mode": "imaging"})
    return made.product("hd36805"), files, before


def test_niriss_has_a_plausible_number_of_new_outliers_and_none_in_the_star(niriss):
    """jwst 3.0.0 finds 7 to 56 new outliers in each of these, 158 in all in the star's core."""
    product, files, _ = niriss
    new, core = [], 0
    for file in files:
        crf = product / "crf" / file.name.replace("_cal", "_crf")
        after, was = fits.getdata(crf, "DQ"), fits.getdata(file, "DQ")
        assert not ((after & OUTLIER == 0) & (was & OUTLIER != 0)).any(), "a flag was taken away"
        new.append(int(((after & OUTLIER != 0) & (was & OUTLIER == 0)).sum()))
        found = masks(product)[file.name.removesuffix("_cal.fits")][1]
        assert ((after & OUTLIER != 0) >= found).all(), f"{file.name}: the mask is not in the DQ"
        usable = was & 1 == 0
        star = np.where(usable, fits.getdata(file, "SCI"), -np.inf)
        y, x = np.unravel_index(np.argmax(star), star.shape)
        core += np.count_nonzero(
            (found != 0)[y - 5 : y + 6, x - 5 : x + 6] & usable[y - 5 : y + 6, x - 5 : x + 6]
        )
    print(
        f"\nNIRISS: new outliers {new}; from {min(new)} to {max(new)} (jwst 3.0.0: 7 to 56); {core} in the star"
    )
    assert len(new) == 25 and core == 0
    assert 100 <= sum(new) and max(new) <= 50


def test_niriss_mosaic_combines_all_exposures(niriss):
    product, files, _ = niriss
    with fits.open(product / "hd36805_i2d.fits") as hdus:
        assert hdus[0].header["NDRIZ"] == 25
        assert hdus[0].header["EFFEXPTM"] == pytest.approx(sum(fits.getval(f, "EFFEXPTM") for f in files))
        sci, con = hdus["SCI"].data, hdus["CON"].data
        assert np.isfinite(sci[10:70, 10:70]).all()
        used = np.array([(con[0] >> bit) & 1 for bit in range(25)])
        assert used.any(axis=(1, 2)).all(), "an exposure contributes nowhere"
    # the star's light is that of the exposures, whatever was flagged
    single = fits.getdata(files[12], "SCI")
    assert np.nansum(sci) == pytest.approx(np.nansum(single), rel=0.02)


def test_niriss_fits_wcs_and_gwcs_agree(niriss):
    product, _, _ = niriss
    with fits.open(product / "hd36805_i2d.fits") as hdus:
        ny, nx = hdus["SCI"].shape
        wcs = WCS(hdus["SCI"].header)
    with asdf.open(product / "grid.asdf", lazy_load=False) as tree:
        grid = tree["wcs"]
        assert tuple(tree["array_shape"]) == (ny, nx)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, nx, 50), rng.uniform(0, ny, 50)
    u, v = wcs.all_world2pix(*grid(x, y, with_bounding_box=False), 0)
    assert np.hypot(u - x, v - y).max() < 1e-4


def test_niriss_inputs_are_as_they_were(niriss):
    _, files, before = niriss
    assert digests(files) == before


# -- DECam: raw counts of several nights, quality codes and inverse variances in files beside the images

#: What brings each exposure to the counts of its filter's first night with a zero point: 10^(-0.4 (MAGZERO -
#: first)) where the header has MAGZERO (2017-03-16, 2017-04-19, 2017-05-22); for the others, whose headers
#: have no photometric keyword, the median over the two to four bright stars of 8-pixel aperture fluxes. The
#: ratio of exposure times agrees to 5 %.
FLUX_SCALE = {
    "150411": 0.931,
    "170316": 1.0,
    "170419": 0.5639,
    "180212": 0.912,
    "170522": 1.0,
    "180128": 1.923,
    "180314": 2.083,
}
COSMIC_RAY = 5  #: the observatory's code
BANDS = {"z": 4, "r": 3}


@pytest.fixture(scope="module")
def decam(tmp_path_factory):
    """The run, and for each member what the observatory called a cosmic ray and how bright it is in sigma.

    Those pixels have no weight in the observatory's files; copies give them the frame's median weight and no
    code, so that it is for us to find them.
    """
    images = real_data("decam_legacypipe")
    folder = tmp_path_factory.mktemp("decam")
    truth, products = {}, []
    for band, count in BANDS.items():
        lines = []
        files = sorted(images.glob(f"*_ooi_{band}_*.fits"))
        assert len(files) == count
        for file in files:
            date = file.name.split("_")[1]
            member = f"{band}_{date}"
            quality, weight = (file.name.replace("ooi", kind) for kind in ("ood", "oow"))
            hit = fits.getdata(images / quality, 1) == COSMIC_RAY
            for name, fill in ((quality, lambda _: 0), (weight, lambda plane: np.median(plane[plane > 0]))):
                with fits.open(images / name) as hdus:
                    hdus[1].data[hit] = fill(hdus[1].data)
                    hdus.writeto(folder / name)
            data, inverse = fits.getdata(file, 1), fits.getdata(folder / weight, 1)
            sigma = (data - ndimage.median_filter(data, 9)) * np.sqrt(np.clip(inverse, 0, None))
            truth[member] = hit, sigma
            lines.append(f"{file},{member},{quality},{weight},{FLUX_SCALE[date]}")
        write_table(folder / f"decam_{band}.csv", "path,member,dq,ivar,flux_scale", lines)
        products.append(f"decam_{band}.csv")
    return run(folder, {"associations": products, "simple": {"dq_codes": True}}), truth


@pytest.mark.parametrize("band", BANDS)
def test_decam_cosmic_rays_of_the_observatory_are_found(decam, band):
    made, truth = decam
    found = masks(made.product(f"decam_{band}"))
    events = hits = 0
    print()
    for member, ((mask,), (hit, sigma)) in {
        m: (tuple(found[m].values()), truth[m]) for m in sorted(found)
    }.items():
        labels, n = ndimage.label(hit, structure=EIGHT)
        numbers = np.arange(1, n + 1)
        bright = numbers[ndimage.maximum(sigma, labels, numbers) > 5] if n else numbers
        here = sum(bool(mask[labels == number].any()) for number in bright)
        cores = hit & (sigma > 5)
        elsewhere = int((mask & ~ndimage.binary_dilation(hit, EIGHT)).sum())
        print(
            f"DECam {member}: {here} of {len(bright)} cosmic rays, {int((mask & cores).sum())} of {int(cores.sum())} of their"
            f" pixels above 5 sigma; {elsewhere} flags elsewhere"
        )
        events, hits = events + len(bright), hits + here
        assert (mask & cores).sum() >= 0.7 * cores.sum()
        # not every cosmic ray has a code: 2018-02-12 has one of 22 pixels beside a star, plain to the eye
        assert elsewhere <= 0.001 * mask.size
    assert events, "nothing to find"
    assert hits == events


@pytest.mark.parametrize("band", BANDS)
def test_decam_mosaic_is_deep_and_has_one_flux_scale(decam, band):
    made, _ = decam
    product = made.product(f"decam_{band}")
    with open_verified(product / f"decam_{band}_i2d.fits") as hdus:
        header = hdus[0].header
        assert header["NDRIZ"] == BANDS[band]
        assert not [key for key in header if key.startswith(("WAT", "PV", "RADECSYS"))], (
            "the inputs' coordinates were kept"
        )
        assert header["EXPTIME"] == pytest.approx({"z": 553.0, "r": 248.0}[band])
        sci, err = hdus["SCI"].data, hdus["ERR"].data
        inner = sci[20:-20, 20:-20]
        assert np.isfinite(inner).all()
    # the exact variance of a mean of overlapping pixels: what each exposure's shift smooths, ERR knows
    noise = 1.4826 * np.median(abs(inner - np.median(inner)))
    print(f"\nDECam {band}: noise of the mosaic over its ERR: {noise / np.median(err[20:-20, 20:-20]):.2f}")
    assert 0.85 < noise / np.median(err[20:-20, 20:-20]) < 1.25
    # each star is as bright in every exposure's comparison image as in the exposure itself
    for file in sorted((product / "blot").glob("*_blot.fits")):
        assert np.nanmax(fits.getdata(file, 1)) > 50 * noise


@pytest.mark.parametrize("band", BANDS)
def test_decam_median_has_no_holes_at_sources(decam, band):
    """A source's own photon noise must not take its pixels out of the median: cosmic rays on sources would
    stay.
    """
    made, _ = decam
    product = made.product(f"decam_{band}")
    median = fits.getdata(product / f"decam_{band}_median.fits", "SCI")
    holes = int(np.isnan(median[20:-20, 20:-20]).sum())
    assert holes == 0


# -- NIRCam: simulated pixels on real coordinate systems, two pixel scales


@pytest.fixture(scope="module")
def nircam(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nircam")
    made = simulate(
        folder / "in",
        wcs=real_data("jwst_nircam_wcs"),
        detectors="nrca1,nrcalong",
        exposures=3,
        shape=(512, 512),
    )
    return run(folder, {"associations": made["associations"]}), made


def test_nircam_planted_cosmic_rays_are_found(nircam):
    made, simulated = nircam
    for name in simulated["products"]:
        total = score(simulated["truth"], made.product(name))["total"]
        print(
            f"\n{name}: {total['found_deep']} of {total['events_deep']} cosmic rays where three exposures overlap, "
            f"{100 * total['purity']:.1f} % of the flags true"
        )
        assert total["events_deep"] > 100
        assert total["completeness_deep"] > 0.9
        assert total["purity"] > 0.9


def test_nircam_mosaics_have_the_scale_of_their_detectors(nircam):
    made, simulated = nircam
    scales = {}
    for name in simulated["products"]:
        path = made.product(name) / f"{name}_i2d.fits"
        with open_verified(path) as hdus:
            header = hdus["SCI"].header
            scales[re.search("f[0-9]+w", name).group()] = header["CDELT2"] * 3600
            assert hdus[0].header["NDRIZ"] == 3
        offsets = star_offsets(path, simulated["truth"], count=3)
        assert len(offsets) == 3
        print(f"\n{name}: planted sources are within {np.abs(offsets).max():.3f} px of their places")
        assert np.abs(offsets).max() < 0.1
    assert scales["f115w"] == pytest.approx(0.0307, abs=0.0008)
    assert scales["f277w"] == pytest.approx(0.0629, abs=0.0008)
