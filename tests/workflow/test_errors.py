"""What is wrong is said in one line, early, and does not stop what is right; and the command keeps its word."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from astropy.io import fits
from runs import call, complete, jobs, products

from drizzleflow.simulate import simulate

CONFIG = {"associations": "data/good.csv", "batch_size": 4}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with three plain exposures in data/ and good.csv, which names them."""
    here = tmp_path_factory.mktemp("errors")
    made = simulate(here / "data", flavour="simple", exposures=3, detectors=1, shape=(96, 96), seed=2)
    shutil.rmtree(made["truth"])
    os.unlink(made["associations"][0])
    files = [os.path.basename(path) for path in made["members"]]
    (here / "data/good.csv").write_text("\n".join(["path", *files]) + "\n")
    return here


@pytest.fixture(scope="module")
def names(data):
    return sorted(path.name for path in (data / "data").glob("*.fits"))


@pytest.fixture
def fresh(data, tmp_path):
    return shutil.copytree(data, tmp_path / "run")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A working folder in which everything has run: to be copied."""
    folder = shutil.copytree(data, tmp_path_factory.mktemp("made") / "run")
    complete(folder, CONFIG)
    return folder


@pytest.fixture
def finished(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


# a wrong configuration ----------------------------------------------------------------------
# each message: tests/unit/test_wrong_input.py


def test_wrong_configuration(fresh):
    status, text = call(fresh, {**CONFIG, "crmask": {"snrr": 4}})
    assert status == 1
    message = "configuration: crmask.snrr: no such key; did you mean crmask.snr?"
    lines = [line for line in text.splitlines() if message in line]
    assert len(lines) == 1 and lines[0].startswith("configuration: "), text
    assert "Traceback" not in text
    assert "Job stats" not in text
    assert not (fresh / "results").exists()


def test_no_association(fresh):
    status, text = call(fresh, {})
    assert status == 1
    assert (
        text.count("configuration: associations is empty, expected a folder of exposures, a pattern, a table")
        == 1
    )
    assert "Job stats" not in text


# wrong associations ----------------------------------------------------------------------


def write_wrong(folder, names):
    """Associations that cannot be used: {file: (product folder, message)}, and their files in folder/data."""
    here = folder / "data"
    first, second = names[:2]
    cases = {}

    def csv(stem, lines, message, product=None):
        (here / f"{stem}.csv").write_text("\n".join(lines) + "\n")
        cases[f"data/{stem}.csv"] = (product or stem, message)

    def table(stem, content, message, product=None):
        (here / f"{stem}.json").write_text(content if isinstance(content, str) else json.dumps(content))
        cases[f"data/{stem}.json"] = (product or stem, message)

    def level3(name, *files, exptype="science"):
        return {"products": [{"name": name, "members": [{"expname": f, "exptype": exptype} for f in files]}]}

    one = first.removesuffix(".fits")
    csv(
        "duplicate",
        ["path", first, first],
        f"data/duplicate.csv: product duplicate: duplicate member {one} (data/{first} and data/{first})",
    )
    csv(
        "same_name",
        ["path,member", f"{first},a", f"{second},a"],
        f"data/same_name.csv: product same_name: duplicate member a (data/{first} and data/{second})",
    )
    csv(
        "same_file",
        ["path,member", f"{first},a", f"{first},b"],
        "data/same_file.csv: product same_file: members a and b are the same file",
    )
    csv(
        "missing",
        ["path", first, "nowhere.fits"],
        "data/missing.csv: product missing: member nowhere: data/nowhere.fits: no such file",
    )
    csv(
        "unsafe_member",
        ["path,member", f"{first},a b"],
        "data/unsafe_member.csv: product unsafe_member: member 'a b' cannot be a file name",
    )
    csv(
        "unsafe_group",
        ["path,group", f"{first},../../x"],
        f"data/unsafe_group.csv: product unsafe_group: member {one}: group '../../x' cannot be a file name",
    )
    csv(
        "unsafe_up",
        ["path,product", f"{first},../x"],
        "data/unsafe_up.csv: product '../x' cannot be a file name",
        product="_x",
    )
    csv("column", ["path,colour", f"{first},red"], "data/column.csv: column 'colour' is unknown")
    csv("empty", ["path"], "data/empty.csv: no rows, expected one for each exposure")
    csv(
        "scale",
        ["path,flux_scale", f"{first},-1"],
        "data/scale.csv: row 1: flux_scale is '-1', expected a number > 0",
    )
    table(
        "unsafe_line",
        level3("new\nline", first),
        r"data/unsafe_line.json: product 'new\nline' cannot be a file name",
        product="new_line",
    )
    table(
        "unsafe_shell",
        level3("$(touch owned)", first),
        "data/unsafe_shell.json: product '$(touch owned)' cannot be a file name",
        product="__touch_owned_",
    )
    table(
        "no_science",
        level3("no_science", first, exptype="background"),
        "data/no_science.json: product no_science: no science member (only background), expected at least one",
    )
    table("broken", '{"products": [', "data/broken.json: not valid JSON, line 1 column 15")
    table("no_products", {"members": []}, "data/no_products.json: no list 'products'")
    for stem in ("twin_a", "twin_b"):
        csv(
            stem,
            ["path,product", f"{second},twin"],
            "twin: the product's name is used 2 times (data/twin_a.csv, data/twin_b.csv), expected once",
            "twin",
        )
    cases["data/not_there.csv"] = ("not_there", "data/not_there.csv: no such file")
    for stem, size in (("short", 1000), ("cut", (here / first).stat().st_size // 2)):
        (here / f"{stem}_exposure.fits").write_bytes((here / first).read_bytes()[:size])
    csv(
        "truncated",
        ["path", second, "short_exposure.fits"],
        "data/truncated.csv: product truncated: data/short_exposure.fits: not a readable FITS file",
    )
    csv(
        "not_fits",
        ["path", "good.csv"],
        "data/not_fits.csv: product not_fits: data/good.csv: not a readable FITS file",
    )
    columns = [
        fits.Column("MEMNAME", "14A", array=np.array(["J1AAAQ", "J1AA10"])),
        fits.Column("MEMTYPE", "14A", array=np.array(["EXP-DTH", "PROD-DTH"])),
        fits.Column("MEMPRSNT", "L", array=np.array([True, True])),
    ]
    hst = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)])
    for stem, endings, message in (
        (
            "both",
            ("flc", "flt"),
            "both data/both/j1aaaq_flc.fits and data/both/j1aaaq_flt.fits exist for member j1aaaq",
        ),
        (
            "neither",
            (),
            "member j1aaaq: neither data/neither/j1aaaq_flc.fits nor _flt nor _c0m exists",
        ),
    ):
        (here / stem).mkdir()
        hst.writeto(here / stem / f"{stem}_asn.fits")
        for ending in endings:
            shutil.copy2(here / first, here / stem / f"j1aaaq_{ending}.fits")
        cases[f"data/{stem}/{stem}_asn.fits"] = (f"{stem}_asn", f"data/{stem}/{stem}_asn.fits: {message}")
    return cases


@pytest.fixture(scope="module")
def mixed(data, names, tmp_path_factory):
    """A run with many wrong associations and a right one: folder, cases, status, what was said."""
    folder = shutil.copytree(data, tmp_path_factory.mktemp("mixed") / "run")
    cases = write_wrong(folder, names)
    associations = list(cases)
    associations.insert(len(associations) // 2, "data/good.csv")
    return folder, cases, *call(folder, {**CONFIG, "associations": associations}, "--keep-going")


def test_wrong_associations_are_told(mixed):
    folder, cases, status, text = mixed
    assert status == 1
    assert "Traceback" not in text
    lines = text.splitlines()
    for file, (product, message) in cases.items():
        log = (folder / "results" / product / "log/members.log").read_text()
        assert log.startswith(f"members: {message}") and log.count("\n") == 1, f"{file}: {message}"
        assert log.rstrip("\n") in lines  # beside a line of another job's, two may run into one


def test_nothing_of_a_wrong_product_starts(mixed):
    folder, cases, _, text = mixed
    for product, _ in cases.values():
        files = [path for path in (folder / "results" / product).rglob("*") if path.is_file()]
        assert [path.name for path in files] == ["members.log"], product
    started = re.findall(
        r"^localrule (\w+):\n(?:    .*\n)*?    wildcards: product=([^,\n]+)", text, re.MULTILINE
    )
    bad = [(rule, product) for rule, product in started if product != "good"]
    assert {rule for rule, _ in bad} == {"members"}
    assert len(bad) == len({product for product, _ in cases.values()})
    assert not (folder / "owned").exists()
    assert {path.name for path in folder.iterdir()} == {
        "data",
        "results",
        "config.yaml",
        "said.txt",
        ".snakemake",
    }


def test_others_finish(mixed, made):
    folder, *_ = mixed
    found = products(folder / "results/good")
    assert found == products(made / "results/good")
    assert "good_i2d.fits" in found
    assert (folder / "results/good/report.html").exists()


def test_plain_run_fails(fresh):
    (fresh / "data/missing.csv").write_text("path\nnowhere.fits\n")
    status, text = call(fresh, {"associations": ["data/missing.csv"]})
    assert status == 1
    assert (
        "members: data/missing.csv: product missing: member nowhere: data/nowhere.fits: no such file" in text
    )
    assert "Traceback" not in text


# what a second attempt cannot help ----------------------------------------------------------------------


def test_what_is_wrong_with_an_input_is_not_tried_again(fresh, names):
    """With Snakemake's retries, which the profiles for clusters have; a mended input is read by the next run."""
    retries = ("skymatch", "--retries", "2")
    config = {**CONFIG, "mosaic": {"final_units": "cps"}}
    paths = [fresh / "data" / name for name in names]
    for path in paths:
        fits.setval(path, "BUNIT", value="adu", ext=1)
    status, text = call(fresh, config, *retries)
    assert status == 1 and "mosaic.units cps needs a rate" in text
    assert text.count("localrule footprint:") == 1 and "Trying to restart" not in text
    assert not (fresh / "results/.refused").exists()
    for path in paths:
        fits.setval(path, "BUNIT", value="DN/s", ext=1)
    complete(fresh, config, *retries)


