"""Real exposures: files of ../shared/data, beside the checkout, which are too large for the repository.

Where they are not, tests that need them are skipped with a message. In continuous integration (environment
variable ``CI``) they fail instead: nobody reads there that a test was skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def real_data(name: str = "") -> Path:
    """A file or folder by its path below ../shared/data; without it the test is skipped, or fails (CI)."""
    path = HERE / name
    if not path.exists():
        message = f"no real data: {path} is not there"
        if os.environ.get("CI", "").lower() in ("", "0", "false"):
            pytest.skip(message)
        pytest.fail(message)
    return path
