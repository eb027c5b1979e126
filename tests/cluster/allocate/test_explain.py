"""What the allocator says to a person, and its advice for repacking."""

import pytest

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import fail
from cluster.allocate.decision import REASONS, diagnose, explain
from cluster.allocate.gang import Gang, Group, Project
from cluster.allocate.repack import advise, stranded
from tests.cluster.allocate.hubs import cap, hub, run, spans, supernodes, where


def small(**more):
    return Allocator(hub(supernodes(2, 2, 4), **more))


def told(allocator, name, now=0):
    code = diagnose(allocator, allocator.queue.by_name[name], now).code
    assert code in REASONS
    return code, " ".join(explain(allocator, name, now))


def test_too_few_chips():
    allocator = small()
    run(allocator, Gang(name="old", chips=12, duration_s=100), Gang(name="g", chips=8))
    assert told(allocator, "g") == (
        "chips",
        "g waits since 0 s for 8 chips: 4 chips of a are free; 8 are needed. "
        "It is promised a start at 100 s on a in test, if all that runs takes its full time. "
        "What frees it: the end of old.",
    )


def test_chips_that_are_out_of_service_are_named():
    allocator = small()
    fail(allocator, "sn0", 0)
    run(allocator, Gang(name="g", chips=12))
    code, text = told(allocator, "g")
    assert code == "chips"
    assert "8 chips of a are free; 12 are needed, and 8 are out of service" in text
    assert "Too few chips are in service; it can start when repairs bring them back." in text


def test_no_domain_of_the_level_has_so_many():
    allocator = small()
    run(allocator, *(Gang(name=f"old{n}", chips=5, required="supernode", duration_s=50 + n) for n in range(2)))
    run(allocator, Gang(name="g", chips=6, required="supernode"))
    code, text = told(allocator, "g")
    assert code == "level"
    assert "6 chips of a are free, but no supernode has 6 of them; the most is 3" in text
    assert "promised a start at 50 s on a in sn0" in text


def test_a_preferred_level_says_when_it_may_be_left():
    allocator = small()
    run(allocator, *(Gang(name=f"old{n}", chips=5, required="supernode") for n in range(2)))
    run(allocator, Gang(name="g", chips=6, preferred="supernode", max_wait_s=30), now=5)
    code, text = told(allocator, "g", 6)
    assert code == "preferred"
    assert "it may leave the supernode from 35 s on" in text


def test_free_chips_in_the_wrong_shape():
    allocator = Allocator(hub(supernodes(1, 2, 4)))
    run(allocator, *(Gang(name=f"old{n}", chips=3, duration_s=10) for n in range(2)))
    run(allocator, Gang(name="g", chips=2, groups=(Group(chips=2, level="host"),)))
    assert told(allocator, "g")[0] == "shape"
    assert "2 chips of a are free in one hub, but not in groups of 2 in a host" in told(allocator, "g")[1]


def test_chips_that_are_promised_to_others():
    allocator = small()
    run(allocator, Gang(name="old", chips=12, duration_s=100), Gang(name="head", chips=16))
    run(allocator, Gang(name="g", chips=4, duration_s=500), now=1)
    code, text = told(allocator, "g", 1)
    assert code == "hold"
    assert "chips are free, but it would still run when they are reserved for head (in test)" in text
    assert "Chips are promised to head first" in text or "Nothing is promised to it yet" in text


def test_power():
    allocator = small(power=cap(hub=1.6 + 0.9 * 8))
    run(allocator, Gang(name="old", chips=6, duration_s=100), Gang(name="g", chips=4))
    code, text = told(allocator, "g")
    assert code == "power"
    assert "the power cap of test leaves watts for fewer chips; it can start when gangs there end" in text
    assert "promised a start at 100 s" in text


@pytest.mark.parametrize(
    ("project", "code", "reason"),
    [
        (Project(most_chips=8), "quota", "project p holds 8 of its 8 chips"),
        (Project(chip_hours=10), "budget", "project p has used or committed 8 of its 10 chip-hours"),
        (Project(kwh=10), "budget", "project p has used or committed 8 of its 10 kWh"),
    ],
)
def test_quota_and_budget(project, code, reason):
    allocator = small(health={})
    allocator = Allocator(allocator.topology, {"p": project})
    run(allocator, Gang(name="old", chips=8, project="p"), Gang(name="g", chips=4, project="p"))
    found, text = told(allocator, "g")
    assert found == code
    assert reason in text
    assert "It can start when gangs of project p end, or the project is given more." in text


