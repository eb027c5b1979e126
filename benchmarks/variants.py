"""Variants: the crystal ligand docked back into SARS-CoV-2 Mpro and three of its mutants, several seeds each."""

import argparse
import hashlib
import os
import resource
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from benchmarks.bench import Row, data_folders, main
from cluster.need import Need
from domains.drug import conservation, prepared, structure, targets
from domains.drug.build import Build
from domains.drug.compare import TOP_POSES
from domains.drug.prepare import Prepare, PrepareSettings
from domains.drug.replicas import DockReplica
from domains.drug.request import Search
from domains.drug.vina import DockSettings
from tasks.child import Answer, Child

TARGET = "SARS-CoV-2-Mpro"
# What is known of each, for other ligands: P132H is fully susceptible to nirmatrelvir, E166V about 100-fold resistant.
VARIANTS = ("WT", "P132H", "E166V", "L50F")
SEEDS = (1, 2, 3)
# The default seeds of a run, for the wild type only: three seeds are few, and this shows what others make of it.
OTHER_SEEDS = (42, 43, 44)
LIMIT_S = 1800.0


@dataclass(frozen=True)
class Redocked:
    """The crystal ligand docked into one variant: distance of every pose to the crystal (Å) for each seed, CPU seconds."""

    rmsd: Sequence[np.ndarray]
    build_s: float
    dock_s: float

    @property
    def best(self) -> list[float]:
        """Distance of the nearest of the top nine, by seed."""
        return [float(one[:TOP_POSES].min()) for one in self.rmsd]

    @property
    def conserved(self) -> int:
        """Seeds with a pose within 2 Å among the top nine."""
        return sum(one <= conservation.SAME_POSE for one in self.best)


def read_structure(target: targets.Target) -> str | None:
    """The structure from a folder of public data; None where none has it."""
    spellings = (target.file, f"{target.file}.gz")
    folder = next((one for one in data_folders() if any((one / name).exists() for name in spellings)), None)
    if folder is None:
        return None
    os.environ["AI4S_DATA"] = str(folder)
    return targets.pdb_text(target)


def redock(
    target: targets.Target, text: str, variants: Sequence[str], search: Search, seeds: Sequence[int]
) -> dict[str, Redocked]:
    """Build each variant and dock the crystal's ligand into it, from SMILES: of its pose only the centre goes in."""
    model = structure.assembly(text, target.chains)
    ligand = structure.ligand(model, target.site.chain, target.site.ligand)
    crystal = structure.posed_ligand(ligand, target.reference.smiles)
    child = Child(Need().memory)
    try:
        child.open(Prepare, PrepareSettings(seed=42))
        row = _answer(child, {"smiles": target.reference.smiles}).result
        mol = Chem.Mol(row["mol"])
        there = conservation.crystal_pose(mol, crystal)
        assert there is not None
        with tempfile.TemporaryDirectory(prefix="ai4s-bench-") as folder:
            return {
                name: _redocked(child, target, text, name, row, there, search, seeds, Path(folder)) for name in variants
            }
    finally:
        child.close()


def _redocked(
    child: Child, target: targets.Target, text: str, variant: str, row: dict[str, Any], there: np.ndarray,
    search: Search, seeds: Sequence[int], folder: Path,
) -> Redocked:  # fmt: skip
    path = folder / "structure.pdb"
    path.write_text(text)
    child.open(Build, prepared.settings(target, path))
    built = _answer(child, {"mutations": variant})
    receptor = folder / f"{variant}.pdbqt"
    receptor.write_text(built.result["pdbqt"])
    box = targets.box(target)
    dock = DockSettings(
        receptor=variant, receptor_sha256=hashlib.sha256(receptor.read_bytes()).hexdigest(), path=receptor,
        center=box.center, size=box.size, search=search, seed=seeds[0],
    )  # fmt: skip
    child.open(DockReplica, dock)
    docks = [_answer(child, {"pdbqt": row["pdbqt"], "seed": seed}) for seed in seeds]
    ways = conservation.symmetries(Chem.Mol(row["mol"]))
    rmsd = [
        conservation.distances(
            np.array(
                [conservation.heavy_pose(pose, row["atom_map"], row["heavy_atoms"]) for pose in one.result["poses"]]
            ),
            there[None],
            ways,
        )[:, 0]
        for one in docks
    ]
    return Redocked(rmsd, built.cpu_s, sum(one.cpu_s for one in docks))


def _answer(child: Child, message: dict[str, Any]) -> Answer:
    answer = child.call(message, LIMIT_S)
    if not isinstance(answer, Answer) or answer.result["outcome"] != "ok":
        raise RuntimeError(f"{message.get('mutations') or message.get('seed') or 'the ligand'}: {answer}")
    return answer


def rows_of(found: dict[str, Redocked], quick: bool) -> list[Row]:
    """A line for each variant: its share, its distances, and the direction that is known."""
    skip = "quick: one seed, exhaustiveness 1" if quick else ""
    seeds = len(next(iter(found.values())).rmsd)
    rows = []
    for name, one in found.items():
        note = "nearest of the top nine by seed: " + ", ".join(f"{best:.2f}" for best in one.best) + " Å; top pose: "
        note += (
            ", ".join(f"{rmsd[0]:.2f}" for rmsd in one.rmsd)
            + f" Å; build {one.build_s:.0f} CPU s, docks {one.dock_s:.0f}"
        )
        label = f"{name}: seeds of {seeds} with the crystal pose"
        if name == "WT":
            rows.append(Row.judged(label, one.conserved, "", f">= {seeds}", note, not_judged=skip))
        else:
            rows.append(Row(label, one.conserved, note=note))
    if "E166V" in found:
        apart = found["WT"].conserved - found["E166V"].conserved
        note = "E166V loses the pose, as it loses nirmatrelvir in experiment (another ligand: direction only)"
        rows.append(Row.judged("WT minus E166V, seeds", apart, "", ">= 2", note, not_judged=skip))
    return rows


def measure(arguments: argparse.Namespace) -> list[Row]:
    target = targets.chosen(TARGET)
    text = read_structure(target)
    if text is None:
        return [Row("skipped", None, note=f"no {target.file} in AI4S_DATA or ../shared/data")]
    quick = arguments.quick
    search = Search(exhaustiveness=1 if quick else 8, n_poses=TOP_POSES)
    found = redock(target, text, VARIANTS[:1] if quick else VARIANTS, search, SEEDS[:1] if quick else SEEDS)
    rows = rows_of(found, quick)
    if not quick:
        other = redock(target, text, VARIANTS[:1], search, OTHER_SEEDS)["WT"]
        note = f"not judged; nearest: {', '.join(f'{best:.2f}' for best in other.best)} Å"
        rows.append(Row(f"WT with seeds {OTHER_SEEDS[0]} to {OTHER_SEEDS[-1]}", other.conserved, note=note))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return [*rows, Row("CPU time of all", spent.ru_utime + spent.ru_stime, "s")]


if __name__ == "__main__":
    main(measure, __doc__)
