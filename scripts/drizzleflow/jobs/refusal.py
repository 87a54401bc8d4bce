"""What a job says of its input once, it does not work out again in the same run.

An `InputError` cannot be helped by a second attempt, and Snakemake makes one of every job that fails (its
``--retries``, ``restart-times`` in the profiles for clusters). Such a job leaves its message in a folder
below the output folder: the run does not start the job again, and where it is started after all, it ends at
once with the same message. The folder is emptied when a run begins and ends, so that a mended input is read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress

from drizzleflow.io.files import write_text

#: the folder's name below the output folder
FOLDER = ".refused"
#: environment variable: the path of the folder
VARIABLE = "DRIZZLEFLOW_REFUSED"


def announce(outdir) -> None:
    """Announce the output folder to this process's scripts."""
    os.environ[VARIABLE] = os.path.abspath(os.path.join(outdir, FOLDER))


def clear(outdir) -> None:
    """Forget what was told; afterwards there is no folder."""
    shutil.rmtree(os.path.join(outdir, FOLDER), ignore_errors=True)


def tell(log, message: str) -> None:
    """Leave the message of the job that writes the log `log`; do nothing in a script that is run by hand."""
    with suppress(KeyError, OSError):  # a full disk: the job is tried again
        write_text(_path(log), message)


def told(log) -> str | None:
    """Return the message that the job with the log `log` left in this run; None if there is none."""
    try:
        with open(_path(log), encoding="utf-8") as file:
            return file.read()
    except (KeyError, OSError):
        return None


def _path(log) -> str:
    return os.path.join(os.environ[VARIABLE], hashlib.sha256(os.fspath(log).encode()).hexdigest())
