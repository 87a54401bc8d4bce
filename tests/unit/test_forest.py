"""Spanning forests against what scipy says about connected components."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from drizzleflow.arrays.forest import components, joins


def parts(n, edges):
    return labelled(n, edges)[0]


def labelled(n, edges):
    a, b = np.array(edges, int).reshape(-1, 2).T
    return connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)


@settings(deadline=None)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40))
def test_an_edge_joins_what_those_before_it_have_not(n, edges):
    edges = [(a % n, b % n) for a, b in edges]
    told = joins(n, edges)
    labels = labelled(n, edges)[1].tolist()
    assert components(n, edges) == [labels.index(label) for label in labels]
    assert told == [parts(n, edges[: k + 1]) < parts(n, edges[:k]) for k in range(len(edges))]


def test_the_first_of_equal_edges_counts():
    assert joins(3, [(0, 1), (1, 0), (1, 1), (2, 1), (0, 2)]) == [True, False, False, True, False]
    assert joins(2, []) == []
