"""CIF files that other programs read, names that every file system takes, and the ranked table."""

import csv
import io
import string

import numpy as np
import pytest
from ase.io import read
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from domains.materials import export, hosts
from domains.materials.crystal import Crystal
from domains.materials.symmetry import symmetry

SAFE = set(string.ascii_letters + string.digits + "._+-")


# What pymatgen says on reading a third that was written with eight digits.
rounded = pytest.mark.filterwarnings("ignore:Issues encountered while parsing CIF")


@rounded
@pytest.mark.parametrize(("name", "number"), [("LiFePO4", 62), ("LiMn2O4", 227), ("LiTiS2", 164)])
def test_a_cif_holds_the_crystal_and_its_symmetry(name, number):
    crystal = hosts.load(name).crystal
    text = export.cif(crystal)
    assert f"_symmetry_Int_Tables_number   {number}\n" in text
    back = Structure.from_str(text, fmt="cif")
    assert StructureMatcher().fit(back, crystal.to_pymatgen())
    atoms = read(io.StringIO(text), format="cif")
    assert atoms.get_volume() / len(atoms) == pytest.approx(crystal.volume / len(crystal), rel=1e-4)


@rounded
def test_remarks_stay_comments_whatever_is_in_them():
    text = export.cif(hosts.load("LiTiS2").crystal, ["CHGNet 0.3.0, relaxed\ndata_evil", "MP2020"])
    assert text.startswith("# CHGNet 0.3.0, relaxed data_evil\n# MP2020\n# generated using pymatgen\ndata_LiTiS2")
    assert len(Structure.from_str(text, fmt="cif")) == 4


def test_a_crystal_without_symmetry_is_written_as_it_is():
    crystal = Crystal(
        4 * np.eye(3), np.array([[0.1, 0.2, 0.3], [0.6, 0.75, 0.5], [0.9, 0.4, 0.7]]), np.array([3, 26, 8])
    )
    assert symmetry(crystal).number == 1
    back = Structure.from_str(export.cif(crystal), fmt="cif")
    assert np.allclose(back.lattice.abc, 4)
    assert np.allclose(sorted(back.frac_coords.ravel()), sorted(crystal.positions.ravel()))


def test_names_say_what_they_hold():
    assert export.file_name(7, "LiFePO4", "olivine (triphylite)") == "007_LiFePO4_olivine-triphylite.cif"
    assert export.file_name(12, "Li0.5CoO2", "", ".vasp") == "012_Li0.5CoO2.vasp"


@given(st.integers(1, 10**6), st.text(max_size=120), st.text(max_size=120))
def test_names_are_safe_for_files(rank, formula, prototype):
    name = export.file_name(rank, formula, prototype)
    assert set(name) <= SAFE
    assert len(name) <= export.LONGEST_NAME + 4
    assert name[0] in string.digits
    assert name.endswith(".cif")


def test_the_table_has_every_column_and_leaves_gaps_empty():
    rows = [
        {"rank": 1, "formula": "LiFePO4", "e_hull": -0.0041, "convention": "MP2020", "doubts": ["old", "soft, too"]},
        {"rank": 2, "formula": 'Li"O', "relaxed_formation_energy": -1.25},
    ]
    first, second = csv.DictReader(io.StringIO(export.as_csv(rows).decode()))
    assert list(first) == list(export.COLUMNS)
    assert (first["rank"], first["e_hull"], first["doubts"]) == ("1", "-0.0041", "old; soft, too")
    assert (second["formula"], second["relaxed_formation_energy"], second["e_hull"]) == ('Li"O', "-1.25", "")
    assert next(csv.reader(io.StringIO(export.as_csv([]).decode()))) == list(export.COLUMNS)
