"""How far the starting volume of a candidate is from that of the real crystal.

Two questions. Of all crystals that ship with jarvis-tools: the sum of volumes of atoms, fitted without their chemical system.
Of those that have the structure of another: the volume that `domains.materials.volume` gives to the other's template with their
species on it, which is what a search does. `--write` fits the table to all crystals and writes it.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import numpy as np

from benchmarks.bench import Row, main
from domains.materials import prototypes, volume
from domains.materials.elements import elements, symbols
from domains.materials.prototypes import Prototype

FOLDS = 5
PENALTY = 0.1
FIRST_GUESS = 15.0  # Å³ an atom
HEADER = """\
# Average volume of an atom (Å³) as a cation and as an anion; radius (Å) and its change with the spread of electronegativities.
# Volumes: fitted by benchmarks/volumes.py to the relaxed crystals of jarvis-tools (JARVIS-DFT, OptB88vdW; Choudhary et al., npj
# Comput. Mater. 6 (2020) 173). Radii: Chu et al., Comput. Mater. Sci. 146 (2018) 184, as shipped in pymatgen (MIT licence); of
# the elements it lacks, covalent radii (Cordero et al., Dalton Trans. 2008, 2832). symbol: [cation, anion, radius, change]
"""


def crystals() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Of the crystals of two elements or more: atomic numbers of all atoms, volume of an atom (m,), fold (m,)."""
    rows = [raw for raw in prototypes._raw().values() if raw["source"] == "JARVIS" and len(set(raw["numbers"])) > 1]
    numbers = [np.array(raw["numbers"]) for raw in rows]
    volumes = np.array([abs(np.linalg.det(raw["lattice"])) / len(raw["numbers"]) for raw in rows])
    return numbers, volumes, np.array([fold(each) for each in numbers])


def fold(numbers: np.ndarray) -> int:
    """The same for all crystals of a chemical system."""
    return int(sum(int(z) * 7**at for at, z in enumerate(np.unique(numbers)))) % FOLDS


def shares(numbers: Sequence[np.ndarray]) -> np.ndarray:
    """The part of the atoms (m, 2 * 104) that are an element as a cation, and as an anion."""
    scale = volume.electronegativities()
    found = np.zeros((len(numbers), 2 * len(scale)))
    for row, each in zip(found, numbers, strict=True):
        np.add.at(row, each + len(scale) * volume.anions(scale[each]), 1 / len(each))
    return found


