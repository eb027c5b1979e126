"""Whether the energy above the hull finds stable compounds: cubic perovskites ABX3 against public labels.

Every charge-balanced formula drawn is built as a cubic perovskite, with A and B both ways round, and evaluated by CHGNet at
three volumes (energies are kept in the file that ``--scores`` names). Each is then compared with the known compounds but those
of its own formula. Labels: Materials Project's energy above the hull, at most 1 meV/atom.
"""

import argparse
import csv
import gzip
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bench import Row, data_folders, main
from domains.materials import corrections, formula, references
from domains.materials.candidates import build
from domains.materials.elements import defaults, element
from domains.materials.enumerate import compositions
from domains.materials.hull import Hull
from domains.materials.potential import load
from domains.materials.prototypes import prototypes
from domains.materials.stability import above_hull, best_prototypes, settings_of
from domains.model import Frozen

LABELS = "materials/mp_hull_labels.csv.gz"
ANIONS = ("O", "S", "Se", "F", "Cl", "Br", "I", "N", "Te", "P")
CUBIC, ABX3 = 221, (1, 1, 3)
VOLUMES = (0.92, 1.0, 1.10)
FORMULAS, QUICK, SEEDS = 3700, 600, (0, 1)
STABLE = 1e-3  # eV/atom
PIECE = 400


def formulas() -> list[tuple[str, str, str]]:
    """All charge-balanced (A, B, X) of ABX3 whose reference energies can be trusted, A before B in the alphabet."""
    cations = [symbol for symbol in sorted(defaults()) if symbol not in references.UNRELIABLE]
    return [
        (a, b, x)
        for x in ANIONS
        for a, b in itertools.combinations(cations, 2)
        if x not in (a, b) and all(_below(one, x) for one in (a, b)) and _has_abx3(a, b, x)
    ]


def _below(cation: str, anion: str) -> bool:
    one, other = element(cation).electronegativity, element(anion).electronegativity
    return one is not None and other is not None and one < other


def _has_abx3(a: str, b: str, x: str) -> bool:
    return bool((compositions((a, b, x), 3) == ABX3).all(axis=1).any())


def scan(drawn: Sequence[tuple[str, str, str]]) -> tuple[pa.Table, float]:
    """The lowest energy over the volume of each formula both ways round, and the CPU seconds that it took."""
    perovskite = next(
        one for one in prototypes(5) if one.spacegroup == CUBIC and one.stoichiometry == ABX3 and len(one) == 5
    )
    potential = load("chgnet")
    started, rows = time.process_time(), []
    ways = [way for a, b, x in drawn for way in ((a, b, x), (b, a, x))]
    for at in range(0, len(ways), PIECE):
        cells = [build(perovskite, [element(symbol).number for symbol in way]) for way in ways[at : at + PIECE]]
        strained = [cell.at_volume(cell.volume * factor) for cell in cells for factor in VOLUMES]
        energies = [one.energy for one in potential.evaluate(strained, "energy")]
        for way, cell, three in zip(
            ways[at:], cells, np.reshape(np.array(energies, float), (-1, len(VOLUMES))), strict=False
        ):
            name = formula.name(dict(zip(way, ABX3, strict=True)))
            rows.append({"formula": name, "energy_per_atom": lowest(cell.volume, three) / len(cell)})
    return pa.Table.from_pylist(rows), time.process_time() - started


def lowest(volume: float, energies: np.ndarray) -> float:
    """The vertex of the parabola of energy against V^(-2/3), no farther than 7 % outside the three; NaN where one failed."""
    x = (volume * np.array(VOLUMES)) ** (-2 / 3)
    if not np.isfinite(energies).all():
        return float("nan")
    parabola = np.polyfit(x, energies, 2)
    ends = (0.93 * x.min(), 1.07 * x.max())
    vertex = np.clip(-parabola[1] / (2 * parabola[0]), *ends) if parabola[0] > 0 else ends[np.argmin(energies[[2, 0]])]
    return float(np.polyval(parabola, vertex))


def scanned(seed: int, count: int, kept: Path) -> tuple[pa.Table, float]:
    """Energies of formulas drawn with this seed, computed once; and CPU milliseconds a structure."""
    path = kept.with_name(f"{kept.stem}-{seed}-{count}.parquet")
    if not path.exists():
        every = formulas()
        drawn = np.random.default_rng(seed).permutation(len(every))[:count]
        table, seconds = scan([every[i] for i in drawn])
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.replace_schema_metadata({"ms": str(1e3 * seconds / len(table))}), path)
    table = pq.read_table(path)
    return table, float(table.schema.metadata[b"ms"])


