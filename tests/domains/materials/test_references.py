"""Reference energies: the public ones, and what is said where they cannot be had."""

import pytest
from pymatgen.core import Composition

from domains.errors import InvalidRequest
from domains.materials import references
from domains.materials.potential import Convention
from domains.public_file import PublicFile
from tests.public_data import public_data


@pytest.fixture
def public(monkeypatch):
    monkeypatch.setenv("AI4S_DATA", str(public_data("materials/mp_formation_energies.csv.gz").parents[1]))
    return references.load(references.PUBLIC)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No data folder, an empty cache, and addresses that lead nowhere."""
    monkeypatch.delenv("AI4S_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("ELEMENTS", "COMPOUNDS"):
        file = getattr(references, name)
        monkeypatch.setattr(references, name, PublicFile(file.name, (tmp_path / "none.csv").as_uri(), file.sha256))
    references.load.cache_clear()
    yield
    references.load.cache_clear()


def test_public_references_hold_the_best_structure_of_each_formula(public):
    assert public.convention == Convention.mp2020
    assert len(public.compounds) > 90_000
    assert "95," in public.note[0]
    # Fifteen of the file's rows are MgO; by calorimetry it is -3.12 eV/atom.
    assert public.compounds["MgO"] == pytest.approx(-3.12, abs=0.1)
    assert all(len(Composition(name)) > 1 for name in list(public.compounds)[::5000])


def test_formation_energy_is_relative_to_the_elements(public):
    atoms = {"Na": 1, "Cl": 1}
    of_elements = public.elements["Na"] + public.elements["Cl"]
    assert public.formation_energy(of_elements / 2 - 2.0, atoms) == pytest.approx(-2.0)


def test_rare_earths_with_doubtful_energies_are_named(public):
    assert "Gd" in public.problem({"K", "Gd", "I"})
    assert public.problem({"K", "La", "I"}) == ""
    assert "no reference energy of Po" in public.problem({"Po", "O"})


def test_without_public_data_only_elements_remain_and_that_is_said(offline):
    found = references.choose(Convention.mp2020, "chgnet")
    assert (found.name, found.convention, found.compounds) == (references.ELEMENTS_ONLY, Convention.mp2020, {})
    assert len(found.elements) > 80
    assert "elements only" in found.note[0]
    assert "AI4S_DATA" in found.note[0]
    assert "仅有单质" in found.note[1]


def test_shipped_elements_agree_with_the_public_ones(public):
    shipped = references.load(references.ELEMENTS_ONLY).elements
    apart = [abs(shipped[one] - public.elements[one]) for one in shipped]
    assert max(apart) < 0.1
    assert sum(one > 0.01 for one in apart) < 5


def test_raw_energies_get_references_and_r2scan_ones_none(offline):
    assert references.choose(Convention.raw, "sevennet-l3i5").convention == Convention.mp2020
    with pytest.raises(InvalidRequest, match=r"potential = 'other'.*r2SCAN"):
        references.choose(Convention.r2scan, "other")


def test_emt_is_relative_to_its_own_metals():
    found = references.choose(Convention.emt, "emt")
    assert found.convention == Convention.emt
    assert set(found.elements) == {"Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au"}
    assert all(abs(energy) < 0.02 for energy in found.elements.values())


def test_unknown_references_are_refused():
    with pytest.raises(InvalidRequest, match="references = 'oqmd'"):
        references.load("oqmd")
