"""Active learning: the share of the true top 1 % that is found when a tenth of a library is docked.

Replays of scores that are all known, by the very loop that runs in production. First the published scores of Enamine10k,
then small libraries that are docked here, coarsely, into shipped receptors (kept in the folder that ``--docked`` names).
"""

import argparse
import csv
import gzip
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pyarrow as pa

from benchmarks.bench import Row, data_folders, main
from benchmarks.docking import prepare_and_dock
from cluster.discover import cores
from domains.drug import receptors
from domains.drug.library import open_library
from domains.drug.request import COARSE
from domains.drug.surrogate import ScoreSurrogate, featurise
from domains.drug.vina import DockSettings
from domains.learning.loop import Evaluated, Learned, Search, Surrogate, run
from domains.learning.settings import Learning
from domains.model import Frozen

SCORES = "drug/Enamine10k_scores_data.csv.gz"
SEEDS = (0, 1, 2, 3, 4)
TARGETS = ("EGFR", "F2", "DRD2")
MOLECULES = 300
# The replay measures recall at the whole budget, so it must not stop before.
TENTH = Learning(budget=0.1, enough=1.0)
QUARTER = Learning(budget=0.25, round_size=0.05, top_share=0.04, enough=1.0)


class Recorded:
    """A library whose scores are known: the pool of a replay. Shuffled, as published files are sorted by score."""

    def __init__(self, smiles: Sequence[str], scores: Sequence[float]) -> None:
        order = np.random.default_rng(0).permutation(len(smiles))
        self.scores = np.array(scores, float)[order]
        table = pa.table({"id": range(len(smiles)), "smiles": [smiles[i] for i in order]})
        self.features = featurise(table, Frozen())

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Its rows, in one table."""
        yield self.features.select(columns)


class Chance:
    """No model: every candidate is as likely to be chosen as any other."""

    columns = ()

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def fit(self, features: pa.Table, scores: np.ndarray) -> None:
        """Nothing to learn."""

    def predict(self, features: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Noise."""
        return self.random.standard_normal(len(features)), np.ones(len(features))


def recall(scores: np.ndarray, chosen: np.ndarray, share: float) -> float:
    """Percent of the lowest ``share`` of all scores that were chosen; ties at its edge count in part, alike for all."""
    top = max(1, round(share * len(scores)))
    edge = np.sort(scores)[top - 1]
    weight = (scores < edge).astype(float)
    weight[scores == edge] = (top - weight.sum()) / (scores == edge).sum()
    return float(100 * weight[chosen].sum() / top)


def replay(library: Recorded, surrogate: Surrogate, settings: Learning, seed: int) -> tuple[Learned, float, float]:
    """A whole search: what it says of itself, percent of the top found, and its CPU seconds."""
    chosen: list[np.ndarray] = []

    def evaluate(number: int, ids: np.ndarray) -> Evaluated:
        chosen.append(ids)
        return Evaluated(ids, library.scores[ids], 0.0)

    started = time.process_time()
    learned = run(Search(library, surrogate, settings, seed), evaluate)
    spent = time.process_time() - started
    return learned, recall(library.scores, np.concatenate(chosen), settings.top_share), spent


def largest(library: Recorded, settings: Learning) -> float:
    """Percent of the top found by docking the largest molecules, without any model: docking scores grow with size."""
    heavy_atoms = np.array([values[1] for values in library.features["descriptors"].to_pylist()])
    most, _ = settings.counts(len(heavy_atoms))
    return recall(library.scores, np.argsort(-heavy_atoms, kind="stable")[:most], settings.top_share)


def published() -> Recorded | None:
    """Enamine10k with its scores; each molecule once."""
    path = next((folder / SCORES for folder in data_folders() if (folder / SCORES).exists()), None)
    if path is None:
        return None
    with gzip.open(path, "rt") as file:
        scores = {row["smiles"]: float(row["score"]) for row in csv.DictReader(file)}
    return Recorded(list(scores), list(scores.values()))


def docked(target: str, count: int, folder: Path) -> Recorded:
    """Molecules of the shipped set, docked coarsely into a shipped receptor; those that have a score."""
    path = folder / f"{target}-{count}.json"
    if not path.exists():
        receptor = receptors.load(target)
        dock = DockSettings(
            receptor=receptor.name,
            receptor_sha256=receptor.sha256,
            path=receptor.path,
            center=receptor.center,
            size=receptor.size,
            search=COARSE,
            seed=42,
        )
        smiles = [s for table in open_library("nci-5k").tables(count, 1) for s in table["structure"].to_pylist()]
        parts = [smiles[start :: cores()] for start in range(cores())]
        with ThreadPoolExecutor(cores()) as pool:
            rows = [row for part in pool.map(lambda part: prepare_and_dock(part, dock), parts) for row in part]
        ok = {row["smiles"]: row["score"] for row in rows if row["outcome"] == "ok"}
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(ok))
    scores: dict[str, float] = json.loads(path.read_text())
    return Recorded(list(scores), list(scores.values()))


def spread(values: Sequence[float]) -> str:
    """Values as a range with their standard deviation."""
    return f"{min(values):.3g} to {max(values):.3g}, s.d. {stdev(values):.2g}, {len(values)} seeds"


def rows_of(name: str, library: Recorded, settings: Learning, seeds: Sequence[int], target: str = "") -> list[Row]:
    """Recall by the surrogate and by chance, what the search estimated of itself, and its time."""
    learned, found, seconds = zip(
        *(replay(library, ScoreSurrogate(seed), settings, seed) for seed in seeds), strict=True
    )
    chance = [replay(library, Chance(seed), settings, seed)[1] for seed in seeds]
    said = [100 * one.rounds[-1].estimate.share for one in learned if one.rounds[-1].estimate]
    top, part = f"top {100 * settings.top_share:g} %", f"{100 * settings.budget:g} % docked"
    measure = f"{name}: {top} found, {part}"
    note = f"{len(library.scores):,} molecules; {spread(found)}"
    return [
        Row.judged(measure, mean(found), "%", target, note) if target else Row(measure, mean(found), "%", note=note),
        Row(f"{name}: the same, drawn at random", mean(chance), "%", note=spread(chance)),
        Row(
            f"{name}: the same, the largest molecules", largest(library, settings), "%", note="by heavy atoms, no model"
        ),
        Row(f"{name}: the same, as the search estimates", mean(said), "%", note=spread(said)),
        Row(f"{name}: CPU of a replay", max(seconds), "s", note="the longest; features not counted"),
    ]


def measure(arguments: argparse.Namespace) -> list[Row]:
    library = published()
    rows: list[Row] = []
    if library is None:
        rows.append(Row("Enamine10k", None, note="the published scores are not here: set AI4S_DATA"))
    else:
        seeds = SEEDS[:2] if arguments.quick else SEEDS
        made = rows_of("Enamine10k", library, TENTH, seeds, ">= 90")
        cpu = made.pop()
        rows += [*made, Row.judged(cpu.name, cpu.value or 0.0, "s", "<= 60", cpu.note)]
    if not arguments.quick:
        for target in TARGETS:
            rows += rows_of(target, docked(target, MOLECULES, arguments.docked), QUARTER, SEEDS)[:4]
    return rows


def extend(parser: argparse.ArgumentParser) -> None:
    """Where docked libraries are kept."""
    parser.add_argument(
        "--docked",
        type=Path,
        default=Path("build", "active-learning"),
        metavar="DIR",
        help="keep the docked libraries here; what is there already is not docked again",
    )


if __name__ == "__main__":
    main(measure, __doc__, extend)
