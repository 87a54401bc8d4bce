"""The table of sky levels, and the sky level in headers."""

import logging

import numpy as np
import pandas as pd
import pytest

from drizzleflow.errors import InputError
from drizzleflow.io import columns, tables
from drizzleflow.sky import level_table
from drizzleflow.sky.cells import SkyCells
from drizzleflow.sky.keywords import background_keywords

SETTINGS = {"skymethod": "match", "match_down": True, "weights": "variance", "disconnected": "warn"}


def footprints(*rows, **more):
    table = pd.DataFrame(rows, columns=["member", "extver", "group"])
    return table.astype({"member": "string", "group": "string"}).assign(**more)


#: two groups of two frames each, the second member with two extensions
FRAMES = footprints(("a", 1, "A"), ("b", 1, "B"), ("b", 2, "B"))


def overlaps(*rows):
    return pd.DataFrame(rows, columns=columns.names(columns.OVERLAPS))


OVERLAPS = overlaps(
    ("a", 1, "", 12.0, 900, 0.1, 2.0),
    ("a", 1, "B", 12.0, 100, 0.1, 2.0),
    ("b", 1, "", 10.0, 800, 0.1, 4.0),
    ("b", 1, "A", 10.0, 60, 0.1, 4.0),
    ("b", 2, "", np.nan, 0, np.nan, 0.5),
    ("b", 2, "A", 10.0, 40, 0.1, 0.5),
)


def test_recorded_levels_are_those_that_are_not_subtracted(tmp_path):
    frames = footprints(
        ("a", 1, "A"),
        ("b", 1, "B"),
        ("c", 1, "C"),
        ("d", 1, "D"),
        level=[1.5, 2.5, None, 3.5],
        subtracted=pd.array([False, True, None, None], dtype="boolean"),
    )
    sky = level_table.recorded(frames)
    assert sky.sky.tolist() == [1.5, 0.0, 0.0, 0.0]
    assert sky.valid.tolist() == [True, False, False, False]
    tables.write_sky(sky, tmp_path / "sky.csv")
    lines = (tmp_path / "sky.csv").read_text().splitlines()
    assert lines[1:3] == ["a,A,1.5,0,0,True,nan,1", "b,B,0.0,0,0,False,nan,1"]


def test_listed_levels_are_each_members(tmp_path):
    sky = level_table.listed(FRAMES, {"a": [0.25], "b": [-2.0]})
    assert level_table.listed(FRAMES, {"a": [0.25], "b": [-2.0, 3.0]}).sky.tolist() == [0.25, -2.0, 3.0]
    with pytest.raises(InputError, match="3 levels of b, which has 2 frames"):
        level_table.listed(FRAMES, {"a": [0.25], "b": [-2.0, 3.0, 1.0]})
    assert sky.sky.tolist() == [0.25, -2.0, -2.0] and sky.valid.all() and not sky.component.any()
    tables.write_sky(sky, tmp_path / "sky.csv")
    assert tables.read_sky(tmp_path / "sky.csv").sigma.isna().all()


def test_matched_levels_are_in_the_frames_own_unit(tmp_path):
    """The groups differ by 2 in the product's unit; factors 2, 4 and 0.5 turn it into the frames'."""
    sky = level_table.matched(FRAMES, OVERLAPS, SETTINGS)
    assert sky[["member", "extver", "group"]].to_numpy().tolist() == [
        ["a", 1, "A"],
        ["b", 1, "B"],
        ["b", 2, "B"],
    ]
    assert sky.sky.tolist() == [2.0 / 2.0, 0.0, 0.0]
    assert sky.npix.tolist() == [100, 60, 40] and sky.component.tolist() == [1, 1, 1] and sky.valid.all()
    assert sky.sigma[0] > 0 and sky.sigma[1:].tolist() == [0.0, 0.0]
    tables.write_sky(sky, tmp_path / "sky.csv")
    back = tables.read_sky(tmp_path / "sky.csv")
    assert back.sky.tolist() == sky.sky.tolist() and back.sigma.tolist() == sky.sigma.tolist()
    own = level_table.matched(FRAMES, OVERLAPS, SETTINGS | {"skymethod": "local"})
    assert own.sky.tolist() == [12.0 / 2, 10.0 / 4, 10.0 / 0.5] and not own.component.any()


def test_groups_without_overlap(caplog):
    frames, apart = footprints(("a", 1, "A"), ("b", 1, "B")), OVERLAPS.iloc[[0, 2]]
    with caplog.at_level(logging.WARNING):
        sky = level_table.matched(frames, apart, SETTINGS)
    assert not sky.valid.any() and "2 sets of groups do not overlap" in caplog.text
    with pytest.raises(InputError, match=r"skymatch\.disconnected: 2 sets of groups"):
        level_table.matched(frames, apart, SETTINGS | {"disconnected": "error"})
    sets = footprints(*(tuple(row) for row in FRAMES.to_numpy()), ("c", 1, "C"), ("d", 1, "D"))
    pair = [("c", 1, "", 7.0, 9, 0.1, 1.0), ("d", 1, "", 5.0, 9, 0.1, 1.0)]
    pair += [("c", 1, "D", 7.0, 9, 0.1, 1.0), ("d", 1, "C", 4.0, 9, 0.1, 1.0)]
    both = pd.concat([OVERLAPS, overlaps(*pair)])
    lowest = {
        choice: level_table.matched(sets, both, SETTINGS | {"disconnected": choice})
        .groupby("component")
        .sky.min()
        for choice in ("warn", "global")
    }
    assert lowest["warn"].tolist() == [0.0, 0.0]
    assert min(lowest["global"]) == 0.0 < max(lowest["global"])


def test_differences_in_cells(caplog):
    """With skystat auto each pair of frames of neighbouring groups is compared once, in cells."""
    shape, asked = (3, 3), []
    level = {("a", 1): 5.0, ("b", 1): 3.0, ("b", 2): 3.0}

    def read(key):
        asked.append(key)
        plane = np.full(shape, level[key], np.float32)
        half = np.full(shape, 0.5, np.float16)
        return SkyCells(
            (0, 0), plane, np.full(shape, 0.01, np.float32), np.full(shape, 36, np.uint16), half, half
        )

    near_to = {"A": ["B"], "B": ["A"]}
    between = level_table.cell_differences(FRAMES, near_to, read)
    whole = OVERLAPS[OVERLAPS.other == ""]
    sky = level_table.matched(FRAMES, whole, SETTINGS, between)
    assert sky.sky.to_numpy() * [2.0, 4.0, 0.5] == pytest.approx([2.0, 0.0, 0.0])
    assert sorted(asked) == [("a", 1), ("a", 1), ("b", 1), ("b", 2)]


MEMBER = {"member": "a", "nframes": 3, "cube": True, "flux_scale": None}


def test_background_keywords():
    settings = {"skip": False, "skymethod": "match"}
    found = background_keywords(settings, {("a", 1): 0.25, ("a", 2): 0.5}, MEMBER)
    assert {k: v[0] for k, v in found.items()} == {"BKGMETH": "match", "BKGLEVEL": 0.25, "BKGSUB": False}
    more = background_keywords(
        settings | {"level_keyword": "MDRIZSKY"}, {("a", 1): 0.25, ("a", 2): 0.5}, MEMBER
    )
    assert more == found | {"MDRIZSKY": found["BKGLEVEL"]}
    assert background_keywords(settings, {("b", 1): 0.25}, MEMBER) == {}
    assert background_keywords(settings | {"skip": True}, {("a", 1): 0.25}, MEMBER) == {}
