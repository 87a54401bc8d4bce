"""Cut the items of a step, such as members or groups, into batches that share a job.

A job costs its start (about half a second of a processor), so items that need less share one. Batches depend
on the items' own names and sizes and on nothing else, so that one more item changes one batch: the names'
hashes are the leaves of a binary tree, and a branch whose items are too many for a job is divided by the next
bit. On average a batch is two thirds full.
"""

from __future__ import annotations

import hashlib

ITEM = 0.6e6  #: what an item costs besides its pixels, in pixels: files are opened, a record is written
#: what a job takes with batch_size auto, in pixels: of a step that measures members (3 of 2048², about a second),
#: and of one that drizzles or compares them (2); benchmarks/README.md, "Batches"
SHORT, LONG = 14.4e6, 9.6e6


def cut(costs: dict[str, float], full: float) -> dict[str, list[str]]:
    """Return batches, by name, of items that cost no more than `full` together, or of one item that does.

    `costs`: by the items' names; the order of the items is kept in each batch, and that of first items between them.
    A batch is called ``b`` and the first bits of its items' hashes (SHA-256 of the names).
    """
    bits = {name: f"{int(hashlib.sha256(name.encode()).hexdigest(), 16):0256b}" for name in costs}
    done, open_ = [], [("", list(costs))]
    while open_:
        prefix, names = open_.pop()
        if len(names) > 1 and sum(costs[name] for name in names) > full:
            depth = len(prefix)
            halves = {bit: [name for name in names if bits[name][depth] == bit] for bit in "01"}
            open_ += [(prefix + bit, half) for bit, half in halves.items()]
        elif names:
            done.append((prefix, names))
    order = {name: number for number, name in enumerate(costs)}
    return {f"b{prefix}": names for prefix, names in sorted(done, key=lambda batch: order[batch[1][0]])}


def batches(pixels: dict[str, int], size: int | str, full: float) -> dict[str, list[str]]:
    """Return the items that share a job: batch -> names. A batch is called like its item where all have one.

    Parameters
    ----------
    pixels : dict
        The pixels of each item, by its name.
    size : int or 'auto'
        The setting ``batch_size``: the most items of a batch; auto: as many as cost no more than `full`.
    full : float
        `SHORT` or `LONG`, by what the step does with a pixel.
    """
    if size == "auto":
        found = cut({name: ITEM + number for name, number in pixels.items()}, full)
    else:
        found = cut(dict.fromkeys(pixels, 1), size)
    if all(len(names) == 1 for names in found.values()):
        return {name: [name] for name in pixels}
    return found
