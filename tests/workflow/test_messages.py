"""docs/messages.md: each message of the page is brought about, and has the words that the page gives.

Where the page has …, the message may have anything.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from by_hand_runs import make_grid, run_script
from running import REPO, SNAKEMAKE, environment
from runs import alive, call, end, said, start, wait_for

from drizzleflow.errors import InputError
from drizzleflow.io.columns import FRAMES, names
from drizzleflow.io.files import write_text
from drizzleflow.plan import config
from drizzleflow.plan.products import build
from drizzleflow.report import checks
from drizzleflow.simulate import simulate

PAGE = (REPO / "docs/messages.md").read_text()
#: heading -> the message under it
MESSAGES = {
    heading: " ".join(message.split())
    for heading, message in re.findall(
        r"^### ([^\n]+)\n+```text\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL
    )
}
DEFAULTS = config.load(REPO / "config/config.yaml")
#: heading -> the function that brings its message about
CASES = {}


def case(heading):
    """Register a function of the working folder that returns what is said."""

    def add(function):
        assert heading not in CASES
        CASES[heading] = function
        return function

    return add


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """data/: three plain exposures, one of JWST and one of HST, without tables."""
    here = tmp_path_factory.mktemp("messages")
    (here / "data").mkdir()
    for flavour, count in (("simple", 3), ("jwst", 1), ("hst", 1)):
        made = simulate(here / flavour, flavour=flavour, exposures=count, detectors=1, shape=(64, 64), seed=2)
        for letter, path in zip("abc", made["members"], strict=False):
            ending = {"simple": "", "jwst": "_cal", "hst": "_flt"}[flavour]
            shutil.copy(path, here / f"data/{letter}{ending}.fits")
        shutil.rmtree(here / flavour)
    return here


@pytest.fixture
def here(exposures, tmp_path, monkeypatch):
    folder = shutil.copytree(exposures, tmp_path / "run")
    monkeypatch.chdir(folder)
    return folder


def plan(associations="field.csv", **user):
    return build(
        config.resolve(DEFAULTS, {"associations": associations, **user}, REPO / "config/presets"), None
    )


def refused(associations="field.csv", **user):
    """Why a product is refused."""
    return " ".join(product.error or "" for product in plan(associations, **user).products.values())


def table(*names, name="field.csv"):
    Path(name).write_text("\n".join(["path", *(f"data/{one}" for one in names)]) + "\n")


def change(name, ext=0, **cards):
    with fits.open(f"data/{name}", mode="update", checksum=False) as hdus:
        hdus[ext].header.update(cards)


def job(associations="field.csv", **user):
    """What the jobs say up to the grid."""
    (product,) = plan(associations, **user).products.values()
    return make_grid(product, Path("results") / product.name).said


# what Snakemake says ----------------------------------------------------------------------


@case("A step behind `--configfile`")
def _(here):
    return engine("--configfile", "config.yaml", "median")


def engine(*words, user=None):
    """What a command says, whose words are all given."""
    write_text("config.yaml", "associations: data/*.fits\n" if user is None else user)
    command = [SNAKEMAKE, "-s", REPO / "Snakefile", "--cores", "1", *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment())
    assert done.returncode == 1
    return done.stdout + done.stderr


@case("A profile of another folder")
def _(here):
    return engine("--configfile", "config.yaml", "--profile", "profiles/slurm")


@case("No exposures named")
def _(here):
    return engine("--configfile", "config.yaml", user="outdir: results\n")


@case("An unknown key")
def _(here):
    with pytest.raises(InputError) as caught:
        plan("data", crmsk={"snr": 5})
    return str(caught.value)


@case("Another run at work")
def _(here):
    Path("results").mkdir()
    with open("results/.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return call(here, {"associations": "data/?.fits"})[1]


@contextlib.contextmanager
def disk(options):
    """An empty disk in memory over the folder of results."""
    Path("results").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", "results"], capture_output=True)
    if mounted.returncode:
        pytest.skip("this test has to mount a file system, which is refused here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", "results"], check=True)


@case("An output folder that is none")
def _(here):
    Path("results").write_text("a file\n")
    return call(here, {"associations": "data/?.fits"})[1]


@case("An output folder that cannot be written")
def _(here):
    with disk("ro"):
        return call(here, {"associations": "data/?.fits"})[1]


@case("A full disk")
def _(here):
    table("a.fits", "b.fits")
    (product,) = plan().products.values()
    with disk("size=8k"):
        return make_grid(product, Path("results")).said


@case("A job that was killed")
def _(here):
    process = start(here, {"associations": "data/?.fits"}, cores=1)
    jobs = []

    def at_work():
        jobs[:] = [
            pid
            for pid, words in alive(process.pid).items()
            if ".footprint.py" in words[-1] and "bash" not in words[0]
        ]
        return jobs

    try:
        wait_for(process, at_work)
        os.kill(jobs[0], signal.SIGKILL)
        process.wait(timeout=60)
    finally:
        end(process)
    return said(here)


# which exposures ----------------------------------------------------------------------


@case("An exposure instead of a folder or table")
def _(here):
    return refused("data/a_cal.fits")


@case("A folder without exposures")
def _(here):
    Path("tables").mkdir()
    write_text("tables/field_asn.json", "{}")
    return refused("tables")


@case("A folder in which no file is a calibrated image")
def _(here):
    Path("raw").mkdir()
    shutil.copy("data/a_cal.fits", "raw/jw01_uncal.fits")
    return refused("raw")


@case("A member that is not there")
def _(here):
    table("a.fits", "nowhere.fits")
    return refused()


@case("Members of several formats")
def _(here):
    table("b.fits", "a_cal.fits")
    return refused()


@case("A product's name twice")
def _(here):
    table("a.fits")
    Path("n2").mkdir()
    shutil.copy("field.csv", "n2/field.csv")
    return refused(["field.csv", "n2/field.csv"])


@case("Reads of a ramp")
def _(here):
    reads = [fits.ImageHDU(np.zeros((8, 8), "f4"), name="SCI", ver=ver) for ver in (1, 2)]
    for hdu in reads:
        hdu.header["SAMPNUM"] = hdu.ver
    header = fits.Header({"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR", "ROOTNAME": "iabc"})
    fits.HDUList([fits.PrimaryHDU(header=header), *reads]).writeto("data/iabc_ima.fits")
    table("iabc_ima.fits")
    return refused()


@case("Spectra among images")
def _(here):
    shutil.copy("data/a_flt.fits", "data/b_flt.fits")
    change("b_flt.fits", FILTER2="G800L", ROOTNAME="other")
    table("a_flt.fits", "b_flt.fits")
    return refused()


@case("An exposure type without a road")
def _(here):
    change("a_cal.fits", EXP_TYPE="NIS_AMI")
    table("a_cal.fits")
    return refused() + " " + refused("data/a_cal*")


# what is in them ----------------------------------------------------------------------


@case("No errors")
def _(here):
    for name in ("a", "b"):
        with fits.open(f"data/{name}.fits") as hdus:
            fits.HDUList([hdus[0], hdus["SCI"]]).writeto(f"data/{name}_only.fits")
    table("a_only.fits", "b_only.fits")
    return refused()


@case("Variances of another shape")
def _(here):
    with fits.open("data/a_cal.fits", mode="update") as hdus:
        hdus["VAR_RNOISE"].data = np.zeros((80, 80), "f4")
    table("a_cal.fits")
    return refused()


@case("No WCS")
def _(here):
    with fits.open("data/a.fits", mode="update") as hdus:
        del hdus["SCI"].header["CTYPE*"]
    table("a.fits")
    return job() + refused("data/a.fit[s]")


@case("Data that are not those of DATASUM")
def _(here):
    with fits.open("data/a.fits") as hdus:
        at = hdus["SCI"].fileinfo()["datLoc"]
    content = bytearray(Path("data/a.fits").read_bytes())
    content[at + 3] ^= 1
    Path("data/a.fits").write_bytes(content)
    table("a.fits")
    return job()


@case("A file that is cut short")
def _(here):
    Path("data/a.fits").write_bytes(Path("data/a.fits").read_bytes()[:-9000])
    table("a.fits")
    return refused()


def different_times(unit):
    for name in ("a.fits", "b.fits"):
        change(name, "SCI", BUNIT=unit)
        change(name, BUNIT=unit)
    change("b.fits", EXPTIME=7.0)
    table("a.fits", "b.fits")


@case("Counts of different exposure times")
def _(here):
    different_times("adu")
    return refused()


@case("Different exposure times without a unit")
def _(here):
    different_times("")
    return "\n".join(plan().told)


@case("Different units")
def _(here):
    change("b.fits", "SCI", BUNIT="nJy")
    table("a.fits", "b.fits")
    return job()


@case("Only the first image of a file")
def _(here):
    with fits.open("data/a.fits") as hdus:
        more = [fits.ImageHDU(hdus["SCI"].data, hdus["SCI"].header, name=name) for name in ("N1", "N2")]
        fits.HDUList([hdus[0], *more]).writeto("data/many.fits")
    table("many.fits")
    return "\n".join(plan(outlier_method="none").told)


@case("An absurdly large grid")
def _(here):
    change("b.fits", "SCI", CRVAL1=170.0)
    table("a.fits", "b.fits")
    return job()


@case("A file that was replaced during the run")
def _(here):
    table("a.fits")
    (product,) = plan().products.values()
    cache = build(
        config.resolve(DEFAULTS, {"associations": "field.csv"}, REPO / "config/presets"), "plan.json"
    )
    assert cache.good
    os.environ["DRIZZLEFLOW_PLAN"] = "plan.json"
    try:
        os.utime("data/a.fits", (1, 1))
        return make_grid(product, Path("results")).said
    finally:
        del os.environ["DRIZZLEFLOW_PLAN"]


# what is found ----------------------------------------------------------------------


@case("Nothing to compare with")
def _(here):
    table("a.fits")
    return "\n".join(plan().told)


@case("A run that fails at its end")
def _(here):
    frames = [{**dict.fromkeys(names(FRAMES)), "member": "a", "fraction": 0.5, "flagged": 50}]
    verdict = checks.verdict("field", config.standard()["checks"], frames, [], {})
    write_text("checks.json", checks.text(verdict))
    return run_script("verdict", input={"checks": "checks.json"}, output={}, log="verdict.log").said


@pytest.mark.parametrize("heading", CASES)
def test_message(here, heading):
    text = " ".join(CASES[heading](here).split())
    print(text)
    fixed = [part.strip() for part in MESSAGES[heading].split("…")]
    pattern = ".*?".join(map(re.escape, fixed))
    assert re.search(pattern, text), f"{MESSAGES[heading]}\nfound: {text[-3000:]}"


def test_every_message_is_brought_about():
    assert set(MESSAGES) == set(CASES) and len(CASES) >= 20
    assert set(re.findall(r"^### (.+)$", PAGE, re.MULTILINE)) == set(MESSAGES)
