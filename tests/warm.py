"""Snakemake and its jobs in processes that need not start: forks of one that has imported the packages.

A start of Python with its packages costs half a second for each job and two for the engine, more than the
work on the small exposures of these tests. `run` is the same command, Snakefile and scripts, each still in a
process of its own that imports drizzleflow anew; only numpy, astropy, Snakemake and so on are there. A
process of its own (this file, run as a program) is the parent of all: it has one thread and only forks.

Not for runs that are killed or measured: forks hold the parent's memory too.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress

SOCKET = "DRIZZLEFLOW_TESTS_WARM"  #: environment variable: where the parent listens
KILLED = 137  #: what a shell says of a process that SIGKILL ended


# -- the asking side ----------------------------------------------------------------------------------


def ask(path: str, request: dict, output: list[int], timeout: float | None = None) -> int:
    """Have a process forked and wait for its end: its status.

    Parameters
    ----------
    path : str
        Where the parent of the forks listens.
    request : dict
        ``words`` (the command line), ``folder`` (where it works), ``environment``, and ``engine``: whether it
        is Snakemake, or a script.
    output : list of int
        The descriptors of its stdout and stderr.
    timeout : float, optional
        Seconds, after which it is killed and TimeoutError raised.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"+"], output)
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as answer:
            number = int(answer.readline())
            connection.settimeout(timeout)
            try:
                return int(answer.readline() or KILLED)
            except TimeoutError:
                os.kill(number, signal.SIGKILL)  # its jobs end with it
                raise


def run(words: list, folder, environment: dict, output: list[int], timeout: float | None = 600) -> int:
    """Run a command line of ``snakemake`` in a folder to its end: its status. `output`: as that of `ask`."""
    path = parent().path
    request = {
        "engine": True,
        "words": [str(word) for word in words],
        "folder": os.fspath(folder),
        "environment": {**environment, SOCKET: path},
    }
    return ask(path, request, output, timeout)


@functools.cache
def parent() -> Parent:
    return Parent()


class Parent:
    """The parent of the forks, and where it listens. It ends with the process that has started it."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        self.path = os.path.join(self._folder.name, "socket")
        words = [sys.executable, os.path.abspath(__file__), self.path]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"


# -- the forks ------------------------------------------------------------------------------------------


def engine() -> None:
    """Snakemake's command, whose Python scripts are forks too."""
    import snakemake.cli
    from snakemake.script import PythonScript

    def execute_script(self, name, edit=False):
        request = {"engine": False, "words": [name], "folder": os.getcwd(), "environment": dict(os.environ)}
        began = time.monotonic()
        status = ask(os.environ[SOCKET], request, [1, 2])
        if self.bench_record is not None:
            self.bench_record.running_time = time.monotonic() - began
        if status:
            raise subprocess.CalledProcessError(status, f"{sys.executable} {name}")

    PythonScript.execute_script = execute_script
    snakemake.cli.main(sys.argv[1:])


def become(request: dict, output: list[int]) -> int:
    """Be the process that was asked for: its status."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, descriptor in enumerate(output, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    here = [] if request["engine"] else [os.path.dirname(request["words"][0])]
    sys.path[:0] = [*here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv[:] = request["words"]
    try:
        engine() if request["engine"] else runpy.run_path(sys.argv[0], run_name="__main__")
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        with suppress(OSError):
            sys.stdout.flush(), sys.stderr.flush()


def serve(path: str) -> None:
    """Fork for each request, until the standard input ends."""
    for name in PACKAGES:
        importlib.import_module(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if listening not in ready:
            return
        connection, _ = listening.accept()
        with suppress(ChildProcessError):  # those that have ended; they have told their status themselves
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork():
            connection.close()
            continue
        listening.close()
        connection.sendall(f"{os.getpid()}\n".encode())
        _, output, _, _ = socket.recv_fds(connection, 1, 2)
        with connection.makefile("rb", buffering=0) as file:
            status = become(json.loads(file.readline()), output)
        connection.sendall(f"{status}\n".encode())
        os._exit(0)


#: what the engine and the jobs import, but drizzleflow: each process takes that from its own PYTHONPATH
PACKAGES = (
    "asdf",
    "astropy.io.fits",
    "astropy.modeling.models",
    "astropy.wcs",
    "drizzle.resample",
    "gwcs.wcs",
    "jinja2",
    "pandas",
    "PIL.Image",
    "scipy.ndimage",
    "scipy.spatial",
    "shapely",
    "snakemake.cli",
    "snakemake.script",
    "spherical_geometry.polygon",
)


if __name__ == "__main__":
    serve(sys.argv[1])
