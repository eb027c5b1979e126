"""What users of other schedulers complain of, each as a scenario with the number of its issue."""

import pytest

from cluster.allocate import fit
from cluster.allocate.allocator import Allocator
from cluster.allocate.change import apply, drain, repair
from cluster.allocate.decision import explain
from cluster.allocate.gang import Gang, Group, Project, Refused
from cluster.allocate.repack import advise
from cluster.hubfile import load
from cluster.topology import Topology
from tests.cluster.allocate.hubs import hub, kind, run, spans, supernodes, where


@pytest.fixture
def looked(monkeypatch):
    """Counts the domains that searches look at, hosts included."""
    counts = {"domains": 0}
    real = fit.View.allows

    def counted(view, domain, chips):
        counts["domains"] += 1
        return real(view, domain, chips)

    monkeypatch.setattr(fit.View, "allows", counted)
    return counts


def test_kueue_4329_5243_quota_free_but_no_node_has_it():
    """Eight chips of quota are free, no host has eight: the gang waits, says why, and blocks nobody."""
    allocator = Allocator(hub(supernodes(1, 4, 8)), {"p": Project(most_chips=32)})
    run(allocator, *(Gang(name=f"old{n}", chips=6, project="p", duration_s=100) for n in range(4)))
    assert run(allocator, Gang(name="eight", chips=8, required="host", project="p")) == []
    assert "8 chips of a are free, but no host has 8 of them; the most is 2" in explain(allocator, "eight", 0)[0]
    assert run(allocator, Gang(name="two", chips=2, project="p", duration_s=50), now=1) == ["two"]
    assert "eight" not in allocator.running
    assert allocator.accounts.held["p"] == 26, "what waits holds no quota"
    with pytest.raises(Refused, match="9 chips inside one host; a host of test has at most 8"):
        allocator.submit(Gang(name="nine", chips=9, required="host", project="p"), 1)


def test_kueue_10406_single_chip_jobs_stay_packed():
    """Seventy jobs of one chip go to one rack of 72, not to 33 racks; big gangs still find whole racks."""
    allocator = Allocator(load("gb200-superpod"))
    racks = [allocator.tree.capacity["any"][domain] for domain in allocator.tree.at_level[-2]]
    run(allocator, *(Gang(name=f"one{n}", chips=1) for n in range(70)))
    assert len({path.rsplit("/", 1)[0] for n in range(70) for path in where(allocator, f"one{n}")}) == 1
    assert run(allocator, *(Gang(name=f"rack{n}", chips=72, required="supernode") for n in range(len(racks) - 1))) == [
        f"rack{n}" for n in range(len(racks) - 1)
    ]


def test_kueue_5375_smallest_domain_does_not_fit():
    """The emptiest-looking choice, the smallest domain, is too small: the next larger one is taken."""
    tree = [part for size in (1, 2, 4) for part in supernodes(1, size, 4, f"of{size}-")]
    allocator = Allocator(hub(tree))
    assert run(allocator, Gang(name="g", chips=6, required="supernode")) == ["g"]
    assert {path.split("/")[0] for path in where(allocator, "g")} == {"of2-0"}
    assert run(allocator, Gang(name="h", chips=6, required="supernode")) == ["h"]
    assert {path.split("/")[0] for path in where(allocator, "h")} == {"of4-0"}


def test_kueue_10815_preemption_keeps_topology():
    """178 hosts for one gang: those are stopped whose end frees it in one domain, not the cheapest all over the hub."""
    allocator = Allocator(hub(supernodes(4, 178, 4)), preemption=True)
    half = {"chips": 356, "required": "supernode", "preemptible": True}
    for number in range(4):  # every supernode holds an old gang and a young one
        run(
            allocator,
            Gang(name=f"old{number}", **half),
            Gang(name=f"gone{number}", **half),
            now=5 if number == 2 else 0,
        )
    for number in range(4):
        allocator.end(f"gone{number}", 90)
        assert run(allocator, Gang(name=f"young{number}", **half), now=90) == [f"young{number}"]
    big = Gang(name="big", chips=712, required="supernode", groups=(Group(chips=4, level="host"),), priority=1)
    assert run(allocator, big, now=100) == ["big"]
    assert spans(allocator, "big") == 1
    assert set(allocator.queue.by_name) == {"old2", "young2"}, "two young ones lose less, and free no supernode"


