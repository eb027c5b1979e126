"""The processes of a site beside the runs: Prefect's server with its pages, and its worker. Each ends with its parent."""

import asyncio
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from flows.server import end_with
from flows.serving_site import REPORTS

if TYPE_CHECKING:
    from fastapi import FastAPI


def server(host: str, port: int) -> None:
    """Serve Prefect's API and pages, and the reports."""
    import uvicorn

    uvicorn.run(
        "flows.serving_server:pages",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=5,
        server_header=False,
    )


def pages() -> "FastAPI":
    """Prefect's application with the reports of this site's runs beside it."""
    from prefect.server.api.server import create_app
    from starlette.routing import Mount

    from flows.serving_reports import Reports
    from tasks.settings import Settings

    made = create_app()
    reports = Reports(Settings().runs, os.environ.get("PREFECT_SERVER_API_AUTH_STRING", ""))
    made.router.routes.insert(0, Mount(REPORTS, reports))
    return made


def worker(pool: str, name: str) -> None:
    """Start the runs of a pool as processes of this machine."""
    from prefect.workers.process import ProcessWorker

    logging.getLogger("prefect").setLevel(logging.INFO)

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        # Its runs are told to stop, and have a moment to say so to the server.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await ProcessWorker(work_pool_name=pool, name=name).start()

    try:
        asyncio.run(work())
    except asyncio.CancelledError:
        sys.exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    what, *words = sys.argv[1:]
    if what == "server":
        server(words[0], int(words[1]))
    else:
        worker(*words)
