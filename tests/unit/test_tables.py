"""members.csv and sky.csv."""

import csv

import pytest

from drizzleflow.errors import InputError
from drizzleflow.io.tables import (
    SKY_COLUMNS,
    background_keywords,
    read_levels,
    read_members,
    read_skylist,
    rows,
)
from drizzleflow.plan.product import Member


def write(path, table):
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, table[0])
        writer.writeheader()
        writer.writerows(table)
    return path


def member(name, **more):
    values = {
        "member": name,
        "path": f"/data/{name} [1], x_cal.fits",
        "exptype": "science",
        "group": "g1",
        "format": "jwst",
        "nframes": 3,
        "cube": True,
        "nx": 80,
        "ny": 64,
        "instrument": "NIRCAM",
        "detector": "NRCA1",
        "exp_type": "NRC_IMAGE",
        "filter": "F200W",
        "exptime": 311.5,
        "size": 123456,
        "dq": None,
        "ivar": None,
        "flux_scale": None,
    }
    return Member(**{**values, **more}).asdict()


def test_members_come_back_with_their_types(tmp_path):
    table = [member("a"), member("b", cube=False, nframes=1, flux_scale=2.5, exptime=None, dq="b_dq.fits")]
    path = write(
        tmp_path / "members.csv", [{k: "" if v is None else v for k, v in row.items()} for row in table]
    )
    assert read_members(path) == table


def test_levels_of_valid_frames(tmp_path):
    table = [
        dict(zip(SKY_COLUMNS, row, strict=True))
        for row in (
            ("a", "g1", 0.123456789012345, 0, 100, True, 0.1, 1),
            ("a", "g1", -2e-3, 0, 100, True, 0.1, 2),
            ("b", "g2", 0.0, 0, 0, False, "nan", 1),
        )
    ]
    path = write(tmp_path / "sky.csv", table)
    assert read_levels(path) == {("a", 1): 0.123456789012345, ("a", 2): -2e-3}
    assert [r["member"] for r in rows(path)] == ["a", "a", "b"]


def test_background_keywords():
    settings = {"skip": False, "skymethod": "match"}
    found = background_keywords(settings, {("a", 1): 0.25, ("a", 2): 0.5}, member("a"))
    assert {k: v[0] for k, v in found.items()} == {"BKGMETH": "match", "BKGLEVEL": 0.25, "BKGSUB": False}
    more = background_keywords(
        settings | {"level_keyword": "MDRIZSKY"}, {("a", 1): 0.25, ("a", 2): 0.5}, member("a")
    )
    assert more == found | {"MDRIZSKY": found["BKGLEVEL"]}
    assert background_keywords(settings, {("b", 1): 0.25}, member("a")) == {}
    assert background_keywords(settings | {"skip": True}, {("a", 1): 0.25}, member("a")) == {}


def skylist(tmp_path, text):
    path = tmp_path / "sky.txt"
    path.write_text(text)
    return path


def test_a_list_of_sky_levels(tmp_path):
    path = skylist(
        tmp_path, "# by hand\na_cal.fits 1.5\n\ndata/a_1_cal.fits  -2e-3  # low\nb 7\nelse.fits 3\n"
    )
    assert read_skylist(path, ["a", "a_1", "b", "b"]) == {"a": 1.5, "a_1": -0.002, "b": 7.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\n", "no level of b; expected a line 'name level' for each member"),
        ("a 1\nb two\n", "line 2 is 'b two', expected a member's name and its sky level"),
        ("a 1\nb nan\n", "line 2 is 'b nan'"),
        ("a 1\nb\n", "line 2 is 'b'"),
        ("a 1\nb 2 3\n", "line 2 is 'b 2 3'"),
        ("a 1\na.fits 2\nb 1\n", "line 2: a second level of a"),
        (None, "not a readable list of sky levels"),
    ],
)
def test_wrong_lists_of_sky_levels(tmp_path, text, message):
    path = tmp_path / "none.txt" if text is None else skylist(tmp_path, text)
    with pytest.raises(InputError, match=f"{path.name}.*{message}"):
        read_skylist(path, ["a", "b"])
