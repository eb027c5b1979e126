import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.dag import (
    Conditions,
    Machine,
    Online,
    Plain,
    Schedule,
    ScheduleError,
    Static,
    Task,
    TaskGraph,
    bounds,
    check,
    portfolio,
    simulate,
)
from cluster.dag.lookahead import plans
from cluster.dag.policy import LeastLoaded
from cluster.dag.schedule import Run
from tests.cluster.dag.machines import graph, graphs, machine, machines

LINKS = {"host": 9.0, "supernode": 9.0, "hub": 1.0}
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(graphs(), machines())
def test_every_schedule_is_valid_and_above_the_bound_and_none_beats_the_portfolio(tasks: TaskGraph, chips: Machine):
    bound = bounds(tasks, chips).unshared
    found = portfolio(tasks, chips)
    for candidate in found:
        check(candidate.schedule)
        assert candidate.schedule.makespan >= bound * (1 - 1e-9)
    plain = simulate(tasks, chips, Plain())
    assert found[0].schedule.makespan <= plain.makespan


@quick
@given(graphs(), machines(), st.data())
def test_every_schedule_is_valid_with_noise_stragglers_and_failures(
    tasks: TaskGraph, chips: Machine, data: st.DataObject
):
    # One chip of each kind stays: what is left can run everything.
    spare = [chip for chip, kind in enumerate(chips.kind) if kind in chips.kind[:chip]]
    fail = data.draw(st.lists(st.sampled_from(spare), unique=True)) if spare else []
    times = [data.draw(st.sampled_from([0.0, 0.5, 3.0, 20.0])) for _ in fail]
    conditions = Conditions(0.3, 0.2, failures=tuple(zip(times, fail, strict=True)), seed=data.draw(st.integers(0, 99)))
    planned = [Static(one) for one in plans(tasks, chips)]
    for policy in (Plain(), Online(), *planned[::5]):
        of = policy.planned.graph if isinstance(policy, Static) else tasks
        schedule = simulate(of, chips, policy, conditions)
        check(schedule)
        assert not {
            run.chip for run in schedule.runs if run.end > dict(zip(fail, times, strict=True)).get(run.chip, 1e9)
        }


@quick
@given(graphs())
def test_one_chip_takes_the_sum_of_the_work(tasks: TaskGraph):
    chips = machine([[["k"]]], {"k": 2.0}, LINKS)
    total = sum(task.work for task in tasks.tasks) / 2
    for policy in (Plain(), Online()):
        assert simulate(tasks, chips, policy).makespan == pytest.approx(total)


def test_a_plan_comes_to_what_it_says():
    chips = machine([[["x", "y"]], [["x", "x"]]], {"x": 1.0, "y": 2.0}, LINKS)
    tasks = graph([3, 1, 4, 1, 5, 9], [(0, 1, 1), (0, 2, 3), (1, 3, 0), (2, 4, 2), (3, 5, 1), (4, 5, 4)])
    for planned in plans(tasks, chips):
        assert simulate(planned.graph, chips, Static(planned)).makespan == pytest.approx(planned.makespan)


def test_copies_of_a_source_save_its_bytes_the_way():
    chips = machine([[["k"]], [["k"]]], {"k": 1.0}, LINKS)
    tasks = graph([1, 10, 10], [(0, 1, 30), (0, 2, 30)])
    best = portfolio(tasks, chips)[0].schedule
    assert best.makespan == pytest.approx(11)
    assert [task.id for task in best.graph.tasks] == ["t0", "t1", "t2", "t0#1"]
    assert best.bytes_by_level == {"hub": 0, "supernode": 0, "host": 0}


def test_a_failed_chip_loses_its_task_to_another():
    chips = machine([[["k", "k"]]], {"k": 1.0}, LINKS)
    schedule = simulate(graph([10]), chips, Online(), Conditions(failures=((4.0, 0),)))
    assert [(run.chip, run.end) for run in schedule.lost] == [(0, 4.0)]
    assert (schedule.runs[0].chip, schedule.makespan) == (1, 14.0)


def test_the_online_policy_learns_that_a_kind_is_slow():
    class Late(Conditions):
        def factors(self, tasks: int) -> list[float]:
            return [10.0] + [1.0] * (tasks - 1)

    chips = machine([[["fast", "slow"]]], {"fast": 2.0, "slow": 1.0}, LINKS)
    policy = Online()
    # The first run on the fast kind takes ten times as long as was declared: after it the other kind is better.
    chain = graph([2, 2, 2], [(0, 1, 0), (1, 2, 0)])
    runs = simulate(chain, chips, policy, Late()).runs
    assert [chips.kinds[chips.kind[run.chip]] for run in runs] == ["fast", "slow", "slow"]


def test_without_chips_that_can_the_error_names_the_task():
    chips = machine([[["k"]]], {"k": 1.0}, LINKS, speeds={("a", "k"): 0.0})
    with pytest.raises(ScheduleError, match=r"task t0: type a runs on none of the kinds \['k'\]"):
        simulate(graph([1]), chips, Plain())
    alone = machine([[["k"]]], {"k": 1.0}, LINKS)
    with pytest.raises(ScheduleError, match="task t0: has no chip left"):
        simulate(graph([1]), alone, Online(), Conditions(failures=((0.5, 0),)))
    with pytest.raises(ScheduleError, match="task wide: needs 4 chips"):
        portfolio(TaskGraph((Task("wide", "a", 1.0, chips=4),)), alone)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([Run(0, 0, 0, 0, 2)], "not every task has one run"),
        ([Run(0, 0, 0, 0, 2), Run(1, 0, 0, 1, 3)], "t1: starts before the bytes of t0"),
        ([Run(0, 0, 0, 0, 2), Run(1, 1, 0, 2, 4)], "t1: starts before the bytes of t0"),
        ([Run(0, 0, 3, 0, 2), Run(1, 0, 0, 2, 4)], "t0: placed at 3"),
    ],
)
def test_a_wrong_schedule_is_found(runs: list[Run], message: str):
    chips = machine([[["k", "k"]]], {"k": 1.0}, LINKS)
    with pytest.raises(ScheduleError, match=message):
        check(Schedule(graph([2, 2], [(0, 1, 9)]), chips, tuple(runs)))


def test_a_chip_is_found_that_is_used_twice_or_dead():
    chips = machine([[["k", "k"]]], {"k": 1.0}, LINKS)
    runs = (Run(0, 0, 0, 0, 2), Run(1, 0, 0, 1, 3))
    with pytest.raises(ScheduleError, match="chip 0 still runs t0"):
        check(Schedule(graph([2, 2]), chips, runs))
    with pytest.raises(ScheduleError, match="t0: runs on chip 0 after it failed"):
        check(Schedule(graph([2]), chips, runs[:1], failures=((1.0, 0),)))


@quick
@given(machines(), st.lists(st.tuples(st.integers(0, 99), st.sampled_from([0.0, 1.0, 2.5, float("inf")])), max_size=20))
def test_the_least_loaded_chip_is_the_one_that_a_scan_finds(chips: Machine, changes: list[tuple[int, float]]):
    loads = LeastLoaded(chips)
    for chip, free in changes:
        loads.set(chip % len(chips), free)
    for domain in range(len(chips.tree.paths)):
        for kind in range(len(chips.kinds)):
            under = [
                loads.free[chip]
                for chip in range(len(chips))
                if chips.kind[chip] == kind and domain in chips.tree.ancestors[chips.host[chip]]
            ]
            found = loads.best(domain, kind)
            best = min(under, default=float("inf"))
            assert best == (float("inf") if found is None else loads.free[found])
