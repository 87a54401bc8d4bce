"""Find a spanning forest of a graph: the edges that connect its nodes (Kruskal's algorithm)."""

from __future__ import annotations


def joins(n: int, edges) -> list[bool]:
    """Return for each edge, in order, whether it joins two parts that earlier edges have not joined.

    Those that do are a spanning forest: of the heaviest edges, where the heaviest come first. scipy's
    ``minimum_spanning_tree`` has no order among edges of equal weight.

    Parameters
    ----------
    n : int
        Number of nodes.
    edges : iterable of (int, int)
    """
    parent = list(range(n))

    def top(k):
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    told = []
    for a, b in edges:
        a, b = top(a), top(b)
        told.append(a != b)
        parent[max(a, b)] = min(a, b)
    return told
