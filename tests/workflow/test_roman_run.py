"""A whole run of Roman exposures: ASDF in, FITS masks and mosaic and ASDF copies out, beside a JWST product."""

import json
from pathlib import Path

import asdf
import gwcs  # noqa: F401  (its converters must be installed for asdf to find)
import numpy as np
import pytest
from astropy.io import fits
from running import digests, dishonest, masks, open_verified, planted, rows, run, star_offsets
from runs import jobs

from drizzleflow.provenance.trace import trace
from drizzleflow.simulate import simulate
from drizzleflow.simulate.score import score

PRODUCT = "wide"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The run: four exposures of two detectors. ``made.sim`` is what `simulate` returned."""
    folder = tmp_path_factory.mktemp("roman")
    sim = simulate(
        folder / "in",
        flavour="roman",
        exposures=4,
        detectors=2,
        shape=(200, 200),
        seed=4,
        product=PRODUCT,
        stars=600,
        sky_spread=0.3,
    )
    before = digests(sim["members"])
    done = run(folder, {"associations": sim["associations"]}, measured=True)
    done.sim, done.before = sim, before
    done.names = [Path(path).name.removesuffix("_cal.asdf") for path in sim["members"]]
    return done


def test_no_input_is_touched_and_a_second_run_does_nothing(made):
    assert digests(made.before) == made.before
    again = run(made.folder, {"associations": made.sim["associations"]})
    assert "Nothing to be done" in again.said
    audit = run(made.folder, {"associations": made.sim["associations"]}, "audit")
    assert "every file is what its record says" in audit.said


def test_detectors_of_an_exposure_are_drizzled_together(made):
    product = made.product(PRODUCT)
    assert {row["member"]: row["group"] for row in rows(product / "members.csv")} == {
        name: name.rsplit("_", 2)[0] for name in made.names
    }
    assert sorted(path.name for path in (product / "single").iterdir()) == [
        f"r0099901001001001001_{e:04d}_outlier_i2d.fits" for e in (1, 2, 3, 4)
    ]


def test_most_planted_cosmic_rays_are_found(made):
    total = score(made.sim["truth"], made.product(PRODUCT))["total"]
    assert total["events_deep"] > 60 and total["found_deep"] >= 0.95 * total["events_deep"]
    assert total["purity"] > 0.95


def test_sky_levels_are_those_of_the_simulation(made):
    """In the frame's unit, DN/s, up to one zero level for all."""
    truth = json.loads((Path(made.sim["truth"]) / "truth.json").read_text())["members"]
    found = {row["member"]: float(row["sky"]) for row in rows(made.product(PRODUCT) / "sky.csv")}
    offsets = np.array([found[name] - truth[name]["sky_in_file_unit"] for name in made.names])
    assert np.ptp([truth[name]["sky_in_file_unit"] for name in made.names]) > 0.1 and np.ptp(offsets) < 0.01


def test_flagged_copies(made):
    product = made.product(PRODUCT)
    crfs = {path.name.removesuffix("_crf.asdf"): path for path in (product / "crf").iterdir()}
    found, levels = masks(product), {row["member"]: float(row["sky"]) for row in rows(product / "sky.csv")}
    assert sorted(crfs) == sorted(found) == sorted(made.names)
    for path in made.sim["members"]:
        name = Path(path).name.removesuffix("_cal.asdf")
        with asdf.open(path) as old, asdf.open(crfs[name], validate_checksums=True) as new:
            old, new, mask = old["roman"], new["roman"], found[name][1]
            assert ((new["dq"] & 128) != 0).tolist() == mask.tolist() and np.isnan(new["data"][mask]).all()
            np.testing.assert_array_equal(new["data"][~mask], old["data"][~mask])
            assert new["meta"]["cal_step"]["outlier_detection"] == "COMPLETE"
            assert new["meta"]["background"] == {
                "level": levels[name],
                "method": "match",
                "subtracted": False,
            }
            assert new["meta"]["wcs"](3.0, 4.0) == old["meta"]["wcs"](3.0, 4.0)
        assert planted(made.sim["truth"], name)[found[name][1]].mean() > 0.75


