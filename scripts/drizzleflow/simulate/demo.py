"""The demonstration: simulate dithered exposures, run the workflow on them, count the cosmic rays that it found.

``python -m drizzleflow.demo FOLDER SNAKEMAKE`` is what ``make demo`` runs. A second call makes only what is missing.
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

#: of `drizzleflow.simulate.simulate`
PARAMETERS = {"flavour": "jwst", "exposures": 6, "detectors": 2, "shape": [1024, 1024], "seed": 1}
CORES = 2
TAIL = 40  #: lines of the log that are shown after a failure
PACKAGE = Path(__file__).resolve().parents[1]
SNAKEFILE = PACKAGE.parents[1] / "Snakefile"
_DONE = re.compile(r"^(\d+) of (\d+) steps \(.*\) done")
_RULE = re.compile(r"^\s*(?:local)?(?:rule|checkpoint) (\w+):")


def simulated(folder: Path, parameters: dict = PARAMETERS) -> dict:
    """The simulated exposures in `folder`, made unless they are there from the same parameters and code.

    Returns
    -------
    dict
        ``associations``, ``members``, ``truth`` (paths relative to `folder`) and ``products`` (names).
    """
    stamp = folder / "simulation.json"
    wanted = {"parameters": parameters, "code": code_hash(PACKAGE / "simulate/exposures.py", PACKAGE)}
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
        made = found.pop("made")
        if found == wanted and all(
            (folder / p).exists() for p in [*made["members"], *made["associations"], made["truth"]]
        ):
            print(f"exposures: those of an earlier run in {folder}")
            return made
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from drizzleflow.simulate.exposures import simulate

    print(
        f"exposures: simulating {parameters['exposures']} of {parameters['detectors']} detectors in {folder}",
        flush=True,
    )
    stamp.unlink(missing_ok=True)
    made = simulate(folder, **parameters)
    for key in ("associations", "members"):
        made[key] = [os.path.relpath(path, folder) for path in made[key]]
    made["truth"] = os.path.relpath(made["truth"], folder)
    write_text(
        stamp, json.dumps({**wanted, "made": made}, indent=1) + "\n"
    )  # last: it says that all is there
    return made


def run(folder: Path, snakemake: str, log: Path) -> int:
    """Run the whole workflow in `folder` with its ``config.yaml``; output to `log`, progress to the screen; exit status."""
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
            if found := _RULE.match(line):
                rule = found[1]
            if found := _DONE.match(line):
                done, total, now = int(found[1]), int(found[2]), time.monotonic()
                if done == total or now - shown >= 4:
                    print(
                        f"  {done:3d} of {total} jobs  {now - started:4.0f} s  {rule if done < total else 'done'}",
                        flush=True,
                    )
                    shown = now
    if not process.returncode and not shown:
        print("  nothing to do: everything is there", flush=True)
    return process.returncode


def tell(folder: Path, made: dict) -> None:
    """Print where the products are and how the masks compare with the planted cosmic rays."""
    from drizzleflow.simulate.score import score

    for product in made["products"]:
        home = folder / "results" / product
        total = score(folder / "exposures" / made["truth"], home)["total"]
        print(f"mosaic:  {home / roads.path('mosaic', 'mosaic', product=product)}")
        print(f"report:  {home / roads.path('report', 'report')}")
        print(
            f"cosmic rays: {total['found']} of {total['events']} planted ones found ({_percent(total, 'completeness')}); "
            f"{total['found_deep']} of {total['events_deep']} where three or more exposures overlap "
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
    """Simulate, run, tell.

    Parameters
    ----------
    folder : path
        Made if missing: ``exposures/``, ``config.yaml``, ``results/`` and ``snakemake.log`` come into it.
    snakemake : path
        The snakemake command; a name without a slash is looked for in PATH.
    parameters : dict
        Of the simulation; see `drizzleflow.simulate.simulate`.

    Returns
    -------
    int, 0 when the workflow ended well
    """
    started, folder = time.monotonic(), Path(folder)
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
    write_text(
        config,
        f"# written by the demo; every other setting is a default of config/config.yaml\nassociations:\n{listed}",
    )
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
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 2:
        print("usage: python -m drizzleflow.demo FOLDER SNAKEMAKE", file=sys.stderr)
        return 2
    try:
        return demo(*arguments)
    except InputError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
