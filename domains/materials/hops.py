"""The distinct hops of an ion in its host: which sites it can reach, which of these ways are the same, and how far they lead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domains.materials.crystal import Crystal
from domains.materials.symmetry import quiet

SYMMETRY = 0.05  # Å; a relaxed host is not quite as symmetric as its prototype
# A hop that passes another site of the ion closer than this, Å, is two hops.
IN_THE_WAY = 1.2

Edge = tuple[int, int, int, int, int]  # from site i at home to site j in the cell T: (i, j, *T)
Operations = list[tuple[np.ndarray, dict[int, tuple[int, np.ndarray]]]]


@dataclass(frozen=True)
class Hop:
    """Equivalent ways from one site to another, each in one direction; ``length`` in Å. Cells count from wrapped positions."""

    length: float
    edges: tuple[Edge, ...]


def reduced(crystal: Crystal) -> Crystal:
    """The same crystal in its Niggli cell, whose edges are the shortest there are: a flat rhombohedron hides how near images are."""
    return wrapped(Crystal.from_pymatgen(crystal.to_pymatgen().get_reduced_structure()))


def wrapped(crystal: Crystal) -> Crystal:
    """The crystal with all its atoms in the cell."""
    return Crystal(crystal.lattice, crystal.positions % 1.0 % 1.0, crystal.numbers)


def hops(crystal: Crystal, ion: int, longest: float = 5.0) -> list[Hop]:
    """Distinct hops of the atoms of this atomic number, shortest first, up to ``longest`` Å."""
    crystal = wrapped(crystal)
    lengths = _edges(crystal, ion, longest)
    operations = _operations(crystal, ion) if lengths else []
    found, seen = list[Hop](), set[Edge]()
    for edge in sorted(lengths, key=lambda one: (round(lengths[one], 3), one)):
        if edge not in seen:
            same = {_one_way(image) for image in _images(edge, operations)}
            found.append(Hop(lengths[edge], (edge, *sorted(same - {edge}))))
            seen |= same
    return found


def dimensions(ways: Sequence[Hop]) -> int:
    """In how many dimensions an ion that makes these hops, and no others, gets through the crystal: 0 to 3."""
    edges = [edge for hop in ways for edge in hop.edges]
    cell: dict[int, np.ndarray] = {}  # of each site, in which cell it was first reached
    cycles: list[np.ndarray] = [np.zeros(3, int)]
    for root in {edge[0] for edge in edges} | {edge[1] for edge in edges}:
        if root in cell:
            continue
        cell[root], waiting = np.zeros(3, int), [root]
        while waiting:
            here = waiting.pop()
            for there, step in _neighbours(here, edges):
                if there not in cell:
                    cell[there] = cell[here] + step
                    waiting.append(there)
                cycles.append(cell[here] + step - cell[there])
    return int(np.linalg.matrix_rank(np.array(cycles)))


def _neighbours(site: int, edges: Sequence[Edge]) -> list[tuple[int, np.ndarray]]:
    onward = [(j, np.array(step)) for i, j, *step in edges if i == site]
    return onward + [(i, -np.array(step)) for i, j, *step in edges if j == site]


def _one_way(edge: Edge) -> Edge:
    i, j, x, y, z = edge
    return min(edge, (j, i, -x, -y, -z))


def _edges(crystal: Crystal, ion: int, longest: float) -> dict[Edge, float]:
    """Every way between two sites with nothing in between, once, and its length."""
    from ase.neighborlist import neighbor_list

    sites = np.flatnonzero(crystal.numbers == ion)
    only = Crystal(crystal.lattice, crystal.positions[sites], crystal.numbers[sites])
    first, second, shift, vector = neighbor_list("ijSD", only.to_ase(), longest)
    found: dict[Edge, float] = {}
    for i, j, cell, step in zip(first, second, shift, vector, strict=True):
        if not _blocked(step, vector[first == i]):
            x, y, z = map(int, cell)
            found[_one_way((int(sites[i]), int(sites[j]), x, y, z))] = float(np.linalg.norm(step))
    return found


def _blocked(step: np.ndarray, others: np.ndarray) -> bool:
    """Whether another site lies in the way of a step; all as vectors from where it starts."""
    length = float(np.linalg.norm(step))
    along = others @ step / length
    aside = np.linalg.norm(others - np.outer(along, step / length), axis=1)
    return bool(((along > 0.1) & (along < length - 0.1) & (aside < IN_THE_WAY)).any())


def _operations(crystal: Crystal, ion: int) -> Operations:
    """Each rotation, and where its operation takes each site: to which site, in which cell."""
    import spglib

    with quiet():
        found = spglib.get_symmetry((crystal.lattice, crystal.positions, crystal.numbers), symprec=SYMMETRY)
    sites, made = np.flatnonzero(crystal.numbers == ion), Operations()
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        there = crystal.positions[sites] @ rotation.T + translation
        apart = there[:, None] - crystal.positions[sites][None]
        distance = np.linalg.norm((apart - np.round(apart)) @ crystal.lattice, axis=-1)
        onto = distance.argmin(axis=1)
        cells = np.round(apart[np.arange(len(sites)), onto]).astype(int)
        made.append(
            (rotation, {int(site): (int(sites[to]), cell) for site, to, cell in zip(sites, onto, cells, strict=True)})
        )
    return made


def _images(edge: Edge, operations: Operations) -> list[Edge]:
    i, j, *step = edge
    made = []
    for rotation, onto in operations:
        (start, home), (end, cell) = onto[i], onto[j]
        x, y, z = (int(one) for one in cell + rotation @ np.array(step) - home)
        made.append((start, end, x, y, z))
    return made
