"""Which groups are compared: few, symmetric, and never fewer than connect all that can be."""

import numpy as np
import pytest

from drizzleflow.geometry import neighbours as module
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.geometry.overlap import shared_area


def square(x, y=0.0, side=1.0):
    return np.array([[x, x + side, x + side, x], [y, y, y + side, y + side]]) * 0.01 + 10.0


def reached_from(first, near_to):
    reached, front = {first}, [first]
    while front:
        front = [b for a in front for b in near_to[a] if b not in reached and not reached.add(b)]
    return reached


def test_all_pairs_without_a_limit_and_symmetric():
    outlines = [square(0), square(0.5), square(0.9), square(5)]
    found = neighbours(outlines, list("abcd"))
    assert found == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"], "d": []}


def test_the_limit_keeps_the_largest_and_all_connected():
    cluster = [square(0.01 * k) for k in range(6)] + [square(0.9 + 0.01 * k) for k in range(6)]
    names = [f"g{k}" for k in range(12)]
    few = neighbours(cluster, names, 2)
    assert sum(map(len, few.values())) < sum(map(len, neighbours(cluster, names).values()))
    # the two clusters share a tenth of a frame, far from the largest overlaps
    assert reached_from("g0", few) == set(names)
    assert all(a in few[b] for a in few for b in few[a])


def test_groups_of_several_frames_and_equal_outlines():
    outlines = [square(0), square(2), square(0), square(2.5), square(0)]
    found = neighbours(outlines, ["a", "a", "b", "b", "c"], 1)
    assert found["a"][0] == "b" and "c" in found["a"] + found["b"] and "a" not in found["a"]


def strewn(rng, count, side, detectors=1):
    """Frames of `count` groups, strewn over a square, some larger; with several detectors side by side."""
    outlines, groups = [], []
    for k in range(count):
        x, y = rng.uniform(0, side, 2)
        for d in range(detectors):
            outlines.append(square(x + 1.1 * d, y, rng.choice([1.0, 1.3])))
            groups.append(f"g{k}")
    return outlines, groups


@pytest.mark.parametrize(("count", "side", "detectors"), [(25, 1.5, 1), (90, 6.0, 1), (20, 3.0, 3)])
def test_the_largest_are_those_of_all_pairs(count, side, detectors):
    outlines, groups = strewn(np.random.default_rng(2), count, side, detectors)
    areas: dict = {}
    for i, a in enumerate(groups):
        for j, b in enumerate(groups):
            if a != b:
                areas.setdefault(a, {}).setdefault(b, 0.0)
                areas[a][b] += shared_area(outlines[i], outlines[j])
    everyone, few = neighbours(outlines, groups), neighbours(outlines, groups, 3)
    for a, shared in areas.items():
        overlap = {b for b in shared if shared[b] > 0}
        assert set(everyone[a]) == overlap
        largest = sorted(overlap, key=shared.get)[-3:]
        assert set(largest) <= set(few[a]) <= overlap


@pytest.mark.parametrize("detectors", [1, 2])
def test_of_a_deep_stack_only_the_nearest_are_looked_at(detectors, monkeypatch):
    """Two clusters, deeper than what is looked at, which only the edges of some frames connect."""
    rng = np.random.default_rng(5)
    outlines, groups = strewn(rng, 60, 0.3, detectors)
    others, _ = strewn(rng, 60, 0.3, detectors)
    outlines += [outline + np.array([[0.0], [0.0121]]) for outline in others]
    groups += [group.replace("g", "h") for group in groups]
    monkeypatch.setattr(module, "NEAREST", 8)
    whole = neighbours(outlines, groups)
    assert any(b.startswith("h") for b in whole["g0"] + whole["g1"] + whole["g2"])
    few = neighbours(outlines, groups, 1)
    assert reached_from("g0", few) == set(groups)
    assert all(a in few[b] and b in whole[a] for a in few for b in few[a])
    assert sum(map(len, few.values())) < 10 * len(set(groups))
    assert few == neighbours(outlines, groups, 1)


def test_many_groups_with_one_outline():
    """The integrations of a cube."""
    names = [f"i{k}" for k in range(150)]
    found = neighbours([square(0)] * 150, names, 4)
    assert reached_from("i0", found) == set(names)
    assert sum(map(len, found.values())) < 150 * 12
    assert neighbours([square(0)] * 3, ["a", "b", "b"]) == {"a": ["b"], "b": ["a"]}


def test_what_is_nowhere_has_no_neighbours():
    outlines = [square(0), square(0.1), square(0) * np.nan, square(50)]
    for most in (None, 2):
        assert neighbours(outlines, list("abcd"), most) == {"a": ["b"], "b": ["a"], "c": [], "d": []}
    assert neighbours([], [], 4) == {}
