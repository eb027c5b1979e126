"""For benchmarks of single stages: a run without a pipeline, in a Prefect flow, and what its processes use."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import psutil

if TYPE_CHECKING:
    from cluster.launch import Pod
    from tasks.run import Run

T = TypeVar("T")
SAMPLE_EVERY_S = 0.2


@contextmanager
def bare_run(root: Path) -> Iterator["Run"]:
    """A run of no pipeline on this machine's cores: its store, its pod, its progress."""
    # Here, and not above: workers import the scripts again, and Prefect must find its settings set.
    from cluster.launch import start
    from domains.drug.request import ScreeningRequest
    from tasks.progress import RunProgress
    from tasks.run import Run
    from tasks.store import RunStore

    store = RunStore(root).open({"benchmark": root.name})
    try:
        with start("laptop") as pod, RunProgress() as progress:
            yield Run("benchmark", ScreeningRequest(), store, [pod], progress)
    finally:
        store.close()


def in_flow(name: str, work: Callable[[], T]) -> T:
    """Do the work as a Prefect flow."""
    from prefect import flow

    @flow(name=name)
    def whole() -> T:
        return work()

    return whole()


def in_task(name: str, work: Callable[[], T]) -> T:
    """Do the work as a Prefect task of the flow around it."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    @task(name=name, cache_policy=NO_CACHE)
    def whole() -> T:
        return work()

    return whole()


def cpu_seconds() -> float:
    """CPU seconds so far of this process and all below it that live: server, workers, children."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


class PeakMemory:
    """Samples resident memory while it is entered: the flow's process, the fullest worker with its child, all together."""

    def __init__(self, pod: "Pod") -> None:
        self.pod = pod
        self.flow = self.worker = self.everything = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample_on(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        me = psutil.Process(os.getpid())
        workers = [self._with_children(pid) for pid in self.pod.worker_processes()]
        self.flow = max(self.flow, _resident(me))
        self.worker = max(self.worker, *workers, 0)
        everything = sum(map(_resident, (me, *me.children(recursive=True))))
        self.everything = max(self.everything, everything)

    @staticmethod
    def _with_children(pid: int) -> int:
        try:
            worker = psutil.Process(pid)
            return sum(map(_resident, (worker, *worker.children(recursive=True))))
        except psutil.NoSuchProcess:
            return 0
