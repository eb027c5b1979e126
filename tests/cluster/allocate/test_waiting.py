"""Who goes first, who is promised what, and what it costs: backfill, bookings, preemption, projects, power."""

import pytest

from cluster.allocate import passes
from cluster.allocate.allocator import Allocator
from cluster.allocate.gang import Gang, Group, Project, Refused
from tests.cluster.allocate.hubs import cap, ended, hub, kind, run, supernodes, where


def small(**more):
    """Two supernodes of two hosts of four chips."""
    return Allocator(hub(supernodes(2, 2, 4)), **more)


# -- backfill ---------------------------------------------------------------------------------------------------------


def test_a_short_gang_goes_ahead_and_a_long_one_does_not():
    allocator = small()
    assert run(allocator, Gang(name="now", chips=12, duration_s=100)) == ["now"]
    assert run(allocator, Gang(name="head", chips=16, duration_s=100), now=1) == []
    assert run(allocator, Gang(name="long", chips=2, duration_s=100), now=2) == []
    assert run(allocator, Gang(name="short", chips=2, duration_s=90), now=3) == ["short"]
    assert [hold.start for hold in allocator.holds] == [100]
    assert ended(allocator, "short", 93) == []
    assert ended(allocator, "now", 100) == ["head"]
    assert ended(allocator, "head", 200) == ["long"]


def test_a_long_gang_may_use_what_the_head_leaves_over():
    allocator = small()
    run(allocator, Gang(name="now", chips=12, duration_s=100))
    run(allocator, Gang(name="head", chips=14, duration_s=100), now=1)
    assert run(allocator, Gang(name="long", chips=2, duration_s=1000), now=2) == ["long"]
    assert run(allocator, Gang(name="another", chips=1, duration_s=1000), now=3) == []
    assert ended(allocator, "now", 100) == ["head"]


def test_without_backfill_nobody_overtakes():
    allocator = small(backfill=False)
    run(allocator, Gang(name="now", chips=12, duration_s=100))
    assert run(allocator, Gang(name="head", chips=16), now=1) == []
    assert run(allocator, Gang(name="tiny", chips=1, duration_s=1), now=2) == []
    assert ended(allocator, "now", 50) == ["head"]


def test_when_the_head_is_early_the_promise_is_kept_early():
    allocator = small()
    run(allocator, Gang(name="now", chips=16, duration_s=100), Gang(name="head", chips=16))
    assert ended(allocator, "now", 10) == ["head"]


def test_a_gang_that_runs_too_long_does_not_stop_the_clock():
    allocator = small()
    run(allocator, Gang(name="late", chips=16, duration_s=100), Gang(name="head", chips=16))
    assert allocator.next_wake() == 100
    assert allocator.schedule(100) == []
    assert allocator.next_wake() == 160
    assert ended(allocator, "late", 130) == ["head"]


def test_a_gang_of_groups_is_promised_a_start_and_is_not_starved_by_crumbs():
    """Small gangs keep every host in use: only a promise of whole hosts lets the groups in."""
    allocator = Allocator(hub(supernodes(1, 2, 4)))
    run(allocator, *(Gang(name=f"old{n}", chips=3, duration_s=100 + 10 * n) for n in range(2)))
    assert run(allocator, Gang(name="groups", chips=8, groups=(Group(chips=4, level="host"),))) == []
    for now in range(1, 100, 7):
        assert run(allocator, Gang(name=f"crumb{now}", chips=1, duration_s=500), now=now) == []
    assert ended(allocator, "old0", 100) == []
    assert ended(allocator, "old1", 110)[0] == "groups"


def test_a_gang_that_wants_a_domain_alone_is_not_starved():
    allocator = Allocator(hub(supernodes(2, 1, 4)))
    run(allocator, *(Gang(name=f"old{n}", chips=3, duration_s=100) for n in range(2)))
    assert run(allocator, Gang(name="alone", chips=4, exclusive="supernode")) == []
    assert run(allocator, *(Gang(name=f"long{n}", chips=1, duration_s=500) for n in range(2)), now=1) == ["long0"]
    allocator.end("old0", 100)
    allocator.end("old1", 100)
    assert "alone" in [one.gang.name for one in allocator.schedule(100)]


