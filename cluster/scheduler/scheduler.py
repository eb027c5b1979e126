"""Dask's scheduler for a pod of supernodes: what it overrides, each in a line or two, and who decides instead.

With all workers in one supernode and no chips asked for, every decision is stock Dask's.
"""

import asyncio
import math
import pickle
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import dask
from distributed.core import Status
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.http import get_handlers
from distributed.scheduler import DEFAULT_EXTENSIONS, Scheduler, _task_slots_available

from cluster.scheduler.buckets import Buckets
from cluster.scheduler.census import Presence
from cluster.scheduler.chip_scheduler import ChipScheduler
from cluster.scheduler.chips import CORES
from cluster.scheduler.events import Log
from cluster.scheduler.follow import follow
from cluster.scheduler.gate import Gate
from cluster.scheduler.place import Fabric
from cluster.scheduler.roots import Roots
from cluster.scheduler.shuffle import TopologyShuffle
from cluster.scheduler.spread import SpreadKeeper, nearest, spread
from cluster.scheduler.stealing import TopologyStealing
from cluster.scheduler.traffic import ASK_LIMIT_S, SENT, SentBytes, Traffic
from cluster.scheduler.wish import wants_chips
from cluster.topology import Topology

STOCK = "stock rule"
PAGES = "cluster.page"


class _Watch(SchedulerPlugin):  # type: ignore[misc]
    """Tells the parts what upstream's scheduler does: graphs, workers, transitions."""

    name = "topology"

    def __init__(self, scheduler: "TopologyScheduler") -> None:
        self.s = scheduler

    def update_graph(self, scheduler: Any, *, tasks: list[Any], **kwargs: Any) -> None:
        if not self.s.fabric.flat:
            self.s.roots.settle(tasks)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        self.s.join(self.s.workers[worker])

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        ts = self.s.tasks.get(key)
        if ts is None:
            return
        if finish in ("memory", "erred", "forgotten"):
            self.s.roots.home.pop(ts, None)
        if ts.resource_restrictions and wants_chips(ts):
            self.s.gate.transition(ts, start, finish)


