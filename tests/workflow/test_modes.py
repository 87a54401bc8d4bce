"""Small whole runs: every switch of the imaging road, every format, and what the products must look like.

One run makes many products: copies of the same exposures differ in FILTER, by which `overrides` gives each
its settings.
"""

import json
import warnings
from pathlib import Path

import asdf
import gwcs  # noqa: F401  (its converters must be installed for asdf to find)
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from running import (
    CRF_KEYWORDS,
    PROV_KEYWORDS,
    REPO,
    cards,
    data_bytes,
    digests,
    dishonest,
    masks,
    open_verified,
    planted,
    rows,
    run,
    star_offsets,
)
from scipy import ndimage
from variants import SKY, centre, wanted_header

from drizzleflow.jobs import checkout
from drizzleflow.simulate import simulate
from drizzleflow.simulate.score import score

JUMP_DET = 4  #: JWST: a good pixel, by default


def test_every_product_is_made_and_no_input_is_touched(modes):
    assert modes.process.returncode == 0, modes.said[-6000:]
    assert digests(modes.before) == modes.before


def test_the_jobs_ask_for_the_memory_that_they_take(modes):
    assert dishonest(modes.out) == []


# -- the contract


def products_of(modes, pattern):
    found = sorted(modes.out.glob(pattern))
    assert found, f"no {pattern}"
    return found


@pytest.mark.parametrize(
    "pattern", ["*/*_i2d.fits", "*/*_median.fits", "*/single/*", "*/blot/*", "*/crmask/*", "*/crf/*"]
)
def test_checksums_verify(modes, pattern):
    for path in products_of(modes, pattern):
        open_verified(path).close()


@pytest.mark.parametrize("product", ["base", "jsim01010", "plain"])
def test_singles_and_median_hold_a_window_of_the_grid(modes, product):
    folder = modes.product(product)
    with fits.open(folder / f"{product}_i2d.fits") as hdus:
        whole, (ny, nx) = WCS(hdus["SCI"].header), hdus["SCI"].shape
    paths = [(path, "WHT") for path in (folder / "single").glob("*_outlier_i2d.fits")]
    assert len(paths) == 3
    windows, foreseen = [], json.loads((folder / "grid.json").read_text())["windows"]
    for path, second in [*paths, (folder / f"{product}_median.fits", "NUSED")]:
        with fits.open(path) as hdus:
            more = ["ERR", "MEAN", "WSUM", "VMEAN", "NMEAN", "GROUPS"] if second == "NUSED" else []
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", second, *more]
            sci = hdus["SCI"]
            x0, y0 = sci.header["WINX0"], sci.header["WINY0"]
            assert hdus[second].shape == sci.shape
            assert sci.data.dtype == np.dtype(">f4")
            assert (hdus[second].header["WINX0"], hdus[second].header["WINY0"]) == (x0, y0)
            assert x0 >= 0 and y0 >= 0 and x0 + sci.shape[1] <= nx and y0 + sci.shape[0] <= ny
            x, y = np.array([0.0, 17.0, 90.0]), np.array([3.0, 80.0, 40.0])
            for hdu in (sci, hdus[second]):
                u, v = whole.all_world2pix(*WCS(hdu.header).all_pix2world(x, y, 0), 0)
                np.testing.assert_allclose([u - x, v - y], [[x0] * 3, [y0] * 3], atol=1e-6)
            windows.append((x0, y0, x0 + sci.shape[1], y0 + sci.shape[0]))
            if second == "WHT":  # what memory is asked for
                fx0, fx1, fy0, fy1 = foreseen[path.name.removesuffix("_outlier_i2d.fits")]
                assert np.abs(np.subtract(windows[-1], (fx0, fy0, fx1, fy1))).max() <= 8
    assert len(set(windows)) > 1, "dithered exposures all have one window"
    lower, upper = np.min(windows[:-1], axis=0)[:2], np.max(windows[:-1], axis=0)[2:]
    assert windows[-1] == (*lower, *upper)


def test_members_and_sky_tables(modes):
    folder = modes.product("base")
    members, sky = rows(folder / "members.csv"), rows(folder / "sky.csv")
    assert list(members[0])[:4] == ["member", "path", "exptype", "group"]
    assert list(sky[0])[:6] == ["member", "group", "sky", "component", "npix", "valid"]
    names = [Path(path).name.removesuffix("_cal.fits") for path in modes.field["members"]]
    assert [row["member"] for row in members] == names
    assert [row["member"] for row in sky] == names
    assert all(Path(row["path"]).is_file() for row in members)
    assert {row["exptype"] for row in members} == {"science"}
    assert rows(modes.product("jsim01010") / "sky.csv")[1]["extver"] == "2"


