"""Which state of the code runs, and with which configuration files: told to the jobs through the environment.

It goes into the records, not into rules' parameters: there every commit would start all jobs anew. What decides whether a job
runs again is the hash of the code that it reaches (`drizzleflow.plan.codehash`).
"""

from __future__ import annotations

import json
import os
import subprocess

VARIABLE = "DRIZZLEFLOW_CHECKOUT"  #: environment variable: JSON with ``git`` and ``config``


def describe(root) -> dict | None:
    """``{"commit": hash, "dirty": bool}`` of the git checkout in folder `root`.

    ``dirty``: a tracked file differs from the commit. None where `root` is no checkout's own folder (an archive, a copy inside
    another repository), where there is no git, or where it does not answer.
    """
    if not os.path.exists(os.path.join(root, ".git")):
        return None
    command = [
        "git",
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "-C",
        os.fspath(root),
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
        "--ignore-submodules",
    ]
    elsewhere = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        said = subprocess.run(
            command,
            env=elsewhere,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.splitlines()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    commit = next((line.split()[-1] for line in said if line.startswith("# branch.oid ")), "(initial)")
    if commit == "(initial)":  # nothing is committed yet
        return None
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in said)}


def announce(git: dict | None, config=()) -> None:
    """Tell the scripts that this process starts; `git` as `describe` gives it, `config` the configuration files."""
    os.environ[VARIABLE] = json.dumps({"git": git, "config": [os.fspath(path) for path in config]})


def announced() -> dict:
    """``{"git": dict or None, "config": list of paths}`` as announced; nothing where nobody did."""
    try:
        found = json.loads(os.environ[VARIABLE])
        return {"git": found["git"] and dict(found["git"]), "config": list(found["config"])}
    except (KeyError, ValueError, TypeError):
        return {"git": None, "config": []}
