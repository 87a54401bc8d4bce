"""Collect what the jobs that flag outliers measured in each frame: ``frames.csv``, and a table of the report."""

from __future__ import annotations

from drizzleflow.io.columns import FRAMES
from drizzleflow.plan import roads


def listed(entry: dict) -> list[dict]:
    """Return the frames of which a record tells."""
    frames = entry["statistics"].get("frames")
    return [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []


def flagged(entry: dict) -> int:
    """Return the number of flagged pixels of which a record tells."""
    return sum(frame.get("flagged") or 0 for frame in listed(entry))


def rows(jobs: list[dict], members: list[str]) -> list[dict]:
    """Return a row for each frame, in the order of `members`, with the columns of `FRAMES`; None: not known.

    Parameters
    ----------
    jobs : list of dict
        Records, as `drizzleflow.report.contents` holds them.
    members : list of str
        Names of the members; frames of others come last.
    """
    found, flagging = [], {step.name for step in roads.STEPS.values() if step.flags}
    for entry in jobs:
        if entry["rule"] not in flagging:
            continue
        member = (entry.get("wildcards") or {}).get("member") or entry["name"]
        for frame in listed(entry):
            row = {column.name: frame.get(column.name) for column in FRAMES}
            row["member"] = str(row["member"] or member)
            row["status"] = row["status"] or entry["statistics"].get("status")
            if row["fraction"] is None and row["npix"] and row["flagged"] is not None:
                row["fraction"] = row["flagged"] / row["npix"]
            found.append(row)
    order = {name: number for number, name in enumerate(members)}
    return sorted(
        found, key=lambda row: (order.get(row["member"], len(order)), row["member"], row["extver"] or 0)
    )
