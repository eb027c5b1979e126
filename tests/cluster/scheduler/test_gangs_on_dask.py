"""Gangs on real workers: what deadlocks stock Dask runs, starts together, and survives a loss."""

import asyncio
import threading
import time
from collections import defaultdict
from typing import Any

import dask
import pytest
from distributed import Scheduler, wait

from cluster.need import GangOf, Need
from cluster.scheduler import TopologyScheduler, explain
from tests.cluster.scheduler.pods import name, pod, run, specs

SUPERNODE = ("sn0/h0", "sn0/h1")
# The workers are threads of this process, so members can meet here.
MET: dict[str, threading.Barrier] = {}
STARTED: defaultdict[str, list[float]] = defaultdict(list)


def member(gang: str, limit_s: float) -> tuple[bool, str]:
    STARTED[gang].append(time.time())
    try:
        MET[gang].wait(limit_s)
    except threading.BrokenBarrierError:
        return False, name()
    return True, name()


def submit(client: Any, gang: str, number: int, size: int = 2, limit_s: float = 10, **need: Any) -> Any:
    MET.setdefault(gang, threading.Barrier(size))
    notes = Need(**{"chips": 8, "kind": "a", "gang": GangOf(id=gang, size=size), **need}).annotations()
    with dask.annotate(**notes):
        return client.submit(member, gang, limit_s, key=f"{gang}-{number}", pure=False)


@pytest.fixture(autouse=True)
def _nobody_met() -> None:
    MET.clear()
    STARTED.clear()


@pytest.mark.parametrize("scheduler", [Scheduler, TopologyScheduler], ids=["stock", "ours"])
def test_two_interleaved_gangs_meet(scheduler: type) -> None:
    async def check() -> None:
        async with pod(specs(SUPERNODE), scheduler, validate=scheduler is TopologyScheduler) as (_, client):
            limit_s = 0.5 if scheduler is Scheduler else 10
            order = [(gang, number) for number in range(2) for gang in "xy"]
            tasks = [submit(client, gang, number, limit_s=limit_s) for gang, number in order]
            met = [met for met, _ in await client.gather(tasks)]
            assert all(met) == (scheduler is TopologyScheduler)

    run(check)


def test_members_are_sent_off_together_and_start_within_10_ms_of_each_other() -> None:
    async def check() -> None:
        skews = []
        async with pod() as (s, client):
            # A busy machine may hold any of them up: as many as it takes, and most start together where it is idle.
            while sum(skew < 0.010 for skew in skews) < 3:
                assert len(skews) < 50, skews
                gang = f"g{len(skews)}"
                await client.gather([submit(client, gang, number) for number in range(2)])
                skews.append(max(STARTED[gang]) - min(STARTED[gang]))
                sent = {row[4] for row in s.transition_log if row[0].startswith(f"{gang}-") and row[2] == "processing"}
                assert len(sent) == 1, "one decision sends both"

    run(check)


def test_a_gang_drains_a_busy_pod_in_less_than_a_second() -> None:
    async def check() -> None:
        async with pod(validate=False) as (s, client):
            need = {"chip": 1, "chip.a": 1}
            background = client.map(lambda _: time.sleep(0.2), range(600), pure=False, resources=need)
            await asyncio.sleep(0.3)
            before = sum(future.status == "pending" for future in background)
            tasks = [submit(client, "g", number) for number in range(2)]
            done = await client.gather(tasks)
            assert all(met for met, _ in done)
            assert len({place.split("/")[0] for _, place in done}) == 1
            # In a second the 32 chips do 160 of these: told by them, a busy machine is no later.
            pending = sum(future.status == "pending" for future in background)
            assert before - pending < 160
            assert pending > 200
            (why,) = [each["why"] for each in await explain(client, "g-0") if each["worker"]]
            assert "drained" in why
            await client.cancel(background)
            s.validate_state()

    run(check)


def test_a_gang_gathers_again_when_a_worker_dies() -> None:
    async def check() -> None:
        async with pod(specs(("sn0/h0", "sn0/h1", "sn0/h2"))) as (s, client):
            MET["g"] = threading.Barrier(2)
            tasks = [submit(client, "g", 0, size=2), submit(client, "g", 1, size=2)]
            MET["g"] = threading.Barrier(3)  # nobody gets through
            while len(STARTED["g"]) < 2:
                await asyncio.sleep(0.005)
            lost = s.tasks["g-0"].processing_on
            await s.remove_worker(lost.address, stimulus_id="test")
            MET["g"].abort()
            MET["g"] = threading.Barrier(2)
            assert [met for met, _ in await client.gather(tasks)] == [True, True]
            assert len(STARTED["g"]) == 4
            s.validate_state()
            s.gate.ledger.check()
            del tasks
            while s.tasks:
                await asyncio.sleep(0.01)
            assert not s.gate.gangs.gangs

    run(check)


def test_a_gang_that_loses_a_member_for_good_does_not_hold_chips() -> None:
    async def check() -> None:
        async with pod() as (s, client):
            first = submit(client, "g", 0)
            while "g-0" not in s.tasks or s.tasks["g-0"].state != "no-worker":
                await asyncio.sleep(0.01)
            assert "1 of 2 members" in (await explain(client, "g-0"))[-1]["why"]
            await client.cancel([first])
            await client.gather(client.map(lambda _: None, range(4), pure=False, resources={"chip": 8}))
            assert not s.gate.gangs.gangs

    run(check)


def test_a_required_level_may_be_wider_than_a_supernode() -> None:
    async def check() -> None:
        async with pod() as (_, client):
            tasks = [submit(client, "g", number, size=4, required="hub") for number in range(4)]
            await wait(tasks)
            places = {place for _, place in await client.gather(tasks)}
            assert len(places) == 4

    run(check)


def test_a_gang_without_a_member_fails_whole() -> None:
    def fail() -> int:
        raise RuntimeError("no input")

    async def check() -> None:
        async with pod() as (s, client):
            first = submit(client, "g", 0)
            source = client.submit(fail, pure=False)
            with dask.annotate(**Need(chips=8, gang=GangOf(id="g", size=2)).annotations()):
                second = client.submit(member, "g", source, key="g-1", pure=False)
            with pytest.raises(RuntimeError, match="no input"):
                await second
            with pytest.raises(Exception, match="its gang g cannot start: member 'g-1' failed before"):
                await first
            assert not STARTED
            s.validate_state()

    run(check)


def test_a_gang_that_no_supernode_could_hold_fails_whole() -> None:
    async def check() -> None:
        with dask.config.set({"distributed.scheduler.no-workers-timeout": "300ms"}):
            async with pod() as (_, client):
                tasks = [submit(client, "g", number, size=3) for number in range(3)]
                for task in tasks:
                    with pytest.raises(Exception, match=r"has room for the 3 members|cannot start"):
                        await task
                assert not STARTED

    run(check)
