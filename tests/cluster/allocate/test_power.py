"""Power caps by level: who must go elsewhere or wait, and that no cap is exceeded."""

import pytest

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import fail, repair
from cluster.allocate.gang import Gang, Refused
from tests.cluster.allocate.hubs import cap, ended, hub, kind, run, supernodes, where


def test_a_cap_of_a_supernode_sends_gangs_elsewhere():
    """Eight idle chips draw 0.8 kW, each busy one 0.9 kW more: under 4.4 kW four may be busy."""
    allocator = Allocator(hub(supernodes(2, 2, 4), power=cap(supernode=4.4)))
    assert run(allocator, Gang(name="a", chips=4, required="supernode")) == ["a"]
    assert run(allocator, Gang(name="b", chips=4, required="supernode")) == ["b"]
    assert {where(allocator, "a").popitem()[0][:3], where(allocator, "b").popitem()[0][:3]} == {"sn0", "sn1"}
    assert run(allocator, Gang(name="c", chips=1)) == []
    assert "the power cap of sn0, sn1 leaves watts for fewer chips" in allocator.queue.by_name["c"].bound.text
    assert ended(allocator, "a", 5) == ["c"]


def test_a_cap_of_the_hub_holds_and_a_large_gang_is_not_starved_under_it():
    allocator = Allocator(hub(supernodes(2, 2, 4), power=cap(hub=1.6 + 0.9 * 10)))
    run(allocator, Gang(name="a", chips=6, duration_s=100))
    assert run(allocator, Gang(name="large", chips=8)) == []
    assert run(allocator, *(Gang(name=f"s{n}", chips=1, duration_s=500) for n in range(3)), now=1) == []
    assert run(allocator, Gang(name="short", chips=1, duration_s=90), now=2) == ["short"]
    assert "large" in ended(allocator, "a", 100)


def test_what_no_cap_would_ever_allow_is_refused():
    allocator = Allocator(hub(supernodes(2, 2, 4), power=cap(hub=5)))
    with pytest.raises(Refused, match="gang g: 12 chips at full load exceed a power cap of test"):
        allocator.submit(Gang(name="g", chips=12), 0)


def test_mixed_gangs_respect_caps_and_reservations_of_every_kind():
    kinds = {"a": kind(1, 1001, 1), "b": kind(1, 501, 1)}
    allocator = Allocator(hub(supernodes(1, 2, {"a": 4, "b": 2}), kinds, power=cap(hub=6)))
    allocator.book("kept", "", "a", 6, 10, 1000, 0)
    with pytest.raises(Refused, match="gang m: 7 chips at full load exceed a power cap of test"):
        allocator.submit(Gang(name="m", chips=7, mixed=True), 0)
    assert run(allocator, Gang(name="n", chips=5, mixed=True)) == ["n"]
    assert {kind: parts[0] for kind, parts in allocator.running["n"].parts.items()} == {"a": 2, "b": 3}


def test_repairs_under_a_cap_do_not_exceed_it():
    allocator = Allocator(hub(supernodes(1, 2, 4), power=cap(supernode=4.4)))
    fail(allocator, "sn0/h1", 0)
    assert run(allocator, Gang(name="a", chips=4)) == ["a"]
    repair(allocator, "sn0/h1")
    assert run(allocator, Gang(name="b", chips=1), now=1) == []
    assert allocator.power.draw(allocator.ledger, 1).busy + allocator.power.draw(allocator.ledger, 1).idle <= 4400
