"""A process beside the runs: started, watched, started again when it ends, stopped in good order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

MOST_LOG_BYTES = 20 * 2**20
LONGEST_WAIT_S = 30.0
# A process that has lived so long has got over what ended it before.
STEADY_AFTER_S = 60.0


class Watched:
    """One process of a site. Its output goes to a log in the data folder."""

    def __init__(self, name: str, words: Sequence[str], environment: Mapping[str, str], logs: Path, cwd: Path) -> None:
        self.name, self.words, self.environment, self.cwd = name, words, environment, cwd
        self.log = logs / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._started = self._not_before = 0.0

    def start(self) -> None:
        """Start it now."""
        with opened(self.log) as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.words], env=self.environment, cwd=self.cwd,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C is for the one who watches; it stops the others in their order
            )  # fmt: skip
        self.starts += 1
        self._started = time.monotonic()

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.process.poll() if self.process else None

    def revive(self) -> bool:
        """Start it again when it has ended, after a wait that grows while it keeps ending; True when it was started."""
        if self.ended is None:
            return False
        now = time.monotonic()
        if not self._not_before:
            steady = now - self._started > STEADY_AFTER_S
            self.starts = 0 if steady else self.starts
            self._not_before = now + (0.0 if steady else min(LONGEST_WAIT_S, 2.0 ** min(10, self.starts) - 2))
        if now < self._not_before:
            return False
        self._not_before = 0.0
        self.start()
        return True

    def stop(self, grace_s: float) -> None:
        """End it: asked first, then killed."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self, most: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-most:].decode(errors="replace").strip()


def opened(path: Path) -> IO[bytes]:
    """A log to append to, for its owner only; one that has grown long is kept as ``.1``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MOST_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