def test_the_mosaic(made):
    i2d = made.product(PRODUCT) / f"{PRODUCT}_i2d.fits"
    offsets = star_offsets(i2d, made.sim["truth"])
    assert len(offsets) >= 3 and np.abs(offsets).max() < 0.1
    with open_verified(i2d) as hdus:
        primary, sci = hdus[0].header, hdus["SCI"].header
        assert (primary["TELESCOP"], primary["INSTRUME"], primary["FILTER"]) == ("ROMAN", "WFI", "F158")
        assert "DETECTOR" not in primary and primary["NDRIZ"] == 4 and primary["EXPTIME"] == 4 * 140.0
        assert primary["EXPSTART"] == pytest.approx(61500.0) and primary["EXPEND"] > primary["EXPSTART"]
        assert sci["BUNIT"] == "MJy/sr"
        assert {"ERR", "CON", "WHT", "VAR_RNOISE", "VAR_POISSON", "VAR_FLAT"} < {hdu.name for hdu in hdus}
        # noise: ERR is what the pixels scatter by
        data, err, deep = (
            hdus["SCI"].data,
            hdus["ERR"].data,
            hdus["WHT"].data > 0.8 * np.nanmax(hdus["WHT"].data),
        )
        spread = 1.4826 * np.median(np.abs(data[deep] - np.median(data[deep])))
        assert 0.5 < spread / np.median(err[deep]) < 1.5
    # in MJy/sr, whatever a DN is: the light of an exposure's single drizzle is that of its data
    path, single = sorted(made.sim["members"])[0], sorted((made.product(PRODUCT) / "single").iterdir())[0]
    with fits.open(single) as hdus, asdf.open(path) as file:
        bright = [float(np.nanpercentile(image, 99.9)) for image in (hdus["SCI"].data, file["roman"]["data"])]
        conversion = file["roman"]["meta"]["photometry"]["conversion_megajanskys"]
        assert hdus["SCI"].header["BUNIT"] == "MJy/sr" and bright[0] == pytest.approx(
            bright[1] * conversion, rel=0.3
        )


def test_one_pixel_is_traced(made):
    """From the ASDF copies; their tree and the mosaic's HISTORY have the hashes of the raw files."""
    product = made.product(PRODUCT)
    with fits.open(product / f"{PRODUCT}_i2d.fits") as hdus:
        y, x = np.unravel_index(np.nanargmax(hdus["WHT"].data), hdus["WHT"].shape)
        text = "".join(hdus[0].header["HISTORY"])
    found = trace(product / f"{PRODUCT}_i2d.fits", x, y)
    assert found["agrees"] is True and found["notes"] == [] and found["sum"]["CON"]
    for frame in found["frames"]:
        assert frame["sha256"] == [*digests([frame["source"]]).values()].pop() and frame["sha256"] in text
        with asdf.open(product / frame["file"]) as crf:
            assert crf["roman"]["meta"]["drizzleflow"]["input_sha256"] == frame["sha256"]


def test_beside_a_product_of_another_format(made, field):
    """Each product's copies have its format's ending, and no two rules make the same file."""
    config = {"associations": [*made.sim["associations"], *field["associations"]], "batch_size": 1}
    planned = jobs(run(made.folder / "both", config, "-n").said)
    assert (
        planned["crmask_asdf_member"] == 8
        and planned["crmask_member"] == 3
        and planned["mosaic_product"] == 2
    )
    one = "results/field/crf/" + Path(field["members"][0]).name.replace("_cal", "_crf")
    planned = jobs(run(made.folder / "both", config, "-n", one).said)
    assert planned["crmask_member"] == 1 and "crmask_asdf_member" not in planned


def test_a_wrong_member_is_told_in_one_line(made):
    folder = made.folder / "wrong"
    folder.mkdir()
    names = [Path(path).name for path in made.sim["members"][:2]]
    (folder / names[0]).write_bytes(Path(made.sim["members"][0]).read_bytes())
    (folder / names[1]).write_bytes(b"#ASDF 1.0.0\n%YAML 1.1\n---\nother: 1\n...\n")
    (folder / "wrong.csv").write_text("path\n" + "\n".join(names) + "\n")
    done = run(folder, {"associations": "wrong.csv"}, check=False)
    assert done.process.returncode == 1 and "Traceback" not in done.said
    message = f"members: wrong.csv: product wrong: {names[1]}: no 'roman' in the tree; expected a Roman WFI level-2 image"
    assert message in done.said


def test_the_jobs_ask_for_the_memory_that_they_take(made):
    assert dishonest(made.out) == []
