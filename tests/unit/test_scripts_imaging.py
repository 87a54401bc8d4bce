"""The scripts of the imaging road on a tiny association, without Snakemake."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from imaging_by_hand import Road

from drizzleflow.geometry.grid import Grid
from drizzleflow.io.light_tables import read_levels

USER = {
    "simple": {"static_mask": {"static": True}},
    "hst": {"preset": "hst"},
}


@pytest.fixture(scope="module", params=list(USER))
def road(request, tmp_path_factory):
    """All scripts once: the road, and what each step wrote."""
    folder = tmp_path_factory.mktemp(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        road = Road(folder, request.param, user=USER[request.param], cosmic_rays=0.01).geometry().levels()
        road.singles, road.records = zip(*map(road.single, road.product.groups), strict=True)
        road.median_file, road.median_record = road.median(road.singles)
        made = [road.crmask(member, road.median_file) for member in road.members]
        road.masks, road.crfs, road.crmask_records = zip(*made, strict=True)
        road.mosaic_file, road.mosaic_record = road.mosaic(road.crfs)
    return road


def test_singles_hold_the_window_that_they_say(road):
    grid = Grid.load(road.grid)
    for path, told in zip(road.singles, road.records, strict=True):
        with fits.open(path) as hdus:
            x0, x1, y0, y1 = told["statistics"]["window"]
            assert hdus["SCI"].shape == hdus["WHT"].shape == (y1 - y0, x1 - x0)
            assert (hdus["SCI"].header["WINX0"], hdus["SCI"].header["WINY0"]) == (x0, y0)
            assert 0 <= x0 < x1 <= grid.shape[1] and 0 <= y0 < y1 <= grid.shape[0]
            assert (hdus["WHT"].data > 0).mean() > 0.5
        assert all(made["window"] == [x0, x1, y0, y1] for made in told["contributions"])
        assert len(told["contributions"]) == len(road.members[0:1]) * road.members[0]["nframes"]


def test_the_median_is_of_all_singles(road):
    with fits.open(road.median_file) as hdus:
        assert hdus["NUSED"].data.max() == 3 == road.median_record["statistics"]["images"]
        assert np.isfinite(hdus["SCI"].data).mean() > 0.7


@pytest.mark.parametrize("count", [1, 3, 300])
def test_a_median_in_bands_has_the_bytes_of_the_whole(road, count):
    """Of more bands than rows too; and it tells the same."""
    whole, record = road.median_file.read_bytes(), road.median_record
    bands = [road.median_band(road.singles, number, count) for number in range(count)]
    path, told = road.median(road.singles, bands)
    assert path.read_bytes() == whole
    for key in ("statistics", "contributions", "warnings", "thumbnails"):
        assert told[key] == record[key]
    assert len(record["contributions"]) == 3 and record["statistics"]["deepest"] == 3


def test_rays_are_flagged(road):
    bright, hits = [], []
    for member, path, told in zip(road.members, road.masks, road.crmask_records, strict=True):
        with fits.open(path) as hdus, fits.open(road.truth(member)) as truth:
            masks = [hdu.data for hdu in hdus[1:]]
            bright += [truth["CRSIGMA", v].data > 20 for v in range(1, len(masks) + 1)]
        hits += masks
        assert len(masks) == road.members[0]["nframes"] and masks[0].shape == (64, 72)
        assert [frame["flagged"] for frame in told["statistics"]["frames"]] == [m.sum() for m in masks]
    bright, hits = np.array(bright), np.array(hits) == 1
    assert hits[bright].mean() > 0.6 and hits.mean() < 0.05


def test_a_mosaic_in_bands_has_the_bytes_of_the_whole(road):
    whole = road.mosaic_file.read_bytes()
    reached = [(c["member"], c["extver"], c["window"]) for c in road.mosaic_record["contributions"]]
    assert len(reached) == sum(member["nframes"] for member in road.members)
    bands = [road.band(road.crfs, number, 3) for number in range(3)]
    path, told = road.mosaic([*road.crfs], bands)
    assert path.read_bytes() == whole
    assert [(c["member"], c["extver"], c["window"]) for c in told["contributions"]] == reached
    with fits.open(path) as hdus:
        assert hdus["SCI"].shape == Grid.load(road.grid).shape and (hdus["WHT"].data > 0).mean() > 0.5


@pytest.mark.parametrize("reference", ["others", "median"])
def test_without_resampling_the_frames_are_the_singles(tmp_path, reference):
    """Less their sky, where they are compared with each other: jwst's median is of the frames as they are."""
    user = {"single_drizzle": {"resample_data": False}, "crmask": {"reference": reference}}
    road = Road(tmp_path, "simple", user=user, cosmic_rays=0.01).geometry().levels()
    singles = [road.single(group)[0] for group in road.product.stack]
    levels = read_levels(road.sky) if reference == "others" else {}
    for path, member in zip(singles, road.members, strict=True):
        with fits.open(path) as made, fits.open(member["path"]) as given:
            less = given["SCI"].data - np.float32(levels.get((member["member"], 1), 0))
            np.testing.assert_allclose(made["SCI"].data, less, rtol=1e-6, atol=2e-5)  # area about 1
    mask, *_ = road.crmask(road.members[0], road.median(singles)[0])
    assert fits.getdata(mask, 1).shape == (64, 72)


def test_without_a_median_the_blot_is_empty(tmp_path):
    road = Road(tmp_path, "simple", user={"outlier_method": "none"}).geometry().levels()
    mask, _, record = road.crmask(road.members[0], None)
    assert record["statistics"]["status"] == "SKIPPED" and not fits.getdata(mask, "CRMASK").any()
    name = road.members[0]["member"]
    blot = fits.getdata(tmp_path / f"blot/{name}_blot.fits", "SCI")
    assert blot.shape == (64, 72) and np.isnan(blot).all()
