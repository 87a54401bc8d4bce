"""Association tables: three forms in, one form out, and one line for everything that is wrong."""

import json
import os
import re

import jsonschema
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from real_data import real_data
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.io import tables
from drizzleflow.io.columns import ASSOCIATION_SCHEMA
from drizzleflow.plan import association, files


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def asn(*members, **top):
    return {"products": [{"name": "out", "members": list(members)}], **top}


def science(name, **more):
    return {"expname": name, "exptype": "science", **more}


def hst(folder, rows, name="abc_asn.fits", columns=("MEMNAME", "MEMTYPE", "MEMPRSNT")):
    data = list(zip(*rows, strict=True))
    made = [
        fits.Column(name=columns[0], format="14A", array=np.array(data[0])),
        fits.Column(name=columns[1], format="14A", array=np.array(data[1])),
        fits.Column(name=columns[2], format="L", array=np.array(data[2])),
    ]
    path = folder / name
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(path, overwrite=True)
    return str(path)


def refused(path, *words, check=True):
    with pytest.raises(InputError) as caught:
        for table in association.read(path):
            if check:
                association.check(table)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    for word in words:
        assert word in text
    return text


# -- names
# -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file, name",
    [
        ("jw01_00001_nrca1_cal.fits", "jw01_00001_nrca1"),
        ("jw01_00001_nrca1_calints.fits", "jw01_00001_nrca1"),
        ("jw01_00001_nrca1_a3001_crf.fits", "jw01_00001_nrca1_a3001"),
        ("night/ib2j02n5q_flc.fits.gz", "ib2j02n5q"),
        ("c4d_150411_ooi_z.N3.fits", "c4d_150411_ooi_z.N3"),
        ("r0000_wfi01_cal.asdf", "r0000_wfi01"),
        ("image.fits.fz", "image"),
        ("_cal.fits", "_cal"),
        ("calm.fit", "calm"),
    ],
)
def test_member_name(file, name):
    assert association.member_name(file) == name


@pytest.mark.parametrize("name", formats.names())
def test_every_declared_suffix_is_no_part_of_a_name(name):
    for suffix in formats.get(name).SUFFIXES:
        assert association.member_name(f"night/one{suffix.upper()}.fits.gz") == "one"
    assert association.member_name("one_cal.fits", suffixes=("_odd",)) == "one_cal"


@given(name=st.text(max_size=40) | st.text(min_size=1, max_size=40).map(lambda part: part * 10))
def test_safe_name_is_safe(name):
    safe = association.safe_name(name)
    assert association.SAFE_NAME.fullmatch(safe)
    if association.SAFE_NAME.fullmatch(name) and not name.startswith("."):
        assert safe == name


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "a/b", "a b", "a\n", "é", "a;b", "x" * 201])
def test_names_that_cannot_be_files(name):
    assert not association.SAFE_NAME.fullmatch(name)


# -- JSON
# --------------------------------------------------------------------------------------------------------


def test_json(tmp_path):
    touch(tmp_path, "in/a_cal.fits", "b_cal.fits")
    content = asn(
        science("in/a_cal.fits", group_id=7),
        {"expname": "b_cal.fits", "exptype": "SCIENCE", "group_id": None},
        {"expname": "star_cal.fits", "exptype": "PSF"},
        asn_id="a3001",
        asn_pool="none",
    )
    content["products"].append({"name": "second.fits", "members": [science("b_cal.fits")]})
    first, second = association.read(write(tmp_path, "x_asn.json", content))
    assert (first.name, first.asn_id, second.name) == ("out", "a3001", "second")
    assert [m["member"] for m in first.members] == ["a", "b", "star"]
    assert [m["exptype"] for m in first.members] == ["science", "science", "psf"]
    assert [m.get("group") for m in first.members] == ["7", None, None]
    assert first.members[0]["path"] == str(tmp_path / "in/a_cal.fits")
    association.check(first)  # the missing PSF star is nobody's science
    association.check(second)


