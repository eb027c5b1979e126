import pytest

from cluster.allocate.gang import Gang, Project
from cluster.hubfile import load, parse
from cluster.simulate.day import PROJECTS, failures, national_day
from cluster.simulate.jobs import Failure, Growth, Job
from cluster.simulate.simulator import simulate
from cluster.topology import Topology

FIGURE = "status: assumed"
HUB = f"""name: small
title: Small
kinds:
  fast: {{title: F, device: gpu, memory: {{value: 64, unit: GiB, {FIGURE}}}, power: {{value: 400, unit: W, {FIGURE}}},
    idle: {{value: 100, unit: W, {FIGURE}}}, speed: {{value: 2, unit: ratio, {FIGURE}}}}}
  slow: {{title: S, device: gpu, memory: {{value: 64, unit: GiB, {FIGURE}}}, power: {{value: 300, unit: W, {FIGURE}}},
    idle: {{value: 100, unit: W, {FIGURE}}}}}
power: {{base: {{supernode: {{value: 1, unit: kW, {FIGURE}}}}}, pue: {{value: 1.5, unit: ratio, {FIGURE}}}}}
tree:
  - {{name: a, count: 2, of: [{{name: h, count: 2, chips: {{fast: 4}}}}]}}
  - {{name: b, of: [{{name: h, count: 2, chips: {{slow: 4}}}}]}}
"""


def hub() -> Topology:
    return parse(HUB, "small.yaml")


def job(name: str, submit: float, chips: int, seconds: float, checkpoint_s: float = 0, **gang: object) -> Job:
    settings = {"duration_s": seconds, **gang}
    return Job(submit, Gang(name=name, chips=chips, **settings), seconds, checkpoint_s)


def test_a_job_ends_after_its_time_over_the_speed_of_its_chips():
    record = simulate(hub(), [job("one", 10, 4, 100), job("two", 10, 4, 100, kinds={"slow": 1.0})])
    assert record.ends == {"one": 60, "two": 110}
    assert record.summary()["makespan_s"] == 100
    assert record.finished == 2


def test_utilisation_energy_and_bounds_are_what_a_hand_gets():
    record = simulate(hub(), [job("all", 0, 16, 7200, kinds={"fast": 2.0})])
    summary = record.summary()
    assert summary["makespan_s"] == 3600
    assert summary["utilisation"] == pytest.approx(16 / 24)
    assert summary["bounds_s"] == pytest.approx({"area": 3600, "longest": 3600})
    # One hour: 16 chips at 400 W, 8 idle at 100 W, three supernodes of 1 kW, and half of all that for the building.
    assert summary["energy_kwh"] == pytest.approx({"busy": 6.4, "idle": 0.8, "base": 3.0, "overhead": 5.1})
    assert summary["energy_status"] == "modelled"


def test_the_area_bound_shares_work_over_unlike_kinds():
    jobs = [job(f"any{i}", 0, 4, 400) for i in range(10)]
    record = simulate(hub(), jobs)
    # 16,000 chip-seconds at speed 1; 16 fast chips and 8 slow ones do 40 of them a second.
    assert record.summary()["bounds_s"]["area"] == pytest.approx(400)
    assert record.summary()["makespan_s"] >= 400


def test_every_job_is_counted_as_finished_or_refused():
    jobs = [job("fits", 0, 8, 10), job("never", 0, 17, 10), job("late", 5, 24, 10, mixed=True)]
    record = simulate(hub(), jobs)
    assert record.finished == 2
    assert list(record.refused) == ["never"]
    assert (
        "17 chips of one kind; small has at most 16 (fast), and 24 of all kinds with mixed: true"
        in record.refused["never"]
    )


