"""Structure prototypes from the packages that ship them: real crystals whose species are to be replaced.

JARVIS minerals (Choudhary et al., npj Comput. Mater. 6 (2020) 173; 1,081 relaxed crystals in jarvis-tools) and the AFLOW
library (Mehl et al., Comput. Mater. Sci. 136 (2017) S1; 288 in pymatgen). A crystal is taken as it is, with all its atoms, and
brought to its primitive cell by its own symmetry: never rebuilt from a space group's name and Wyckoff letters, where the
choice of origin decides whether atoms overlap.
"""

import gzip
import itertools
import json
import math
import re
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from domains.errors import InvalidRequest, closest
from domains.materials.crystal import Crystal
from domains.materials.elements import elements

MOST_ATOMS = 24
HYDROGEN = 1
SYMMETRY_TOLERANCE = 0.05  # Å; the relaxed cells are symmetric to about 0.001
# Partial pair distributions that differ by less than this part are one structure with other species in it.
SAME_STRUCTURE = 0.4
REACH, WIDTH = 2.2, 0.1  # of these distributions, in cube roots of the volume an atom has
BINS = np.arange(0.3, REACH, WIDTH / 2)

Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Prototype:
    """A real crystal as a template: its primitive cell and which of its atoms are equivalent.

    ``orbit`` (n,) is the orbit of each atom, ``species`` (orbits,) the atomic number on each orbit in the real crystal.
    """

    id: str
    name: str  # of the mineral or structure type
    source: str
    spacegroup: int
    crystal: Crystal
    orbit: np.ndarray
    species: np.ndarray

    def __len__(self) -> int:
        return len(self.crystal)

    @cached_property
    def multiplicity(self) -> np.ndarray:
        """Atoms of each orbit in the primitive cell."""
        return np.bincount(self.orbit)

    @cached_property
    def stoichiometry(self) -> tuple[int, ...]:
        """Reduced counts of the species, ascending: (1, 1, 3) for a perovskite."""
        counts = np.unique(self.crystal.numbers, return_counts=True)[1].tolist()
        return tuple(sorted(count // math.gcd(*counts) for count in counts))


@cache
def prototypes(most_atoms: int = MOST_ATOMS) -> tuple[Prototype, ...]:
    """The distinct prototypes of at least two species with at most so many atoms in the primitive cell.

    Of crystals with the same space group, orbits and arrangement the first is kept: JARVIS before AFLOW. Those with hydrogen
    are left out: no other atom fits a proton's place. So is one of AFLOW's, as shipped, with overlapping atoms. AFLOW's names,
    of structure types rather than minerals, are preferred.
    """
    from domains.materials.neighbours import neighbours
    from domains.materials.plausible import overlap

    kept: dict[object, list[tuple[Pairs, str]]] = defaultdict(list)
    found, names = list[Prototype](), dict[str, str]()
    for key, raw in _raw().items():
        # The cells are primitive as they are shipped, but for three of them.
        if len(raw["numbers"]) > most_atoms or len(set(raw["numbers"])) < 2 or HYDROGEN in raw["numbers"]:
            continue
        one = prototype(key)
        if overlap(neighbours(one.crystal, 3.0)):
            continue
        alike = kept[(one.spacegroup, one.stoichiometry, len(one), tuple(sorted(one.multiplicity)))]
        pairs = _pair_distributions(one)
        same = next((of for known, of in alike if _match(pairs, known)[0] < SAME_STRUCTURE), None)
        if same is None:
            alike.append((pairs, key))
            found.append(one)
        elif one.source == "AFLOW" and one.name != key:
            names.setdefault(same, one.name)
    return tuple(replace(one, name=names.get(one.id, one.name)) for one in found)


@cache
def prototype(key: str) -> Prototype:
    """The prototype of an id, such as ``JVASP-104``.

    Raises:
        InvalidRequest: there is none.
    """
    import spglib

    if key not in _raw():
        raise InvalidRequest("prototype", key, "unknown prototype", ", ".join(closest(key, _raw())))
    raw = _raw()[key]
    cell = (raw["lattice"], raw["positions"], raw["numbers"])
    with warnings.catch_warnings():
        # spglib announces at every call that it will raise errors one day instead of returning None.
        warnings.simplefilter("ignore", DeprecationWarning)
        cell = spglib.standardize_cell(cell, to_primitive=True, symprec=SYMMETRY_TOLERANCE)
        symmetry = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_TOLERANCE)
    lattice, positions, numbers = cell
    first, orbit = np.unique(symmetry.equivalent_atoms, return_inverse=True)
    crystal = Crystal(np.asarray(lattice), np.asarray(positions), np.asarray(numbers, np.uint8))
    return Prototype(key, raw["name"], raw["source"], int(symmetry.number), crystal, orbit, crystal.numbers[first])


@cache
def _raw() -> Mapping[str, Mapping[str, Any]]:
    """All crystals as shipped, by id."""
    found: dict[str, Mapping[str, Any]] = {}
    for key, crystal in itertools.chain(_jarvis(), _aflow()):
        number = itertools.count(2)
        name = key
        while name in found:
            name = f"{key}.{next(number)}"
        found[name] = crystal
    return found


def _jarvis() -> Iterator[tuple[str, Mapping[str, Any]]]:
    with zipfile.ZipFile(_package("jarvis") / "core" / "mineral_name_prototype.json.zip") as archive:
        table = json.loads(archive.read(archive.namelist()[0]))
    seen = set()
    for entries in table.values():
        for name, _, key, atoms in entries:
            if key in seen:  # a crystal known by several names
                continue
            seen.add(key)
            lattice, positions = np.array(atoms["lattice_mat"]), np.array(atoms["coords"])
            if atoms["cartesian"]:
                positions = positions @ np.linalg.inv(lattice)
            yield key, _crystal(name, "JARVIS", lattice, positions, atoms["elements"])


def _aflow() -> Iterator[tuple[str, Mapping[str, Any]]]:
    with gzip.open(_package("pymatgen") / "analysis" / "prototypes" / "aflow_prototypes.json.gz") as file:
        table = json.load(file)
    for entry in table:
        structure, tags = entry["snl"], entry["tags"]
        positions = np.array([site["abc"] for site in structure["sites"]])
        named = [site["species"][0]["element"] for site in structure["sites"]]
        # Some are no names but formulas, with occupancies.
        name = tags["aflow"] if re.search(r"[_()]", tags["mineral"] or "_") else tags["mineral"]
        yield tags["aflow"], _crystal(name, "AFLOW", np.array(structure["lattice"]["matrix"]), positions, named)


def _crystal(name: str, source: str, lattice: np.ndarray, positions: np.ndarray, named: list[str]) -> Mapping[str, Any]:
    numbers = [elements()[symbol].number for symbol in named]
    return {"name": name, "source": source, "lattice": lattice, "positions": positions, "numbers": numbers}


def _package(name: str) -> Path:
    """The folder of a package, which is not imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise InvalidRequest("prototypes", name, "the package is not installed", "pip install 'ai4s[materials]'")
    return Path(next(iter(spec.submodule_search_locations)))


def _pair_distributions(one: Prototype) -> Pairs:
    """How many atoms of each species (s,), ascending, and each pair of species' smoothed distances (s, s, bins)."""
    from domains.materials.neighbours import neighbours

    crystal = one.crystal
    numbers, species, counts = np.unique(crystal.numbers, return_inverse=True, return_counts=True)
    order = np.argsort(counts, kind="stable")
    species, s = np.argsort(order)[species], len(numbers)
    unit = (crystal.volume / len(crystal)) ** (1 / 3)
    graph = neighbours(crystal, REACH * unit)
    length = graph.length[:, None] / unit
    peaks = np.exp(-(((length - BINS) / WIDTH) ** 2) / 2) / length**2
    pairs = np.zeros((s * s, len(BINS)))
    np.add.at(pairs, species[graph.center] * s + species[graph.neighbour], peaks)
    return counts[order], pairs.reshape(s, s, -1) / len(crystal)


def _match(one: Pairs, other: Pairs) -> tuple[float, list[int]]:
    """The relative difference of two crystals, and which species of the other stands for each of the one, so that it is least."""
    counts, pairs = one
    every = (list(order) for order in itertools.permutations(range(len(counts))))
    alike = [order for order in every if (other[0][order] == counts).all()]
    apart = [float(np.sqrt(((other[1][np.ix_(order, order)] - pairs) ** 2).sum())) for order in alike]
    return min(zip((each / float(np.sqrt((pairs**2).sum())) for each in apart), alike, strict=True))
