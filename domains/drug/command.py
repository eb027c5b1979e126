"""Run a program for an engine, from inside its supervised child: it must not outlive the child that is killed."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Finished:
    """Exit code (negative: the signal) and what it printed; ``timed_out`` when it was stopped at its limit."""

    code: int
    output: str
    timed_out: bool = False

    @property
    def last_line(self) -> str:
        """The last thing it said: with most programs the error."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1][:200] if lines else f"exit code {self.code} and no message"


def _before(lift_memory: bool) -> None:
    """In the new process: die with the parent; leave the parent's address-space limit where asked."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if lift_memory:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def run(
    command: Sequence[str | Path],
    folder: Path,
    limit_s: float | None = None,
    environment: Mapping[str, str] | None = None,
    lift_memory: bool = False,
) -> Finished:
    """Run to its end in this folder; FileNotFoundError when there is no such program.

    ``lift_memory`` for programs that drive a GPU: those reserve far more addresses than they use.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
            preexec_fn=lambda: _before(lift_memory),
        )
    except subprocess.TimeoutExpired as error:
        return Finished(-signal.SIGKILL, (error.output or b"").decode(errors="replace"), timed_out=True)
    return Finished(done.returncode, done.stdout.decode(errors="replace"))
