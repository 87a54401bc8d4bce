"""Memory and time of every rule of finished runs: mem_mb asked beside the peak that was measured; and the
slope of memory.

    python benchmarks/rss.py results/PRODUCT [results_of_a_larger_run/PRODUCT ...]

Reads the jobs' records (``record/**/*.json``): ``mem_mb`` is what the rule asked for, ``peak_mb`` the largest
resident memory of the job's process (MiB, from the kernel, not sampled). For each rule: the largest peak, the
range of mem_mb, the smallest and the largest ratio of mem_mb to peak, with ``!`` where a job's ratio is not
from 1.1 to 1.6 (see `honest`), and the seconds. With two folders or more, the growth of each rule's peak from
the first to the last follows, in MiB for each further group of the association (an image of the stack:
compare it with ``median.combine_bufsize``).
"""

import csv
import json
import statistics
import sys
from pathlib import Path

LOWEST, HIGHEST, FLOOR = 1.1, 1.6, 200
MB = 1e6 / 2**20  #: MiB, what Snakemake means by a megabyte


def honest(asked, peak) -> bool:
    """Whether `asked` (mem_mb) is 1.1 to 1.6 times `peak` (MiB), be a megabyte 10^6 bytes or 2^20; no job
    asks for less than 200.
    """
    return (
        isinstance(asked, int) and asked * MB >= LOWEST * peak and (asked <= HIGHEST * peak or asked == FLOOR)
    )


def jobs(product_dir):
    """rule -> [(mem_mb asked, peak in MiB, seconds, name of the record)] of a product."""
    rules = {}
    for path in sorted((Path(product_dir) / "record").rglob("*.json")):
        record = json.loads(path.read_text())
        job = record["mem_mb"], record["peak_mb"], record["seconds"], path.stem
        rules.setdefault(record["rule"], []).append(job)
    return rules


def groups(product_dir):
    """Number of groups (exposures) of a product."""
    with open(Path(product_dir) / "members.csv", newline="") as stream:
        return len({row["group"] for row in csv.DictReader(stream) if row["exptype"].lower() == "science"})


def line(rule, found) -> str:
    """A rule's line of the table."""
    asked, peaks, seconds, _ = zip(*found, strict=True)
    ratios = [a / p for a, p in zip(asked, peaks, strict=True)]
    wrong = sum(not honest(a, p) for a, p, *_ in found)
    span = f"{min(asked)}-{max(asked)}" if min(asked) < max(asked) else f"{asked[0]}"
    ratio = f"{min(ratios):.2f}-{max(ratios):.2f}"
    text = f"  {rule:<22s}{len(found):>5d}{max(peaks):>9.0f}{span:>12s}{ratio:>13s}"
    return f"{text}{statistics.median(seconds):>10.2f}{sum(seconds):>9.1f}{f'  ! {wrong}' if wrong else ''}"


def main(folders):
    runs = [(Path(folder), groups(folder), jobs(folder)) for folder in folders]
    for folder, number, rules in runs:
        print(f"{folder}: {number} groups")
        print(
            f"  {'rule':<22s}{'jobs':>5s}{'peak MiB':>9s}{'mem_mb':>12s}{'ratio':>13s}{'median s':>10s}{'total s':>9s}"
        )
        for rule, found in rules.items():
            print(line(rule, found))
    if len(runs) > 1 and runs[-1][1] != runs[0][1]:
        (_, first, before), (_, last, after) = runs[0], runs[-1]
        print(f"growth from {first} to {last} groups, MiB for each further group")
        for rule in after.keys() & before.keys():
            a, b = (max(job[1] for job in rules[rule]) for rules in (before, after))
            print(f"  {rule:<22s}{(b - a) / (last - first):>8.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
