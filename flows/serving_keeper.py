"""Runs that lost their process are started again: finished shards are kept, so they go on where they stopped.

A server knows a run by its last state only: when a process is killed, or the machine goes down, its runs would stay
Running for ever. Here a run lives as long as its process holds its lock. Runs of other machines' workers are judged by
Prefect's heartbeats (``flows.serving_automations``), and started again once they are marked Crashed.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import AwaitingRetry, Cancelled, Crashed

from flows.serve import POOL

LOG = logging.getLogger("ai4s.serve")
# A run that ended so often without a result is not started again by itself.
MOST_STARTS = 5
AGAIN_AFTER_S = 10.0
# A worker has a run this long before its process holds the lock.
CLAIMED_LIMIT_S = 120.0
# Ends that are nobody's mistake: what a run needs was away.
AWAY = re.compile(
    r"\b(PodsLost|ConnectError|ConnectTimeout|ReadTimeout|ReadError|RemoteProtocolError|PrefectHTTPStatusError"
    r"|OperationalError)\b|is running in another process|(Nanny|Worker|Scheduler) failed to start"
)
UNDER_WAY = (StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.CANCELLING)
RECENT = timedelta(days=1)
PAGE = 200


class Keeper:
    """Looks after the runs of one worker; ``alive`` says whether a run's process lives."""

    def __init__(self, client: SyncPrefectClient, worker: str, alive: Callable[[UUID], bool]) -> None:
        self.client, self.worker, self.alive = client, worker, alive
        self._missed: set[UUID] = set()

    def look(self, claimed_before: datetime, *, at_once: bool = False) -> int:
        """Start again what is lost; returns how many. ``claimed_before``: when the worker that runs now was started.

        A process may end while this looks, so a run is lost when it is missed twice; ``at_once`` where no worker runs.
        """
        missed = {run.id: run for run in self._under_way() if self._is_lost(run, claimed_before)}
        lost = [run for key, run in missed.items() if at_once or key in self._missed]
        self._missed = {*missed}
        ended = [run for run in self._ended() if not self.alive(run.id)]
        return sum(self._again(run) for run in [*lost, *ended])

    def _under_way(self) -> Iterator[FlowRun]:
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[*UNDER_WAY]))
        return self._pages(FlowRunFilter(state=state))

    def _ended(self) -> Iterator[FlowRun]:
        """Those that ended lately without a result, through nobody's mistake."""
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED, StateType.FAILED]))
        since = FlowRunFilterEndTime(after_=datetime.now(UTC) - RECENT)
        for run in self._pages(FlowRunFilter(state=state, end_time=since)):
            words = (run.state.message or "") if run.state else ""
            crashed = run.state is not None and run.state.is_crashed()
            if run.run_count < MOST_STARTS and (crashed or AWAY.search(words)):
                yield run

    def _pages(self, which: FlowRunFilter) -> Iterator[FlowRun]:
        ours = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
        offset = 0
        while True:
            page = self.client.read_flow_runs(flow_run_filter=which, work_pool_filter=ours, limit=PAGE, offset=offset)
            yield from page
            offset += len(page)
            if len(page) < PAGE:
                return

    def _is_lost(self, run: FlowRun, claimed_before: datetime) -> bool:
        """Whether a run that is under way has no process any more."""
        if run.labels.get("prefect.worker.name", self.worker) != self.worker or self.alive(run.id):
            return False
        if run.state is None or run.state_type != StateType.PENDING:
            return True
        claimed = run.state.timestamp
        return claimed < claimed_before or claimed < datetime.now(UTC) - timedelta(seconds=CLAIMED_LIMIT_S)

    def _again(self, run: FlowRun) -> bool:
        """Give a run its next state; False where it is not started again."""
        state, now = run.state, self.client.read_flow_run(run.id).state
        if state is None or now is None or now.id != state.id:
            return False  # it went on in the meantime
        if state.is_cancelling():
            self.client.set_flow_run_state(run.id, Cancelled(message="Its process is gone."), force=True)
            return False
        if run.run_count >= MOST_STARTS:
            words = f"Ended {run.run_count} times without a result. See the log; Retry goes on where it stopped, as does ai4s resume."
            self.client.set_flow_run_state(run.id, Crashed(message=words), force=True)
            LOG.error("run=%s %s is not started again: it ended %d times", run.id, run.name, run.run_count)
            return False
        self._end_below(run)
        if state.is_paused():
            self._forget_question(run)
        soon = datetime.now(UTC) + timedelta(seconds=AGAIN_AFTER_S * run.run_count)
        words = f"Lost in state {state.name}: {state.message or 'its process is gone'}. It goes on; finished shards are kept."
        self.client.set_flow_run_state(run.id, AwaitingRetry(scheduled_time=soon, message=words[:2000]), force=True)
        LOG.warning("run=%s %s was lost in state %s and is started again", run.id, run.name, state.name)
        return True

    def _end_below(self, run: FlowRun) -> None:
        """The flows that a lost run had called are gone with it; it calls them again."""
        under_way = FlowRunFilterState(type=FlowRunFilterStateType(any_=[*UNDER_WAY]))
        below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]), state=under_way)
        for one in self.client.read_flow_runs(flow_run_filter=below):
            self.client.set_flow_run_state(
                one.id, Crashed(message="The run that called it lost its process."), force=True
            )

    def _forget_question(self, run: FlowRun) -> None:
        """Let a run that waited for a person ask again: the form on its page belongs to a process that is gone."""
        assert run.state is not None
        details, policy = run.state.state_details, run.empirical_policy
        for key in (details.run_input_keyset or {}).values():
            with contextlib.suppress(httpx.HTTPStatusError):  # not all of them have been written
                self.client.delete_flow_run_input(run.id, key)
        policy.pause_keys = {key for key in policy.pause_keys or () if key != details.pause_key}
        self.client.update_flow_run(run.id, empirical_policy=policy)
