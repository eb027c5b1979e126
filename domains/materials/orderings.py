"""Which ions leave first: arrangements of the ions left in a host, ranked by their electrostatic energy.

Ranking by Ewald energy before anything is relaxed follows the usual practice for intercalation electrodes; the best few
are then relaxed, since formal charges order arrangements only roughly.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from domains.materials.crystal import Crystal
from domains.materials.elements import symbols

MOST_SITES = 16  # ions in a cell: 12,870 arrangements of eight
SAME_EV = 1e-4  # arrangements of the same Ewald energy are images of each other under the host's symmetry
TRANSITION_METALS = frozenset({*range(21, 31), *range(39, 49), *range(57, 81)})


@dataclass(frozen=True, eq=False)
class Ordering:
    """A host with some of its ions taken out, and its Ewald energy, eV a cell, with formal charges."""

    crystal: Crystal
    energy: float


def supercell(crystal: Crystal, repeats: tuple[int, int, int]) -> Crystal:
    """The crystal repeated along its lattice vectors."""
    offsets = np.array(list(itertools.product(*map(range, repeats))))
    positions = (crystal.positions[:, None] + offsets[None]) / repeats
    lattice = crystal.lattice * np.array(repeats)[:, None]
    return Crystal(lattice, positions.reshape(-1, 3), np.repeat(crystal.numbers, len(offsets)))


def divisible(crystal: Crystal, ion: int, steps: int) -> Crystal:
    """The smallest supercell whose number of ions ``steps`` divides; the most compact of those."""
    ions = int((crystal.numbers == ion).sum())
    times = steps // math.gcd(ions, steps)
    sides = range(1, times + 1)
    shapes = [(a, b, c) for a, b, c in itertools.product(sides, sides, sides) if a * b * c == times]
    return supercell(crystal, max(shapes, key=lambda shape: _compactness(crystal.lattice * np.array(shape)[:, None])))


def _compactness(lattice: np.ndarray) -> tuple[float, float]:
    """Larger is more compact: the shortest distance of a point and its images, then the longest edge."""
    near = np.array([one for one in itertools.product((-1, 0, 1), repeat=3) if any(one)])
    shortest = np.linalg.norm(near @ lattice, axis=1).min()
    return round(float(shortest), 3), -float(np.linalg.norm(lattice, axis=1).max())


def orderings(crystal: Crystal, ion: int, charge: int, left: int, most: int) -> list[Ordering]:
    """The arrangements of ``left`` ions of atomic number ``ion`` with the lowest Ewald energies, distinct by symmetry, best first."""
    sites = np.flatnonzero(crystal.numbers == ion)
    if not 0 <= left <= len(sites) <= MOST_SITES:
        raise ValueError(f"{left} of {len(sites)} ions; at most {MOST_SITES} in a cell")
    chosen = np.array(list(itertools.combinations(range(len(sites)), left)), int)  # (arrangements, left)
    if len(chosen) == 1:
        return [Ordering(_with_ions(crystal, sites, chosen[0]), 0.0)]
    filled = np.zeros((len(chosen), len(sites)))
    np.put_along_axis(filled, chosen, 1.0, axis=1)
    framework = _framework(crystal, ion, charge, left)
    pairs = _pair_energies(crystal)
    energies = float(framework @ pairs @ framework) + 2 * charge * filled @ (pairs @ framework)[sites]
    energies += charge**2 * np.einsum("ai,ij,aj->a", filled, pairs[np.ix_(sites, sites)], filled)
    order = np.argsort(energies, kind="stable")
    new = np.diff(energies[order], prepend=-np.inf) > SAME_EV
    return [Ordering(_with_ions(crystal, sites, chosen[at]), float(energies[at])) for at in order[new][:most]]


def _with_ions(crystal: Crystal, sites: np.ndarray, kept: np.ndarray) -> Crystal:
    stays = np.ones(len(crystal), bool)
    stays[np.delete(sites, kept)] = False
    return Crystal(crystal.lattice, crystal.positions[stays], crystal.numbers[stays])


def _pair_energies(crystal: Crystal) -> np.ndarray:
    """Ewald energies (n, n), eV, of all pairs of sites with charge one; they add up for any charges that are neutral together."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Structure

    ones = Structure(
        crystal.lattice, [{f"{symbols()[int(number)]}1+": 1} for number in crystal.numbers], crystal.positions
    )
    return np.array(EwaldSummation(ones, compute_forces=False).total_energy_matrix)


def _framework(crystal: Crystal, ion: int, charge: int, left: int) -> np.ndarray:
    """Charges (n,) of all but the ions, which balance those left; what changes is shared by the transition metals."""
    formal = formal_charges(crystal)
    others = crystal.numbers != ion
    charges = np.array(
        [formal.get(int(number), 0.0) if here else 0.0 for number, here in zip(crystal.numbers, others, strict=True)]
    )
    redox = others & np.isin(crystal.numbers, list(TRANSITION_METALS))
    redox = redox if redox.any() else others
    charges[redox] -= (charges.sum() + left * charge) / redox.sum()
    return charges


def formal_charges(crystal: Crystal) -> Mapping[int, float]:
    """The likeliest oxidation state by atomic number, averaged over sites; empty where the formula cannot be neutral."""
    guesses = crystal.to_pymatgen().composition.reduced_composition.oxi_state_guesses()
    return {symbols().index(symbol): float(state) for symbol, state in guesses[0].items()} if guesses else {}
