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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.bench import ROOT, Row, main
from benchmarks.docking import SEED, prepare_and_dock, settings
from domains.drug.receptors import load
from domains.drug.request import Search

# The first ten warm each side up; the ten whose cost is judged come on top of them.
WARM_UP = {
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
JUDGED = {
    "nicotinamide": "NC(=O)c1cccnc1",
    "isoniazid": "NNC(=O)c1ccncc1",
    "coumarin": "O=c1ccc2ccccc2o1",
    "thymol": "Cc1ccc(C(C)C)c(O)c1",
    "guaiacol": "COc1ccccc1O",
    "resorcinol": "Oc1cccc(O)c1",
    "quinoline": "c1ccc2ncccc2c1",
    "acetanilide": "CC(=O)Nc1ccccc1",
    "salicylic acid": "O=C(O)c1ccccc1O",
    "indole": "c1ccc2[nH]ccc2c1",
}
TARGET, EDGE = "EGFR", 22.0
# EasyDock never asks the engine for fewer than 50 poses, so both ask for 50.
SEARCH = Search(exhaustiveness=1, n_poses=50)
PAIRS = 3
COLUMNS = ("score", "scores", "pose")


class Side(NamedTuple):
    """What one program took, and the scores (kcal/mol) it found."""

    cpu_s: float
    scores: dict[str, float]


def dock_ours(ligands: Path, result: Path) -> None:
    """Our side, in a process of its own: writes the docked rows that it would commit."""
    named = dict(line.split("\t")[::-1] for line in ligands.read_text().splitlines())
    receptor = load(TARGET)
    rows = prepare_and_dock(list(named.values()), settings(receptor.path, receptor.center, EDGE, SEARCH))
    docked = zip(named, rows, strict=True)
    kept = {name: {key: row[key] for key in COLUMNS} for name, row in docked if row["outcome"] == "ok"}
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


def ours(folder: Path, ligands: Path) -> Side:
    """Run our side."""
    result = folder / "ours.json"
    command = [sys.executable, "-m", "benchmarks.versus_easydock", "--ours", str(ligands), str(result)]
    cpu_s = cpu_of(command, folder / "ours.log")
    rows = json.loads(result.read_text())
    scores = {name: row["score"] for name, row in rows.items()}
    return Side(cpu_s, scores)


def easydock(folder: Path, ligands: Path) -> Side:
    """Run EasyDock on one core, with its own Vina through the same Python package."""
    receptor = load(TARGET)
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
    command = [program, "-i", str(ligands), "-o", str(database), "--program", "vina"]
    cpu_s = cpu_of([*command, "--config", str(folder / "config.yml"), "-c", "1"], folder / "easydock.log")
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT id, docking_score FROM mols WHERE docking_score IS NOT NULL").fetchall()
    return Side(cpu_s, dict(found))


def docked(side: Callable[[Path, Path], Side], named: Mapping[str, str]) -> Side:
    """Run a side on these ligands, in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
        ligands = Path(folder, "ligands.smi")
        ligands.write_text("".join(f"{smiles}\t{name}\n" for name, smiles in named.items()))
        return side(Path(folder), ligands)


class Steady(NamedTuple):
    """A side on the first ten ligands and on all twenty: the difference is what the judged ten cost it."""

    first: Side
    both: Side

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the judged ligands; what a side does once, whatever their number, is not in it."""
        return self.both.cpu_s - self.first.cpu_s


def steady(side: Callable[[Path, Path], Side]) -> Steady:
    """Run a side twice."""
    return Steady(docked(side, WARM_UP), docked(side, WARM_UP | JUDGED))


def measure(arguments: argparse.Namespace) -> list[Row]:
    made = [(steady(ours), steady(easydock)) for _ in range(1 if arguments.quick else PAIRS)]
    ratios = [peer.cpu_s / us.cpu_s for us, peer in made]
    us_s, peer_s = (statistics.median(pair[side].cpu_s for pair in made) for side in (0, 1))
    us, peer = made[-1]
    names = [name for name in JUDGED if name in us.both.scores and name in peer.both.scores]
    whole = statistics.median(peer.both.cpu_s / us.both.cpu_s for us, peer in made)
    per_hour = 3600 * len(JUDGED)
    return [
        Row("CPU seconds of ten ligands, ours", us_s, "s", note=f"median of {len(made)}; 20 ligands less 10"),
        Row("CPU seconds of ten ligands, EasyDock", peer_s, "s", note=f"median of {len(made)}; 20 ligands less 10"),
        Row("ligands per CPU-hour, ours", per_hour / us_s, note="extrapolated from ten ligands"),
        Row("ligands per CPU-hour, EasyDock", per_hour / peer_s, note="extrapolated from ten ligands"),
        Row.judged(
            "ratio of ligands per CPU-hour",
            statistics.median(ratios),
            "x",
            ">= 2.5",
            f"median of {len(ratios)} alternating pairs, {min(ratios):.2f} to {max(ratios):.2f}",
        ),
        Row("ratio with the start-up of both", whole, "x", note="all 20 ligands: imports, maps and all"),
        Row.judged("docked, ours", len(us.both.scores), "", f"== {len(WARM_UP | JUDGED)}"),
        Row.judged("docked, EasyDock", len(peer.both.scores), "", f"== {len(WARM_UP | JUDGED)}"),
        Row(
            "mean score difference, ours - EasyDock",
            statistics.mean(us.both.scores[name] - peer.both.scores[name] for name in names) if names else None,
            "kcal/mol",
            note="start conformers differ",
        ),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        dock_ours(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(measure, __doc__)
