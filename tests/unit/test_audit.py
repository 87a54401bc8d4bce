"""audit.py: whatever is done to a file of a finished run is found, and an untouched run is clean."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drizzleflow import provenance
from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import record
from drizzleflow.provenance.audit import audit, main


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
            if action:
                action(path)
            elif path.endswith(".fits"):
                data = np.arange(10, dtype=np.float32)
                write_hdus(
                    path,
                    [
                        (image_header(None, primary=True, cards=[("RULE", rule)]), None),
                        (image_header(data, "SCI"), data),
                    ],
                )
            else:
                write_text(path, f"{rule} {path}")
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
    write_text("results/p/benchmark/x.tsv", "any")
    write_text("results/.lock", "")
    return "results"


def reseal(content):
    return record.sealed({key: value for key, value in content.items() if key != "seal"})


def verdict(folder="results", **more):
    found = audit(folder, temporary=["*/single/*"], **more)
    return [(finding.kind, os.path.relpath(finding.path)) for finding in found]


def test_an_untouched_run_is_clean(finished):
    assert verdict() == []
    assert verdict(os.path.abspath(finished)) == []
    assert verdict(threads=4) == []


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
    found = audit("results")
    assert ("missing", "results/p/single/a.fits") in [(finding.kind, finding.path) for finding in found]
    assert "altered: results/p/p_i2d.fits: " in str(found[0])


def test_unknown_files(finished):
    write_text("results/p/mine.fits", "x")
    write_text("results/p/.p_i2d.fits.tmp-123", "half")
    write_text("results/other/record/x.txt", "x")
    assert verdict() == [
        ("unknown", "results/other/record/x.txt"),
        ("unknown", "results/p/.p_i2d.fits.tmp-123"),
        ("unknown", "results/p/mine.fits"),
    ]


def test_what_a_killed_run_s_jobs_refused_is_no_product(finished):
    write_text("results/.refused/c0de", "crmask: raw.fits: no WCS")
    write_text("results/.refuse/c0de", "crmask: raw.fits: no WCS")
    assert verdict() == [("unknown", "results/.refuse/c0de")]


def test_names_of_any_kind_take_one_line_each(finished):
    Path("results/p/loop").symlink_to("loop")
    for name in ("two\nlines", "\x1b[31mred", os.fsdecode(b"\xff")):
        write_text(f"results/p/{name}", "x")
    lines = [str(finding) for finding in audit("results", temporary=["*/single/*"])]
    assert lines == [
        f"unknown: results/p/{name}: no record names it"
        for name in ("\\x1b[31mred", "loop", "two\\nlines", "\\udcff")
    ]


def test_a_lost_record(finished):
    os.unlink("results/p/record/mosaic/p.json")
    assert verdict() == [
        ("missing", "results/p/record/mosaic/p.json")
    ]  # the provenance still has the products' hashes
    os.unlink("results/p/provenance.json")
    assert verdict() == [
        ("unknown", "results/p/p_i2d.fits"),
        ("missing", "results/p/provenance.json"),
        ("unknown", "results/p/sky.csv"),
    ]


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


def test_raw_inputs(finished):
    """Whatever the time stamp of the file says."""
    before = os.stat("a_cal.fits")
    Path("a_cal.fits").write_text("RAW")
    os.utime("a_cal.fits", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verdict() == [("altered", "a_cal.fits")]
    os.unlink("a_cal.fits")
    assert verdict() == [("missing", "a_cal.fits")]


def test_swapped_and_linked_files(finished, tmp_path):
    a, b = Path("results/p/p_i2d.fits"), Path("results/p/sky.csv")
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second), b.write_bytes(first)
    assert verdict() == [("altered", str(a)), ("altered", str(b))]
    (tmp_path / "other").write_bytes(second)
    for kind, target in (
        ("altered", "a_cal.fits"),
        ("altered", "results"),
        ("altered", "nowhere"),
        (None, "other"),
    ):
        b.unlink()
        b.symlink_to(tmp_path / target)
        a.write_bytes(first)
        assert verdict() == ([(kind, str(b))] if kind else [])
    b.unlink()
    os.mkfifo(b)
    assert verdict() == [("altered", str(b))]


def test_files_behind_links_to_folders(finished, tmp_path):
    """A product's folder may lie on another disk; loops of links end."""
    shutil.move("results/p", tmp_path / "disk")
    Path("results/p").symlink_to(tmp_path / "disk")
    Path("results/p/loop").symlink_to(tmp_path / "results")
    assert verdict() == []
    write_text("results/p/crf/mine.fits", "x")
    assert verdict() == [("unknown", "results/p/crf/mine.fits")]


