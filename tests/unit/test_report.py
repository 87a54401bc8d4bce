"""report.py: the page shows what the records say, whatever is absent, and runs nothing that a file contains."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from drizzleflow.io import tables
from drizzleflow.io.columns import FRAMES, names
from drizzleflow.jobs import thumbnail
from drizzleflow.plan import config
from drizzleflow.plan.product import Finding
from drizzleflow.report import contents as report

EVIL = "<script>alert('1')</script>"


@pytest.fixture(scope="module")
def png():
    return {seed: thumbnail.png(np.random.default_rng(seed).normal(size=(8, 8)))[0] for seed in range(8)}


def entry(rule, number=0, **more):
    return {
        "rule": rule,
        "wildcards": {"product": "prod", "member": f"m{number}"},
        "params": {"crmask": {"snr": "5.0 4.0"}},
        "statistics": {},
        "warnings": [],
        "started": f"2026-01-01T00:00:0{number}.000+00:00",
        "ended": f"2026-01-01T00:00:0{number + 1}.000+00:00",
        "seconds": 1.0,
        "peak_mb": 100.0,
        "versions": {"python": "3.11.7"},
        "thumbnails": {},
        **more,
    }


@pytest.fixture
def records(tmp_path, png):
    frames = [{"extver": 1, "flagged": 20, "fraction": 0.02, "npix": 1000}]
    busier = [{"extver": 1, "flagged": 30, "npix": 1000}, {"extver": 2, "flagged": 0, "npix": 1000}]
    pair = {"before": png[0], "after": png[1], "mask": png[2]}
    content = [
        entry(
            "crmask_member",
            1,
            statistics={"frames": frames, "status": "COMPLETE"},
            thumbnails=pair,
            warnings=["w1", EVIL],
        ),
        entry(
            "crmask_member",
            2,
            statistics={"frames": busier},
            thumbnails={**pair, "before": png[3]},
            warnings=["w1"],
        ),
        entry(
            "mosaic_product",
            4,
            wildcards={"product": "prod"},
            statistics={"exposure": 12.5, "shape": [3, 4]},
            thumbnails={"mosaic": png[4], "coverage": png[5]},
            params={"kernel": EVIL},
        ),
        entry("median_product", 3, statistics={"threshold": 0.7}, thumbnails={"median": png[6]}),
        entry(
            "single_drizzle_group",
            0,
            wildcards={"product": "prod", "group": "g1"},
            thumbnails={"single": png[7]},
        ),
        entry("skymatch_product", 0, wildcards={"product": "prod"}, statistics={"components": 2}),
    ]
    paths = []
    for number, item in enumerate(content):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(item))
    return paths


MEMBERS = pd.DataFrame(
    [
        {"member": "m2", "exptype": "science", "group": "g1"},
        {"member": "m1", "exptype": "science", "group": EVIL},
    ]
)
SKY = pd.DataFrame([{"member": "m1", "group": "1.0e5", "sky": 0.12345678901234, "component": 1}])
NONE = pd.DataFrame()


class Page(HTMLParser):
    """The tags, their addresses and the cells of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.rows, self.cell = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.cell = True

    def handle_endtag(self, tag):
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


@pytest.fixture
def text(records, tmp_path):
    report.make(records, MEMBERS, SKY, tmp_path / "report.html", "prod")
    return (tmp_path / "report.html").read_text()


def test_pictures(text, png):
    sources = Page(text).addresses
    assert {address.split(",")[0] for address in sources} == {"data:image/png;base64"}
    shown = {number for number in png if f"data:image/png;base64,{png[number]}" in sources}
    assert shown == {1, 2, 3, 4, 5, 6, 7}  # of the two blink pairs the one with more flagged pixels


def test_flagged_fractions_in_the_order_of_members(text):
    rows = Page(text).rows
    start = rows.index(["member", "extver", "status", "flagged", "of", "%"])
    assert rows[start + 1 : start + 4] == [
        ["m2", "1", "", "30", "1000", "3.0000"],
        ["m2", "2", "", "0", "1000", "0.0000"],
        ["m1", "1", "COMPLETE", "20", "1000", "2.0000"],
    ]
    assert ["pixels flagged as outliers", "50 (1.6667 % of 3,000 in 3 frames)"] in rows
    assert ["groups", "2"] in rows


def test_what_all_rows_share_is_said_once(tmp_path):
    rows = [{"member": f"m{n}", "group": "g", "valid": True, "npix": n, "sigma": np.nan} for n in (1, 2)]
    report.make([], NONE, pd.DataFrame(rows), tmp_path / "report.html", "prod")
    text = (tmp_path / "report.html").read_text()
    assert ["member", "group", "npix"] in Page(text).rows
    assert "The same for all: valid True, sigma nan." in text


