"""A Prefect server of our own for one command: with its pages, on this machine only, gone when the command is gone.

Prefect's own temporary server has no pages and outlives a flow that is killed.
"""

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

import httpx

START_LIMIT_S = 120.0


class ServerFailed(RuntimeError):
    """A server of our own that did not come up."""


class OwnServer:
    """Starts at once, in the background: ``wait`` until it answers. Stops when this process ends."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        env = {**os.environ, "PREFECT_API_URL": f"{self.url}/api", "PREFECT_SERVER_UI_API_URL": f"{self.url}/api"}
        # Its messages are for the people who run servers; a start that fails is told with them.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows.server", str(os.getpid()), str(port)],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            process_group=0,  # Ctrl-C stops the flow; the flow still has to tell this server so
        )
        # At exit and no sooner: Prefect sends a run's last logs and events while the interpreter winds up.
        atexit.register(self._stop)

    def wait(self) -> None:
        """Return when the server answers; raises ServerFailed when it ends or takes too long."""
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                self._log.seek(0)
                words = self._log.read().decode(errors="replace").strip()
                raise ServerFailed(f"the Prefect server ended at its start: {words[-2000:]}")
            try:
                if httpx.get(f"{self.url}/api/health", timeout=2).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise ServerFailed(f"the Prefect server did not answer within {START_LIMIT_S:.0f} s")

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def end_with(parent: int) -> None:
    """End this process, at once, when its parent is gone: run in a thread."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def serve(parent: int, port: int) -> None:
    """Serve Prefect's API and pages on this machine for as long as the parent lives."""
    import uvicorn

    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        log_level="error",
        lifespan="on",
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
