"""Find what connects the nodes of a graph: a spanning forest (Kruskal's algorithm), and the connected parts."""

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
    told, top, join = [], *_parts(n)
    for a, b in edges:
        told.append(top(a) != top(b))
        join(a, b)
    return told


def components(n: int, edges) -> list[int]:
    """Return for each node the lowest node of the part of the graph that it belongs to.

    The parameters are those of `joins`.
    """
    top, join = _parts(n)
    for a, b in edges:
        join(a, b)
    return [top(k) for k in range(n)]


def _parts(n):
    """Return two functions: node -> the lowest node of its part, and one that joins the parts of two nodes."""
    parent = list(range(n))

    def top(k):
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    def join(a, b):
        a, b = top(a), top(b)
        parent[max(a, b)] = min(a, b)

    return top, join