def test_higher_priority_starts_at_once_whatever_was_promised_below_it():
    allocator = small()
    run(allocator, Gang(name="now", chips=12, duration_s=100), Gang(name="head", chips=16))
    assert run(allocator, Gang(name="urgent", chips=4, duration_s=1000, priority=1), now=1) == ["urgent"]


def two_kinds():
    """Four chips of each of two kinds, all of them taken, those of a until 50 s and those of b until 100 s."""
    tree = [*supernodes(1, 1, {"a": 4}, "x"), *supernodes(1, 1, {"b": 4}, "y")]
    allocator = Allocator(hub(tree, {"a": kind(), "b": kind()}))
    run(allocator, Gang(name="on-a", chips=3, kinds={"a": 1}, duration_s=50))
    run(allocator, Gang(name="on-b", chips=4, kinds={"b": 1}, duration_s=100))
    return allocator


def test_when_the_head_starts_on_another_kind_the_next_is_promised_its_chips():
    allocator = two_kinds()
    assert run(allocator, Gang(name="head", chips=4), Gang(name="next", chips=4, kinds={"a": 1})) == []
    assert [(hold.name, hold.kind, hold.start) for hold in allocator.holds] == [("head", "a", 50)]
    assert ended(allocator, "on-b", 10) == ["head"]
    assert [(hold.name, hold.kind, hold.start) for hold in allocator.holds] == [("next", "a", 50)]


def test_each_kind_has_its_first_in_the_queue_and_promises_outlive_a_short_pass(monkeypatch):
    allocator = two_kinds()
    run(allocator, *(Gang(name=f"for-{kind}", chips=4, kinds={kind: 1}) for kind in "ab"))
    promised = [(hold.name, hold.start) for hold in allocator.holds]
    assert promised == [("for-a", 50), ("for-b", 100)]
    monkeypatch.setattr(passes, "SEARCHES", -1)
    run(allocator, Gang(name="tiny", chips=1, kinds={"a": 1}, duration_s=5), now=1)
    assert ended(allocator, "tiny", 3) == []
    assert [(hold.name, hold.start) for hold in allocator.holds] == [("for-b", 100), ("for-a", 50)]


# -- bookings ---------------------------------------------------------------------------------------------------------


def test_a_booking_has_its_chips_and_its_gang_gets_them():
    allocator = small()
    allocator.book("demo", "sn0", "a", 8, 100, 200, 0)
    assert run(allocator, Gang(name="long", chips=10, duration_s=500)) == []
    assert allocator.queue.by_name["long"].bound.text == (
        "chips are free, but it would still run when they are reserved for demo (in sn0)"
    )
    allocator.cancel("long", 0)
    assert run(allocator, Gang(name="fits", chips=8, duration_s=500), now=1) == ["fits"]
    assert {path.split("/")[0] for path in where(allocator, "fits")} == {"sn1"}
    assert run(allocator, Gang(name="short", chips=8, duration_s=90), now=2) == ["short"]
    assert ended(allocator, "short", 92) == []
    assert run(allocator, Gang(name="demo", chips=8, required="supernode", duration_s=90), now=100) == ["demo"]


def test_the_promise_to_the_head_goes_around_a_booking():
    allocator = small()
    allocator.book("maintenance", "", "a", 16, 100, 300, 0)
    assert run(allocator, Gang(name="head", chips=16, duration_s=150)) == []
    assert {hold.start for hold in allocator.holds if hold.first} == {300}
    assert allocator.schedule(299) == []
    assert [one.gang.name for one in allocator.schedule(300)] == ["head"]


def test_what_a_booking_leaves_over_is_promised_to_the_head_too():
    allocator = small()
    allocator.book("r", "", "a", 8, 100, 200, 0)
    run(allocator, Gang(name="old", chips=12, duration_s=50))
    assert run(allocator, Gang(name="head", chips=8, required="supernode", duration_s=500)) == []
    assert run(allocator, Gang(name="filler", chips=4, duration_s=500), now=1) == []
    assert ended(allocator, "old", 50) == ["head"]


