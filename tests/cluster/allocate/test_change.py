"""What breaks and comes back under running gangs, and a hub that grows."""

import pytest

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import Affected, apply, drain, fail, repair
from cluster.allocate.decision import explain
from cluster.allocate.gang import Gang, Group, Refused
from cluster.hubfile import load
from cluster.topology import Topology
from tests.cluster.allocate.hubs import hub, kind, run, supernodes, where


def small(**more):
    """Two supernodes of two hosts of four chips."""
    return Allocator(hub(supernodes(2, 2, 4), **more))


def changed(topology, **more):
    return Topology.model_validate({**topology.model_dump(), **more})


def test_spares_replace_broken_chips_nearby():
    allocator = small()
    run(allocator, Gang(name="g", chips=6, required="supernode", spares=2))
    assert fail(allocator, "sn0/h0", 50, chips=2) == [Affected("g", 2, "replaced")]
    assert allocator.running["g"].spares == 0
    assert where(allocator, "g") == {"sn0/h0": 2, "sn0/h1": 4}
    assert explain(allocator, "g", 60)[-1] == "2 chips replaced at 50 s"
    assert fail(allocator, "sn0/h1", 70, chips=1) == [Affected("g", 1, "waiting")]
    assert allocator.queue.by_name["g"].notes[-1] == "lost 1 chips at 70 s"


def test_a_replacement_stays_in_the_required_level():
    allocator = small()
    run(allocator, Gang(name="g", chips=8, required="supernode", spares=8))
    home = next(iter(where(allocator, "g")))
    assert fail(allocator, home, 1, chips=1) == [Affected("g", 1, "waiting")]
    assert [one.gang.name for one in allocator.schedule(1)] == ["g"]
    assert not any(path.startswith(home[:3]) for path in where(allocator, "g"))


def test_a_replacement_goes_to_the_next_level_only_where_it_may():
    allocator = small()
    run(allocator, Gang(name="free", chips=4, spares=4), Gang(name="next", chips=4))
    assert fail(allocator, "sn0/h0", 1, chips=1) == [Affected("free", 1, "replaced")]
    assert where(allocator, "free") == {"sn0/h0": 3, "sn1/h0": 1}
    assert allocator.decisions["free"].spans == 2


def test_a_replacement_takes_no_chips_that_are_promised():
    allocator = Allocator(hub(supernodes(1, 2, 4)))
    allocator.book("kept", "sn0/h1", "a", 4, 100, 200, 0)
    run(allocator, Gang(name="g", chips=4, spares=4, duration_s=500))
    assert fail(allocator, "sn0/h0", 1, chips=1) == [Affected("g", 1, "waiting")]


def test_groups_start_anew_rather_than_be_torn():
    allocator = small()
    run(allocator, Gang(name="g", chips=4, groups=(Group(chips=4, level="host"),), spares=4))
    assert [one.what for one in fail(allocator, "sn0", 1)] == ["waiting"]
    assert [one.gang.name for one in allocator.schedule(1)] == ["g"]


def test_a_whole_supernode_may_fail_and_its_gangs_keep_their_place_in_the_queue():
    allocator = small()
    run(allocator, Gang(name="a", chips=8, required="supernode"), Gang(name="b", chips=8, required="supernode"))
    run(allocator, Gang(name="later", chips=8), now=5)
    assert [(one.name, one.what) for one in fail(allocator, "sn0", 10)] == [("a", "waiting")]
    assert allocator.schedule(10) == []
    allocator.end("b", 20)
    assert [one.gang.name for one in allocator.schedule(20)] == ["a"]
    repair(allocator, "sn0")
    assert [one.gang.name for one in allocator.schedule(30)] == ["later"]


def test_several_gangs_that_fail_together_start_again_in_their_old_order():
    allocator = small()
    run(allocator, *(Gang(name=f"g{n}", chips=4) for n in range(4)))
    fail(allocator, "sn1", 1)
    fail(allocator, "sn0", 1)
    repair(allocator, "sn0")
    assert [one.gang.name for one in allocator.schedule(2)] == ["g0", "g1"]


