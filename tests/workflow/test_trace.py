"""Trace and crate on whole runs: what they list is what the products hold.

The runs are those of variants.py; a test that disturbs a product works on a copy of its folder.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from astropy.io import fits
from running import REPO, masks, rows

from drizzleflow.errors import InputError
from drizzleflow.provenance.__main__ import main, table
from drizzleflow.provenance.trace import trace

#: product -> what tells its drizzle: kernel and pixfrac of the mosaic, weights, grid, format
MOSAICS = [
    "base",
    "shrunk",
    "strict",
    "kernel",
    "scale",
    "ratio",
    "rotated",
    "placed",
    "header",
    "jsim01010",
    "hst2",
    "plain",
    "aligned",
]


def some_pixels(shape, seed, count=8):
    """Corners, edges and pixels anywhere: [(x, y), ...]."""
    rng, (ny, nx) = np.random.default_rng(seed), shape
    anywhere = [(int(rng.integers(nx)), int(rng.integers(ny))) for _ in range(count)]
    edges = [(int(rng.integers(nx)), int(rng.choice([0, 1, ny - 2, ny - 1]))) for _ in range(3)]
    return [(0, 0), (nx - 1, ny - 1), *edges, *anywhere]


def sums(found):
    """Weight and weighted mean of what a trace of a mosaic or single lists, added up here."""
    listed = [
        (p["overlap"] * p["weight"], p["value"])
        for frame in found["frames"]
        for p in frame["pixels"]
        if not p["why"]
    ]
    weight = sum(w for w, _ in listed)
    return weight, sum(w * v for w, v in listed) / weight if weight else np.nan


@pytest.mark.parametrize("product", MOSAICS)
def test_the_pixels_listed_make_the_mosaic(modes, product):
    """Their weights add up to WHT, their weighted mean is SCI, their frames are those of CON."""
    path, deepest = modes.product(product) / f"{product}_i2d.fits", 0
    with fits.open(path) as hdus:
        sci, wht = hdus["SCI"].data, hdus["WHT"].data
        con = np.atleast_3d(hdus["CON"].data.T).T if "CON" in hdus else None
        for x, y in some_pixels(sci.shape, 1):
            found = trace(path, x, y)
            weight, value = sums(found)
            assert weight == pytest.approx(wht[y, x], rel=1e-5), (x, y)
            if weight:
                largest = max(
                    abs(p["value"]) for frame in found["frames"] for p in frame["pixels"] if not p["why"]
                )
                assert abs(value - sci[y, x]) <= 1e-5 * largest, (x, y)
            used = {frame["bit"] for frame in found["frames"] if any(not p["why"] for p in frame["pixels"])}
            if con is not None:
                assert used == {bit for bit in range(32) if con[0, y, x] >> bit & 1}, (x, y)
            assert found["agrees"] is True and found["notes"] == [], (x, y)
            deepest = max(deepest, len(used))
    assert deepest >= min(2, len(rows(modes.product(product) / "members.csv")))


@pytest.mark.parametrize("product", ["base", "strict", "kernel", "jsim01010", "plain", "aligned"])
def test_medians_and_singles(modes, product):
    folder = modes.product(product)
    path = folder / f"{product}_median.fits"
    with fits.open(path) as hdus:
        sci, nused = hdus["SCI"].data, hdus["NUSED"].data
    for x, y in some_pixels(sci.shape, 2, 3):
        found = trace(path, x, y)
        assert sum(image["used"] for image in found["images"]) == nused[y, x], (x, y)
        assert (
            found["agrees"] is True
            and found["notes"] == []
            and all(image["agrees"] for image in found["images"])
        ), (x, y)
        for image in found["images"]:
            weight, value = sums(image)
            assert weight == pytest.approx(image["weight"], rel=1e-5), (x, y)
            if weight:
                assert value == pytest.approx(image["value"], rel=1e-5, abs=1e-6), (x, y)
    single = sorted((folder / "single").iterdir())[0]
    found = trace(single, *(n // 2 for n in fits.getdata(single, "WHT").shape[::-1]))
    assert (
        found["agrees"] is True
        and found["kind"] == "single"
        and (found["grid"] is None) == (product == "aligned")
    )


@pytest.mark.parametrize("product", ["base", "jsim01010", "plain"])
def test_an_outlier_is_listed_and_does_not_count(modes, product):
    """At the mosaic's pixel under a flagged detector pixel, by an independent look at the mask and the
    footprint's lattice.
    """
    folder = modes.product(product)
    inner = {member: np.argwhere(planes[1][20:-20, 20:-20]) + 20 for member, planes in masks(folder).items()}
    member = max(inner, key=lambda name: len(inner[name]))
    y, x = inner[member][0]
    from drizzleflow.geometry.grid import Grid
    from drizzleflow.geometry.pixmap import LatticeFiles, from_lattice

    lattice = LatticeFiles(sorted((folder / "footprint").glob("*.npz"))).lattice(member, 1)
    u, v = np.rint(from_lattice(lattice, Grid.load(folder / "grid.json"), (y, y + 1))[0, x]).astype(int)
    found = trace(folder / f"{product}_i2d.fits", u, v)
    frame = next(frame for frame in found["frames"] if (frame["member"], frame["extver"]) == (member, 1))
    pixel = next(p for p in frame["pixels"] if (p["x"], p["y"]) == (x, y))
    assert "outlier" in pixel["why"] and pixel["overlap"] > 0
    with fits.open(folder / frame["file"]) as hdus:
        assert pixel["dq"] == int(hdus["DQ", 1].data[y, x]) & 0xFFFFFFFF
        np.testing.assert_equal(np.float32(pixel["data"]), hdus["SCI", 1].data[y, x])
    levels = {row["member"]: float(row["sky"]) for row in rows(folder / "sky.csv") if row["extver"] == "1"}
    assert frame["sky"] == levels[member]
    row = next(row for row in rows(folder / "members.csv") if row["member"] == member)
    with open(row["path"], "rb") as file:
        assert frame["sha256"] == hashlib.file_digest(file, "sha256").hexdigest()
    text = table(found)
    assert f"crf/{member}_crf.fits" in text and "agrees" in text and pixel["why"] in text


def test_the_command(modes, capsys):
    """Text and JSON from a process of its own, from any working folder; errors in one line."""
    path = modes.product("base") / "base_i2d.fits"
    command = [
        sys.executable,
        "-m",
        "drizzleflow.provenance",
        "trace",
        str(path),
        "--pixel",
        "80",
        "75",
        "--json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(REPO / "scripts")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["pixel"] == [80, 75] and found["agrees"] is True and len(found["frames"]) == 3
    other = modes.product("base") / "members.csv"
    for words, message in (
        ([str(path), "--pixel", "80", "9999"], "pixel 80 9999 is outside the image; expected x from 0 to"),
        ([str(path), "--pixel", "-1", "0"], "pixel -1 0 is outside the image"),
        (
            [str(other), "--pixel", "0", "0"],
            "not a product of drizzleflow, expected one of {product}_i2d.fits",
        ),
        ([modes.field["members"][0], "--pixel", "0", "0"], "not a product of drizzleflow"),
        ([str(path) + "x", "--pixel", "0", "0"], "no such file"),
    ):
        assert main(["trace", *words]) == 1
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1


@pytest.fixture
def copied(modes, tmp_path):
    """The folder of product base, moved elsewhere."""
    return shutil.copytree(modes.product("base"), tmp_path / "base")


def test_a_folder_that_was_moved(copied):
    """The mosaic needs nothing but the folder; a single needs the raw members, and says so where they are
    gone.
    """
    assert trace(copied / "base_i2d.fits", 80, 75)["agrees"] is True
    single = sorted((copied / "single").iterdir())[0]
    assert trace(single, 60, 60)["agrees"] is True  # their paths are absolute
    name = copied / f"record/single_drizzle/{single.name.removesuffix('_outlier_i2d.fits')}.json"
    name.write_text(name.read_text().replace("/in/base/", "/gone/"))
    found = trace(single, 60, 60)
    assert found["agrees"] is None and len(found["notes"]) == 1 and found["notes"][0].startswith("missing: ")
    shutil.rmtree(copied / "footprint")
    with pytest.raises(InputError, match=r"footprint/b\w*\.npz: gone; run snakemake again"):
        trace(copied / "base_i2d.fits", 80, 75)


def test_missing_altered_and_stale_are_told(copied):
    path = copied / "base_i2d.fits"
    crf = sorted((copied / "crf").iterdir())[0]
    content = crf.read_bytes()
    crf.unlink()
    found = trace(path, 80, 75)
    assert (
        found["notes"] == [f"missing: crf/{crf.name}"]
        and found["sum"] is None
        and "cannot be listed" in table(found)
    )
    crf.write_bytes(content)
    with fits.open(crf, mode="update") as hdus:
        hdus["SCI"].data += 1
    found = trace(path, 80, 75)
    assert (
        found["agrees"] is False
        and "stale: the product does not hold what the files beside it make" in found["notes"]
    )
    assert main(["trace", str(path), "--pixel", "80", "75"]) == 1
    crf.write_bytes(content)
    name = copied / f"record/crmask/{crf.name.removesuffix('_crf.fits')}.json"
    entry = json.loads(name.read_text())
    name.write_text(json.dumps(entry | {"ended": "2999-01-01T00:00:00.000+00:00"}))
    assert trace(path, 80, 75)["notes"] == [f"stale: crf/{crf.name} was made again after base_i2d.fits"]
    with open(path, "ab") as file:
        file.write(b"\0" * 2880)
    assert any(note.startswith("altered: base_i2d.fits has") for note in trace(path, 80, 75)["notes"])


def files_of(crate, folder):
    """path -> sha256 of the files that a crate lists, those with a file: URI too."""
    found = {}
    for entity in crate.data_entities:
        if "File" in entity.type:
            parsed = urlparse(entity.id)
            found[
                unquote(parsed.path) if parsed.scheme == "file" else os.path.join(folder, unquote(entity.id))
            ] = entity["sha256"], entity["contentSize"]
    return found


@pytest.mark.parametrize("form", ["in place", "folder", "zip"])
def test_crate(modes, tmp_path, form, capsys):
    """Read back by rocrate: each file that it lists exists with its hash, and run and jobs are actions on
    them.
    """
    rocrate = pytest.importorskip("rocrate.rocrate")
    source = shutil.copytree(
        modes.folder,
        tmp_path / "run",
        ignore=lambda folder, names: [n for n in names if n not in KEPT and folder == str(modes.out)],
    )
    product = source / "results/base"
    before = {path for path in product.rglob("*") if path.is_file()}
    out = {"in place": [], "folder": [str(tmp_path / "crate")], "zip": [str(tmp_path / "crate.zip")]}[form]
    assert main(["crate", str(product), *out]) == 0
    folder = product if form == "in place" else tmp_path / "crate"
    if form == "zip":
        shutil.unpack_archive(tmp_path / "crate.zip", folder)
    gained = {str(path.relative_to(product)) for path in product.rglob("*") if path.is_file()} - {
        str(p.relative_to(product)) for p in before
    }
    assert gained == ({"ro-crate-metadata.json", "record/crate.json"} if form == "in place" else set())
    crate = rocrate.ROCrate(folder)
    listed = files_of(crate, folder)
    for path, (sha256, size) in listed.items():
        with open(path, "rb") as file:
            assert (hashlib.file_digest(file, "sha256").hexdigest(), str(os.path.getsize(path))) == (
                sha256,
                size,
            ), path
    names = {os.path.relpath(path, folder) for path in listed}
    assert {
        "base_i2d.fits",
        "base_median.fits",
        "provenance.json",
        "report.html",
        "sky.csv",
        "grid.asdf",
    } <= names
    raw = {os.path.basename(row["path"]) for row in rows(product / "members.csv")}
    assert raw <= {os.path.basename(path) for path in listed}
    if form != "in place":
        assert {
            "workflow/Snakefile",
            "workflow/scripts/drizzleflow/resample/resample.py",
            "workflow/rules/common.smk",
        } <= names
    assert "ComputationalWorkflow" in crate.mainEntity.type
    run = crate.dereference("#run")
    assert run["instrument"] is crate.mainEntity and run["startTime"] < run["endTime"]
    assert raw <= {os.path.basename(unquote(file.id)) for file in run["object"]} and "base_i2d.fits" in {
        file.id for file in run["result"]
    }
    actions = {entity.id for entity in crate.get_by_type("CreateAction")}
    assert {"#job-mosaic_product/base", "#job-report_product/base", "#job-provenance/base"} <= actions
    mosaic = crate.dereference("#job-mosaic_product/base")
    assert {file.id for file in mosaic["result"]} == {"base_i2d.fits", "record/mosaic.json"}
    assert mosaic["instrument"]["name"] == "mosaic_product"
    # a second time: the same bytes in place, and nothing is overwritten elsewhere
    if form == "in place":
        text = (folder / "ro-crate-metadata.json").read_bytes()
        assert main(["crate", str(product)]) == 0 and (folder / "ro-crate-metadata.json").read_bytes() == text
    else:
        assert main(["crate", str(product), *out]) == 1 and "exists; expected" in capsys.readouterr().err


KEPT = ("base",)  #: of the run's products, what the crate's tests copy


def test_crate_of_a_run_that_is_not_whole(copied, tmp_path, capsys):
    """Moved away from its inputs, altered, not finished: one line, and nothing is left."""

    def said():
        assert main(["crate", str(copied), str(tmp_path / "crate")]) == 1
        return capsys.readouterr().err

    assert "config.yaml: missing; run snakemake again" in said()
    document = json.loads((copied / "provenance.json").read_text())
    inside = {
        name: entity
        for name, entity in document["entity"].items()
        if entity.get("df:path", "").startswith("results/base/")
    }
    (copied / "provenance.json").write_text(json.dumps(document | {"entity": inside}))
    (copied / "sky.csv").write_text("other")
    assert "sky.csv: not the file that provenance.json describes" in said()
    (copied / "provenance.json").unlink()
    assert "missing: the run is not finished" in said()
    assert main(["crate", str(tmp_path)]) == 1 and "not the folder of a product" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base"]
