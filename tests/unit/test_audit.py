"""audit.py: whatever is done to a file of a finished run is found, and an untouched run is clean."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from drizzleflow import provenance, record
from drizzleflow.audit import audit
from drizzleflow.errors import InputError
from drizzleflow.files import write_text


def run(rule, inputs, outputs, hashed=(), action=None):
    given = SimpleNamespace(
        rule=rule,
        wildcards={"product": "p"},
        input=inputs,
        output=SimpleNamespace(product=outputs, record=f"results/p/record/{rule}/p.json"),
        params={"opts": {}, "code": "c"},
        log=[f"results/p/log/{rule}.log"],
    )
    with record.job(given) as job:
        for path in hashed:
            job.input_hash(path)
        for path in outputs:
            action(path) if action else write_text(path, f"{rule} {path}")
    return given.output.record


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A run of three jobs; one output is temporary and gone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_cal.fits").write_text("raw")
    records = [
        run("single", ["a_cal.fits"], ["results/p/single/a.fits"], hashed=["a_cal.fits"]),
        run("mosaic", ["results/p/single/a.fits"], ["results/p/p_i2d.fits", "results/p/sky.csv"]),
    ]
    run(
        "provenance",
        records,
        ["results/p/provenance.json"],
        action=lambda path: provenance.collect(records, "p", path),
    )
    os.unlink("results/p/single/a.fits")
    write_text("results/logs/x.log", "any")
    write_text("results/.lock", "")
    return "results"


def reseal(content):
    return record.sealed({key: value for key, value in content.items() if key != "seal"})


def verdict(folder="results", **more):
    found = audit(folder, temporary=["*/single/*"], ignore=["logs/*", ".lock"], **more)
    return [(finding.kind, os.path.relpath(finding.path)) for finding in found]


def test_an_untouched_run_is_clean(finished):
    assert verdict() == []
    assert verdict(os.path.abspath(finished)) == []
    assert verdict(inputs=True) == []


def test_any_flipped_byte_of_a_product_or_record_is_found(finished):
    for path in (
        "results/p/p_i2d.fits",
        "results/p/sky.csv",
        "results/p/record/mosaic/p.json",
        "results/p/record/provenance/p.json",
        "results/p/provenance.json",
    ):
        good = Path(path).read_bytes()
        for place in range(0, len(good), 1 + len(good) // 60):
            bad = bytearray(good)
            bad[place] ^= 1
            Path(path).write_bytes(bad)
            assert ("altered", path) in verdict(), (path, place)
        Path(path).write_bytes(good)
    assert verdict() == []


def test_length_and_deletion(finished):
    with open("results/p/p_i2d.fits", "a") as out:
        out.write("more")
    os.unlink("results/p/sky.csv")
    assert verdict() == [("altered", "results/p/p_i2d.fits"), ("missing", "results/p/sky.csv")]
    found = audit("results", ignore=["logs/*", ".lock"])
    assert ("missing", "results/p/single/a.fits") in [(finding.kind, finding.path) for finding in found]
    assert "altered: results/p/p_i2d.fits: " in str(found[0])


def test_unknown_files(finished):
    write_text("results/p/mine.fits", "x")
    write_text("results/p/.p_i2d.fits.tmp-123", "half")
    write_text("results/other/record/x.txt", "x")
    assert verdict() == [("unknown", "results/other/record/x.txt"), ("unknown", "results/p/.p_i2d.fits.tmp-123"),
                         ("unknown", "results/p/mine.fits")]  # fmt: skip
    assert ("unknown", "results/.lock") in [
        (finding.kind, finding.path) for finding in audit("results", temporary=["*"])
    ]


def test_a_lost_record(finished):
    os.unlink("results/p/record/mosaic/p.json")
    found = verdict()
    assert ("missing", "results/p/record/mosaic/p.json") in found
    assert ("unknown", "results/p/p_i2d.fits") in found


def test_a_record_that_was_edited_to_fit_is_found(finished):
    """The hash of an altered product, put into its record: the provenance still knows the record's."""
    write_text("results/p/sky.csv", "forged")
    path = "results/p/record/mosaic/p.json"
    content = record.read(path)
    content["outputs"] = [record.fingerprint(entry["path"]) for entry in content["outputs"]]
    write_text(path, reseal(content))
    assert verdict() == [("altered", path)]


def test_a_job_that_ran_again_makes_the_provenance_stale(finished):
    run("mosaic", [], ["results/p/p_i2d.fits", "results/p/sky.csv"])
    assert verdict() == [("stale", "results/p/provenance.json")]


def test_the_last_of_two_records_counts(finished):
    run("mosaic2", [], ["results/p/sky.csv"])
    assert verdict() == []
    old = record.read("results/p/record/mosaic2/p.json")
    old["ended"] = "2000"
    write_text("results/p/record/mosaic2/p.json", reseal(old))
    assert verdict() == [("altered", "results/p/sky.csv")]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"rule": 1, "outputs": 3, "inputs": 3, "ended": ""}', "\0"]
)
def test_damaged_records_do_not_stop_it(finished, text):
    write_text("results/p/record/mosaic/p.json", text)
    assert ("altered", "results/p/record/mosaic/p.json") in verdict()


def test_raw_inputs_on_request(finished):
    write_text("a_cal.fits", "RAW")
    assert verdict() == []
    assert verdict(inputs=True) == [("altered", "a_cal.fits")]
    os.unlink("a_cal.fits")
    assert verdict(inputs=True) == [("missing", "a_cal.fits")]


def test_it_only_reads(finished):
    before = {path: os.stat(path).st_mtime_ns for path, _, _ in os.walk("results")}
    write_text("results/p/mine.fits", "x")
    audit("results")
    assert set(before) == {path for path, _, _ in os.walk("results")}


def test_nothing_to_compare_is_an_error(finished, tmp_path):
    shutil.rmtree("results/p/record")
    with pytest.raises(InputError, match="no records"):
        audit("results")
    with pytest.raises(InputError, match="no such output folder"):
        audit("nowhere")