def test_json_of_observatories():
    tables = [table for file in sorted(real_data("asn").glob("*.json")) for table in association.read(file)]
    assert len(tables) >= 8
    assert all(table.science for table in tables)
    coron = next(table for table in tables if "mask1140" in table.name)
    assert {"science", "psf"} <= {member["exptype"] for member in coron.members}


def test_paths_are_relative_to_the_association_from_any_folder(tmp_path, monkeypatch):
    touch(tmp_path, "data/a_cal.fits", "b_cal.fits")
    (tmp_path / "tables").mkdir()
    write(
        tmp_path, "tables/x.json", asn(science("../data/a_cal.fits"), science(str(tmp_path / "b_cal.fits")))
    )
    for cwd, path in ((tmp_path, "tables/x.json"), (tmp_path / "data", "../tables/x.json")):
        monkeypatch.chdir(cwd)
        (table,) = association.read(path)
        association.check(table)
        assert os.path.samefile(table.members[0]["path"], tmp_path / "data/a_cal.fits")
        assert not os.path.isabs(table.members[0]["path"]) and os.path.isabs(table.members[1]["path"])


def test_a_link_on_the_way_is_followed(tmp_path):
    touch(tmp_path, "far/away/x", "far/a_cal.fits")
    (tmp_path / "link").symlink_to(tmp_path / "far/away")
    (table,) = association.read(write(tmp_path, "x.csv", "path\nlink/../a_cal.fits\n"))
    association.check(table)


@pytest.mark.parametrize(
    "content, words",
    [
        ('{"products": [],}', ["not valid JSON", "line 1 column"]),
        ("[" * 100_000, ["not valid JSON"]),
        ("[]", ["products"]),
        ({"products": []}, ["products"]),
        ({"products": [{"name": "a"}]}, ["products[0]", "members"]),
        ({"products": [{"name": 5, "members": []}]}, ["products[0].name is 5"]),
        (asn("a.fits"), ["members[0]", "expname"]),
        (asn({"expname": "a.fits"}), ["members[0]", "exptype is None"]),
        (asn(science("a\0.fits")), ["members[0]", "expname"]),
        (asn(), ["no science member (no members)"]),
        (asn({"expname": "a.fits", "exptype": "psf"}), ["no science member (only psf)"]),
        (asn(science("there_cal.fits"), science("there_cal.fits")), ["duplicate member there"]),
        (asn(science("missing_cal.fits")), ["missing_cal.fits: no such file"]),
        (asn(science("folder")), ["folder: not a file"]),
        (asn(science("there_cal.fits", group_id="a/b")), ["group 'a/b' cannot be a file name"]),
        (asn(science("bad name_cal.fits")), ["member 'bad name' cannot be a file name"]),
        (
            {"products": [{"name": "../up", "members": [science("there_cal.fits")]}]},
            ["'../up' cannot be a file name"],
        ),
    ],
)
def test_json_refused(tmp_path, content, words):
    touch(tmp_path, "there_cal.fits", "bad name_cal.fits", "folder/x")
    refused(write(tmp_path, "x_asn.json", content), *words)


# -- CSV
# ---------------------------------------------------------------------------------------------------------


