"""Charge balance of many compounds at once.

The rules are those of :mod:`domains.materials.enumerate`: one charge an element, every cation less electronegative than every
anion. Only common charges count here, as each candidate costs an evaluation. The sums of charge that cations, or anions, can
reach are bits of one number: a compound is balanced where both have a bit in common. Sums beyond 63 a formula unit are lost.
"""

from functools import cache

import numpy as np

from domains.materials.elements import Element, elements

# Of an element's reports. Leaves out peroxides, Fe1+ and Fe5+, and the like.
COMMON = 0.01
MOST_CHARGES = 8


def balanced(species: np.ndarray, counts: np.ndarray, sides: np.ndarray, alloys: bool) -> np.ndarray:
    """Whether each compound (m,) is charge balanced; with ``alloys``, or of metals alone.

    ``species`` and ``counts`` (m, k) are atomic numbers and atoms a formula unit, 0 where there are fewer than k elements;
    elements of the same of ``sides`` (m, k) must be of the same sign.
    """
    scale, charges, metal = _tables()
    order = np.argsort(scale[species], axis=1, kind="stable")
    species, counts, sides = (np.take_along_axis(each, order, axis=1) for each in (species, counts, sides))
    k = species.shape[1]
    cations, anions = [np.ones(len(species), np.uint64)], [np.ones(len(species), np.uint64)]
    for at in range(k):
        cations.append(_reached(cations[-1], counts[:, at], charges[0][species[:, at]]))
        anions.append(_reached(anions[-1], counts[:, k - 1 - at], charges[1][species[:, k - 1 - at]]))
    found = np.zeros(len(species), bool)
    for cut in range(1, k):
        below, above = np.arange(k) < cut, np.arange(k) >= cut
        apart = (scale[species[:, cut - 1]] < scale[species[:, cut]]) & (counts[:, cut] > 0)
        for one in np.flatnonzero(below):
            for other in np.flatnonzero(above):
                apart &= sides[:, one] != sides[:, other]
        found |= apart & ((cations[cut] & anions[k - cut]) != 0)
    return np.asarray(found | (alloys & (metal[species] | (counts == 0)).all(axis=1)))


def _reached(sums: np.ndarray, counts: np.ndarray, charges: np.ndarray) -> np.ndarray:
    """The sums after each adds ``counts`` (m,) atoms of one of its ``charges`` (m, MOST_CHARGES); those of 0 are none."""
    found = np.where(counts == 0, sums, np.uint64(0))
    for charge in charges.T:
        added = (counts * charge).astype(np.uint64)
        found |= np.where((added > 0) & (added < 64), sums << (added & np.uint64(63)), np.uint64(0))
    return found


@cache
def _tables() -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """By atomic number: electronegativity, positive and negative common charges (104, MOST_CHARGES), whether a metal."""
    every = list(elements().values())
    scale = np.array([np.inf, *(np.inf if one.electronegativity is None else one.electronegativity for one in every)])
    charges = tuple(np.array([[0] * MOST_CHARGES, *(_common(one, sign) for one in every)]) for sign in (1, -1))
    return scale, (charges[0], charges[1]), np.array([False, *(one.is_metal for one in every)])


def _common(one: Element, sign: int) -> list[int]:
    """Sizes of the common charges of a sign, padded with 0."""
    least = COMMON * sum(one.states.values())
    found = [abs(charge) for charge, reports in one.states.items() if charge * sign > 0 and reports >= least]
    return [*found, *[0] * (MOST_CHARGES - len(found))]
