"""Gates: what no material is, whatever a potential says of it.

A potential answers anything: a spinel built on the wrong origin, with atoms 0.2 Å apart, "relaxes" without an error to an
energy that gives a cathode of -174 V. So every crystal and every energy passes here.
"""

from dataclasses import replace

import numpy as np
from ase.data import covalent_radii

from domains.materials.crystal import Crystal
from domains.materials.neighbours import Neighbours
from domains.materials.outcomes import Outcome
from domains.materials.potential import Evaluation

# Of the sum of two covalent radii (Cordero et al., Dalton Trans. 2008). The shortest bonds there are stay above 0.75 of it.
CLOSEST = 0.5
# Å³ an atom. Diamond, the densest material there is, has 5.7; solid hydrogen at 150 GPa about 2.5.
LEAST_VOLUME = 2.0
# eV an atom. The lowest of all in PBE: tungsten -13.0; oxides and carbides of W and Ta, corrections and all, stay above -14.
ENERGY_FLOOR = -20.0
# eV/Å; beyond any step of a sane relaxation.
FORCE_CEILING = 1e3


def cell(crystal: Crystal) -> Outcome | None:
    """What is wrong with the cell itself: numbers that are not finite, or more atoms in it than matter can hold."""
    if not (np.isfinite(crystal.lattice).all() and np.isfinite(crystal.positions).all()):
        return Outcome.diverged
    if not len(crystal):
        return Outcome.isolated_atoms
    return Outcome.overlapping_atoms if crystal.volume < LEAST_VOLUME * len(crystal) else None


def overlap(graph: Neighbours) -> bool:
    """Whether two atoms are closer than any bond."""
    radii = covalent_radii[graph.numbers]
    return bool((graph.length < CLOSEST * (radii[graph.center] + radii[graph.neighbour])).any())


def checked(evaluation: Evaluation, atoms: int) -> Evaluation:
    """The evaluation, or ``diverged`` where energy, forces or stress have no physical meaning."""
    if evaluation.energy is None:
        return evaluation
    values = [one for one in (evaluation.forces, evaluation.stress) if one is not None]
    finite = np.isfinite(evaluation.energy) and all(np.isfinite(one).all() for one in values)
    if not finite or evaluation.energy < ENERGY_FLOOR * atoms:
        return replace(evaluation, energy=None, problem=Outcome.diverged)
    if evaluation.forces is not None and np.abs(evaluation.forces).max(initial=0.0) > FORCE_CEILING:
        return replace(evaluation, energy=None, problem=Outcome.diverged)
    return evaluation