def test_parameters_of_a_section_stand_once(tmp_path):
    settings = {"grid": {"pad": True}, "groups": 6, "member": {"path": "somewhere.fits"}}
    for number, rule in enumerate(("crmask_member", "mosaic_product")):
        (tmp_path / f"{number}.json").write_text(json.dumps(entry(rule, number, params=settings)))
    report.make(sorted(tmp_path.glob("*.json")), NONE, NONE, tmp_path / "report.html", "prod")
    rows = Page((tmp_path / "report.html").read_text()).rows
    assert rows.count(["pad", "true"]) == 1
    assert rows.count(["groups", "6"]) == 2  # not a section: for each rule
    assert "somewhere.fits" not in (tmp_path / "report.html").read_text()


def test_sky_numbers_are_rounded_and_names_are_not(text):
    assert ["m1", "1.0e5", "0.1234568", "1"] in Page(text).rows


def test_statistics_warnings_times_and_parameters(text):
    rows = Page(text).rows
    assert ["components", "2"] in rows
    assert ["threshold", "0.7"] in rows
    assert ["exposure", "12.5"] in rows
    assert ["crmask", "2", "w1"] in rows
    assert ["crmask", "2", "2.00", "1.00", "100"] in rows
    assert ["snr", "5.0 4.0"] in rows
    assert "python 3.11.7" in text
    assert ["made", "2026-01-01 00:00:05 UTC, 6 jobs, 6.0 s in all"] in rows
    order = [row[0] for row in rows if len(row) == 5 and row[2].endswith(".00")]
    assert order == ["single_drizzle", "skymatch", "crmask", "median", "mosaic"]


def test_nothing_from_outside_and_nothing_that_runs(text):
    assert "script" not in Page(text).tags
    assert EVIL not in text
    assert text.count("&lt;script&gt;") == 3  # as a group, in a warning, as a parameter
    assert not re.search(r"https?://|@import|url\(", text)


def test_the_order_of_records_does_not_matter(records, tmp_path, text):
    report.make(records[::-1], MEMBERS, SKY, tmp_path / "other.html", "prod")
    assert (tmp_path / "other.html").read_text() == text


def test_evil_product_name_and_picture(tmp_path):
    item = entry("mosaic", thumbnails={"mosaic": f'"><img src="x" onerror="1">{EVIL}'})
    (tmp_path / "r.json").write_text(json.dumps(item))
    report.make([tmp_path / "r.json"], NONE, NONE, tmp_path / "report.html", EVIL)
    page = Page((tmp_path / "report.html").read_text())
    assert "script" not in page.tags
    assert len(page.addresses) == 1


def test_records_with_almost_nothing(tmp_path):
    for number, rule in enumerate(("crmask", "mosaic", "median", "members")):
        (tmp_path / f"{number}.json").write_text(json.dumps({"rule": rule}))
    report.make(sorted(tmp_path.glob("*.json")), NONE, NONE, tmp_path / "report.html", "prod")
    text = (tmp_path / "report.html").read_text()
    assert "<h1>prod</h1>" in text
    assert "Flagged pixels" not in text
    report.make([], NONE, NONE, tmp_path / "report.html", "prod")


def test_skipped_detection_is_said(tmp_path):
    statistics = {"status": "SKIPPED", "frames": [{"extver": 1, "flagged": 0, "npix": 10, "fraction": 0.0}]}
    (tmp_path / "r.json").write_text(json.dumps(entry("crmask", statistics=statistics)))
    report.make([tmp_path / "r.json"], NONE, NONE, tmp_path / "report.html", "prod")
    rows = Page((tmp_path / "report.html").read_text()).rows
    assert ["frames without outlier detection", "1 (the warnings say why)"] in rows


@pytest.mark.parametrize("other", ["SKIPPED", "COMPLETE"])
def test_a_verdict_of_what_was_not_compared(tmp_path, other):
    frames = [{"extver": 1, "flagged": 0, "npix": 10, "fraction": 0.0}]
    for number, status in enumerate(("SKIPPED", other)):
        statistics = {"status": status, "frames": frames}
        (tmp_path / f"{number}.json").write_text(json.dumps(entry("crmask", number, statistics=statistics)))
    limits = config.standard()["checks"]
    paths = [tmp_path / "0.json", tmp_path / "1.json"]
    report.make(paths, NONE, NONE, tmp_path / "report.html", "prod", limits=limits)
    text = (tmp_path / "report.html").read_text()
    assert ("No exposure was compared with another" in text) == (other == "SKIPPED")
    assert ("Nothing else to ask about" in text) == (other == "SKIPPED")
    assert ("Nothing to ask about" in text) == (other != "SKIPPED")


