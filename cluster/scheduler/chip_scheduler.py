"""Dask's scheduler with a gate before the chips: what it overrides so that no chip is given twice."""

import pickle
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from distributed.scheduler import Scheduler

from cluster.scheduler.chips import CORES, FREED, ChipNumbers
from cluster.scheduler.gate import Gate
from cluster.scheduler.wish import wants_chips


class ChipScheduler(Scheduler):  # type: ignore[misc]
    """Gives each chip to one task at a time, and tells workers to number them."""

    gate: Gate
    unrunnable: dict[Any, float]

    def __init__(self, *, cores: Collection[str] = CORES, **options: Any) -> None:
        self._ended: Any = None
        super().__init__(**options)
        self.stream_handlers[FREED] = self.handle_chips_freed
        self.worker_plugins[ChipNumbers.name] = pickle.dumps(ChipNumbers(cores))

    def acquire_resources(self, ts: Any, ws: Any) -> None:
        super().acquire_resources(ts, ws)
        self.gate.take(ts, ws)

    def release_resources(self, ts: Any, ws: Any) -> None:
        super().release_resources(ts, ws)
        self.gate.ledger.give(ts.key)

    def _processing_released(self, key: Any, stimulus_id: str) -> Any:
        # Given up, but a thread cannot be stopped: its chips are free when it has ended.
        if key != self._ended:
            self.gate.ledger.linger(key)
        return Scheduler._transition_processing_released(self, key, stimulus_id)

    # Upstream looks transitions up in this table: overriding the methods alone would change nothing.
    _TRANSITIONS_TABLE: ClassVar[Mapping[tuple[str, str], Any]] = {
        **getattr(Scheduler, "_TRANSITIONS_TABLE", {}),
        ("processing", "released"): _processing_released,
    }

    # Where upstream does not offer queued tasks again, but chips may be free or gangs complete.

    def _create_taskstate_from_graph(self, *, stimulus_id: str, **options: Any) -> Any:
        answer = super()._create_taskstate_from_graph(stimulus_id=stimulus_id, **options)
        self.stimulus_queue_slots_maybe_opened(stimulus_id=stimulus_id)
        return answer

    def _reschedule(self, key: Any, worker: str | None = None, *, stimulus_id: str) -> None:
        with self._thread_ended(key, worker):
            super()._reschedule(key, worker, stimulus_id=stimulus_id)
        self.stimulus_queue_slots_maybe_opened(stimulus_id=stimulus_id)

    def handle_task_finished(self, key: Any, worker: str, stimulus_id: str, **message: Any) -> None:
        with self._thread_ended(key, worker):
            super().handle_task_finished(key=key, worker=worker, stimulus_id=stimulus_id, **message)

    def handle_task_erred(self, key: Any, stimulus_id: str, **message: Any) -> None:
        with self._thread_ended(key, message.get("worker")):
            super().handle_task_erred(key=key, stimulus_id=stimulus_id, **message)

    def handle_chips_freed(self, key: Any, worker: str, stimulus_id: str) -> None:
        """The thread of a task that was given up has ended."""
        if self.gate.ledger.gone(key, self.workers.get(worker)):
            self.stimulus_queue_slots_maybe_opened(stimulus_id=stimulus_id)

    @contextmanager
    def _thread_ended(self, key: Any, worker: str | None) -> Iterator[None]:
        self.gate.ledger.gone(key, self.workers.get(worker))
        self._ended = key
        try:
            yield
        finally:
            self._ended = None

    def stimulus_retry(self, keys: Any, client: str | None = None) -> Any:
        answer = super().stimulus_retry(keys, client)
        self.stimulus_queue_slots_maybe_opened(stimulus_id="retry")
        return answer

    # Held tasks

    def bulk_schedule_unrunnable_after_adding_worker(self, ws: Any) -> Any:
        """Leave out chip tasks, which are offered right after: upstream asks each of them about every worker."""
        if len(self.unrunnable) == len(self.gate.held):
            return {}
        every: dict[Any, float] = self.unrunnable
        self.unrunnable = {ts: since for ts, since in every.items() if not wants_chips(ts)}
        try:
            return super().bulk_schedule_unrunnable_after_adding_worker(ws)
        finally:
            self.unrunnable = every

    def _check_unrunnable_task_timeouts(self, timestamp: float, recommendations: Any, stimulus_id: str) -> set[Any]:
        """Fail held tasks that no worker could ever run; those that wait their turn wait on."""
        failed: set[Any] = set()
        if self._no_workers_since is None:
            failed = self.gate.judge(timestamp - self.no_workers_timeout, timestamp, stimulus_id)
        others: set[Any] = super()._check_unrunnable_task_timeouts(timestamp, recommendations, stimulus_id)
        return failed | others

    def fail_held(self, ts: Any, error: Exception, stimulus_id: str) -> None:
        """End a held task with an error."""
        recommendations, to_clients, to_workers = self._transition(
            ts.key, "erred", stimulus_id, exception=pickle.dumps(error), cause=ts.key
        )
        self._transitions(recommendations, to_clients, to_workers, stimulus_id)
        self.send_all(to_clients, to_workers)
