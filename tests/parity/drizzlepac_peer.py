"""Calling drizzlepac 3.11.0: its interpreter is ``.venv-drizzlepac/bin/python`` (make parity makes it), or DRIZZLEFLOW_PEER_DRIZZLEPAC."""

import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PEER = Path(os.environ.get("DRIZZLEFLOW_PEER_DRIZZLEPAC", REPO / ".venv-drizzlepac" / "bin" / "python"))
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


def require():
    """Without the peer tests are skipped; with DRIZZLEFLOW_PARITY=1 they fail."""
    if not PEER.exists():
        message = f"no peer at {PEER}: run `make parity`"
        pytest.fail(message) if os.environ.get("DRIZZLEFLOW_PARITY") == "1" else pytest.skip(message)


def call(command, cwd, **environment) -> str:
    """What a command printed; the test fails with its last words where it failed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def astrodrizzle(inputs, variants) -> Path:
    """AstroDrizzle on a folder of inputs; the folder of the variants' folders."""
    require()
    call([PEER, HERE / "peer_drizzlepac.py", inputs, inputs / "runs", "--only", *variants], inputs)
    return inputs / "runs"