def test_i2d_extensions_and_keywords(modes):
    path = modes.product("base") / "base_i2d.fits"
    with fits.open(path) as hdus:
        names = ["PRIMARY", "SCI", "ERR", "CON", "WHT", "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT"]
        assert [hdu.name for hdu in hdus] == names
        head, sci = hdus[0].header, hdus["SCI"].header
        assert (head["NDRIZ"], head["PIXFRAC"], head["KERNEL"], head["RESWHT"]) == (3, 1.0, "square", "ivm")
        assert head["EFFEXPTM"] == pytest.approx(900.0)
        assert head["EXPTIME"] == pytest.approx(900.0)
        assert head["TMEASURE"] == pytest.approx(900.0)
        first, last = modes.field["members"][0], modes.field["members"][-1]
        assert head["EXPSTART"] == fits.getval(first, "EXPSTART")
        assert head["EXPEND"] == fits.getval(last, "EXPEND")
        assert head["TELESCOP"] == "JWST"
        assert head["DETECTOR"] == "NRCA1"
        assert "EXPOSURE" not in head, "a keyword that differs between the inputs was kept"
        assert sci["BUNIT"] == "MJy/sr"
        assert sci["PIXAR_A2"] == pytest.approx((sci["CDELT2"] * 3600) ** 2)
        assert sci["PIXAR_SR"] == pytest.approx(np.radians(sci["CDELT2"]) ** 2)
        assert sci["S_REGION"].count("POLYGON ICRS") == 1
        corners = np.array(sci["S_REGION"].split()[2:], float).reshape(-1, 2)
        ny, nx = hdus["SCI"].shape
        x, y = WCS(sci).all_world2pix(corners, 0).T
        assert (x.min(), y.min()) >= (-0.501, -0.501) and (x.max(), y.max()) <= (nx - 0.499, ny - 0.499)
        area = (
            abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
        )  # of what the exposures cover, bad pixels included
        assert np.count_nonzero(hdus["WHT"].data) == pytest.approx(area, rel=0.03)
        covered = hdus["WHT"].data > 0
        assert (hdus["CON"].data[0] != 0)[covered].all()
        assert np.isfinite(hdus["SCI"].data[covered]).all()
        assert np.isnan(hdus["SCI"].data[~covered]).all()
        variance = sum(hdus[name].data.astype(float) for name in names[5:])
        np.testing.assert_allclose(hdus["ERR"].data[covered] ** 2, variance[covered], rtol=1e-4)
        for hdu in hdus[1:]:
            assert WCS(hdu.header).celestial.wcs.compare(WCS(hdus["SCI"].header).wcs), hdu.name


def test_grid_asdf_is_the_grid_of_the_mosaic(modes):
    with fits.open(modes.product("base") / "base_i2d.fits") as hdus:
        wcs, shape = WCS(hdus["SCI"].header), hdus["SCI"].shape
    with asdf.open(modes.product("base") / "grid.asdf", lazy_load=False) as tree:
        assert tuple(tree["array_shape"]) == shape
        x, y = np.random.default_rng(2).uniform(0, 150, (2, 30))
        u, v = wcs.all_world2pix(*tree["wcs"](x, y, with_bounding_box=False), 0)
    np.testing.assert_allclose([u, v], [x, y], atol=1e-4)


