"""Structure pictures: the atoms and bonds of the conventional cell, small and the same each time."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal as from_sites

from domains.materials import hosts
from domains.materials.crystal import Crystal
from domains.materials.pictures import HEIGHT, LEGEND, WIDTH, _turn, build, picture
from domains.materials.symmetry import symmetry

SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", 5.64))
MOST_BYTES = 40_000
CIRCLE = re.compile(r'<circle cx="([-\d.]+)" cy="([-\d.]+)" r="([\d.]+)" fill="url\(#(\w+)\)"/>')


def rattled(many):
    """A cell without symmetry."""
    atoms = make_supercell(bulk("NaCl", "rocksalt", 5.64), many * np.eye(3))
    atoms.rattle(0.1, seed=1)
    return Crystal.from_ase(atoms)


def test_rock_salt_has_its_textbook_cell():
    scene = build(symmetry(SALT).conventional)
    assert sorted(np.bincount(scene.numbers)[[11, 17]]) == [13, 14]
    assert len(scene.bonds) == 54
    lengths = np.linalg.norm(np.diff(scene.places[scene.bonds], axis=1), axis=-1)
    assert np.allclose(lengths, 2.82)


def test_primitive_and_conventional_cells_look_the_same():
    one, other = (
        build(symmetry(crystal).conventional)
        for crystal in (SALT, Crystal.from_ase(bulk("NaCl", "rocksalt", 5.64, cubic=True)))
    )
    assert np.array_equal(one.numbers, other.numbers)
    assert np.allclose(one.places, other.places, atol=1e-6)
    assert np.array_equal(one.bonds, other.bonds)


def test_a_picture_is_the_same_each_time():
    assert picture(SALT) == picture(Crystal(SALT.lattice.copy(), SALT.positions.copy(), SALT.numbers.copy()))


@pytest.mark.parametrize("name", sorted(hosts.HOSTS))
def test_every_host_fits_its_picture(name):
    svg = picture(hosts.load(name).crystal)
    assert len(svg) < MOST_BYTES
    root = ET.fromstring(svg)
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT + LEGEND}"
    shades = {one.get("id") for one in root.iter() if one.tag.endswith("radialGradient")}
    circles = CIRCLE.findall(svg)
    assert {shade for *_, shade in circles} == shades
    for x, y, radius in (tuple(map(float, found[:3])) for found in circles):
        assert radius - 0.1 <= x <= WIDTH - radius + 0.1
        assert radius - 0.1 <= y <= HEIGHT + LEGEND - radius + 0.1


def test_a_slender_cell_is_repeated_and_says_so():
    assert build(symmetry(hosts.load("LiCoO2").crystal).conventional).repeats == (2, 2, 1)
    assert ">2×2×1</text>" in picture(hosts.load("LiCoO2").crystal)
    assert "×" not in picture(SALT)


def test_metals_have_no_bonds():
    assert len(build(symmetry(Crystal.from_ase(bulk("Cu"))).conventional).bonds) == 0


def test_pictures_of_a_page_share_no_shades():
    names = [set(re.findall(r'id="(\w+)"', picture(one))) for one in (SALT, SALT.at_volume(50.0), rattled(2))]
    assert not names[0] & names[1]
    assert not names[0] & names[2]


def test_a_large_cell_without_symmetry_stays_small():
    svg = picture(rattled(5))
    ET.fromstring(svg)
    assert len(svg) < MOST_BYTES
    assert len(CIRCLE.findall(svg)) == 250 + 2


def test_broken_crystals_are_drawn_as_they_are():
    twice = Crystal(3 * np.eye(3), np.zeros((2, 3)), np.array([1, 1], np.uint8))
    assert symmetry(twice).symbol == "P1"
    ET.fromstring(picture(twice))


def test_the_view_is_no_mirror_image():
    skewed = from_sites(["H"], [(0.1, 0.2, 0.3)], spacegroup=2, cellpar=[3, 5, 4, 80, 85, 95])
    for lattice in (np.eye(3), np.array(skewed.cell), symmetry(hosts.load("LiFePO4").crystal).conventional.lattice):
        turn = _turn(lattice)
        assert np.allclose(turn.T @ turn, np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1)
