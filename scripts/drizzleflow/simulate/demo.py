"""The demonstration: it simulates exposures, runs the workflow on them, and counts the cosmic rays flagged.

``make demo`` runs it as ``python -m drizzleflow.demo FOLDER SNAKEMAKE FLAVOUR``. A second call makes only what
is missing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.plan import roads
from drizzleflow.plan.codehash import code_hash

#: arguments of `drizzleflow.simulate.simulate`
PARAMETERS = {"flavour": "jwst", "exposures": 6, "detectors": 2, "shape": [1024, 1024], "seed": 1}
CORES = 2
TAIL = 40  #: lines of the log that are shown after a failure
PACKAGE = Path(__file__).resolve().parents[1]
SNAKEFILE = PACKAGE.parents[1] / "Snakefile"
_DONE = re.compile(r"^(\d+) of (\d+) steps \(.*\) done")
_RULE = re.compile(r"^\s*(?:local)?(?:rule|checkpoint) (\w+):")


def simulated(folder: Path, parameters: dict = PARAMETERS) -> dict:
    """Simulate exposures in `folder`, unless it has those of the same parameters and code.

    Returns
    -------
    dict
        ``associations``, ``members``, ``truth`` (paths relative to `folder`) and ``products`` (names).
    """
    stamp = folder / "simulation.json"
    wanted = {"parameters": parameters, "code": code_hash(PACKAGE / "simulate/exposures.py", PACKAGE)}
    try:
        there = json.loads(stamp.read_text(encoding="utf-8"))
        made = there.pop("made")
        if there == wanted and all(
            (folder / p).exists() for p in [*made["members"], *made["associations"], made["truth"]]
        ):
            print(f"exposures: those of an earlier run in {folder}")
            return made
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from drizzleflow.simulate.exposures import simulate

    print(
        f"exposures: simulating {parameters['exposures']} of {parameters['detectors']} detectors "
        f"({parameters.get('flavour', 'jwst')}) in {folder}",
        flush=True,
    )
    stamp.unlink(missing_ok=True)
    made = simulate(folder, **parameters)
    for key in ("associations", "members"):
        made[key] = [os.path.relpath(path, folder) for path in made[key]]
    made["truth"] = os.path.relpath(made["truth"], folder)
    # written last, since it says that all is there
    write_text(stamp, json.dumps({**wanted, "made": made}, indent=1) + "\n")
    return made


def run(folder: Path, snakemake: str, log: Path) -> int:
    """Run the whole workflow in `folder` with its ``config.yaml``, and return the exit status.

    The output goes to `log`, and the progress to the screen.
    """
    command = [snakemake, "--snakefile", str(SNAKEFILE), "--cores", str(CORES), "--configfile", "config.yaml"]
    path = os.pathsep.join([os.path.dirname(snakemake), os.environ.get("PATH", "")])
    rule, shown, started = "", 0.0, time.monotonic()
    with (
        open(log, "w", encoding="utf-8") as out,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path, "OPENBLAS_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        for line in process.stdout:
            out.write(line)
            out.flush()
            if started_rule := _RULE.match(line):
                rule = started_rule[1]
            if step := _DONE.match(line):
                done, total, now = int(step[1]), int(step[2]), time.monotonic()
                if done == total or now - shown >= 4:
                    last = rule if done < total else "done"
                    print(f"  {done:3d} of {total} jobs  {now - started:4.0f} s  {last}", flush=True)
                    shown = now
    if not process.returncode and not shown:
        print("  nothing to do: everything is there", flush=True)
    return process.returncode


def tell(folder: Path, made: dict) -> None:
    """Print where the products are, and how many of the planted cosmic rays the masks have."""
    from drizzleflow.simulate.score import score

    for product in made["products"]:
        home = folder / "results" / product
        total = score(folder / "exposures" / made["truth"], home)["total"]
        print(f"mosaic:  {home / roads.path('mosaic', 'mosaic', product=product)}")
        print(f"report:  {home / roads.path('report', 'report')}")
        print(
            f"cosmic rays: {total['found']} of {total['events']} planted ones found "
            f"({_percent(total, 'completeness')}); {total['found_deep']} of {total['events_deep']} "
            "where three or more exposures overlap "
            f"({_percent(total, 'completeness_deep')})"
        )
        false = total["false"] / total["flags"] if total["flags"] else 0.0
        print(f"flags:   {total['flags']} pixels, {total['false']} of them false ({100 * false:.1f} %)")
    print(
        "(a cosmic ray counts with a pixel above 5 sigma; a flag is false where no planted pixel touches it)"
    )


def _percent(total: dict, key: str) -> str:
    return "-" if total[key] is None else f"{100 * total[key]:.1f} %"


def demo(folder, snakemake, parameters: dict = PARAMETERS) -> int:
    """Simulate exposures, run the workflow on them, and print the result.

    Parameters
    ----------
    folder : path
        Where ``exposures/``, ``config.yaml``, ``results/`` and ``snakemake.log`` are written; made if
        missing.
    snakemake : path
        The snakemake command; a name without a slash is looked for in PATH.
    parameters : dict
        Arguments of `drizzleflow.simulate.simulate`.

    Returns
    -------
    int
        0 if the workflow ended well, else 1.

    Raises
    ------
    InputError
        There is no such command or flavour, or no Snakefile beside the library; nothing is written then.
    """
    from drizzleflow.simulate.specs import camera_of

    started, folder = time.monotonic(), Path(folder)
    camera_of(parameters["flavour"])
    snakemake = os.fspath(snakemake)
    if os.sep in snakemake:
        snakemake = os.path.abspath(snakemake)  # the workflow runs in another folder
        if not os.access(snakemake, os.X_OK):
            raise InputError(f"{snakemake}: no such command; expected snakemake (make env installs it)")
    if not SNAKEFILE.is_file():
        raise InputError(f"{SNAKEFILE}: no such file; the demo runs from a checkout of drizzleflow")
    (folder / "exposures").mkdir(parents=True, exist_ok=True)
    made = simulated(folder / "exposures", parameters)
    config, log = folder / "config.yaml", folder / "snakemake.log"
    listed = "".join(f"  - exposures/{path}\n" for path in made["associations"])
    note = "# written by the demo; every other setting is a default of config/config.yaml\n"
    write_text(config, f"{note}associations:\n{listed}")
    print(
        f"workflow: snakemake --cores {CORES} --configfile config.yaml, in {folder} (its output: {log})",
        flush=True,
    )
    status = run(folder, snakemake, log)
    if status:
        with open(log, encoding="utf-8") as text:
            sys.stderr.write("".join(text.readlines()[-TAIL:]))
        print(f"demo: the workflow failed (status {status}); its whole output is {log}", file=sys.stderr)
        return 1
    tell(folder, made)
    print(f"time:    {time.monotonic() - started:.0f} s")
    return 0


def main(argv=None) -> int:
    """Run the command ``python -m drizzleflow.demo``; return its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) not in (2, 3):
        print("usage: python -m drizzleflow.demo FOLDER SNAKEMAKE [FLAVOUR]", file=sys.stderr)
        return 2
    folder, snakemake, *flavour = arguments
    try:
        return demo(folder, snakemake, {**PARAMETERS, **({"flavour": flavour[0]} if flavour else {})})
    except InputError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped; the same command goes on from here", file=sys.stderr)
        return 130
