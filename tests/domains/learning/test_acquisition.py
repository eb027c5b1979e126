import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.stats import norm

from domains.learning.acquisition import ACQUISITIONS, BOUND, ei, greedy, highest, thompson, ucb
from domains.learning.estimate import estimate
from domains.learning.settings import MOST_ROUNDS, Learning

SCORE = st.floats(-30, 30)
MEANS = arrays(float, st.integers(1, 40), elements=SCORE)


def random(seed=0):
    return np.random.default_rng(seed)


@given(MEANS, st.floats(0, 5), SCORE)
def test_where_all_are_equally_uncertain_every_rule_but_the_draw_follows_the_mean(mean, spread, best):
    spreads = np.full_like(mean, spread)
    for rule in (greedy, ucb, ei):
        utility = rule(mean, spreads, best, random())
        assert np.isfinite(utility).all()
        assert (np.diff(utility[np.argsort(mean)]) <= 1e-9).all()


@given(SCORE, SCORE, st.floats(0.01, 5), st.floats(0.01, 5))
def test_of_two_equal_means_the_less_certain_is_worth_more(mean, best, one, other):
    low, high = sorted((one, other))
    means, spreads = np.array([mean, mean]), np.array([low, high])
    for rule in (ucb, ei):
        utility = rule(means, spreads, best, random())
        assert utility[1] >= utility[0] - 1e-12


@pytest.mark.parametrize(("mean", "spread", "best"), [(-8.0, 0.5, -9.0), (-9.5, 0.3, -9.0), (-9.0, 2.0, -9.0)])
def test_expected_improvement_is_the_integral_that_it_stands_for(mean, spread, best):
    integral, _ = quad(lambda score: (best - score) * norm.pdf(score, mean, spread), mean - 12 * spread, best)
    assert ei(np.array([mean]), np.array([spread]), best, random())[0] == pytest.approx(integral, rel=1e-6)


def test_without_uncertainty_the_improvement_is_plain_and_never_negative():
    assert ei(np.array([-9.0, -7.0]), np.zeros(2), -8.0, random()).tolist() == [1.0, 0.0]


def test_draws_have_the_mean_and_the_spread_and_are_seeded():
    mean, spread = np.full(20_000, -7.0), np.full(20_000, 0.5)
    drawn = -thompson(mean, spread, 0.0, random(3))
    assert drawn.mean() == pytest.approx(-7.0, abs=0.02)
    assert drawn.std() == pytest.approx(0.5, abs=0.02)
    assert (-thompson(mean, spread, 0.0, random(3)) == drawn).all()


def test_the_bound_reaches_below_the_mean():
    assert ucb(np.array([-7.0]), np.array([0.5]), 0.0, random())[0] == 7.0 + 0.5 * BOUND


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 40), st.randoms())
def test_the_highest_are_chosen_ties_by_id_in_whatever_order_they_come(values, count, shuffle):
    ids = list(range(len(values)))
    shuffle.shuffle(ids)
    utility = np.array([values[i] for i in ids], float)
    picked = [ids[at] for at in highest(utility, np.array(ids), count)]
    assert picked == sorted(range(len(values)), key=lambda i: (-values[i], i))[:count]


def test_all_rules_can_be_asked_for():
    assert set(ACQUISITIONS) == {"greedy", "ucb", "ei", "thompson"}
    for name in ACQUISITIONS:
        Learning(acquisition=name)
    with pytest.raises(ValidationError, match="acquisition"):
        Learning(acquisition="best")


@given(MEANS, MEANS, st.floats(0.01, 3), st.integers(1, 20))
def test_the_estimated_top_has_the_size_that_was_asked(scores, mean, spread, top):
    found = estimate(scores, mean, np.full_like(mean, spread), top)
    assert 0 <= found.found <= len(scores)
    assert 0 <= found.remaining <= len(mean)
    assert 0 <= found.share <= 1
    # Scores may be equal, so that a whole group lies on the threshold; otherwise the parts add up.
    if top < len(scores) + len(mean):
        below = (scores < found.threshold - 1e-6).sum() + found.remaining
        assert below - 0.01 <= top <= found.found + found.remaining + 0.01


def test_the_estimate_is_right_where_the_predictions_are():
    """Scores drawn as the predictions say: the expected number is the true one, within counting noise."""
    draw = random(1)
    mean, spread = draw.normal(-7, 1, 100_000), np.full(100_000, 0.5)
    true = mean + spread * draw.standard_normal(100_000)
    known = np.argsort(mean)[:3000]
    rest = np.setdiff1d(np.arange(100_000), known)
    found = estimate(true[known], mean[rest], spread[rest], 1000)
    cut = np.sort(true)[999]
    assert found.threshold == pytest.approx(cut, abs=0.02)
    assert found.share == pytest.approx((true[known] <= cut).sum() / 1000, abs=0.04)


@given(st.integers(1, 10**7), st.floats(1e-4, 1) | st.integers(2, 10**6), st.floats(1e-4, 1) | st.integers(2, 10**6))
def test_budget_and_rounds_fit_the_pool(pool, budget, size):
    if (budget <= 1) == (size <= 1) and size > budget:
        with pytest.raises(ValidationError, match="round_size"):
            Learning(budget=budget, round_size=size)
        return
    total, batch = Learning(budget=budget, round_size=size).counts(pool)
    assert 1 <= total <= pool
    assert 1 <= batch <= total
    assert -(-total // batch) <= MOST_ROUNDS


def test_a_budget_is_a_share_or_a_whole_number():
    assert Learning(budget=0.1, round_size=0.02).counts(1000) == (100, 20)
    assert Learning(budget=300, round_size=100).counts(1000) == (300, 100)
    assert Learning(budget=1, round_size=0.5).counts(10) == (10, 5)
    with pytest.raises(ValidationError, match="2.5 is neither a share"):
        Learning(budget=2.5)
