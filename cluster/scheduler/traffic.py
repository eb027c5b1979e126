"""Bytes that moved between workers, by the level of the tree where their ways meet.

A worker counts what it has written to each reader's connection, as it was sent: with headers, after compression. Files
are not in it, nor is what Dask's P2P shuffle sends, whose messages do not pass here. What a killed worker sent in its
last seconds is lost with it.
"""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from distributed.diagnostics.plugin import WorkerPlugin
from tornado.ioloop import PeriodicCallback

from cluster.scheduler.place import Fabric, Path, distance

# What a worker tells the scheduler from time to time, and what it answers when it is asked.
SENT = "bytes-sent"
TELL_EVERY_MS = 1000
ASK_LIMIT_S = 3.0


class Moved(NamedTuple):
    """Bytes since the pod started: between workers by level, to workers with their tasks, results read by clients."""

    levels: dict[str, int]
    tasks: int
    results: int


class _Log(deque[dict[str, Any]]):
    """A worker's own log of what it sent, which also counts: the log forgets, and the sum must not."""

    def __init__(self, entries: deque[dict[str, Any]], sent: Counter[str]) -> None:
        super().__init__(entries, entries.maxlen)
        self._sent = sent

    def append(self, entry: dict[str, Any]) -> None:
        super().append(entry)
        self._sent[entry["who"] or ""] += entry["compressed"]


class SentBytes(WorkerPlugin):  # type: ignore[misc]
    """Counts what a worker sends by who reads it; each byte is told once."""

    name = "traffic"

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def setup(self, worker: Any) -> None:
        """Count from now on."""
        self.worker = worker
        worker.transfer_outgoing_log = _Log(worker.transfer_outgoing_log, self.sent)
        worker.handlers[SENT] = self.take
        worker.periodic_callbacks[SENT] = teller = PeriodicCallback(self.tell, TELL_EVERY_MS)
        teller.start()

    def take(self) -> dict[str, int]:
        """What was not told yet."""
        sent = dict(self.sent)
        self.sent.clear()
        return sent

    def tell(self) -> None:
        """Send it, if there is any."""
        if self.sent:
            self.worker.batched_send({"op": SENT, "sent": self.take()})


class Traffic:
    """The pod's sums. Knows the places of workers that are gone as well: bytes are told after they moved."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self._path: dict[str, Path] = {}
        self._steps: Counter[int] = Counter()
        self._results = self._tasks_before = 0

    def join(self, address: str, path: Path) -> None:
        """Note a worker's place."""
        self._path[address] = path

    def leave(self, stream: Any) -> None:
        """Keep what was sent to a worker that goes."""
        self._tasks_before += stream.byte_count

    def add(self, sender: str, sent: Mapping[str, int]) -> None:
        """Count what a worker has sent, by the reader's address; readers that are no workers are clients."""
        start = self._path.get(sender)
        for reader, nbytes in sent.items():
            end = self._path.get(reader)
            if start is None or end is None:
                self._results += nbytes
            else:
                self._steps[distance(start, end)] += nbytes

    def moved(self, streams: Mapping[str, Any]) -> Moved:
        """The sums now; ``streams`` are the scheduler's own to the workers."""
        levels = self.fabric.levels
        sums = dict.fromkeys(reversed(levels), 0)
        for steps, nbytes in self._steps.items():
            sums[levels[-1 - min(steps, len(levels) - 1)]] += nbytes
        tasks = self._tasks_before + sum(stream.byte_count for stream in streams.values())
        return Moved(sums, tasks, self._results)
