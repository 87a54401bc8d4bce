"""A folder as association, run to its end and again; checks that fail a run; files that are not what they should be.

Two runs in all: `strict`, in which checks and a checksum found something, and one with what came later.
"""

import json
import os
import re
import shutil

import numpy as np
import pytest
from astropy.io import fits
from runs import call, complete, jobs, products

from drizzleflow.simulate import simulate

#: every flagged pixel is a finding
CONFIG = {
    "associations": ["night", "damaged.csv"],
    "checks": {"flagged": 0},
    "inputs": {"checksum": "warn"},
}
STRICT = CONFIG | {"checks": CONFIG["checks"] | {"level": "error"}}
#: what a run makes for each product, besides the folders of the exposures
MADE = (
    "{}_i2d.fits",
    "members.csv",
    "sky.csv",
    "frames.csv",
    "checks.json",
    "report.html",
    "provenance.json",
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A working folder, and what was said: three exposures in night/ and one whose pixels were changed."""
    here = tmp_path_factory.mktemp("folder")
    made = simulate(
        here / "all", flavour="simple", exposures=5, detectors=1, shape=(96, 96), seed=2, cosmic_rays=0.004
    )
    (here / "night").mkdir()
    for path in made["members"][:3]:
        shutil.copy(path, here / "night")
    (here / "night/notes.txt").write_text("seeing 0.8\n")
    shutil.copy(made["members"][0], here / "night/stack_i2d.fits")
    shutil.copy(made["members"][3], here / "late.fits")
    with fits.open(made["members"][4], checksum=True) as hdus:
        assert "DATASUM" in hdus["SCI"].header
        at = hdus["SCI"].fileinfo()["datLoc"]
    content = bytearray(open(made["members"][4], "rb").read())
    content[at + 3] ^= 1  # the last bit of a pixel
    (here / "damaged.fits").write_bytes(content)
    (here / "damaged.csv").write_text("path\ndamaged.fits\n")
    shutil.rmtree(here / "all")
    return here, *call(here, STRICT)


@pytest.fixture
def again(strict, tmp_path):
    """A copy of that folder, to be changed."""
    return shutil.copytree(strict[0], tmp_path / "run", ignore=shutil.ignore_patterns("said.txt"))


def checks(folder, product):
    return json.loads((folder / "results" / product / "checks.json").read_text())


def test_a_finding_ends_the_run_with_an_error_and_all_products(strict):
    here, status, text = strict
    assert status == 1 and "Traceback" not in text
    for name in ("plain_r", "damaged"):
        for pattern in MADE:
            assert (here / "results" / name / pattern.format(name)).is_file(), (name, pattern)
    made = checks(here, "plain_r")
    assert made["verdict"] == "look"
    found = next(one for one in made["checks"] if one["check"] == "flagged")["findings"]
    assert len(found) == 3 and found[0]["text"].startswith("sim_e001_d1: ")
    line = f"results/plain_r/checks.json: {found[0]['text']} (and "
    assert line in text and "more); the products are all there (checks.level: error)" in text
    assert set(re.findall(r"Error in rule (\w+):", text)) == {"verdict"}
    assert found[0]["text"] in (here / "results/plain_r/report.html").read_text()
    assert not (here / "results/plain_r/record/verdict.json").exists()  # it is asked again


def test_the_folder_is_a_product_and_says_what_it_leaves_out(strict):
    here, _, text = strict
    assert sorted(path.name for path in (here / "results/plain_r/crf").iterdir()) == [
        f"sim_e00{k}_d1_crf.fits" for k in (1, 2, 3)
    ]
    told = "night: left out stack_i2d.fits: a mosaic"
    assert text.count(told) == 1 and "notes.txt" not in text
    assert told in (here / "results/plain_r/report.html").read_text()
    with fits.open(here / "results/plain_r/plain_r_i2d.fits") as hdus:
        assert hdus[0].header["NDRIZ"] == 3 and np.isfinite(hdus["SCI"].data).mean() > 0.5


def test_data_that_are_not_those_of_their_checksum_are_used_with_a_warning(strict):
    here, _, _ = strict
    words = "used nevertheless (inputs.checksum: warn)"
    log = "".join(path.read_text() for path in here.glob("results/damaged/log/footprint/*.log"))
    assert "damaged.fits[SCI" in log and words in log
    assert words in (here / "results/damaged/report.html").read_text()
    assert words not in (here / "results/plain_r/report.html").read_text()


def test_a_second_run_does_nothing_and_the_level_asks_for_the_verdict_alone(strict):
    here, _, _ = strict
    assert jobs(complete(here, CONFIG, "--dry-run")) == {}
    assert set(jobs(complete(here, STRICT, "--dry-run"))) == {"verdict"}


def test_files_that_are_no_exposures_start_no_work_on_pixels(again):
    (again / "night/more.txt").write_text("clouds\n")
    os.utime(again / "night")
    assert jobs(complete(again, CONFIG, "--dry-run")) == {}
    shutil.copy(again / "night/stack_i2d.fits", again / "night/other_drz.fits")
    assert jobs(complete(again, CONFIG, "--dry-run")) == {
        "report_product": 1,
        "provenance": 1,
    }  # which tell it


def test_what_comes_later_and_what_cannot_be_used(again):
    """An exposure makes its product again; products that are refused do not stop it."""
    before = products(again / "results/plain_r")
    (again / "late.fits").rename(again / "night/late.fits")
    reads = [fits.ImageHDU(np.zeros((8, 8), "f4"), name="SCI", ver=ver) for ver in (1, 2)]
    for hdu in reads:
        hdu.header["SAMPNUM"] = hdu.ver
    header = fits.Header({"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR", "ROOTNAME": "iabc"})
    fits.HDUList([fits.PrimaryHDU(header=header), *reads]).writeto(again / "iabc_ima.fits")
    (again / "reads.csv").write_text("path\niabc_ima.fits\n")
    config = {"associations": [*CONFIG["associations"], "reads.csv"]}
    status, text = call(again, config, "--keep-going")
    assert status == 1 and "Traceback" not in text
    assert (
        "members: reads.csv: product reads: iabc_ima.fits: its 2 SCI extensions are the reads of one ramp "
        "(an _ima file), not chips; expected the calibrated image, _flt"
    ) in text
    assert "footprint: damaged.fits[SCI" in text
    assert "the file is damaged" in text and "; inputs.checksum: warn uses it nevertheless" in text
    after = products(again / "results/plain_r")
    assert after["plain_r_i2d.fits"] != before["plain_r_i2d.fits"]
    assert "crf/late_crf.fits" in after and set(before) <= set(after)
    with fits.open(again / "results/plain_r/plain_r_i2d.fits") as hdus:
        assert hdus[0].header["NDRIZ"] == 4
    assert checks(again, "plain_r")["verdict"] in ("ok", "look")
    assert jobs(complete(again, config | {"associations": "night"}, "--dry-run")) == {}
