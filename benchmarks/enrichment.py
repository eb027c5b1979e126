"""Enrichment on measured data: COVID Moonshot inhibitors of the SARS-CoV-2 main protease, docked at exhaustiveness 1.

100 molecules below 1 µM against 100 above 99.5 µM, drawn with a fixed seed, into the dimer's first site; molecules that
could not be docked rank last. Beside it what the number of heavy atoms alone achieves, as docking scores grow with size.
"""

import argparse
import csv
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem, rdBase

from benchmarks.bench import Row, data_folders, main
from benchmarks.docking import SEED, prepare_and_dock
from domains.drug.receptors import load
from domains.drug.request import Search
from domains.drug.vina import DockSettings

DATA, TARGET = "drug/moonshot_mpro_ic50.csv.gz", "SARS-CoV-2-Mpro"
ACTIVE_BELOW_UM, INACTIVE = 1.0, "> 99.5"
OF_EACH, OF_EACH_QUICK = 100, 20
DRAWS = 2000
BATCH = 10
Metric = Callable[[np.ndarray, np.ndarray], float]
Docked = dict[str, Any]


def measured(path: Path) -> tuple[list[str], list[str]]:
    """SMILES of the actives and of the inactives, each once, in the file's order; largest fragment only."""
    groups: dict[bool, dict[str, None]] = {True: {}, False: {}}
    with gzip.open(path, "rt", encoding="utf-8") as lines, rdBase.BlockLogs():
        for row in csv.DictReader(lines):
            value, mol = row["IC50_(µM)"].strip(), Chem.MolFromSmiles(row["suspected_SMILES"])
            number = float(value) if value.replace(".", "", 1).isdigit() else None
            if mol is None or (value != INACTIVE and (number is None or number >= ACTIVE_BELOW_UM)):
                continue
            largest = max(Chem.GetMolFrags(mol, asMols=True), key=lambda one: one.GetNumHeavyAtoms())
            groups[value != INACTIVE].setdefault(Chem.MolToSmiles(largest))
    return list(groups[True]), list(groups[False])


def draw(actives: list[str], inactives: list[str], of_each: int) -> tuple[list[str], np.ndarray]:
    """As many of each group, without replacement; molecules and which of them are active."""
    random = np.random.default_rng(SEED)
    picked = [list(random.choice(group, of_each, replace=False)) for group in (actives, inactives)]
    return [str(smiles) for group in picked for smiles in group], np.repeat([True, False], of_each)


def auc(active: np.ndarray, merit: np.ndarray) -> float:
    """Area under the ROC curve: the chance that an active has more merit than an inactive; ties count half."""
    from scipy.stats import rankdata

    n, ranks = int(active.sum()), rankdata(merit)
    return float((ranks[active].sum() - n * (n + 1) / 2) / (n * (len(active) - n)))


def enrichment(share: float) -> Metric:
    """Actives among the best share, over what a random choice would hold."""

    def factor(active: np.ndarray, merit: np.ndarray) -> float:
        best = np.argsort(-merit, kind="stable")[: max(1, round(share * len(merit)))]
        return float(active[best].mean() / active.mean())

    return factor


def interval(metric: Metric, active: np.ndarray, merit: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval; actives and inactives are drawn again each by themselves."""
    random = np.random.default_rng(SEED)
    groups = [np.flatnonzero(active), np.flatnonzero(~active)]
    drawn = (np.concatenate([random.choice(group, len(group)) for group in groups]) for _ in range(DRAWS))
    low, high = np.quantile([metric(active[at], merit[at]) for at in drawn], [0.025, 0.975])
    return float(low), float(high)


def measure(arguments: argparse.Namespace) -> list[Row]:
    folder = next((one for one in data_folders() if (one / DATA).exists()), None)
    if folder is None:
        return [Row("skipped", None, note=f"no {DATA} in AI4S_DATA or ../shared/data")]
    os.environ["AI4S_DATA"] = str(folder)  # the receptor is built from a structure there
    actives, inactives = measured(folder / DATA)
    smiles, active = draw(actives, inactives, OF_EACH_QUICK if arguments.quick else OF_EACH)
    receptor = load(TARGET)
    settings = DockSettings(
        receptor=receptor.name, receptor_sha256=receptor.sha256, path=receptor.path, center=receptor.center,
        size=receptor.size, search=Search(exhaustiveness=1, n_poses=1), seed=SEED,
    )  # fmt: skip
    return figures(smiles, active, docked(smiles, settings, arguments.scores), arguments.quick)


def docked(smiles: list[str], settings: DockSettings, kept: Path | None) -> list[Docked]:
    """Outcome, score and seconds of each molecule; what the file ``kept`` holds is not docked again."""
    done: dict[str, Docked] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    left = [one for one in smiles if one not in done]
    for at in range(0, len(left), BATCH):
        batch = left[at : at + BATCH]
        for one, row in zip(batch, prepare_and_dock(batch, settings), strict=True):
            done[one] = {name: row.get(name) for name in ("outcome", "reason", "score", "engine_s")}
        if kept:
            kept.write_text(json.dumps(done, indent=1))
    return [done[one] for one in smiles]


def figures(smiles: list[str], active: np.ndarray, rows: list[Docked], quick: bool) -> list[Row]:
    """The table of a docked set."""
    docked = np.array([row["outcome"] == "ok" for row in rows])
    merit = np.array([-row["score"] if row["outcome"] == "ok" else -np.inf for row in rows])
    heavy = np.array([Chem.MolFromSmiles(one).GetNumHeavyAtoms() for one in smiles], float)
    seconds = sum(row["engine_s"] or 0.0 for row in rows)
    skip = f"quick, {len(rows)} molecules" if quick else ""
    area, size_area = auc(active, merit), auc(active, heavy)
    low, high = interval(auc, active, merit)
    note = f"{len(rows)} molecules, half of them active; 95 % interval {low:.2f} to {high:.2f}; exhaustiveness 1, seed {SEED}"
    size_low, size_high = interval(auc, active, heavy)
    made = [
        Row.judged("ROC AUC", area, "", ">= 0.75", note, not_judged=skip),
        Row("ROC AUC of the heavy-atom count", size_area, note=f"95 % interval {size_low:.2f} to {size_high:.2f}"),
        Row.judged("docking above the heavy-atom count", area - size_area, "AUC", ">= 0", not_judged=skip),
    ]
    for share in (0.01, 0.05, 0.10):
        factor = enrichment(share)
        low, high = interval(factor, active, merit)
        note = f"at most {1 / active.mean():.0f}; 95 % interval {low:.2f} to {high:.2f}; heavy-atom count {factor(active, heavy):.2f}"
        made.append(Row(f"enrichment factor at {share:.0%}", factor(active, merit), note=note))
    return [
        *made,
        Row("not docked", int((~docked).sum()), "molecules", note="they rank last"),
        Row("docking a molecule, one core", seconds / max(1, int(docked.sum())), "s"),
    ]


def extend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scores", type=Path, metavar="FILE", help="keep every molecule's score here (JSON), and go on from it"
    )


if __name__ == "__main__":
    main(measure, __doc__, extend)