def test_members_are_shown_as_in_their_file_without_columns_that_are_empty(tmp_path):
    rows = [
        {"member": f"m{n}", "nframes": n, "exptime": time, "filter": "", "dq": None, "err": n == 1}
        for n, time in ((1, 100.0), (2, None))
    ]
    report.make([], pd.DataFrame(rows), NONE, tmp_path / "report.html", "prod")
    shown = Page((tmp_path / "report.html").read_text()).rows
    start = shown.index(["member", "nframes", "exptime", "err"])
    assert shown[start + 1 : start + 3] == [["m1", "1", "100.0", "True"], ["m2", "2", "", "False"]]


# -- the verdict, and what the plan tells


def test_the_verdict_comes_first_and_is_written(records, tmp_path):
    limits = config.standard()["checks"] | {"flagged": 0.025}
    doubt = Finding("filters", f"2 filters in one product: {EVIL}", EVIL)
    paths = [tmp_path / name for name in ("report.html", "frames.csv", "checks.json")]
    report.make(
        records,
        MEMBERS,
        SKY.assign(valid=True, extver=1),
        paths[0],
        "prod",
        *paths[1:],
        limits=limits,
        doubts=[doubt],
    )
    text, made = paths[0].read_text(), json.loads(paths[2].read_text())
    assert made["product"] == "prod" and made["verdict"] == "look"
    found = {one["check"]: one["findings"] for one in made["checks"] if one["findings"]}
    assert list(found) == ["flagged", "filters"] and found["flagged"][0]["member"] == "m2"
    rows = Page(text).rows
    assert rows[0] == ["check", "what was found, and the likely cause", "limit"]
    assert [row[0] for row in rows[1:3]] == ["flagged", "filters"] and "m2: 3.00 %" in rows[1][1]
    assert EVIL not in text
    report.make(
        records,
        MEMBERS,
        NONE,
        paths[0],
        "prod",
        *paths[1:],
        limits=config.standard()["checks"] | {"flagged": 0.1},
    )
    assert (
        json.loads(paths[2].read_text())["verdict"] == "ok" and "Nothing to ask about" in paths[0].read_text()
    )


def test_what_the_plan_tells_is_shown(records, tmp_path):
    told = {"notes": ["a.b has no effect"], "left_out": [f"data: left out {EVIL}"]}
    report.make(records, MEMBERS, NONE, tmp_path / "report.html", "prod", **told)
    text = (tmp_path / "report.html").read_text()
    assert ["configuration", "1", "a.b has no effect"] in Page(text).rows
    assert EVIL not in text and "data: left out &lt;script&gt;" in text


# -- frames.csv


def crmask_record(folder, member, frames, **statistics):
    """The record of the job that flags a member."""
    wildcards = {"product": "prod", "member": member}
    item = entry("crmask_member", statistics={"frames": frames, **statistics}, wildcards=wildcards)
    (folder / f"{member}.json").write_text(json.dumps(item))


MEASURED = {
    "shift_x": 0.0123456789012345,
    "shift_y": -0.25,
    "width": 0.5,
    "noise": 1.0625,
    "tolerance": 0.125,
    "depth": 4.75,
    "unseen": 0.015625,
    "on_sources": 7,
    "negative": 2,
    "sharp": 1,
}
MEASURED_NAMES = ["on sources", "too low", "sharp", "shift x", "shift y", "width", "noise"]
MEASURED_NAMES += ["tolerance", "depth", "unseen %"]


@pytest.fixture
def flagging(tmp_path):
    """Members b (two frames, measured; the second without a shift), a (not compared) and c (against a median)."""
    first = {"extver": 1, "flagged": 30, "fraction": 0.03, "npix": 1000, **MEASURED}
    second = {"extver": 2, "flagged": 0, "fraction": 0.0, "npix": 1000, **MEASURED}
    second |= dict.fromkeys(("shift_x", "shift_y", "width", "unseen"))
    crmask_record(tmp_path, "b", [second, first], status="COMPLETE")
    crmask_record(tmp_path, "a", [{"extver": 1, "flagged": 0, "npix": 1000}], status="SKIPPED")
    crmask_record(tmp_path, "c", [{"extver": 1, "flagged": 5, "npix": 500}], status="COMPLETE")
    return tmp_path


def made_of(folder, order=("b", "a", "c"), **more):
    members = pd.DataFrame([{"member": name, "exptype": "science", "group": name} for name in order])
    records = sorted(folder.glob("*.json"))
    report.make(records, members, NONE, folder / "report.html", "prod", folder / "frames.csv", **more)
    return Page((folder / "report.html").read_text()).rows