def test_its_turn_has_not_come():
    allocator = small()
    allocator.submit(Gang(name="g", chips=4), 0)
    assert told(allocator, "g") == (
        "order",
        "g waits since 0 s for 4 chips: there is room for it, and it is looked at when its turn comes.",
    )


def test_a_placement_says_where_why_and_what_it_waited_for():
    allocator = small()
    run(allocator, Gang(name="old", chips=16, duration_s=100), Gang(name="g", chips=8))
    allocator.end("old", 100)
    allocator.schedule(100)
    assert explain(allocator, "g", 100) == [
        "g got 8 chips of a at 100 s inside supernode sn0: the lowest level that held them all, and the tightest "
        "supernode there.",
        "It touches 1 supernode; 1 is the fewest possible.",
        "It waited 100 s, first for want of: free chips.",
    ]
    assert explain(allocator, "nobody", 100) == []


# -- repacking --------------------------------------------------------------------------------------------------------


def scattered(**more):
    """Two gangs in each of three supernodes of eight chips, so that none has six free."""
    allocator = Allocator(hub(supernodes(3, 2, 4)))
    for number in range(3):
        run(allocator, Gang(name=f"fill{number}", chips=8 - (2, 3, 4)[number], required="supernode"))
        run(allocator, Gang(name=f"g{number}", chips=(2, 3, 4)[number], required="supernode", preemptible=True, **more))
    for number in range(3):
        allocator.end(f"fill{number}", 1)
    return allocator


def test_repacking_moves_the_fewest_chips():
    allocator = scattered()
    free = [list(counts) for counts in allocator.ledger.free.values()]
    advice = advise(allocator, "supernode", 8)
    assert advice is not None
    assert ([move.name for move in advice.moves], advice.moved) == (["g0"], 2)
    assert set(advice.moves[0].source) == set(where(allocator, "g0"))
    assert not set(advice.moves[0].target) & set(advice.moves[0].source)
    assert advice.lines() == [
        f"Moving 2 chips frees 8 of a in {advice.path}:",
        f"g0 (2 chips) from {next(iter(advice.moves[0].source))} to {next(iter(advice.moves[0].target))}",
    ]
    assert [list(counts) for counts in allocator.ledger.free.values()] == free


def test_following_the_advice_makes_room():
    allocator = scattered()
    advice = advise(allocator, "supernode", 8)
    assert advice is not None
    allocator.end(advice.moves[0].name, 2)
    assert run(allocator, Gang(name="big", chips=8, required="supernode"), now=2) == ["big"]
    assert spans(allocator, "big") == 1


def test_no_advice_is_given_where_none_would_help():
    allocator = scattered()
    assert advise(allocator, "supernode", 9) is None
    assert advise(allocator, "host", 4, "a") is not None
    fixed = Allocator(hub(supernodes(2, 1, 4)))
    run(fixed, *(Gang(name=f"g{n}", chips=3) for n in range(2)))
    assert advise(fixed, "supernode", 4) is None
    crowded = Allocator(hub(supernodes(2, 1, 4)))
    run(crowded, *(Gang(name=f"g{n}", chips=3, preemptible=True) for n in range(2)))
    assert advise(crowded, "supernode", 4) is None


def test_nothing_need_move_where_there_is_room():
    advice = advise(small(), "supernode", 8)
    assert advice is not None
    assert advice.lines() == ["sn0 has 8 chips of a free as it is."]


def test_stranded_chips_are_those_that_serve_no_gang_of_a_size():
    allocator = small()
    assert stranded(allocator.ledger, allocator.tree, 8) == 0
    run(allocator, Gang(name="g", chips=1))
    assert stranded(allocator.ledger, allocator.tree, 8) == 7 / 16
    assert stranded(allocator.ledger, allocator.tree, 3) == (7 % 3 + 8 % 3) / 16