def test_csv(tmp_path):
    touch(tmp_path, "a.fits", "b.fits", "c.fits", "m.fits", "w.fits")
    text = "\ufeff# zero points of the night\nPath, product,exptype,dq,ivar,flux_scale,member,group\r\n"
    text += "a.fits,z,,m.fits,w.fits,1e-1,,g1\r\n\r\nb.fits,r,Science,,,,,\nc.fits,z,science,,,,c1,g1\n"
    z, r = association.read(write(tmp_path, "field.csv", text))
    assert (z.name, r.name) == ("z", "r")
    assert [m["member"] for m in z.members] == ["a", "c1"] and [m["group"] for m in z.members] == ["g1", "g1"]
    assert z.members[0]["flux_scale"] == 0.1 and "flux_scale" not in z.members[1]
    assert z.members[0]["dq"] == str(tmp_path / "m.fits") and z.members[0]["ivar"] == str(tmp_path / "w.fits")
    assert r.members[0]["exptype"] == "science"
    association.check(z)
    association.check(r)
    (only,) = association.read(write(tmp_path, "my.field.csv", "path\na.fits\n"))
    assert only.name == "my.field"


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["empty", "path"]),
        ("file\na.fits\n", ["column 'file' is unknown", "path, member"]),
        ("path,path\na.fits,a.fits\n", ["column 'path' is twice"]),
        ("member,group\na,b\n", ["no column 'path'"]),
        ("path\n", ["no rows"]),
        ("path,group\na.fits\n", ["row 1 has 1 values", "expected 2"]),
        ("path,group\n,g\n", ["row 1: path is empty"]),
        ("path,flux_scale\na.fits,bright\n", ["row 1: flux_scale is 'bright'", "> 0"]),
        ("path,flux_scale\na.fits,-1\n", ["flux_scale is '-1'"]),
        ("path,flux_scale\na.fits,nan\n", ["flux_scale is 'nan'"]),
        ('path\n"a.fits\n', ["not valid CSV"]),
        ("path,dq\na.fits,gone.fits\n", ["gone.fits (dq): no such file"]),
        ("path,member\na.fits,one\na.fits,two\n", ["members one and two are the same file"]),
        ("path,member\na.fits,one\nb.fits,one\n", ["duplicate member one", "a.fits", "b.fits"]),
        ("path,member\na.fits,-rf\n", ["'-rf' cannot be a file name"]),
        ("path,product\na.fits,a b\n", ["product 'a b' cannot be a file name"]),
    ],
)
def test_csv_refused(tmp_path, text, words):
    touch(tmp_path, "a.fits", "b.fits")
    refused(write(tmp_path, "t.csv", text), *words)


def test_a_sheet_as_a_pandas_table(tmp_path):
    """All columns of the schema, in its order, with their types; a row's plain values are what the products
    are made of.
    """
    path = write(tmp_path, "x.csv", '# night\nflux_scale, Path ,group\n2, a.fits ,\n,"b, 1.fits",007\n')
    sheet = tables.read_association(path)
    schema = json.loads(ASSOCIATION_SCHEMA.read_text())
    assert sheet.columns.tolist() == list(schema["properties"])
    assert {str(dtype) for dtype in sheet.drop(columns="flux_scale").dtypes} == {"string"}
    assert sheet.flux_scale.dtype == "float64" and sheet.flux_scale.isna().tolist() == [False, True]
    assert sheet.path.tolist() == ["a.fits", "b, 1.fits"] and sheet.group.isna().tolist() == [True, False]
    assert files.read_sheet(path) == [
        {"path": "a.fits", "flux_scale": 2.0},
        {"path": "b, 1.fits", "group": "007"},
    ]


