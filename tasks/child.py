"""A supervised child process for engines that hold the GIL, call exit, leak or hang.

One child serves one slot. It keeps its engine from shard to shard and answers over private pipes (never stdout:
engines print there). Only SIGKILL is a time limit that C++ code obeys, so that is what enforces it.

Memory is limited by the address space, which no code gets past. Not so where a child drives devices: CUDA and its kin reserve
more addresses than a machine has memory, so what such a child and its programs really hold is looked at while it works.
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import psutil

START_LIMIT_S = 120.0
START_ATTEMPTS = 3
PR_SET_PDEATHSIG = 1
WATCH_S = 1.0
NO_LIMIT = 0


class EngineFailed(RuntimeError):
    """An engine that cannot even be built from its settings: no row is to blame, so the stage stops."""


@dataclass(frozen=True)
class Answer:
    """What a function or engine returned, and what it took."""

    result: Any
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Lost:
    """A batch or row whose child gave no result."""

    outcome: str
    reason: str


# ------------------------------------------------------------------------------------------------ in the child


def serve(read_fd: int, write_fd: int, memory: int) -> None:
    """Take ``open`` (a function or an engine class, its settings) and ``call`` (a batch or a row), until the pipe closes."""
    _die_with_parent()
    if memory != NO_LIMIT:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    requests, answers = Connection(read_fd, writable=False), Connection(write_fd, readable=False)
    compute: Callable[[Any], Any] | None = None
    while True:
        try:
            kind, message = requests.recv()
        except EOFError:
            return
        try:
            if kind == "open":
                function, settings = message
                compute = function(settings) if isinstance(function, type) else partial(_swap, function, settings)
                answers.send(("opened", ""))
            else:
                assert compute is not None
                wall, cpu = time.perf_counter(), time.process_time()
                result = compute(message)
                answers.send(("answer", Answer(result, time.perf_counter() - wall, time.process_time() - cpu)))
        except Exception as error:
            answers.send(("failed", f"{type(error).__name__}: {error}"[:500]))


def _swap(function: Callable[[Any, Any], Any], settings: Any, batch: Any) -> Any:
    return function(batch, settings)


def _die_with_parent() -> None:
    # Without this a child whose worker was killed would dock on to the end of its molecule. Linux only; elsewhere
    # the closed pipe ends it after the row at hand.
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


# ------------------------------------------------------------------------------------------------ in the worker


@dataclass
class Child:
    """The parent's end: starts the process when needed, asks it, kills and replaces it when it does not answer."""

    memory: int  # bytes
    environ: Mapping[str, str] = field(default_factory=dict)  # shows it the devices that it may use, if any
    process: subprocess.Popen[bytes] | None = None
    opened: tuple[Any, Any] | None = None
    starts: int = 0
    _log: Any = field(default_factory=tempfile.TemporaryFile, repr=False)

    def open(self, function: Callable[..., Any], settings: Any) -> None:
        """Make this function or engine the one that answers; raises EngineFailed when it cannot be built."""
        if self.process is not None and self.process.poll() is None and self.opened == (function, settings):
            return
        self._last_words()  # an engine may talk for days: only what it said last is of use
        # An exception is the engine's own word and final; a process that ended may have been killed by anybody.
        reason = ""
        for _ in range(START_ATTEMPTS):
            if self.process is None or self.process.poll() is not None:
                self._spawn()
            answer = self._ask(("open", (function, settings)), START_LIMIT_S)
            if not isinstance(answer, Lost):
                reason = answer[1]
                break
            reason = answer.reason
        if reason:
            raise EngineFailed(f"{function.__qualname__} did not start: {reason}")
        self.opened = (function, settings)

    def call(self, message: object, limit_s: float) -> Answer | Lost:
        """The answer to a batch or a row; Lost when it took longer than the limit, raised, or its process ended."""
        answer = self._ask(("call", message), limit_s)
        if isinstance(answer, Lost):
            return answer
        if answer[0] == "failed":
            return Lost("engine_error", answer[1])
        result: Answer = answer[1]
        return result

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self._bury()
        self._log.close()

    def _spawn(self) -> None:
        if self.process is not None:
            self._bury()
        child_reads, parent_writes = os.pipe()
        parent_reads, child_writes = os.pipe()
        limit = NO_LIMIT if self.environ else self.memory
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tasks.child", str(child_reads), str(child_writes), str(limit)],
            pass_fds=(child_reads, child_writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            process_group=0,  # Ctrl-C in the terminal is for the flow, which then decides
            env={**os.environ, **threads, **self.environ},
        )
        os.close(child_reads)
        os.close(child_writes)
        self._requests, self._answers = (
            Connection(parent_writes, readable=False),
            Connection(parent_reads, writable=False),
        )
        self.opened = None
        self.starts += 1

    def _ask(self, message: object, limit_s: float) -> Any:
        try:
            self._requests.send(message)
            lost = self._wait(limit_s)
            if lost is not None:
                self._bury()
                return lost
            return self._answers.recv()
        except (EOFError, OSError):
            return Lost("died", self._bury())

    def _wait(self, limit_s: float) -> Lost | None:
        """Until there is an answer, or a limit is passed."""
        late, until = Lost("timeout", f"stopped after {limit_s:.0f} s"), time.monotonic() + limit_s
        if not self.environ:
            return None if self._answers.poll(limit_s) else late
        while not self._answers.poll(min(WATCH_S, max(0.0, until - time.monotonic()))):
            assert self.process is not None
            held = resident(self.process.pid)
            if held > self.memory:
                return Lost(
                    "died", f"stopped: it held {held / 2**30:.1f} GiB of memory, its limit is {self.memory / 2**30:.1f}"
                )
            if time.monotonic() >= until:
                return late
        return None

    def _bury(self) -> str:
        """Kill the process and say how it ended."""
        process = self.process
        assert process is not None
        # A closed pipe comes a moment before the exit code: wait for it, so that the reason names the real end.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.kill()
        code = process.wait()
        self._requests.close()
        self._answers.close()
        self.process, self.opened = None, None
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"the engine's process ended with {ended}{self._last_words()}"

    def _last_words(self) -> str:
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 2000))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        self._log.seek(0)
        self._log.truncate()
        return f": {lines[-1][:200]}" if lines else ""


def resident(pid: int) -> int:
    """Memory (bytes) that a process and its descendants hold; what they share counts for each."""
    held = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held += one.memory_info().rss
    return held


_idle: list[Child] = []
_lock = threading.Lock()


@contextlib.contextmanager
def child_of_slot(memory: int, environ: Mapping[str, str]) -> Iterator[Child]:
    """A child for the shard of this thread: an idle one of this worker that sees the same chips, else a new one.

    An engine sees the chips that its process was started with, and keeps their memory while it idles: idle children that
    see one of these chips with others are ended.
    """
    with _lock:
        child = next((idle for idle in _idle if idle.memory == memory and idle.environ == environ), None)
        ended = [idle for idle in _idle if idle is not child and _share_chips(idle.environ, environ)]
        for one in [*ended, *([child] if child else [])]:
            _idle.remove(one)
    for one in ended:
        one.close()
    child = child or Child(memory, environ)
    try:
        yield child
    finally:
        with _lock:
            _idle.append(child)


def _share_chips(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return any(set(chips.split(",")) & set(other.get(name, "").split(",")) for name, chips in one.items())


if __name__ == "__main__":
    # By its own name: answers are pickled, and the worker knows this module as tasks.child.
    from tasks.child import serve as _serve

    _serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
