"""A process of the fabric benchmark: ``scheduler stock|ours PORT`` or ``worker ADDRESS PLACE OWN_ADDRESS``."""

import asyncio
import sys

import dask

from benchmarks.netlab import HEAD

THREADS = 2
# The bytes are what is measured: no compression, nothing spilled. The clusters of other schedulers wait meanwhile: no profile.
CONFIG = {
    "distributed.worker.profile.enabled": False,
    "distributed.comm.compression": None,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


async def scheduler(kind: str, port: int, saturation: float) -> None:
    """Serve as scheduler until killed."""
    from distributed import Scheduler

    from cluster.scheduler import TopologyScheduler

    dask.config.set({"distributed.scheduler.worker-saturation": saturation})
    cls = TopologyScheduler if kind == "ours" else Scheduler
    async with cls(host=HEAD, port=port, dashboard=False) as server:
        await server.finished()


async def worker(address: str, place: str, own: str) -> None:
    """Serve as worker until killed."""
    from distributed import Worker

    from cluster.launch.worker import PlaceLabel

    label = {"place": PlaceLabel(place)}
    async with Worker(
        address, host=own, nthreads=THREADS, memory_limit=0, name=place, dashboard=False, startup_information=label
    ) as server:
        await server.finished()


if __name__ == "__main__":
    dask.config.set(CONFIG)
    role, *words = sys.argv[1:]
    if role == "scheduler":
        asyncio.run(scheduler(words[0], int(words[1]), float(words[2])))
    else:
        asyncio.run(worker(words[0], words[1], words[2]))