def test_the_schema_of_the_sheet():
    """It is JSON Schema, describes every column, and the manual has the same columns."""
    schema = json.loads(ASSOCIATION_SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, rule in schema["properties"].items():
        assert rule["description"] and rule["allowed"], name
    manual = (ASSOCIATION_SCHEMA.parents[1] / "README.md").read_text()
    section = manual.partition("### CSV")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(schema["properties"])


@pytest.mark.parametrize("rows", [[{"path": "a"}, {"path": ""}], [{"path": "a", "flux_scale": 0.0}]])
def test_snakemake_refuses_by_the_schema_what_we_refuse(rows):
    good = pd.DataFrame([{"path": "a.fits", "flux_scale": 2.0, "group": "g"}])
    validate(good, ASSOCIATION_SCHEMA)
    with pytest.raises(WorkflowError):
        validate(pd.DataFrame(rows), ASSOCIATION_SCHEMA)


def test_other_files_refused(tmp_path):
    refused(write(tmp_path, "a.txt", "path\n"), "unknown kind", ".csv")
    refused(tmp_path / "absent.json", "no such file")
    refused(tmp_path, "not a file")
    (tmp_path / "latin.csv").write_bytes(b"path\n\xe9.fits\n")
    refused(tmp_path / "latin.csv", "UTF-8")
    (tmp_path / "broken_asn.fits").write_bytes(b"SIMPLE  = nothing of the kind")
    refused(tmp_path / "broken_asn.fits", "FITS")


# -- HST
# ---------------------------------------------------------------------------------------------------------

ROWS = [
    ("IB2J02N5Q", "EXP-DTH", True),
    ("IB2J02N7Q", "EXP-DTH", True),
    ("IB2J02N9Q", "EXP-DTH", False),
    ("IB2J02010", "PROD-DTH", True),
]


@pytest.mark.parametrize("ending", ["flc", "flt", "c0m"])
def test_hst(tmp_path, ending):
    touch(tmp_path, f"ib2j02n5q_{ending}.fits", f"ib2j02n7q_{ending}.fits")
    (table,) = association.read(hst(tmp_path, ROWS))
    association.check(table)
    assert table.name == "ib2j02010"
    assert [os.path.basename(m["path"]) for m in table.members] == [
        f"ib2j02n5q_{ending}.fits",
        f"ib2j02n7q_{ending}.fits",
    ]
    assert [m["member"] for m in table.members] == ["ib2j02n5q", "ib2j02n7q"]


def test_hst_product_name(tmp_path):
    touch(tmp_path, "a_flt.fits")
    rows = [("A", "EXP-CRJ", True), ("C", "PROD-CRJ", True), ("R", "PROD-RPT", False)]
    assert association.read(hst(tmp_path, rows))[0].name == "c"
    assert association.read(hst(tmp_path, [*rows[:1], ("R", "PROD-RPT", False)]))[0].name == "r"
    assert association.read(hst(tmp_path, rows[:1]))[0].name == "abc"


def test_hst_refused(tmp_path):
    path = hst(tmp_path, ROWS)
    refused(path, "ib2j02n5q", "neither", "_flc.fits nor _flt nor _c0m exists")
    touch(tmp_path, "ib2j02n5q_flc.fits", "ib2j02n5q_flt.fits", "ib2j02n7q_flt.fits")
    refused(path, "both", "ib2j02n5q_flc.fits", "ib2j02n5q_flt.fits", "search order is flc, flt, c0m")
    os.unlink(tmp_path / "ib2j02n5q_flt.fits")
    refused(path, "some members are _flc, others _flt")
    refused(hst(tmp_path, ROWS, "odd_asn.fits", ("NAME", "MEMTYPE", "MEMPRSNT")), "no column MEMNAME")
    refused(hst(tmp_path, [("X", "EXP-DTH", False)], "none_asn.fits"), "no science member")


# -- anything
# ----------------------------------------------------------------------------------------------------

texts = st.text(max_size=12) | st.sampled_from(
    ["path", "a.fits", "science", ",", "\n", "path\na.fits\n", '"']
)
nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["products", "members", "name", "expname", "exptype", "group_id"]), inner
        )
    ),
    max_leaves=12,
)


def survives(path):
    try:
        for table in association.read(path):
            association.check(table)
    except InputError as error:
        assert "\n" not in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(texts).map("".join) | st.binary(max_size=60))
def test_any_csv_or_fits_is_read_or_refused(tmp_path, content):
    for name in ("x.csv", "x_asn.fits"):
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        (tmp_path / name).write_bytes(raw)
        survives(tmp_path / name)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=nested, wrap=st.booleans())
def test_any_json_is_read_or_refused(tmp_path, content, wrap):
    if wrap:
        content = {
            "products": [{"name": content, "members": [content, {"expname": content, "exptype": "science"}]}]
        }
    survives(write(tmp_path, "x.json", content))