def fit(x: np.ndarray, volumes: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Volumes (2, 104) of least relative error, drawn to what an atom of that radius has where there are few crystals."""
    guess = np.full(x.shape[1], FIRST_GUESS)
    for _ in range(2):
        fitted = penalised(x, volumes, guess)
        for role in np.split(np.arange(x.shape[1]), 2):
            known = role[x[:, role].any(axis=0)]
            slope, offset = np.polyfit(radii[known % len(radii)] ** 3, fitted[known], 1)
            guess[role] = np.maximum(slope * radii[role % len(radii)] ** 3 + offset, 1.0)
    return penalised(x, volumes, guess).reshape(2, -1)


def penalised(x: np.ndarray, volumes: np.ndarray, guess: np.ndarray) -> np.ndarray:
    from scipy.optimize import nnls

    pull = np.diag(PENALTY / guess)
    return np.asarray(nnls(np.vstack([x / volumes[:, None], pull]), np.append(np.ones(len(volumes)), pull @ guess))[0])


def radii() -> np.ndarray:
    """Radius and change (2, 104) by atomic number."""
    from ase.data import covalent_radii
    from pymatgen.core.structure_prediction.volume_predictor import bond_params

    # Argon's are numbers without meaning: it has no bonds.
    known = {symbol: (float(row["r"]), float(row["k"])) for symbol, row in bond_params.items() if symbol != "Ar"}
    every = [known.get(symbol, (float(covalent_radii[z]), 0.0)) for z, symbol in enumerate(symbols())]
    return np.array(every).T


def write() -> None:
    numbers, volumes, _ = crystals()
    bonds = radii()
    table = np.vstack([fit(shares(numbers), volumes, bonds[0]), bonds])
    lines = [
        f"{quoted(one.symbol)}: [{', '.join(f'{value:.3f}' for value in table[:, one.number])}]"
        for one in elements().values()
    ]
    volume.TABLE.write_text(HEADER + "\n".join(lines) + "\n")


def quoted(symbol: str) -> str:
    return f'"{symbol}"' if symbol in {"N", "No", "Y"} else symbol


def transfers() -> Iterator[tuple[Prototype, np.ndarray, Prototype]]:
    """A template, the species of another crystal of its structure on its orbits, and that crystal."""
    alike: dict[object, list[Prototype]] = defaultdict(list)
    for key, raw in prototypes._raw().items():
        if raw["source"] == "JARVIS" and len(raw["numbers"]) <= prototypes.MOST_ATOMS and len(set(raw["numbers"])) > 1:
            one = prototypes.prototype(key)
            alike[(one.spacegroup, one.stoichiometry, tuple(sorted(one.multiplicity)))].append(one)
    for group in alike.values():
        pairs = {one.id: prototypes._pair_distributions(one) for one in group}
        for template, real in itertools.permutations(group, 2):
            if set(template.species) == set(real.species):
                continue
            difference, order = prototypes._match(pairs[template.id], pairs[real.id])
            if difference < prototypes.SAME_STRUCTURE:
                place = dict(zip(by_count(template), by_count(real)[order], strict=True))
                yield template, np.array([place[species] for species in template.species], np.uint8), real


def by_count(one: Prototype) -> np.ndarray:
    """The species in the order of their numbers of atoms."""
    numbers, counts = np.unique(one.crystal.numbers, return_counts=True)
    return np.asarray(numbers[np.argsort(counts, kind="stable")])


def measure(arguments: argparse.Namespace) -> list[Row]:
    if arguments.write:
        write()
        volume._table.cache_clear()
    numbers, volumes, folds = crystals()
    x, bonds = shares(numbers), radii()
    fitted = [fit(x[folds != out], volumes[folds != out], bonds[0]) for out in range(FOLDS)]
    atoms = np.array([row @ fitted[out].ravel() for row, out in zip(x, folds, strict=True)]) / volumes - 1
    errors: dict[str, list[float]] = defaultdict(list)
    by_bonds, unscaled = [], []
    for template, species, real in transfers():
        table = np.vstack([fitted[fold(real.crystal.numbers)], bonds])
        with patch.object(volume, "_table", lambda table=table: table):
            size = real.crystal.volume / len(real) * len(template)
            errors[real.id].append(volume.volume(template, species) / size - 1)
            by_bonds.append(volume.by_bonds(template, species) / size - 1)
            unscaled.append(template.crystal.volume / size - 1)
    each = np.array([np.median(values) for values in errors.values()])
    note = f"{len(each)} crystals on {len(unscaled)} templates; the table was fitted without their chemical systems"
    return [
        Row("sum of atoms: median error", 100 * float(np.median(abs(atoms))), "%", note=f"{len(atoms)} crystals"),
        Row.judged("starting volume: median error", 100 * float(np.median(abs(each))), "%", "<= 10", note),
        Row.judged("starting volume: 90th percentile", 100 * float(np.quantile(abs(each), 0.9)), "%", "<= 25"),
        Row("starting volume: mean error", 100 * float(each.mean()), "%"),
        Row("closest bond alone: median error", 100 * float(np.median(np.abs(by_bonds))), "%", note="of all pairs"),
        Row(
            "the template's own volume: median error",
            100 * float(np.median(np.abs(unscaled))),
            "%",
            note="of all pairs",
        ),
    ]


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help="fit the table to all crystals first")


if __name__ == "__main__":
    main(measure, __doc__, extend)
