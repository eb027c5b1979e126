import itertools

import numpy as np
import pytest

from domains.errors import InvalidRequest
from domains.materials.candidates import build
from domains.materials.crystal import Crystal
from domains.materials.decorations import Decoration, decorations
from domains.materials.neighbours import neighbours
from domains.materials.plausible import overlap
from domains.materials.prototypes import MOST_ATOMS, Prototype, prototype, prototypes
from domains.materials.volume import by_atoms, by_bonds, contacts, volume

BONDS = 3.0  # Å; overlapping atoms are closer


def named(name: str) -> Prototype:
    return next(one for one in prototypes() if one.name == name)


def test_there_are_some_hundreds_and_each_is_whole() -> None:
    found = prototypes()
    assert len(found) > 400
    assert len({one.id for one in found}) == len(found)
    for one in found:
        assert len(one) <= MOST_ATOMS
        assert len(one.orbit) == len(one)
        assert (one.species[one.orbit] == one.crystal.numbers).all()
        assert 1 not in one.species
        assert prototype(one.id).crystal is one.crystal


def test_familiar_structure_types_are_there_once() -> None:
    types = [(one.spacegroup, one.stoichiometry, len(one)) for one in prototypes()]
    for halite_fluorite_spinel in ((225, (1, 1), 2), (225, (1, 2), 3), (227, (1, 2, 4), 14), (221, (1, 1, 3), 5)):
        assert types.count(halite_fluorite_spinel) == 1
    assert {"Halite, Rock Salt", "Spinel", "Fluorite", "Rutile", "Delafossite"} <= {one.name for one in prototypes()}


def test_equivalent_atoms_have_the_same_surroundings() -> None:
    for one in prototypes()[::9]:
        graph = neighbours(one.crystal, 4.0)
        for orbit in range(len(one.species)):
            atoms = np.flatnonzero(one.orbit == orbit)
            lengths = [np.sort(graph.length[graph.center == atom])[:6] for atom in atoms]
            for other in lengths[1:]:
                assert np.allclose(lengths[0], other, atol=1e-3)


def test_every_real_crystal_rebuilt_keeps_its_atoms_apart() -> None:
    for one in prototypes():
        assert not overlap(neighbours(build(one, one.species), BONDS)), one.id


def test_real_crystals_get_nearly_their_volume() -> None:
    errors = [volume(one, one.species) / one.crystal.volume - 1 for one in prototypes()]
    assert np.median(np.abs(errors)) < 0.10
    assert abs(np.mean(errors)) < 0.05


def test_a_spinel_keeps_its_atoms_apart_where_the_wrong_origin_does_not() -> None:
    """Wyckoff positions of origin choice 2 under a symbol that means choice 1: a mistake that no potential notices."""
    from pymatgen.core import Lattice, Structure

    u = 0.2636
    wrong = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.24), ["Li", "Mn", "O"], [[1 / 8] * 3, [1 / 2] * 3, [u] * 3]
    ).get_primitive_structure()
    assert overlap(neighbours(Crystal.from_pymatgen(wrong), BONDS))
    spinel = named("Spinel")
    assert spinel.spacegroup == 227
    species = np.array([{2: 3, 4: 25, 8: 8}[int(many)] for many in spinel.multiplicity], np.uint8)
    built = build(spinel, species)
    assert not overlap(neighbours(built, BONDS))
    assert built.volume / len(built) == pytest.approx(8.24**3 / 56, rel=0.15)
    assert min(contacts(spinel)[np.ix_(species == 25, species == 8)].ravel()) * (
        built.volume / spinel.crystal.volume
    ) ** (1 / 3) == pytest.approx(1.96, abs=0.15)


def test_a_shipped_crystal_with_overlapping_atoms_is_left_out() -> None:
    broken = prototype("ABC_cP12_198_a_a_a")
    assert overlap(neighbours(broken.crystal, BONDS))
    assert broken.id not in {one.id for one in prototypes()}


def test_an_unknown_prototype_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="unknown prototype"):
        prototype("JVASP-0")


def test_a_volume_lies_between_its_two_estimates_and_the_closest_bond_is_as_long_as_expected() -> None:
    halite = named("Halite, Rock Salt")
    for species in ([11, 17], [12, 8], [56, 34]):
        low, high = sorted((by_atoms(halite, np.array(species)), by_bonds(halite, np.array(species))))
        assert low <= volume(halite, np.array(species)) <= high
    assert volume(halite, np.array([11, 17])) == pytest.approx(44.9, rel=0.12)  # NaCl, Å³


def test_plain_decorations_are_the_real_crystals() -> None:
    for one in prototypes()[::20]:
        (plain,) = decorations(one, 6, 0)
        assert len(plain.counts) == len(set(one.species.tolist()))
        assert sorted(plain.counts) == list(one.stoichiometry)
        assert len(set(plain.sides)) == len(plain.counts)


def test_sites_that_a_symmetry_exchanges_may_be_swapped() -> None:
    (halite,) = decorations(named("Halite, Rock Salt"), 4, 0)
    (fluorite,) = decorations(named("Fluorite"), 4, 0)
    assert halite.swaps == ((1, 0),)
    assert fluorite.swaps == ()


def orbit_structure(one: Decoration) -> Crystal:
    """The crystal with an element of its own in each slot."""
    crystal = one.prototype.crystal
    numbers = np.array([10 + slot for slot in one.slots])[one.prototype.orbit]
    return Crystal(crystal.lattice, crystal.positions, numbers.astype(np.uint8))


def test_decorations_of_a_prototype_are_distinct_crystals() -> None:
    """By pymatgen's matcher, which knows nothing of orbits."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=False, primitive_cell=False)
    checked = 0
    for one in [each for each in prototypes(12) if 3 <= len(each.species) <= 4][::4]:
        every = [each for level in (0, 1, 2) for each in decorations(one, 4, level)]
        for left, right in itertools.combinations(every[:8], 2):
            if sorted(left.counts) == sorted(right.counts):
                pair = (orbit_structure(each).to_pymatgen() for each in (left, right))
                assert not matcher.fit_anonymous(*pair), (one.id, left.slots, right.slots)
                checked += 1
    assert checked > 10
