"""Jobs do not outlive their run, and do not read other files than those that it was planned with.

When the Snakemake process is killed, its jobs' scripts are adopted by another process and would go on
writing while the next run makes the same files, perhaps with other settings. So the Snakefile announces the
process that parses it, and every script ends at once when that process is gone.

A member that is replaced amid a run would get into one product in two versions. So the Snakefile also announces
the plan's cache, which has the size and time stamp of every member, and a job that finds others fails.
"""

from __future__ import annotations

import json
import os
import select
import threading

VARIABLE = "DRIZZLEFLOW_RUN"  #: environment variable: the process that the scripts follow
PLAN = "DRIZZLEFLOW_PLAN"  #: environment variable: the cache (`drizzleflow.plan.Cache`) of the plan that they carry out


def announce(plan) -> None:
    """Name this process as the one to follow, and the file that holds its plan's cache (None: there is none)."""
    os.environ[VARIABLE] = str(os.getpid())
    os.environ.pop(PLAN, None)
    if plan is not None:
        os.environ[PLAN] = os.path.abspath(plan)


def replaced(paths) -> list[str]:
    """Those of some input files that have another size or time stamp than the announced plan saw."""
    try:
        with open(os.environ[PLAN], encoding="utf-8") as file:
            entries = json.load(file)["files"]
    except (KeyError, OSError, ValueError):  # by hand, or on a disk that could not hold it
        return []
    planned = {}
    for key, entry in entries.items():
        planned.setdefault(key.rpartition(" ")[0], []).append(entry[:2])
    found = []
    for path in map(os.fspath, paths):
        known = planned.get(os.path.abspath(path))
        if known and os.path.exists(path):  # one that has gone since was there to be read
            status = os.stat(path)
            if [status.st_size, status.st_mtime_ns] not in known:
                found.append(path)
    return found


def follow() -> None:
    """End this process as soon as the announced one is gone; without one that can be seen, do nothing."""
    try:
        run = int(os.environ[VARIABLE])
        handle = os.pidfd_open(run)
    except ProcessLookupError:
        os._exit(1)
    except (KeyError, ValueError, AttributeError, OSError):  # by hand, another system, another name space
        return
    threading.Thread(target=_wait, args=(handle,), daemon=True, name="guard").start()


def _wait(handle) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    os._exit(1)