def test_a_booking_that_cannot_be_kept_is_refused():
    allocator = small()
    run(allocator, Gang(name="runs", chips=8, duration_s=500))
    with pytest.raises(Refused, match=r"reservation r: 12 chips of test from 100 s: 8 can be free by then"):
        allocator.book("r", "", "a", 12, 100, 200, 0)
    allocator.book("r", "", "a", 6, 100, 200, 0)
    with pytest.raises(Refused, match="reservation s: 4 chips of sn1 from 150 s: 2 can be free by then"):
        allocator.book("s", "sn1", "a", 4, 150, 160, 0)
    with pytest.raises(Refused, match="there is one of this name already"):
        allocator.book("r", "sn1", "a", 1, 600, 700, 0)
    with pytest.raises(Refused, match="no domain 'sn9' or no kind 'a' in test"):
        allocator.book("s", "sn9", "a", 4, 150, 160, 0)
    with pytest.raises(Refused, match="4 chips from 160 s to 150 s, asked at 0 s"):
        allocator.book("s", "sn1", "a", 4, 160, 150, 0)
    allocator.unbook("r")
    allocator.book("s", "sn1", "a", 4, 150, 160, 0)
    with pytest.raises(Refused, match="reservation r: there is none of this name"):
        allocator.unbook("r")


# -- preemption -------------------------------------------------------------------------------------------------------


def test_preemption_stops_the_one_that_loses_least():
    allocator = small(preemption=True)
    run(allocator, Gang(name="old", chips=8, preemptible=True))
    run(allocator, Gang(name="young", chips=8, preemptible=True), now=50)
    assert run(allocator, Gang(name="urgent", chips=8, priority=1), now=60) == ["urgent"]
    assert (allocator.state("old"), allocator.state("young")) == ("running", "waiting")
    assert allocator.queue.by_name["young"].notes == ["preempted by urgent at 60 s"]
    assert ended(allocator, "urgent", 70) == ["young"]
    assert allocator.decisions["young"].submitted == 50


def test_nobody_is_stopped_who_is_not_preemptible_or_not_below_or_in_vain():
    allocator = small(preemption=True)
    run(allocator, Gang(name="fixed", chips=8), Gang(name="equal", chips=4, preemptible=True, priority=1))
    run(allocator, Gang(name="low", chips=4, preemptible=True))
    assert run(allocator, Gang(name="urgent", chips=8, priority=1, required="supernode")) == []
    assert set(allocator.running) == {"fixed", "equal", "low"}
    assert run(allocator, Gang(name="urgent2", chips=4, priority=2, required="supernode")) == ["urgent2"]
    assert set(allocator.running) == {"fixed", "equal", "urgent2"}


def test_a_gang_that_power_holds_back_stops_others_once_and_starts():
    allocator = Allocator(hub(supernodes(2, 2, 4), power=cap(hub=1.6 + 0.9 * 8)), preemption=True)
    run(allocator, Gang(name="low", chips=8, preemptible=True))
    assert run(allocator, Gang(name="urgent", chips=4, priority=1), now=5) == ["urgent"]
    assert allocator.queue.by_name["low"].notes == ["preempted by urgent at 5 s"]


# -- projects ---------------------------------------------------------------------------------------------------------


def test_projects_take_turns_by_use_over_share():
    projects = {"large": Project(share=3), "small": Project(share=1)}
    allocator = Allocator(hub(supernodes(1, 1, 4)), projects)
    run(allocator, Gang(name="first", chips=4, duration_s=10, project="large"))
    for number in range(16):
        for project in projects:
            allocator.submit(Gang(name=f"{project}{number}", chips=4, duration_s=10, project=project), 0)
    order, now = [], 0
    while allocator.running and len(order) < 16:
        now += 10
        order += ended(allocator, next(iter(allocator.running)), now)
    assert sum(name.startswith("large") for name in order) in (11, 12)


def test_a_quota_holds_its_project_and_nobody_else():
    allocator = small(projects={"q": Project(most_chips=6), "free": Project()})
    assert run(allocator, Gang(name="a", chips=4, project="q"), Gang(name="b", chips=4, project="q")) == ["a"]
    assert run(allocator, Gang(name="c", chips=12, project="free"), now=1) == ["c"]
    assert allocator.queue.by_name["b"].bound.text == "project q holds 4 of its 6 chips"
    assert allocator.holds == [], "chips are promised to one that its quota holds"
    assert ended(allocator, "a", 2) == ["b"]


