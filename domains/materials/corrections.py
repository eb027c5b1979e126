"""Bridges between conventions of energies: Materials Project's corrections of PBE(+U), of 2018 and of 2020.

PBE binds anions wrongly and PBE+U shifts some transition metals, so Materials Project adds a fitted energy for each such
atom of a compound. Energies with unlike corrections cannot be subtracted: bromides came out 0.3 eV/atom too stable when
potentials trained on the corrections of 2020 met reference energies with those of 2018.

Sources: 2018, Jain et al., Phys. Rev. B 84 (2011) 045115 and Ong et al.; 2020, Wang et al., Sci. Rep. 11 (2021) 15496; both
as pymatgen lists them, which a test compares.
"""

import math
from collections.abc import Mapping

from domains.errors import InvalidRequest
from domains.materials.crystal import Crystal
from domains.materials.elements import elements
from domains.materials.potential import Convention

Counts = Mapping[str, float]

# eV an atom of the anion; oxygen by its bonds to oxygen.
OXYGEN_2018 = {"oxide": -0.70229, "peroxide": -0.46622, "superoxide": -0.14598, "ozonide": 0.0}
OXYGEN_2020 = {"oxide": -0.687, "peroxide": -0.465, "superoxide": -0.161, "ozonide": 0.0}
SULFUR_2018 = -0.66346  # in any compound: sulfates of the public energies have it as well
ANIONS_2020 = {
    **{"F": -0.462, "Cl": -0.614, "Br": -0.534, "I": -0.379, "S": -0.503, "Se": -0.472, "Te": -0.422},
    **{"N": -0.361, "Sb": -0.192, "Si": 0.071, "H": -0.179},
}
# eV an atom of the metal, where the most electronegative element is O or F.
METALS_2018 = {
    **{"V": -1.682, "Cr": -2.013, "Mn": -1.68085015096, "Fe": -2.733},
    **{"Co": -1.874, "Ni": -2.164, "Mo": -3.531, "W": -4.351},
}
METALS_2020 = {
    **{"V": -1.7, "Cr": -1.999, "Mn": -1.668, "Fe": -2.256},
    **{"Co": -1.638, "Ni": -2.541, "Mo": -3.202, "W": -4.438},
}
# eV/atom of the elements whose own energy was fitted in 2018, there instead of a correction of the anion.
GASES_2018 = {"N": -7.95247218762, "F": -1.42055013381, "Cl": -1.25385097674, "H": -3.23973666138}
# Beside a more electronegative element these are anions too, unless so many oxygens an atom make them the centre of an
# oxoanion; oxygen of water does not count.
OXOANION = {"Cl": 3, "Br": 3, "I": 3, "S": 3, "Se": 2, "Te": 2, "N": 2}


class MixedConventions(TypeError):
    """Energies of unlike conventions were about to be subtracted, and there is no bridge between these two."""


def correction(counts: Counts, source: Convention, target: Convention, oxygen: str = "oxide") -> float:
    """What to add to an energy of one convention so that it is in another, eV/atom.

    Args:
        counts: Atoms by element.
        source: The convention of the energy at hand.
        target: The convention that is wanted.
        oxygen: ``oxide``, ``peroxide``, ``superoxide`` or ``ozonide``: see ``kind_of_oxygen``.

    Raises:
        MixedConventions: there is no bridge.
    """
    if source == target:
        return 0.0
    if (source, target) == (Convention.raw, Convention.mp2020):
        return _corrected(counts, oxygen, OXYGEN_2020, ANIONS_2020, METALS_2020)
    raise MixedConventions(f"an energy in {source} cannot be compared with one in {target}")


def from_2018(counts: Counts, of_elements: Mapping[str, float]) -> float:
    """What to add to a formation energy with the corrections of 2018 for those of 2020, eV/atom.

    ``of_elements`` are energies of the elements in 2020, eV/atom; the elements' structures are taken to be the same.
    Oxygen is taken to be an oxide: the two differ by no more than 0.015 eV an atom of it in any bond.
    """
    gases = sum(
        number * (GASES_2018[symbol] - of_elements[symbol]) for symbol, number in counts.items() if symbol in GASES_2018
    )
    apart = (gases - SULFUR_2018 * counts.get("S", 0)) / sum(counts.values())
    before = _corrected(counts, "oxide", OXYGEN_2018, {}, METALS_2018)
    return apart + _corrected(counts, "oxide", OXYGEN_2020, ANIONS_2020, METALS_2020) - before


def check(convention: Convention, target: Convention, potential: str) -> None:
    """InvalidRequest where energies of this potential cannot be compared with references in this convention."""
    try:
        correction({"O": 1, "H": 2}, convention, target)
    except MixedConventions as error:
        valid = f"a potential whose energies are in {target}, or references in {convention}"
        raise InvalidRequest("potential", potential, str(error), valid) from None


def kind_of_oxygen(crystal: Crystal) -> str:
    """How oxygen is bound, as the corrections name it: from the distances between oxygen atoms."""
    if elements()["O"].number not in crystal.numbers:
        return "oxide"
    from pymatgen.analysis.structure_analyzer import oxide_type  # here: its import takes seconds

    kind = str(oxide_type(crystal.to_pymatgen(), 1.05))
    return kind if kind in OXYGEN_2020 else "oxide"


def _corrected(
    counts: Counts, oxygen: str, by_bond: Counts, anions: Mapping[str, float], metals: Mapping[str, float]
) -> float:
    """The correction of a compound, eV/atom; an element has none."""
    if len(counts) == 1:
        return 0.0
    most = max(counts, key=_electronegativity)
    energy = by_bond[oxygen] * counts.get("O", 0)
    energy += sum(anions.get(symbol, 0.0) * counts[symbol] for symbol in counts if _is_anion(symbol, most, counts))
    if most in ("O", "F"):
        energy += sum(metals.get(symbol, 0.0) * number for symbol, number in counts.items())
    return energy / sum(counts.values())


def _electronegativity(symbol: str) -> float:
    return elements()[symbol].electronegativity or 0.0  # lighter noble gases have none


def _is_anion(symbol: str, most: str, counts: Counts) -> bool:
    """By composition alone: as pymatgen by guessed oxidation states for 19 formulas of 20, at a thousandth of the time."""
    oxygens = counts.get("O", 0) - counts.get("H", 0) / 2
    return symbol == most or oxygens < OXOANION.get(symbol, -math.inf) * counts[symbol]
