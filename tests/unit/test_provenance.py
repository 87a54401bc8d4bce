"""provenance.py: the document says who made what from what, reads back as PROV, and does not depend on order."""

import hashlib
import json
import os
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drizzleflow import provenance
from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.jobs import checkout, record


def run(rule, inputs, outputs, hashed=(), contributions=(), **wildcards):
    """One job, in the working folder."""
    where = "_".join(wildcards.values()) or rule
    given = SimpleNamespace(
        rule=rule,
        wildcards=wildcards,
        input=inputs,
        output=SimpleNamespace(product=outputs, record=f"results/p/record/{rule}/{where}.json"),
        params={"opts": {"mosaic": {"pixfrac": 1.0}}, "code": f"code-{rule}"},
        log=[f"results/logs/{rule}/{where}.log"],
    )
    with record.job(given) as job:
        for path in hashed:
            job.input_hash(path)
        for how in contributions:
            job.contribution(**how)
        for path in outputs:
            write_text(path, f"{rule} {path}")
    return given.output.record


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Two members, their masks, and a mosaic."""
    monkeypatch.chdir(tmp_path)
    made = []
    for member in ("a", "b c:ü%"):
        raw = tmp_path / f"{member}_cal.fits"
        raw.write_text(member)
        crf = f"results/p/crf/{member}_crf.fits"
        how = {"product": crf, "source": raw, "mask": Path(f"results/p/{member}_mask.fits"), "member": member}
        made.append(run("crmask", [str(raw)], [crf], [str(raw)], [how], product="p", member=member))
    crfs = ["results/p/crf/a_crf.fits", "results/p/crf/b c:ü%_crf.fits"]
    parts = [
        {"product": "results/p/p_i2d.fits", "source": crf, "extver": np.int64(1), "window": (0, 5, k, 9)}
        for k, crf in enumerate(crfs)
    ]
    made.append(run("mosaic", crfs, ["results/p/p_i2d.fits"], contributions=parts, product="p"))
    (tmp_path / "asn.json").write_text("{}")
    return made


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_every_file_and_job_is_there(records):
    document = provenance.collect(records, "p", "results/p/provenance.json", ["asn.json", "a_cal.fits"])
    assert json.loads(Path("results/p/provenance.json").read_text()) == document
    files = {entry["df:path"]: entry for entry in document["entity"].values() if "df:path" in entry}
    masks = {files.pop(f"results/p/{member}_mask.fits")["df:path"] for member in ("a", "b c:ü%")}
    assert len(masks) == 2
    assert set(files) == {
        "a_cal.fits",
        "b c:ü%_cal.fits",
        "asn.json",
        "results/p/crf/a_crf.fits",
        "results/p/crf/b c:ü%_crf.fits",
        "results/p/p_i2d.fits",
        *records,
    }
    assert files["a_cal.fits"]["df:sha256"] == sha("a")
    assert files["asn.json"]["df:size"] == 2
    assert files[records[0]]["df:size"] == os.path.getsize(records[0])
    assert all("df:sha256" in entry for entry in files.values())
    jobs = document["activity"]
    assert set(jobs) == {"job:crmask/p/a", "job:crmask/p/b%20c%3A%C3%BC%25", "job:mosaic/p"}
    mosaic = jobs["job:mosaic/p"]
    assert mosaic["df:code"] == "code-mosaic"
    assert json.loads(mosaic["df:params"]) == {"mosaic": {"pixfrac": 1.0}}
    assert json.loads(mosaic["df:wildcards"]) == {"product": "p"}
    assert mosaic["prov:startTime"] <= mosaic["prov:endTime"]
    assert mosaic["df:host"] == os.uname().nodename


def test_the_chain_goes_from_the_mosaic_to_the_members(records):
    document = provenance.collect(records, "p", "results/p/provenance.json")
    maker = {item["prov:entity"]: item["prov:activity"] for item in document["wasGeneratedBy"].values()}
    used = {}
    for item in document["used"].values():
        used.setdefault(item["prov:activity"], []).append(item["prov:entity"])
    names = {entry["df:path"]: name for name, entry in document["entity"].items() if "df:path" in entry}
    assert [item["prov:entity"] for item in document["hadMember"].values()] == [names["results/p/p_i2d.fits"]]
    ends, todo = set(), [names["results/p/p_i2d.fits"]]
    while todo:
        name = todo.pop()
        ends |= set() if name in maker else {document["entity"][name]["df:path"]}
        todo += used.get(maker.get(name), [])
    assert ends == {"a_cal.fits", "b c:ü%_cal.fits"}
    for kind in ("used", "wasGeneratedBy", "wasAssociatedWith"):
        for item in document[kind].values():
            assert item["prov:activity"] in document["activity"]
            assert item.get("prov:entity", "product:p") in document["entity"]
            assert item.get("prov:agent") in {None, *document["agent"]}


def test_which_frame_window_and_mask_made_a_product(records):
    """The mosaic's frames with their windows, and the masks of the copies that stand for the frames."""
    document = provenance.collect(records, "p", "results/p/provenance.json")
    found = {
        document["entity"][item["prov:usedEntity"]]["df:path"]: item
        for item in document["wasDerivedFrom"].values()
        if item["prov:generatedEntity"] == "file:results/p/p_i2d.fits"
    }
    assert set(found) == {"results/p/crf/a_crf.fits", "results/p/crf/b c:ü%_crf.fits"}
    for k, member in enumerate(("a", "b c:ü%")):
        item = found[f"results/p/crf/{member}_crf.fits"]
        assert (
            json.loads(item["df:window"]) == [0, 5, k, 9]
            and item["df:extver"] == 1
            and item["prov:activity"] == "job:mosaic/p"
        )
        assert document["entity"][item["df:mask"]["$"]]["df:path"] == f"results/p/{member}_mask.fits"
    raw = [
        item for item in document["wasDerivedFrom"].values() if item["prov:usedEntity"] == "file:a_cal.fits"
    ]
    assert [(item["prov:generatedEntity"], item["df:member"]) for item in raw] == [
        ("file:results/p/crf/a_crf.fits", "a")
    ]


