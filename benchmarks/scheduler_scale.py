"""What a task costs the scheduler, stock Dask's and ours, from one supernode to 60,000 chips.

The real scheduler object with workers that are only names: no network, no computing. Times are CPU time of the
scheduler's thread, so neighbours on the machine matter little.
"""

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import dask
from dask._task_spec import Task
from distributed import Scheduler
from distributed.scheduler import ClientState

from benchmarks.bench import Row, main
from cluster.scheduler import TopologyScheduler

CHIPS, SUPERNODE = 8, 80
PODS = (80, 750, 7500)
# One-chip tasks of one measurement: all of them fit the smallest pod.
TASKS = 500
SHARDS, SHARDS_QUICK = 130_000, 20_000
ONE_CHIP: Mapping[str, Any] = {"resources": {"chip": 1}}
NAMES = {Scheduler: "stock", TopologyScheduler: "ours"}


class Stream:
    """A connection that takes whatever is sent."""

    def send(self, *messages: Any) -> None:
        pass

    async def write(self, message: Any) -> None:
        pass


class Pod:
    """A scheduler and its named workers."""

    def __init__(self, scheduler: Any) -> None:
        self.s = scheduler(dashboard=False, dashboard_address=":0", validate=False)
        self.s.clients["c"], self.s.client_comms["c"] = ClientState("c"), Stream()
        self.tasks = 0

    async def join(self, hosts: int) -> None:
        """Register workers, without serving their streams and without comparing versions with all others."""

        async def serve_nothing(comm: Any, worker: str) -> None:
            pass

        self.s.handle_worker = serve_nothing
        metrics = {
            "bandwidth": {"total": 1e8, "workers": {}, "types": {}},
            "digests_total_since_heartbeat": {},
            "memory": 0,
            "spilled_bytes": {"memory": 0, "disk": 0},
        }
        with patch("distributed.versions.error_message", lambda *about, **more: {"warning": None, "error": None}):
            for host in range(hosts):
                address = f"tcp://10.{host >> 16}.{(host >> 8) & 255}.{host & 255}:4000"
                await self.s.add_worker(
                    comm=Stream(), address=address, resolve_address=False, status="running", server_id=address,
                    nthreads=CHIPS, name=host, now=time.time(), resources={"chip": CHIPS, "chip.a": CHIPS},
                    memory_limit=2**40, metrics=metrics, pid=host, services={}, local_directory="", versions={},
                    nanny="", extra={"place": f"sn{host // SUPERNODE}/h{host % SUPERNODE}"}, stimulus_id="join",
                )  # fmt: skip
                self.s.stream_comms[address] = Stream()

    def submit(self, count: int, notes: Mapping[str, Any] | None) -> float:
        """Submit a graph of tasks without inputs; seconds that the loop was blocked."""
        self.tasks += 1
        keys = [(f"task{self.tasks}", number) for number in range(count)]
        graph = {key: Task(key, int, 1) for key in keys}
        started = time.thread_time()
        self.s._create_taskstate_from_graph(
            start=time.time(), dsk=graph, keys=set(keys), ordered={key: at for at, key in enumerate(keys)}, client="c",
            annotations_by_type={}, global_annotations=notes, stimulus_id="graph", submitting_task=None,
            span_metadata={"collections": []},
        )  # fmt: skip
        return time.thread_time() - started

    def finish(self, count: int) -> float:
        """Let running tasks end, one after the other; seconds for all that follows."""
        running = [ts for ts in self.s.tasks.values() if ts.state == "processing"][:count]
        spent = 0.0
        for ts in running:
            worker, run_id = ts.processing_on.address, ts.run_id
            started = time.thread_time()
            self.s.handle_task_finished(
                key=ts.key, worker=worker, stimulus_id="end", run_id=run_id, metadata={}, nbytes=1000, type=b"",
                typename="int", thread=1, startstops=({"action": "compute", "start": 0.0, "stop": 10.0},),
            )  # fmt: skip
            spent += time.thread_time() - started
        return spent / len(running)


async def pod_of(scheduler: Any, hosts: int) -> Pod:
    """A pod, warmed up."""
    pod = Pod(scheduler)
    await pod.join(hosts)
    gc.collect()
    gc.freeze()
    return pod


async def one_chip_tasks(hosts: int) -> list[Row]:
    """Placing a one-chip task, and what follows when one ends."""
    rows, placed = [], {}
    for scheduler, name in NAMES.items():
        pod = await pod_of(scheduler, hosts)
        pod.submit(20, ONE_CHIP)
        placed[name] = pod.submit(TASKS, ONE_CHIP) / TASKS * 1e6
        ended = pod.finish(TASKS) * 1e6
        target = "< 100" if scheduler is TopologyScheduler else ""
        what = f"{hosts:,} hosts, {name}: place a one-chip task"
        rows.append(Row.judged(what, placed[name], "us", target) if target else Row(what, placed[name], "us"))
        rows.append(Row(f"{hosts:,} hosts, {name}: end one, place the next", ended, "us"))
        del pod
        gc.unfreeze()
    rows.append(Row(f"{hosts:,} hosts: stock / ours", placed["stock"] / placed["ours"], "times"))
    return rows


async def many_tasks(count: int, notes: Mapping[str, Any] | None, what: str, schedulers: tuple[Any, ...]) -> list[Row]:
    """How long one large submission blocks the loop of the largest pod."""
    rows = []
    for scheduler in schedulers:
        pod = await pod_of(scheduler, PODS[-1])
        seconds = pod.submit(count, notes)
        name = f"{PODS[-1]:,} hosts, {NAMES[scheduler]}: submit {count:,} {what}"
        judged = scheduler is TopologyScheduler and count == SHARDS
        rows.append(Row.judged(name, seconds, "s", "< 10") if judged else Row(name, seconds, "s"))
        if scheduler is TopologyScheduler:
            rows.append(Row(f"{PODS[-1]:,} hosts, ours: then end one, place the next", pod.finish(2000) * 1e6, "us"))
        del pod
        gc.unfreeze()
    return rows


async def measured(quick: bool) -> list[Row]:
    """All rows."""
    rows = [row for hosts in PODS for row in await one_chip_tasks(hosts)]
    count = SHARDS_QUICK if quick else SHARDS
    # Stock places a one-chip task of the largest pod in about 17 ms: this many would take it an hour.
    rows += await many_tasks(count, ONE_CHIP, "one-chip tasks", (TopologyScheduler,))
    rows += await many_tasks(count, None, "plain tasks", (TopologyScheduler,) if quick else tuple(NAMES))
    return rows


def measure(arguments: argparse.Namespace) -> list[Row]:
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with dask.config.set({"distributed.admin.low-level-log-length": 1000}):
        return asyncio.run(measured(arguments.quick))


if __name__ == "__main__":
    main(measure, __doc__)
