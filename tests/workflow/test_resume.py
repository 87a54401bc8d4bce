"""A run that is interrupted or laid out otherwise makes the same bytes; only what changed runs again."""

import json
import os
import shutil
import signal
import time

from runs import (
    AFTER_CRMASK,
    CONFIG,
    alive,
    assert_as_undisturbed,
    call,
    complete,
    differing,
    end,
    jobs,
    products,
    start,
    wait_for,
    working,
)

from drizzleflow.provenance.trace import trace

#: named after batches of members
OF_BATCHES = ("field/footprint/", "field/sky/")


def test_jobs_end_with_their_run(fresh):
    """Where the engine alone is killed (out of memory, a closed terminal) its jobs do not go on writing."""
    out = fresh / "results"
    process = start(fresh, CONFIG)
    try:
        wait_for(process, working(out, "footprint"))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for _ in range(100):
            if not alive(process.pid):
                break
            time.sleep(0.05)
        assert not alive(process.pid)
    finally:
        end(process)
    assert not list(out.glob("field/record/footprint/*"))


def test_interrupted(fresh, expected):
    """SIGINT to the engine alone, then Ctrl-C, which all processes of the terminal get."""
    for whom, step in ((os.kill, "footprint"), (os.killpg, "crmask")):
        process = start(fresh, CONFIG)
        try:
            wait_for(process, working(fresh / "results", step))
            whom(process.pid, signal.SIGINT)
            assert process.wait(timeout=60) != 0
        finally:
            end(process)
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)


def test_one_run_at_a_time(fresh, expected):
    """A second run in the same output folder is refused, and the first does not notice."""
    first = start(fresh, CONFIG)
    try:
        wait_for(first, working(fresh / "results", "footprint"))
        (fresh / "said.txt").rename(fresh / "said_first.txt")
        status, text = call(fresh, CONFIG)
        assert status == 1
        assert (
            text.count("another run is working in results; wait for it, or give this run another outdir") == 1
        )
        assert "Traceback" not in text
        assert "rule members" not in text
        assert first.wait(timeout=120) == 0, (fresh / "said_first.txt").read_text()[-3000:]
    finally:
        end(first)
    assert_as_undisturbed(fresh, expected)


def test_layout_does_not_show(fresh, expected):
    """One core, jobs for single members, sections of one row, the median and the mosaic in bands."""
    median = {"combine_bufsize": 0.0005, "bands": 3}
    config = {**CONFIG, "batch_size": 1, "median": median, "mosaic": {"bands": 3}}
    complete(fresh, config, cores=1)
    found = products(fresh / "results")

    def common(names):
        return {name: value for name, value in names.items() if not name.startswith(OF_BATCHES)}

    assert differing(common(found), common(expected)) == {}
    assert len(common(found)) > 15
    assert "field/field_median.fits" in found
    for kind in ("i2d", "median"):  # of bands too
        traced = trace(fresh / f"results/field/field_{kind}.fits", 80, 75)
        assert (traced["agrees"], traced["notes"]) == (True, [])
    derived = json.loads((fresh / "results/field/provenance.json").read_text())["wasDerivedFrom"].values()
    assert sum(item["prov:generatedEntity"].endswith("field_i2d.fits") for item in derived) == 3


def test_nothing_changed(finished):
    assert jobs(complete(finished, CONFIG)) == {}


def test_touched(finished):
    """New times with the same bytes start nothing: inputs, associations."""
    for path in (finished / "data").iterdir():
        os.utime(path)
    assert jobs(complete(finished, CONFIG, "--dry-run")) == {}


def test_changed_parameter(finished, expected):
    out = finished / "results"
    config = {**CONFIG, "crmask": {"snr": "3.0 2.5"}}
    assert jobs(complete(finished, config)) == AFTER_CRMASK
    again = differing(products(out), expected)
    assert set(again.values()) == {"other bytes"}
    assert {name.split("/")[1] for name in again} == {
        "blot",
        "crmask",
        "crf",
        "frames.csv",
        "checks.json",
        "field_i2d.fits",
    }  # a blot by its header alone
    assert jobs(complete(finished, config)) == {}


def test_changed_runtime_settings(finished):
    """What cannot change a product starts nothing: equivalent spellings, another layout of buffers."""
    more = {"crmask": {"snr": [4.5, 3.3]}, "skymatch": {"skymethod": "MATCH"}, "in_memory": True}
    assert jobs(complete(finished, {**CONFIG, **more}, "--dry-run")) == {}


def test_new_exposure(finished):
    """One more exposure moves the grid's members, not the footprints of the others."""
    path = finished / "data/field_asn.json"
    table = json.loads(path.read_text())
    members = table["products"][0]["members"]
    shutil.copy2(finished / "data" / members[0]["expname"], finished / "data/another_cal.fits")
    members.append({"expname": "another_cal.fits", "exptype": "science", "group_id": "another"})
    path.write_text(json.dumps(table))
    planned = jobs(complete(finished, CONFIG, "--dry-run"))
    # of the batches one grew, and was divided if it was full
    assert planned["footprint"] <= 2
