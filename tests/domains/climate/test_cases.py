import pickle

import numpy as np
import pytest

from domains.climate import run, verify
from domains.climate.cases import CASES, case, steady_flow
from domains.climate.grid import Tiling, longitude_latitude
from domains.climate.tiles import TileGroup
from domains.errors import InvalidRequest


def start(flow, cells=32):
    group = TileGroup(Tiling(cells), flow)
    run.begin([group])
    return group


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_case_starts_on_the_sphere_and_travels_to_a_worker(name):
    group = start(pickle.loads(pickle.dumps(case(name))), 16)
    radial = (group.state[:, 1:] * group.metric.position).sum(axis=1)
    assert np.abs(radial).max() < 1e-9 * max(1, np.abs(group.state[:, 1:]).max())
    assert group.state[:, 0].min() > 500


@pytest.mark.parametrize("angle", [0, 45, 90])
def test_vorticity_of_a_turning_sphere_is_twice_its_rate(angle):
    group = start(steady_flow(angle))
    axis = np.array(group.case.axis)
    exact = 2 * 2 * np.pi / (12 * 86400) * np.einsum("c,tcji->tji", axis, group.metric.position)
    assert np.abs(verify.vorticity(group) - exact).max() < 1e-9


def test_a_flow_along_the_equator_blows_east():
    east, north = verify.wind(start(steady_flow(0)))
    assert east.max() == pytest.approx(38.6, abs=0.1)
    assert np.abs(north).max() < 1e-9


def test_the_wave_has_four_crests_and_the_known_depths():
    group = start(case("williamson-6"), 48)
    longitude, latitude = longitude_latitude(group.metric.position)
    belt = np.abs(latitude - 0.7) < 0.02
    order = np.argsort(longitude[belt])
    spectrum = np.abs(
        np.fft.rfft(
            np.interp(np.linspace(-np.pi, np.pi, 64, False), longitude[belt][order], group.state[:, 0][belt][order])
        )
    )
    assert spectrum[1:].argmax() + 1 == 4
    assert group.state[:, 0].max() == pytest.approx(10_500, abs=150)  # Williamson et al. 1992, figure 5.1
    assert group.state[:, 0].min() == pytest.approx(8_000, abs=150)


def test_the_jet_is_in_balance_and_ten_kilometres_deep():
    group = start(case("galewsky"), 48)
    east, _ = verify.wind(group)
    assert east.max() == pytest.approx(80, abs=1)
    mean = (group.state[:, 0] * group.metric.area).sum() / group.metric.area.sum()
    assert mean == pytest.approx(10_000, abs=2)  # the bump adds less than a metre
    before = group.state[:, 0].copy()
    dt = run.longest_step(group.case, 48)
    for _ in range(20):
        group.step(dt)
    _, latitude = longitude_latitude(group.metric.position)
    assert np.abs(group.state[:, 0] - before)[latitude < -0.3].max() < 0.1


def test_an_unknown_case_is_refused_with_those_that_are_known():
    with pytest.raises(InvalidRequest, match=r"galewski.*near: galewsky.*williamson-2"):
        case("galewski")


def test_a_step_that_is_certain_to_blow_up_is_refused_before_the_start():
    flow = case("galewsky")
    with pytest.raises(InvalidRequest, match=r"time step.*600.*would blow up.*Valid: up to 225"):
        run.refuse_hopeless(flow, 96, 600)
    with pytest.raises(InvalidRequest, match="no time passes"):
        run.refuse_hopeless(flow, 96, 0)
    run.refuse_hopeless(flow, 96, run.longest_step(flow, 96))
