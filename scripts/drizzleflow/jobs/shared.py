"""Take a job of several items apart: each has its own inputs, outputs and parameters, and a record.

Their names end with the item's number (``files_0``, ``record_0``); what has no number, all items share. See
rules/sharing.smk.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

from drizzleflow.jobs.by_hand import Files

_NUMBERED = re.compile(r"(.+)_([0-9]+)")


def items(snakemake) -> list:
    """Return an object like `snakemake` for each item of a job; for a job of one, itself."""
    count = sum(name.startswith("record_") for name in snakemake.output.keys())
    return [_item(snakemake, number) for number in range(count)] or [snakemake]


def _item(given, number: int):
    params = _of_item(given.params.items(), number)
    return SimpleNamespace(
        rule=params["rule"]["via rule"],
        input=Files(_of_item(given.input.items(), number)),
        output=Files(_of_item(given.output.items(), number)),
        params=SimpleNamespace(**params),
        wildcards=SimpleNamespace(**params["item"]["via item"]),
        log=given.log,
        resources=given.resources,
        threads=given.threads,
    )


def _of_item(named, number: int) -> dict:
    found = {}
    for name, value in named:
        own = _NUMBERED.fullmatch(name)
        if own is None:
            found[name] = value
        elif int(own[2]) == number:
            found[own[1]] = value
    return found
