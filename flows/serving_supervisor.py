"""One command for a group's server: Prefect's server, its deployments, its worker and its pod, kept up until told to stop."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from domains.errors import InvalidRequest
from flows.launch import prepare_environment
from flows.server import ServerFailed
from flows.serving_processes import Watched
from flows.serving_site import Site, forget_dead, is_held, take

if TYPE_CHECKING:
    from flows.serving_keeper import Keeper

LOG = logging.getLogger("ai4s.serve")
OF_SERVER = ("PREFECT_SERVER_", "AI4S_SERVE_DATABASE")
START_LIMIT_S = 180.0
LOOK_EVERY_S = 5.0
# What runs is told to stop and may say so; what is not done by then is killed, and goes on after the next start.
WORKER_GRACE_S, SERVER_GRACE_S = 6.0, 10.0


class Serving:
    """The processes of a site and the runs they have."""

    def __init__(self, site: Site) -> None:
        self.site, self.stopped = site, threading.Event()
        environment = site.environment()
        logs = site.data / "logs"
        host = site.host or "0.0.0.0"
        self.server = Watched(
            "server", ["flows.serving_server", "server", host, str(site.port)], environment, logs, site.data
        )
        # Runs need the server's address and login, and not the database's.
        of_runs = {name: value for name, value in environment.items() if not name.startswith(OF_SERVER)}
        words = ["flows.serving_server", "worker", "ai4s", site.worker]
        self.worker = Watched("worker", words, of_runs, logs, site.data)
        self.worker_since = datetime.now(UTC)

    def run(self) -> None:
        """Bring everything up, keep it up, and take it down in good order when told to stop."""
        from prefect.client.orchestration import get_client

        from flows.serve import collect, register
        from flows.serving_automations import mark_zombies
        from flows.serving_keeper import Keeper
        from flows.serving_pool import make_pool

        found = collect(self.site.templates, self.site.schedules)
        forget_dead(self.site.live)
        self.server.start()
        try:
            self._until_it_answers()
            with get_client(sync_client=True) as client:
                make_pool(client, self.site.runs_at_once)
                changed = register(found)
                mark_zombies()
                keeper = Keeper(client, self.site.worker, lambda run: is_held(self.site.live / str(run)))
                self._look(keeper, at_once=True)
                self._start_worker()
                LOG.info("%d deployments, %d new or changed: %s", len(found), len(changed), ", ".join(changed) or "-")
                LOG.info("ready: %s", self.site.url)
                self._keep_up(keeper)
                self.worker.stop(WORKER_GRACE_S)
                self._look(keeper, at_once=True)
        finally:
            self.worker.stop(0.0)
            self.server.stop(SERVER_GRACE_S)

    def _until_it_answers(self) -> None:
        """Return when the server answers; raises ServerFailed when it ends or takes too long."""
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            if self.server.ended is not None:
                raise ServerFailed(f"the Prefect server ended at its start: {self.server.last_words()}")
            if self.stopped.is_set():
                return
            if answers(self.site):
                return
            time.sleep(0.2)
        raise ServerFailed(f"the Prefect server did not answer within {START_LIMIT_S:.0f} s; see {self.server.log}")

    def _start_worker(self) -> None:
        self.worker_since = datetime.now(UTC)
        self.worker.start()

    def _keep_up(self, keeper: "Keeper") -> None:
        """Until told to stop: start again what has ended, and runs that lost their process."""
        looked = time.monotonic()
        while not self.stopped.wait(0.5):
            for one in (self.server, self.worker):
                status = one.ended
                now = datetime.now(UTC)
                if one.revive():
                    LOG.warning("the %s ended with status %s and was started again; see %s", one.name, status, one.log)
                    self.worker_since = now if one is self.worker else self.worker_since
            if time.monotonic() - looked > LOOK_EVERY_S:
                self._look(keeper)
                looked = time.monotonic()

    def _look(self, keeper: "Keeper", *, at_once: bool = False) -> None:
        from prefect.exceptions import PrefectException

        try:
            keeper.look(self.worker_since, at_once=at_once)
        except (httpx.HTTPError, PrefectException, OSError) as error:
            LOG.warning("the runs cannot be looked after just now: %s", type(error).__name__)


def answers(site: Site) -> bool:
    """Whether the server answers."""
    try:
        return httpx.get(f"{site.url}/api/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def serve(site: Site) -> None:
    """Serve until SIGINT or SIGTERM; raises what a person can mend."""
    os.umask(0o077)
    site.data.mkdir(parents=True, exist_ok=True)
    lock = take(site.data / ".serve.lock")
    if lock is None:
        raise InvalidRequest("data", str(site.data), "is served by another process", "another --data, or stop that one")
    _settle(site)
    serving = Serving(site)
    with _until_told(serving.stopped), _noted(site):
        serving.run()
    lock.close()


def _settle(site: Site) -> None:
    """Make this process a client of the site's server, whatever it was before."""
    from prefect.context import refresh_global_settings_context

    environment = site.environment()
    for name in {*os.environ} - {*environment}:
        del os.environ[name]
    os.environ.update(environment)
    prepare_environment()
    refresh_global_settings_context()


@contextmanager
def _until_told(stopped: threading.Event) -> Iterator[None]:
    before = {one: signal.signal(one, lambda *_: stopped.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _noted(site: Site) -> Iterator[None]:
    """Say where the server is, for ``--status``; nothing secret."""
    noted = {"pid": os.getpid(), "url": site.url, "worker": site.worker, "profile": site.profile,
             "database": site.database_shown, "runs": str(site.runs), "since": datetime.now(UTC).isoformat()}  # fmt: skip
    site.state.write_text(json.dumps(noted, indent=2) + "\n")
    try:
        yield
    finally:
        site.state.unlink(missing_ok=True)
