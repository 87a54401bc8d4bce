"""Calling the peers: their interpreters are those of ``make parity``, or of DRIZZLEFLOW_PEER_JWST and
DRIZZLEFLOW_PEER_DRIZZLEPAC.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm

REPO = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
#: what lets a peer's interpreter import ours, and leaves no bytecode of its version behind
OURS = {"PYTHONPATH": os.pathsep.join([str(HERE), str(REPO / "scripts")]), "PYTHONDONTWRITEBYTECODE": "1"}
JWST = Path(os.environ.get("DRIZZLEFLOW_PEER_JWST", REPO / ".venv-jwst" / "bin" / "python"))
DRIZZLEPAC = Path(os.environ.get("DRIZZLEFLOW_PEER_DRIZZLEPAC", REPO / ".venv-drizzlepac" / "bin" / "python"))
STCAL = Path(os.environ.get("DRIZZLEFLOW_STCAL_SOURCE", JWST.parents[1] / "stcal-1.20.0"))


def require(path):
    """Without a peer (or its sources) tests are skipped; with DRIZZLEFLOW_PARITY=1 they fail."""
    if not path.exists():
        message = f"no peer at {path}: run `make parity`"
        pytest.fail(message) if os.environ.get("DRIZZLEFLOW_PARITY") == "1" else pytest.skip(message)


def call(command, cwd, **environment) -> str:
    """What a command printed; the test fails with its last words where it failed."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def workflow(options, cwd) -> None:
    """Run our workflow in a working folder, in processes forked from a warm one (tests/warm.py)."""
    command = [SNAKEMAKE, "--snakefile", REPO / "Snakefile", "--cores", 2, *options]
    with open(cwd / "said.txt", "a+") as said:
        status = warm.run(command, cwd, ENVIRONMENT, [said.fileno()] * 2, timeout=None)
        said.seek(0)
        assert status == 0, f"{command}\n{said.read()[-6000:]}"


def drawn(script, folder, count) -> dict:
    """The table of `count` drawn configurations that a script makes, run by the jwst peer's interpreter."""
    require(JWST)
    path = folder / "table.json"
    call([JWST, HERE / script, path, "0", count], folder, **OURS)
    return json.loads(path.read_text())


def stcal_tests(shim, arguments, report, **environment) -> dict:
    """Run tests of stcal's own with ours in place of the peer's; what `shim_report` wrote."""
    command = [JWST, "-m", "pytest", "-q", "-p", shim, "-p", "no:cacheprovider", *arguments]
    here = {**ENVIRONMENT, **OURS, "DRIZZLEFLOW_SHIM_REPORT": str(report), **environment}
    done = subprocess.run(
        command, cwd=STCAL, env=here, capture_output=True, text=True, check=False
    )  # failures are in the report
    assert report.exists(), f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return json.loads(report.read_text())


def check_outcomes(title, report, count, excepted) -> None:
    """All of `count` tests passed but the `excepted`, which did not."""
    tests = report["tests"]
    failed = {name: test["message"] for name, test in tests.items() if test["outcome"] != "passed"}
    print(
        f"\n{title}: {len(tests) - len(failed)} of {len(tests)} pass, {len(excepted)} excepted; calls: {report['calls']}"
    )
    assert len(tests) == count
    unexpected = {name: message for name, message in failed.items() if name not in excepted}
    assert not unexpected, "\n\n".join(f"{name}\n{message}" for name, message in unexpected.items())
    assert set(excepted) <= set(failed), f"these pass now: {sorted(set(excepted) - set(failed))}"


def astrodrizzle(inputs, variants) -> Path:
    """AstroDrizzle on a folder of inputs; the folder of the variants' folders."""
    require(DRIZZLEPAC)
    call([DRIZZLEPAC, HERE / "peer_drizzlepac.py", inputs, inputs / "runs", "--only", *variants], inputs)
    return inputs / "runs"