class TopologyScheduler(ChipScheduler):
    """Places tasks by supernode and fabric, gives each chip to one task at a time, and starts gangs together."""

    def __init__(
        self,
        *,
        topology: Topology | Mapping[str, Any] | None = None,
        extensions: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if topology is not None and not isinstance(topology, Topology):
            topology = Topology.model_validate(topology)
        # Extensions ask for these while upstream's own __init__ runs.
        self.fabric, self.slots, self.log = Fabric(topology), Buckets(), Log()
        self.gate, self.roots, self.wire = Gate(self), Roots(self), Traffic(self.fabric)
        self.presence, self.why = Presence(topology), ""
        self.chosen: dict[Any, Any] = {}
        if extensions is None:
            ours = {"stealing": TopologyStealing, "shuffle": TopologyShuffle, "amm": SpreadKeeper}
            extensions = {**DEFAULT_EXTENSIONS, **ours}
            if not dask.config.get("distributed.scheduler.work-stealing"):
                del extensions["stealing"]
        # Upstream looks this up under the name of the class.
        options.setdefault("blocked_handlers", dask.config.get("distributed.scheduler.blocked-handlers"))
        cores = [name for name, kind in topology.kinds.items() if kind.device == "cpu"] if topology else CORES
        super().__init__(extensions=extensions, cores=cores, **options)
        self.add_plugin(_Watch(self))
        self.worker_plugins[SentBytes.name] = pickle.dumps(SentBytes())
        self.handlers |= {"explain": self.explain, "spread": self.spread, "traffic": self.traffic}
        self.stream_handlers[SENT] = self.handle_sent
        self.http_application.add_handlers(".*$", get_handlers(self, [PAGES], options.get("http_prefix")))

    @property
    def saturation_off(self) -> bool:
        """Whether root tasks go to workers at once, none being queued."""
        return math.isinf(self.WORKER_SATURATION)

    # Workers

    def join(self, ws: Any) -> None:
        """Note a worker's place, chips and slots."""
        was_flat = self.fabric.flat
        path = self.fabric.join(ws, (ws.extra or {}).get("place"), ws.host)
        self.gate.ledger.add(ws, path, ws.resources, ws.memory_limit)
        self.wire.join(ws.address, path)
        self.presence.join(path, ws.resources)
        self.roots.queues.join(ws, path)
        self._follow_status(ws, ws.status)
        if was_flat and not self.fabric.flat:
            self.roots.rebuild()

    def _follow_status(self, ws: Any, status: Status) -> None:
        running = status == Status.running
        self.gate.ledger.suspend(ws, not running)
        if running:
            self._count_slots(ws)
        else:
            self.slots.drop(ws)

    def _count_slots(self, ws: Any) -> None:
        threads = math.ceil(ws.nthreads) - len(ws.processing) + len(ws.long_running)
        free = threads if self.saturation_off else _task_slots_available(ws, self.WORKER_SATURATION)
        self.slots.put(ws, self.fabric.path[ws], max(0, free))
        if ws in self.idle_task_count:
            self.roots.opened(ws)

    def check_idle_saturated(self, ws: Any, occ: float = -1.0) -> None:
        super().check_idle_saturated(ws, occ)
        if ws in self.fabric.path and ws.status == Status.running:
            self._count_slots(ws)

    def handle_worker_status_change(self, status: str | Status, worker: Any, stimulus_id: str) -> None:
        ws = self.workers.get(worker) if isinstance(worker, str) else worker
        if ws in self.fabric.path:
            self._follow_status(ws, Status[status] if isinstance(status, str) else status)
        super().handle_worker_status_change(status, worker, stimulus_id)

    def add_resources(self, worker: str, resources: dict[str, float] | None = None) -> Any:
        ws = self.workers[worker]
        before = dict(ws.resources)
        answer = super().add_resources(worker, resources)
        if ws in self.fabric.path:
            self.presence.join(self.fabric.path[ws], before, -1)
            self.presence.join(self.fabric.path[ws], ws.resources)
            self.gate.ledger.add(ws, self.fabric.path[ws], ws.resources, ws.memory_limit)
        return answer

    async def remove_worker(self, address: str, *, stimulus_id: str, **options: Any) -> Any:
        ws = self.workers.get(self.coerce_address(address))
        if ws is not None:
            # Before upstream's transitions, which look for another worker for what ran there.
            if ws in self.fabric.path:
                self.presence.join(self.fabric.path[ws], ws.resources, -1)
                self.wire.leave(self.stream_comms[ws.address])
            self.gate.ledger.remove(ws)
            self.slots.drop(ws)
            self.roots.leave(ws)
            self.fabric.leave(ws)
        answer = await super().remove_worker(address, stimulus_id=stimulus_id, **options)
        if ws is not None:
            self.stimulus_queue_slots_maybe_opened(stimulus_id=stimulus_id)
        return answer

    def heartbeat_worker(self, *, address: str, metrics: dict[str, Any], **options: Any) -> Any:
        answer = super().heartbeat_worker(address=address, metrics=metrics, **options)
        ws = self.workers.get(address)
        for other, (bandwidth, count) in metrics["bandwidth"]["workers"].items():
            self.fabric.observe(ws, self.workers.get(other), bandwidth / count)
        return answer

    # Decisions

    def decide_worker_non_rootish(self, ts: Any) -> Any | None:
        if not self.running:
            return None
        if ts.resource_restrictions and wants_chips(ts):
            return self.gate.decide(ts)
        free = not (ts.actor or ts.worker_restrictions or ts.host_restrictions or ts.resource_restrictions)
        if free and not self.fabric.flat:
            ws = follow(self, ts) if ts.dependencies else self.roots.at_once(ts)
            if ws is not None:
                return ws
        return super().decide_worker_non_rootish(ts)

    def decide_worker_rootish_queuing_disabled(self, ts: Any) -> Any | None:
        home = None if self.fabric.flat else self.roots.at_once(ts)
        return home or super().decide_worker_rootish_queuing_disabled(ts)

    def _waiting_processing(self, key: Any, stimulus_id: str) -> Any:
        ts = self.tasks[key]
        if self.fabric.flat or self.saturation_off or not ts._queueable or not self.is_rootish(ts):
            return Scheduler._transition_waiting_processing(self, key, stimulus_id)
        ws = self.roots.with_slot(ts)
        return ({key: "queued"}, {}, {}) if ws is None else self._add_to_processing(ts, ws, stimulus_id)

    def _waiting_queued(self, key: Any, stimulus_id: str) -> Any:
        if self.fabric.flat:
            return Scheduler._transition_waiting_queued(self, key, stimulus_id)
        # As upstream, less its assertion that no worker has a slot: a task may wait for its home while others are idle.
        ts = self.tasks[key]
        if self.validate:
            self._validate_ready(ts)
        ts.state = "queued"
        self.queued.add(ts)
        self.roots.push(ts)
        return {}, {}, {}

    def _queued_processing(self, key: Any, stimulus_id: str) -> Any:
        ts = self.tasks[key]
        ws = self.chosen.pop(ts, None)
        if ws is None:
            return Scheduler._transition_queued_processing(self, key, stimulus_id)
        self.queued.discard(ts)
        return self._add_to_processing(ts, ws, stimulus_id)

    # Upstream looks transitions up in this table: overriding the methods alone would change nothing.
    _TRANSITIONS_TABLE: ClassVar[Mapping[tuple[str, str], Any]] = {
        **ChipScheduler._TRANSITIONS_TABLE,
        ("waiting", "processing"): _waiting_processing,
        ("waiting", "queued"): _waiting_queued,
        ("queued", "processing"): _queued_processing,
    }

    def _add_to_processing(self, ts: Any, ws: Any, stimulus_id: str) -> Any:
        self.log.note(ts.key, self.why or STOCK, ws.address, self.fabric.label(ws))
        self.why = ""
        return super()._add_to_processing(ts, ws, stimulus_id)

    def stimulus_queue_slots_maybe_opened(self, *, stimulus_id: str) -> None:
        self.gate.offer(stimulus_id)
        if self.fabric.flat or self.saturation_off:
            super().stimulus_queue_slots_maybe_opened(stimulus_id=stimulus_id)
        else:
            self.roots.offer(stimulus_id)

    # Data

    def get_comm_cost(self, ts: Any, ws: Any) -> float:
        if self.fabric.flat:
            return float(super().get_comm_cost(ts, ws))
        missing = [dependency for dependency in ts.dependencies if dependency not in ws.has_what]
        return sum(
            self.fabric.seconds(
                dependency.get_nbytes(),
                min((self.fabric.distance(ws, holder) for holder in dependency.who_has or ()), default=0),
            )
            for dependency in missing
        )

    def _task_to_msg(self, ts: Any) -> Any:
        message = super()._task_to_msg(ts)
        if not self.fabric.flat and ts.processing_on is not None:
            for dependency in ts.dependencies:
                if len(dependency.who_has or ()) > 1:
                    message["who_has"][dependency.key] = nearest(self.fabric, ts.processing_on, dependency.who_has)
        return message

    async def spread(self, keys: Iterable[Any]) -> dict[str, int]:
        """Copy results to every worker, one leader for each domain first; return copies made by level."""
        return await spread(self, list(keys))

    def handle_sent(self, sent: Mapping[str, int], worker: str) -> None:
        """A worker says what it has sent to whom since it last did."""
        self.wire.add(worker, sent)

    async def traffic(self) -> dict[str, Any]:
        """Bytes that moved so far, as ``Moved``; every worker is asked for what it has not told yet."""
        with suppress(asyncio.TimeoutError):  # some worker hangs: what is known is told
            told = await asyncio.wait_for(self.broadcast(msg={"op": SENT}, on_error="ignore"), ASK_LIMIT_S)
            for worker, sent in told.items():
                self.wire.add(worker, sent)
        return self.wire.moved(self.stream_comms)._asdict()

    def explain(self, key: Any) -> list[dict[str, Any]]:
        """The last decisions about a task: when, worker, place, why."""
        return self.log.of(key)
