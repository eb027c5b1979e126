"""DFT calculations saved: how many are needed to find 90 % of the best 2 %, when a surrogate says which to make.

Replays of labels that are all known, by the very loop that runs in production. First real DFT: public heats of formation of
perovskites, each built here from its formula alone and scanned by CHGNet at three volumes, so that nothing is known of
the answer. Then apart, as it is harder, the distance to the convex hull, of the pool of ``hull_ranking`` and as CHGNet gives
it. Whole rounds are counted. Energies are kept beside the file that ``--scores`` names.
"""

import argparse
import csv
import gzip
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import hull_ranking
from benchmarks.active_learning import spread
from benchmarks.bench import Row, data_folders, main
from benchmarks.hull_ranking import VOLUMES, lowest
from domains.learning.loop import Evaluated, Search, run
from domains.learning.settings import Learning
from domains.materials import formula, references
from domains.materials.crystal import Crystal
from domains.materials.elements import element
from domains.materials.potential import load
from domains.materials.prototypes import Prototype
from domains.materials.stability import above_hull, settings_of
from domains.materials.surrogate import EnergySurrogate, featurise
from domains.materials.volume import volume
from domains.model import Frozen

LABELS = "materials/perovskites_dft.csv.gz"
SEEDS, QUICK_SEEDS, QUICK = (0, 1, 2), (0, 1), 600
RECALL, BEST = 0.9, 0.02
# A round is 25 calculations; a replay ends well after enough is found, and never by its own estimate.
SEARCH = Learning(budget=0.25, round_size=25, acquisition="ucb", top_share=BEST, enough=1.0)
LONG = SEARCH.model_copy(update={"budget": 0.35})
QUICK_SEARCH = SEARCH.model_copy(update={"budget": 0.5})
# A at the corner, B in the centre, the anions on the faces.
SITES = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
PIECE = 400


@dataclass(frozen=True, eq=False)
class Recorded:
    """Candidates whose labels (n,) are known: the pool of a replay."""

    table: pa.Table
    labels: np.ndarray

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Its rows, in one table."""
        yield self.table.select(columns)


def recorded(formulas: Sequence[str], known: np.ndarray, labels: np.ndarray) -> Recorded:
    """A pool, shuffled; ``known`` is an energy that needs no calculation."""
    order = np.random.default_rng(0).permutation(len(formulas))
    rows = pa.table({"id": np.arange(len(order)), "formula": [formulas[i] for i in order]})
    table = featurise(rows, Frozen()).select(["id", "features"]).append_column("known", pa.array(known[order]))
    return Recorded(table, labels[order])


def published(count: int | None) -> tuple[list[str], np.ndarray] | None:
    """Formulas with A and B in this order, and their DFT heats of formation; ``count`` of them at random."""
    path = next((folder / LABELS for folder in data_folders() if (folder / LABELS).exists()), None)
    if path is None:
        return None
    with gzip.open(path, "rt") as file:
        rows = [(row["formula"], float(row["heat_all"])) for row in csv.DictReader(file)]
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:count]]
    return [name for name, _ in rows], np.array([heat for _, heat in rows])


def cubic(name: str) -> Crystal:
    """The cubic perovskite of a formula that names A, B and the anions in this order."""
    species = np.array(
        [element(symbol).number for symbol, n in formula.parse(name).items() for _ in range(n)], np.uint8
    )
    unit = Crystal(4 * np.eye(3), SITES, species)
    return unit.at_volume(volume(Prototype("", name, "", 221, unit, np.arange(5), species), species))


def scanned(names: Sequence[str], kept: Path) -> np.ndarray:
    """CHGNet's formation energies, eV/atom, at the best volume; computed once."""
    path = kept.with_name(f"{kept.stem}-perovskites-{len(names)}.parquet")
    if not path.exists():
        potential, energies = load("chgnet"), list[float]()
        for at in range(0, len(names), PIECE):
            cells = [cubic(name) for name in names[at : at + PIECE]]
            found = potential.evaluate([c.at_volume(c.volume * factor) for c in cells for factor in VOLUMES], "energy")
            three = np.reshape(np.array([one.energy for one in found], float), (-1, len(VOLUMES)))
            energies += [lowest(cell.volume, one) / len(cell) for cell, one in zip(cells, three, strict=True)]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"energy": energies}), path)
    chosen = references.load(references.PUBLIC)
    energies = pq.read_table(path)["energy"].to_pylist()
    return np.array([chosen.formation_energy(e, formula.parse(n)) for e, n in zip(energies, names, strict=True)])