def test_a_job_that_fails_otherwise_is_tried_again(fresh):
    """A limit on the size of files, which a single drizzle does not keep to."""
    arguments = ("single_drizzle", "--retries", "1")
    status, text = call(fresh, CONFIG, *arguments, cores=1, prefix=("prlimit", "--fsize=60000"))
    assert status == 1 and "File too large" in text
    assert text.count("Trying to restart") == 1 and text.count("localrule single_drizzle_group") == 2


# paths ----------------------------------------------------------------------


def test_any_working_folder(fresh, names):
    """Paths are relative to the working folder, members to their association; absolute paths and links are
    followed.
    """
    work = fresh / "deep/er"
    work.mkdir(parents=True)
    shutil.move(fresh / "data" / names[2], fresh / "deep" / names[2])
    (fresh / "data/link.fits").symlink_to(fresh / "data" / names[1])
    lines = ["path", names[0], str(fresh / "deep" / names[2]), "link.fits"]
    (fresh / "data/here.csv").write_text("\n".join(lines) + "\n")
    text = complete(work, {"associations": "../../data/here.csv", "outdir": "../made/it"}, "skymatch")
    assert (fresh / "deep/made/it/here/sky.csv").exists()
    assert not (work / "results").exists()
    assert "Using workflow specific profile" in text  # profiles/default, beside the Snakefile
    assert not [
        name
        for name in os.listdir(fresh / "data")
        if name not in {*names, "good.csv", "here.csv", "link.fits"}
    ]


