"""The outlier test on simulated exposures: what it finds and harms, beside other settings and programs.

    .venv/bin/python benchmarks/outliers.py simulate --kinds base hard --exposures 2 4 8 --seeds 1 2
    .venv/bin/python benchmarks/outliers.py run --kinds base hard --exposures 4 --methods default jwst-3.0.0
    .venv/bin/python benchmarks/outliers.py score --kinds base --exposures 4 --methods default jwst
    .venv/bin/python benchmarks/outliers.py photometry --kinds hard --exposures 8 --methods default jwst-3.0.0
    .venv/bin/python benchmarks/outliers.py events --methods default jwst

Everything is kept in the work folder (--work) and made only where it is missing or made by other code: sets
of exposures, named by kind, exposures, seed and side, and in each the masks of every method
(``runs/METHOD/masks.npz``). `run` also simulates, `score` also runs. A method is one of our configurations
(`default`, `median`, `jwst`, ... or --config NAME=JSON), run by the real workflow up to `crmask`, or a
program of `make parity`: jwst 3.0.0 (skymatch and outlier_detection), drizzlepac's AstroDrizzle, both at
their defaults. A program that is not installed is left out.

Kinds: base, FWHM 2 px; hard, FWHM 1.4 px and pointing errors of 0.1 px; dense, rays on 3 % of the pixels
instead of 0.5; galaxies, brighter and larger ones; low and lowclusters, 0.1 % of the first exposure's pixels
are 10 to 300 sigma too low; depth2, depth5, every second exposure so many times as noisy; photons,
hardphotons, ERR holds the rays' own photons, as in real files (not in the others); hst (photons in ERR,
charge trails), roman, simple; calm, no rays at all.

The table has a row a (kind, exposures, method), figures as mean (worst) of the seeds;
`drizzleflow.simulate.outlier_scores` says what each column is. photometry: `outlier_photometry.py`; events:
`outlier_events.py`.
"""

import argparse
import json
import sys
from pathlib import Path

import outlier_sets as sets

from drizzleflow.simulate import outlier_scores as scores

REPO = sets.REPO


def configuration(text):
    """NAME=JSON."""
    name, _, content = text.partition("=")
    return name, json.loads(content)


def arguments(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("simulate", "run", "score", "photometry", "events"))
    p.add_argument("--work", type=Path, default=Path("outliers-work"))
    p.add_argument("--kinds", nargs="+", choices=sets.KINDS, default=["base", "hard"])
    p.add_argument("--exposures", type=int, nargs="+", default=[2, 3, 4, 6, 8, 16])
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    p.add_argument("--side", type=int, default=1024, help="pixels; a frame's rows and columns")
    p.add_argument(
        "--density", type=float, default=1.0, help="of stars and galaxies; more make src and star surer"
    )
    p.add_argument("--dither", type=float, default=0.05, help="radius of the pattern, in units of the side")
    p.add_argument("--methods", nargs="+", default=["default", *sets.PEERS])
    p.add_argument(
        "--config",
        type=configuration,
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a configuration of ours",
    )
    p.add_argument("--cores", type=int, default=2)
    p.add_argument("--keep", action="store_true", help="keep all that the runs write")
    p.add_argument(
        "--jwst", type=Path, default=REPO / ".venv-jwst" / "bin" / "python", help="jwst's interpreter"
    )
    p.add_argument("--drizzlepac", type=Path, default=REPO / ".venv-drizzlepac" / "bin" / "python")
    p.add_argument("--output", type=Path, help="also write the figures there, as JSON")
    options = p.parse_args(argv)
    options.configs = sets.OURS | dict(options.config)
    unknown = [m for m in options.methods if m not in options.configs and m not in sets.PEERS]
    if unknown:
        p.error(
            f"methods {', '.join(unknown)}: expected {', '.join([*options.configs, *sets.PEERS])}, or --config"
        )
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def chosen(options, kind, exposures):
    """The sets of a row, one a seed."""
    return [
        sets.Set(kind, exposures, seed, options.side, options.density, options.dither)
        for seed in options.seeds
    ]


def rows(options):
    """(kind, exposures, method) of the table, in order."""
    return [(k, n, m) for k in options.kinds for n in options.exposures for m in options.methods]


def simulate(options):
    for kind in options.kinds:
        for exposures in options.exposures:
            for one in chosen(options, kind, exposures):
                sets.simulate(options.work, one)
                print(one.name, flush=True)


def run(options):
    for kind, exposures, method in rows(options):
        for one in chosen(options, kind, exposures):
            folder = sets.run(options.work, one, method, options)
            if folder:
                print(
                    one.name,
                    method,
                    json.loads((folder / "run.json").read_text())["seconds"],
                    "s",
                    flush=True,
                )


def counted(options, one, method):
    """Counts of one run; None where the method does not do such sets."""
    folder = sets.run(options.work, one, method, options)
    if folder is None:
        return None
    masks, truth = sets.read_masks(folder), scores.read_truth(one.truth(options.work))
    if missing := sorted(set(truth) - set(masks)):
        sys.exit(f"{folder}: no mask of {missing[0]}")
    return scores.added(scores.frame_counts(masks[key], truth[key]) for key in truth)


def score(options):
    table = []
    for kind, exposures, method in rows(options):
        counts = {one.seed: counted(options, one, method) for one in chosen(options, kind, exposures)}
        counts = {seed: some for seed, some in counts.items() if some is not None}
        if not counts:
            continue
        runs = {seed: scores.figures(some) for seed, some in counts.items()}
        table.append(
            {"kind": kind, "exposures": exposures, "side": options.side, "method": method}
            | {"over": scores.over_runs(list(runs.values())), "figures": runs, "counts": counts}
        )
    print(markdown(table))
    if options.output:
        content = {"columns": scores.COLUMNS, "seeds": options.seeds, "rows": table}
        options.output.write_text(json.dumps(content, indent=1) + "\n")


def markdown(table) -> str:
    """The rows as a Markdown table; columns without any figure are left out."""
    columns = [c for c in scores.COLUMNS if any(row["over"][c] for row in table)]
    lines = [["kind", "N", "method", "seeds", *columns]]
    for row in table:
        cells = [row["kind"], str(row["exposures"]), row["method"], str(len(row["figures"]))]
        for column in columns:
            value, digits = row["over"][column], 3 if column == "low_false" else 2
            if value is None:
                cells.append("-")
            elif len(row["figures"]) == 1:
                cells.append(f"{value[0]:.{digits}f}")
            else:
                cells.append(f"{value[0]:.{digits}f} ({value[1]:.{digits}f})")
        lines.append(cells)
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def photometry(options):
    import outlier_photometry

    outlier_photometry.table(options, chosen)


def events(options):
    import outlier_events

    outlier_events.table(options)


def main(argv=None):
    options = arguments(argv)
    {f.__name__: f for f in (simulate, run, score, photometry, events)}[options.what](options)


if __name__ == "__main__":
    main()
