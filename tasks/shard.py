"""What runs on a worker: one shard of a stage. Imports no Prefect, so that a Dask task costs a Dask task.

The function or engine runs in the slot's supervised child. A batch whose child is lost is done again row by row, so
that only the guilty row ends as ``died``, ``timeout`` or ``engine_error``; a row gets ``attempts`` tries, as a child can
be killed by something that is not the row's fault.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cluster.launch.local import here
from cluster.need import Need
from cluster.scheduler.chips import visible
from tasks.child import Answer, Child, Lost, child_of_slot
from tasks.outcomes import ShardSummary, check_rows, count
from tasks.store import commit_shard, read_summary

BatchFunction = Callable[[pa.Table, Any], pa.Table]
Cost = Callable[[pa.Table], np.ndarray]

# Limits are generous: they are for what hangs, and a loaded machine must not turn slow molecules into lost ones.
ROW_LIMIT_S, ROW_LIMIT_FACTOR = 60.0, 10.0
BATCH_LIMIT_S, BATCH_LIMIT_FACTOR = 300.0, 20.0

VERDICT = [("outcome", pa.string()), ("reason", pa.string())]
COSTS = [("wall_s", pa.float64()), ("cpu_s", pa.float64()), ("engine_s", pa.float64()), ("attempts", pa.int32())]


@dataclass(frozen=True)
class Stage:
    """One step of a funnel: a pure function of batches, or an engine class, with all that decides its result."""

    name: str
    title: str
    title_zh: str
    function: BatchFunction | type
    settings: BaseModel
    version: str  # raise it when the science changes: it is part of every row's key
    reads: tuple[str, ...]  # input columns that decide the result
    output: pa.Schema  # columns that the function adds
    carries: tuple[str, ...] = ("name",)  # input columns that are passed through
    cost: float | Cost = 1e-3  # predicted seconds a row
    need: Need = Need()
    attempts: int = 3
    limit_s: float = ROW_LIMIT_S
    annotates: bool = False  # it says more of candidates and ends none

    @property
    def columns(self) -> list[str]:
        """All input columns."""
        return list(dict.fromkeys(("id", *self.reads, *self.carries)))

    def costs(self, rows: pa.Table) -> np.ndarray:
        """Predicted seconds of each row."""
        return np.full(len(rows), self.cost) if not callable(self.cost) else self.cost(rows)

    def recipe(self) -> dict[str, Any]:
        """What decides a result besides the row."""
        function = self.function if hasattr(self.function, "__qualname__") else type(self.function)
        return {
            "stage": self.name,
            "function": f"{function.__module__}.{function.__qualname__}",
            "version": self.version,
            "settings": self.settings.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class Made:
    """What a stage function made of a shard, and what that took."""

    table: pa.Table
    cpu_s: float
    engine_s: float = 0.0


def run_shard(stage: Stage, rows: pa.Table, key: str, path: Path) -> ShardSummary:
    """Compute a shard in this slot's child and commit it; returns only its summary."""
    if path.exists():  # its worker was killed after the commit and before it could say so
        return read_summary(path)
    started = time.time()
    with child_of_slot(stage.need.memory, visible()) as child:
        child.open(stage.function, stage.settings)
        made = _by_row(stage, rows, child) if isinstance(stage.function, type) else _by_batch(stage, rows, child)
    return _commit(stage, rows, made, key, path, started)


def run_here(stage: Stage, rows: pa.Table, key: str, path: Path) -> ShardSummary:
    """Compute a shard in this process: for steps that only read and mark."""
    started, cpu = time.time(), time.process_time()
    made = Made(stage.function(rows, stage.settings), time.process_time() - cpu)
    return _commit(stage, rows, made, key, path, started)


def _commit(stage: Stage, rows: pa.Table, made: Made, key: str, path: Path, started: float) -> ShardSummary:
    check_rows(stage.name, rows, made.table)
    table = rows.select(["id", "key", *(name for name in stage.carries if name not in stage.output.names)])
    for name in made.table.column_names:
        if name not in table.column_names:
            table = table.append_column(made.table.schema.field(name), made.table[name])
    ended = time.time()
    outcomes = count(made.table)
    summary = ShardSummary(key, len(rows), outcomes, ended - started, made.cpu_s, made.engine_s, started, ended, here())
    return commit_shard(path, table, summary)


def _schema(stage: Stage, *extra: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([("id", pa.int64()), *stage.output, *VERDICT, *extra])


def _by_batch(stage: Stage, rows: pa.Table, child: Child) -> Made:
    answer = child.call(rows, max(BATCH_LIMIT_S, BATCH_LIMIT_FACTOR * float(stage.costs(rows).sum())))
    if isinstance(answer, Answer):
        return Made(answer.result.select(_schema(stage).names), answer.cpu_s, _engine_s(answer.result))
    made: list[pa.Table] = []
    cpu_s = engine_s = 0.0
    for at in range(len(rows)):
        row = rows.slice(at, 1)
        one, _ = _attempt(stage, row, stage.limit_s, child)
        if isinstance(one, Lost):
            made.append(pa.Table.from_pylist([_lost(row["id"][0].as_py(), one)], schema=_schema(stage)))
        else:
            made.append(one.result.select(_schema(stage).names).cast(_schema(stage)))
            cpu_s += one.cpu_s
            engine_s += _engine_s(one.result)
    return Made(pa.concat_tables(made), cpu_s, engine_s)


def _engine_s(made: pa.Table) -> float:
    """Wall seconds inside an engine, where a batch function tells them in a column ``engine_s``."""
    return float(pc.sum(made["engine_s"]).as_py() or 0.0) if "engine_s" in made.column_names else 0.0


def _by_row(stage: Stage, rows: pa.Table, child: Child) -> Made:
    limits = np.maximum(stage.limit_s, ROW_LIMIT_FACTOR * stage.costs(rows))
    made: list[dict[str, Any]] = []
    for row, limit_s in zip(rows.select(["id", *stage.reads]).to_pylist(), limits, strict=True):
        started = time.perf_counter()
        answer, attempts = _attempt(stage, row, float(limit_s), child)
        if isinstance(answer, Lost):
            spent = {"wall_s": time.perf_counter() - started, "cpu_s": 0.0, "engine_s": 0.0}
            made.append({**_lost(row["id"], answer), **spent, "attempts": attempts})
        else:
            spent = {"wall_s": answer.wall_s, "cpu_s": answer.cpu_s, "engine_s": 0.0}
            made.append({**spent, **answer.result, "id": row["id"], "attempts": attempts})
    table = pa.Table.from_pylist(made, schema=_schema(stage, *COSTS))
    return Made(table, sum(row["cpu_s"] for row in made), sum(row["engine_s"] for row in made))


def _attempt(stage: Stage, message: object, limit_s: float, child: Child) -> tuple[Answer | Lost, int]:
    """Try a row until it is answered. A time limit is final; a death may be another's fault and is tried again."""
    answer: Answer | Lost = Lost("died", "")
    for attempt in range(1, stage.attempts + 1):
        child.open(stage.function, stage.settings)
        answer = child.call(message, limit_s)
        if isinstance(answer, Answer) or answer.outcome != "died":
            return answer, attempt
    return answer, stage.attempts


def _lost(number: int, lost: Lost) -> Mapping[str, Any]:
    return {"id": number, "outcome": lost.outcome, "reason": lost.reason}
