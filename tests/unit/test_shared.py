"""A job of several items is taken apart: each item has its inputs, outputs, parameters and a record of its own."""

import re
from types import SimpleNamespace

from other_values import NAMES

from drizzleflow.jobs import record, shared
from drizzleflow.jobs.by_hand import Files


class Params(dict):
    """Named parameters as Snakemake gives them."""


def batch(tmp_path, names):
    """A job of some members, as rules/sharing.smk describes it."""
    numbers = range(len(names))
    params = {f"item_{n}": {"via item": {"product": "p", "member": names[n]}} for n in numbers}
    params |= {f"member_{n}": {"member": {"member": names[n]}} for n in numbers}
    params |= {f"frames_{k}_{n}": {f"frames[{k}]": [names[n], k]} for n in numbers for k in range(2)}
    params |= {
        "crmask_snr": {"crmask.snr": "5 4"},
        "code": {"code": "c0de"},
        "rule": {"via rule": "crmask_member"},
    }
    return SimpleNamespace(
        rule="crmask_member_p_b01",
        input=Files({"grid": "grid.json", **{f"files_{n}": [f"{names[n]}.fits"] for n in numbers}}),
        output=Files(
            {f"mask_{n}": tmp_path / f"{names[n]}_mask.txt" for n in numbers}
            | {f"record_{n}": tmp_path / f"{names[n]}.json" for n in numbers}
        ),
        params=Params(params),
        wildcards=Params(),
        log=[str(tmp_path / "b01.log")],
        resources=SimpleNamespace(mem_mb=200),
        threads=1,
    )


def test_each_item_has_its_own(tmp_path):
    names = [f"m{n:02d}" for n in range(12)]  # numbers of two digits
    made = list(record.jobs(batch(tmp_path, names)))
    assert [job.wildcards.member for job in made] == names
    for job, name in zip(made, names, strict=True):
        assert job.rule == "crmask_member" and job.code == "c0de" and job.wildcards.product == "p"
        assert job.input.files == [f"{name}.fits"] and job.input.grid == "grid.json"
        assert job.output.keys() == {"mask", "record"}
        assert job.options == {
            "crmask": {"snr": "5 4"},
            "member": {"member": name},
            "frames": [[name, 0], [name, 1]],
        }


def test_each_item_writes_its_record_and_all_share_a_log(tmp_path):
    for job in record.jobs(batch(tmp_path, ["a", "b"])):
        with job:
            (tmp_path / f"{job.wildcards.member}_mask.txt").write_text(job.wildcards.member)
            job.log("made %s", job.wildcards.member)
    for name in "ab":
        found = record.read(tmp_path / f"{name}.json")
        assert found["wildcards"] == {"product": "p", "member": name} and found["rule"] == "crmask_member"
        assert [entry["path"] for entry in found["outputs"]] == [str(tmp_path / f"{name}_mask.txt")]
        assert [entry["path"] for entry in found["inputs"]] == ["grid.json", f"{name}.fits"]
        assert found["log"] == str(tmp_path / "b01.log")
    assert "made a" in (tmp_path / "b01.log").read_text() and "made b" in (tmp_path / "b01.log").read_text()


def test_a_job_of_one_item_is_itself():
    given = SimpleNamespace(output=Files({"mask": "m.fits", "record": "m.json"}))
    assert shared.items(given) == [given]


def test_no_setting_has_a_number_at_its_end():
    """Its parameter would be taken for an item's."""
    assert not [name for name in NAMES if re.search(r"_[0-9]+$", name.replace(".", "_"))]
