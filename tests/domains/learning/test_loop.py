"""The loop itself, with recorded scores and the real committee."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from domains.learning import figures
from domains.learning.committee import Committee
from domains.learning.loop import FEWEST_SCORES, Evaluated, Search, run
from domains.learning.settings import Learning


class Vectors:
    """A surrogate for candidates that are vectors: the committee and nothing else."""

    columns = ("x",)

    def __init__(self, seed=0):
        self.committee = Committee(seed, ridge=1.0)

    def fit(self, features, scores):
        self.committee.fit(_matrix(features), scores)

    def predict(self, features):
        return self.committee.predict(_matrix(features))


def _matrix(features):
    return np.array(features["x"].to_pylist(), float)


class Table:
    """Candidates in memory, in several tables."""

    def __init__(self, x, ids=None):
        ids = np.arange(len(x)) if ids is None else ids
        self.table = pa.table({"id": ids, "x": [row.tolist() for row in x]})

    def tables(self, columns):
        for start in range(0, len(self.table), 97):
            yield self.table.slice(start, 97).select(columns)


def valley(n, seed=0):
    """Scores with a hidden optimum, and noise."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 6))
    return x, -5 + ((x - 0.8) ** 2).sum(axis=1) / 12 + x @ np.arange(6) / 8 + draw.normal(scale=0.05, size=n)


def searched(x, scores, settings, failing=(), **options):
    asked = []

    def evaluate(number, ids):
        asked.append(ids.tolist())
        done = np.array([i for i in ids if i not in failing], int)
        return Evaluated(done, scores[done], 1.0)

    return run(Search(Table(x), Vectors(), settings, 7, **options), evaluate), asked


def test_a_search_finds_most_of_the_best_for_a_tenth_of_the_work():
    x, scores = valley(2000)
    learned, asked = searched(x, scores, Learning(budget=0.1, round_size=0.02))
    top = set(np.argsort(scores)[:20].tolist())
    chosen = [i for ids in asked for i in ids]
    assert len(chosen) == len(set(chosen)) == 200
    assert [one.total for one in learned.rounds] == [40, 80, 120, 160, 200]
    assert learned.end.stop == "budget"
    assert len(top & set(chosen)) >= 16  # at random: 2
    assert learned.rounds[-1].best == scores.min()
    assert sorted([*chosen, *learned.end.ids.tolist()]) == list(range(2000))


def test_errors_are_of_predictions_made_before_the_scores_were_known():
    x, scores = valley(1000)
    learned, asked = searched(x, scores, Learning(budget=0.1, round_size=0.025))
    first, second = learned.rounds[:2]
    assert first.error is None
    assert first.rank_correlation is None
    alone = Vectors(seed=0)
    known = np.sort(asked[0])
    alone.fit(pa.table({"x": [x[i].tolist() for i in known]}), scores[known])
    mean, _ = alone.predict(pa.table({"x": [x[i].tolist() for i in sorted(asked[1])]}))
    assert second.error == pytest.approx(np.sqrt(np.mean((mean - scores[sorted(asked[1])]) ** 2)), rel=1e-9)


def test_the_same_search_twice_and_a_pool_in_another_order_choose_the_same():
    x, scores = valley(600)
    settings = Learning(budget=0.2, round_size=0.05, acquisition="thompson")
    _, once = searched(x, scores, settings)
    _, twice = searched(x, scores, settings)
    assert once == twice
    order = np.random.default_rng(5).permutation(600)
    asked = []

    def evaluate(number, ids):
        asked.append(ids.tolist())
        return Evaluated(ids[::-1], scores[ids[::-1]], 0.0)

    run(Search(Table(x[order], order), Vectors(), settings, 7), evaluate)
    assert asked == once


def test_higher_may_be_better():
    x, scores = valley(600)
    settings = Learning(budget=0.2, round_size=0.05)
    down, one = searched(x, scores, settings)
    up, other = searched(x, -scores, settings, lower_is_better=False)
    assert up.rounds[-1].best == -down.rounds[-1].best == (-scores).max()
    assert set(one[0]) == set(other[0])
    share = [search.rounds[-1].estimate.share for search in (down, up)]
    assert share[0] == pytest.approx(share[1], abs=0.15)
    assert up.rounds[-1].estimate.threshold > 0


def test_what_fails_is_not_learned_from_and_not_asked_again():
    x, scores = valley(400)
    failing = set(range(0, 400, 3))
    learned, asked = searched(x, scores, Learning(budget=0.5, round_size=0.1), failing)
    chosen = [i for ids in asked for i in ids]
    assert len(chosen) == len(set(chosen)) == 200
    assert sum(one.evaluated for one in learned.rounds) == len(set(chosen) - failing)
    assert all(one.evaluated < one.chosen for one in learned.rounds)


