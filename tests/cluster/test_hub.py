import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.hub import Dispatcher, Load, PodsLost, loads_of, route
from cluster.hubfile import parse
from cluster.launch.pod import Pod, start_cluster
from cluster.need import Need

FIGURE = "status: assumed"


def topology(name, kind, hosts, chips):
    return parse(
        f"""name: {name}
title: {name}
kinds: {{{kind}: {{title: K, device: gpu, memory: {{value: 1, unit: GiB, {FIGURE}}}}}}}
tree: [{{name: sn, count: 1, of: [{{name: h, count: {hosts}, chips: {{{kind}: {chips}}}}}]}}]
""",
        name,
    )


def load(name, chips, kind="k1", hosts=1, **more):
    made = Load.of(name, topology(name, kind, hosts, chips))
    for key, value in more.items():
        setattr(made, key, value)
    return made


def test_a_shard_goes_where_it_ends_first():
    small, large = load("small", 4), load("large", 8)
    assert route([small, large], Need(), 10) is large
    large.booked_chip_s = 1000
    assert route([small, large], Need(), 10) is small


def test_a_pod_of_the_wrong_kind_too_small_dead_or_without_budget_is_left_out():
    pods = [
        load("other", 8, kind="k2"),
        load("small", 2, hosts=9),
        load("dead", 8, alive=False),
        load("poor", 8, budget_chip_s=30),
        load("right", 8, booked_chip_s=1e6),
    ]
    assert route(pods, Need(chips=4, kind="k1"), 10).name == "right"
    assert route(pods[:4], Need(chips=4, kind="k1"), 10) is None


def test_bytes_that_must_come_over_the_wide_area_count():
    here, there = load("here", 8, booked_chip_s=80), load("there", 8, seconds_per_byte=1e-9)
    assert route([here, there], Need(), 1, 10**9).name == "there"
    assert route([here, there], Need(), 1, 10**11).name == "here"


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), st.lists(st.integers(1, 16), min_size=1, max_size=5))
def test_work_is_shared_by_size(shards, sizes):
    loads = [load(f"pod{number}", size) for number, size in enumerate(sizes)]
    for seconds in shards:
        chosen = route(loads, Need(), seconds)
        chosen.booked_chip_s += seconds
    # List scheduling: no pod ends later than the mean and one more shard on the chosen pod.
    latest = max(one.booked_chip_s / one.size for one in loads)
    assert latest <= sum(shards) / sum(sizes) + max(shards) / min(sizes) + 1e-9


def pod(name, chips=2):
    from distributed import Worker

    made = topology(name, "k1", 1, chips)
    options = {"nthreads": chips, "resources": {"chip": chips, "chip.k1": chips}}
    return Pod(made, start_cluster(made, {"sn0/h0/0": {"cls": Worker, "options": options}}))


def square(x, pause=0.0):
    time.sleep(pause)
    return x * x


def test_shards_run_on_all_pods_and_every_result_comes_back_once():
    with pod("a") as one, pod("b") as other, Dispatcher([one, other]) as dispatcher:
        for number in range(40):
            dispatcher.submit(f"shard-{number}", Need(), 0.01, 8, square, number)
        assert sorted(dispatcher.completed()) == [number * number for number in range(40)]
        assert all(one.spent_chip_s > 0 and one.booked_chips == 0 for one in dispatcher.loads)


def test_more_may_be_submitted_while_results_come():
    with pod("a") as one, Dispatcher([one]) as dispatcher:
        dispatcher.submit("first", Need(), 1, 8, square, 2)
        found = []
        for result in dispatcher.completed():
            found.append(result)
            if len(found) < 3:
                dispatcher.submit(f"next-{len(found)}", Need(), 1, 8, square, result)
        assert found == [4, 16, 256]


def test_the_shards_of_a_pod_that_dies_go_to_another():
    first, second = pod("a"), pod("b")
    with second, Dispatcher([first, second]) as dispatcher:
        for number in range(24):
            dispatcher.submit(f"shard-{number}", Need(), 1, 8, square, number, 0.2)
        results = dispatcher.completed()
        found = [next(results)]
        first.cluster.close()
        found += results
        assert sorted(found) == [number * number for number in range(24)]
        assert [one.alive for one in dispatcher.loads] == [False, True]


def test_the_next_stage_does_without_a_pod_that_died_in_between():
    first, second = pod("a"), pod("b")
    loads = loads_of([first, second])
    first.cluster.close()
    with second:
        for _ in range(2):
            with Dispatcher([first, second], loads) as dispatcher:
                dispatcher.submit("shard", Need(), 1, 8, square, 3)
                assert list(dispatcher.completed()) == [9]
            assert [one.alive for one in loads] == [False, True]


def test_what_was_spent_counts_on_in_the_next_stage_until_the_budget_is_gone():
    with pod("a") as only:
        loads = loads_of([only], [2.5])
        for number in range(2):
            with Dispatcher([only], loads, seconds_of=lambda result: 1.0) as dispatcher:
                dispatcher.submit(f"shard-{number}", Need(), 0.5, 8, square, 3)
                assert list(dispatcher.completed()) == [9]
        assert loads[0].spent_chip_s == 2.0
        with Dispatcher([only], loads) as dispatcher, pytest.raises(PodsLost, match="or their budget is spent"):
            dispatcher.submit("shard-2", Need(), 1, 8, square, 3)


def test_when_all_pods_are_gone_it_is_said_and_nothing_hangs():
    only = pod("a")
    with Dispatcher([only]) as dispatcher:
        for number in range(4):
            dispatcher.submit(f"shard-{number}", Need(), 1, 8, square, number, 0.5)
        only.cluster.close()
        with pytest.raises(PodsLost, match="needs 1 chips; all died. Resume when pods are back"):
            list(dispatcher.completed())


def test_a_shard_that_fails_raises_what_it_raised():
    with pod("a") as one, Dispatcher([one]) as dispatcher:
        dispatcher.submit("shard", Need(), 1, 8, square, "x")
        with pytest.raises(TypeError):
            list(dispatcher.completed())
