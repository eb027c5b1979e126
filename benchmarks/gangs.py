"""Gangs and chips on real workers: two gangs that come mixed, how far apart members start, a busy pod, one shared input.

Stock Dask and ours in turn, on four hosts of eight chips that are threads of this process.
"""

import argparse
import asyncio
import logging
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dask
from distributed import Client, Scheduler, SpecCluster, Worker

from benchmarks.bench import Row, main
from cluster.need import GangOf, Need
from cluster.scheduler import TopologyScheduler

CHIPS = 8
HOSTS = ("sn0/h0", "sn0/h1", "sn1/h0", "sn1/h1")
NAMES = {Scheduler: "stock", TopologyScheduler: "ours"}
# Stock never lets them meet: its members give up after this time.
MEETING_S = 2.0
BACKGROUND, BACKGROUND_S = 600, 0.2
SHARED, SHARED_S = 64, 0.2

# The workers are threads of this process, so members can meet here.
MEETINGS: dict[str, threading.Barrier] = {}
STARTED: defaultdict[str, list[float]] = defaultdict(list)


class Label:
    """Says where a worker stands."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __call__(self, worker: Any) -> str:
        return self.place


@asynccontextmanager
async def pod(scheduler: Any, hosts: tuple[str, ...] = HOSTS) -> AsyncIterator[tuple[Any, Client]]:
    """A scheduler and its labelled workers."""
    workers = {
        host: {
            "cls": Worker,
            "options": {
                "nthreads": CHIPS,
                "resources": {"chip": CHIPS},
                "startup_information": {"place": Label(host)},
                "memory_limit": 0,
                "dashboard": False,
            },
        }
        for host in hosts
    }
    about = {"cls": scheduler, "options": {"dashboard": False, "dashboard_address": ":0"}}
    async with (
        SpecCluster(workers=workers, scheduler=about, asynchronous=True) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        yield cluster.scheduler, client


def member(gang: str) -> bool:
    """Wait for the others; whether all came."""
    STARTED[gang].append(time.monotonic())
    try:
        MEETINGS[gang].wait(MEETING_S)
    except threading.BrokenBarrierError:
        return False
    return True


def submit(client: Client, gang: str, number: int) -> Any:
    """One of two members, each on all chips of a host."""
    MEETINGS.setdefault(gang, threading.Barrier(2))
    with dask.annotate(**Need(chips=CHIPS, gang=GangOf(id=gang, size=2)).annotations()):
        return client.submit(member, gang, pure=False, key=f"{gang}-{number}")


async def mixed(scheduler: Any) -> Row:
    """Members of two gangs in turn on two hosts."""
    async with pod(scheduler, HOSTS[:2]) as (_, client):
        name = NAMES[scheduler]
        tasks = [submit(client, f"{name}-{gang}", number) for number in range(2) for gang in "ab"]
        met = sum(await client.gather(tasks))
    what, target = f"two gangs that come mixed, {name}: members that met", "== 4"
    return Row.judged(what, met, "of 4", target) if scheduler is TopologyScheduler else Row(what, met, "of 4")


async def skew(repeats: int) -> Row:
    """How far apart the two members of a gang start."""
    apart = []
    async with pod(TopologyScheduler) as (_, client):
        for number in range(repeats):
            name = f"skew{number}"
            await client.gather([submit(client, name, member) for member in range(2)])
            apart.append(max(STARTED[name]) - min(STARTED[name]))
    note = f"{repeats} gangs, worst {max(apart) * 1e3:.2g} ms"
    return Row.judged(
        "start of a gang's members, ours: apart, median", statistics.median(apart) * 1e3, "ms", "< 10", note
    )


async def busy(scheduler: Any, *, drain: bool = True) -> Row:
    """A gang of two whole hosts against a pod full of one-chip tasks."""
    name = f"{NAMES[scheduler]}{'' if drain or scheduler is Scheduler else ' without drain'}"
    async with pod(scheduler) as (s, client):
        if not drain and scheduler is TopologyScheduler:
            s.gate.gangs.patience_s = float("inf")
        background = client.map(
            lambda _: time.sleep(BACKGROUND_S), range(BACKGROUND), pure=False, resources={"chip": 1}
        )
        await asyncio.sleep(0.5)
        asked = time.monotonic()
        await client.gather([submit(client, f"busy {name}", number) for number in range(2)])
        waited = max(STARTED[f"busy {name}"]) - asked
        await client.cancel(background)
    what = f"16-chip gang against {BACKGROUND} tasks, {name}: until all members run"
    judged = drain and scheduler is TopologyScheduler
    return Row.judged(what, waited, "s", "< 1") if judged else Row(what, waited, "s")


async def shared(scheduler: Any) -> tuple[float, float]:
    """Four-chip tasks that read one input: seconds, and the most chips given away on one host."""
    async with pod(scheduler) as (s, client):
        data = await client.scatter(bytes(1_000_000), workers=[next(iter(s.workers))])
        started, most = time.monotonic(), 0.0
        tasks = [
            client.submit(lambda *_: time.sleep(SHARED_S), data, number, pure=False, resources={"chip": 4})
            for number in range(SHARED)
        ]
        while not all(task.done() for task in tasks):
            given = [
                sum((ts.resource_restrictions or {}).get("chip", 0) for ts in ws.processing)
                for ws in s.workers.values()
            ]
            most = max(most, *given)
            await asyncio.sleep(0.01)
        return time.monotonic() - started, most


async def measured(quick: bool) -> list[Row]:
    """All rows."""
    rows = [await mixed(scheduler) for scheduler in NAMES]
    rows.append(await skew(10 if quick else 50))
    rows += [await busy(Scheduler), await busy(TopologyScheduler, drain=False), await busy(TopologyScheduler)]
    took = {}
    for scheduler, name in NAMES.items():
        took[name], most = await shared(scheduler)
        what = f"{SHARED} four-chip tasks of one input, {name}"
        judged = scheduler is TopologyScheduler
        worst = f"{what}: most chips given on a host of {CHIPS}"
        rows += [
            Row(f"{what}: time", took[name], "s", note=f"ideal {SHARED * SHARED_S / CHIPS:.2g} s"),
            Row.judged(worst, most, "chips", f"<= {CHIPS}") if judged else Row(worst, most, "chips"),
        ]
    rows.append(Row(f"{SHARED} four-chip tasks of one input: stock / ours", took["stock"] / took["ours"], "times"))
    return rows


def measure(arguments: argparse.Namespace) -> list[Row]:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return asyncio.run(measured(arguments.quick))


if __name__ == "__main__":
    # From the module and not from here: what is sent by value takes its globals along, and a barrier cannot be sent.
    from benchmarks import gangs

    main(gangs.measure, __doc__)
