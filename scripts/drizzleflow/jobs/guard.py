"""Two guards: jobs do not outlive their run, and do not read members that were replaced during it.

When the Snakemake process is killed, its jobs' scripts would go on writing while the next run makes the same
files, perhaps with other settings. The Snakefile therefore announces the process that parses it, and every
script ends at once when that process is gone.

A member that is replaced during a run would get into one product in two versions. The Snakefile therefore
also announces the plan's cache, which has the size and time stamp of every member, and a job whose members
differ fails.
"""

from __future__ import annotations

import json
import os
import select
import threading

from drizzleflow.io.files import kept

#: environment variable: the number of the process that the scripts follow
VARIABLE = "DRIZZLEFLOW_RUN"
#: environment variable: the path of the plan's cache (`drizzleflow.plan.cache`)
PLAN = "DRIZZLEFLOW_PLAN"


def announce(plan) -> None:
    """Announce this process, and the path of its plan's cache (None: there is none), to the scripts."""
    os.environ[VARIABLE] = str(os.getpid())
    os.environ.pop(PLAN, None)
    if plan is not None:
        os.environ[PLAN] = os.path.abspath(plan)


def replaced(paths) -> list[str]:
    """The input files whose size or time stamp is not the one in the announced plan."""
    try:
        planned = _planned(os.environ[PLAN])
    except (KeyError, OSError, ValueError):  # run by hand, or the disk was too full for the cache
        return []
    changed = []
    for path in map(os.fspath, paths):
        known = planned.get(os.path.abspath(path))
        if known and os.path.exists(path):  # a file that has been deleted since has been read already
            status = os.stat(path)
            if [status.st_size, status.st_mtime_ns] not in known:
                changed.append(path)
    return changed


@kept
def _planned(path) -> dict[str, list]:
    """Path -> [size, time stamp] of each entry in the plan's cache."""
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["files"]
    planned = {}
    for key, entry in entries.items():
        planned.setdefault(key.rpartition(" ")[0], []).append(entry[:2])
    return planned


def follow() -> None:
    """End this process as soon as the announced process is gone; do nothing where none can be seen."""
    try:
        run = int(os.environ[VARIABLE])
        handle = os.pidfd_open(run)
    except ProcessLookupError:
        os._exit(1)
    except (KeyError, ValueError, AttributeError, OSError):  # run by hand, not Linux, in another name space
        return
    threading.Thread(target=_wait, args=(handle,), daemon=True, name="guard").start()


def _wait(handle) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    os._exit(1)
