"""Run a stage: cut its rows into shards, keep a bounded number in flight on Dask, commit each, add up.

Called from inside a Prefect task in the flow's own process, which owns the Dask client: so that a cancelled flow drops
what is queued, and a stage is one task run however many shards it has.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from distributed.scheduler import KilledWorker, NoValidWorkerError, NoWorkerError

from cluster.hub import Dispatcher, PodsLost
from tasks.outcomes import ShardSummary, StageSummary, summarise
from tasks.progress import StageProgress
from tasks.run import Run
from tasks.shard import Stage, run_here, run_shard
from tasks.sharding import cut, shard_seconds
from tasks.store import Refused, StageStore

IN_FLIGHT_PER_SLOT = 2

Pending = tuple[str, pa.Table]


class Source(Protocol):
    """Where a stage's rows come from: read as often as needed, in the same order each time."""

    @property
    def rows(self) -> int: ...

    def tables(self, columns: list[str]) -> Iterator[pa.Table]: ...


class Survivors:
    """The rows of a finished stage that go on."""

    def __init__(self, store: StageStore, summary: StageSummary) -> None:
        self.store, self.summary, self.rows = store, summary, summary.ok

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the given columns shard by shard."""
        return self.store.tables(columns)

    def by_id(self, columns: Iterable[str]) -> dict[int, dict[str, Any]]:
        """The given columns of each row, by its id: for the few that are left at the end."""
        return {row["id"]: row for table in self.tables(["id", *columns]) for row in table.to_pylist()}

    def ended(self, columns: Iterable[str]) -> dict[int, dict[str, Any]]:
        """The same of rows that do not go on as well, in their order, with how each ended."""
        tables = self.store.tables(["id", *columns, "outcome", "reason"], only_ok=False)
        found = {row["id"]: row for table in tables for row in table.to_pylist()}
        return dict(sorted(found.items()))


class Narrowed:
    """Rows of an earlier stage whose ids a later one let go on: so that no stage carries columns only to hand them down."""

    def __init__(self, earlier: Source, later: Source) -> None:
        self.earlier, self.rows = earlier, later.rows
        ids = [table["id"].to_numpy() for table in later.tables(["id"])]
        self.ids = pa.array(np.concatenate(ids) if ids else np.empty(0, np.int64))

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the given columns of the earlier stage."""
        for table in self.earlier.tables(list(dict.fromkeys(["id", *columns]))):
            kept = table.filter(pc.is_in(table["id"], self.ids))
            if len(kept):
                yield kept.select(columns)


class Kept(Survivors):
    """The rows of a stage that a template's own stage after it let go on, with the columns of the former."""

    def __init__(self, stage: Survivors, own: Survivors) -> None:
        super().__init__(stage.store, stage.summary)
        self.rows, self.narrowed = own.rows, Narrowed(stage, own)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the given columns shard by shard."""
        return self.narrowed.tables(columns)


class Rows:
    """A table as a source: for the few that are left at the end, gathered from several stages."""

    def __init__(self, table: pa.Table) -> None:
        self.table, self.rows = table, len(table)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Give the given columns."""
        if self.rows:
            yield self.table.select(columns)


def run_stage(run: Run, stage: Stage, source: Source) -> Survivors:
    """Run a stage over Dask; shards that are committed already are not computed again."""
    return _then_own(run, stage, _on_slots(run, stage, source))


def run_stage_here(run: Run, stage: Stage, source: Source) -> Survivors:
    """Run a stage in this process, in order: for steps that only read and mark rows."""
    made = _run(
        run,
        stage,
        source,
        lambda pending, store: (run_here(stage, rows, key, store.shard_path(key)) for key, rows in pending),
        0,
    )
    return _then_own(run, stage, made)


def _on_slots(run: Run, stage: Stage, source: Source) -> Survivors:
    return _run(run, stage, source, lambda pending, store: _on_dask(run, stage, pending, store), run.slots)


def _then_own(run: Run, stage: Stage, survivors: Survivors) -> Survivors:
    """What a template's own stage lets go on, where one follows this stage."""
    own = run.own.after(stage.name) if run.own else None
    return survivors if own is None else Kept(survivors, _on_slots(run, own, survivors))