def test_kueue_kep2724_recompute_in_the_cycle():
    """Two gangs want the same place in one call: the second is placed on what is left, not on what was nominated."""
    allocator = Allocator(hub(supernodes(2, 2, 4)))
    gangs = [Gang(name=f"g{n}", chips=8, required="supernode") for n in range(2)]
    assert run(allocator, *gangs) == ["g0", "g1"]
    assert not set(where(allocator, "g0")) & set(where(allocator, "g1"))


def test_volcano_4899_capacity_prefilter(looked):
    """A thousand full supernodes are not looked at one by one before the one that has room."""
    allocator = Allocator(hub([*supernodes(1000, 1, 8, "full"), *supernodes(1, 2, 8, "free")]))
    run(allocator, *(Gang(name=f"old{n}", chips=8, required="host") for n in range(1000)))
    looked["domains"] = 0
    assert run(allocator, Gang(name="g", chips=16, required="supernode")) == ["g"]
    assert looked["domains"] <= 4


def test_volcano_pr5811_early_exit(looked):
    """On 7,520 hosts a search ends at the first domain that will do, and one in vain at once."""
    allocator = Allocator(load("zhengzhou-60k"))
    run(allocator, Gang(name="warm", chips=640, preferred="supernode", kinds={"k1": 1}))
    looked["domains"] = 0
    assert run(allocator, Gang(name="g", chips=640, preferred="supernode", kinds={"k1": 1})) == ["g"]
    assert looked["domains"] <= 4
    run(allocator, *(Gang(name=f"fill{n}", chips=600, required="supernode", kinds={"k2": 1}) for n in range(16)))
    looked["domains"] = 0
    assert run(allocator, Gang(name="in-vain", chips=64, required="supernode", kinds={"k2": 1})) == []
    assert looked["domains"] <= 10


def test_volcano_4343_4368_preferred_does_not_drift():
    """Soft gangs that fit one supernode stay in one, however many there are, and small ones are not scattered."""
    allocator = Allocator(
        hub([{"name": "u", "count": 2, "of": supernodes(3, 4, 8)}], levels=["hub", "unit", "supernode", "host"])
    )
    run(allocator, *(Gang(name=f"g{n}", chips=16, preferred="supernode", max_wait_s=0) for n in range(12)))
    assert {one.spans for one in allocator.decisions.values()} == {1}
    for name in ("g0", "g5", "g11"):
        allocator.end(name, 1)
    assert run(allocator, *(Gang(name=f"s{n}", chips=2, preferred="supernode") for n in range(8)), now=1)
    assert len({path.rsplit("/", 1)[0] for n in range(8) for path in where(allocator, f"s{n}")}) == 1


def test_kai_1311_repack_advice():
    """Twelve chips are free in each of ten supernodes and twenty are wanted: advice names what to move where."""
    allocator = Allocator(hub(supernodes(10, 8, 8)))
    for number in range(10):
        run(allocator, Gang(name=f"fix{number}", chips=44, required="supernode"))
        run(allocator, Gang(name=f"mov{number}", chips=8, required="supernode", preemptible=True))
        run(allocator, Gang(name=f"gone{number}", chips=12, required="supernode"))
    for number in range(10):
        allocator.end(f"gone{number}", 1)
    assert run(allocator, Gang(name="wanted", chips=20, required="supernode"), now=1) == []
    advice = advise(allocator, "supernode", 20)
    assert advice is not None
    assert (advice.moved, len(advice.moves)) == (8, 1)
    assert not any(path.startswith(f"{advice.path}/") for path in advice.moves[0].target)
    assert len({path.split("/")[0] for path in advice.moves[0].target}) == 1, "its required level holds for the move"


def test_grove_648_constraint_over_every_sub_gang():
    """Three pipeline replicas of two tensor groups each: every group in a host, every replica in a supernode."""
    allocator = Allocator(hub(supernodes(4, 3, 8)))
    run(allocator, *(Gang(name=f"crumb{n}", chips=5, required="host") for n in range(2)))
    groups = (Group(chips=16, level="supernode"), Group(chips=8, level="host"))
    assert run(allocator, Gang(name="set", chips=48, groups=groups, required="hub")) == ["set"]
    assert set(where(allocator, "set").values()) == {8}
    shares = [count for _, count in allocator.running["set"].by_domain("a", 1, allocator.tree)]
    assert all(count % 16 == 0 for count in shares), shares
    assert run(allocator, Gang(name="next", chips=16, groups=groups, required="supernode")) == []


