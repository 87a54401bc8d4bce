"""How a product's own header tells how it was made: ``PROV*`` keywords and HISTORY, a short provenance.json.

Nothing in them depends on time, place or the way in which the work was divided (cores, bands, batches,
buffers), so that two runs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import textwrap

from drizzleflow import __version__

#: settings (by section) that are in a rule's options but cannot change its product
NEUTRAL = {
    "median": ("combine_bufsize", "bands"),
    "mosaic": ("bands",),
    "crmask": ("corr",),
    "skymatch": ("skylist",),
    "grid": ("output_wcs",),
}
WIDTH = 72  #: characters of a HISTORY card


def settings_hash(options: dict) -> str:
    """SHA-256 (hex) of the settings in a rule's options, without `NEUTRAL` ones and the member's own."""
    sections = {
        name: {key: value for key, value in section.items() if key not in NEUTRAL.get(name, ())}
        for name, section in options.items()
        if isinstance(section, dict) and name != "member"
    }
    return hashlib.sha256(json.dumps(sections, sort_keys=True, default=str).encode()).hexdigest()


def keywords(options: dict, code: str | None = None, source: str | None = None) -> dict:
    """The ``PROV*`` keywords of a primary header: keyword -> (value, comment).

    Parameters
    ----------
    options : dict
        The options of the rule that writes the file; see `settings_hash`.
    code : str, optional
        The hash of the rule's code (`drizzleflow.plan.codehash`).
    source : str, optional
        The SHA-256 of the member from which the file is made.
    """
    version = {"PROVVER": (f"drizzleflow {__version__}", "software that made this file")}
    # a hash leaves no room for a comment on its card
    hashes = {"PROVCODE": code, "PROVCONF": settings_hash(options), "PROVIN": source}
    return version | {key: (value, "") for key, value in hashes.items() if value}


def cards(named: dict, lines=()) -> list[tuple]:
    """Cards (keyword, value, comment) of a new product: those of `keywords`, and HISTORY with some lines."""
    history = [piece for line in lines for piece in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]
    return [*((key, *card) for key, card in named.items()), *(("HISTORY", piece, "") for piece in history)]


def members(members, hashes: dict) -> list[str]:
    """HISTORY lines that name a product's frames, in the order of its context bits, with their files' hashes.

    Parameters
    ----------
    members : list of (name, number of frames)
    hashes : dict
        name -> SHA-256 of the member's file; a hash that is not known is left out.
    """
    lines, bit = [], 0
    for name, count in members:
        lines.append(f"frame {bit}: {name}" if count == 1 else f"frames {bit} to {bit + count - 1}: {name}")
        if hashes.get(name):
            lines.append(f"sha256 {hashes[name]}")
        bit += count
    return lines
