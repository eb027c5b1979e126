"""Homes for the vertices of a communication graph: recursive bisection along the hub's tree. Knows no Dask.

A domain's vertices are cut in two across the direction in which they are widest, in proportion to the chips of its children, and
so on down to the level asked for: neighbours land near each other at every level at once. Recursive coordinate bisection after
Berger and Bokhari, IEEE Trans. Comput. C-36 (1987) 570, along the principal axis as in Simon, Comput. Syst. Eng. 2 (1991) 135.
"""

from collections.abc import Sequence

import numpy as np

from cluster.tree import ANY, Tree


def place(positions: np.ndarray, tree: Tree, level: str = "host", kind: str = ANY) -> np.ndarray:
    """A domain of a level for each vertex (n,), by positions (n, d): equal shares of the chips of a kind.

    Where there are no more vertices than chips, no domain gets more than its chips.
    """
    if not tree.capacity[kind][0]:
        raise ValueError(f"{tree.topology.name} has no chip of kind {kind}")
    homes = np.zeros(len(positions), np.int64)
    waiting = [(np.arange(len(positions)), [0])]
    last = tree.level(level)
    while waiting:
        vertices, domains = waiting.pop()
        if len(domains) == 1:
            (domain,) = domains
            if tree.level_of[domain] == last:
                homes[vertices] = domain
            else:
                usable = [child for child in tree.children[domain] if tree.capacity[kind][child]]
                waiting.append((vertices, usable))
            continue
        waiting += _halves(vertices, domains, positions, [tree.capacity[kind][domain] for domain in domains])
    return homes


def divide(positions: np.ndarray, shares: Sequence[int]) -> np.ndarray:
    """The part of each vertex (n,), by positions (n, d): as many parts as shares, in proportion to them."""
    parts = np.zeros(len(positions), np.int64)
    waiting: list[tuple[np.ndarray, list[int]]] = [(np.arange(len(positions)), list(range(len(shares))))]
    while waiting:
        vertices, which = waiting.pop()
        if len(which) == 1:
            parts[vertices] = which[0]
        else:
            waiting += _halves(vertices, which, positions, [shares[one] for one in which])
    return parts


def _halves(
    vertices: np.ndarray, domains: Sequence[int], positions: np.ndarray, chips: Sequence[int]
) -> list[tuple[np.ndarray, list[int]]]:
    middle = len(domains) // 2
    share = round(len(vertices) * sum(chips[:middle]) / sum(chips))
    order = vertices[np.argsort(_along_widest(positions[vertices]), kind="stable")]
    return [(order[:share], list(domains[:middle])), (order[share:], list(domains[middle:]))]


def _along_widest(positions: np.ndarray) -> np.ndarray:
    """Coordinates (n,) along the principal axis."""
    if len(positions) < 2:
        return np.zeros(len(positions))
    centred = positions - positions.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    # The sign of an eigenvector is arbitrary; homes must not be.
    return np.asarray(centred @ (axis * np.sign(axis[np.argmax(np.abs(axis))])))


def graph_positions(count: int, edges: np.ndarray, dimensions: int = 6) -> np.ndarray:
    """Positions (count, dimensions) for a graph (m, 2) that has none: steps to vertices that are far from each other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    graph = coo_array((np.ones(len(edges)), tuple(edges.T)), shape=(count, count)).tocsr()
    found = np.full((count, dimensions), float(count))
    landmark = 0
    for column in range(dimensions):
        steps = dijkstra(graph, directed=False, unweighted=True, indices=landmark)
        found[:, column] = np.minimum(steps, count)
        landmark = int(np.argmax(found[:, : column + 1].min(axis=1)))
    return found


def traffic(edges: np.ndarray, amounts: np.ndarray, homes: np.ndarray, tree: Tree) -> dict[str, float]:
    """What edges (m, 2) with amounts (m,) carry over the fabric of each level, the root's first; the last stays within a home.

    An edge counts at the lowest level of which both its ends are in one domain.
    """
    one, other = homes[edges[:, 0]], homes[edges[:, 1]]
    parent = np.array(tree.parent)
    found: dict[str, float] = {}
    rest = amounts.astype(float)
    for level in range(tree.level_of[int(homes[0])], -1, -1):
        together = one == other
        found[tree.levels[level]] = float(rest[together].sum())
        rest = np.where(together, 0.0, rest)
        one, other = parent[one], parent[other]
    return dict(reversed(found.items()))
