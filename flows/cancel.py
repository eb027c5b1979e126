"""Heed the Cancel button of the Prefect page also where no Prefect worker watches over the flow's process."""

import contextlib
import os
import signal
import threading
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.states import Cancelled

LOOK_EVERY_S = 2.0


class CancelWatch:
    """Interrupts this process, as Ctrl-C does, when its flow run is cancelled on the server."""

    def __init__(self) -> None:
        self.flow_run: UUID | None = None
        self._ended = threading.Event()

    def start(self, flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
        """Begin to watch: the flow's hook for when it runs."""
        self.flow_run = flow_run.id
        threading.Thread(target=self._watch, args=(flow_run.id,), daemon=True).start()

    def _watch(self, flow_run: UUID) -> None:
        with get_client(sync_client=True) as client:
            while not self._ended.wait(LOOK_EVERY_S):
                try:
                    state = client.read_flow_run(flow_run).state
                except (PrefectException, httpx.HTTPError, OSError):
                    continue  # a server that is away for a moment cancels nothing
                if state is not None and (state.is_cancelling() or state.is_cancelled()):
                    os.kill(os.getpid(), signal.SIGINT)  # to the process: it wakes the main thread up
                if state is not None and (state.is_cancelling() or state.is_final()):
                    return

    def confirm(self) -> None:
        """Tell the server that the run ended as cancelled: it would show an interrupted one as crashed."""
        self._ended.set()
        if self.flow_run is None:
            return
        # The server may be gone already; then there is nobody to tell.
        gone = (PrefectException, httpx.HTTPError, OSError, RuntimeError)
        with contextlib.suppress(*gone), get_client(sync_client=True) as client:
            client.set_flow_run_state(self.flow_run, Cancelled(), force=True)
