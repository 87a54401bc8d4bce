"""The audit of a finished run: whatever is done to its files is found, and what a run would make again is
told.
"""

import json
import os
import random
import re
import shutil
from pathlib import Path

import pytest
from runs import CONFIG, KINDS, call, copy_checkout

from drizzleflow.errors import InputError
from drizzleflow.jobs import record
from drizzleflow.provenance.audit import audit
from drizzleflow.provenance.evidence import Evidence

CLEAN = "audit: every file is what its record says"
LINE = re.compile(r"(missing|altered|stale|unknown|unplanned|versions): (\S+): (.+)")
#: beside KINDS: files of the account itself
ACCOUNT = [
    "report.html",
    "provenance.json",
    "record/members.json",
    "record/footprint/*.json",
    "record/single_drizzle/*.json",
    "record/crmask/*.json",
    "record/mosaic.json",
    "record/report.json",
    "record/provenance.json",
]
MEMBER = "jw98765001001_02101_00002_nrca1"


def tell(folder: Path, config: dict = CONFIG, *arguments, **more) -> tuple[int, dict[str, tuple[str, str]]]:
    """`snakemake audit`: its status, and path -> (kind, detail). The log says the same, and no file of the
    run has changed.
    """
    out = folder / "results"
    before = {path: path.read_bytes() for path in evidence_files(out)}
    status, text = call(folder, config, "audit", *arguments, **more)
    lines = (out / "audit.log").read_text().splitlines()
    assert all(line in text.splitlines() for line in lines)
    found = [LINE.fullmatch(line) for line in lines[:-1]]
    assert all(found) and [m[2] for m in found] == sorted({m[2] for m in found}), lines
    faults = sum(m[1] not in ("unplanned", "versions") for m in found)
    assert lines[-1] == (f"audit: {faults} finding{'s' if faults > 1 else ''}" if faults else CLEAN)
    assert (status != 0) == bool(faults)
    assert {path: path.read_bytes() for path in evidence_files(out)} == before
    return status, {m[2]: (m[1], m[3]) for m in found}


def evidence_files(out: Path) -> list[Path]:
    """All files but those that are no evidence."""
    inside = {path: path.relative_to(out).parts for path in out.rglob("*") if path.is_file()}
    return sorted(
        path
        for path, parts in inside.items()
        if parts[0] not in (".lock", ".plan.json", "audit.log")
        and parts[1:2] not in (("log",), ("benchmark",))
    )


def test_a_finished_run_is_clean_and_stays_as_it_is(finished):
    assert tell(finished, CONFIG, cores=1) == (0, {})


def test_damage_of_every_kind_in_one_audit(finished):
    """Through the command, with a setting that has changed since, given on the command line."""
    product, data = finished / "results/field", finished / "data"
    (product / f"crf/{MEMBER}_crf.fits").unlink()
    first, second = sorted(path.stem for path in product.glob("footprint/*.npz"))
    flip(product / f"footprint/{first}.npz", 1000)
    os.truncate(product / f"sky/{second}.csv", 50)
    (product / "mine.fits").write_text("x")
    times = os.stat(data / f"{MEMBER}_cal.fits")
    flip(data / f"{MEMBER}_cal.fits", 300_000)
    os.utime(data / f"{MEMBER}_cal.fits", ns=(times.st_atime_ns, times.st_mtime_ns))  # Snakemake sees nothing
    _, found = tell(finished, CONFIG, "--config", "crmask={snr: 3.0 2.5}")
    kinds = {path.removeprefix("results/field/"): kind for path, (kind, _) in found.items()}
    assert {path: kind for path, kind in kinds.items() if kind != "stale"} == {
        f"crf/{MEMBER}_crf.fits": "missing",
        f"footprint/{first}.npz": "altered",
        f"sky/{second}.csv": "altered",
        "mine.fits": "unknown",
        f"data/{MEMBER}_cal.fits": "altered",
    }
    stale = {path for path, kind in kinds.items() if kind == "stale"}
    masks = {f"crmask/{path.name}" for path in product.glob("crmask/*")}
    assert (
        len(masks) == 3
        and {*masks, f"record/crmask/{MEMBER}.json", "field_i2d.fits", "report.html", "provenance.json"}
        <= stale
    )
    assert found[f"results/field/crmask/{MEMBER}_crmask.fits"][1] == "made with other parameters"
    assert found["results/field/field_i2d.fits"][1].startswith("made from results/field/crf/")


def test_changed_code_is_told_apart(finished, tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    path = checkout / "scripts/drizzleflow/geometry/output_wcs.py"
    path.write_text(path.read_text() + "CHANGED = 1\n")
    _, found = tell(finished, repo=checkout)
    assert found["results/field/grid.asdf"] == ("stale", "made with other code")
    assert not {"members.csv", "sky.csv", "field_i2d.fits"} & {path.rpartition("/")[2] for path in found}


def test_another_configuration(finished):
    """Healthy products that it does not name are noted; its own are missing."""
    table = json.loads((finished / "data/field_asn.json").read_text())
    table["products"][0]["name"] = "other"
    (finished / "data/other_asn.json").write_text(json.dumps(table))
    _, found = tell(finished, {**CONFIG, "associations": "data/other_asn.json"})
    assert found["results/field"][0] == "unplanned"
    assert {kind for path, (kind, _) in found.items() if path != "results/field"} == {"missing"}
    assert found["results/other/other_i2d.fits"] == ("missing", "planned, but not there")


def flip(path: Path, place: int, mask: int = 1) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))


