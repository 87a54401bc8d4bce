"""Peak RSS and time of every rule, from the benchmark files of finished runs; and the slope of memory.

    python benchmarks/rss.py results/PRODUCT [results_of_a_larger_run/PRODUCT ...]

Reads ``benchmark/{rule}/*.tsv`` (and ``benchmark/{rule}.tsv``) of each product folder, as Snakemake writes
them: ``max_rss`` in MiB, ``s`` in seconds. With two folders or more, the growth of each rule's peak from the
first to the last follows, in MiB for each further group of the association (an image of the stack: compare it
with ``median.combine_bufsize``). A job that ends before Snakemake's first sample (about 0.5 s) has no value:
such jobs are counted as unmeasured.
"""

import csv
import math
import statistics
import sys
from pathlib import Path


def measured(value):
    """A number of a benchmark file, None where Snakemake had no sample."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


def benchmarks(product_dir):
    """rule -> list of rows of the benchmark files."""
    rules = {}
    folder = Path(product_dir) / "benchmark"
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).parts
        rule = parts[0] if len(parts) > 1 else path.stem
        with open(path, newline="") as stream:
            rules.setdefault(rule, []).extend(csv.DictReader(stream, delimiter="\t"))
    return rules


def groups(product_dir):
    """Number of groups (exposures) of a product."""
    with open(Path(product_dir) / "members.csv", newline="") as stream:
        return len({row["group"] for row in csv.DictReader(stream) if row["exptype"].lower() == "science"})


def summary(rows):
    """Jobs, peak RSS (MiB, None if no job was sampled), unmeasured jobs, median and total seconds."""
    peaks = [measured(row["max_rss"]) for row in rows]
    known = [peak for peak in peaks if peak]
    seconds = [measured(row["s"]) or 0.0 for row in rows]
    return {
        "jobs": len(rows),
        "peak": max(known) if known else None,
        "unmeasured": len(rows) - len(known),
        "median_s": statistics.median(seconds),
        "total_s": sum(seconds),
    }


def main(folders):
    runs = [
        (Path(folder), groups(folder), {rule: summary(rows) for rule, rows in benchmarks(folder).items()})
        for folder in folders
    ]
    for folder, number, rules in runs:
        print(f"{folder}: {number} groups")
        print(
            f"  {'rule':<18s}{'jobs':>5s}{'peak RSS':>10s}{'median s':>10s}{'total s':>9s}{'unmeasured':>12s}"
        )
        for rule, row in rules.items():
            peak = "-" if row["peak"] is None else f"{row['peak']:.0f}"
            times = f"{row['median_s']:>10.2f}{row['total_s']:>9.1f}"
            print(f"  {rule:<18s}{row['jobs']:>5d}{peak:>10s}{times}{row['unmeasured']:>12d}")
    if len(runs) > 1 and runs[-1][1] != runs[0][1]:
        (_, first, before), (_, last, after) = runs[0], runs[-1]
        print(f"growth from {first} to {last} groups, MiB for each further group")
        for rule in after:
            a, b = before.get(rule, {}).get("peak"), after[rule]["peak"]
            if a and b:
                print(f"  {rule:<18s}{(b - a) / (last - first):>8.2f}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])
