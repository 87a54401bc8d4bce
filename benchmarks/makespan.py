"""How long a finished run takes on 1 to 128 cores, computed from its records; and what it then waits for.

    python benchmarks/makespan.py RESULTS [--cores 1 2 4 ...] [--start 0.35] [--engine 0.02] [--local RULE ...]

RESULTS is the output folder of a run, or one product in it. A job is what wrote records (``record/**/*.json``)
with the same log, such as a batch of members; its seconds are the sum of theirs. A job waits for those whose
outputs, or records, are among its inputs. Whenever a core is free the main process hands it the job that can
begin and, in the run itself, began first. That takes the main process `--engine` seconds a job, one job after
the other, as Snakemake does; the job then needs `--start` seconds to start its interpreter and libraries, and
its own seconds, which do not depend on what the other cores do. With `--start measured` it is for each job what
Snakemake's benchmark file has beyond the seconds of its records, as for a run on a machine that had other things
to do too. Rules given with `--local` need no core, as those that a cluster's executor leaves to the main process.

It prints a line for each number of cores: wall seconds from the first job's begin to the last one's end, how
many times faster that is than one core (and that over the number of cores, the efficiency), and the steps on the
critical path with their seconds. That path leads back from the last job to end: each of its jobs could not
begin before the one in front of it ended, whose output it reads, or whose core it took. A second table has
each step's jobs and seconds.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

CORES = (1, 2, 4, 8, 16, 32, 64, 128)
START = 0.35  #: s; Python, numpy and the libraries of a job
SERVED = 0.02  #: s of the main process for each job, from the end of the one before to its begin
ENGINE = "engine"  #: what the critical path calls the main process's seconds


@dataclass
class Job:
    """One job of a finished run."""

    name: str  #: its log
    step: str
    began: str  #: ISO 8601
    seconds: float = 0.0
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    after: set[int] = field(default_factory=set)  #: numbers of the jobs that it waits for
    start: float | None = None  #: s that it took in the run before `seconds` began, where that is known


@dataclass
class Schedule:
    """When a run ends, and why not earlier."""

    wall: float  #: s
    path: dict[str, float]  #: step -> s on the critical path, the longest first


def read(results) -> list[Job]:
    """The jobs of a run, or of one of its products, in the order in which they began.

    Raises
    ------
    ValueError
        There is no record.
    """
    jobs: dict[str, Job] = {}
    for path in sorted(Path(results).glob("**/record/**/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        below = path.parts[len(path.parts) - path.parts[::-1].index("record") :]
        job = jobs.setdefault(content["log"], Job(content["log"], Path(below[0]).stem, content["started"]))
        job.began = min(job.began, content["started"])
        job.seconds += content["seconds"]
        job.reads |= {entry["path"] for entry in content["inputs"]}
        job.writes |= {entry["path"] for entry in content["outputs"]}
        # a record does not name itself; the log lies in the same product
        job.writes.add("/".join((content["log"].rpartition("/log/")[0], "record", *below)))
    if not jobs:
        raise ValueError(f"{results}: no record, expected the output folder of a run")
    for job in jobs.values():
        job.start = _start(results, job)
    found = sorted(jobs.values(), key=lambda job: (job.began, job.name))
    maker = {path: number for number, job in enumerate(found) for path in job.writes}
    for number, job in enumerate(found):
        job.after = {maker[path] for path in job.reads if path in maker} - {number}
    return found


def _start(results, job: Job) -> float | None:
    """What Snakemake's benchmark file of a job has beyond the seconds of its records."""
    home, _, name = job.name.rpartition("/log/")
    folder = Path(results) if (Path(results) / "record").is_dir() else Path(results) / Path(home).name
    try:
        lines = (folder / "benchmark" / f"{name.removesuffix('.log')}.tsv").read_text().splitlines()
        return max(0.0, float(lines[1].split()[0]) - job.seconds)
    except (OSError, LookupError, ValueError):
        return None