def test_the_run_itself_is_in_it(records, monkeypatch):
    """Configuration, git commit and the job that writes the document."""
    Path("my.yaml").write_text("outdir: results\n")
    monkeypatch.setenv(checkout.VARIABLE, "")
    checkout.announce({"commit": "c0ffee", "dirty": True}, [Path("my.yaml")])
    records.append(run("report", records, ["results/p/report.html"], product="p"))
    out = "results/p/provenance.json"
    given = SimpleNamespace(
        rule="provenance",
        wildcards={"product": "p"},
        input=records,
        params={"code": "c"},
        output=SimpleNamespace(provenance=out, record="results/p/record/provenance.json"),
        log=[],
    )
    with record.job(given) as job:
        document = provenance.collect(
            records, "p", out, ["asn.json"], checkout.announced()["config"], job.account()
        )
    own = document["activity"]["job:provenance/p"]
    assert own["df:code"] == "c" and "prov:startTime" in own and "prov:endTime" not in own
    assert {"prov:entity": f"file:{out}", "prov:activity": "job:provenance/p"} in document[
        "wasGeneratedBy"
    ].values()
    assert "df:sha256" not in document["entity"][f"file:{out}"]
    assert document["entity"]["file:my.yaml"]["df:sha256"] == sha("outdir: results\n")
    assert [*document["wasInfluencedBy"].values()] == [
        {"prov:influencee": "product:p", "prov:influencer": "file:my.yaml"}
    ]
    agent = {item["prov:activity"]: item["prov:agent"] for item in document["wasAssociatedWith"].values()}
    for job, commit in (("job:report/p", "c0ffee"), ("job:provenance/p", "c0ffee"), ("job:mosaic/p", None)):
        assert document["agent"][agent[job]].get("df:git_commit") == commit
    assert document["agent"][agent["job:report/p"]]["df:git_dirty"] is True


def test_the_order_of_records_does_not_matter(records):
    provenance.collect(records, "p", "one.json", ["asn.json"])
    absolute = [os.path.abspath(path) for path in records]
    random.Random(1).shuffle(absolute)
    provenance.collect(absolute, "p", "two.json", [os.path.abspath("asn.json")])
    assert Path("one.json").read_text() == Path("two.json").read_text()


def test_a_member_that_changed_between_two_jobs_is_two_entities(records):
    Path("a_cal.fits").write_text("other")
    records.append(run("skymatch", ["a_cal.fits"], ["results/p/sky.csv"], hashed=["a_cal.fits"], product="p"))
    document = provenance.collect(records, "p", "out.json")
    found = {
        entry["df:sha256"] for entry in document["entity"].values() if entry.get("df:path") == "a_cal.fits"
    }
    assert found == {sha("a"), sha("other")}
    used = {
        item["prov:activity"]: document["entity"][item["prov:entity"]] for item in document["used"].values()
    }
    assert used["job:crmask/p/a"]["df:sha256"] == sha("a")
    assert used["job:skymatch/p"]["df:sha256"] == sha("other")


def test_jobs_with_one_software_share_an_agent(records):
    content = record.read(records[0])
    content["versions"]["numpy"] = "0.0"
    write_text(records[0], json.dumps(content))
    document = provenance.collect(records, "p", "out.json")
    agents = [item["prov:agent"] for item in document["wasAssociatedWith"].values()]
    assert len(agents) == 3
    assert len(set(agents)) == len(document["agent"]) == 2
    assert document["agent"][agents[0]]["df:numpy"] == "0.0"


def test_paths_outside_the_working_folder_stay_absolute(records, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.fits"
    outside.write_text("x")
    document = provenance.collect(records, "p", "out.json", [outside])
    assert str(outside) in {entry.get("df:path") for entry in document["entity"].values()}


def test_broken_records_and_lost_sources_are_errors(records):
    with pytest.raises(FileNotFoundError, match="gone"):
        provenance.collect(records, "p", "out.json", ["gone.fits"])
    write_text(records[0], "{")
    with pytest.raises(InputError, match=r"a\.json"):
        provenance.collect(records, "p", "out.json")
    assert not os.path.exists("out.json")


def test_the_prov_package_reads_it(records):
    model = pytest.importorskip("prov.model")
    document = provenance.collect(records, "p", "out.json", ["asn.json"])
    read = model.ProvDocument.deserialize("out.json", format="json")
    for kind, found in (
        ("entity", model.ProvEntity),
        ("activity", model.ProvActivity),
        ("agent", model.ProvAgent),
        ("used", model.ProvUsage),
        ("wasGeneratedBy", model.ProvGeneration),
        ("wasDerivedFrom", model.ProvDerivation),
    ):
        assert len(list(read.get_records(found))) == len(document[kind])
    again = json.loads(read.serialize(format="json"))
    assert set(again["entity"]) == set(document["entity"])
    assert set(again["activity"]) == set(document["activity"])