def flips(folder: Path, count: int, monkeypatch) -> None:
    """Flip single bytes at random places; each has to be found, by a look at the one file or by a whole
    audit.
    """
    monkeypatch.chdir(folder)
    draw = random.Random(11)
    files = evidence_files(Path("results"))
    evidence = Evidence("results", ())
    assert {os.path.abspath(path) for path in files} == {
        key for key in evidence.by_size() if key in evidence.found
    }
    assert [evidence.check(path) for path in files] == [None] * len(files)
    sizes = [path.stat().st_size for path in files]
    kinds, lost = set(), []
    for number in range(count):
        # every other one at a place that is as likely as any other, the rest in files that are
        path = draw.choices(files, sizes)[0] if number % 2 else files[number // 2 % len(files)]
        place, mask, times = draw.randrange(path.stat().st_size), draw.randrange(1, 256), os.stat(path)
        flip(path, place, mask)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        if number % 50:
            found = evidence.check(path)
            told = found is not None and found.kind == "altered" and found.path == str(path)
        else:
            told = ("altered", str(path)) in [(finding.kind, finding.path) for finding in audit("results")]
        if not told:
            lost.append((str(path), place, mask))
        kinds.add(path.suffix)
        flip(path, place, mask)
    print(f"{count} bytes flipped, {count - len(lost)} found, in {len(files)} files of {sum(sizes)} bytes")
    assert lost == []
    assert kinds == {".fits", ".json", ".csv", ".npz", ".asdf", ".html"}
    assert audit("results") == []


def test_flipped_bytes(finished, monkeypatch):
    flips(finished, 100, monkeypatch)


@pytest.mark.slow
def test_a_thousand_flipped_bytes(finished, monkeypatch):
    flips(finished, 1000, monkeypatch)


@pytest.mark.parametrize("kind", [*KINDS, *ACCOUNT])
def test_a_deleted_a_shorter_and_a_linked_file(finished, monkeypatch, kind):
    monkeypatch.chdir(finished)
    path = sorted(Path("results/field").glob(kind))[0]
    content = path.read_bytes()
    path.unlink()
    found = {finding.path: finding.kind for finding in audit("results")}
    if path.name in ("report.json", "provenance.json") and path.parent.name == "record":
        assert found  # no other file has their hashes
    else:
        assert found[str(path)] == "missing"
    for other in (content[:-1], content + b"\n", content[: len(content) // 2], b""):
        path.write_bytes(other)
        assert {finding.path: finding.kind for finding in audit("results")}[str(path)] == "altered", len(
            other
        )
    path.unlink()
    Path("other").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    path.symlink_to(Path("other").absolute())
    assert {finding.path: finding.kind for finding in audit("results")}[str(path)] == "altered"


def test_exchanged_files(finished, monkeypatch):
    monkeypatch.chdir(finished)
    first, second, _ = sorted(Path("results/field/single").glob("*.fits"))
    first.rename("third"), second.rename(first), Path("third").rename(second)
    assert [(f.kind, f.path) for f in audit("results")] == [("altered", str(first)), ("altered", str(second))]


def test_a_record_that_was_forged(finished, monkeypatch):
    """A product is altered, and its record made to fit with a new seal: the provenance has the true record's
    hash.
    """
    monkeypatch.chdir(finished)
    product = Path("results/field")
    entities = json.loads((product / "provenance.json").read_text())["entity"].values()
    records = sorted(
        entry["df:path"]
        for entry in entities
        if "/record/" in entry.get("df:path", "") and "df:sha256" in entry
    )
    assert len(records) >= 15
    for path in records:
        true = Path(path).read_text()
        content = record.read(path)
        entry = content["outputs"][0]
        good = Path(entry["path"]).read_bytes()
        Path(entry["path"]).write_bytes(good + b"\0" * 2880)
        content["outputs"][0] = record.fingerprint(entry["path"])
        content.pop("seal")
        Path(path).write_text(record.sealed(content))
        assert record.intact(Path(path).read_bytes())
        found = [(finding.kind, finding.path) for finding in audit("results") if finding.path == path]
        assert found == [("altered", path)]
        Path(path).write_text(true)
        Path(entry["path"]).write_bytes(good)
    assert audit("results") == []


def test_extra_and_lost_folders(finished, monkeypatch):
    monkeypatch.chdir(finished)
    shutil.copytree("results/field/crf", "results/field/crf_copy")
    shutil.copytree("results/field/crf", "results/crf")
    found = audit("results")
    assert len(found) == 6 and {finding.kind for finding in found} == {"unknown"}
    shutil.rmtree("results/field")
    with pytest.raises(InputError, match="results: no records in it"):
        audit("results")
