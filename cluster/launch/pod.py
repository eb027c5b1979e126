"""A pod: one Dask cluster over an allocation, the same wherever its workers run."""

import asyncio
import contextlib
import logging
from collections.abc import Container
from typing import Any, Self
from urllib.parse import urljoin

import dask
import psutil
from distributed import SpecCluster
from distributed.core import Status
from distributed.deploy.cluster import Cluster

from cluster.launch.worker import CONFIG
from cluster.scheduler import TopologyScheduler
from cluster.scheduler.traffic import Moved
from cluster.scheduler.version import StockScheduler
from cluster.topology import Topology

# A pod elsewhere gets its shards over a link of 10 Gb/s.
ELSEWHERE_S_PER_BYTE = 8e-10
# A scheduler that does not answer for so long has nothing to say at the end of a run.
ASK_LIMIT_S = 5.0


class Pod:
    """A context manager: leaving it ends every process and job it started; in error, at once."""

    def __init__(self, topology: Topology, cluster: Cluster, seconds_per_byte: float = ELSEWHERE_S_PER_BYTE) -> None:
        self.topology, self.cluster, self.seconds_per_byte = topology, cluster, seconds_per_byte

    @property
    def address(self) -> str:
        """Where clients connect."""
        return str(self.cluster.scheduler_address)

    @property
    def slots(self) -> int:
        """How many one-chip shards run at a time."""
        return self.topology.chips

    @property
    def hub_map(self) -> str:
        """Address of the page that shows the pod live; empty where its scheduler has none."""
        link = "" if TopologyScheduler is StockScheduler else str(self.cluster.dashboard_link)
        return urljoin(link, "hub") if link else ""

    def traffic(self) -> Moved | None:
        """Bytes that moved in this pod so far; None where nobody counts, or the scheduler does not answer."""

        async def ask() -> Any:
            return await asyncio.wait_for(self.cluster.scheduler_comm.traffic(), ASK_LIMIT_S)

        if TopologyScheduler is StockScheduler or self.cluster.status != Status.running:
            return None
        try:
            return Moved(**self.cluster.sync(ask))
        except (OSError, TimeoutError):
            return None

    def worker_processes(self) -> list[int]:
        """Process ids of the workers that run now, of those on this machine."""
        workers = getattr(self.cluster, "workers", {})
        return [nanny.pid for nanny in workers.values() if getattr(nanny, "pid", None)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stop_work()
        self.cluster.close()

    def _stop_work(self) -> None:
        """End what runs here: a thread that waits for an engine cannot be asked to stop, its process can be killed.

        Workers elsewhere stop at once when the cluster closes: see ``cluster.launch.host``.
        """
        for pid in self.worker_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                worker = psutil.Process(pid)
                kill_below(worker)
                worker.kill()


def kill_below(process: psutil.Process) -> None:
    """Kill all that a process has started, and what that has."""
    for one in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()


def allotment(topology: Topology, hosts: Container[str]) -> Topology:
    """The topology as far as these hosts go: all others are absent."""
    absent = {str(place): "absent" for place in topology.places() if str(place) not in hosts}
    return topology.model_copy(update={"health": {**topology.health, **absent}})


def start_cluster(topology: Topology, workers: dict[str, dict[str, Any]], **scheduler: Any) -> SpecCluster:
    """Start a scheduler in this process, and the workers."""
    dask.config.set(CONFIG)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # workers come and go; the run says what matters
    options = {"port": 0, "dashboard_address": ":0", "topology": topology, **scheduler}
    if dask.config.get("distributed.comm.require-encryption"):
        options["protocol"] = "tls"
    spec = {"cls": TopologyScheduler, "options": options}
    return SpecCluster(workers=workers, scheduler=spec, silence_logs=logging.ERROR, name=topology.name)
