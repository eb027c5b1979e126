"""Bridges between conventions, held to pymatgen's own scheme and to CHGNet, which was trained on the corrections of 2020."""

import warnings
from importlib.resources import files

import numpy as np
import pytest
import yaml
from pymatgen.analysis.compatibility import MaterialsProject2020Compatibility
from pymatgen.core import Composition
from pymatgen.entries.computed_entries import ComputedEntry
from pymatgen.io.vasp.sets import MPRelaxSet

from domains.errors import InvalidRequest
from domains.materials import corrections, formula
from domains.materials.corrections import MixedConventions
from domains.materials.crystal import Crystal
from domains.materials.elements import element
from domains.materials.potential import Convention

COMMON = [
    "NaCl",
    "MgO",
    "CaF2",
    "Fe2O3",
    "LiFePO4",
    "LiCoO2",
    "NiO2",
    "BaTiO3",
    "Na2S",
    "FeS2",
    "TiS2",
    "ZnSe",
    "Bi2Te3",
    "CuI",
    "CsPbBr3",
    "AlN",
    "Si3N4",
    "TiO2",
    "CaSi2",
    "GaAs",
    "V2O5",
    "WO3",
    "MoS2",
    "CrF3",
    "MnF2",
    "Mg2Si",
    "InSb",
    "BiOBr",
    "BiOCl",
    "TaON",
    "LaF3",
    "K2NiF4",
    "NaH",
    "CdSe",
    "SnSe",
    "PbTe",
    "LiMn2O4",
    "Li2S",
    "CsI",
    "LaCuOSe",
]


def listed(name):
    return yaml.safe_load((files("pymatgen.analysis.compatibility") / name).read_text())


def test_tables_are_the_published_ones():
    new, old = listed("MP2020Compatibility.yaml"), listed("MPCompatibility.yaml")
    anions = new["Corrections"]["CompositionCorrections"]
    assert anions == {**corrections.OXYGEN_2020, **corrections.ANIONS_2020}
    metals = new["Corrections"]["GGAUMixingCorrections"]
    assert corrections.METALS_2020 == metals["O"] == metals["F"]
    assert corrections.METALS_2018 == old["Advanced"]["UCorrections"]["O"] == old["Advanced"]["UCorrections"]["F"]
    assert old["OxideCorrections"] == corrections.OXYGEN_2018
    assert old["SulfideCorrections"]["sulfide"] == corrections.SULFUR_2018
    assert {f"{gas}2": energy for gas, energy in corrections.GASES_2018.items()} == old["Advanced"]["CompoundEnergies"]


def by_pymatgen(name):
    compound = Composition(name)
    most = max(compound.elements, key=lambda one: one.X).symbol
    settings = MPRelaxSet.CONFIG["INCAR"]["LDAUU"].get(most, {})
    hubbards = {one.symbol: settings[one.symbol] for one in compound.elements if one.symbol in settings}
    parameters = {"run_type": "GGA+U" if hubbards else "GGA", "is_hubbard": bool(hubbards), "hubbards": hubbards}
    entry = ComputedEntry(compound, 0.0, parameters=parameters, data={"oxide_type": "oxide"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces every guess
        MaterialsProject2020Compatibility(check_potcar=False).process_entries([entry], clean=True, inplace=True)
    return entry.correction / compound.num_atoms


def test_the_bridge_from_raw_energies_is_pymatgens():
    ours = [corrections.correction(formula.parse(name), Convention.raw, Convention.mp2020) for name in COMMON]
    assert ours == pytest.approx([by_pymatgen(name) for name in COMMON], abs=1e-6)


def test_unlike_conventions_are_never_compared():
    counts = {"Na": 1, "Cl": 1}
    for source, target in [
        (Convention.r2scan, Convention.mp2020),
        (Convention.emt, Convention.mp2020),
        (Convention.mp2020, Convention.raw),
        (Convention.mp2020, Convention.emt),
    ]:
        with pytest.raises(MixedConventions, match="cannot be compared"):
            corrections.correction(counts, source, target)
    with pytest.raises(InvalidRequest) as refused:
        corrections.check(Convention.r2scan, Convention.mp2020, "some-r2scan-model")
    assert (refused.value.field, refused.value.value) == ("potential", "some-r2scan-model")


def test_like_conventions_need_no_bridge():
    assert corrections.correction({"Na": 1, "Cl": 1}, Convention.emt, Convention.emt) == 0
    assert corrections.correction({"Fe": 2}, Convention.raw, Convention.mp2020) == 0  # an element has no correction


def molecule_of_oxygen_in(symbol, distance):
    middle = np.array([0.5, 0.5, 0.5])
    pair = np.array([distance / 2, 0, 0]) / 8
    positions = np.array([[0, 0, 0], middle - pair, middle + pair])
    numbers = np.array([element(symbol).number, 8, 8], np.uint8)
    return Crystal(8 * np.eye(3), positions, numbers)


def test_oxygen_bound_to_oxygen_is_corrected_less():
    peroxide, superoxide, oxide = (molecule_of_oxygen_in("Ba", d) for d in (1.48, 1.34, 3.0))
    kinds = [corrections.kind_of_oxygen(one) for one in (peroxide, superoxide, oxide)]
    assert kinds == ["peroxide", "superoxide", "oxide"]
    counts = {"Ba": 1, "O": 2}
    by_kind = [corrections.correction(counts, Convention.raw, Convention.mp2020, kind) for kind in kinds]
    assert by_kind == pytest.approx([2 / 3 * -0.465, 2 / 3 * -0.161, 2 / 3 * -0.687])


@pytest.mark.parametrize(
    ("name", "bridge"),
    [
        ("CsPbBr3", 0.6 * -0.534),  # bromine had no correction in 2018
        ("Na2S", (-0.503 + 0.66346) / 3),
        ("Fe2O3", (2 * (-2.256 + 2.733) + 3 * (-0.687 + 0.70229)) / 5),
        ("BaSO4", (0.66346 + 4 * (-0.687 + 0.70229)) / 6),  # the sulfate had a sulfide's
        ("GaAs", 0.0),
        ("LiF", (-0.462 - 1.42055013381 + 1.9) / 2),  # then the gas was shifted, now the anion
    ],
)
def test_public_energies_of_2018_are_brought_to_2020(name, bridge):
    of_elements = {"F": -1.9}
    assert corrections.from_2018(formula.parse(name), of_elements) == pytest.approx(bridge, abs=1e-9)