def test_fits_checksums_of_a_file_that_is_as_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = np.ones((3, 4), np.float32)

    def make(path):
        write_hdus(path, [(image_header(None, primary=True), None), (image_header(data, "SCI"), data)])
        content = Path(path).read_bytes()
        Path(path).write_bytes(content[:-2880] + b"\1" + content[-2879:])

    run("mosaic", [], ["results/p/p_i2d.fits"], action=make)
    (finding,) = audit("results")
    assert (finding.kind, finding.path) == ("altered", "results/p/p_i2d.fits")
    assert finding.detail.startswith("[SCI]: the data are not those of DATASUM ")


def test_what_a_run_would_do(finished):
    made = dict.fromkeys(("results/p/p_i2d.fits", "results/p/sky.csv", "results/p/provenance.json"))
    assert verdict(planned=lambda: made) == []
    planned = {
        "results/p/p_i2d.fits": "params changed",
        "results/p/provenance.json": "",
        "results/p/record/mosaic/p.json": "updated input files",
        "results/p/single/a.fits": "",
        "results/new/members.csv": "",
        "results/new/temporary.npz": None,
    }

    def told(code):
        return [
            str(finding)
            for finding in audit("results", temporary=["*/single/*"], planned=lambda: planned, code=code)
        ]

    assert told(["c"]) == [
        "missing: results/new/members.csv: planned, but not there",
        "unplanned: results/p: 1 file of another configuration, as their records say",
        "stale: results/p/p_i2d.fits: made with other parameters",
        "stale: results/p/provenance.json: made from results/p/record/mosaic/p.json, which a run would make again",
        "stale: results/p/record/mosaic/p.json: updated input files",
    ]
    assert told(["d"])[2] == "stale: results/p/p_i2d.fits: made with other code"
    planned["results/p/record/mosaic/p.json"] = None
    assert told(["c"])[3] == "stale: results/p/provenance.json: its job did not end well"
    os.unlink("results/p/sky.csv")
    planned["results/p/p_i2d.fits"] = ""
    assert "stale: results/p/p_i2d.fits: its job also makes results/p/sky.csv, which is not there" in told(
        ["c"]
    )
    os.unlink("results/p/record/mosaic/p.json")
    assert "stale: results/p/p_i2d.fits: its record is missing or broken" in told(["c"])


def test_what_is_not_healthy_is_not_noted_as_unplanned(finished):
    made = dict.fromkeys(("results/p/p_i2d.fits", "results/p/provenance.json"))
    assert verdict(planned=lambda: made) == [("unplanned", "results/p")]
    write_text("results/p/sky.csv", "forged")
    assert verdict(planned=lambda: made) == [("altered", "results/p/sky.csv")]


def test_other_versions_are_a_note(finished):
    path = "results/p/record/provenance/p.json"
    content = record.read(path)
    content["versions"] |= {"numpy": "1.0", "nosuch": "2"}
    write_text(path, reseal(content))
    found = audit("results", temporary=["*/single/*"])
    assert [str(finding) for finding in found] == [
        "versions: results: nosuch 2 in 1 records, none here",
        f"versions: results: numpy 1.0 in 1 records, {np.__version__} here",
    ]
    assert all(finding.harmless for finding in found)


def test_command_line(finished, capsys):
    assert main(["results", "--temporary", "*/single/*"]) == 0
    assert capsys.readouterr().out == "audit: every file is what its record says\n"
    os.unlink("results/p/sky.csv")
    assert main(["results", "--temporary", "*/single/*", "--threads", "1"]) == 1
    assert (
        capsys.readouterr().out == "missing: results/p/sky.csv: recorded, but not there\naudit: 1 finding\n"
    )
    assert main(["nowhere"]) == 1
    assert capsys.readouterr().err == "audit: nowhere: no such output folder\n"


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


@pytest.mark.slow
def test_it_costs_at_most_three_times_sha256sum(tmp_path, monkeypatch):
    """On files of a gigabyte in all, from start to end of the command; the better of two measurements of
    each.
    """
    monkeypatch.chdir(tmp_path)
    data = np.random.default_rng(1).normal(size=(4000, 8000)).astype(np.float32)
    paths = [f"results/p/crf/{n}_crf.fits" for n in range(8)]

    def make(path):
        write_hdus(path, [(image_header(None, primary=True), None), (image_header(data, "SCI"), data)])

    run("crmask", [], paths, action=make)

    here = {**os.environ, "PYTHONPATH": str(Path(record.__file__).parents[2])}

    def seconds(expected, *command):
        found = []
        for _ in range(2):
            before = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=here)
            found.append(time.perf_counter() - before)
            assert expected in done.stdout
        return min(found)

    reference = seconds(paths[-1], "sha256sum", *paths)
    ours = seconds(
        "audit: every file is what its record says", sys.executable, "-m", "drizzleflow.audit", "results"
    )
    print(f"sha256sum {reference:.2f} s, audit {ours:.2f} s")
    assert ours < 3 * reference
