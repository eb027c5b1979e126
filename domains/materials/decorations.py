"""The ways in which different elements may share out the orbits of a prototype.

A decoration says which orbits hold the same element, not which element. The plain one keeps the species of the real crystal
apart; the others put single orbits to another species' element or to a new one: ordered substitutions, fewest first. Two
that a symmetry of the bare points carries into each other are one: NaCl with its sites exchanged is NaCl.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from domains.materials.prototypes import Prototype

POINTS_TOLERANCE = 0.1  # Å, for symmetries of the points without species
MOST_SUBSTITUTIONS = 4  # orbits
MOST_ALIKE = (
    500  # with as many substitutions in one prototype: so that a few of low symmetry do not outweigh the others
)

Slots = tuple[int, ...]


@dataclass(frozen=True)
class Decoration:
    """``slots`` (orbits,): the slot whose element each orbit holds, numbered by first appearance.

    ``counts`` (k,) are the atoms a formula unit has of each slot. ``sides`` (k,): slots with the same number share a species
    of the real crystal, so all their elements must be cations or all anions. ``swaps`` (k,) each: exchanges of slots that leave
    the same crystal.
    """

    prototype: Prototype
    slots: Slots
    counts: Slots
    sides: Slots
    swaps: tuple[Slots, ...]


@cache
def decorations(prototype: Prototype, most_elements: int, substitutions: int) -> tuple[Decoration, ...]:
    """The distinct decorations that differ from the real crystal in so many orbits; at most MOST_ALIKE of them.

    None has fewer elements than the real crystal, which would be a simpler prototype again, or more than ``most_elements``.
    """
    plain = _numbered(tuple(prototype.species.tolist()))
    fewest = max(plain) + 1
    if fewest > most_elements:
        return ()
    symmetries = _permutations(prototype)
    if substitutions == 0:
        return (_decoration(prototype, plain, symmetries),)
    earlier = [decorations(prototype, most_elements, fewer) for fewer in range(substitutions)]
    seen = {image for level in earlier for one in level for image in _images(one.slots, symmetries)}
    found = list[Decoration]()
    for one in earlier[-1]:
        for slots in _moved(one.slots, fewest, most_elements):
            if len(found) == MOST_ALIKE:
                return tuple(found)
            # With all slots on one side all elements would be of one sign.
            if slots not in seen and len(set(_sides(prototype, slots))) > 1:
                seen |= _images(slots, symmetries)
                found.append(_decoration(prototype, slots, symmetries))
    return tuple(found)


def _moved(slots: Slots, fewest: int, most: int) -> Iterator[Slots]:
    """One orbit put to another slot, or to a new one."""
    for orbit, slot in enumerate(slots):
        for other in range(max(slots) + 2):
            moved = _numbered((*slots[:orbit], other, *slots[orbit + 1 :]))
            if other != slot and fewest <= max(moved) + 1 <= most:
                yield moved


def _decoration(prototype: Prototype, slots: Slots, symmetries: list[Slots]) -> Decoration:
    counts = np.bincount(slots, prototype.multiplicity).astype(int)
    reduced = tuple((counts // np.gcd.reduce(counts)).tolist())
    same = tuple(range(len(counts)))
    swaps = set()
    for symmetry in symmetries:
        image = tuple(slots[orbit] for orbit in symmetry)
        if _numbered(image) == slots:  # the same parts, perhaps exchanged
            swap = dict(zip(slots, image, strict=True))
            swaps.add(tuple(swap[slot] for slot in same))
    return Decoration(prototype, slots, reduced, _sides(prototype, slots), tuple(sorted(swaps - {same})))


def _sides(prototype: Prototype, slots: Slots) -> Slots:
    """Joins the slots that meet on orbits of one species."""
    side = list(range(max(slots) + 1))
    first: dict[int, int] = {}
    for slot, species in zip(slots, prototype.species.tolist(), strict=True):
        one, other = side[slot], side[first.setdefault(species, slot)]
        side = [one if value == other else value for value in side]
    return _numbered(tuple(side))


def _images(slots: Slots, symmetries: list[Slots]) -> set[Slots]:
    return {_numbered(tuple(slots[orbit] for orbit in symmetry)) for symmetry in symmetries}


@cache
def _permutations(prototype: Prototype) -> list[Slots]:
    """What the symmetries of the points, whatever the species, do to the orbits: distinct permutations of orbits."""
    import spglib

    crystal, orbit = prototype.crystal, prototype.orbit
    cell = (crystal.lattice, crystal.positions, np.ones(len(crystal), int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as in prototypes.prototype
        symmetries = spglib.get_symmetry(cell, symprec=POINTS_TOLERANCE)
    found = {tuple(range(len(prototype.species)))}
    for rotation, translation in zip(symmetries["rotations"], symmetries["translations"], strict=True):
        moved = crystal.positions @ rotation.T + translation
        apart = moved[:, None] - crystal.positions
        apart = np.linalg.norm((apart - np.round(apart)) @ crystal.lattice, axis=2)
        pairs = np.unique(np.stack([orbit, orbit[np.argmin(apart, axis=1)]]), axis=1)
        if pairs.shape[1] == len(prototype.species):  # whole orbits go to whole orbits
            found.add(tuple(pairs[1].tolist()))
    return sorted(found)


def _numbered(slots: Slots) -> Slots:
    """The same parts, numbered by first appearance."""
    number: dict[int, int] = {}
    return tuple(number.setdefault(slot, len(number)) for slot in slots)
