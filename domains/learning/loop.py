"""Active learning: a surrogate learns from what was computed and says what to compute next, round by round.

Nothing here touches a disk or a cluster: the pool is read through ``Pool``, candidates are computed by ``evaluate``, and a
decision passes through ``remember``, which may have it from before. A replay of recorded scores runs this very loop.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domains.learning.acquisition import ACQUISITIONS, highest
from domains.learning.curve import Round
from domains.learning.estimate import Estimate, estimate
from domains.learning.settings import Learning

# With fewer scores than this nothing can be learned, and the next round is drawn at random as well.
FEWEST_SCORES = 20

Stop = Literal["budget", "exhausted", "enough"]


class Pool(Protocol):
    """All candidates: ``id`` and feature columns, read as often as needed."""

    def tables(self, columns: list[str]) -> Iterator[pa.Table]: ...


class Surrogate(Protocol):
    """A model that is trained anew in each round; ``columns`` are the feature columns that it reads."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def fit(self, features: pa.Table, scores: np.ndarray) -> None: ...

    def predict(self, features: pa.Table) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Decision:
    """What is computed next, with what was predicted for it; NaN where it was drawn at random.

    Where ``stop`` says why nothing more is computed, it is what was never chosen. ``estimate`` is of the search so far.
    """

    ids: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    seconds: float
    stop: Stop | None = None
    estimate: Estimate | None = None


@dataclass(frozen=True)
class Evaluated:
    """Those of a round's candidates that have a score, and the seconds that all of them took."""

    ids: np.ndarray
    scores: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Learned:
    """A finished search: its rounds, and the decision that ended it."""

    rounds: Sequence[Round]
    end: Decision


Evaluate = Callable[[int, np.ndarray], Evaluated]
Remember = Callable[[int, Callable[[], Decision]], Decision]


class Search:
    """What is known of a pool so far, and what to compute next."""

    def __init__(
        self, pool: Pool, surrogate: Surrogate, settings: Learning, seed: int, *, lower_is_better: bool = True
    ) -> None:
        self.pool, self.surrogate, self.settings, self.seed = pool, surrogate, settings, seed
        self.sign = 1 if lower_is_better else -1
        # Sorted, so that no choice depends on the order in which the pool is read.
        self.ids = np.sort(np.concatenate([np.empty(0, np.int64), *(t["id"].to_numpy() for t in pool.tables(["id"]))]))
        self.chosen = np.zeros(len(self.ids), bool)
        self.scores = np.full(len(self.ids), np.nan)
        self.budget, self.round_size = settings.counts(len(self.ids))
        self.top = max(1, round(settings.top_share * len(self.ids)))

    def learn(self, chosen: np.ndarray, result: Evaluated) -> None:
        """Note the candidates of a round; those without a score failed, and nothing is learned from them."""
        self.chosen[np.searchsorted(self.ids, chosen)] = True
        self.scores[np.searchsorted(self.ids, result.ids)] = result.scores

    @property
    def best(self) -> float | None:
        """The best score so far."""
        known = self.scores[np.isfinite(self.scores)]
        return float(self.sign * np.min(self.sign * known)) if len(known) else None

    def decide(self, number: int, earlier: Sequence[Estimate | None]) -> Decision:
        """What to compute in round ``number``, given the estimates after the earlier ones."""
        started = time.perf_counter()
        rest = np.flatnonzero(~self.chosen)
        mean, spread = self._predictions(rest)
        now = self._estimate(mean, spread) if number > 1 else None
        stop = self._stop([*earlier, now])
        if stop is None:
            # A generator for each round: a resumed search draws what an unbroken one would.
            random = np.random.default_rng([self.seed, number])
            size = min(self.round_size, self.budget - int(self.chosen.sum()))
            picked = np.sort(self._pick(rest, mean, spread, size, random))
            rest, mean, spread = rest[picked], mean[picked], spread[picked]
        return Decision(self.ids[rest], mean, spread, time.perf_counter() - started, stop, now)

    def _pick(
        self, rest: np.ndarray, mean: np.ndarray, spread: np.ndarray, size: int, random: np.random.Generator
    ) -> np.ndarray:
        if np.isnan(mean).any():
            return random.choice(len(rest), min(size, len(rest)), replace=False)
        assert self.best is not None
        utility = ACQUISITIONS[self.settings.acquisition](self.sign * mean, spread, self.sign * self.best, random)
        return highest(utility, self.ids[rest], size)

    def _predictions(self, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread of the candidates at these positions; NaN where too little is known to train."""
        mean, spread = np.full((2, len(rest)), np.nan)
        known = np.flatnonzero(np.isfinite(self.scores))
        if len(known) < FEWEST_SCORES or not len(rest):
            return mean, spread
        columns = ["id", *self.surrogate.columns]
        features = pa.concat_tables(_rows_of(self.pool.tables(columns), self.ids[known])).sort_by("id")
        self.surrogate.fit(features, self.scores[known])
        for table in _rows_of(self.pool.tables(columns), self.ids[rest]):
            at = np.searchsorted(self.ids[rest], table["id"].to_numpy())
            mean[at], spread[at] = self.surrogate.predict(table)
        return mean, spread

    def _estimate(self, mean: np.ndarray, spread: np.ndarray) -> Estimate | None:
        known = self.scores[np.isfinite(self.scores)]
        if np.isnan(mean).any() or not len(known):
            return None
        found = estimate(self.sign * known, self.sign * mean, spread, self.top)
        return replace(found, threshold=self.sign * found.threshold)

    def _stop(self, estimates: Sequence[Estimate | None]) -> Stop | None:
        if self.chosen.all():
            return "exhausted"
        if self.chosen.sum() >= self.budget:
            return "budget"
        latest = estimates[-self.settings.patience :]
        sure = len(latest) == self.settings.patience
        return "enough" if sure and all(one and one.share >= self.settings.enough for one in latest) else None


def _rows_of(tables: Iterator[pa.Table], ids: np.ndarray) -> Iterator[pa.Table]:
    wanted = pa.array(ids)
    for table in tables:
        kept = table.filter(pc.is_in(table["id"], wanted))
        if len(kept):
            yield kept


def run(search: Search, evaluate: Evaluate, remember: Remember = lambda number, decide: decide()) -> Learned:
    """Decide and compute until the search stops."""
    rounds: list[Round] = []
    for number in count(1):
        estimates = [one.estimate for one in rounds[:-1]]
        decision = remember(number, partial(search.decide, number, estimates))
        if rounds:
            rounds[-1] = replace(rounds[-1], estimate=decision.estimate)
        if decision.stop is not None:
            break
        result = evaluate(number, decision.ids)
        search.learn(decision.ids, result)
        rounds.append(_round(number, search, decision, result))
    return Learned(rounds, decision)


def _round(number: int, search: Search, decision: Decision, result: Evaluated) -> Round:
    order = np.argsort(result.ids)
    predicted = decision.mean[np.searchsorted(decision.ids, result.ids[order])]
    foretold = np.isfinite(predicted)
    return Round(
        number,
        len(decision.ids),
        len(result.ids),
        int(search.chosen.sum()),
        search.best,
        predicted[foretold],
        result.scores[order][foretold],
        decision.seconds,
        result.seconds,
    )
