"""Where gangs go on a hub that is free or partly taken."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster.allocate.allocator import Allocator
from cluster.allocate.gang import Gang, Group, Refused
from cluster.hubfile import load
from tests.cluster.allocate.hubs import SOME, hub, kind, run, spans, supernodes, where


@pytest.fixture(scope="module")
def zhengzhou():
    return load("zhengzhou-60k")


def test_a_gang_goes_where_it_leaves_the_least_over():
    allocator = Allocator(hub([*supernodes(1, 4, 8, "big"), *supernodes(1, 2, 8, "small")]))
    assert run(allocator, Gang(name="sixteen", chips=16)) == ["sixteen"]
    assert where(allocator, "sixteen") == {"small0/h0": 8, "small0/h1": 8}


def test_small_gangs_share_a_host_until_it_is_full():
    allocator = Allocator(hub(supernodes(3, 2, 4)))
    run(allocator, *(Gang(name=f"g{number}", chips=1) for number in range(4)))
    assert {path for number in range(4) for path in where(allocator, f"g{number}")} == {"sn0/h0"}


def test_the_lowest_level_that_holds_a_gang_is_taken():
    allocator = Allocator(hub(supernodes(2, 4, 4)))
    run(allocator, Gang(name="in-host", chips=4), Gang(name="in-supernode", chips=12), Gang(name="over-two", chips=16))
    level_of = {name: allocator.decisions[name].level for name in ("in-host", "in-supernode", "over-two")}
    assert level_of == {"in-host": 2, "in-supernode": 1, "over-two": 1}
    assert spans(allocator, "in-supernode") == spans(allocator, "over-two") == 1


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_placement_touches_fewer_supernodes(seed):
    """Against all combinations: the fewest supernodes that have so many free chips."""
    random = Random(seed)
    allocator = Allocator(hub([part for n in range(5) for part in supernodes(1, random.randint(1, 3), 4, f"s{n}-")]))
    run(allocator, *(Gang(name=f"old{n}", chips=random.randint(1, 6)) for n in range(4)))
    tree, free = allocator.tree, list(allocator.ledger.free["a"])
    chips = random.randint(1, 30)
    if chips > free[0]:
        return
    rooms = [free[domain] for domain in tree.at_level[1]]
    fewest = next(size for size in range(1, 6) if any(sum(some) >= chips for some in combinations(rooms, size)))
    assert run(allocator, Gang(name="new", chips=chips)) == ["new"]
    assert spans(allocator, "new") == fewest


def test_tensor_parallel_groups_stay_in_hosts_and_pipelines_in_supernodes(zhengzhou):
    allocator = Allocator(zhengzhou)
    run(allocator, *(Gang(name=f"crumb{n}", chips=3, kinds={"k1": 1}) for n in range(5)))
    groups = (Group(chips=640, level="supernode"), Group(chips=8, level="host"))
    run(allocator, Gang(name="training", chips=2560, kinds={"k1": 1}, groups=groups))
    assert set(where(allocator, "training").values()) == {8}
    one = allocator.running["training"]
    assert [count for _, count in one.by_domain("k1", 3, allocator.tree)] == [640] * 4
    assert allocator.decisions["training"].fewest == 4


def test_balanced_gives_equal_shares_over_as_few_as_hold_it():
    allocator = Allocator(hub(supernodes(4, 2, 4)))
    run(allocator, Gang(name="g", chips=12, mode="balanced"))
    assert sorted(count for _, count in allocator.running["g"].by_domain("a", 1, allocator.tree)) == [6, 6]


def test_spread_uses_every_failure_domain_it_can():
    allocator = Allocator(hub(supernodes(4, 2, 4)))
    run(allocator, Gang(name="g", chips=6, mode="spread"))
    assert sorted(count for _, count in allocator.running["g"].by_domain("a", 1, allocator.tree)) == [1, 1, 2, 2]
    run(allocator, Gang(name="replicas", chips=4, mode="spread", groups=(Group(chips=2, level="host"),)))
    assert spans(allocator, "replicas") == 2
    assert set(where(allocator, "replicas").values()) == {2}


def test_spread_stays_inside_the_level_that_is_required():
    levels = ["hub", "unit", "supernode", "host"]
    tree = [{"name": "u", "count": 2, "of": supernodes(2, 2, 4)}]
    allocator = Allocator(hub(tree, levels=levels))
    run(allocator, Gang(name="g", chips=8, mode="spread", required="unit"))
    assert spans(allocator, "g", "unit") == 1
    assert spans(allocator, "g") == 2


def test_exclusive_keeps_everybody_else_out_of_its_domains():
    allocator = Allocator(hub(supernodes(2, 2, 4)))
    assert run(allocator, Gang(name="alone", chips=2, exclusive="supernode"), Gang(name="other", chips=8)) == [
        "alone",
        "other",
    ]
    assert allocator.running["alone"].held == 8
    assert {path.split("/")[0] for path in where(allocator, "other")} == {"sn1"}
    assert run(allocator, Gang(name="more", chips=1)) == []
    allocator.end("alone", 5)
    assert [one.gang.name for one in allocator.schedule(5)] == ["more"]


def test_exclusive_takes_the_other_kinds_of_its_domain_too():
    allocator = Allocator(hub(supernodes(1, 2, {"a": 2, "b": 2}), {"a": kind(), "b": kind()}))
    assert run(allocator, Gang(name="alone", chips=2, kinds={"a": 1}, exclusive="host")) == ["alone"]
    assert run(allocator, Gang(name="b", chips=3, kinds={"b": 1})) == []
    assert run(allocator, Gang(name="b2", chips=2, kinds={"b": 1}, duration_s=1)) == ["b2"]


def test_the_fastest_acceptable_kind_is_taken_and_sets_the_end():
    kinds = {"slow": kind(0.5), "fast": kind(2)}
    tree = [*supernodes(1, 1, {"slow": 4}, "s"), *supernodes(1, 1, {"fast": 4}, "f")]
    allocator = Allocator(hub(tree, kinds))
    run(allocator, *(Gang(name=f"g{n}", chips=4, duration_s=100) for n in range(2)))
    assert [(one.kinds, one.ends) for one in allocator.running.values()] == [(("fast",), 50), (("slow",), 200)]
    own = Allocator(hub(tree, kinds))
    run(own, Gang(name="mine", chips=4, kinds={"slow": 3, "fast": 1}, duration_s=90))
    assert (own.running["mine"].kinds, own.running["mine"].ends) == (("slow",), 30)


def test_mixed_gangs_take_several_kinds_and_run_at_the_slowest():
    allocator = Allocator(hub(supernodes(2, 1, {"a": 2, "b": 2}), {"a": kind(1), "b": kind(0.5)}))
    run(allocator, Gang(name="g", chips=6, mixed=True, duration_s=10))
    one = allocator.running["g"]
    assert {kind: parts[0] for kind, parts in one.parts.items()} == {"a": 4, "b": 2}
    assert one.ends == 20


def test_a_preferred_level_is_left_only_after_the_wait():
    allocator = Allocator(hub(supernodes(2, 1, 4)))
    run(allocator, Gang(name="a", chips=2), Gang(name="b", chips=3))
    assert run(allocator, Gang(name="g", chips=3, preferred="supernode", max_wait_s=60)) == []
    assert "it may leave the supernode from 60 s on" in allocator.queue.by_name["g"].bound.text
    assert allocator.next_wake() == 60
    assert [one.gang.name for one in allocator.schedule(60)] == ["g"]
    assert spans(allocator, "g") == 2


def test_on_a_torus_a_gang_gets_a_box():
    link = {"bandwidth": {"value": 1, "unit": "GB/s", **SOME}, "latency": {"value": 1, "unit": "us", **SOME}}
    allocator = Allocator(hub(supernodes(1, 16, 1), links={"supernode": {**link, "torus": [4, 4]}}))
    run(allocator, Gang(name="corner", chips=1))
    run(allocator, Gang(name="square", chips=4))
    points = sorted(int(path.removeprefix("sn0/h")) for path in where(allocator, "square"))
    rows, columns = {point // 4 for point in points}, {point % 4 for point in points}
    assert len(rows) == len(columns) == 2, f"{points} is no square of a 4x4 torus"


@pytest.mark.parametrize(
    ("gang", "message"),
    [
        ({"chips": 14}, "14 chips of one kind; test has at most 12 (a), and 16 of all kinds with mixed: true"),
        ({"chips": 17, "mixed": True}, "17 chips; test has 16 of a, b together"),
        ({"chips": 13, "kinds": {"a": 1}}, "13 chips of one kind; test has at most 12 (a)"),
        ({"chips": 9, "required": "supernode"}, "9 chips inside one supernode; a supernode of test has at most 8"),
        (
            {"chips": 12, "groups": (Group(chips=6, level="host"),)},
            "groups of 6 chips inside one host; a host of test has at most 4",
        ),
        ({"chips": 9, "groups": (Group(chips=3, level="host"),), "kinds": {"b": 1}}, "at most 4 (b)"),
        (
            {"chips": 12, "groups": (Group(chips=3, level="host"),)},
            "12 chips with groups of 3 in a host do not fit test even when it is empty",
        ),
        ({"chips": 1, "required": "rack"}, "required: unknown level 'rack'; test has hub, supernode, host"),
        ({"chips": 1, "exclusive": "rack"}, "exclusive: unknown level 'rack'"),
        ({"chips": 1, "kinds": {"z": 1}}, "kinds: unknown kind 'z'; test has a, b"),
        (
            {"chips": 4, "groups": (Group(chips=4, level="host"), Group(chips=2, level="supernode"))},
            "groups: give the outermost level first, got ['host', 'supernode']",
        ),
        (
            {"chips": 8, "mode": "spread", "over": "host", "groups": (Group(chips=4, level="supernode"),)},
            "over: spread over hosts would cut groups that span a supernode; give supernode or a level above it",
        ),
    ],
)
def test_what_could_never_be_placed_is_refused_with_the_reason(gang, message):
    tree = [*supernodes(1, 2, 4, "x"), *supernodes(1, 1, {"a": 4, "b": 4}, "y")]
    allocator = Allocator(hub(tree, {"a": kind(), "b": kind()}))
    with pytest.raises(Refused) as refused:
        allocator.submit(Gang(name="g", **gang), 0)
    assert message in str(refused.value)
    assert str(refused.value).startswith("gang g: ")
    assert allocator.state("g") == "unknown"


def test_a_name_is_used_once_at_a_time():
    allocator = Allocator(hub(supernodes(1, 1, 2)))
    run(allocator, Gang(name="g", chips=2))
    with pytest.raises(Refused, match="gang g: a gang of this name is already running"):
        allocator.submit(Gang(name="g", chips=1), 1)
    with pytest.raises(Refused, match="gang x: nobody of this name waits or runs"):
        allocator.cancel("x", 1)
    allocator.end("g", 2)
    assert run(allocator, Gang(name="g", chips=1), now=3) == ["g"]


def test_a_cancelled_gang_never_starts():
    allocator = Allocator(hub(supernodes(1, 1, 2)))
    allocator.submit(Gang(name="g", chips=1), 0)
    allocator.cancel("g", 0)
    assert allocator.schedule(0) == []
    assert allocator.state("g") == "unknown"


def test_a_gang_is_checked_when_it_is_written():
    with pytest.raises(ValidationError, match="9 chips cannot be cut into groups of 2"):
        Gang(name="g", chips=9, groups=(Group(chips=2, level="host"),))
    with pytest.raises(ValidationError, match="a speed is above 0"):
        Gang(name="g", chips=1, kinds={"a": 0})


def test_the_big_hub_is_built_fast_and_takes_a_gang_of_every_size(zhengzhou):
    allocator = Allocator(zhengzhou)
    sizes = (1, 8, 64, 640, 1280, 2560, 10240)
    started = run(allocator, *(Gang(name=str(size), chips=size) for size in sizes))
    assert started == [str(size) for size in sizes]
    assert all(one.spans == one.fewest for one in allocator.decisions.values())
    allocator.ledger.audit()
