"""Run a program for an engine, from inside its supervised child: it must not outlive the child that is killed."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Sequence
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


def _in_new_process(lift_memory: bool) -> Callable[[], None]:
    """What the new process does first: it asks to die with this one, and leaves its address-space limit where asked."""
    parent = os.getpid()
    library = ctypes.CDLL(None)  # here: between fork and exec a library must not be loaded

    def before() -> None:
        with contextlib.suppress(AttributeError):  # Linux only
            library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        if lift_memory:
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    return before


def run(
    command: Sequence[str | Path], folder: Path, limit_s: float | None = None, lift_memory: bool = False
) -> Finished:
    """Run to its end in this folder; FileNotFoundError when there is no such program.

    At the limit, the processes that it started end with it. ``lift_memory`` is for programs that drive a GPU: those reserve
    far more addresses than they use.
    """
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=_in_new_process(lift_memory),
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Finished(-signal.SIGKILL, output.decode(errors="replace"), timed_out=True)
        except BaseException:  # Ctrl-C does not reach another process group by itself
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Finished(process.returncode, output.decode(errors="replace"))
