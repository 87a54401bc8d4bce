"""The sky level of a group from its own frames alone (``skymethod: local``), as `drizzleflow.sky.levels` has it."""

from __future__ import annotations

from drizzleflow.io import light_tables
from drizzleflow.io.columns import OVERLAPS
from drizzleflow.sky.levels import SkyRow, solve


def own_levels(tables, frames) -> dict[tuple[str, int], float]:
    """Return (member, extver) -> level, in the frame's unit per pixel, of a group's frames; none without a valid one.

    Parameters
    ----------
    tables : list of path
        The ``sky/{batch}.csv`` that have the frames.
    frames : list of (member, extver)
        All frames of the group.
    """
    found = {}
    for path in tables:
        for row in light_tables.rows(path, OVERLAPS):
            key = row["member"], row["extver"]
            if row["other"] == "" and key in frames:
                found[key] = row
    rows = [SkyRow(key, "", *(found[key][name] for name in ("sky", "npix", "sigma"))) for key in frames]
    levels = solve(rows, dict.fromkeys(frames, "group"), "local")
    return {level.frame: level.sky / found[level.frame]["factor"] for level in levels if level.valid}
