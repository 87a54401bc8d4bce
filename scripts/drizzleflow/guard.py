"""Jobs do not outlive their run.

When the Snakemake process is killed, its jobs' scripts are adopted by another process and would go on
writing while the next run makes the same files, perhaps with other settings. So the Snakefile announces the
process that parses it, and every script ends at once when that process is gone.
"""

from __future__ import annotations

import os
import select
import threading

VARIABLE = "DRIZZLEFLOW_RUN"  #: environment variable: the process that the scripts follow


def announce() -> None:
    """Name this process as the one to follow; the scripts that it starts inherit the name."""
    os.environ[VARIABLE] = str(os.getpid())


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
