"""Prepare and dock molecules as a worker's slot does: in one supervised child, without Dask and Prefect."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.need import Need
from domains.drug.prepare import Prepare, PrepareSettings
from domains.drug.request import Search
from domains.drug.vina import Dock, DockSettings
from tasks.child import Child, Lost

LIMIT_S = 600.0
SEED = 42


def settings(
    path: Path, center: tuple[float, float, float], edge: float, search: Search, seed: int = SEED
) -> DockSettings:
    """Dock into a cube around this centre (Å)."""
    return DockSettings(
        receptor=path.stem,
        receptor_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        path=path,
        center=center,
        size=(edge, edge, edge),
        search=search,
        seed=seed,
    )


def prepare_and_dock(smiles: Sequence[str], dock: DockSettings) -> list[dict[str, Any]]:
    """One row for each SMILES: its outcome, and where that is ok its molecule, score and pose."""
    child = Child(Need().memory)
    try:
        rows = [_step(child, Prepare, PrepareSettings(seed=dock.seed), {"smiles": one}) for one in smiles]
        return [_step(child, Dock, dock, row) if row["outcome"] == "ok" else row for row in rows]
    finally:
        child.close()  # waits for it, so that its CPU time is counted with that of this process


def _step(child: Child, engine: type, settings: Any, row: dict[str, Any]) -> dict[str, Any]:
    child.open(engine, settings)  # again where the last row took the child with it
    answer = child.call(row, LIMIT_S)
    if isinstance(answer, Lost):
        return {**row, "outcome": answer.outcome, "reason": answer.reason}
    return {**row, **answer.result}
