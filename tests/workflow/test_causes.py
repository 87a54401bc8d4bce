"""What starts what: a changed setting starts the steps that read it, a changed set of members their own jobs."""

import json
import re
import shutil

import pytest
from other_values import NAMES, other_value
from planned import product
from runs import call, complete, differing, jobs, products

from drizzleflow.plan import keys
from drizzleflow.plan.config_checks import ONLY_WITH
from drizzleflow.plan.roads import STEPS, step_of

BASE = {"associations": "data/field_asn.json", "batch_size": 1, "skymatch": {"skymethod": "local"}}


def given_grid(folder) -> dict:
    """Settings that place the grid of a run as they find it."""
    made = json.loads((folder / "results/field/grid.json").read_text())
    keys = ("crval", "crpix", "pixel_scale")
    return {**{key: made[key] for key in keys}, "output_shape": made["shape"][::-1], "rotation": 0.0}


@pytest.fixture(scope="module")
def placed(data, undisturbed, tmp_path_factory):
    """A finished run with a given grid, and each exposure's own sky; its configuration."""
    folder = tmp_path_factory.mktemp("placed") / "run"
    shutil.copytree(data, folder)
    config = {**BASE, "grid": given_grid(undisturbed)}
    complete(folder, config)
    return folder, config


def with_members(folder, change) -> None:
    path = folder / "data/field_asn.json"
    table = json.loads(path.read_text())
    change(table["products"][0]["members"])
    path.write_text(json.dumps(table))


def add(members) -> None:
    members.insert(1, {"expname": "another_cal.fits", "exptype": "science", "group_id": "another"})


def mark_out(members) -> None:
    members[1]["exptype"] = "background"


def remove(members) -> None:
    del members[1]


@pytest.mark.parametrize(
    "change, own",
    [(add, {"footprint": 1, "sky_overlaps": 1, "single_drizzle_group": 1}), (mark_out, {}), (remove, {})],
)
def test_a_changed_set_of_members_starts_no_single_of_the_others(placed, change, own, tmp_path):
    """With a given grid and a sky that does not depend on the others; and what is then made is what a new run makes."""
    folder, config = shutil.copytree(placed[0], tmp_path / "run"), placed[1]
    members = sorted((folder / "data").glob("*_cal.fits"))
    shutil.copy2(members[0], folder / "data/another_cal.fits")
    with_members(folder, change)
    planned = jobs(complete(folder, config))
    per_member = {"footprint", "sky_overlaps", "single_drizzle_group"}
    assert {rule: count for rule, count in planned.items() if rule in per_member} == own
    assert planned["median_product"] == 1 and planned["crmask_member"] == 3 + (1 if own else -1)
    new = tmp_path / "new"
    shutil.copytree(folder / "data", new / "data")
    complete(new, config)
    left = differing(products(folder / "results"), products(new / "results"))
    assert set(left.values()) <= {"extra"}  # files of the member that is gone
    assert jobs(complete(folder, config)) == {}


def test_the_first_member_gives_the_grid_its_scale(placed, tmp_path):
    folder, config = shutil.copytree(placed[0], tmp_path / "run"), placed[1]
    with_members(folder, lambda members: members.append(members.pop(0)))
    assert jobs(complete(folder, config, "--dry-run"))["single_drizzle_group"] == 3


def test_a_wrong_association_fails_a_dry_run(fresh):
    (fresh / "data/wrong.csv").write_text("path\nno_such_cal.fits\n")
    config = {**BASE, "associations": ["data/field_asn.json", "data/wrong.csv"]}
    status, text = call(fresh, config, "--dry-run")
    assert status == 1 and re.search(r"^ *data/wrong.csv: .*no_such_cal.fits", text, re.MULTILINE), text[
        -2000:
    ]
    status, text = call(fresh, config, "--list-rules")
    assert status == 0


def because_of_settings(text: str) -> set[str]:
    """The steps whose jobs a dry run plans since their settings have changed."""
    found = re.search(r"params have changed since last execution:\n +(.*)\n", text)
    return {step_of(rule) for rule in found[1].split(", ")} if found else set()


def check(folder, config, name) -> None:
    """Plan a run with one setting changed, and compare what it would start with what reads the setting."""
    section, key = name.split(".")
    own = {section: {key: other_value(section, key)}}
    text = complete(folder, config | own, "--dry-run")
    after = product(**own)
    reading = {step for step in STEPS for one in (product(), after) if name in STEPS[step].reads(one)}
    reading = {step for step in reading if STEPS[step].jobs(after)} if name not in keys.NEUTRAL else set()
    if name in TOLD:
        reading |= {"report"}
    planned, because = {step_of(rule) for rule in jobs(text)}, because_of_settings(text)
    assert reading <= planned, name
    # a job that runs again for one before it is not listed with its own settings
    assert because <= reading or name in DECIDES, name
    if not reading and name not in DECIDES:
        assert not planned, name
    if name in QUICK and reading:  # it is named, with what it was and is
        assert re.search(rf"before: {{'{name}': .*}} now: {{'{name}': .*}}", text), text


#: without effect where exposures are compared with the others, which the report tells
TOLD = {f"{section}.{key}" for section, listed in ONLY_WITH["median"].items() for key in listed}
#: on them depends which jobs there are, or which other settings count
DECIDES = {
    "static_mask.static",
    "median.median",
    "crmask.corr",
    "checks.level",
    "mosaic.bands",
    "median.bands",
    "crmask.reference",
}
DECIDES |= {"single_drizzle.resample_data", "skymatch.skip", "skymatch.skymethod"}
QUICK = [
    "mosaic.pixfrac",
    "crmask.snr",
    "median.maskpt",
    "skymatch.nclip",
    "median.combine_bufsize",
    "simple.gain_keyword",
]
#: they need more than a value: another file, another format
NOT_ALONE = {
    "skymatch.masks",
    "skymatch.skylist",
    "grid.output_wcs",
    "grid.method",
    "crmask.corr",
    "crmask.crbit",
}
NOT_ALONE |= {"inputs.resetbits", "crmask.noise", "single_drizzle.pixmap_stepsize", "mosaic.pixmap_stepsize"}


@pytest.mark.parametrize("name", QUICK)
def test_a_changed_setting_starts_what_reads_it(finished, name):
    check(finished, {"associations": "data/field_asn.json", "batch_size": 2}, name)


@pytest.mark.slow
def test_every_changed_setting_starts_what_reads_it(finished):
    for name in NAMES:
        if name not in NOT_ALONE:
            check(finished, {"associations": "data/field_asn.json", "batch_size": 2}, name)
