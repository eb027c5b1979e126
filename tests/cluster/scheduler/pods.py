"""Small pods of in-process workers that say where they stand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from distributed import Client, Scheduler, SpecCluster, Worker, get_worker

from cluster.scheduler import TopologyScheduler

HOSTS = ("sn0/h0", "sn0/h1", "sn1/h0", "sn1/h1")


class Label:
    def __init__(self, place: str) -> None:
        self.place = place

    def __call__(self, worker: Any = None) -> str:
        return self.place


def specs(hosts: tuple[str, ...] = HOSTS, chips: int = 8, kinds: tuple[str, ...] = ("a",), **options: Any) -> Any:
    """Workers by name; the kinds go round the supernodes."""
    supernodes = list(dict.fromkeys(host.rpartition("/")[0] for host in hosts))
    found = {}
    for host in hosts:
        kind = kinds[supernodes.index(host.rpartition("/")[0]) % len(kinds)]
        found[host] = {
            "cls": Worker,
            "options": {
                "nthreads": chips,
                "resources": {"chip": chips, f"chip.{kind}": chips},
                "startup_information": {"place": Label(host)},
                "memory_limit": 0,
                "dashboard": False,
                **options,
            },
        }
    return found


@asynccontextmanager
async def pod(
    workers: Any = None, scheduler: type = TopologyScheduler, *, validate: bool = True, **options: Any
) -> AsyncIterator[tuple[Any, Client]]:
    """A scheduler and a client of it."""
    about = {"dashboard": False, "dashboard_address": ":0", "validate": validate, **options}
    async with (
        SpecCluster(
            workers=specs() if workers is None else workers,
            scheduler={"cls": scheduler, "options": about},
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        yield cluster.scheduler, client


def run(test: Callable[[], Any], limit_s: float = 180) -> None:
    """Run an async test."""
    asyncio.run(asyncio.wait_for(test(), limit_s))


def name(*_: object) -> str:
    """The worker this runs on."""
    return str(get_worker().name)


def most_assigned(scheduler: Scheduler) -> float:
    """The most chips of one worker that are given to tasks now."""
    return max(
        sum((ts.resource_restrictions or {}).get("chip", 0) for ts in ws.processing)
        for ws in scheduler.workers.values()
    )


async def watch(scheduler: Scheduler, futures: list[Any]) -> float:
    """The most chips of one worker that were given away at any time until all is done."""
    most = 0.0
    while not all(future.done() for future in futures):
        most = max(most, most_assigned(scheduler))
        await asyncio.sleep(0.005)
    return most
