"""Energy above the convex hull: by how much a compound is higher than the best mixture of its competitors.

On the lower hull of a chemical system each facet is an equilibrium of as many compounds as there are elements, with one
chemical potential for each element; the hull is the highest of these planes (it is convex). So a system is cut into facets
once, by Qhull, and any number of compositions in it cost a matrix product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.spatial import ConvexHull

from domains.materials import formula
from domains.materials.references import References

# Facets steeper than this (sine of the angle with the energy axis) are the sides of the hull, and not its lower part.
STEEP = 1e-7
LEAST_AMOUNT = 1e-6
SYSTEMS = 4096  # kept cut, a few kB each

Compound = tuple[str, Mapping[str, int]]  # its name and its counts


@dataclass(frozen=True, eq=False)
class Facets:
    """The lower hull of one system of k elements with m compounds, cut into f facets.

    ``names`` (m,) as ``formula.name`` writes them; ``fractions`` (m, k) atomic; ``energies`` (m,) of formation, eV/atom;
    ``corners`` (f, k) positions of the compounds at each facet's corners; ``potentials`` (f, k), eV.
    """

    names: Sequence[str]
    fractions: np.ndarray
    energies: np.ndarray
    corners: np.ndarray
    potentials: np.ndarray

    def energy(self, fractions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy of the hull (n,), eV/atom, at atomic fractions (n, k), and which facet (n,) is below."""
        planes = fractions @ self.potentials.T
        return planes.max(axis=1), planes.argmax(axis=1)

    def products(self, facet: int, fractions: np.ndarray) -> dict[str, float]:
        """What lies below a composition (k,): share of the atoms by compound."""
        at = self.corners[facet]
        amounts = np.linalg.solve(self.fractions[at].T, fractions)
        return {self.names[i]: float(amount) for i, amount in zip(at, amounts, strict=True) if amount > LEAST_AMOUNT}


@dataclass(frozen=True)
class Above:
    """Where a compound lies, eV/atom.

    ``e_above_hull`` with all compounds of the references; ``e_decomposition`` with all but those of its own formula:
    negative where it holds together. The two are the same where the formula is ``new``. ``products`` are of the second.
    """

    e_above_hull: float
    e_decomposition: float
    new: bool
    products: dict[str, float]


class Hull:
    """The hulls of all chemical systems that references know of."""

    def __init__(self, references: References) -> None:
        self.references = references
        self.compounds: dict[frozenset[str], list[Compound]] = {}
        for name, energy in references.compounds.items():
            if energy < 0:  # others are above the elements and so never on a hull
                counts = formula.parse(name)
                self.compounds.setdefault(frozenset(counts), []).append((name, counts))
        self.facets = lru_cache(SYSTEMS)(self._facets)

    def above(self, counts: Mapping[str, int], formation_energy: float) -> Above:
        """Compare a compound with its competitors; KeyError for an element without a reference."""
        system = tuple(sorted(counts))
        fractions = np.array([[counts[symbol] for symbol in system]]) / sum(counts.values())
        own = formula.name(counts)
        known = self.references.compounds.get(own)
        facets = self.facets(system, "")
        energy, below = facets.energy(fractions)
        others, rest = energy[0], facets
        if known is not None and own in (facets.names[i] for i in facets.corners[below[0]]):
            rest = self.facets(system, own)
            (others,), below = rest.energy(fractions)
        ground = others if known is None else min(others, known)
        products = rest.products(int(below[0]), fractions[0])
        return Above(formation_energy - float(ground), formation_energy - float(others), known is None, products)

    def within(self, system: Sequence[str], without: str = "") -> list[Compound]:
        """The compounds in a system and in its subsystems, elements first."""
        parts = (part for size in range(1, len(system) + 1) for part in combinations(system, size))
        found = [one for part in parts for one in self.compounds.get(frozenset(part), ()) if one[0] != without]
        return [*((symbol, {symbol: 1}) for symbol in system), *found]

    def _facets(self, system: tuple[str, ...], without: str) -> Facets:
        compounds = self.within(system, without)
        names = [name for name, _ in compounds]
        fractions = np.array([[counts.get(symbol, 0) for symbol in system] for _, counts in compounds], float)
        fractions /= fractions.sum(axis=1, keepdims=True)
        energies = np.array([self.references.compounds.get(name, 0.0) for name in names])
        corners = _lower_hull(fractions, energies)
        potentials = np.linalg.solve(fractions[corners], energies[corners][..., None])[..., 0]
        return Facets(names, fractions, energies, corners, potentials)


def _lower_hull(fractions: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Corners (f, k) of the facets of the lower hull; the first k rows are the elements, at energy zero."""
    elements = fractions.shape[1]
    if len(energies) == elements or elements == 1:
        return np.arange(elements)[None]
    found = ConvexHull(np.column_stack([fractions[:, 1:], energies]))
    # Qhull cuts facets with more corners into simplices, some of them without extent: no mixture lies on these.
    lower = found.simplices[found.equations[:, -2] < -STEEP]
    return np.asarray(lower[np.abs(np.linalg.det(fractions[lower])) > STEEP])
