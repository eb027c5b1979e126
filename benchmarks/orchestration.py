"""Orchestration: what a stage costs when its work costs nothing, a million rows in shards of a thousand."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.bench import Row, main, scratch
from benchmarks.runs import bare_run, cpu_seconds, in_flow, in_task
from domains.model import Frozen
from tasks.shard import Stage, run_here
from tasks.sharding import LONGEST_SHARD_S, cut

ROWS, QUICK_ROWS = 1_000_000, 100_000
ROWS_PER_SHARD = 1_000
TABLE_ROWS = 10_000
OUTPUT = pa.schema([("y", pa.float64())])


def trivial(batch: pa.Table, settings: Frozen) -> pa.Table:
    """Double a number."""
    return pa.table(
        {
            "id": batch["id"],
            "y": pc.multiply(batch["x"], 2.0),
            "outcome": pa.repeat("ok", len(batch)),
            "reason": pa.nulls(len(batch), pa.string()),
        }
    )


class Numbers:
    """Rows that are made as they are read."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the rows."""
        for start in range(0, self.rows, TABLE_ROWS):
            ids = np.arange(start, min(start + TABLE_ROWS, self.rows))
            yield pa.table({"id": ids, "x": ids.astype(float)}).select(columns)


def trivial_stage() -> Stage:
    """A stage whose rows are said to cost so much that a thousand fill the longest shard."""
    # By the module's own name: workers cannot import the __main__ of this process.
    from benchmarks.orchestration import trivial as function

    return Stage(
        "trivial",
        "Trivial",
        "空",
        function,
        Frozen(),
        version="1",
        reads=("x",),
        carries=(),
        output=OUTPUT,
        cost=LONGEST_SHARD_S / (ROWS_PER_SHARD + 0.5),
    )


class Taken(NamedTuple):
    """What a stage took."""

    wall_s: float
    cpu_s: float
    shards: int
    chips: int


def through_everything(rows: int, folder: Path) -> Taken:
    """The stage inside a Prefect task, over Dask, in the workers' children."""

    def flow() -> Taken:
        from tasks.stage import run_stage

        with bare_run(folder / "orchestration") as run:
            wall, cpu = time.perf_counter(), cpu_seconds()
            in_task("trivial", lambda: run_stage(run, trivial_stage(), Numbers(rows)).rows)
            wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
            return Taken(wall, cpu, len(run.stages[0].shards), run.slots)

    return in_flow("orchestration", flow)


def alone(rows: int, folder: Path) -> Taken:
    """The bound: the same rows, function and shard files in this one process."""
    stage = trivial_stage()
    folder.mkdir()
    wall, cpu, shards = time.perf_counter(), time.process_time(), 0
    for table in cut(Numbers(rows).tables(stage.columns), stage.costs, LONGEST_SHARD_S):
        keys = pa.array([f"{number:032x}" for number in table["id"].to_pylist()])
        run_here(stage, table.append_column("key", keys), f"{shards:032x}", folder / f"shard-{shards:032x}.parquet")
        shards += 1
    return Taken(time.perf_counter() - wall, time.process_time() - cpu, shards, 1)


def measure(arguments: argparse.Namespace) -> list[Row]:
    rows = QUICK_ROWS if arguments.quick else ROWS
    with scratch() as folder:
        bound = alone(rows, folder / "alone")
        taken = through_everything(rows, folder)
    skip = f"quick, {rows:,} rows" if arguments.quick else ""
    return [
        Row("rows", rows, note=f"in {taken.shards:,} shards on {taken.chips} chips"),
        Row.judged(
            "wall of the stage", taken.wall_s, "s", "< 20", "without the start of pod and server", not_judged=skip
        ),
        Row.judged("CPU a row", 1e3 * taken.cpu_s / rows, "ms", "< 1", "flow, Prefect server, workers, children"),
        Row("wall of the bound", bound.wall_s, "s", note="the same in one process, without Dask, Prefect and children"),
        Row("CPU a row of the bound", 1e3 * bound.cpu_s / rows, "ms"),
        Row("wall, stage / bound", taken.wall_s / bound.wall_s, "x"),
        Row("CPU, stage / bound", taken.cpu_s / bound.cpu_s, "x"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)