def simulate(jobs: list[Job], cores: int, start: float | None, engine: float, local=()) -> Schedule:
    """Give jobs to cores as they become free, as the top of this file says.

    `start` None: that of each job in the run.

    Raises
    ------
    ValueError
        Jobs wait for each other, or a job's start is not known.
    """
    if start is None and (unknown := [job.name for job in jobs if job.start is None]):
        raise ValueError(f"{unknown[0]}: no benchmark file beside it, expected one; give seconds as --start")
    followers: list[list[int]] = [[] for _ in jobs]
    missing = [len(job.after) for job in jobs]
    for number, job in enumerate(jobs):
        for before in job.after:
            followers[before].append(number)
    starts = [0.0 if job.step in local else job.start if start is None else start for job in jobs]
    takes = [job.seconds + begin for job, begin in zip(jobs, starts, strict=True)]
    # heaps of numbers: what can begin, with a core and without
    ready: dict[bool, list[int]] = {True: [], False: []}
    running: list[tuple[float, int]] = []
    begun: dict[int, tuple] = {}  # job -> the job whose end let it begin, and when that was
    now, served, free, last, left = 0.0, 0.0, cores, None, len(jobs)
    able = [number for number, count in enumerate(missing) if not count]
    while left:
        for number in able:
            heapq.heappush(ready[jobs[number].step not in local], number)
        while ready[False] or (free and ready[True]):
            core = not ready[False]
            number = heapq.heappop(ready[core])
            free -= core
            begun[number] = last, now
            served = max(now, served) + engine  # the main process has one hand
            heapq.heappush(running, (served + takes[number], number))
        if not running:
            raise ValueError("the records' jobs wait for each other")
        now, last = heapq.heappop(running)
        free += jobs[last].step not in local
        left -= 1
        for number in followers[last]:
            missing[number] -= 1
        able = [number for number in followers[last] if not missing[number]]
    path: Counter = Counter()
    end = now
    while last is not None:
        before, since = begun[last]
        path[jobs[last].step] += takes[last]
        path[ENGINE] += end - since - takes[last]
        last, end = before, since
    return Schedule(now, dict(path.most_common()))


def table(jobs: list[Job], cores, start: float | None, engine: float, local=()) -> str:
    """Both tables as text."""
    one = simulate(jobs, 1, start, engine, local).wall
    told = "as long as in the run" if start is None else f"{start:g} s"
    lines = [f"{len(jobs)} jobs; to start one {told}, {engine:g} s of the main process for each", ""]
    lines.append(f"{'cores':>5s}{'seconds':>9s}{'speed-up':>10s}{'efficiency':>12s}  critical path, seconds")
    for number in cores:
        found = simulate(jobs, number, start, engine, local)
        path = ", ".join(f"{step} {seconds:.1f}" for step, seconds in found.path.items() if seconds >= 0.05)
        speed = one / found.wall
        lines.append(f"{number:>5d}{found.wall:>9.1f}{speed:>10.2f}{speed / number:>12.2f}  {path}")
    lines += ["", f"{'step':<18s}{'jobs':>6s}{'sum':>9s}{'mean':>8s}{'longest':>9s}  seconds, without starts"]
    for step in dict.fromkeys(job.step for job in jobs):
        own = [job.seconds for job in jobs if job.step == step]
        numbers = f"{len(own):>6d}{sum(own):>9.1f}{sum(own) / len(own):>8.2f}{max(own):>9.2f}"
        lines.append(f"{step:<18s}{numbers}")
    total = sum(job.seconds for job in jobs)
    lines.append(f"{'all':<18s}{len(jobs):>6d}{total:>9.1f}{total / len(jobs):>8.2f}")
    return "\n".join(lines)


def _seconds(text: str) -> float | None:
    return None if text == "measured" else float(text)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--cores", type=int, nargs="+", default=CORES, metavar="P")
    parser.add_argument(
        "--start", default=START, type=_seconds, metavar="S", help=f"of a job ({START}), or: measured"
    )
    parser.add_argument("--engine", type=float, default=SERVED, metavar="S", help=f"for a job ({SERVED})")
    parser.add_argument("--local", nargs="*", default=(), metavar="STEP", help="steps that need no core")
    given = parser.parse_args(argv)
    try:
        print(table(read(given.results), given.cores, given.start, given.engine, given.local))
    except (ValueError, KeyError, OSError) as error:
        print(f"makespan: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
