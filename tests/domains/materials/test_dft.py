import re

import numpy as np
import pytest

from domains.materials import dft, hosts, pseudopotentials
from domains.materials.crystal import Crystal


def test_vasp_inputs_are_those_of_materials_project_with_symbols_only():
    made = dft.vasp_inputs(hosts.load("LiFePO4").crystal)
    assert set(made) == {"INCAR", "KPOINTS", "POSCAR", "POTCAR.spec"}
    assert made["POTCAR.spec"].split() == ["Li_sv", "Fe_pv", "P", "O"]
    incar = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in made["INCAR"].splitlines())
    assert incar["ENCUT"] == "520.0"
    assert incar["LDAU"] == "True"
    assert incar["LDAUU"].split()[1] == "5.3"  # on iron, as in all that hull energies are compared with
    assert incar["ISPIN"] == "2"
    assert made["POSCAR"].splitlines()[5:7] == ["Li Fe P O", "4 4 4 16"]


def test_a_metal_without_correlation_has_no_u():
    made = dft.vasp_inputs(Crystal(np.eye(3) * 2.5, np.zeros((1, 3)), np.array([13], np.uint8)))
    assert "LDAU " not in made["INCAR"]


def test_the_crystal_in_the_espresso_input_is_the_one_given():
    from io import StringIO

    from ase.io.espresso import read_espresso_in

    crystal = hosts.load("LiCoO2").crystal
    text = dft.espresso_inputs(crystal, {"O": "O.pbe.UPF"})["pw.in"]
    read = Crystal.from_ase(read_espresso_in(StringIO(text)))
    assert np.abs(read.lattice - crystal.lattice).max() < 1e-9
    assert read.to_pymatgen().matches(crystal.to_pymatgen())
    assert "O.pbe.UPF" in text
    assert "Co.UPF" in text
    assert "calculation      = 'vc-relax'" in text
    assert "nspin" in text  # cobalt


@pytest.mark.parametrize(("name", "spin"), [("LiTiS2", False), ("LiFePO4", True)])
def test_only_magnetic_crystals_start_with_spin(name, spin):
    assert ("starting_magnetization" in dft.espresso_inputs(hosts.load(name).crystal)["pw.in"]) is spin


def test_a_mesh_follows_the_cell():
    crystal = hosts.load("LiFePO4").crystal  # 10.3, 6.0, 4.7 Å
    assert dft.mesh(crystal, 0.25) == (3, 5, 6)
    assert dft.mesh(crystal, 99.0) == (1, 1, 1)


HEADERS = {
    "Al.pz-vbc.UPF": "Pseudopotential type: NC\nSuggested minimum cutoff for wavefunctions:   0. Ry\n",
    "Al.pbe-n-kjpaw_psl.1.0.0.UPF": '<PP_HEADER pseudo_type="PAW" wfc_cutoff="2.9e1" rho_cutoff="1.43e2"/>',
    "Fe.pbesol-spn.UPF": "",
    "Fe.pbe-spn.UPF": "Suggested minimum cutoff for wavefunctions:  64. Ry\nSuggested minimum cutoff for charge density: 782. Ry\n",
    "Fe.rel-pbe-spn.UPF": "",
    "B_ONCV_PBE-1.0.upf": '<PP_HEADER pseudo_type="NC"/>',
    "Mg.pz-n-vbc.UPF": "",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in HEADERS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_pseudopotentials_are_of_one_functional_and_bring_their_cutoffs(folder):
    chosen = pseudopotentials.choose(["Al", "Fe", "B"], folder)
    assert chosen.files == {"Al": "Al.pbe-n-kjpaw_psl.1.0.0.UPF", "Fe": "Fe.pbe-spn.UPF", "B": "B_ONCV_PBE-1.0.upf"}
    assert (chosen.wave_ry, chosen.density_ry) == (64, 782)
    lda = pseudopotentials.choose(["Al", "Mg"], folder)  # no PBE of magnesium: both in LDA, never mixed
    assert lda.files == {"Al": "Al.pz-vbc.UPF", "Mg": "Mg.pz-n-vbc.UPF"}
    assert pseudopotentials.suggested(folder / "Al.pz-vbc.UPF") == (16, 64)
    with pytest.raises(ValueError, match="none of Mg"):
        pseudopotentials.choose(["Fe", "Mg"], folder)
