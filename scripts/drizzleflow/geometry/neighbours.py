"""Choose which groups sky matching compares: those whose overlaps add information."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.forest import joins
from drizzleflow.geometry.overlap import overlapping, shared_area


def neighbours(outlines, groups, most=None) -> dict:
    """Return for each group the groups to compare it with: those that overlap it.

    The relation is symmetric; groups are in the order of `groups`.

    Parameters
    ----------
    outlines : list of (lon, lat)
        One for each frame, degrees.
    groups : list
        Each frame's group.
    most : int, optional
        Compare each group only with this many groups that share the largest area with it, and with those
        needed to keep connected what is connected. In a deep stack every pair has the same pixels: more pairs
        cost time and add no information.
    """
    order = {group: k for k, group in enumerate(dict.fromkeys(groups))}
    shapes: dict[bytes, list[int]] = {}  # a cube's integrations share one outline, which is intersected once
    for frame, outline in enumerate(outlines):
        shapes.setdefault(np.asarray(outline, float).tobytes(), []).append(frame)
    frames, unique = list(shapes.values()), [outlines[members[0]] for members in shapes.values()]
    overlaps = [(i, j, shared_area(unique[i], unique[j])) for i, j in overlapping(unique).tolist()]
    overlaps += [
        (i, i, shared_area(outline, outline)) for i, outline in enumerate(unique) if len(frames[i]) > 1
    ]
    area: dict[tuple, float] = {}
    for i, j, shared in overlaps:
        for a in frames[i]:
            for b in frames[j]:
                pair = tuple(sorted((order[groups[a]], order[groups[b]])))
                if pair[0] != pair[1] and (i != j or a < b):
                    area[pair] = area.get(pair, 0.0) + shared
    by_area = sorted(area, key=lambda pair: (-area[pair], pair))
    chosen = set(by_area) if most is None else _most(by_area, len(order), most)
    near_to = {group: [] for group in order}
    names = list(order)
    for a, b in sorted(chosen | {(b, a) for a, b in chosen}):
        near_to[names[a]].append(names[b])
    return near_to


def _most(by_area, n, most) -> set:
    """Return the pairs among the `most` largest of either group, and those of a maximum spanning forest."""
    count, chosen = [0] * n, set()
    for (a, b), needed in zip(by_area, joins(n, by_area), strict=True):
        if needed or count[a] < most or count[b] < most:
            chosen.add((a, b))
            count[a] += 1
            count[b] += 1
    return chosen
