"""Which edges of a graph hold it together (Kruskal's way, with sets that are merged)."""

from __future__ import annotations


def joins(n: int, edges) -> list[bool]:
    """Whether each edge, taken in order, joins two parts that the edges before it have not joined.

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