@pytest.mark.parametrize("product", ["base", "jsim01010", "plain"])
def test_crf_is_the_input_but_for_what_the_contract_names(modes, product):
    """Data units that are not DQ (JWST: SCI, ERR, DQ, VAR_*) keep their bytes; headers gain documented
    keywords.
    """
    folder = modes.product(product)
    changed = {"base": ("SCI", "ERR", "DQ", "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT")}.get(product, ("DQ",))
    flagged = masks(folder)
    for row in rows(folder / "members.csv"):
        crf = folder / "crf" / f"{row['member']}_crf.fits"
        before, after = data_bytes(row["path"]), data_bytes(crf)
        assert [unit[:2] for unit in before] == [unit[:2] for unit in after[: len(before)]]
        gained_dq = ("DQ", 1) not in [unit[:2] for unit in before]
        assert [unit[:2] for unit in after[len(before) :]] == ([("DQ", 1)] if gained_dq else [])
        for old, new in zip(before, after, strict=False):
            if old[0] not in changed:
                assert old == new, f"{crf.name}[{old[0]},{old[1]}]: the data unit changed"
        with fits.open(row["path"]) as old, fits.open(crf) as new:
            for i, hdu in enumerate(old):
                gained = {key for key, _ in cards(new[i].header) - cards(hdu.header)}
                allowed = CRF_KEYWORDS | ({"DQTYPE"} if hdu.name == "DQ" and product == "plain" else set())
                assert gained <= allowed, f"{crf.name}[{hdu.name}]: {gained - allowed}"
                assert cards(hdu.header) <= cards(new[i].header), f"{crf.name}[{hdu.name}]: a card was lost"
            assert gained_dq == (Path(row["path"]).name == "sim_e002_d1.fits")
            assert new[0].header["S_OUTLIR"] == "COMPLETE"
            assert new["SCI"].header["BKGSUB"] is False
            for extver, mask in flagged[row["member"]].items():
                value = {"base": 17, "jsim01010": 4096}.get(product, 1 << 30)
                dq = new["DQ", extver].data.astype(np.int64)
                was = (
                    old["DQ", extver].data.astype(np.int64)
                    if ("DQ", extver) in old
                    else np.zeros(dq.shape, np.int64)
                )
                if product == "base":
                    good = ~np.isnan(new["SCI"].data)
                    assert ((dq & 1 == 0) == good).all()
                    assert (new["SCI"].data[good] == old["SCI"].data[good]).all()
                    np.testing.assert_array_equal(dq & ~1, (was & ~1) | 16 * mask)
                elif product == "jsim01010":
                    np.testing.assert_array_equal(dq, was | value * mask)
                else:
                    np.testing.assert_array_equal(dq & value != 0, mask)
                    np.testing.assert_array_equal(dq & ~value, was)
                assert mask.any()


@pytest.mark.parametrize("product", ["base", "jsim01010", "plain"])
def test_headers_tell_what_a_file_was_made_from(modes, product):
    """Hashes of the input files, of code and settings; HISTORY only in products of our own."""
    folder, hashes = modes.product(product), {}
    for row in rows(folder / "members.csv"):
        name = row["member"]
        hashes[name] = digests([row["path"]])[row["path"]]
        crf, *others = (
            fits.getheader(folder / kind / f"{name}_{kind}.fits") for kind in ("crf", "crmask", "blot")
        )
        assert crf["PROVIN"] == hashes[name] and [crf[key] for key in PROV_KEYWORDS] == [
            others[0][key] for key in PROV_KEYWORDS
        ]
        assert all(f"{name} compared with {product}_median.fits" in str(other["HISTORY"]) for other in others)
        assert str(crf.get("HISTORY")) == str(fits.getheader(row["path"]).get("HISTORY"))
    records = {
        name: json.loads((folder / f"record/{name}.json").read_text()) for name in ("mosaic", "median")
    }
    for name, path in (("mosaic", f"{product}_i2d.fits"), ("median", f"{product}_median.fits")):
        header = fits.getheader(folder / path)
        assert header["PROVCODE"] == records[name]["code"] and header["PROVVER"].startswith("drizzleflow ")
    assert (records["mosaic"]["git"] is None) == (checkout.describe(REPO) is None)
    text = "".join(fits.getheader(folder / f"{product}_i2d.fits")["HISTORY"])
    assert [text.index(f": {name}") < text.index(value) for name, value in hashes.items()] == [True] * len(
        hashes
    )


# -- outliers are found, and only they


