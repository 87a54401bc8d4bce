"""docs/first-hour.md: each of its configurations is run on files of the names that it gives, each command typed, and
what it says comes out is there.

Sections whose settings agree share a run.
"""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import asdf
import numpy as np
import pytest
import yaml
from astropy.io import fits
from hst_instruments import stis, wfpc2
from running import REPO, SNAKEMAKE, environment
from runs import call

from drizzleflow.io import tables
from drizzleflow.plan import config
from drizzleflow.simulate import simulate

PAGE = (REPO / "docs/first-hour.md").read_text()
#: heading -> text of a section
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SMALL = {"exposures": 3, "shape": (96, 96), "seed": 3}


def blocks(kind, text=PAGE):
    """The fenced blocks of a language, wherever they are indented."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, language, block in found if language == kind]


def kinds():
    """heading -> configuration, of the sections on a kind of files."""
    found = {}
    for heading, text in SECTIONS.items():
        for block in blocks("yaml", text):
            assert heading not in found, f"{heading}: two configurations"
            found[heading] = yaml.safe_load(block)
    return found


def run_of(settings):
    """What a run is known by: its settings without the files."""
    return yaml.safe_dump({key: value for key, value in settings.items() if key != "associations"})


RUNS = {}
for heading, settings in kinds().items():
    RUNS.setdefault(run_of(settings), []).append(heading)


# the files ----------------------------------------------------------------------


def plain(folder, **more):
    return [Path(p) for p in simulate(folder, flavour="simple", detectors=1, **SMALL, **more)["members"]]


def ground(folder):
    """Counts of 60, 120 and 60 s, in the primary HDU, without errors and flags."""
    for path, seconds in zip(plain(folder / "made"), (60.0, 120.0, 60.0), strict=True):
        with fits.open(path) as hdus:
            header = hdus["SCI"].header + fits.Header()
            header.update(
                EXPTIME=seconds,
                GAIN=2.0,
                RDNOISE=5.0,
                FILTER="r",
                INSTRUME="CCD",
                BUNIT="adu",
                OBSTYPE="object",
            )
            for key in ("EXTNAME", "EXTVER", "XTENSION", "CHECKSUM", "DATASUM"):
                header.remove(key, ignore_missing=True)
            data = (hdus["SCI"].data * seconds).astype("f4")
            fits.writeto(folder / path.name.replace("sim_", "field_"), data, header)


def decam(folder):
    """As NOIRLab's archive has them: compressed detectors by name, masks of codes and inverse variances beside."""
    for number, path in enumerate(plain(folder / "made"), start=1):
        with fits.open(path) as hdus:
            primary = hdus[0].header + fits.Header()
            primary.update(INSTRUME="DECam", FILTER="r DECam SDSS c0002 6415.0 1480.0")
            del primary["BUNIT"]
            planes = {
                "ooi": hdus["SCI"].data * primary["EXPTIME"],
                "ood": hdus["DQ"].data.astype("i4"),
                "oow": 1 / (hdus["ERR"].data * primary["EXPTIME"]) ** 2,
            }
            for kind, data in planes.items():
                made = [fits.PrimaryHDU(header=primary)]
                for name, north in (("N4", 0.0), ("S4", -0.0077)):
                    header = hdus["SCI"].header + fits.Header()
                    header["CRVAL2"] += north
                    for key in ("EXTNAME", "EXTVER", "BUNIT"):
                        header.remove(key, ignore_missing=True)
                    made.append(fits.CompImageHDU(data, header, name=name))
                fits.HDUList(made).writeto(folder / f"c4d_25010{number}_012345_{kind}_r_v1.fits.fz")


def cubes(folder):
    """Of a coronagraph: its exposure type, and variances of another shape than the image."""
    made = simulate(folder, flavour="jwst", detectors=1, **{**SMALL, "exposures": 2}, nints=2)
    for path in made["members"]:
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.update(EXP_TYPE="MIR_4QPM", INSTRUME="MIRI", DETECTOR="MIRIMAGE", FILTER="F1140C")
            for name in ("VAR_RNOISE", "VAR_POISSON", "VAR_FLAT"):
                hdus[name].data = np.pad(hdus[name].data, ((0, 0), (4, 4), (4, 4)))


FILES = {
    "jwst": lambda folder: simulate(folder, flavour="jwst", detectors=1, **SMALL),
    "roman": lambda folder: simulate(folder, flavour="roman", detectors=1, **SMALL),
    "hst": lambda folder: simulate(folder, flavour="hst", **SMALL),
    "wfpc2": lambda folder: wfpc2(folder, side=51),
    "stis": lambda folder: stis(folder, shape=(67, 73)),
    "plain": plain,
    "ground": ground,
    "decam": decam,
    "cubes": cubes,
}


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory):
    """A finished run of all sections with the same settings, as the page's command makes it: (folder, headings)."""
    headings = RUNS[request.param]
    folder = tmp_path_factory.mktemp("hour")
    settings = [kinds()[heading] for heading in headings]
    listed = [one["associations"] for one in settings]
    sources = [source for one in listed for source in ([one] if isinstance(one, str) else one)]
    for source in sources:
        (folder / source).mkdir(parents=True)
        FILES[Path(source).name](folder / source)
        for path in (folder / source).glob("*"):  # tables, so that the folder alone counts
            if path.suffix in (".csv", ".json") or path.name.endswith("_asn.fits"):
                path.unlink()
    config_ = {**settings[0], "associations": sources if len(sources) > 1 else sources[0]}
    (folder / "my.yaml").write_text(yaml.safe_dump(config_))
    status, text = call(folder, config_)
    assert status == 0, text[-5000:]
    return folder, headings


