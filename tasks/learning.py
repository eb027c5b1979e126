"""Active learning on the cluster: each round is decided here, computed by a pipeline's own stages, and kept.

What a round computes is written to the run before it starts and read back ever after, so that a run that was killed
goes on with the same candidates; which of them are done already, their stages know.

    runs/<run>/acquire/round-01.parquet  round-02.parquet  ...
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from domains.learning.curve import Round
from domains.learning.estimate import Estimate
from domains.learning.loop import Decision, Evaluated, Search, Stop, Surrogate
from domains.learning.loop import run as run_search
from domains.learning.settings import Learning
from domains.model import Frozen
from domains.selection import NOT_SELECTED, looked_up, marked
from tasks.outcomes import OK
from tasks.progress import LOG
from tasks.run import Run
from tasks.shard import Stage
from tasks.sharding import shard_seconds
from tasks.stage import Source, Survivors, run_stage_here
from tasks.store import Refused, write_atomic

STAGE = "acquire"
HEADER = b"ai4s.decision"


class AcquireSettings(Frozen):
    """What decides which candidates are computed, besides their features and scores."""

    learning: Learning
    seed: int
    lower_is_better: bool


class Picked:
    """The rows of a source with these ids."""

    def __init__(self, source: Source, ids: np.ndarray) -> None:
        self.source, self.ids, self.rows = source, pa.array(ids), len(ids)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the given columns."""
        for table in self.source.tables(list(dict.fromkeys(["id", *columns]))):
            kept = table.filter(pc.is_in(table["id"], self.ids))
            if len(kept):
                yield kept.select(columns)


class Joined:
    """The survivors of several stages that share no candidate, one after the other."""

    def __init__(self, parts: Sequence[Source]) -> None:
        self.parts, self.rows = parts, sum(part.rows for part in parts)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the given columns."""
        return (table for part in self.parts for table in part.tables(columns))


@dataclass(frozen=True)
class Acquired:
    """A finished search: the survivors of all rounds, the learning curve, and why it stopped."""

    survivors: Joined
    rounds: Sequence[Round]
    stop: Stop
    learning: Learning
    pool: int


def learn(
    run: Run,
    settings: Learning,
    pool: Source,
    surrogate: Surrogate,
    evaluate: Callable[[int, Source], Survivors],
    *,
    seed: int,
    version: str,
    score: str = "score",
    lower_is_better: bool = True,
) -> Acquired:
    """Search a pool of candidates, round by round, and mark every one of them as chosen or not.

    Args:
        run: The run.
        settings: Budget, round size, choice, stop.
        pool: All candidates: ``id``, ``name``, the surrogate's columns, and what ``evaluate`` reads.
        surrogate: Trained anew in each round.
        evaluate: Runs the stages of round ``number`` on its candidates; their names must hold the number.
        seed: Decides what is drawn at random.
        version: Of the surrogate and its libraries: a run is not gone on with under another.
        score: The survivors' column to learn from.
        lower_is_better: Of scores.
    """
    stage = Stage(
        STAGE,
        "Active learning: choose",
        "主动学习：选取",
        MarkChosen,
        AcquireSettings(learning=settings, seed=seed, lower_is_better=lower_is_better),
        version=version,
        reads=("id",),
        output=pa.schema([]),
        cost=1e-6,
    )
    # Checked now and not at the end: a resumed search must not go on under other settings or versions.
    run.store.stage(STAGE).begin(stage.recipe(), shard_seconds(1e-6 * pool.rows, run.slots))
    before, survivors = len(run.stages), list[Survivors]()

    def computed(number: int, ids: np.ndarray) -> Evaluated:
        first = len(run.stages)
        survivors.append(evaluate(number, Picked(pool, ids)))
        seconds = sum(one.chip_s for one in run.stages[first:])
        return Evaluated(*_columns(survivors[-1], "id", score), seconds)

    search = Search(pool, surrogate, settings, seed, lower_is_better=lower_is_better)
    learned = run_search(search, computed, Decisions(run.store.root / STAGE))
    run_stage_here(run, replace(stage, function=MarkChosen(learned.end)), pool)
    # All candidates pass this line of the funnel, and then each round a part of them: so it stands before the rounds.
    run.stages.insert(before, run.stages.pop())
    assert learned.end.stop is not None
    return Acquired(Joined(survivors), learned.rounds, learned.end.stop, settings, pool.rows)


def _columns(source: Source, number: str, score: str) -> tuple[np.ndarray, np.ndarray]:
    ids, scores = [np.empty(0, np.int64)], [np.empty(0)]
    for table in source.tables([number, score]):
        ids.append(table[number].to_numpy())
        scores.append(table[score].to_numpy())
    return np.concatenate(ids), np.concatenate(scores)


class Decisions:
    """The decisions of a search in a folder: the first one of each number stays and is what is read, then and later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, number: int, decide: Callable[[], Decision]) -> Decision:
        """The noted decision; where there is none, it is made and noted."""
        path = self.folder / f"round-{number:02d}.parquet"
        if not path.exists():
            write_atomic(path, _packed(decide()), replace=False)
        decision = _unpacked(path)
        if decision.estimate is not None:
            LOG.info("about %.0f %% of the best candidates are found, by estimate", 100 * decision.estimate.share)
        return decision


def _packed(decision: Decision) -> bytes:
    notes = {
        "seconds": decision.seconds,
        "stop": decision.stop,
        "estimate": asdict(decision.estimate) if decision.estimate else None,
    }
    table = pa.table({"id": decision.ids, "mean": decision.mean, "spread": decision.spread})
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({HEADER: json.dumps(notes).encode()}), buffer, compression="zstd")
    return buffer.getvalue()


def _unpacked(path: Path) -> Decision:
    try:
        table = pq.read_table(path, partitioning=None)
        notes = json.loads(table.schema.metadata[HEADER])
        found = Estimate(**notes["estimate"]) if notes["estimate"] else None
        ids, mean, spread = (table[name].to_numpy() for name in ("id", "mean", "spread"))
        return Decision(ids, mean, spread, notes["seconds"], notes["stop"], found)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"{path} is damaged ({error}): delete this file and resume, the same is then decided again"
        ) from None


class MarkChosen:
    """The batch function of the acquire stage: a candidate that was never chosen says what was predicted for it."""

    def __init__(self, end: Decision) -> None:
        self.end = end

    def __call__(self, batch: pa.Table, settings: AcquireSettings) -> pa.Table:
        """Mark each row of a batch. In: id."""
        at, left = looked_up(batch, self.end.ids)
        outcomes = [NOT_SELECTED if one else OK for one in left]
        return marked(batch, outcomes, [self._reason(i) if one else None for one, i in zip(left, at, strict=True)])

    def _reason(self, at: int) -> str:
        mean, spread = self.end.mean[at], self.end.spread[at]
        if np.isnan(mean):
            return "not drawn, and too few candidates could be computed to predict it"
        return f"predicted {mean:.2f} ± {spread:.2f}, not among those worth computing"
