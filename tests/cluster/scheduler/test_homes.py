"""Homes along the tree and the queues of workers, without Dask."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.scheduler.homes import Queues, cut
from cluster.scheduler.place import Fabric, distance, parse
from cluster.topology import Topology


def never(*_: object) -> bool:
    return False


def always(*_: object) -> bool:
    return True


@given(st.integers(1, 300), st.lists(st.integers(1, 16), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_homes_are_runs_in_proportion_to_threads(count: int, threads: list[int]) -> None:
    homes = cut(count, list(enumerate(threads)))
    assert homes == sorted(homes)
    for worker, each in enumerate(threads):
        assert abs(homes.count(worker) - count * each / sum(threads)) <= 1


def test_neighbours_live_in_one_supernode() -> None:
    fabric = Fabric()
    for place in ("sn1/h0", "sn0/h10", "sn1/h1", "sn0/h2"):
        fabric.join(place, place, "")
    assert fabric.order() == ["sn0/h2", "sn0/h10", "sn1/h0", "sn1/h1"]
    homes = cut(8, [(worker, 2) for worker in fabric.order()])
    assert [home.split("/")[0] for home in homes] == ["sn0"] * 4 + ["sn1"] * 4


def pod() -> Queues:
    queues = Queues(always)
    for place in ("c0/sn0/h0", "c0/sn0/h1", "c0/sn1/h0", "c1/sn0/h0"):
        queues.join(place, parse(place))
    return queues


def test_a_worker_takes_its_own_work_first_in_order_of_priority() -> None:
    queues = pod()
    for priority in (2, 0, 1):
        queues.push(priority, "c0/sn0/h0", priority)
    assert [queues.pop("c0/sn0/h0", never) for _ in range(4)] == [(each, "c0/sn0/h0") for each in range(3)] + [None]


def test_then_the_end_of_the_longest_queue_of_its_supernode_where_that_is_worth_the_way() -> None:
    queues = pod()
    for number in range(3):
        queues.push(number, "c0/sn0/h1", number)
    queues.push(9, "c0/sn1/h0", 9)
    assert queues.pop("c0/sn0/h0", never) is None
    assert queues.pop("c0/sn0/h0", always) == (2, "c0/sn0/h1")


def test_the_workers_of_one_host_share_their_queues() -> None:
    queues = Queues(always)
    queues.join("one", parse("sn0/h0"))
    queues.join("other", parse("sn0/h0"))
    queues.push(1, "one", 1)
    assert queues.pop("other", never) == (1, "one")


def test_across_the_fabric_only_where_it_is_worth_the_way_and_near_before_far() -> None:
    queues = pod()
    for number in range(3):
        queues.push(number, "c0/sn1/h0", number)
        queues.push(number + 10, "c1/sn0/h0", number)
    asked: list[tuple[object, ...]] = []

    def worth(*about: object) -> bool:
        asked.append(about)
        return True

    assert queues.pop("c0/sn0/h0", never) is None
    assert queues.pop("c0/sn0/h0", worth) == (2, "c0/sn1/h0")
    assert asked == [(2, "c0/sn1/h0", 3, 2)]
    assert queues.pop("c0/sn0/h0", lambda task, victim, length, steps: steps == 3) is not None


def test_the_queue_of_a_lost_worker_goes_to_who_asks_first() -> None:
    queues = pod()
    for number in range(3):
        queues.push(number, "c1/sn0/h0", number)
    queues.leave("c1/sn0/h0")
    assert len(queues) == 3
    assert [queues.pop("c0/sn0/h0", never) for _ in range(4)] == [(0, None), (1, None), (2, None), None]


@given(st.lists(st.tuples(st.sampled_from(["push", "pop", "leave", "join"]), st.integers(0, 3)), max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_task_is_lost_or_given_twice(steps: list[tuple[str, int]]) -> None:
    places = ("c0/sn0/h0", "c0/sn0/h1", "c0/sn1/h0", "c1/sn0/h0")
    queues, joined, waiting = pod(), set(places), set()
    for number, (what, which) in enumerate(steps):
        place = places[which]
        if what == "push":
            queues.push(number, place, -number)
            waiting.add(number)
        elif what == "pop":
            found = queues.pop(place, always)
            assert (found is None) == (place not in joined or not waiting)
            if found:
                waiting.remove(found[0])
        elif what == "leave":
            queues.leave(place)
            joined.discard(place)
        elif place not in joined:
            queues.join(place, parse(place))
            joined.add(place)
        assert len(queues) == len(waiting)


def test_distance_counts_levels_to_where_paths_meet() -> None:
    assert distance(parse("c0/u1/sn0/h3"), parse("c0/u1/sn0/h3")) == 0
    assert distance(parse("c0/u1/sn0/h3"), parse("c0/u1/sn0/h4")) == 1
    assert distance(parse("c0/u1/sn0/h3"), parse("c0/u1/sn1/h3")) == 2
    assert distance(parse("c0/u1/sn0/h3"), parse("c1/u1/sn0/h3")) == 4


def test_costs_come_from_the_links_of_the_topology_and_are_learned(unlike: Topology) -> None:
    fabric = Fabric(unlike)
    for worker in ("c0/sn0/h0", "c0/sn0/h1", "c0/sn1/h0", "c1/sn0/h0"):
        fabric.join(worker, worker, "")
    assert [round(1 / price / 1e9, 3) for price in fabric.seconds_per_byte[1:4]] == [100, 10, 0.5]
    assert fabric.distance("c0/sn0/h0", "c1/sn0/h0") == 3
    before = fabric.seconds_per_byte[3]
    for _ in range(40):
        fabric.observe("c0/sn0/h0", "c1/sn0/h0", 1e6)
    assert fabric.seconds_per_byte[3] > 100 * before
    assert fabric.learned()["hub"] < 1.01e6
    assert fabric.learned()["cluster"] == 10e9


def test_without_a_topology_levels_follow_the_labels() -> None:
    fabric = Fabric()
    fabric.join("w", "c0/u1/sn0/h3", "")
    assert fabric.levels == ("hub", "level1", "level2", "supernode", "host")
    assert fabric.depth("supernode") == 3
    assert len(fabric.seconds_per_byte) > 4