@pytest.mark.parametrize("order", [("b", "a", "c"), ("c", "b", "a"), ("a",)])
def test_frames_are_written_in_the_order_of_members(flagging, order):
    made_of(flagging, order)
    table = tables.read_frames(flagging / "frames.csv")
    assert list(table.columns) == names(FRAMES)
    wanted = [*order, *sorted({"a", "b", "c"} - set(order))]  # of others the last
    assert list(table.member) == [name for name in wanted for _ in range(1 + (name == "b"))]
    assert table[table.member == "b"].extver.tolist() == [1, 2]


def test_frames_are_read_again_as_they_were(flagging):
    made_of(flagging)
    table = tables.read_frames(flagging / "frames.csv")
    first, second, skipped, other = (row for _, row in table.iterrows())
    assert {name: first[name] for name in MEASURED} == MEASURED
    assert (first.status, first.npix, first.flagged, first.fraction) == ("COMPLETE", 1000, 30, 0.03)
    assert second[["shift_x", "shift_y", "width", "unseen"]].isna().all()
    assert (second.noise, second.on_sources, second.negative) == (1.0625, 7, 2)
    assert skipped.status == "SKIPPED" and skipped[list(MEASURED)].isna().all() and skipped.fraction == 0
    assert other.fraction == 0.01 and other[list(MEASURED)].isna().all()
    assert [str(table[name].dtype) for name in ("noise", "negative", "extver")] == [
        "float64",
        "Int64",
        "int64",
    ]


def test_without_outliers_the_table_has_no_rows(tmp_path):
    made_of(tmp_path)
    table = tables.read_frames(tmp_path / "frames.csv")
    assert len(table) == 0 and list(table.columns) == names(FRAMES)


def test_no_table_is_written_that_was_not_asked_for(flagging):
    report.make(sorted(flagging.glob("*.json")), NONE, NONE, flagging / "report.html", "prod")
    assert not list(flagging.glob("*.csv"))


def test_the_page_shows_what_was_measured(flagging):
    rows = made_of(flagging)
    start = rows.index(["member", "extver", "status", "flagged", "of", "%", *MEASURED_NAMES])
    shown = ["7", "2", "1", "0.012", "-0.250", "0.500", "1.062", "0.125", "4.8", "1.56"]
    missing = ["7", "2", "1", "", "", "", "1.062", "0.125", "4.8", ""]
    assert rows[start + 1 : start + 5] == [
        ["b", "1", "COMPLETE", "30", "1000", "3.0000", *shown],
        ["b", "2", "COMPLETE", "0", "1000", "0.0000", *missing],
        ["a", "1", "SKIPPED", "0", "1000", "0.0000", *[""] * 10],
        ["c", "1", "COMPLETE", "5", "500", "1.0000", *[""] * 10],
    ]
    assert "compared with the other exposures" in (flagging / "report.html").read_text()


def test_the_page_has_no_columns_of_what_was_not_measured(flagging):
    (flagging / "b.json").unlink()
    rows = made_of(flagging)
    start = rows.index(["member", "extver", "status", "flagged", "of", "%"])
    assert rows[start + 1] == ["a", "1", "SKIPPED", "0", "1000", "0.0000"]
    text = (flagging / "report.html").read_text()
    assert "compared with the other exposures" not in text and "shift x" not in text


def test_records_without_numbers_make_a_table_too(tmp_path):
    crmask_record(tmp_path, "a", [{"extver": 1}, "no frame", {"extver": 2, "npix": 0, "flagged": 0}])
    made_of(tmp_path)
    table = tables.read_frames(tmp_path / "frames.csv")
    assert table.extver.tolist() == [1, 2] and table.fraction.isna().all() and table.status.isna().all()


# -- notes of the configuration


NOTES = ["crmask.scale has no effect: crmask.reference is others; it counts with median alone", EVIL]


def test_notes_of_the_configuration_are_warnings(records, tmp_path):
    report.make(records, MEMBERS, SKY, tmp_path / "report.html", "prod", notes=NOTES)
    text = (tmp_path / "report.html").read_text()
    rows = Page(text).rows
    assert ["configuration", "1", NOTES[0]] in rows and ["configuration", "1", EVIL] in rows
    assert ["crmask", "2", "w1"] in rows and EVIL not in text
    assert ["warnings", "5"] in rows  # three of the jobs, two notes


def test_notes_alone_and_none(tmp_path):
    rows = made_of(tmp_path, notes=NOTES[:1])
    assert ["warnings", "1"] in rows and ["configuration", "1", NOTES[0]] in rows
    rows = made_of(tmp_path)
    assert ["warnings", "none"] in rows and not any(row[:1] == ["configuration"] for row in rows)
