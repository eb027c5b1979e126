"""A sane starting volume for new species on a prototype.

Two estimates, weighted by their logarithms: the sum of the volumes that atoms have on average, as cation or as anion, and the
volume at which the closest contact of the prototype has the length expected of a bond. The first is the better one; the
second knows the structure, and keeps atoms apart.
"""

from functools import cache
from pathlib import Path

import numpy as np
import yaml

from domains.materials.elements import elements
from domains.materials.neighbours import neighbours
from domains.materials.prototypes import Prototype

TABLE = Path(__file__).parent / "data" / "volumes.yaml"
WEIGHT_OF_ATOMS = 0.7
# An atom counts as an anion if its electronegativity is at most this far below the greatest.
ANION_WINDOW = 0.6
REACH = 2.5  # of contacts, in cube roots of the volume an atom has


def volume(prototype: Prototype, species: np.ndarray) -> float:
    """The expected volume of the primitive cell, Å³, with these atomic numbers (orbits,) on its orbits."""
    return float(
        by_atoms(prototype, species) ** WEIGHT_OF_ATOMS * by_bonds(prototype, species) ** (1 - WEIGHT_OF_ATOMS)
    )


def by_atoms(prototype: Prototype, species: np.ndarray) -> float:
    """The sum of average volumes of atoms, Å³."""
    roles = anions(electronegativities()[species]).astype(int)
    return float(prototype.multiplicity @ _table()[roles, species])


def by_bonds(prototype: Prototype, species: np.ndarray) -> float:
    """The volume, Å³, at which no pair of atoms is closer than a bond.

    Radii as in Chu et al., Comput. Mater. Sci. 146 (2018) 184: they change with the spread of electronegativities.
    """
    table, scale = _table(), electronegativities()[species]
    mean, square = (prototype.multiplicity @ scale**power / len(prototype) for power in (1, 2))
    radii = table[2, species] + table[3, species] * max(square - mean**2, 0.0) ** 0.5
    return float(prototype.crystal.volume * ((radii[:, None] + radii) / contacts(prototype)).max() ** 3)


def anions(electronegativity: np.ndarray) -> np.ndarray:
    """Which of the elements (k,) of a compound count as anions."""
    return np.asarray(electronegativity >= electronegativity.max() - ANION_WINDOW)


@cache
def contacts(prototype: Prototype) -> np.ndarray:
    """The shortest distance between each pair of orbits (orbits, orbits), Å; infinite where it is beyond reach."""
    reach = REACH * (prototype.crystal.volume / len(prototype)) ** (1 / 3)
    graph = neighbours(prototype.crystal, reach)
    shortest = np.full((len(prototype.species),) * 2, np.inf)
    np.minimum.at(shortest, (prototype.orbit[graph.center], prototype.orbit[graph.neighbour]), graph.length)
    return shortest


@cache
def electronegativities() -> np.ndarray:
    """By atomic number (104,); 0 where there is none."""
    return np.array([0.0, *(one.electronegativity or 0.0 for one in elements().values())])


@cache
def _table() -> np.ndarray:
    """By atomic number (4, 104): volume as cation and as anion, radius and its change."""
    rows = yaml.safe_load(TABLE.read_text())
    return np.array([[np.nan] * 4, *(rows[symbol] for symbol in elements())]).T
