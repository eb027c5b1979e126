"""Against EasyDock: ligands per CPU-hour on ten small ligands, same receptor, box, engine, search and machine."""

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.bench import ROOT, Row, main
from benchmarks.docking import SEED, prepare_and_dock, settings
from domains.drug.receptors import load
from domains.drug.request import Search

LIGANDS = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "phenacetin": "CCOc1ccc(NC(C)=O)cc1",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "benzocaine": "CCOC(=O)c1ccc(N)cc1",
    "nicotine": "CN1CCC[C@H]1c1cccnc1",
    "salicylamide": "NC(=O)c1ccccc1O",
    "menthol": "CC1CCC(C(C)C)C(O)C1",
    "vanillin": "COc1cc(C=O)ccc1O",
}
TARGET, EDGE = "EGFR", 22.0
# EasyDock never asks the engine for fewer than 50 poses, so both ask for 50.
SEARCH = Search(exhaustiveness=1, n_poses=50)
PAIRS = 3
COLUMNS = ("score", "scores", "pose", "engine_s")


class Side(NamedTuple):
    """What one program took, and the scores (kcal/mol) it found."""

    cpu_s: float
    engine_s: float  # ours only: seconds in the engine proper
    scores: dict[str, float]


def dock_ours(result: Path) -> None:
    """Our side, in a process of its own: writes the docked rows that it would commit."""
    receptor = load(TARGET)
    rows = prepare_and_dock(list(LIGANDS.values()), settings(receptor.path, receptor.center, EDGE, SEARCH))
    named = zip(LIGANDS, rows, strict=True)
    kept = {name: {key: row[key] for key in COLUMNS} for name, row in named if row["outcome"] == "ok"}
    result.write_text(json.dumps(kept))


def cpu_of(command: Sequence[str], log: Path) -> float:
    """CPU seconds of a command and of all processes that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # One thread in every library on both sides: idle threads that spin are not what is compared.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with log.open("w") as output:
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **threads}, stdout=output, stderr=output)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{log.read_text()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def ours(folder: Path) -> Side:
    """Run our side."""
    result = folder / "ours.json"
    cpu_s = cpu_of([sys.executable, "-m", "benchmarks.versus_easydock", "--ours", str(result)], folder / "ours.log")
    rows = json.loads(result.read_text())
    return Side(
        cpu_s, sum(row["engine_s"] for row in rows.values()), {name: row["score"] for name, row in rows.items()}
    )


def easydock(folder: Path) -> Side:
    """Run EasyDock on one core, with its own Vina through the same Python package."""
    receptor = load(TARGET)
    (folder / "ligands.smi").write_text("".join(f"{smiles}\t{name}\n" for name, smiles in LIGANDS.items()))
    box = {f"center_{axis}": value for axis, value in zip("xyz", receptor.center, strict=True)}
    box |= {f"size_{axis}": EDGE for axis in "xyz"}
    (folder / "box.txt").write_text("".join(f"{key} = {value}\n" for key, value in box.items()))
    config = {
        "protein": str(receptor.path),
        "protein_setup": str(folder / "box.txt"),
        "exhaustiveness": SEARCH.exhaustiveness,
        "seed": SEED,
        "n_poses": SEARCH.n_poses,
        "ncpu": 1,
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    database = folder / "easydock.db"
    program = str(Path(sys.executable).parent / "easydock")
    command = [program, "-i", str(folder / "ligands.smi"), "-o", str(database), "--program", "vina"]
    cpu_s = cpu_of([*command, "--config", str(folder / "config.yml"), "-c", "1"], folder / "easydock.log")
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT id, docking_score FROM mols WHERE docking_score IS NOT NULL").fetchall()
    return Side(cpu_s, 0.0, dict(found))


def pairs(count: int) -> list[tuple[Side, Side]]:
    """Run both sides in turn, each time in an empty folder."""
    made = []
    for _ in range(count):
        with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
            made.append((ours(Path(folder)), easydock(Path(folder))))
    return made


def measure(arguments: argparse.Namespace) -> list[Row]:
    made = pairs(1 if arguments.quick else PAIRS)
    ratios = [peer.cpu_s / us.cpu_s for us, peer in made]
    us_s, peer_s = (statistics.median(pair[side].cpu_s for pair in made) for side in (0, 1))
    us, peer = made[-1]
    both = [us.scores[name] - peer.scores[name] for name in us.scores if name in peer.scores]
    per_hour = 3600 * len(LIGANDS)
    return [
        Row("CPU seconds, ours", us_s, "s", note=f"median of {len(made)}; start-up included"),
        Row("CPU seconds, EasyDock", peer_s, "s", note=f"median of {len(made)}; start-up included"),
        Row("ligands per CPU-hour, ours", per_hour / us_s, note="extrapolated from ten ligands"),
        Row("ligands per CPU-hour, EasyDock", per_hour / peer_s, note="extrapolated from ten ligands"),
        Row.judged(
            "ratio of ligands per CPU-hour",
            statistics.median(ratios),
            "x",
            ">= 2.5",
            f"median of {len(ratios)} alternating pairs, {min(ratios):.2f} to {max(ratios):.2f}",
        ),
        Row(
            "bound: the ratio if ours did nothing but search",
            statistics.median(peer.cpu_s / us.engine_s for us, peer in made),
            "x",
            note="the search itself is the same on both sides",
        ),
        Row.judged("docked, ours", len(us.scores), "", f"== {len(LIGANDS)}"),
        Row.judged("docked, EasyDock", len(peer.scores), "", f"== {len(LIGANDS)}"),
        Row(
            "mean score difference, ours - EasyDock",
            statistics.mean(both) if both else None,
            "kcal/mol",
            note="start conformers differ",
        ),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        dock_ours(Path(sys.argv[2]))
    else:
        main(measure, __doc__)
