"""The roads as they are declared: which files and records a product has under which settings, without the
engine.
"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned import product

from drizzleflow.errors import InputError
from drizzleflow.plan import layout, roads
from drizzleflow.plan.roads import STEPS, imaging

ROOT = Path(__file__).parents[2]
ROAD = imaging.ROAD
FRONT = ["members", "footprint/b1", "footprint/b0", "grid", "grid_wcs"]
SKY = ["sky_overlaps/b1", "sky_overlaps/b0"]
COMPARED = ["single_drizzle/a", "single_drizzle/b", "single_drizzle/c", "median"]
MASKS = ["crmask/a", "crmask/b", "crmask/c"]


def records(made) -> list[str]:
    return [path.removeprefix("record/").removesuffix(".json") for path in ROAD.records(made)]


# -- what a product has


def test_records_by_default():
    assert records(product()) == [*FRONT, *SKY, "skymatch", *COMPARED, *MASKS, "mosaic"]


def test_targets_of_a_plain_run():
    assert ROAD.targets(product()) == [
        "members.csv",
        "grid.asdf",
        "crmask/a_crmask.fits",
        "crmask/b_crmask.fits",
        "crmask/c_crmask.fits",
        "p_i2d.fits",
        "report.html",
        "frames.csv",
        "checks.json",
        "provenance.json",
        "record/report.json",
        "record/provenance.json",
    ]


def test_a_verdict_that_can_fail_is_a_target():
    """Without being part of what report and provenance tell: both are made before it."""
    usual, strict = product(), product(checks={"level": "error"})
    assert records(strict) == records(usual)
    assert set(ROAD.targets(strict)) - set(ROAD.targets(usual)) == {"record/verdict.json"}


@pytest.mark.parametrize(
    "user, gone, more",
    [
        ({"skymatch": {"skip": True}}, SKY, []),
        ({"skymatch": {"skymethod": "user", "skylist": "my.csv"}}, SKY, []),
        ({"outlier_method": "none"}, COMPARED, []),
        ({"median": {"median": False}}, COMPARED, []),
        ({"static_mask": {"static": True}}, [], ["static_mask"]),
        ({"mosaic": {"bands": 3}}, [], [f"mosaic_band/{k:04d}" for k in range(3)]),
        ({"median": {"bands": 2}}, [], [f"median_band/{k:04d}" for k in range(2)]),
        ({"median": {"bands": 2}, "outlier_method": "none"}, COMPARED, []),
        ({"crmask": {"corr": True}}, [], ["crclean/a", "crclean/b", "crclean/c"]),
        ({"crmask": {"corr": True}, "outlier_method": "none"}, COMPARED, []),
        ({"crmask": {"corr": True}, "single_drizzle": {"resample_data": False}}, [], []),
    ],
)
def test_settings_switch_steps(user, gone, more):
    before, after = records(product()), records(product(**user))
    assert [name for name in before if name not in after] == gone
    assert [name for name in after if name not in before] == more
    order = list(STEPS)
    assert [order.index(name.split("/")[0]) for name in after] == sorted(
        order.index(name.split("/")[0]) for name in after
    )


def test_a_single_exposure_has_nothing_to_be_compared_with():
    made = product(["a"])
    assert not imaging.compares(made) and imaging.switched_off(made) is None
    assert ROAD.paths(made, "single_drizzle", "single") == ROAD.paths(made, "median", "median") == []
    assert ROAD.paths(made, "crmask", "mask") == ["crmask/a_crmask.fits"]


def test_why_nothing_is_compared():
    assert imaging.switched_off(product(outlier_method="none")) == "outlier_method is none"
    assert imaging.switched_off(product(median={"median": False})) == "median is false"


def test_blots_are_made_where_they_are_kept():
    kept, gone = product(), product(save_intermediate_results=False)
    assert ROAD.paths(kept, "crmask", "blot") == [f"blot/{name}_blot.fits" for name in "abc"]
    with pytest.raises(
        InputError, match="save_intermediate_results is false; set it to true to keep the blotted"
    ):
        ROAD.paths(gone, "crmask", "blot")
    with pytest.raises(InputError, match="target blot"):
        ROAD.targets(product(crmask={"corr": True}, save_intermediate_results=False))
    for user in ({"outlier_method": "none"}, {"single_drizzle": {"resample_data": False}}):
        assert ROAD.paths(product(**user), "crmask", "blot") == []


def test_frames_that_are_stacked_as_they_are():
    alone = {"single_drizzle": {"resample_data": False}}
    assert list(product(nframes=2, **alone).stack) == [f"{n}-v{v:04d}" for n in "abc" for v in (1, 2)]
    assert list(product(["a"], nframes=2, cube=True, **alone).stack) == ["a-i0001", "a-i0002"]
    assert product(**alone).stack == {"a": [("a", [1])], "b": [("b", [1])], "c": [("c", [1])]}
    assert product().stack == product().groups


def test_the_group_that_each_frame_is_in():
    assert product().stacked_in == {name: [(1, name)] for name in "abc"}
    chips = product(nframes=2)
    assert chips.stacked_in == {name: [(1, name), (2, name)] for name in "abc"}
    for made in (product(), chips):
        assert {name: imaging.own_groups(made, name) for name in "abc"} == made.stacked_in
    alone = {"single_drizzle": {"resample_data": False}}
    assert product(nframes=2, **alone).stacked_in["b"] == [(1, "b-v0001"), (2, "b-v0002")]
    cube = product(["a"], nframes=3, cube=True, **alone)
    assert imaging.own_groups(cube, "a") == [(1, "a-i0001"), (2, "a-i0002"), (3, "a-i0003")]


@pytest.mark.parametrize(
    "user",
    [
        {"preset": "jwst"},
        {"preset": "hst"},
        {"crmask": {"reference": "median"}},
        {"outlier_method": "none"},
        {"median": {"median": False}},
    ],
)
def test_no_group_is_left_out_without_a_comparison_with_the_others(user):
    for more in ({}, {"single_drizzle": {"resample_data": False}}):
        made = product(nframes=2, **user, **more)
        assert [imaging.own_groups(made, name) for name in "abc"] == [[], [], []]
        assert all(len(frames) == 2 for frames in made.stacked_in.values())


def test_of_one_group_none_is_left_out():
    assert imaging.own_groups(product(["a"]), "a") == []
    assert imaging.own_groups(product(["a"], nframes=2), "a") == []
    both = product(["a"], nframes=2, single_drizzle={"resample_data": False})  # here each frame is one
    assert imaging.own_groups(both, "a") == [(1, "a-v0001"), (2, "a-v0002")]


def test_a_preset_s_comparison_can_be_replaced():
    made = product(preset="hst", crmask={"reference": "others"})
    assert made.against_others and imaging.own_groups(made, "c") == [(1, "c")]
    assert not product(preset="hst").against_others and product().against_others


def test_flagged_copies_end_as_the_format_says():
    assert ROAD.paths(product(["a"]), "crmask", "crf") == ["crf/a_crf.fits"]
    assert ROAD.paths(product(["a"], "roman"), "crmask", "crf") == ["crf/a_crf.asdf"]


@pytest.mark.parametrize(
    "members, mosaic, median",
    [(1, 1, 1), (39, 1, 1), (41, 2, 1), (159, 2, 1), (161, 4, 1), (321, 8, 2), (641, 16, 4), (9000, 32, 16)],
)
def test_bands_go_by_the_amount_of_data(members, mosaic, median):
    names = [f"m{k}" for k in range(members)]
    made = product(names, shape=(400, 500))  # 0.2 megapixels each
    assert (made.bands, made.median_bands) == (mosaic, median)
    for step, count in (("mosaic_band", mosaic), ("median_band", median)):
        assert len(ROAD.paths(made, step, "band")) == (count if count > 1 else 0)


def test_a_road_without_a_step_has_none_of_its_files():
    short = layout.Road("short", (layout.MEMBERS,), ())
    assert short.paths(product(), "median", "median") == [] and short.records(product()) == [
        "record/members.json"
    ]


# -- the tables themselves


def test_names_in_the_paths_are_those_of_the_jobs():
    for step in STEPS.values():
        for file in step.files.values():
            names = set(re.findall(r"\{(\w+)\}", file.pattern)) - {"product", "ending"}
            assert names == set(step.each.wildcards), (step.name, file.pattern)
    assert roads.wildcards().keys() == {"product", "batch", "group", "member", "band"}


def test_no_two_outputs_have_one_path():
    for road in roads.ROADS.values():
        patterns = [file.pattern for step in road.steps for file in step.files.values()]
        patterns += [step.record for step in road.steps]
        assert len(set(patterns)) == len(patterns) > 30


def test_every_step_has_its_script_and_every_script_its_step():
    assert {path.stem for path in (ROOT / "scripts").glob("*.py")} == {*STEPS, "audit"}


def test_rules_and_roads_agree():
    files = [path.stem for path in (ROOT / "rules").glob("*.smk")]
    assert set(roads.rules()) <= set(files)
    text = "".join((ROOT / f"rules/{name}.smk").read_text() for name in files)
    # those that are made for batches too have their names from the loop in which they are
    text = re.sub(
        r'^for jobs in .*\n?.*jobs_of\("\w+", "(\w+)"[^:]*:\n\n    rule:',
        r"rule \1:",
        text,
        flags=re.MULTILINE,
    )
    scripts = dict(re.findall(r"^rule (\w+):\n(?:(?!^rule ).*\n)*?.*scripts/(\w+)\.py", text, re.MULTILINE))
    scripts.pop("audit")
    assert set(scripts.values()) == set(STEPS)
    assert {rule: roads.step_of(rule) for rule in scripts} == scripts
    assert roads.step_of("crmask_asdf_member") == "crmask" and roads.step_of("mosaics") == "mosaics"


def test_what_a_run_removes():
    assert roads.temporary(intermediate=False) == ["median/*.npz", "mosaic/*.npz"]
    assert roads.temporary(intermediate=True) == [
        "single/*_outlier_i2d.fits",
        "median/*.npz",
        "*_median.fits",
        "mosaic/*.npz",
    ]


def test_what_the_report_shows():
    assert roads.shown("pictures") == [("mosaic", "mosaic"), ("mosaic", "coverage")]
    assert roads.shown("exposures") == [("median", "median"), ("single_drizzle", "single")]
    assert [step.name for step in STEPS.values() if step.numbers] == ["grid", "skymatch", "median", "mosaic"]


@given(name=st.from_regex(layout.ANY_NAME, fullmatch=True))
def test_names_are_found_again_in_paths(name):
    path = roads.path("single_drizzle", "single", group=name)
    assert layout.match("single/{group}_outlier_i2d.fits", path) == {"group": name}
    assert layout.match("blot/{member}_blot.fits", path) is None
    assert layout.match("{product}_i2d.fits", f"a/{name}_i2d.fits") is None
