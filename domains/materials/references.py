"""Energies to compare with: of the elements, and where public data can be had of the known compounds.

Public energies are read from the folder AI4S_DATA or downloaded once. Where neither works, the energies of the elements
that matcalc ships remain: then nothing says which compounds a candidate competes with, and every result must say so.
"""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from domains.errors import InvalidRequest
from domains.materials import corrections, formula
from domains.materials.crystal import Crystal
from domains.materials.elements import symbols
from domains.materials.potential import Convention
from domains.materials.potential import load as load_potential
from domains.public_file import PublicFile, content

COMPOUNDS = PublicFile(
    "materials/mp_formation_energies.csv",
    "https://raw.githubusercontent.com/anthony-wang/CrabNet/457b4d4835737ecbe4dd33e53174bd818bd82143/data/matbench/mp_e_form.csv",
    "90e895635c96447c5be4e9070d26f26e1b4d17925102a6597ae3c4d79c32555b",
)
ELEMENTS = PublicFile(
    "materials/mp_elemental_entries.json",
    "https://raw.githubusercontent.com/janosh/matbench-discovery/2c7f9fc42d018711dc2f5df573d225ea6d2d17b2/data/mp/2023-02-07-mp-elemental-reference-entries.json.gz",
    "3e66c10bfd00035c6f08f5737e2b7eda2637b9aeeb349c024bca8b5bbb535fa2",
)
# Against the trend of the other rare earths, public formation energies of their trivalent compounds are up to 1.4 eV/atom too
# high (Yb2O3, with a divalent pseudopotential; Eu2O3 0.7, GdF3 0.35) or missing: without GdI3, KGdI3 is 0.87 below the hull.
UNRELIABLE = frozenset({"Eu", "Gd", "Yb"})
PUBLIC, ELEMENTS_ONLY, EMT = "materials-project", "elements", "emt"
FCC_EDGES = np.linspace(3.4, 4.3, 46)  # Å, of the cube; within 1 meV of the lowest


@dataclass(frozen=True, eq=False)
class References:
    """Energies per atom in one convention; ``compounds`` are formation energies of the best structure of each formula.

    ``elements``: eV/atom by symbol. ``compounds``: eV/atom by ``formula.name``; empty where only elements are known.
    ``note`` says in English and Chinese what they are and how far to trust them.
    """

    name: str
    convention: Convention
    elements: Mapping[str, float]
    compounds: Mapping[str, float]
    unreliable: Set[str]
    sha256: str
    note: tuple[str, str]

    def formation_energy(self, energy: float, counts: Mapping[str, float]) -> float:
        """eV/atom, of an energy per atom that is in this convention; KeyError for an element without a reference."""
        atoms = sum(counts.values())
        return energy - sum(number * self.elements[symbol] for symbol, number in counts.items()) / atoms

    def problem(self, symbols: Set[str]) -> str:
        """Why a compound of these elements cannot be compared; empty where it can."""
        if missing := sorted(symbols - self.elements.keys()):
            return f"no reference energy of {', '.join(missing)}"
        if doubtful := sorted(symbols & self.unreliable):
            return (
                f"public energies of compounds of {', '.join(doubtful)} are far off the other rare earths, or missing"
            )
        return ""


def choose(convention: Convention, potential: str) -> References:
    """The best references that can be had for energies of a potential.

    Raises:
        InvalidRequest: there are none in a convention that its energies can be brought to.
    """
    if convention == Convention.emt:
        return load(EMT)
    corrections.check(convention, Convention.mp2020, potential)
    try:
        return load(PUBLIC)
    except InvalidRequest as error:
        found = load(ELEMENTS_ONLY)
        return replace(found, note=(f"{found.note[0]} ({error})", f"{found.note[1]}（{error}）"))


@cache
def load(name: str) -> References:
    """The references of this name; InvalidRequest where their files cannot be had."""
    if name not in SETS:
        raise InvalidRequest("references", name, "unknown reference energies", ", ".join(SETS))
    return SETS[name]()


def _public() -> References:
    entries = json.loads(content(ELEMENTS, "references", PUBLIC))
    elements = {
        symbol: (entry["energy"] + entry["correction"]) / sum(entry["composition"].values())
        for symbol, entry in entries.items()
    }
    best: dict[str, tuple[float, dict[str, int]]] = {}
    for row in csv.DictReader(io.StringIO(content(COMPOUNDS, "references", PUBLIC).decode())):
        counts, energy = formula.parse(row["formula"]), float(row["target"])
        name = formula.name(counts)
        if len(counts) > 1 and counts.keys() <= elements.keys() and (name not in best or energy < best[name][0]):
            best[name] = energy, counts
    # The bridge depends on the composition alone, so the best structure of a formula stays the best.
    bridged = {name: energy + corrections.from_2018(counts, elements) for name, (energy, counts) in best.items()}
    note = (
        f"{len(bridged):,} compounds of Materials Project (2018 to 2019), brought to the corrections of 2020",
        f"Materials Project {len(bridged):,} 种化合物（2018–2019 年），已换算至 2020 版校正",
    )
    sha256 = _sha256(COMPOUNDS.sha256, ELEMENTS.sha256)
    return References(PUBLIC, Convention.mp2020, elements, bridged, UNRELIABLE, sha256, note)


def _elements_only() -> References:
    spec = find_spec("matcalc")  # importing it would take seconds
    if spec is None or spec.origin is None:
        raise InvalidRequest("references", ELEMENTS_ONLY, "matcalc is not installed", "pip install 'ai4s[materials]'")
    packed = (Path(spec.origin).parent / "elemental_refs" / "MP-PBE-Element-Refs.json.gz").read_bytes()
    found = json.loads(gzip.decompress(packed))
    elements = {symbol: float(np.min(one["energy_per_atom"])) for symbol, one in found.items()}
    note = (
        "elements only: a candidate is compared with the elements and not with the compounds it may decompose into",
        "仅有单质参考：候选只与单质比较，未与其可能分解成的化合物比较",
    )
    sha256 = hashlib.sha256(packed).hexdigest()
    return References(ELEMENTS_ONLY, Convention.mp2020, elements, {}, frozenset(), sha256, note)


def _emt() -> References:
    potential = load_potential("emt")
    elements: dict[str, float] = {}
    for number in sorted(potential.elements):
        found = potential.evaluate([_fcc(number, edge) for edge in FCC_EDGES], "energy")
        elements[symbols()[number]] = min(one.energy for one in found if one.energy is not None)
    note = (
        "elements only, as fcc metals in EMT: a model of seven metals for trials, not a prediction",
        "仅有单质参考（EMT 的 fcc 金属）：七种金属的试验模型，并非预测",
    )
    sha256 = _sha256(*(f"{symbol} {energy:.4f}" for symbol, energy in elements.items()))
    return References(EMT, Convention.emt, elements, {}, frozenset(), sha256, note)


def _fcc(number: int, edge: float) -> Crystal:
    lattice = edge / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], float)
    return Crystal(lattice, np.zeros((1, 3)), np.array([number], np.uint8))


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


SETS = {PUBLIC: _public, ELEMENTS_ONLY: _elements_only, EMT: _emt}
