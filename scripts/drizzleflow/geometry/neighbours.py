"""Choose which groups sky matching compares: those whose overlaps add information."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.forest import components, joins
from drizzleflow.geometry.overlapping import Caps, shared_areas

NEAREST = 64  #: groups among which those with the largest areas are looked for
FRAMES = 2**18  #: pairs of frames that are looked at in one go, about


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
        cost time and add no information. Of a group that may overlap more than `NEAREST` others (16 times
        `most` if that is more), only so many are looked at, those with the nearest centres: the work
        grows with the number of groups, not with its square.
    """
    names = list(dict.fromkeys(groups))
    order = {group: k for k, group in enumerate(names)}
    found = _Groups(outlines, np.array([order[group] for group in groups], int), len(names))
    if most is None:
        pairs = found.pairs()
        chosen = pairs[found.areas(pairs) > 0]
    else:
        pairs, areas = found.largest(max(NEAREST, 16 * most))
        by_area = pairs[np.lexsort((pairs[:, 1], pairs[:, 0], -areas))]
        chosen = by_area[_most(by_area.tolist(), len(names), most)]
    both = np.concatenate([chosen, chosen[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    others = np.split(both[:, 1], np.searchsorted(both[:, 0], np.arange(len(names))))[1:]
    return {group: [names[k] for k in near.tolist()] for group, near in zip(names, others, strict=True)}


class _Groups:
    """Groups of frames, by number, and which of them overlap.

    Pairs of groups are (m, 2) int arrays, the lower number first.
    """

    def __init__(self, outlines, group, n):
        self.n, self.group, self.caps = n, group, Caps(outlines)
        self.frames = np.argsort(group, kind="stable")  # group by group
        self.count = np.bincount(group, minlength=n)
        self.first = np.cumsum(self.count) - self.count
        shapes: dict[bytes, int] = {}  # a cube's integrations share one outline, which is intersected once
        for outline in outlines:
            shapes.setdefault(np.asarray(outline, float).tobytes(), len(shapes))
        self.shape = np.array([shapes[np.asarray(outline, float).tobytes()] for outline in outlines], int)
        _, firsts = np.unique(self.shape, return_index=True)
        self.outlines = [outlines[k] for k in firsts.tolist()]
        # the middle of a group's frames, and how far from it they reach: chords on the unit sphere
        where, reach = np.nan_to_num(self.caps.centre), np.nan_to_num(2.0 * np.sin(self.caps.radius / 2.0))
        centre, self.reach = np.zeros((n, 3)), np.zeros(n)
        np.add.at(centre, group, where)
        self.centre = centre / np.maximum(self.count, 1)[:, None]
        np.maximum.at(self.reach, group, np.linalg.norm(where - self.centre[group], axis=1) + reach)

    def _near(self, apart=None):
        """Yield the pairs with caps that meet, some at a time; only of groups that differ in `apart`, if given."""
        step = max(1, len(next(self.caps.chunks(self.frames), ())) // max(1, self.count.max(initial=1)))
        for begin in range(0, self.n, step):
            end = min(begin + step, self.n)
            last = self.first[end - 1] + self.count[end - 1]
            pairs = self.group[np.stack(self.caps.meeting(self.frames[self.first[begin] : last]), axis=1)]
            a, b = pairs.T
            pairs = pairs[(a < b) & (True if apart is None else apart[a] != apart[b])]
            yield pairs if self.count.max(initial=1) == 1 else np.unique(pairs, axis=0)

    def pairs(self):
        """All pairs with caps that meet."""
        return np.concatenate([np.empty((0, 2), int), *self._near()])

    def areas(self, pairs):
        """The area (sr) that each pair shares, the sum over its pairs of frames, (m,)."""
        areas = np.zeros(len(pairs))
        combined = self.count[pairs[:, 0]] * self.count[pairs[:, 1]]
        ends = np.cumsum(combined)
        borders = np.searchsorted(ends, np.arange(FRAMES, ends.max(initial=0), FRAMES))
        for part in filter(len, np.split(np.arange(len(pairs)), borders)):
            count = combined[part]
            number = np.repeat(np.arange(len(part)), count)
            within = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
            a, b = pairs[part][number].T
            i = self.frames[self.first[a] + within // self.count[b]]
            j = self.frames[self.first[b] + within % self.count[b]]
            meet = self.caps.meet(i, j)
            shapes, which = np.stack([self.shape[i], self.shape[j]], axis=1)[meet], slice(None)
            if len(self.outlines) < len(self.shape):
                shapes, which = np.unique(np.sort(shapes, axis=1), axis=0, return_inverse=True)
            shared = shared_areas(self.outlines, shapes)
            areas[part] = np.bincount(number[meet], shared[which], len(part))
        return areas

    def largest(self, most):
        """The pairs among each group's `most` nearest, and what connects them further, with their areas."""
        pairs, complete = self._nearest(most)
        areas = self.areas(pairs)
        pairs, areas = pairs[areas > 0], areas[areas > 0]
        if not complete:
            more = self._between(np.array(components(self.n, pairs.tolist())))
            pairs, areas = np.concatenate([pairs, more[0]]), np.concatenate([areas, more[1]])
        return pairs, areas

    def _nearest(self, most):
        """Each group with the `most` of nearest centre, and whether no other group can overlap it."""
        if self.n <= most + 1:
            return np.stack(np.triu_indices(self.n, 1), axis=1), True
        from scipy.spatial import KDTree

        distance, near = KDTree(self.centre).query(self.centre, most + 1)
        pairs = np.stack([np.repeat(np.arange(self.n), most + 1), near.ravel()], axis=1)
        pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
        return pairs, bool((distance[:, -1] > self.reach + self.reach.max()).all())

    def _between(self, component):
        """The pair that shares the largest area, and that area, for each two components that overlap."""
        found, shared, parts = np.empty((0, 2), int), np.empty(0), len(np.unique(component))
        for pairs in self._near(component) if parts > 1 else ():
            found, shared = np.concatenate([found, pairs]), np.concatenate([shared, self.areas(pairs)])
            sets = np.sort(component[found], axis=1)
            best = np.lexsort((found[:, 1], found[:, 0], -shared, sets[:, 1], sets[:, 0]))
            best = best[shared[best] > 0]
            _, first = np.unique(sets[best], axis=0, return_index=True)
            found, shared = found[best[first]], shared[best[first]]
        return found, shared


def _most(by_area, n, most) -> list[bool]:
    """Return whether each pair is among the `most` largest of either group, or of a maximum spanning forest."""
    count, chosen = [0] * n, []
    for (a, b), needed in zip(by_area, joins(n, by_area), strict=True):
        chosen.append(needed or count[a] < most or count[b] < most)
        if chosen[-1]:
            count[a] += 1
            count[b] += 1
    return chosen