def test_where_everything_fails_the_budget_is_spent_at_random():
    x, scores = valley(100)
    learned, asked = searched(x, scores, Learning(budget=0.3, round_size=0.1), set(range(100)))
    assert [len(ids) for ids in asked] == [10, 10, 10]
    assert learned.rounds[-1].best is None
    assert learned.rounds[-1].estimate is None
    assert np.isnan(learned.end.mean).all()
    ET.fromstring(figures.curve(learned.rounds, 100, "score"))


@pytest.mark.parametrize(("pool", "budget", "size"), [(5, 300, 100), (60, 1, 0.5), (60, 10**6, 10), (1, 0.1, 0.01)])
def test_a_budget_beyond_the_pool_computes_all_of_it(pool, budget, size):
    x, scores = valley(pool)
    learned, asked = searched(x, scores, Learning(budget=budget, round_size=size, enough=1.0, patience=100))
    assert sorted(i for ids in asked for i in ids) == list(range(pool))
    assert learned.end.stop == "exhausted"
    assert len(learned.end.ids) == 0
    assert learned.rounds[-1].estimate is None or learned.rounds[-1].estimate.share == 1


def test_an_empty_pool_ends_at_once():
    learned, asked = searched(np.empty((0, 6)), np.empty(0), Learning())
    assert asked == []
    assert learned.end.stop == "exhausted"


def test_equal_scores_are_no_obstacle():
    x, _ = valley(300)
    learned, asked = searched(x, np.full(300, -6.0), Learning(budget=0.3, round_size=0.1, enough=1.0))
    assert sum(map(len, asked)) in (60, 90)  # all are as good as the best: it may say that it has enough
    last = learned.rounds[-1]
    assert last.best == -6.0
    assert last.rank_correlation is None
    assert last.error == pytest.approx(0, abs=1e-6)


def test_a_search_stops_when_it_has_enough_for_long_enough():
    x, scores = valley(2000)
    settings = Learning(budget=1, round_size=0.05, enough=0.9, patience=2)
    learned, asked = searched(x, scores, settings)
    assert learned.end.stop == "enough"
    shares = [one.estimate.share for one in learned.rounds if one.estimate]
    assert min(shares[-2:]) >= 0.9
    assert not any(min(pair) >= 0.9 for pair in pairwise(shares[:-1]))
    top = set(np.argsort(scores)[:20].tolist())
    assert len(top & {i for ids in asked for i in ids}) >= 16  # it is an estimate: 18 were promised


def test_a_remembered_decision_is_followed_and_not_made_again():
    x, scores = valley(400)
    notes = {}

    def remember(number, decide):
        return notes.setdefault(number, None) or notes.update({number: decide()}) or notes[number]

    def evaluate(number, ids):
        return Evaluated(ids, scores[ids], 0.0)

    settings = Learning(budget=0.2, round_size=0.05)
    first = run(Search(Table(x), Vectors(), settings, 7), evaluate, remember)

    class Untrainable(Vectors):
        def fit(self, features, scores):
            raise AssertionError("nothing is left to decide")

    again = run(Search(Table(x), Untrainable(), settings, 7), evaluate, remember)
    assert [one.as_dict() for one in again.rounds] == [one.as_dict() for one in first.rounds]


def test_the_committee_spreads_as_far_as_it_errs_and_repeats_itself():
    x, scores = valley(1500)
    one, two = Committee(3, ridge=1.0), Committee(3, ridge=1.0)
    one.fit(x[:500], scores[:500])
    two.fit(x[:500], scores[:500])
    mean, spread = one.predict(x[500:])
    assert (spread > 0).all()
    assert all((a == b).all() for a, b in zip((mean, spread), two.predict(x[500:]), strict=True))
    error = np.sqrt(np.mean((mean - scores[500:]) ** 2))
    assert 0.7 < np.sqrt(np.mean(spread**2)) / error < 1.6
    within = np.mean(np.abs(mean - scores[500:]) < 2 * spread)
    assert within > 0.9
    apart = np.argsort(spread)
    worst, surest = (np.abs(mean - scores[500:])[part].mean() for part in (apart[-250:], apart[:250]))
    assert worst > surest


def test_too_few_scores_mean_another_random_round():
    x, scores = valley(200)
    learned, _ = searched(x, scores, Learning(budget=FEWEST_SCORES + 10, round_size=10))
    predicted = [len(one.predicted) for one in learned.rounds]
    assert predicted == [0, 0, 10]
