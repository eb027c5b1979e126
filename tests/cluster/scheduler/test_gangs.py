"""The life of a gang, without Dask."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.scheduler.gangs import Gangs, Terms
from cluster.scheduler.ledger import Ask, Ledger

SUPERNODE = Terms(1, 1)
CHIPS = 8


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def books(supernodes: int = 2, hosts: int = 2) -> Ledger:
    ledger = Ledger()
    for supernode in range(supernodes):
        for host in range(hosts):
            path = (f"sn{supernode}", f"h{host}")
            ledger.add(path, path, {"chip": CHIPS, "chip.a": CHIPS})
    return ledger


@pytest.fixture
def gangs(clock: Clock) -> Gangs:
    return Gangs(books(), clock, patience_s=1.0)


def arrive(gangs: Gangs, name: str, size: int, chips: int = 8, terms: Terms = SUPERNODE, members: range | None = None):
    for member in range(size) if members is None else members:
        gangs.arrive(f"{name}{member}", Ask(chips, "chip.a"), name, size, terms)


def supernodes(gang) -> set[str]:
    return {worker[0] for worker in gang.running.values()}


def test_nobody_starts_before_all_are_there(gangs: Gangs) -> None:
    arrive(gangs, "g", 3, members=range(2))
    assert gangs.grant() == []
    assert not gangs.ledger.held


def test_a_gang_starts_whole_in_one_supernode(gangs: Gangs) -> None:
    arrive(gangs, "g", 2)
    (gang,) = gangs.grant()
    assert len(gang.running) == 2
    assert len(supernodes(gang)) == 1
    assert len(gangs.ledger.held) == 2
    assert not gangs


def test_two_gangs_that_come_mixed_run_one_after_the_other(clock: Clock) -> None:
    gangs = Gangs(books(supernodes=1), clock)
    for member in range(2):
        for name in "ab":
            gangs.arrive(f"{name}{member}", Ask(8), name, 2, SUPERNODE)
    (first,) = gangs.grant()
    assert gangs.grant() == []
    for task in list(first.running):
        gangs.ledger.give(task)
        gangs.finish(task)
    (second,) = gangs.grant()
    assert {first.id, second.id} == {"a", "b"}


def test_a_required_level_is_never_left(gangs: Gangs) -> None:
    arrive(gangs, "wide", 3)
    assert gangs.grant() == []
    assert not gangs.possible(gangs.gangs["wide"])
    arrive(gangs, "hub", 3, terms=Terms(0, 0))
    (gang,) = gangs.grant()
    assert supernodes(gang) == {"sn0", "sn1"}


def test_a_preferred_level_is_left_when_patience_ends(gangs: Gangs, clock: Clock) -> None:
    for supernode in range(2):
        gangs.ledger.take(supernode, (f"sn{supernode}", "h0"), Ask(1))
    arrive(gangs, "g", 2, terms=Terms(0, 1))
    assert gangs.grant() == []
    clock.now = 2.0
    (gang,) = gangs.grant()
    assert supernodes(gang) == {"sn0", "sn1"}


def test_a_gang_stays_under_its_domain(gangs: Gangs) -> None:
    arrive(gangs, "g", 2, terms=Terms(1, 1, under=("sn1",)))
    assert supernodes(*gangs.grant()) == {"sn1"}


def test_a_waiting_gang_drains_hosts_and_only_those_it_needs(clock: Clock) -> None:
    gangs = Gangs(books(supernodes=1, hosts=3), clock, patience_s=1.0)
    ledger = gangs.ledger
    for host in range(3):
        for task in range(8):
            ledger.take((host, task), ("sn0", f"h{host}"), Ask(1))
    arrive(gangs, "g", 2)
    clock.now = 2.0
    assert gangs.grant() == []
    claimed = gangs.gangs["g"].claims
    assert len(claimed) == 2
    for host in range(3):
        ledger.give((host, 0))
    assert ledger.fit(Ask(1)) not in claimed  # the third host goes on with single tasks
    for host in range(3):
        for task in range(8):
            ledger.give((host, task))
    (gang,) = gangs.grant()
    assert set(gang.running.values()) == set(claimed)
    assert gang.drained
    ledger.check()
    assert ledger.fits(("sn0", "h2"), Ask(8))


def test_a_lost_claim_is_made_again_elsewhere(clock: Clock) -> None:
    gangs = Gangs(books(), clock, patience_s=1.0)
    for supernode in range(2):
        for host in range(2):
            gangs.ledger.take((supernode, host), (f"sn{supernode}", f"h{host}"), Ask(1))
    arrive(gangs, "g", 2)
    clock.now = 2.0
    gangs.grant()
    first = gangs.gangs["g"].claims
    gangs.ledger.remove(first[0])
    gangs.grant()
    second = gangs.gangs["g"].claims
    assert second[0][0] != first[0][0]
    assert gangs.ledger.free(first[1]) == 7
    assert gangs.ledger.fits(first[1], Ask(7))


def test_a_member_that_stops_brings_the_whole_gang_back(gangs: Gangs) -> None:
    arrive(gangs, "g", 2)
    gangs.grant()
    gangs.stop("g0")
    gangs.ledger.give("g0")
    gangs.arrive("g0", Ask(8), "g", 2, SUPERNODE)
    assert gangs.recall() == ["g1"]
    gangs.ledger.give("g1")
    assert gangs.grant() == []  # g1 is not back yet
    gangs.arrive("g1", Ask(8), "g", 2, SUPERNODE)
    (gang,) = gangs.grant()
    assert set(gang.running) == {"g0", "g1"}


def test_a_member_that_is_done_is_not_called_back(gangs: Gangs) -> None:
    arrive(gangs, "g", 2)
    gangs.grant()
    gangs.finish("g0")
    gangs.ledger.give("g0")
    gangs.stop("g1")
    gangs.ledger.give("g1")
    assert gangs.recall() == []
    gangs.arrive("g1", Ask(8), "g", 2, SUPERNODE)
    (gang,) = gangs.grant()
    assert set(gang.running) == {"g1"}


def test_a_name_may_be_used_again(gangs: Gangs) -> None:
    arrive(gangs, "g", 2)
    (gang,) = gangs.grant()
    for task in list(gang.running):
        gangs.ledger.give(task)
        gangs.finish(task)
    gangs.arrive("again0", Ask(8), "g", 2, SUPERNODE)
    assert gangs.grant() == []
    gangs.arrive("again1", Ask(8), "g", 2, SUPERNODE)
    assert len(gangs.grant()) == 1


def test_nothing_is_kept_of_gangs_that_nobody_wants(gangs: Gangs) -> None:
    arrive(gangs, "g", 2)
    arrive(gangs, "h", 2, members=range(1))
    gangs.grant()
    for task in ("g0", "g1", "h0"):
        gangs.ledger.give(task)
        gangs.forget(task)
    assert not gangs.gangs
    assert not gangs


EVENTS = st.lists(
    st.tuples(st.sampled_from(["arrive", "finish", "stop", "lose", "wait"]), st.integers(0, 3), st.integers(0, 3)),
    max_size=60,
)


@given(EVENTS)
@settings(max_examples=150, deadline=None)
def test_a_gang_runs_whole_or_not_at_all(events: list[tuple[str, int, int]]) -> None:
    clock = Clock()
    gangs = Gangs(books(supernodes=2, hosts=2), clock, patience_s=1.0)
    sizes = (2, 3, 1, 4)

    def back(tasks: list[object]) -> Iterator[None]:
        for task in tasks:
            gangs.ledger.give(task)
            gangs.arrive(task, Ask(4), str(task)[0], sizes[int(str(task)[0])], SUPERNODE)
            yield

    for what, number, member in events:
        task = f"{number}{member % sizes[number]}"
        gang = gangs.of(task)
        if what == "arrive" and gang is None:
            gangs.arrive(task, Ask(4), str(number), sizes[number], SUPERNODE)
        elif what == "finish" and gang is not None and task in gang.running:
            gangs.ledger.give(task)
            gangs.finish(task)
        elif what == "stop" and gang is not None and task in gang.running:
            gangs.stop(task)
            list(back([task]))
        elif what == "lose":
            path = (f"sn{number % 2}", f"h{member % 2}")
            lost = [task for task, hold in gangs.ledger.held.items() if hold.worker == path]
            gangs.ledger.remove(path)
            for each in lost:
                gangs.stop(each)
            list(back(lost))
            gangs.ledger.add(path, path, {"chip": CHIPS, "chip.a": CHIPS})
        clock.now += 0.6
        list(back(gangs.recall()))
        before = {name: set(gang.ready) for name, gang in gangs.gangs.items()}
        for granted in gangs.grant():
            assert set(granted.running) == before[granted.id]
            assert len(granted.running) + len(granted.done) == granted.size
            assert len(supernodes(granted)) == 1
        for gang in gangs.gangs.values():
            assert not (gang.ready and gang.running), gang
        gangs.ledger.check()
