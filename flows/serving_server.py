"""The processes of a site beside the runs: Prefect's server with its pages, and its worker. Each ends with its parent."""

import asyncio
import logging
import os
import signal
import sys
import threading

from flows.server import end_with


def server(host: str, port: int) -> None:
    """Serve Prefect's API and pages."""
    import uvicorn

    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=5,
        server_header=False,
    )


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
