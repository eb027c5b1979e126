"""Choosing which candidates go on by their score, the lowest first."""

import heapq
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.model import Frozen

NOT_SELECTED = "not_selected"


def marked(batch: pa.Table, outcomes: Sequence[str], reasons: Sequence[str | None]) -> pa.Table:
    """What a stage that only marks returns: the batch's ids with these outcomes and reasons."""
    return pa.table(
        {"id": batch["id"], "outcome": pa.array(outcomes, pa.string()), "reason": pa.array(reasons, pa.string())}
    )


def looked_up(batch: pa.Table, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each row's id stands in these, which are sorted, and whether it is there at all."""
    numbers = batch["id"].to_numpy()
    at = np.searchsorted(ids, numbers)
    there = at < len(ids)
    there[there] = ids[at[there]] == numbers[there]
    return at, there


class SelectSettings(Frozen):
    """How many go on."""

    most: int = Field(ge=1)


def best_of(source: Callable[[list[str]], Iterator[pa.Table]], most: int, score: str = "score") -> "MarkBest":
    """Find the ``most`` lowest values of the column ``score``, ties by id; memory holds these only."""
    pairs = (
        pair
        for table in source([score, "id"])
        for pair in zip(table[score].to_pylist(), table["id"].to_pylist(), strict=True)
    )
    best = heapq.nsmallest(most, pairs)
    return MarkBest(np.array(sorted(number for _, number in best), np.int64), best[-1][0] if best else 0.0, score)


class MarkBest:
    """The batch function of the select stage: rows not among the best are ``not_selected``."""

    def __init__(self, ids: np.ndarray, cut: float, score: str) -> None:
        self.ids, self.cut, self.score = ids, cut, score

    def __call__(self, batch: pa.Table, settings: SelectSettings) -> pa.Table:
        """Mark each row of a batch. In: id, the score."""
        chosen = np.isin(batch["id"].to_numpy(), self.ids)
        outcomes = ["ok" if best else NOT_SELECTED for best in chosen]
        reasons = [
            None if best else f"{self.score} {value:.3g} is not among the best {settings.most} (cut at {self.cut:.3g})"
            for best, value in zip(chosen, batch[self.score].to_pylist(), strict=True)
        ]
        return marked(batch, outcomes, reasons)


def accept(batch: pa.Table, settings: Frozen) -> pa.Table:
    """Let every row go on."""
    return marked(batch, ["ok"] * len(batch), [None] * len(batch))