@pytest.mark.parametrize("product", ["base", "strict", "kernel", "aligned", "jsim01010", "plain"])
def test_planted_cosmic_rays_are_found(modes, product):
    """Flags on pixels that the input calls bad are not counted: HST's hot pixels have values, and are
    outliers.
    """
    simulated, folder = modes.truth[product], modes.product(product)
    total = score(simulated["truth"], folder, simulated["products"][0])["total"]
    flags = false = 0
    paths = {row["member"]: row["path"] for row in rows(folder / "members.csv")}
    for member, planes in masks(folder).items():
        with fits.open(paths[member]) as hdus:
            for extver, mask in planes.items():
                quality = hdus["DQ", extver].data if ("DQ", extver) in hdus else np.zeros(mask.shape)
                good = (quality == 0) | ((quality == JUMP_DET) & (product != "jsim01010"))
                near = ndimage.binary_dilation(planted(simulated["truth"], member, extver), np.ones((3, 3)))
                flags, false = flags + (mask & good).sum(), false + (mask & good & ~near).sum()
    print(
        f"\n{product}: {total['found_deep']} of {total['events_deep']} found where three overlap; {false} of {flags} flags false"
    )
    assert total["events_deep"] >= 10
    assert total["completeness_deep"] > 0.9
    assert false <= 0.1 * flags


@pytest.mark.parametrize(
    ("product", "count"), [("base", 2), ("rotated", 2), ("header", 1), ("jsim01010", 2), ("plain", 2)]
)
def test_sources_are_where_the_header_says(modes, product, count):
    simulated = modes.truth.get(product, modes.field)
    offsets = star_offsets(modes.product(product) / f"{product}_i2d.fits", simulated["truth"], count)
    assert len(offsets) == count
    assert np.abs(offsets).max() < 0.15, offsets


def test_without_resampling_the_inputs_are_compared_directly(modes):
    product = modes.product("aligned")
    assert not list(product.glob("blot/*.fits")) or all(
        np.isfinite(fits.getdata(f, 1)).any() for f in product.glob("blot/*")
    )
    inputs = {Path(f).name.removesuffix("_cal.fits"): f for f in modes.truth["aligned"]["members"]}
    stack, sky = [], {row["member"]: float(row["sky"]) for row in rows(product / "sky.csv")}
    for member, file in inputs.items():
        single = product / "single" / f"{member}_outlier_i2d.fits"
        data = fits.getdata(file, "SCI") - np.float32(sky[member])
        np.testing.assert_array_equal(fits.getdata(single, "SCI"), data)
        stack.append(np.where(fits.getdata(single, "WHT") > 0, data, np.nan))
    median = fits.getdata(product / "aligned_median.fits", "SCI")
    used = fits.getdata(product / "aligned_median.fits", "NUSED")
    whole = used == 4
    assert whole.mean() > 0.9
    middle, lowest = np.median(stack, axis=0)[whole], np.min(stack, axis=0)[whole]
    replaced = median[whole] < 0.999 * middle  # two rays at one place: the lowest value
    assert 0 < np.count_nonzero(replaced) < 0.002 * replaced.size
    np.testing.assert_array_equal(median[whole][replaced], lowest[replaced])
    np.testing.assert_allclose(median[whole][~replaced], middle[~replaced], rtol=1e-6, atol=1e-7)


def test_one_exposure_alone_is_not_flagged_and_the_log_says_so(modes):
    product = modes.product("square")
    (planes,) = masks(product).values()
    assert not planes[1].any()
    (crf,) = (product / "crf").glob("*_crf.fits")
    assert fits.getval(crf, "S_OUTLIR") == "SKIPPED"
    member = crf.name.removesuffix("_crf.fits")
    assert "fewer than two groups" in modes.log("square", f"crmask/{member}")
    assert not (product / "single").exists()
    assert not (product / "square_median.fits").exists()


# -- sky


def levels(modes, product):
    return np.array([float(row["sky"]) for row in rows(modes.product(product) / "sky.csv")])


def test_sky_methods(modes):
    """Each method's levels against the planted ones; a frame's own level holds the faint sources too, the
    same in each.
    """
    truth = json.loads((Path(modes.field["truth"]) / "truth.json").read_text())["members"]
    names = [row["member"] for row in rows(modes.product("base") / "sky.csv")]
    planted_sky = np.array([truth[name]["sky"] for name in names])
    offsets = planted_sky - planted_sky.min()
    print(
        "\nsky",
        {name: levels(modes, name).round(4).tolist() for name in ("base", *SKY)},
        planted_sky.round(4).tolist(),
    )
    assert np.ptp(planted_sky) > 0.03
    np.testing.assert_allclose(levels(modes, "base"), offsets, atol=0.003)
    np.testing.assert_allclose(levels(modes, "local"), planted_sky, atol=0.03)
    np.testing.assert_allclose(levels(modes, "global"), levels(modes, "local").min(), rtol=1e-9)
    np.testing.assert_allclose(levels(modes, "matchup"), offsets - offsets.max(), atol=0.003)
    together = levels(modes, "globalmatch")
    np.testing.assert_allclose(together - together.min(), levels(modes, "base"), atol=1e-9)
    assert together.min() == pytest.approx(levels(modes, "local").min(), abs=0.01)


