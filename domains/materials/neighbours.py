"""Who stands near whom in a periodic crystal: the one neighbour list behind every potential."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.optimization.neighbors import find_points_in_spheres

from domains.materials.crystal import Crystal

SAME_PLACE = 1e-8  # Å; an atom is no neighbour of itself


@dataclass(frozen=True, eq=False)
class Neighbours:
    """All ordered pairs of atoms within a cutoff: a pair counts once from each end.

    ``center`` and ``neighbour`` (m,) are indices of atoms, ``image`` (m, 3) the lattice vectors from the cell to the neighbour's
    cell, ``vector`` (m, 3) goes from centre to neighbour and ``length`` (m,) is its length, Å.
    """

    numbers: np.ndarray
    volume: float  # Å³
    center: np.ndarray
    neighbour: np.ndarray
    image: np.ndarray
    vector: np.ndarray
    length: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)


def neighbours(crystal: Crystal, cutoff: float) -> Neighbours:
    """The pairs of atoms of a crystal closer than ``cutoff`` Å."""
    lattice = np.ascontiguousarray(crystal.lattice, float)
    positions = np.ascontiguousarray(crystal.positions @ lattice, float)
    center, neighbour, image, length = find_points_in_spheres(
        positions, positions, r=cutoff, pbc=np.ones(3, np.int64), lattice=lattice, tol=SAME_PLACE
    )
    image = image.astype(np.int64)
    itself = (center == neighbour) & ~image.any(axis=1)
    center, neighbour, image, length = (one[~itself] for one in (center, neighbour, image, length))
    vector = positions[neighbour] + image @ lattice - positions[center]
    return Neighbours(crystal.numbers, crystal.volume, center, neighbour, image, vector, length)


def undirected(batch: Sequence[Neighbours]) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of a batch without direction: for each one a directed pair (k,), for each directed pair (m,) its undirected one."""
    first = np.cumsum([0, *(len(one) for one in batch)])
    center = np.concatenate([one.center + at for one, at in zip(batch, first, strict=False)])
    neighbour = np.concatenate([one.neighbour + at for one, at in zip(batch, first, strict=False)])
    image = np.concatenate([one.image for one in batch])
    span = 2 * int(np.abs(image).max(initial=0)) + 1
    place = image @ np.array([span * span, span, 1])
    backwards = (neighbour < center) | ((neighbour == center) & (place < 0))
    low, high = np.where(backwards, neighbour, center), np.where(backwards, center, neighbour)
    code = (low * first[-1] + high) * span**3 + np.where(backwards, -place, place)
    _, one_of, index = np.unique(code, return_index=True, return_inverse=True)
    return one_of, index


def angles(center: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of different chosen edges with the same centre: two arrays of indices of edges.

    ``center`` (m,) are the edges' centres, ``chosen`` the indices of the edges that take part.
    """
    order = chosen[np.argsort(center[chosen], kind="stable")]
    _, start, size = np.unique(center[order], return_index=True, return_counts=True)
    start, size = np.repeat(start, size), np.repeat(size, size)  # of each edge's group
    one = np.repeat(np.arange(len(order)), size)
    other = np.arange(len(one)) - np.repeat(np.cumsum(size) - size, size) + start[one]
    different = one != other
    return order[one[different]], order[other[different]]
