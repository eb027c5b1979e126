import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calibration import Calibration, Ran, dump, held_s, learned, load, workers
from agent.checks import problems
from agent.estimate import SMALL, estimate
from agent.placement import kinds_named, place, place_on_a_busy_day
from agent.planner import plan_of
from agent.proposal import Ground, propose
from agent.read import read
from cluster.hubfile import load as load_hub
from domains.errors import InvalidRequest

LAPTOP, ZHENGZHOU = load_hub("two-supernodes"), load_hub("zhengzhou-60k")
MACHINE = "this one"


def planned(text, changes=None):
    return plan_of(read(text).tasks[0], changes)


def ran(plan, slower, name="a", machine=MACHINE):
    """A run of a plan that took so many times what was foreseen."""
    predicted = {}
    for stage in plan.stages:
        if seconds := held_s(stage.rows, stage.chip_s, 2):
            predicted[stage.key] = predicted.get(stage.key, 0.0) + seconds
    return Ran(
        run=name,
        pipeline=plan.pipeline,
        machine=machine,
        chips=2,
        predicted=predicted,
        measured={key: slower * seconds for key, seconds in predicted.items()},
        rows=10,
        bytes=20_000,
        start_s=7.0,
    )


SEED = planned("Simulate protein-ligand interactions for COVID variants")
MILLION = planned("对接一百万个分子到EGFR，取前100个")


@given(st.floats(0.05, 20), st.integers(1, 8), st.floats(1, 1e5))
def test_runs_move_the_estimate_towards_what_they_took_and_narrow_it(slower, runs, size):
    before = learned([], size)
    after = learned([(size, slower * size, 1.0)] * runs, size)
    assert abs(after.mean - math.log(slower)) <= abs(before.mean - math.log(slower)) + 1e-9
    assert after.sd < before.sd
    assert after.low <= after.expected <= after.high


@given(st.floats(0.1, 10), st.floats(1, 1e4), st.floats(1.5, 1e3))
def test_a_run_counts_less_the_further_its_size_is(slower, size, times):
    near, far = (learned([(size, slower * size, 1.0)], now) for now in (size, size * times))
    assert abs(far.mean) <= abs(near.mean) + 1e-12
    assert far.sd >= near.sd


@given(st.integers(0, 10**7), st.floats(0.001, 1e7), st.integers(1, 60_000))
def test_a_stage_uses_no_more_chips_than_it_has_work_for(rows, chip_s, chips):
    used = workers(rows, chip_s, chips)
    assert 1 <= used <= max(1, min(chips, rows))
    assert held_s(rows, chip_s, chips) >= chip_s


def test_before_any_run_nine_in_ten_are_within_about_a_factor_of_two():
    found = estimate(SEED, LAPTOP, Calibration(), MACHINE)
    assert found.runs == 0
    assert 2 <= found.chip_h.high / found.chip_h.expected <= 2.5
    assert found.wall_s.low < found.wall_s.expected < found.wall_s.high


def test_the_next_estimate_learns_from_a_run():
    known = Calibration().with_run(ran(SEED, 3.0))
    before, after = (estimate(SEED, LAPTOP, one, MACHINE) for one in (Calibration(), known))
    taken = 3 * sum(held_s(stage.rows, stage.chip_s, 2) for stage in SEED.stages) / 3600
    assert abs(after.chip_h.expected - taken) < 0.3 * abs(before.chip_h.expected - taken)
    assert after.chip_h.low < taken < after.chip_h.high
    assert after.chip_h.high / after.chip_h.low < before.chip_h.high / before.chip_h.low
    assert (after.runs, after.here) == (1, 1)
    assert after.plan == before.plan == SEED.hash


def test_another_machine_and_another_pipeline_teach_little():
    elsewhere = Calibration().with_run(ran(SEED, 3.0, machine="another"))
    here = Calibration().with_run(ran(SEED, 3.0))
    plain, far, near = (
        estimate(SEED, LAPTOP, one, MACHINE).chip_h.expected for one in (Calibration(), elsewhere, here)
    )
    assert plain < far < near
    assert estimate(MILLION, LAPTOP, here, MACHINE).chip_h == estimate(MILLION, LAPTOP, Calibration(), MACHINE).chip_h