def test_ray_55590_selector_never_ignored():
    """A kind or a level that does not exist is an error; one that is full is waited for. Never something else instead."""
    allocator = Allocator(hub(supernodes(1, 2, {"a": 4, "b": 4}), {"a": kind(), "b": kind()}))
    for wish, message in (
        ({"kinds": {"typo": 1}}, "unknown kind 'typo'"),
        ({"required": "rack"}, "unknown level 'rack'"),
        ({"preferred": "rack"}, "unknown level 'rack'"),
        ({"groups": (Group(chips=1, level="rack"),)}, "groups.0: unknown level 'rack'"),
    ):
        with pytest.raises(Refused, match=message):
            allocator.submit(Gang(name="g", chips=1, **wish), 0)
    assert run(
        allocator, Gang(name="first", chips=8, kinds={"a": 1}), Gang(name="second", chips=1, kinds={"a": 1})
    ) == ["first"]
    assert allocator.ledger.free["b"][0] == 8


def test_slurm_pr225_reapply_keeps_segments():
    """36 hosts in segments of 12, asked for after the topology was applied again: 12 + 12 + 12, never 17 + 17 + 2."""
    topology = hub(supernodes(3, 18, 1))
    allocator = Allocator(topology)
    for again in range(3):
        assert apply(allocator, Topology.model_validate(topology.model_dump()), again) == []
    segments = Gang(name="g", chips=36, groups=(Group(chips=12, level="supernode"),))
    assert run(allocator, segments, now=5) == ["g"]
    assert [count for _, count in allocator.running["g"].by_domain("a", 1, allocator.tree)] == [12, 12, 12]


def test_slurm_pr3122_powered_down_node_keeps_its_place():
    """A host that is down is still part of its supernode: gangs that need it are admitted, wait, and get it back."""
    topology = hub(supernodes(2, 2, 4), health={"sn0/h1": "down", "sn1": "drain"})
    allocator = Allocator(topology)
    whole = Gang(name="g", chips=8, required="supernode")
    assert run(allocator, whole) == []
    assert "out of service" in explain(allocator, "g", 0)[0]
    repair(allocator, "sn0/h1")
    assert [one.gang.name for one in allocator.schedule(1)] == ["g"]
    assert set(where(allocator, "g")) == {"sn0/h0", "sn0/h1"}
    drain(allocator, "sn0/h1")
    apply(allocator, hub(supernodes(3, 2, 4), health={"sn1": "drain"}), 2)
    assert set(where(allocator, "g")) == {"sn0/h0", "sn0/h1"}
    assert spans(allocator, "g") == 1


def test_fluxion_448_match_time_sublinear(looked):
    """The work of a match, in domains looked at: the same on 64 supernodes as on 4, in vain or not."""
    found = {}
    for size in (4, 64):
        allocator = Allocator(hub(supernodes(size, 16, 8)))
        run(allocator, *(Gang(name=f"old{n}", chips=100, required="supernode") for n in range(size)))
        looked["domains"] = 0
        run(allocator, *(Gang(name=f"g{n}", chips=8, required="supernode") for n in range(4)))
        run(allocator, Gang(name="in-vain", chips=64, required="supernode"))
        found[size] = looked["domains"]
    assert found[64] == found[4]


def test_dask_9108_never_over_allocates():
    """Requests are checked against what is free, not against what there is: no host gives more than it has."""
    allocator = Allocator(hub(supernodes(1, 2, 4)))
    started = run(allocator, *(Gang(name=f"g{n}", chips=3) for n in range(9)))
    assert started == ["g0", "g1"]
    assert sum(count for name in started for count in where(allocator, name).values()) == 6
    assert allocator.ledger.free["a"][0] == 2
    given = [pair for name in started for pair in allocator.running[name].given["a"]]
    assert len({(host, bit) for host, bits in given for bit in range(4) if bits >> bit & 1}) == 6


@pytest.mark.parametrize("name", ["hub", "supernode", "host"])
def test_no_constraint_is_dropped_silently(name):
    """What is required is kept or refused, at every level."""
    allocator = Allocator(hub(supernodes(2, 2, 4)))
    largest = {"hub": 16, "supernode": 8, "host": 4}[name]
    assert run(allocator, Gang(name="g", chips=largest, required=name)) == ["g"]
    assert spans(allocator, "g", name) == 1
    if largest < 16:
        with pytest.raises(Refused, match=f"{largest + 1} chips inside one {name}"):
            allocator.submit(Gang(name="h", chips=largest + 1, required=name), 0)