def test_chips_of_a_host_fail_kind_by_kind():
    allocator = Allocator(hub(supernodes(1, 1, {"a": 2, "b": 2}), {"a": kind(), "b": kind()}))
    run(allocator, Gang(name="a", chips=2, kinds={"a": 1}), Gang(name="b", chips=2, kinds={"b": 1}))
    assert fail(allocator, "sn0/h0", 1, chips=2) == [Affected("a", 2, "waiting")]
    assert allocator.ledger.up["a"][0] == 0
    assert allocator.ledger.up["b"][0] == 2


def test_draining_lets_gangs_run_on_and_lets_nobody_in():
    allocator = small()
    run(allocator, Gang(name="g", chips=4))
    drain(allocator, "sn0")
    assert run(allocator, Gang(name="new", chips=12), now=1) == []
    assert allocator.state("g") == "running"
    allocator.end("g", 2)
    assert allocator.ledger.free["a"][0] == 8
    repair(allocator, "sn0")
    assert [one.gang.name for one in allocator.schedule(3)] == ["new"]


def test_a_drained_host_that_then_fails_takes_its_gang_with_it():
    allocator = small()
    run(allocator, Gang(name="g", chips=4))
    drain(allocator, "sn0/h0")
    assert fail(allocator, "sn0/h0", 5) == [Affected("g", 4, "waiting")]
    repair(allocator, "sn0/h0")
    assert allocator.ledger.free["a"][0] == 12, "the drain is not over"
    repair(allocator, "sn0/h0")
    assert allocator.ledger.free["a"][0] == 16


def test_a_failure_beside_a_drained_host_does_not_touch_its_gang():
    allocator = small()
    run(allocator, Gang(name="g", chips=4))
    drain(allocator, "sn0/h0")
    assert fail(allocator, "sn0/h1", 5) == []
    assert allocator.state("g") == "running"


def test_overlapping_failures_are_over_when_the_last_is_repaired():
    allocator = small()
    fail(allocator, "sn0", 1)
    assert fail(allocator, "sn0/h0", 2) == []
    repair(allocator, "sn0/h0")
    assert allocator.ledger.free["a"][0] == 8
    repair(allocator, "sn0")
    assert allocator.ledger.free["a"][0] == 16


def test_a_person_may_declare_part_of_an_outage_sound():
    allocator = small()
    fail(allocator, "sn0", 1)
    repair(allocator, "sn0/h1")
    assert allocator.ledger.free["a"][0] == 12
    repair(allocator, "sn0")
    assert allocator.ledger.free["a"][0] == 16
    with pytest.raises(Refused, match="there is no domain 'sn7' in test"):
        repair(allocator, "sn7")


def test_hosts_that_the_file_declares_down_can_be_repaired():
    allocator = small(health={"sn0/h0": "down", "sn1": "drain"})
    assert allocator.ledger.free["a"][0] == 4
    repair(allocator, "sn1")
    repair(allocator, "sn0/h0")
    assert allocator.ledger.free["a"][0] == 16


def test_repaired_chips_in_a_domain_of_its_own_go_to_its_gang():
    allocator = Allocator(hub(supernodes(1, 2, 4)))
    fail(allocator, "sn0/h1", 0)
    assert run(allocator, Gang(name="alone", chips=2, exclusive="supernode")) == ["alone"]
    repair(allocator, "sn0/h1")
    assert run(allocator, Gang(name="other", chips=1), now=1) == []
    assert (sum(where(allocator, "alone").values()), allocator.running["alone"].held) == (8, 4)
    allocator.end("alone", 2)
    assert allocator.ledger.free["a"][0] == 8


def test_a_booking_knows_of_chips_that_broke():
    allocator = small()
    allocator.book("r", "", "a", 8, 100, 200, 0)
    assert run(allocator, Gang(name="x", chips=4, duration_s=500)) == ["x"]
    fail(allocator, "sn1", 1)
    assert run(allocator, Gang(name="y", chips=4, duration_s=500), now=2) == []
    assert run(allocator, Gang(name="z", chips=4, duration_s=50), now=3) == ["z"]


