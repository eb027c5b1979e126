"""A served hub for measurements and tests: ``ai4s serve`` as a person starts it, in a folder and at a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.bench import ROOT
from flows.serving_status import logged_in

START_LIMIT_S = 180.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Hub:
    """A data folder and the server on it, which can be stopped, killed and started again."""

    def __init__(self, data: Path, *, password: str = "", options: Sequence[str] = (), database: str = "") -> None:
        self.data, self.password, self.port = data, password, free_port()
        self.options, self.log = options, data.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None
        dropped = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "AI4S_RUNS", "AI4S_TEMPLATES", "PREFECT_LOGGING_LEVEL")
        self.environment = {key: value for key, value in os.environ.items() if key not in dropped}
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.environment |= {"AI4S_SERVE_PASSWORD": password, "AI4S_SERVE_DATABASE": database, "PYTHONWARNINGS": ""}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it; returns the seconds until it says that it is ready."""
        before = self.log.read_text().count("ready:") if self.log.exists() else 0
        begun = time.monotonic()
        words = ["serve", "--data", str(self.data), "--port", str(self.port), *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", *words], env=self.environment, stdout=log, stderr=log,
                cwd=self.data.parent, start_new_session=True,
            )  # fmt: skip
        while self.log.read_text().count("ready:") == before:
            if self.process.poll() is not None or time.monotonic() - begun > START_LIMIT_S:
                raise RuntimeError(f"not served: {self.log.read_text()[-3000:]}")
            time.sleep(0.1)
        return time.monotonic() - begun

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Stop it with a signal; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(60)

    def child(self, what: str) -> psutil.Process:
        """The process of its ``server`` or ``worker``."""
        assert self.process is not None
        for one in psutil.Process(self.process.pid).children():
            if f"flows.serving_server {what}" in " ".join(one.cmdline()):
                return one
        raise RuntimeError(f"there is no {what}")

    def client(self) -> AbstractContextManager[httpx.Client]:
        """A client of its API that logs in."""
        return logged_in(self.url, self.password)


@contextmanager
def hub(data: Path, **how: Any) -> Iterator[Hub]:
    """A started hub; nothing of it is left in the end."""
    one = Hub(data, **how)
    try:
        one.start()
        yield one
    finally:
        if one.process is not None:
            if one.process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    one.stop()
            with suppress(ProcessLookupError):
                os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()


@contextmanager
def prefect_client(one: Hub) -> Iterator[Any]:
    """Prefect's own client of a hub."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    changes: dict[Any, Any] = {PREFECT_API_URL: f"{one.url}/api"}
    if one.password:
        changes[PREFECT_API_AUTH_STRING] = f"admin:{one.password}"
    with temporary_settings(changes), get_client(sync_client=True) as client:
        yield client


def deploy_counted(client: Any) -> Any:
    """Make the deployment of the counted flow; returns its id."""
    from benchmarks.serving_flow import counted

    return client.create_deployment(
        client.create_flow(counted), "counted", entrypoint="benchmarks.serving_flow:counted", work_pool_name="ai4s",
        enforce_parameter_schema=False,
    )  # fmt: skip


def states(client: Any, runs: Sequence[Any]) -> list[Any]:
    """The runs as they are now."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    found: list[Any] = []
    for start in range(0, len(runs), 100):
        which = FlowRunFilter(id=FlowRunFilterId(any_=list(runs[start : start + 100])))
        found += client.read_flow_runs(flow_run_filter=which, limit=200)
    return found


def until_ended(client: Any, runs: Sequence[Any], limit_s: float) -> list[Any]:
    """Wait until all runs have ended well, or the time is over; returns them."""
    end = time.monotonic() + limit_s
    while True:
        with suppress(httpx.HTTPError):
            found = states(client, runs)
            if all(one.state.is_completed() for one in found) or time.monotonic() > end:
                return found
        if time.monotonic() > end + 60:
            raise RuntimeError("the server does not answer")
        time.sleep(0.5)
