"""Docking with AutoDock Vina's Python package: maps once a process, one thread, seeded, every answer checked.

Vina holds the GIL for the whole dock and ends the process on some inputs, so it runs in a supervised child only.
It answers nonsense without an error (0.0 off the protein, +3e6 in a box smaller than the ligand): hence the gate.
"""

import hashlib
import math
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.drug.outcomes import Outcome
from domains.drug.receptors import atoms
from domains.drug.request import Search
from domains.model import Frozen

# No small molecule binds with a Vina score below this; AutoDock Vina's own best scores are around -14 kcal/mol.
SCORE_FLOOR = -25.0
# A pose may touch the wall of the box; Vina itself lets atoms out by less than a grid step (0.375 Å).
BOX_TOLERANCE = 0.375


OUTPUT = pa.schema([("score", pa.float64()), ("scores", pa.list_(pa.float64())), ("pose", pa.list_(pa.float32()))])
# With every pose that ``scores`` has, the best one first.
OUTPUT_POSES = OUTPUT.append(pa.field("poses", pa.list_(pa.list_(pa.float32()))))


class DockSettings(Frozen):
    """What decides a docking result besides the ligand; the path does not, the checksum does."""

    receptor: str
    receptor_sha256: str
    path: Path = Field(exclude=True)
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    search: Search
    seed: int
    scoring: str = "vina"


def load(path: Path, sha256: str, center: tuple[float, ...], size: tuple[float, ...], seed: int, scoring: str) -> Any:
    """Maps for every atom type: a map set made for one ligand ends the process at the next ligand's new type."""
    from vina import Vina  # here: needed in the engine's own process only

    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError(f"{path} is not the receptor that the run began with: its checksum differs")
    engine = Vina(sf_name=scoring, cpu=1, seed=seed, verbosity=0)
    engine.set_receptor(str(path))
    engine.compute_vina_maps(list(center), list(size))
    return engine


_engine = lru_cache(maxsize=1)(load)


class Dock:
    """Docks one ligand; ``pose`` holds x, y, z (Å) of the best pose's atoms in the order of ``atom_map``."""

    def __init__(self, settings: DockSettings) -> None:
        self.settings = settings
        self.engine = _engine(
            settings.path, settings.receptor_sha256, settings.center, settings.size, settings.seed, settings.scoring
        )

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Dock ``row["pdbqt"]``; scores in kcal/mol, best first."""
        return dock(self.engine, row["pdbqt"], self.settings)


def dock(engine: Any, pdbqt: str, settings: DockSettings) -> dict[str, Any]:
    """Dock one ligand: outcome, scores (kcal/mol, best first), and as ``poses`` the coordinates (Å) that belong to them."""
    search = settings.search
    started = time.perf_counter()
    try:
        engine.set_ligand_from_string(pdbqt)
        engine.dock(exhaustiveness=search.exhaustiveness, n_poses=search.n_poses, max_evals=search.max_evals)
        engine_s = time.perf_counter() - started
        scores = [float(energies[0]) for energies in engine.energies(n_poses=search.n_poses)]
        poses = [atoms(model) for model in engine.poses(n_poses=search.n_poses).split("ENDMDL")[:-1]]
    except (RuntimeError, TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        spent = time.perf_counter() - started
        if "is not a valid AutoDock type" in message:
            return {"outcome": Outcome.no_type, "reason": message.split(". >")[0][:200], "engine_s": spent}
        return {"outcome": Outcome.engine_error, "reason": message[:200], "engine_s": spent}
    outcome, reason = judge(scores[0] if scores else math.nan, poses[0] if poses else np.empty((0, 3)), settings)
    result: dict[str, Any] = {"outcome": outcome, "reason": reason, "engine_s": engine_s}
    if outcome is Outcome.ok:
        plausible = [one for one in scores if SCORE_FLOOR <= one < 0]
        flat = [pose.astype(np.float32).ravel().tolist() for pose in poses[: len(plausible)]]
        result.update(score=scores[0], scores=plausible, pose=flat[0], poses=flat)
    return result


def judge(score: float, pose: np.ndarray, settings: DockSettings) -> tuple[Outcome, str | None]:
    """Accept only a finite score in [SCORE_FLOOR, 0) whose pose (n, 3) lies in the box."""
    if not math.isfinite(score) or not SCORE_FLOOR <= score < 0:
        return Outcome.implausible, f"score {score:g} kcal/mol"
    beyond = np.abs(pose - np.array(settings.center)) - np.array(settings.size) / 2
    if beyond.max(initial=0.0) > BOX_TOLERANCE:
        return Outcome.outside_box, f"an atom lies {beyond.max():.1f} Å outside the box"
    return Outcome.ok, None


def cost(batch: pa.Table, search: Search) -> np.ndarray:
    """Predicted seconds a ligand on one core of 2026. In: heavy_atoms, torsions."""
    # Fitted to 135 NCI molecules docked into EGFR, one thread: correlation 0.86 (coarse) and 0.97 (normal).
    heavy, torsions = (batch[name].to_numpy().astype(float) for name in ("heavy_atoms", "torsions"))
    size = 0.0025 * heavy**2 + 0.012 * heavy * torsions
    search_s = np.minimum(size, search.max_evals * 2e-6 * size) if search.max_evals else size
    return np.asarray(0.05 + search.exhaustiveness * search_s)
