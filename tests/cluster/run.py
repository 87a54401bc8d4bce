"""The workflow on a real Slurm of one node, through profiles/slurm: ``make cluster-test``.

    python tests/cluster/run.py [--demo]

A run is stopped in its middle and goes on; its products have the bytes of a run on this machine, its short jobs
were arrays; the same within one allocation; a wrong input is told once and submitted once, a wrong association
never. With --demo, the exposures of ``make demo`` instead, timed, without the interruption. Passes over
(status 0) where no Slurm can be had: no root, no apt, or a Slurm of somebody else's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import slurm
import yaml
from astropy.io import fits

from drizzleflow.simulate import simulate
from drizzleflow.simulate.demo import PARAMETERS

REPO = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
#: made to differ between two runs
TIMES = {"record", "log", "benchmark", "report.html", "provenance.json", ".lock", ".plan.json"}
#: more of them than are submitted one by one
SMALL = {"flavour": "jwst", "exposures": 13, "detectors": 1, "shape": (64, 64), "seed": 3}


def command(folder: Path, config: dict, *options) -> subprocess.Popen:
    """Start snakemake in `folder`, which is none of drizzleflow's; what it says goes to said.txt there."""
    folder.mkdir(exist_ok=True)
    (folder / "my.yaml").write_text(yaml.safe_dump(config))
    words = [SNAKEMAKE, "--snakefile", REPO / "Snakefile", "--configfile", "my.yaml", *options]
    with open(folder / "said.txt", "w") as said:
        return subprocess.Popen(
            list(map(str, words)),
            cwd=folder,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            # in the background of a shell SIGINT is ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def ended(process: subprocess.Popen, folder: Path, status: int = 0) -> str:
    """Wait for the end, which has to have this status; what was said."""
    try:
        got = process.wait(timeout=900)
    finally:
        process.kill()
    said = (folder / "said.txt").read_text()
    assert got == status, f"status {got}, expected {status}:\n{said[-6000:]}"
    return said


CLUSTER = ("--profile", REPO / "profiles/slurm")


def submissions(said: str) -> list[str]:
    return re.findall(r"^(Job \S+ has been submitted|Submitted array job)", said, re.MULTILINE)


def products(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of all products below the output folder."""
    out = folder / "results"
    found = {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not TIMES & set(path.relative_to(out).parts)
    }
    assert any(name.endswith("_i2d.fits") for name in found), f"{out}: no mosaic"
    return found


def the_same(one: Path, other: Path) -> int:
    """How many products two runs have, which have to be the same byte for byte."""
    a, b = products(one), products(other)
    assert a == b, f"differ: {sorted(name for name in {*a, *b} if a.get(name) != b.get(name))}"
    return len(a)


def stopped_and_resumed(work: Path, config: dict) -> str:
    """A run that gets Ctrl-C amid an array, and the same command again."""
    folder = work / "cluster"
    process = command(folder, config, *CLUSTER)
    some = r"Finished jobid: \d+ \(Rule: single_drizzle_group"
    while process.poll() is None and not re.search(some, (folder / "said.txt").read_text()):
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    first = ended(process, folder, 1)
    there = len(list(folder.glob("results/*/single/*_outlier_i2d.fits")))
    assert 1 <= there < SMALL["exposures"], f"{there} single drizzles, expected some"
    for _ in range(40):  # a cancelled job needs a moment
        left = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout
        if not left:
            break
        time.sleep(0.5)
    assert not left, f"jobs outlive the run:\n{left}"
    second = ended(command(folder, config, *CLUSTER), folder)
    assert "Submitted array job" in first and "Submitted array job" in second
    assert "restart" not in first + second, "a job failed:\n" + second[-6000:]
    return f"{len(submissions(first))} + {len(submissions(second))} submissions"


def in_one_allocation(work: Path, config: dict) -> None:
    """snakemake within sbatch: the second way of docs/clusters.md."""
    folder = work / "allocation"
    folder.mkdir()
    (folder / "my.yaml").write_text(yaml.safe_dump(config))
    run = f"{SNAKEMAKE} --snakefile {REPO}/Snakefile --cores $SLURM_CPUS_ON_NODE --configfile my.yaml"
    script = f"#!/bin/sh\nexport OPENBLAS_NUM_THREADS=1\nexec {run}\n"
    words = ["sbatch", "--wait", f"--cpus-per-task={os.cpu_count()}", "--mem=2000", "--output=said.txt"]
    done = subprocess.run(words, cwd=folder, input=script, text=True, capture_output=True)
    assert not done.returncode, done.stderr + (folder / "said.txt").read_text()[-6000:]


def wrong_inputs(work: Path, association: Path) -> None:
    """Neither is tried again; the wrong association costs no submission."""
    folder = work / "wrong"
    said = ended(command(folder, {"associations": str(work / "nowhere.csv")}, *CLUSTER), folder, 1)
    assert "nowhere.csv: no such file" in said and said.count("localrule members:") == 1, said
    assert not submissions(said), said

    bad = shutil.copytree(association.parent, work / "units")
    for path in bad.glob("*_cal.fits"):
        fits.setval(path, "BUNIT", value="adu", extname="SCI")
    config = {
        "associations": str(bad / association.name),
        "mosaic": {"final_units": "cps"},
        "batch_size": SMALL["exposures"],
    }
    said = ended(command(folder, config, *CLUSTER), folder, 1)
    assert len(submissions(said)) == 1 and "restart" not in said, said
    assert "mosaic.units cps needs a rate" in said
    assert not list(folder.glob("results/.refused")), "what was refused outlives the run"


def demo(work: Path) -> None:
    """The exposures of `make demo` here and on Slurm, one after the other."""
    made = simulate(work / "data", **PARAMETERS)
    config = {"associations": made["associations"]}
    for name, options in (("local", ("--cores", os.cpu_count())), ("cluster", CLUSTER)):
        began = time.monotonic()
        said = ended(command(work / name, config, *options), work / name)
        print(f"{name}: {time.monotonic() - began:.0f} s, {len(submissions(said))} submissions", flush=True)
    print(f"{the_same(work / 'local', work / 'cluster')} products have the same bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", action="store_true", help="time the exposures of make demo")
    chosen = parser.parse_args()
    try:
        slurm.install()
    except slurm.Unavailable as reason:
        print(f"cluster-test: passed over: {reason}")
        return 0
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the daemons are stopped then too
    with tempfile.TemporaryDirectory(prefix="cluster-") as name, slurm.cluster():
        work = Path(name)
        if chosen.demo:
            demo(work)
            return 0
        association = Path(simulate(work / "data", **SMALL)["associations"][0])
        config = {"associations": str(association), "batch_size": 2}
        counted = stopped_and_resumed(work, config)
        print(f"stopped and resumed on Slurm: {counted}, {time.monotonic() - began:.0f} s", flush=True)
        in_one_allocation(work, config)
        same = the_same(work / "allocation", work / "cluster")
        ended(command(work / "local", config, "--cores", os.cpu_count()), work / "local")
        the_same(work / "local", work / "cluster")
        print(f"{same} products have the same bytes on Slurm, in one allocation and here", flush=True)
        wrong_inputs(work, association)
        print(f"wrong inputs are told once; {time.monotonic() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
