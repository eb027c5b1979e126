"""A pod on this machine: labelled workers, one for each place of the topology."""

import contextlib
import logging
from typing import Any, Self

import dask
import psutil
from distributed import Nanny, Scheduler, SpecCluster, get_worker

from cluster.topology import Place, Topology

# A worker that dies is started again; only after this many deaths with the same shard is the shard itself suspected.
ALLOWED_FAILURES = 10
CONFIG = {
    # A worker that cannot be started again must not leave its shards waiting for ever.
    "distributed.scheduler.no-workers-timeout": "120s",
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1,
    "distributed.nanny.pre-spawn-environ.OPENBLAS_NUM_THREADS": 1,
}


class PlaceLabel:
    """Tells the scheduler where a worker stands."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __call__(self, worker: Any = None) -> str:
        return str(self.place)


class Pod:
    """One Dask cluster over an allocation, here over a whole topology."""

    def __init__(self, topology: Topology, cluster: SpecCluster) -> None:
        self.topology, self.cluster = topology, cluster

    @property
    def address(self) -> str:
        """Where clients connect."""
        return str(self.cluster.scheduler_address)

    @property
    def slots(self) -> int:
        """How many one-chip shards run at a time."""
        return self.topology.chips

    def worker_processes(self) -> list[int]:
        """Process ids of the workers that run now."""
        return [nanny.pid for nanny in self.cluster.workers.values() if getattr(nanny, "pid", None)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stop_work()
        self.cluster.close()

    def _stop_work(self) -> None:
        """End what runs now: a thread that waits for an engine cannot be asked to stop, its process can be killed."""
        for pid in self.worker_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                worker = psutil.Process(pid)
                for process in [*worker.children(recursive=True), worker]:
                    process.kill()


def _workers(topology: Topology) -> dict[str, dict[str, Any]]:
    """Worker specifications by name.

    A host is one worker whose threads drive its chips. A CPU core is its own worker, as two threads of one Python
    process cannot compute at a time.
    """
    specs: dict[str, dict[str, Any]] = {}
    for place in topology.places():
        workers = [
            (name, topology.kinds[name], 1 if topology.kinds[name].device == "cpu" else chips)
            for name, chips in place.chips.items()
            for _ in range(chips if topology.kinds[name].device == "cpu" else 1)
        ]
        for number, (name, kind, chips) in enumerate(workers):
            specs[f"{place}/{number}"] = {
                "cls": Nanny,
                "options": {
                    "nthreads": chips,
                    "resources": {"chip": chips, f"chip.{name}": chips},
                    "startup_information": {"place": PlaceLabel(place)},
                    "memory_limit": int(kind.memory.value * chips * 2**30),
                    "silence_logs": logging.ERROR,
                },
            }
    return specs


def start_local(topology: Topology) -> Pod:
    """Start a scheduler and the topology's workers as processes of this machine."""
    dask.config.set(CONFIG)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # workers come and go; the run says what matters
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}}
    cluster = SpecCluster(
        workers=_workers(topology), scheduler=scheduler, silence_logs=logging.ERROR, name=topology.name
    )
    return Pod(topology, cluster)


def here() -> str:
    """The name of the worker this runs on: supernode/host/number; ``local`` outside a worker."""
    try:
        return str(get_worker().name)
    except ValueError:
        return "local"
