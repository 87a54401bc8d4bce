"""A Slurm of one node on this machine, for as long as a test runs: Debian's slurm-wlm and munge."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")  # jobs look for it nowhere else: Snakemake's plugin clears SLURM_CONF
MINE = "# written by drizzleflow's tests/cluster, which removes it again\n"
#: no accounting, as on a small cluster; a job that takes more memory than it asked for is killed
TEXT = """ClusterName=one
SlurmctldHost={host}
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
NodeName={host} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Unavailable(Exception):
    """No Slurm can be had here, and why."""


def install() -> None:
    """Install Debian's packages where they are missing."""
    if os.geteuid():
        raise Unavailable("not root")
    if CONF.exists() and not CONF.read_text().startswith(MINE):
        raise Unavailable(f"{CONF} is there: this machine has a Slurm of its own")
    if all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))):
        return
    if not shutil.which("apt-get"):
        raise Unavailable("no apt-get, and no slurmctld")
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "slurm-wlm", "munge"]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["apt-get", "--quiet", *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}")


@contextmanager
def cluster():
    """Start munged, slurmctld and slurmd, and stop them at the end; gives the folder of their logs."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    started: list[Path] = []  # files with the numbers of processes
    runtime = Path("/run/munge")
    made = not runtime.exists()
    try:
        if subprocess.run(["munge", "-n"], capture_output=True).returncode:
            if made:
                runtime.mkdir(mode=0o755)
                shutil.chown(runtime, "munge", "munge")
            subprocess.run(
                ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged"], check=True
            )
            started.append(runtime / "munged.pid")
        for name in ("state", "spool"):
            (folder / name).mkdir()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10 >> 20
        host = os.uname().nodename.split(".")[0]
        CONF.write_text(MINE + TEXT.format(host=host, folder=folder, cpus=os.cpu_count(), memory=memory))
        for name in ("slurmctld", "slurmd"):
            subprocess.run([name], check=True)
            started.append(folder / f"{name}.pid")
        for _ in range(60):
            shown = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True)
            if shown.stdout.strip() == "idle":
                break
            time.sleep(0.5)
        else:
            raise RuntimeError(f"the node is {shown.stdout or shown.stderr}, expected idle; logs in {folder}")
        yield folder
    finally:
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        for path in reversed(started):
            stop(path)
        if CONF.exists() and CONF.read_text().startswith(MINE):
            CONF.unlink()
        if made:
            shutil.rmtree(runtime, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def stop(path: Path) -> None:
    """End a daemon by the file with its process's number, and wait until it is gone."""
    with suppress(OSError, ValueError):
        number = int(path.read_text())
        os.kill(number, signal.SIGTERM)
        for _ in range(100):
            os.kill(number, 0)
            time.sleep(0.1)
        os.kill(number, signal.SIGKILL)