Execute = Callable[[Iterator[Pending], StageStore], Generator[ShardSummary, None, None]]


def _run(run: Run, stage: Stage, source: Source, execute: Execute, chips_held: int) -> Survivors:
    store = run.store.stage(stage.name)
    seconds = store.begin(stage.recipe(), shard_seconds(_predicted(stage, source), run.slots))
    done = store.committed()
    finished: dict[str, ShardSummary] = {}
    with run.progress.stage(stage.name, stage.title, source.rows) as progress:
        pending = _pending(stage, source, seconds, done, finished, progress)
        with closing(execute(pending, store)) as summaries:
            for summary in summaries:
                finished[summary.key] = summary
                progress.advance(summary.rows)
    before = sum(summary.rows for key, summary in finished.items() if key in done)
    result = summarise(
        stage.name,
        stage.title,
        stage.title_zh,
        source.rows,
        finished.values(),
        chips_held,
        before,
        getattr(source, "parents", None),
        stage.annotates,
    )
    # A newer version may cut other shards: what the earlier ones cover, these now cover too.
    for key in done.keys() - finished.keys():
        store.shard_path(key).unlink()
    run.stages.append(result)
    return Survivors(store, result)


def _predicted(stage: Stage, source: Source) -> float:
    """Seconds of all rows; they are read for it only where they differ."""
    if not callable(stage.cost):
        return stage.cost * source.rows
    return sum(float(stage.costs(table).sum()) for table in source.tables(stage.columns))


def _pending(
    stage: Stage,
    source: Source,
    seconds: float,
    done: dict[str, ShardSummary],
    finished: dict[str, ShardSummary],
    progress: StageProgress,
) -> Iterator[Pending]:
    """Name every shard; set the finished ones aside, yield the others."""
    prefix = hashlib.blake2b(json.dumps(stage.recipe(), sort_keys=True).encode(), digest_size=16)
    for rows in cut(source.tables(stage.columns), stage.costs, seconds):
        keys = _row_keys(prefix, rows, stage.reads)
        ids = rows["id"].to_numpy().tobytes()
        key = hashlib.blake2b(("".join(keys)).encode() + ids, digest_size=16).hexdigest()
        if key in done:
            finished[key] = done[key]
            progress.advance(done[key].rows)
        else:
            yield key, rows.append_column("key", pa.array(keys, pa.string()))


def _row_keys(prefix: Any, rows: pa.Table, reads: tuple[str, ...]) -> list[str]:
    """A row's key: a hash of the recipe and of the columns that decide its result."""
    keys: list[str] = []
    for values in zip(*(rows[name].to_pylist() for name in reads), strict=True):
        row = prefix.copy()
        row.update("\x1f".join(map(str, values)).encode())
        keys.append(row.hexdigest())
    return keys


def _on_dask(
    run: Run, stage: Stage, pending: Iterator[Pending], store: StageStore
) -> Generator[ShardSummary, None, None]:
    """Yield summaries as shards finish; a result is dropped at once, so only what is in flight is held."""
    with Dispatcher(run.pods, run.loads, lambda summary: summary.wall_s) as dispatcher:

        def submit() -> bool:
            found = next(pending, None)
            if found is None:
                return False
            key, rows = found
            name = f"{stage.name}-{run.store.name}-{key}"
            seconds = float(stage.costs(rows).sum())
            at = store.shard_path(key)
            dispatcher.submit(name, stage.need, seconds, rows.nbytes, run_shard, stage, rows, key, at)
            return True

        try:
            for _ in range(IN_FLIGHT_PER_SLOT * run.slots):
                submit()
            for summary in dispatcher.completed():
                yield summary
                submit()
        except (KilledWorker, NoWorkerError, NoValidWorkerError) as error:
            raise Refused(
                f"stage {stage.name}: {error}. Its workers keep dying or are gone; check memory, then resume."
            ) from None
        except PodsLost as error:
            raise Refused(f"stage {stage.name}: {error}") from None