# targets ----------------------------------------------------------------------


def test_targets(fresh):
    """Each target makes its own and nothing of what comes after it."""
    out = fresh / "results/good"
    steps = {
        "skymatch": "sky.csv",
        "single_drizzle": "single/*_outlier_i2d.fits",
        "median": "good_median.fits",
        "blot": "blot/*_blot.fits",
        "crmask": "crmask/*_crmask.fits",
        "mosaic": "good_i2d.fits",
        "report": "report.html",
        "all": "provenance.json",
    }
    for target, pattern in steps.items():
        if target != "crmask":  # made with blot, in one job
            assert not list(out.glob(pattern)), target
        planned = jobs(complete(fresh, CONFIG, target))
        planned.pop(target, None)
        assert list(out.glob(pattern)), target
        assert bool(planned) == (target != "crmask"), target
    assert (
        len(list(out.glob("blot/*")))
        == len(list(out.glob("crmask/*")))
        == len(list(out.glob("single/*")))
        == 3
    )


def test_dry_run(fresh):
    text = complete(fresh, CONFIG, "--dry-run")
    assert jobs(text) == {
        "members": 1,
        "footprint": 1,
        "grid": 1,
        "grid_wcs": 1,
        "sky_overlaps": 1,
        "skymatch_product": 1,
        "single_drizzle_group": 1,
        "median_product": 1,
        "crmask_member": 1,
        "mosaic_product": 1,
        "report_product": 1,
        "provenance": 1,
    }
    assert [path.name for path in (fresh / "results").rglob("*")] == [".plan.json"]  # the headers' cache


def test_lint(fresh):
    assert "Congratulations" in complete(fresh, CONFIG, "--lint")
    assert "Congratulations" in complete(fresh, {}, "--lint")


def test_inputs_are_never_modified(data, made):
    for path in (data / "data").iterdir():
        assert (made / "data" / path.name).read_bytes() == path.read_bytes()