# the page ----------------------------------------------------------------------


def paths(heading, root):
    """The paths below data or results that a section names, with what their patterns match."""
    named = re.findall(rf"`({root}/[^`…{{}}]+)`", SECTIONS[heading])
    assert named, f"{heading}: no path below {root}"
    return named


def test_what_each_section_names_is_there(run):
    folder, headings = run
    for heading in headings:
        for root in ("data", "results"):
            for path in paths(heading, root):
                assert list(folder.glob(path)), f"{heading}: {path}"


def test_every_exposure_was_compared_and_has_outliers(run):
    """In each product: a mosaic with pixels, the table, a report with its verdict, and outliers in most frames."""
    folder, headings = run
    products = sorted(path.parent for path in folder.glob("results/*/report.html"))
    named = {path.rstrip("/") for heading in headings for path in paths(heading, "results")}
    assert {f"results/{path.name}" for path in products} <= named
    for product in products:
        frames = tables.read_frames(product / "frames.csv")
        assert (frames.status == "COMPLETE").all(), product.name
        assert (frames.flagged > 0).mean() > 0.7 and frames.fraction.max() < 0.05, product.name
        with fits.open(product / f"{product.name}_i2d.fits") as hdus:
            assert np.isfinite(hdus["SCI"].data).mean() > 0.5
        assert "<h2>Verdict</h2>" in (product / "report.html").read_text()


def test_settings_do_what_the_page_says(run):
    folder, headings = run
    if "Ground-based images without errors" in headings:
        sky = tables.read_sky(folder / "results/ccd_r/sky.csv")
        assert sky.valid.all()
        with fits.open(folder / "results/ccd_r/ccd_r_i2d.fits") as hdus:
            assert hdus["SCI"].header["BUNIT"] == "adu/s"
    if any(heading.startswith("DECam") for heading in headings):
        frames = tables.read_frames(folder / "results/decam_r/frames.csv")
        assert sorted(set(frames.extver)) == [1, 2]  # N4 and S4
        members = tables.read_members(folder / "results/decam_r/members.csv")
        assert members.dq.notna().all() and members.ivar.notna().all()
    if "JWST cubes" in headings:
        mask = sorted(folder.glob("results/miri_f1140c/crmask/*.fits"))[0]
        assert fits.getdata(mask, "CRMASK").ndim == 3


def test_commands_and_programs(run):
    """They are typed where the run with the most files was made; what they print is looked at."""
    folder, headings = run
    commands = [line for block in blocks("") for line in block.splitlines()]
    assert len(commands) == 3 and len(blocks("python")) == 3
    path = f"{SNAKEMAKE.parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands if len(headings) == max(map(len, RUNS.values())) else commands[1:2]:
        words = command.replace("path/to/drizzleflow", shlex.quote(str(REPO)))
        done = subprocess.run(
            words, shell=True, cwd=folder, env={**environment(), "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        if command.startswith("python"):
            assert len(done.stdout.splitlines()) > 2
        else:  # after the run there is nothing to do
            assert "Nothing to be done" in done.stdout + done.stderr
    if "results/nircam_f115w" in str(list(folder.glob("results/*"))):
        program = "\n".join(blocks("python"))
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=folder, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        flagged, mask = done.stdout.splitlines()[-1].split()
        assert int(flagged) == int(mask) > 0 and "MJy/sr" in done.stdout


def flags(path):
    """extver -> the flags of a flagged copy."""
    if path.suffix == ".asdf":
        with asdf.open(path) as file:
            return {1: np.array(file["roman"]["dq"])}
    with fits.open(path) as hdus:
        return {hdu.ver: hdu.data.astype(np.int64) for hdu in hdus if hdu.name == "DQ"}


@pytest.mark.filterwarnings("ignore")
def test_bits_are_those_of_the_copies(run):
    """The page's table of bits, against the copies that the runs made."""
    folder, headings = run
    bits = re.findall(r"^ *\| (?:JWST|Roman|HST|plain FITS) \| (\d+)", PAGE, re.MULTILINE)
    of = dict(zip(("nircam_f115w", "wfi_f158", "acs_wfc_f814w", "plain_r"), map(int, bits), strict=True))
    copies = [(path, bit) for name, bit in of.items() for path in folder.glob(f"results/{name}/crf/*")]
    assert len(copies) == (12 if "JWST: `_cal`" in headings else 0)
    for path, bit in copies:
        mask = path.parents[1] / "crmask" / path.name.replace("_crf", "_crmask").replace(".asdf", ".fits")
        for extver, dq in flags(path).items():
            assert ((dq & bit != 0) == (fits.getdata(mask, ("CRMASK", extver)) != 0)).all(), path.name


def test_settings_within_the_text_are_valid():
    defaults = config.load(REPO / "config/config.yaml")
    named = re.findall(r"`(\w+: [^`]+)`", PAGE)
    assert len(named) > 12
    for text in named:
        user = yaml.safe_load(text)
        section = {"noise": "simple", "flux_scale": "simple", "sci": "simple", "variances": "inputs"}
        for key in list(user):
            if key in section:
                user = {section[key]: user}
        config.resolve(defaults, user, REPO / "config/presets")
