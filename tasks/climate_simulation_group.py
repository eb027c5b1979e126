"""What a worker does for a simulation: a group of tiles lives there, advances with the others, and is saved. Imports no Prefect."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from cluster.halo import Links, exchange, step
from cluster.launch.local import here
from domains.climate import checkpoint, simulation, simulation_store
from domains.climate.dynamics import STAGES
from domains.climate.simulation_check import ClimateSimulation
from domains.climate.simulation_request import ClimateSimulationRequest
from domains.climate.tiles import TileGroup
from tasks.outcomes import OK, ShardSummary
from tasks.store import commit_shard

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("record", pa.int32()),
        ("tile", pa.int32()),
        ("day", pa.float64()),
        ("dt", pa.float64()),  # s, of the chunk before
        *((name, pa.float64()) for name in simulation.SUMS),
        ("outcome", pa.string()),
        ("reason", pa.string()),
    ]
)


class Where(NamedTuple):
    """Where a record goes: fields, checkpoint, and the rows of its tiles."""

    fields: Path
    checkpoint: Path
    rows: Path


class Saved(NamedTuple):
    """What a group has left of a record: the checkpoint's file with bytes and checksum, and its shard."""

    name: str
    mark: tuple[int, int]
    shard: ShardSummary


@dataclass
class Spent:
    """Since the last record was saved: when it began, seconds of wall and CPU time, and of waiting for messages."""

    began: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0


@dataclass
class Resident:
    """A group on its worker, and what it has spent."""

    group: TileGroup
    spent: Spent


def made(request: ClimateSimulationRequest, owner: np.ndarray, files: Sequence[Path], number: int) -> Resident:
    """A group at the start of its case, or where a checkpoint's files say."""
    found = ClimateSimulation(request)
    group = TileGroup(found.tiling, found.case, owner, number)
    if files:
        checkpoint.restore(group, files)
    return Resident(group, Spent())


def advance(resident: Resident, links: Links, steps: int, dt: float) -> list[dict[str, float | None]]:
    """Take some steps, and tell what each tile holds then."""
    began, cpu, waited = time.time(), time.thread_time(), links.waited
    for _ in range(steps):
        step(resident.group, links, len(STAGES), dt)
    exchange(resident.group, links)
    told = simulation.sums(resident.group)
    before = resident.spent
    resident.spent = Spent(
        before.began or began,
        before.wall + time.time() - began,
        before.cpu + time.thread_time() - cpu,
        before.waited + links.waited - waited,
    )
    return told


def back(resident: Resident, links: Links, files: Sequence[Path]) -> None:
    """Return to a checkpoint."""
    checkpoint.restore(resident.group, files)


def save(
    resident: Resident, links: Links, record: int, day: float, dt: float, reason: str | None, where: Where
) -> Saved:
    """Write fields, checkpoint and rows of a record; the halos must be there."""
    group, spent = resident.group, resident.spent
    began, cpu = time.time(), time.thread_time()
    simulation_store.write(where.fields, record, group, simulation.fields(group))
    name, mark = checkpoint.write(group, where.checkpoint)
    rows = _rows(group, record, day, dt, reason)
    ended = time.time()
    wall, cpu = spent.wall + ended - began, spent.cpu + time.thread_time() - cpu
    key = f"{record:06d}-{group.group:04d}"
    shard = ShardSummary(
        key, len(rows), {OK: len(rows)}, wall, cpu, wall - spent.waited, spent.began or began, ended, here()
    )
    resident.spent = Spent()
    return Saved(name, mark, commit_shard(where.rows / f"shard-{key}.parquet", rows, shard))


def _rows(group: TileGroup, record: int, day: float, dt: float, reason: str | None) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for tile, told in zip(group.tiles.tolist(), simulation.sums(group), strict=True):
        about = {"id": record * group.tiling.count + tile, "name": f"day {day:g}, tile {tile}", "record": record}
        rows.append({**about, "tile": tile, "day": day, "dt": dt, **told, "outcome": OK, "reason": reason})
    return pa.Table.from_pylist(rows, schema=SCHEMA)
