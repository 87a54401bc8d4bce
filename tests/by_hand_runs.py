"""Rules' scripts in this process, without Snakemake: a tenth of a second where a run takes ten."""

from __future__ import annotations

import contextlib
import functools
import io
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from drizzleflow.jobs import record
from drizzleflow.jobs.by_hand import by_hand
from drizzleflow.plan import keys
from drizzleflow.plan.roads import STEPS

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


class Ended(NamedTuple):
    """How a job ended: its status, and what it said on stderr (warnings, and its error in one line)."""

    status: int
    said: str


@functools.cache
def main_of(rule: str) -> Callable:
    """The ``main(job)`` of scripts/{rule}.py."""
    return runpy.run_path(str(SCRIPTS / f"{rule}.py"), run_name=rule)["main"]


def options_of(product, step: str, **facts) -> dict:
    """The options that the rule of a step gives its script: the settings that it reads, and facts."""
    settings = keys.chosen(product, STEPS[step].reads(product))
    return keys.nested([("", {key: value}) for key, value in settings.items()]) | facts


def run_script(rule: str, **given) -> Ended:
    """Run scripts/{rule}.py as a job. `given`: input, output, options ... (`drizzleflow.jobs.by_hand`)."""
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr):
        try:
            with record.job(by_hand(rule, **{"input": {}, **given})) as job:
                main_of(rule)(job)
        except SystemExit as end:
            return Ended(end.code, stderr.getvalue())
    return Ended(0, stderr.getvalue())


def make_grid(product, out: Path) -> Ended:
    """The jobs from a planned product to its grid, as the rules describe them: members, footprint, grid."""
    members = [member.asdict() for member in product.members]
    first = {"error": product.error, "members": members, "others": product.others}
    if product.error:
        return run_script(
            "members", output={"table": out / "members.csv"}, options=first, log=out / "log/members.log"
        )
    order = [member.member for member in product.members]
    outlines = out / "footprint/all.json"
    grid = {
        "grid": out / "grid.json",
        "footprints": out / "footprints.csv",
        "overlaps": out / "overlaps.json",
    }
    wcs = product.options["grid"]["output_wcs"]
    for rule, given in (
        ("members", {"output": {"table": out / "members.csv"}, "options": first}),
        (
            "footprint",
            {
                "input": {"files": [member.path for member in product.members]},
                "output": {"outlines": outlines, "lattices": out / "footprint/all.npz"},
                "options": options_of(product, "footprint", members=members),
            },
        ),
        (
            "grid",
            {
                "input": {"outlines": [outlines], "wcs": wcs or []},
                "output": grid,
                "options": options_of(product, "grid", order=order),
            },
        ),
    ):
        (out / "footprint").mkdir(parents=True, exist_ok=True)
        ended = run_script(rule, log=out / f"log/{rule}.log", **given)
        if ended.status:
            break
    return ended
