"""Which groups are compared: few, symmetric, and never fewer than connect all that can be."""

import numpy as np

from drizzleflow.geometry.neighbours import neighbours


def square(x, y=0.0, side=1.0):
    return np.array([[x, x + side, x + side, x], [y, y, y + side, y + side]]) * 0.01 + 10.0


def test_all_pairs_without_a_limit_and_symmetric():
    outlines = [square(0), square(0.5), square(0.9), square(5)]
    found = neighbours(outlines, list("abcd"))
    assert found == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"], "d": []}


def test_the_limit_keeps_the_largest_and_all_connected():
    cluster = [square(0.01 * k) for k in range(6)] + [square(0.9 + 0.01 * k) for k in range(6)]
    names = [f"g{k}" for k in range(12)]
    few = neighbours(cluster, names, 2)
    assert sum(map(len, few.values())) < sum(map(len, neighbours(cluster, names).values()))
    reached, front = {"g0"}, ["g0"]
    while front:
        front = [b for a in front for b in few[a] if b not in reached and not reached.add(b)]
    assert reached == set(names)  # the two clusters share a tenth of a frame, far from the largest overlaps
    assert all(a in few[b] for a in few for b in few[a])


def test_groups_of_several_frames_and_equal_outlines():
    outlines = [square(0), square(2), square(0), square(2.5), square(0)]
    found = neighbours(outlines, ["a", "a", "b", "b", "c"], 1)
    assert found["a"][0] == "b" and "c" in found["a"] + found["b"] and "a" not in found["a"]