def test_a_quota_that_comes_free_serves_gangs_of_other_kinds():
    tree = [*supernodes(1, 1, {"a": 4}, "x"), *supernodes(1, 1, {"b": 4}, "y")]
    allocator = Allocator(hub(tree, {"a": kind(), "b": kind()}), {"q": Project(most_chips=4)})
    gangs = [Gang(name=name, chips=4, kinds={name: 1}, project="q") for name in ("a", "b")]
    assert run(allocator, *gangs) == ["a"]
    assert ended(allocator, "a", 5) == ["b"]


def test_a_gang_held_by_its_quota_is_promised_chips_once_the_quota_lets_it():
    allocator = small(projects={"q": Project(most_chips=16), "free": Project(share=0.001)})
    run(allocator, Gang(name="q1", chips=4, project="q", duration_s=50))
    run(allocator, Gang(name="f1", chips=12, project="free", duration_s=100))
    assert run(allocator, Gang(name="q2", chips=16, project="q"), now=1) == []
    assert ended(allocator, "q1", 50) == []
    assert [(hold.name, hold.start) for hold in allocator.holds] == [("q2", 100)]
    assert run(allocator, Gang(name="f2", chips=2, project="free", duration_s=500), now=60) == []


def test_many_gangs_of_a_project_at_its_quota_do_not_hide_the_others():
    allocator = small(projects={"q": Project(most_chips=1, share=1000), "free": Project(share=0.001)})
    run(allocator, Gang(name="held", chips=1, project="q"), Gang(name="f", chips=15, project="free"))
    for number in range(1500):
        allocator.submit(Gang(name=f"q{number}", chips=1, project="q"), 1)
    allocator.submit(Gang(name="f2", chips=15, project="free"), 1)
    allocator.schedule(1)
    assert ended(allocator, "f", 2) == ["f2"]


def test_a_budget_counts_the_time_on_a_slow_kind():
    kinds = {"fast": kind(1), "slow": kind(0.1)}
    tree = [*supernodes(1, 1, {"fast": 4}, "f"), *supernodes(1, 1, {"slow": 4}, "s")]
    allocator = Allocator(hub(tree, kinds), {"p": Project(chip_hours=8)})
    assert run(allocator, *(Gang(name=f"g{n}", chips=4, duration_s=3600, project="p") for n in range(2))) == ["g0"]
    assert allocator.queue.by_name["g1"].bound is not None
    assert ended(allocator, "g0", 1800) == ["g1"]
    assert allocator.accounts.spent_chip_s == {"p": 7200}


def test_budgets_are_committed_settled_and_refuse_what_they_cannot_pay():
    allocator = small(projects={"p": Project(chip_hours=10, kwh=100)})
    with pytest.raises(Refused, match="gang g: up to 16 chip-hours; project p has 10 in all"):
        allocator.submit(Gang(name="g", chips=16, project="p"), 0)
    with pytest.raises(Refused, match="gang g: project: unknown project 'x'; there are p"):
        allocator.submit(Gang(name="g", chips=1, project="x"), 0)
    assert run(allocator, Gang(name="a", chips=8, project="p"), Gang(name="b", chips=4, project="p")) == ["a"]
    assert allocator.queue.by_name["b"].bound.text == (
        "project p has used or committed 8 of its 10 chip-hours; this may take 4 more"
    )
    assert ended(allocator, "a", 1800) == ["b"]
    allocator.end("b", 1800)
    with pytest.raises(Refused, match="up to 8 chip-hours; project p has 6 of 10 left"):
        allocator.submit(Gang(name="c", chips=8, project="p"), 1800)


def test_energy_is_a_budget_too():
    allocator = small(projects={"p": Project(kwh=6)})
    with pytest.raises(Refused, match="up to 8 kWh; project p has 6 in all"):
        allocator.submit(Gang(name="g", chips=8, project="p"), 0)
    assert run(allocator, Gang(name="h", chips=4, project="p"), Gang(name="i", chips=4, project="p")) == ["h"]


def test_a_domain_alone_is_charged_whole():
    allocator = small(projects={"p": Project(most_chips=7), "rich": Project()})
    with pytest.raises(Refused, match="8 chips; project p may hold 7 at a time"):
        allocator.submit(Gang(name="g", chips=1, exclusive="supernode", project="p"), 0)
    run(allocator, Gang(name="g", chips=1, exclusive="supernode", project="rich"))
    assert allocator.accounts.held == {"rich": 8}
