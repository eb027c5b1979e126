import numpy as np
import pytest

from domains.climate import run, verify
from domains.climate.cases import CASES, case, steady_flow
from domains.climate.dynamics import WholeSphere, difference
from domains.climate.grid import EDGE_WEIGHTS, Tiling
from domains.climate.tiles import TileGroup

DAY = 86400


def sphere(flow, cells):
    return TileGroup(Tiling(cells), flow)


def test_the_difference_conserves_and_is_fourth_order():
    edge, interior = np.array([True]), np.array([False])
    weights = np.r_[EDGE_WEIGHTS, np.ones(8), EDGE_WEIGHTS[::-1]]
    for power in range(5):
        faces = np.arange(-1, 18.0)[None] / 16
        found = difference(faces**power, edge, edge)[0] / 24 * 16
        centres = (np.arange(16) + 0.5) / 16
        exact = power * centres ** max(power - 1, 0)
        assert found == pytest.approx(exact, abs=1e-12)
    random = np.random.default_rng(0).normal(size=(1, 19))
    inside = difference(random, edge, edge)[0] / 24
    assert (inside * weights).sum() == pytest.approx(random[0, -2] - random[0, 1], abs=1e-13)
    assert not np.array_equal(difference(random, interior, interior)[0], inside * 24)


@pytest.mark.parametrize("name", sorted(CASES))
def test_machine_code_and_numpy_are_the_same_scheme(name):
    slow, fast = WholeSphere(16, case(name)), sphere(case(name), 16)
    state = slow.start
    for _ in range(3):
        state = slow.step(state, 600)
        fast.step(600)
    scale = np.abs(state).max(axis=(0, 2, 3), keepdims=True)
    assert np.abs(fast.state - state).max(axis=(0, 2, 3), keepdims=True) == pytest.approx(
        0 * scale, abs=1e-11 * scale.max()
    )


@pytest.mark.parametrize("angle", [45, 90])
def test_the_error_of_the_steady_flow_falls_with_the_fourth_power(angle):
    errors = []
    for cells in (16, 32):
        group = sphere(steady_flow(angle), cells)
        exact = group.state[:, 0].copy()
        for _ in range(5 * DAY // (19200 // cells)):
            group.step(19200 / cells)
        errors.append(verify.norms(group.state[:, 0], exact, group.metric.area).l2)
    assert errors[1] < 1e-5
    assert verify.orders((16, 32), errors)[0] > 3.8


def test_a_lake_at_rest_stays_at_rest():
    group = sphere(case("rest"), 24)
    for _ in range(100):
        group.step(900)
    assert np.abs(group.state[:, 1:] / group.state[:, :1]).max() < 1e-11


@pytest.mark.parametrize("name", ["williamson-5", "williamson-6", "galewsky"])
def test_long_runs_are_stable_and_keep_their_mass(name):
    flow = case(name)
    dt = run.longest_step(flow, 24)
    progress = list(run.run([sphere(flow, 24)], dt, round(flow.days * DAY / dt), 1000))
    start, end = progress[0].budget, progress[-1].budget
    assert [one.problem for one in progress] == [""] * len(progress)
    assert abs(end.mass / start.mass - 1) < 1e-12
    assert abs(end.energy / start.energy - 1) < 1e-3


def test_a_step_that_is_too_long_is_seen_at_the_next_check():
    flow = steady_flow(45)
    group = sphere(flow, 24)
    progress = list(run.run([group], 2100, 400, 50))
    assert progress[0].problem == ""
    assert "blow" in progress[-1].problem
    assert len(progress) < 9


def test_a_budget_is_the_same_however_the_sphere_is_cut():
    whole = run.held([sphere(case("galewsky"), 24)])
    cut = run.held([TileGroup(Tiling(24, 2), case("galewsky"), np.arange(24) % 3, group) for group in range(3)])
    for name in ("mass", "energy", "enstrophy"):
        assert getattr(cut, name) == pytest.approx(getattr(whole, name), rel=1e-14)