def test_a_failure_restarts_a_gang_from_its_last_checkpoint():
    failing = [Failure(30, "a0", 1000)]
    kept = simulate(hub(), [job("one", 0, 8, 100, 20, kinds={"fast": 1.0}, preferred="supernode")], failures=failing)
    # 30 s done, 20 saved: 80 s are left and begin at once in the other supernode.
    assert kept.ends == {"one": 110}
    assert kept.restarts == 1
    lost = simulate(hub(), [job("one", 0, 8, 100, 0, kinds={"fast": 1.0}, preferred="supernode")], failures=failing)
    assert lost.ends == {"one": 130}
    assert lost.summary()["chip_hours_lost_to_failures"] == pytest.approx(30 * 8 / 3600)


def test_a_gang_with_spares_goes_on_where_a_chip_breaks():
    failing = [Failure(30, "a0/h0", 1000, chips=1)]
    record = simulate(hub(), [job("one", 0, 6, 100, kinds={"fast": 1.0}, spares=1)], failures=failing)
    assert record.ends == {"one": 100}
    assert (record.restarts, record.replaced) == (0, 1)


def test_a_hub_that_grows_starts_what_waited():
    half = parse(HUB + "health: {a1: absent}\n", "half.yaml")
    jobs = [job("first", 0, 8, 1000, kinds={"fast": 1.0}), job("second", 1, 8, 10, kinds={"fast": 1.0})]
    alone = simulate(half, jobs)
    grown = simulate(half, jobs, growth=[Growth(50, hub())])
    assert alone.decisions["second"].started == 1000
    assert grown.decisions["second"].started == 50
    assert grown.ends["first"] == 1000


def test_a_job_that_only_the_grown_hub_can_hold_is_refused_before():
    half = parse(HUB + "health: {a1: absent}\n", "half.yaml")
    early = simulate(half, [job("big", 0, 16, 10)], growth=[Growth(50, hub())])
    later = simulate(half, [job("big", 60, 16, 10)], growth=[Growth(50, hub())])
    assert list(early.refused) == ["big"]
    assert later.ends == {"big": 65}


def test_the_same_day_gives_the_same_record_and_its_failures_close():
    topology = load("cloudmatrix384")
    days = [
        simulate(
            topology,
            national_day(topology, seed=3),
            projects=PROJECTS,
            failures=failures(topology, seed=3),
            preemption=True,
        )
        for _ in range(2)
    ]
    assert days[0].summary() == days[1].summary()
    day = days[0]
    day.allocator.ledger.audit()
    assert day.finished + len(day.refused) == len(list(national_day(topology, seed=3)))
    assert not day.allocator.running
    assert all(one.started >= one.submitted for one in day.decisions.values())
    assert day.summary()["makespan_s"] >= max(day.summary()["bounds_s"].values())


def test_a_day_offers_the_load_that_is_asked_for():
    topology = load("gb200-superpod")
    jobs = list(national_day(topology, load=0.5, seed=1))
    offered = sum(one.gang.chips * one.seconds for one in jobs) / (9216 * 86400)
    assert 0.35 < offered < 0.7
    assert [one.submit for one in jobs] == sorted(one.submit for one in jobs)
    assert {one.gang.project for one in jobs} <= set(PROJECTS)


def test_two_jobs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two jobs have the same name"):
        simulate(hub(), [job("one", 0, 1, 1), job("one", 1, 1, 1)])


def test_a_gang_whose_budget_is_spent_is_counted_as_still_waiting():
    projects = {"default": Project(chip_hours=0.15)}
    slow = {"slow": 1.0}
    record = simulate(hub(), [job("one", 0, 4, 100, kinds=slow), job("two", 0, 4, 100, kinds=slow)], projects=projects)
    assert list(record.ends) == ["one"]
    assert record.summary()["still_waiting"] == 1
    assert "chip-hours" in record.still_waiting["two"]


def test_a_quota_holds_a_project_back_and_the_waits_say_so():
    projects = {"default": Project(most_chips=4)}
    record = simulate(hub(), [job("one", 0, 4, 100), job("two", 0, 4, 100)], projects=projects)
    assert record.decisions["two"].started == 50
    assert record.waits()[0]["reasons"] == {"quota": 1}