def calculations(order: Sequence[np.ndarray], labels: np.ndarray, best: float) -> float:
    """Percent of the pool in the rounds until RECALL of the lowest ``best`` is found; infinite where it is never."""
    top = np.argsort(labels, kind="stable")[: round(best * len(labels))]
    total = found = 0
    for ids in order:
        total, found = total + len(ids), found + int(np.isin(ids, top).sum())
        if found >= RECALL * len(top):
            return 100 * total / len(labels)
    return float("inf")


def replay(pool: Recorded, energies: Sequence[str], settings: Learning, seed: int) -> list[np.ndarray]:
    """The rounds of a whole search, as ids."""
    rounds: list[np.ndarray] = []

    def evaluate(number: int, ids: np.ndarray) -> Evaluated:
        rounds.append(ids)
        return Evaluated(ids, pool.labels[ids], 0.0)

    run(Search(pool, EnergySurrogate(seed, energies), settings, seed), evaluate)
    return rounds


def saved(name: str, percent: Sequence[float], of: float, target: str = "") -> Row:
    """A row of the calculations that are not needed; ``percent`` are those needed, of each seed."""
    measure = f"{name}: saved, for {100 * RECALL:g} % of the best {100 * of:g} %"
    found = [100 - one for one in percent if np.isfinite(one)]
    if len(found) < len(percent):
        note = f"found in {len(found)} of {len(percent)} searches"
        return Row(measure, None, "%", target, False if target else None, note)
    note = spread(found) if len(found) > 1 else "no randomness in it"
    return Row.judged(measure, mean(found), "%", target, note) if target else Row(measure, mean(found), "%", note=note)


def compared(
    title: str, pool: Recorded, ways: Sequence[tuple[str, Sequence[str], Learning]], seeds: Sequence[int], target: str
) -> list[Row]:
    """The surrogate in several ways, the first of them against the target, beside the trivial orders."""
    rows, started = list[Row](), time.process_time()
    for way, energies, settings in ways:
        orders = [replay(pool, energies, settings, seed) for seed in seeds]
        if not rows and target:
            seconds = (time.process_time() - started) / len(seeds)
            rows.append(Row(f"{title}: CPU of a replay", seconds, "s", note="features not counted"))
        for best in (BEST, 0.05):
            percent = [calculations(order, pool.labels, best) for order in orders]
            judged = target if best == BEST and (way, energies, settings) == ways[0] else ""
            rows.append(saved(f"{title}, {way}", percent, best, judged))
    known = [np.array_split(np.argsort(pool.table["known"].to_numpy(), kind="stable"), len(pool.labels))]
    chance = [np.array_split(np.random.default_rng(seed).permutation(len(pool.labels)), 200) for seed in seeds]
    for best in (BEST, 0.05):
        rows += [
            saved(f"{title}, in the order of the known energy", [calculations(known[0], pool.labels, best)], best),
            saved(f"{title}, at random", [calculations(one, pool.labels, best) for one in chance], best),
        ]
    return rows


def hull_distances(kept: Path) -> Recorded:
    """The pool of ``hull_ranking``: distances to the hull by CHGNet; known without it is only the hull's own energy."""
    table, _ = hull_ranking.scanned(0, hull_ranking.FORMULAS, kept)
    rows = hull_ranking.best(table)
    found = above_hull(rows, settings_of(references.load(references.PUBLIC)))
    distance = found["e_decomposition"].to_numpy()
    return recorded(rows["formula"].to_pylist(), found["formation_energy"].to_numpy() - distance, distance)


def measure(arguments: argparse.Namespace) -> list[Row]:
    labelled = published(QUICK if arguments.quick else None)
    if labelled is None or references.choose(load("chgnet").convention, "chgnet").name != references.PUBLIC:
        return [Row("perovskites", None, note="public labels and energies are not here: set AI4S_DATA")]
    seeds = QUICK_SEEDS if arguments.quick else SEEDS
    names, heats = labelled
    pool = recorded(names, scanned(names, arguments.scores), heats)
    both = ("composition and CHGNet", ("known",), SEARCH)
    if arguments.quick:  # rounds are a larger part of a small pool, so that it has no target
        return compared(f"DFT heat, {len(names):,}", pool, [(*both[:2], QUICK_SEARCH)], seeds, "")
    rows = compared(f"DFT heat, {len(names):,}", pool, [both, ("composition alone", (), LONG)], seeds, ">= 90")
    apart = hull_distances(arguments.scores)
    # The hull's own energy, which is known of each composition, was no help as a further feature.
    ways = [("composition alone", (), LONG)]
    return [*rows, *compared(f"hull distance, {len(apart.labels):,}", apart, ways, seeds, "")]


if __name__ == "__main__":
    main(measure, __doc__, hull_ranking.extend)
