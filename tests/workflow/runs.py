"""Helpers of the tests that disturb a run: start it, wait for a moment, send a signal, compare the products."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import warm
import yaml
from running import REPO, SNAKEMAKE, environment

#: below the output folder: what carries times or belongs to the engine, so not to be compared
NOT_PRODUCTS = (
    "log",
    "benchmark",
    "record",
    "report.html",
    "provenance.json",
    ".lock",
    ".plan.json",
    "audit.log",
)

#: of the runs in the folders of the fixtures `fresh`, `undisturbed` and `finished` (conftest.py)
CONFIG = {"associations": "data/field_asn.json", "batch_size": 2}
#: every kind of its products, as patterns below the product's folder: none may escape the comparisons by not
#: being there
KINDS = [
    "members.csv",
    "footprints.csv",
    "sky.csv",
    "grid.json",
    "grid.asdf",
    "footprint/*.npz",
    "footprint/*.json",
    "sky/*.csv",
    "sky/*.npz",
    "single/*_outlier_i2d.fits",
    "field_median.fits",
    "blot/*_blot.fits",
    "crmask/*_crmask.fits",
    "crf/*_crf.fits",
    "field_i2d.fits",
]
#: the jobs that a change in the comparison with the median starts
AFTER_CRMASK = {"crmask_member": 2, "mosaic_product": 1, "report_product": 1, "provenance": 1}


def start(
    folder: Path, config: dict, *arguments, cores: int = 2, repo: Path = REPO, prefix=(), **more
) -> subprocess.Popen:
    """Start ``snakemake`` in `folder`, leading a new process group; what it says goes to ``said.txt`` there.

    `prefix`: words of a command that starts it; `more`: variables of its environment.
    """
    command = [*map(str, prefix), *command_line(folder, config, arguments, cores, repo)]
    with open(folder / "said.txt", "w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**environment(repo), **more},
            # tests in the background of a shell ignore SIGINT, and their children would too
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    process.cwd = folder
    return process


def command_line(folder: Path, config: dict, arguments, cores: int, repo: Path) -> list[str]:
    """The words of a run in `folder`, where its configuration is written."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    words = [*arguments, "-s", repo / "Snakefile", "--cores", cores, "--configfile", "config.yaml"]
    return [str(word) for word in (SNAKEMAKE, *words)]


def call(
    folder: Path, config: dict, *arguments, cores: int = 2, repo: Path = REPO, **more
) -> tuple[int, str]:
    """Run ``snakemake`` to its end: its status and what it said.

    It is forked (tests/warm.py) where nothing is said of how it starts: no prefix, no variable of its
    environment.
    """
    if more:
        process = start(folder, config, *arguments, cores=cores, repo=repo, **more)
        try:
            status = process.wait(timeout=300)
        finally:
            end(process)
    else:
        command = command_line(folder, config, arguments, cores, repo)
        with open(folder / "said.txt", "w") as output:
            status = warm.run(command, folder, environment(repo), [output.fileno()] * 2)
    return status, said(folder)


def complete(folder: Path, config: dict, *arguments, **more) -> str:
    """Run ``snakemake``, which has to succeed: what it said."""
    status, text = call(folder, config, *arguments, **more)
    assert status == 0, text[-6000:]
    return text


def said(folder: Path) -> str:
    return (folder / "said.txt").read_text()


def end(process: subprocess.Popen, number: int = signal.SIGKILL) -> int:
    """Send a signal to the whole process group and wait for the leader: its status. Nothing is sent once it
    is known.
    """
    if process.returncode is None:  # until then the group's number cannot have been given to others
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
    return process.wait(timeout=120)


def wait_for(process: subprocess.Popen, moment: Callable[[], object], timeout: float = 120) -> None:
    """Return when `moment` holds; fail if the run ends or the time is over before."""
    until = time.monotonic() + timeout
    while not moment():
        assert process.poll() is None, (
            f"the run ended before the moment came: {said(Path(process.cwd))[-3000:]}"
        )
        assert time.monotonic() < until, "the moment did not come"
        time.sleep(0.002)


def working(out: Path, step: str) -> Callable[[], bool]:
    """The moment in which a job of `step` is at work: its log is there and its record is not."""

    def moment():
        logs = [*out.glob(f"*/log/{step}.log"), *out.glob(f"*/log/{step}/*.log")]
        return any(
            not Path(str(log.with_suffix(".json")).replace("/log/", "/record/", 1)).exists() for log in logs
        )

    return moment


def alive(session: int) -> dict[int, list[str]]:
    """The processes of a session that have not ended, and the words of their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, belongs = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(belongs) == session and state not in "ZX":
                found[int(folder.name)] = (folder / "cmdline").read_text().rstrip("\0").split("\0")
        except OSError:
            continue
    return found


def kill_at(folder: Path, moment: Callable[[], object], config: dict = CONFIG) -> None:
    """Start a run and SIGKILL its process group at a moment."""
    process = start(folder, config)
    try:
        wait_for(process, moment)
    finally:
        assert end(process) == -signal.SIGKILL


def unfinished(folder: Path) -> list[str]:
    """The outputs, there or not, of the jobs that were at work when the run in a folder was killed."""
    top = folder / ".snakemake" / "incomplete"
    keys = [
        "".join(path.relative_to(top).parts).replace("@", "") for path in top.rglob("*") if path.is_file()
    ]
    return sorted(base64.urlsafe_b64decode(key).decode() for key in keys)


def products(out: Path) -> dict[str, str]:
    """The hash of every product below an output folder, by its path from there."""
    found = {}
    for path in sorted(out.rglob("*")):
        inside = path.relative_to(out)
        if path.is_file() and not any(part in NOT_PRODUCTS for part in inside.parts):
            found[str(inside)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differing(found: dict[str, str], expected: dict[str, str]) -> dict[str, str]:
    """The products that are not those expected, and how."""
    return {
        name: "missing" if name not in found else "extra" if name not in expected else "other bytes"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    }


def assert_as_undisturbed(folder: Path, expected: dict[str, str], config: dict = CONFIG) -> None:
    """The products are those of an undisturbed run, nothing lies beside them and nothing is left to do."""
    assert differing(products(folder / "results"), expected) == {}
    assert [path for path in folder.rglob("*") if ".tmp-" in path.name] == []
    assert jobs(complete(folder, config, "--dry-run")) == {}


def jobs(text: str) -> dict[str, int]:
    """The jobs that a run (or dry run) has planned, by rule; targets, which only collect, are left out.

    Batches, which are rules of their own, count as jobs of that whose work they share.
    """
    table = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\ntotal ", text, re.DOTALL)
    if table is None:
        assert "Nothing to be done" in text, text[-3000:]
        return {}
    found = Counter()
    for name, count in (line.split() for line in table[1].splitlines()):
        batch = re.match(r"(single_drizzle_group|crmask_member|crmask_asdf_member)_", name)
        found[batch[1] if batch else name] += int(count)
    return {name: count for name, count in found.items() if name not in ("all", "audit")}


def copy_checkout(folder: Path) -> Path:
    """A copy of this checkout, to be changed."""
    for name in ("rules", "scripts", "config", "profiles", "envs"):
        shutil.copytree(
            REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    shutil.copy2(REPO / "Snakefile", folder)
    return folder


def watching(folder: Path) -> dict[str, str]:
    """The environment in which each process writes at its end which of our modules it has loaded (watch/)."""
    path = [Path(__file__).parent / "watch", REPO / "scripts"]
    return {"LOADED": str(folder), "PYTHONPATH": os.pathsep.join(map(str, path))}
