"""A member that goes away or is replaced while a run is at work: it is told, and no product mixes two
versions of it.
"""

import json
import os
import re
import shutil
from contextlib import suppress

import pytest
from astropy.io import fits
from runs import (
    CONFIG,
    assert_as_undisturbed,
    complete,
    differing,
    end,
    jobs,
    products,
    said,
    start,
    unfinished,
    wait_for,
    working,
)

QUICK = ("--latency-wait", "1")  # seconds that Snakemake waits for a file that is not there


def disturbed(folder, moment, action) -> str:
    """A run that has to fail after what `action` does at a moment: what it said."""
    process = start(folder, CONFIG, *QUICK)
    try:
        wait_for(process, moment)
        action()
        assert process.wait(timeout=120) != 0, said(folder)[-3000:]
    finally:
        end(process)
    return said(folder)


def member(folder):
    return sorted((folder / "data").glob("*_cal.fits"))[1]


def started(folder):
    """The plan is made and no job has begun."""
    return lambda: (folder / "results/.plan.json").exists()


@pytest.mark.parametrize("step", ["plan", "median"])
def test_member_vanishes(fresh, undisturbed, expected, step):
    """Before the first job that reads it, and before crmask; it comes back with a new time stamp."""
    out, path = fresh / "results", member(fresh)
    aside = fresh / "aside.fits"
    text = disturbed(
        fresh, started(fresh) if step == "plan" else working(out, step), lambda: path.rename(aside)
    )
    told = rf"^\s*(\w+: )?data/{path.name}(: no such file| \(missing locally.*\))?$"
    assert re.search(told, text, re.MULTILINE), text[
        -3000:
    ]  # by Snakemake, or by the job that wants to read it
    assert "Traceback" not in text
    assert set(differing(products(out), expected).values()) == {"missing"}
    done = {str(record.relative_to(out)) for record in out.rglob("record/**/*.json")}
    done -= {name.removeprefix("results/") for name in unfinished(fresh)}  # at work when the run gave up
    shutil.copyfile(aside, path)  # a new time stamp
    aside.unlink()
    again = jobs(complete(fresh, CONFIG))
    # members that share a job share its log
    job_of = {
        str(record.relative_to(undisturbed / "results")): json.loads(record.read_text())["log"]
        for record in (undisturbed / "results").rglob("record/**/*.json")
    }
    assert sum(again.values()) == len({job_of[name] for name in job_of.keys() - done})  # none that was done
    assert_as_undisturbed(fresh, expected)


@pytest.fixture(scope="module")
def other(data, tmp_path_factory):
    """A working folder in which one member has other pixels, and everything has run."""
    folder = shutil.copytree(data, tmp_path_factory.mktemp("other") / "run")
    path = member(folder)
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].data[20:60, 20:60] += 5
    complete(folder, CONFIG)
    return folder


def replace(folder, other, age):
    """Put the other version of the member in place, with a new time stamp or one of long ago."""
    coming = folder / "coming.fits"
    shutil.copyfile(member(other), coming)
    if age == "old":
        os.utime(coming, (1.2e9, 1.2e9))
    coming.rename(member(folder))


@pytest.mark.parametrize(("step", "age"), [("plan", "old"), ("footprint", "new"), ("median", "old")])
def test_member_replaced(fresh, other, step, age):
    """Before a job reads it, while jobs read it, and between two that do."""
    moment = started(fresh) if step == "plan" else working(fresh / "results", step)
    text = disturbed(fresh, moment, lambda: replace(fresh, other, age))
    name = f"data/{member(fresh).name}"
    lines = [line for line in text.splitlines() if f"{name}: replaced while the run was going on" in line]
    assert lines and all(line.startswith(("footprint: ", "crmask_member: ")) for line in lines), text[-3000:]
    assert "Traceback" not in text
    assert not (fresh / "results/field/field_i2d.fits").exists()
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, products(other / "results"))


def test_member_replaced_between_runs(finished, other):
    """By a file with an old time stamp, for which Snakemake alone would do nothing; a kill does not make it
    forget.
    """
    assert jobs(complete(finished, CONFIG, "--dry-run")) == {}  # a plan has seen it
    replace(finished, other, "old")
    process = start(finished, CONFIG)
    with suppress(AssertionError):
        wait_for(process, lambda: "Job stats" in said(finished))
    end(process)
    again = jobs(complete(finished, CONFIG))
    assert again["sky_overlaps"] == again["single_drizzle_group"] == 2
    assert_as_undisturbed(finished, products(other / "results"))
