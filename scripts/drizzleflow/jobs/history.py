"""What a product's own header says of its making: ``PROV*`` keywords and HISTORY, the short form of provenance.json.

Nothing in it depends on time, place or the way in which the work was divided (cores, bands, batches, buffers): two runs give the
same bytes.
"""

from __future__ import annotations

import hashlib
import json
import textwrap

from drizzleflow import __version__

#: settings that cannot change the product in whose rule's options they are: its layout on disk, other products, paths
NEUTRAL = {
    "median": ("combine_bufsize",),
    "mosaic": ("bands",),
    "crmask": ("corr",),
    "skymatch": ("skylist",),
    "grid": ("output_wcs",),
}
WIDTH = 72  #: characters of a HISTORY card


def settings_hash(options: dict) -> str:
    """SHA-256 (hex) of the sections of a rule's options, without `NEUTRAL` and what describes members."""
    sections = {
        name: {key: value for key, value in section.items() if key not in NEUTRAL.get(name, ())}
        for name, section in options.items()
        if isinstance(section, dict) and name != "member"
    }
    return hashlib.sha256(json.dumps(sections, sort_keys=True, default=str).encode()).hexdigest()


def keywords(options: dict, code: str | None = None, source: str | None = None) -> dict:
    """keyword -> (value, comment) for a primary header.

    Parameters
    ----------
    options : dict
        The options of the rule that writes the file; see `settings_hash`.
    code : str, optional
        The hash of its code (`drizzleflow.plan.codehash`).
    source : str, optional
        The SHA-256 of the member that the file is made from.
    """
    found = {"PROVVER": (f"drizzleflow {__version__}", "software that made this file")}
    # a hash leaves no room for a comment on its card
    hashes = {"PROVCODE": code, "PROVCONF": settings_hash(options), "PROVIN": source}
    return found | {key: (value, "") for key, value in hashes.items() if value}


def cards(found: dict, lines=()) -> list[tuple]:
    """Cards (keyword, value, comment) of a product of our own: the `found` keywords, and HISTORY of these lines."""
    history = [piece for line in lines for piece in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]
    return [*((key, *card) for key, card in found.items()), *(("HISTORY", piece, "") for piece in history)]


def members(members, hashes: dict) -> list[str]:
    """Lines that name the frames that made a product, in the order of its context bits, and the hashes of their files.

    Parameters
    ----------
    members : list of (name, number of frames)
    hashes : dict
        name -> SHA-256; those that are not known are left out.
    """
    lines, bit = [], 0
    for name, count in members:
        lines.append(f"frame {bit}: {name}" if count == 1 else f"frames {bit} to {bit + count - 1}: {name}")
        if hashes.get(name):
            lines.append(f"sha256 {hashes[name]}")
        bit += count
    return lines
