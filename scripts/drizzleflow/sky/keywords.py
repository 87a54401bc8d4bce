"""Write the sky level into the header of a flagged member."""

from __future__ import annotations


def background_keywords(settings: dict, levels: dict, member: dict) -> dict:
    """Return a flagged member's BKG* keywords and ``level_keyword``: name -> (value, comment).

    The result is empty without a level.

    Parameters
    ----------
    settings : dict
        The section ``skymatch`` of the configuration.
    levels : dict
        (member, extver) -> level, see `drizzleflow.io.light_tables.read_levels`.
    member : dict
        A row of members.csv.

    The level is in the unit of the file's own pixels (before ``flux_scale``). Where a file has several images
    it is a dictionary extver -> level; a cube states its first integration's.
    """
    scale = member.get("flux_scale") or 1.0
    known = {
        v: levels[member["member"], v] / scale
        for v in range(1, member["nframes"] + 1)
        if (member["member"], v) in levels
    }
    if settings["skip"] or 1 not in known:
        return {}
    level = (known[1] if member["cube"] or len(known) == 1 else known, "sky level in the unit of the pixels")
    keywords = {
        "BKGMETH": (settings["skymethod"], "sky matching method"),
        "BKGLEVEL": level,
        "BKGSUB": (False, "whether the level is subtracted"),
    }
    return keywords | ({settings["level_keyword"]: level} if settings.get("level_keyword") else {})
