"""The git commit that runs and its configuration files, announced to the jobs through the environment.

Both go into the records. They are no parameters of rules, since every commit would then start all jobs again;
the hash of the code that a job reaches (`drizzleflow.plan.codehash`) decides whether it runs again.
"""

from __future__ import annotations

import json
import os
import subprocess

VARIABLE = "DRIZZLEFLOW_CHECKOUT"  #: environment variable: JSON with ``git`` and ``config``


def describe(root) -> dict | None:
    """``{"commit": hash, "dirty": bool}`` of the git checkout in the folder `root`.

    ``dirty`` says that a tracked file differs from the commit. The result is None where `root` is not the top
    folder of a checkout (an archive, a copy inside another repository), where nothing is committed, and where
    git is missing or fails.
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
    """Announce the checkout, as `describe` returns it, and the configuration files to the scripts."""
    os.environ[VARIABLE] = json.dumps({"git": git, "config": [os.fspath(path) for path in config]})


def announced() -> dict:
    """``{"git": dict or None, "config": list of paths}`` as announced; None and [] where nothing was."""
    try:
        given = json.loads(os.environ[VARIABLE])
        return {"git": given["git"] and dict(given["git"]), "config": list(given["config"])}
    except (KeyError, ValueError, TypeError):
        return {"git": None, "config": []}
