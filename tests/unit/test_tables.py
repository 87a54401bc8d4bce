"""The small tables: declared once, read with pandas and without, written the same by both."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.io import columns, light_tables, tables
from drizzleflow.io.columns import FOOTPRINTS, MEMBERS, OVERLAPS, SKY
from drizzleflow.plan.product import Member

DOCUMENT = Path(__file__).parents[2] / "docs/products.md"
READERS = {
    "members": (tables.read_members, MEMBERS),
    "footprints": (tables.read_footprints, FOOTPRINTS),
    "overlaps": (tables.read_overlaps, OVERLAPS),
    "sky": (tables.read_sky, SKY),
}


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
        "unit": "MJy/sr",
        "size": 123456,
        "dq": None,
        "ivar": None,
        "flux_scale": None,
    }
    return Member(**{**values, **more}).asdict()


def values_of(column):
    """Any value that a column may hold."""
    kinds = {
        "text": st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=8),
        "int": st.integers(-(2**62), 2**62),
        "float": st.floats(allow_nan=False),
        "bool": st.booleans(),
        "outline": st.integers(1, 4).flatmap(
            lambda n: st.lists(st.lists(st.floats(-360, 360), min_size=n, max_size=n), min_size=2, max_size=2)
        ),
    }
    required = kinds[column.kind]
    if column.missing is None:
        return required | st.just("") if column.kind == "text" else required
    return required | st.none()


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_both_readers_and_both_writers_agree(name, data, tmp_path_factory):
    """Every value comes back bit by bit, None where it is missing; pandas writes the same bytes."""
    (read, declared), folder = READERS[name], tmp_path_factory.mktemp("tables")
    rows = data.draw(st.lists(st.tuples(*map(values_of, declared)), max_size=4))
    light_tables.write(folder / "light.csv", declared, rows)
    light = list(light_tables.rows(folder / "light.csv", declared))
    assert [tuple(row.values()) for row in light] == rows
    table = read(folder / "light.csv")
    assert {column: str(dtype) for column, dtype in table.dtypes.items()} == {
        column.name: tables.dtype(column) for column in declared
    }
    as_light = [
        {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in row.items()}
        for row in tables.records(table)
    ]
    assert as_light == light
    tables._write(table.sample(frac=1, axis="columns", random_state=1), declared, folder / "pandas.csv")
    assert (folder / "pandas.csv").read_bytes() == (folder / "light.csv").read_bytes()


def test_what_files_look_like(tmp_path):
    """Floats as Python writes them, truth values in words; what is missing is empty or, measured, nan."""
    path = tmp_path / "sky.csv"
    sky = {"sky": [0.1, np.float64(1e-7), 1e16], "sigma": [np.nan, 0.5, 2], "valid": [np.True_, False, True]}
    table = pd.DataFrame(
        {"member": ["a", "b,c", "d"], "group": "g", "component": 0, "npix": 7, "extver": [1, 1, 2], **sky}
    )
    tables.write_sky(table, path)
    assert path.read_bytes() == (
        b"member,group,sky,component,npix,valid,sigma,extver\n"
        b"a,g,0.1,0,7,True,nan,1\n"
        b'"b,c",g,1e-07,0,7,False,0.5,1\n'
        b"d,g,1e+16,0,7,True,2.0,2\n"
    )
    pd.testing.assert_frame_equal(
        tables.read_sky(path), table[columns.names(SKY)].astype(tables.read_sky(path).dtypes)
    )


def test_a_value_that_a_column_needs_is_not_left_out(tmp_path):
    with pytest.raises(ValueError, match="column nx has no value, expected a whole number"):
        light_tables.write_named(tmp_path / "members.csv", MEMBERS, [member("a") | {"nx": None}])
    assert not list(tmp_path.iterdir())


def test_members_come_back_as_they_were(tmp_path):
    members = [
        member("a"),
        member("b", cube=False, nframes=1, flux_scale=2.5, exptime=None, dq="b_dq.fits", filter=""),
    ]
    path = tmp_path / "members.csv"
    light_tables.write_named(path, MEMBERS, [row | {"more": 1} for row in members])
    assert light_tables.read_members(path) == members
    others = light_tables.read_members(path, ["x.fits", "y.fits"])
    assert [row["path"] for row in others] == ["x.fits", "y.fits"]
    table = tables.read_members(path)
    assert table.exptime.isna().tolist() == [False, True] and table.dq.isna().tolist() == [True, False]
    assert tables.read_members(path, ["member", "nx"]).columns.tolist() == ["member", "nx"]


def test_the_columns_of_members_are_the_plans():
    assert columns.names(MEMBERS) == [field.name for field in fields(Member)]


def test_levels_of_valid_frames(tmp_path):
    rows = [
        ("a", "g1", 0.123456789012345, 0, 100, True, 0.1, 1),
        ("a", "g1", -2e-3, 0, 100, True, 0.1, 2),
        ("b", "g2", 0.0, 0, 0, False, None, 1),
    ]
    light_tables.write(tmp_path / "sky.csv", SKY, rows)
    assert light_tables.read_levels(tmp_path / "sky.csv") == {("a", 1): 0.123456789012345, ("a", 2): -2e-3}


def test_overlaps_of_several_files(tmp_path):
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for path, name in zip(paths, "ab", strict=True):
        light_tables.write(
            path, OVERLAPS, [(name, 1, "", 0.5, 9, None, 1.0), (name, 1, "g", 0.25, 5, 0.1, 1.0)]
        )
    table = tables.read_overlaps(*paths)
    assert table.member.tolist() == ["a", "a", "b", "b"] and table.index.tolist() == [0, 1, 2, 3]
    assert tables.read_overlaps().empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("member,group\na,g\n", "no column 'sky', expected the columns member, group, sky, component"),
        ("", "no column 'member'"),
        (
            "member,group,sky,component,npix,valid,sigma,extver\na,g,1,0,0,True,1\n",
            "row 1 has 7 values, expected 8",
        ),
        ("a,g,bright,0,0,True,1,1", "row 2: sky is 'bright', expected a number"),
        ("a,g,,0,0,True,1,1", "row 2: sky is '', expected a number"),
        ("a,g,1,0,1.5,True,1,1", "row 2: npix is '1.5', expected a whole number"),
        ("a,g,1,0,1,yes,1,1", "row 2: valid is 'yes', expected True or False"),
        ('a,g,1,0,1,"True,1,1', "not a readable table"),
        (b"\xff\xfe\x00", "not a readable table"),
        (None, "not a readable table"),
    ],
)
def test_wrong_tables(tmp_path, text, message):
    path = tmp_path / "sky.csv"
    if isinstance(text, str) and text and not text.startswith("member"):
        text = f"{','.join(columns.names(SKY))}\na,g,1,0,0,True,1,1\n{text}\n"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (tables.read_sky, lambda path: list(light_tables.rows(path, SKY))):
        with pytest.raises(InputError, match=f"sky.csv: {message}") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_an_outline_that_is_none(tmp_path):
    values = ("a", 1, "g", None, None, 0.03, 1e-13, 4, 4, "[1, 2", "[[1], [2]]")
    text = [",".join(columns.names(FOOTPRINTS)), ",".join(f'"{"" if v is None else v}"' for v in values)]
    (tmp_path / "f.csv").write_text("\n".join(text))
    with pytest.raises(InputError, match=r"row 1: outline is '\[1, 2', expected a JSON list of longitudes"):
        tables.read_footprints(tmp_path / "f.csv")
    table = tables.read_footprints(tmp_path / "f.csv", ["member", "sky_outline"])
    assert table.sky_outline[0].tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("name", columns.TABLES)
def test_the_document_has_every_column(name):
    """docs/products.md: a table for each file, made of the declarations."""
    declared = columns.TABLES[name]
    lines = [
        f"| `{row.column}` | {row.dtype} | {row.unit} | {row.meaning} |"
        for row in tables.describe(declared).itertuples()
    ]
    text = DOCUMENT.read_text()
    assert "\n".join(lines) in text, "\n".join(lines)
    assert f"### `{name}`" in text


def test_jobs_that_work_on_pixels_do_without_pandas():
    """Nor do they need jsonschema or jinja2. Jobs that gather or solve use pandas: once a product."""
    scripts = Path(__file__).parents[2] / "scripts"
    program = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('step', sys.argv[1])\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print(*sorted({'pandas', 'jsonschema', 'jinja2'} & set(sys.modules)))"
    )
    loads = {}
    for script in sorted(scripts.glob("*.py")):
        if script.name == "audit.py":  # no module: it runs at once
            continue
        done = subprocess.run(
            [sys.executable, "-c", program, script], capture_output=True, text=True, check=True
        )
        loads[script.stem] = done.stdout.split()
    with_pandas = {name for name, modules in loads.items() if modules == ["pandas"]}
    assert with_pandas == {"skymatch", "report"}
    assert all(not modules for name, modules in loads.items() if name not in with_pandas)