def test_what_is_known_is_kept_in_a_file(tmp_path):
    import json

    known = Calibration().with_run(ran(SEED, 2.0)).with_run(ran(SEED, 1.0, "b")).with_run(ran(SEED, 3.0))
    assert [one.run for one in known.runs] == ["b", "a"]
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(dump(known)))
    assert load(path) == known
    path.write_text("{broken")
    assert load(path) == load(tmp_path / "none.json") == Calibration()


def test_stages_that_nobody_foresaw_are_added():
    one = ran(SEED, 1.0)
    more = one.model_copy(update={"measured": {**one.measured, "": one.totals[1]}})
    plain, added = (estimate(SEED, LAPTOP, Calibration(runs=(run,)), MACHINE).chip_h.expected for run in (one, more))
    assert added == pytest.approx(2 * plain)


def test_a_hub_takes_as_many_chips_as_have_work_and_names_the_supernodes():
    found = estimate(MILLION, ZHENGZHOU, Calibration(), MACHINE)
    assert ZHENGZHOU.chips > SMALL
    assert found.placement.supernodes
    assert sum(one.chips for one in found.placement.supernodes) == found.chips
    assert len({one.supernode for one in found.placement.supernodes}) == math.ceil(found.chips / 640)
    assert found.kwh.low < found.kwh.expected < found.kwh.high
    small = estimate(SEED, ZHENGZHOU, Calibration(), MACHINE)
    assert small.chips < found.chips


def test_the_same_plan_on_the_same_hub_costs_the_same():
    first, second = (estimate(MILLION, ZHENGZHOU, Calibration(), MACHINE, busy=True) for _ in range(2))
    assert first == second


def test_half_the_chips_take_about_twice_as_long_and_the_same_work():
    whole = estimate(MILLION, ZHENGZHOU, Calibration(), MACHINE)
    half = estimate(MILLION, ZHENGZHOU, Calibration(), MACHINE, whole.chips // 2)
    assert 1.7 < half.wall_s.expected / whole.wall_s.expected < 2.1
    assert half.chip_h.expected == pytest.approx(whole.chip_h.expected, rel=0.01)


def test_a_machine_without_power_figures_has_no_energy():
    assert estimate(SEED, LAPTOP, Calibration(), MACHINE).kwh is None


def test_a_busy_hub_is_asked_where_there_is_still_room():
    alone, busy = place(ZHENGZHOU, 64, 600), place_on_a_busy_day(ZHENGZHOU, 64, 600)
    assert sum(one.chips for one in alone.supernodes) == sum(one.chips for one in busy.supernodes) == 64
    assert alone.supernodes != busy.supernodes
    crowded = place_on_a_busy_day(ZHENGZHOU, 20_000, 600)
    assert crowded.supernodes or crowded.wait_s is None or crowded.wait_s > 0


def test_more_than_there_is_can_never_be_placed():
    assert "k1" in kinds_named(ZHENGZHOU, "k1")
    found = place(ZHENGZHOU, 20_000, 600, kinds_named(ZHENGZHOU, "k1"))
    assert found.refused
    with pytest.raises(InvalidRequest, match="k1"):
        kinds_named(ZHENGZHOU, "H100")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Dock 4000 molecules to EGFR with a budget of 0.1 card hours", "budget"),
        ("对接4000个分子到EGFR，1小时内完成，预算0.5卡时", "budget"),
        ("Dock 4000 molecules to EGFR within 10 minutes", "deadline"),
        ("Dock 100 molecules to EGFR on 64 H100", "chips"),
        ("Dock 100 molecules to EGFR on 500 cards", "chips"),
    ],
)
def test_a_plan_that_does_not_fit_budget_deadline_or_hub_cannot_run(text, field):
    found = propose(text, Ground(hub=LAPTOP, machine=MACHINE)).proposals[0]
    assert field in {one.field for one in found.problems}, (found.plan.bounds, found.estimate)
    assert not found.can_run


def test_a_model_must_fit_a_chip_of_the_hub():
    small = LAPTOP.model_copy(
        update={
            "kinds": {
                name: kind.model_copy(update={"memory": kind.memory.model_copy(update={"value": 0.1})})
                for name, kind in LAPTOP.kinds.items()
            }
        }
    )
    assert not problems(SEED, LAPTOP, None)
    (found,) = problems(SEED, small, None)
    assert "0.1 GiB" in found.words.en