def best(table: pa.Table) -> pa.Table:
    """The better way round of each formula, as rows of the stage that compares with the hull."""
    rows = pa.table(
        {
            "id": pa.array(range(len(table))),
            **{name: table[name] for name in table.column_names},
            "convention": pa.array([load("chgnet").convention.value] * len(table)),
        }
    )
    rows = rows.filter(pa.array(np.isfinite(rows["energy_per_atom"].to_numpy())))
    marks = best_prototypes(lambda columns: iter([rows.select(columns)]))(rows, Frozen())
    return rows.filter(pa.array([one == "ok" for one in marks["outcome"].to_pylist()]))


@cache
def labels() -> dict[str, float]:
    """Public energies above the hull, the lowest of each formula; empty where they are not here."""
    path = next((folder / LABELS for folder in data_folders() if (folder / LABELS).exists()), None)
    found: dict[str, float] = {}
    if path is not None:
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                name = formula.normalised(row["formula"])
                found[name] = min(float(row["target"]), found.get(name, np.inf))
    return found


def held(order: np.ndarray, stable: np.ndarray, share: float) -> float:
    """Percent of the stable ones within the lowest ``share`` of an order."""
    return float(100 * stable[np.argsort(order, kind="stable")[: round(share * len(order))]].sum() / stable.sum())


def area(order: np.ndarray, stable: np.ndarray) -> float:
    """The chance that a stable one comes before another (AUC)."""
    from scipy.stats import rankdata

    ranks, yes = rankdata(order), int(stable.sum())
    return float(1 - (ranks[stable].sum() - yes * (yes + 1) / 2) / (yes * (len(order) - yes)))


def unbridged(chosen: references.References) -> references.References:
    """The public energies as they are published: with the corrections of 2018."""
    compounds = {
        name: energy - corrections.from_2018(formula.parse(name), chosen.elements)
        for name, energy in chosen.compounds.items()
    }
    return replace(chosen, compounds=compounds)


def orders(rows: pa.Table) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Candidates in several orders, which of them are stable, and CPU milliseconds a candidate for the hull."""
    chosen = references.load(references.PUBLIC)
    settings = settings_of(chosen)
    above_hull(rows.slice(0, 1), settings)  # reads the references
    started = time.process_time()
    compared = above_hull(rows, settings)
    spent = 1e3 * (time.process_time() - started) / len(rows)
    before = Hull(unbridged(chosen))
    energies, names = compared["formation_energy"].to_numpy(), rows["formula"].to_pylist()
    mixed = [before.above(formula.parse(name), energy) for name, energy in zip(names, energies, strict=True)]
    found = {
        "hull": compared["e_decomposition"].to_numpy(),
        "hull, conventions mixed": np.array([one.e_decomposition for one in mixed]),
        "formation energy": energies,
    }
    return found, np.array([labels().get(name, np.inf) <= STABLE for name in names]), spent


def measure(arguments: argparse.Namespace) -> list[Row]:
    if not labels() or references.choose(load("chgnet").convention, "chgnet").name != references.PUBLIC:
        return [Row("ABX3", None, note="public labels and energies are not here: set AI4S_DATA")]
    count, seeds = (QUICK, SEEDS[:1]) if arguments.quick else (FORMULAS, SEEDS)
    small = f"{count:,} formulas only" if arguments.quick else ""
    samples = [scanned(seed, count, arguments.scores) for seed in seeds]
    ranked = [orders(best(table)) for table, _ in samples]
    rows = []
    for name in ranked[0][0]:
        for share, target in ((0.02, ">= 25"), (0.1, ">= 50"), (0.2, "")):
            percent = [held(found[name], stable, share) for found, stable, _ in ranked]
            measure = f"by {name}: best {100 * share:g} % holds"
            note = (
                f"of the stable; each sample: {', '.join(f'{one:.0f}' for one in percent)}; by chance {100 * share:g}"
            )
            judged = target and name == "hull"
            rows.append(
                Row.judged(measure, float(np.mean(percent)), "%", target, note, not_judged=small)
                if judged
                else Row(measure, float(np.mean(percent)), "%", note=note)
            )
        areas = [area(found[name], stable) for found, stable, _ in ranked]
        rows.append(Row(f"by {name}: AUC", float(np.mean(areas)), note=", ".join(f"{one:.3f}" for one in areas)))
    sizes = ", ".join(f"{int(stable.sum())} of {len(stable):,}" for _, stable, _ in ranked)
    return [
        Row("stable by the labels", float(np.mean([stable.sum() for _, stable, _ in ranked])), note=sizes),
        *rows,
        Row("hull: CPU", max(spent for _, _, spent in ranked), "ms a candidate", note="each in a system of its own"),
        Row("three volumes: CPU", max(ms for _, ms in samples), "ms a structure", note="5 atoms; when it was computed"),
    ]


def extend(parser: argparse.ArgumentParser) -> None:
    """Where energies are kept."""
    parser.add_argument(
        "--scores",
        type=Path,
        default=Path("build", "hull-ranking", "scan.parquet"),
        metavar="FILE",
        help="keep the energies beside this name; what is there already is not computed again",
    )


if __name__ == "__main__":
    main(measure, __doc__, extend)
