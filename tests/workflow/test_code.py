"""Code in the trigger: what jobs really load is in the hash of their rule, and a change starts the rules that
use it.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from running import REPO, write_table
from runs import AFTER_CRMASK, CONFIG, complete, copy_checkout, jobs, watching

from drizzleflow.plan.codehash import closure
from drizzleflow.simulate import simulate

AFTER_MEDIAN = {"median_product": 1, **AFTER_CRMASK}
ALL = {
    "members": 1,
    "footprint": 2,
    "grid": 1,
    "grid_wcs": 1,
    "sky_overlaps": 2,
    "skymatch_product": 1,
    "single_drizzle_group": 2,
    **AFTER_MEDIAN,
}
#: name -> edits (file below scripts/, old text, new text), and the jobs that then run again
CHANGES = {
    "what is no code, and code that no rule reaches": (
        [
            (
                "drizzleflow/outliers/thresholds.py",
                "import numpy as np\n",
                "import  numpy as np  # arrays\n\n\n",
            ),
            ("drizzleflow/jobs/record.py", '"""The frame', '"""New. The frame'),
            ("drizzleflow/simulate/exposures.py", "import math\n", "import math, sys\n"),
            ("drizzleflow/combine/createmedian.py", "import math\n", "import math, json\n"),
            ("drizzleflow/provenance/audit.py", "import logging\n", "import logging, math\n"),
        ],
        {},
    ),
    "a formula": (
        [("drizzleflow/outliers/thresholds.py", "np.abs(sci - blot", "1.0000001 * np.abs(sci - blot")],
        AFTER_CRMASK,
    ),
    "a script": (
        [("median.py", "import os\n", "import os, sys\n")],
        AFTER_MEDIAN,
    ),
    "the report": (
        [("drizzleflow/report/contents.py", "import json\n", "import json, sys\n")],
        {"report_product": 1, "provenance": 1},
    ),
    "a side branch": (
        [("drizzleflow/geometry/output_wcs.py", "import numpy as np\n", "import math, numpy as np\n")],
        {"grid_wcs": 1, "report_product": 1, "provenance": 1},
    ),
    "what all jobs use": ([("drizzleflow/jobs/record.py", "import json\n", "import json, cmath\n")], ALL),
}


@pytest.fixture(scope="module")
def ran(undisturbed, tmp_path_factory):
    """A working folder in which everything has run, for dry runs."""
    return shutil.copytree(undisturbed, tmp_path_factory.mktemp("ran") / "run")


@pytest.mark.parametrize("change", CHANGES)
def test_changed_code(ran, tmp_path, change):
    """In a copy of this checkout whose files all have new times, in a repository of its own."""
    edits, again = CHANGES[change]
    checkout = copy_checkout(tmp_path / "checkout")
    for name, old, new in edits:
        path = checkout / "scripts" / name
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new, 1))
    for file in checkout.rglob("*"):
        os.utime(file)
    if shutil.which("git"):  # a commit is told in the records, and starts nothing
        for words in ("init -q", "add -A", "-c user.name=n -c user.email=e@e commit -q -m one"):
            subprocess.run(["git", "-C", checkout, *words.split()], check=True)
    assert jobs(complete(ran, CONFIG, "--dry-run", repo=checkout)) == again


def test_files_beside_the_members_count(tmp_path):
    """Every job that reads a member has the member's files of DQ and inverse variance among its inputs."""
    made = simulate(tmp_path, flavour="simple", exposures=2, detectors=1, shape=(64, 64), seed=1)
    for name in ("one_dq.fits", "one_ivar.fits"):
        shutil.copy(made["members"][0], tmp_path / name)
    names = [Path(path).name for path in made["members"]]
    write_table(
        tmp_path / "table.csv", "path,dq,ivar", [f"{names[0]},one_dq.fits,one_ivar.fits", f"{names[1]},,"]
    )
    text = complete(
        tmp_path, {"associations": "table.csv", "batch_size": 1, "static_mask": {"static": True}}, "--dry-run"
    )
    inputs = re.findall(r"rule (\w+):\n    input: (.*)\n", text)
    first, second = [name.removesuffix(".fits") for name in names]
    reading = [(rule, listed) for rule, listed in inputs if re.search(rf"/?{first}(_crf)?\.fits", listed)]
    assert {rule for rule, _ in reading} == {
        "footprint",
        "static_mask",
        "sky_overlaps",
        "single_drizzle_group",
        "crmask_member",
        "mosaic_product",
    }
    assert all("one_dq.fits" in listed and "one_ivar.fits" in listed for _, listed in reading)
    assert not any(
        "one_dq" in listed for _, listed in inputs if first not in listed and f"{second}.fits" in listed
    )


def loaded(folder: Path) -> dict[str, set[str]]:
    """script -> modules of drizzleflow that its jobs have loaded."""
    found: dict[str, set[str]] = {}
    for path in folder.iterdir():
        job = re.fullmatch(r"tmp\w+\.(\w+\.py)-\d+", path.name)
        if job:
            found.setdefault(job[1], set()).update(path.read_text().split("\n"))
    return found


def assert_in_hash(folder: Path) -> set[str]:
    """Every module that a job has loaded is in the hash of its rule's code; the scripts."""
    found, cache = loaded(folder), {}
    for script, modules in found.items():
        assert "drizzleflow.jobs.record" in modules
        assert modules <= set(closure(REPO / "scripts" / script, REPO / "scripts", cache)), script
    return set(found)


def test_what_jobs_load_is_in_the_hash(undisturbed, loaded_by_jobs):
    scripts = assert_in_hash(loaded_by_jobs)
    assert scripts == {
        f"{name}.py"
        for name in (
            "members",
            "footprint",
            "grid",
            "grid_wcs",
            "sky_overlaps",
            "skymatch",
            "single_drizzle",
            "median",
            "crmask",
            "mosaic",
            "report",
            "provenance",
        )
    }


@pytest.mark.slow
@pytest.mark.parametrize("flavour", ["jwst", "hst", "roman", "simple"])
def test_what_jobs_of_each_format_load_is_in_the_hash(flavour, tmp_path):
    """With the steps that settings switch on."""
    made = simulate(tmp_path / "data", flavour=flavour, exposures=3, detectors=1, shape=(160, 160), seed=6)
    config = {
        "associations": [str(path) for path in made["associations"]],
        "static_mask": {"static": True},
        "crmask": {"corr": flavour == "hst"},
        "median": {"bands": 2},
        "mosaic": {"bands": 2},
    }
    if flavour in ("jwst", "hst"):
        config |= {"preset": flavour, "save_intermediate_results": True}
    (tmp_path / "loaded").mkdir()
    complete(tmp_path, config, **watching(tmp_path / "loaded"))
    scripts = assert_in_hash(tmp_path / "loaded")
    assert {"static_mask.py", "median_band.py", "mosaic_band.py"} <= scripts and (
        "crclean.py" in scripts
    ) == config["crmask"]["corr"]