def test_a_booking_does_not_count_on_chips_that_come_back_broken():
    allocator = small()
    allocator.book("r", "", "a", 8, 100, 200, 0)
    run(allocator, Gang(name="x", chips=4, duration_s=500))
    drain(allocator, next(iter(where(allocator, "x"))))
    allocator.end("x", 5)
    assert run(allocator, Gang(name="y", chips=5, duration_s=500), now=5) == []
    allocator.cancel("y", 5)
    assert run(allocator, Gang(name="z", chips=4, duration_s=500), now=5) == ["z"]


# -- a hub that changes -----------------------------------------------------------------------------------------------


def test_a_hub_grows_from_30_000_to_60_000_chips_while_gangs_run():
    half, whole = load("zhengzhou-30k"), load("zhengzhou-60k")
    allocator = Allocator(half)
    gangs = [Gang(name=f"g{n}", chips=640, preferred="supernode", max_wait_s=1e6) for n in range(50)]
    assert len(run(allocator, *gangs)) == 47
    before = {name: where(allocator, name) for name in allocator.running}
    assert apply(allocator, whole, 100) == []
    assert {name: where(allocator, name) for name in before} == before
    assert [one.gang.name for one in allocator.schedule(100)] == ["g47", "g48", "g49"]
    assert allocator.ledger.free["k4"][0] == 10_240
    allocator.ledger.audit()
    assert allocator.state("g0") == "running"
    assert "inside supernode c0" in explain(allocator, "g0", 100)[0]


def test_applying_the_same_topology_again_changes_nothing():
    allocator = small()
    run(allocator, Gang(name="g", chips=4), Gang(name="w", chips=16))
    fail(allocator, "sn1/h0", 1)
    holds, out = allocator.holds, allocator.outages
    assert apply(allocator, changed(allocator.topology), 2) == []
    assert (allocator.holds, allocator.outages) == (holds, out)
    assert allocator.ledger.up["a"][0] == 12


def test_what_broke_stays_broken_when_the_hub_grows():
    allocator = Allocator(hub(supernodes(2, 2, 4)))
    fail(allocator, "sn1/h0", 1)
    apply(allocator, hub(supernodes(3, 2, 4)), 2)
    assert allocator.ledger.up["a"][0] == 20
    repair(allocator, "sn1/h0")
    assert allocator.ledger.up["a"][0] == 24


def test_gangs_on_hosts_that_are_taken_away_or_declared_down_wait_again():
    allocator = small()
    run(allocator, *(Gang(name=f"g{n}", chips=4) for n in range(4)))
    affected = apply(allocator, changed(allocator.topology, health={"sn0": "absent", "sn1/h0": "down"}), 5)
    assert sorted((one.name, one.what) for one in affected) == [(f"g{n}", "waiting") for n in range(3)]
    assert list(allocator.running) == ["g3"]


def test_who_is_too_large_for_the_hub_that_is_left_is_refused():
    allocator = small()
    run(allocator, Gang(name="runs", chips=16), Gang(name="waits", chips=12))
    affected = apply(allocator, changed(allocator.topology, health={"sn0": "absent"}), 5)
    assert [(one.name, one.what) for one in affected] == [
        ("runs", "waiting"),
        ("runs", "refused"),
        ("waits", "refused"),
    ]
    assert allocator.state("runs") == allocator.state("waits") == "unknown"


def test_a_new_kind_serves_gangs_that_waited_for_any():
    allocator = Allocator(hub(supernodes(1, 1, 4)))
    run(allocator, Gang(name="a", chips=4), Gang(name="b", chips=4))
    tree = [*supernodes(1, 1, 4), *supernodes(1, 1, {"n": 4}, "new")]
    apply(allocator, hub(tree, {"a": kind(), "n": kind(2)}), 5)
    assert [one.kinds for one in allocator.schedule(5)] == [("n",)]


def test_levels_may_change_with_the_hub():
    allocator = small()
    run(allocator, Gang(name="runs", chips=4), Gang(name="waits", chips=14, required="hub"))
    levels = ["hub", "unit", "supernode", "host"]
    affected = apply(allocator, hub([{"name": "u", "of": supernodes(2, 2, 4)}], levels=levels), 5)
    assert [(one.name, one.what) for one in affected] == [("runs", "waiting")]
    assert [one.gang.name for one in allocator.schedule(5)] == ["runs"]
    allocator.end("runs", 6)
    assert [one.gang.name for one in allocator.schedule(6)] == ["waits"]