def test_without_sky_matching_nothing_is_subtracted(modes):
    table = rows(modes.product("strict") / "sky.csv")
    assert [row["valid"] for row in table] == ["False"] * 3
    header = fits.getheader(next((modes.product("strict") / "crf").glob("*")), "SCI")
    assert "BKGLEVEL" not in header
    inner = (slice(50, 110), slice(50, 110))
    raised = fits.getdata(modes.product("strict") / "strict_i2d.fits", "SCI")[inner]
    matched = fits.getdata(modes.product("base") / "base_i2d.fits", "SCI")[inner]
    assert np.nanmedian(raised - matched) == pytest.approx(levels(modes, "base").mean(), abs=0.01)


# -- weights, bits, kernels


def test_exposure_time_weights_and_good_bits(modes):
    """With good_bits 0 each pixel without any flag counts with its 300 s; half a per cent have JUMP_DET
    alone.
    """
    product = modes.product("strict")
    good = [fits.getdata(row["path"], "DQ") == 0 for row in rows(product / "members.csv")]
    jumps = [fits.getdata(row["path"], "DQ") == JUMP_DET for row in rows(product / "members.csv")]
    flagged = [planes[1] for planes in masks(product).values()]
    used = sum((g & ~m).sum() for g, m in zip(good, flagged, strict=True))
    with fits.open(product / "strict_i2d.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "ERR", "WHT", "DQ"]
        assert hdus[0].header["RESWHT"] == "exptime"
        total = hdus["WHT"].data.sum(dtype=float)
        assert hdus["WHT"].data.max() < 1000.0
        assert not (hdus["DQ"].data & JUMP_DET).any(), "a pixel that was not used gave its flag"
    assert np.sum(jumps) > 200
    assert total == pytest.approx(300.0 * used, rel=0.0015)
    # the single drizzles take the default bits: JUMP_DET is good
    for path, g, j in zip(sorted((product / "single").glob("*")), good, jumps, strict=True):
        assert fits.getdata(path, "WHT").sum(dtype=float) == pytest.approx(300.0 * (g | j).sum(), rel=0.0015)


def test_kernel_and_fill_value(modes):
    with fits.open(modes.product("kernel") / "kernel_i2d.fits") as hdus:
        assert (hdus[0].header["KERNEL"], hdus[0].header["PIXFRAC"]) == ("gaussian", 1.0)
        empty = hdus["WHT"].data == 0
        assert empty.any() and (hdus["SCI"].data[empty] == -7).all()
        data = hdus["SCI"].data
    base = fits.getdata(modes.product("base") / "base_i2d.fits", "SCI")
    inner = np.s_[40:120, 40:120]
    assert not np.array_equal(base, data)
    assert np.nanmean(data[inner]) == pytest.approx(np.nanmean(base[inner]), rel=0.02)
    assert np.nanstd(data[inner] - base[inner]) < 0.5 * np.nanstd(base[inner])


# -- the grid


def opened(modes, name):
    with fits.open(modes.product(name) / f"{name}_i2d.fits") as hdus:
        return hdus["SCI"].data.copy(), hdus["SCI"].header.copy()


def light(data, header):
    """The surface brightness over the whole frame: it does not depend on the grid."""
    return np.nansum(data.astype(float)) * header["PIXAR_SR"]


def test_pixel_scale_and_ratio(modes):
    square, header = opened(modes, "square")
    native = header["CDELT2"] * 3600
    assert native == pytest.approx(0.0311, rel=0.01)
    for name, scale, kernel, pixfrac in (("scale", 0.05, "turbo", 0.6), ("ratio", 2 * native, "square", 1.0)):
        data, found = opened(modes, name)
        primary = fits.getheader(modes.product(name) / f"{name}_i2d.fits")
        assert (primary["KERNEL"], primary["PIXFRAC"]) == (kernel, pixfrac)
        assert found["CDELT2"] * 3600 == pytest.approx(scale, rel=1e-9)
        assert found["PIXAR_A2"] == pytest.approx(scale**2)
        assert light(data, found) == pytest.approx(light(square, header), rel=0.02)
        assert primary["PXSCLRT"] == pytest.approx(scale / native, rel=0.01)
    # a pixel of twice the side is the mean of the four below it, which are where the two headers say
    y, x = np.mgrid[: data.shape[0], : data.shape[1]]
    u, v = WCS(header).all_world2pix(*WCS(found).all_pix2world(x, y, 0), 0)
    inner = np.isfinite(data) & (u > 5) & (u < 150) & (v > 5) & (v < 150)
    steps = [(i, j) for i in (-0.5, 0.5) for j in (-0.5, 0.5)]
    filled = np.nan_to_num(square, nan=0.35)
    mean = np.mean([ndimage.map_coordinates(filled, [v + j, u + i], order=1) for i, j in steps], axis=0)
    assert np.std((mean - data)[inner]) < 0.1 * np.std(data[inner])


def test_rotation_is_the_position_angle_of_y(modes):
    data, header = opened(modes, "rotated")
    assert header.get("PC1_2", 0.0) == pytest.approx(0.0, abs=1e-12)
    assert header["PC1_1"] == pytest.approx(-1.0)
    assert header["PC2_2"] == pytest.approx(1.0)
    assert fits.getval(modes.product("rotated") / "rotated_i2d.fits", "KERNEL") == "lanczos3"
    assert light(data, header) == pytest.approx(light(*opened(modes, "square")), rel=0.1)


def test_reference_point_and_shape(modes):
    data, header = opened(modes, "placed")
    assert data.shape == (130, 120)
    assert (header["CRPIX1"], header["CRPIX2"]) == (61.0, 71.5)
    assert [header["CRVAL1"], header["CRVAL2"]] == centre(modes.field)
    assert fits.getval(modes.product("placed") / "placed_i2d.fits", "KERNEL") == "point"
    covered = np.isfinite(data).mean()
    assert 0.5 < covered < 1.0, "point leaves holes where no pixel's centre falls"


def test_output_wcs_of_a_header(modes):
    data, header = opened(modes, "header")
    assert data.shape == (160, 150)
    assert header["CTYPE1"] == "RA---SIN"
    x, y = np.array([[0.0, 149.0, 80.0], [0.0, 20.0, 159.0]])
    u, v = WCS(wanted_header(modes.field)).all_world2pix(*WCS(header).all_pix2world(x, y, 0), 0)
    np.testing.assert_allclose([u, v], [x, y], atol=1e-6)


# -- formats


def test_hst_chips_and_unit(modes):
    product = modes.product("jsim01010")
    for member, planes in masks(product).items():
        assert list(planes) == [1, 2]
        for extver, mask in planes.items():
            assert (mask & planted(modes.truth["jsim01010"]["truth"], member, extver)).any()
    assert len(list((product / "single").glob("*.fits"))) == 3, "chips of an exposure share one image"
    with fits.open(product / "jsim01010_i2d.fits") as hdus:
        assert hdus["SCI"].header["BUNIT"] == "ELECTRONS/S"
        assert hdus[0].header["NDRIZ"] == 3
        rate = np.nanmedian(hdus["SCI"].data)
    first = modes.truth["jsim01010"]["members"][0]
    electrons = np.median(fits.getdata(first, "SCI"))
    lowest = electrons / fits.getval(first, "EXPTIME")
    assert rate == pytest.approx(lowest, abs=0.1)


def test_hst_electrons_are_counted_whatever_the_pixel(modes):
    """A rate per pixel grows with the pixel: stars keep their electrons a second on a coarser grid."""
    _, header = opened(modes, "hst2")
    assert header["CDELT2"] * 3600 == pytest.approx(0.1, rel=0.01)
    with fits.open(modes.truth["jsim01010"]["members"][0]) as hdus:
        good = [np.where(hdus["DQ", v].data == 0, hdus["SCI", v].data, np.nan) for v in (1, 2)]
        sky = np.nanmedian(np.concatenate(good))
        stars = sum(np.nansum(chip - sky) for chip in good) / hdus[0].header["EXPTIME"]
    with fits.open(modes.product("hst2") / "hst2_i2d.fits") as hdus:
        found = np.nansum(hdus["SCI"].data.astype(float) - np.nanmedian(hdus["SCI"].data))
    assert found == pytest.approx(stars, rel=0.1)


def test_plain_mosaic_has_what_the_files_have(modes):
    with fits.open(modes.product("plain") / "plain_i2d.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "ERR", "CON", "WHT"]
        assert hdus["SCI"].header["BUNIT"] == "DN/s"
        assert hdus[0].header["NDRIZ"] == 3


# -- what only a run of its own can show


@pytest.fixture(scope="module")
def cubes(tmp_path_factory, modes):
    """Cubes of an exposure type that is not for imaging, on the grid of the other run, without intermediates."""
    folder = tmp_path_factory.mktemp("cubes")
    made = simulate(
        folder / "in",
        exposures=2,
        detectors=1,
        nints=2,
        shape=(96, 96),
        seed=8,
        product="cube",
        cosmic_rays=0.004,
        dither=0.2,
    )
    for file in made["members"]:
        fits.setval(file, "EXP_TYPE", value="NRC_TSIMAGE")
    config = {
        "associations": made["associations"],
        "mode": "imaging",
        "save_intermediate_results": False,
        "grid": {"output_wcs": str(modes.product("base") / "grid.asdf")},
    }
    done = run(folder, config)
    done.truth = made["truth"]
    done.associations = made["associations"]
    return done


def test_cube_has_its_road_only_by_mode(cubes):
    refused = run(
        cubes.folder, {"associations": cubes.associations, "outdir": "auto"}, "--dry-run", check=False
    )
    if refused.process.returncode == 0:  # the message is the members job's
        refused = run(cubes.folder, {"associations": cubes.associations, "outdir": "auto"}, check=False)
    assert refused.process.returncode != 0
    assert "mode: imaging" in refused.said


def test_each_integration_of_a_cube_is_a_frame(cubes):
    product = cubes.product("cube")
    sky = rows(product / "sky.csv")
    assert [row["extver"] for row in sky] == ["1", "2", "1", "2"]
    assert [row["group"][-6:] for row in sky] == ["-i0001", "-i0002"] * 2
    found = masks(product)
    assert len(found) == 2
    for member, planes in found.items():
        assert list(planes) == [1]
        assert planes[1].shape == (2, 96, 96)
        hits = planes[1] & planted(cubes.truth, member)
        assert hits[0].any() and hits[1].any()
        assert hits.sum() > 0.6 * planes[1].sum()
        crf = fits.getdata(product / "crf" / f"{member}_crf.fits", "DQ")
        np.testing.assert_array_equal(crf & 16 != 0, planes[1])
    header = fits.getheader(product / "cube_i2d.fits")
    assert (header["NDRIZ"], header["EFFEXPTM"]) == (2, 1200.0), "two exposures, of two integrations of 300 s"


def test_intermediates_are_not_kept_when_not_wanted(cubes):
    product = cubes.product("cube")
    left = [
        p
        for p in product.rglob("*.fits")
        if p.parent.name in ("single", "blot") or p.name.endswith("_median.fits")
    ]
    assert left == []
    assert (product / "report.html").stat().st_size > 1000
    assert json.loads((product / "provenance.json").read_text())


def test_output_wcs_of_another_runs_grid(cubes, modes):
    with (
        fits.open(modes.product("base") / "base_i2d.fits") as there,
        fits.open(cubes.product("cube") / "cube_i2d.fits") as here,
    ):
        assert here["SCI"].shape == there["SCI"].shape
        u, v = WCS(here["SCI"].header).all_world2pix(
            *WCS(there["SCI"].header).all_pix2world([0, 90], [7, 150], 0), 0
        )
        np.testing.assert_allclose([u, v], [[0, 90], [7, 150]], atol=1e-6)
        assert (here["WHT"].data > 0).sum() > 96 * 96 * 0.9


def test_outlier_method_none_flags_nothing(field, tmp_path):
    made = run(
        tmp_path, {"associations": field["associations"], "outlier_method": "none"}, "mosaic", "crmask"
    )
    product = made.product("field")
    for planes in masks(product).values():
        assert not planes[1].any()
    for file in (product / "crf").glob("*_crf.fits"):
        assert fits.getval(file, "S_OUTLIR") == "SKIPPED"
    assert not (product / "single").exists()
    with fits.open(product / "field_i2d.fits") as hdus:
        assert hdus[0].header["NDRIZ"] == 3


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="astropy.wcs")
        yield
