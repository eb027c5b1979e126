"""The workers of one host, each with the place it stands at and the chips it drives."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from distributed import Nanny

from cluster.topology import ChipKind, Place

# A worker that dies is started again; only after this many deaths with the same shard is the shard itself suspected.
ALLOWED_FAILURES = 10
CONFIG = {
    # A worker that cannot be started again must not leave its shards waiting for ever.
    "distributed.scheduler.no-workers-timeout": "120s",
    "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
    # What Dask does of itself while engines run: half of it is for pages that nobody looks at here.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1,
    "distributed.nanny.pre-spawn-environ.OPENBLAS_NUM_THREADS": 1,
}
# What a host's program prints when its workers are there.
READY = "ready"


class PlaceLabel:
    """Tells the scheduler where a worker stands."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __call__(self, worker: Any = None) -> str:
        return self.place


@dataclass(frozen=True)
class Seats:
    """Equal workers of a host and what each drives; as text ``k100=1x8`` is one worker with eight chips."""

    kind: str
    workers: int
    chips: int

    def __str__(self) -> str:
        return f"{self.kind}={self.workers}x{self.chips}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text again."""
        kind, _, counts = text.rpartition("=")
        workers, _, chips = counts.partition("x")
        return cls(kind, int(workers), int(chips))


def seats_of(place: Place, kinds: Mapping[str, ChipKind]) -> list[Seats]:
    """The workers of a host.

    A host is one worker whose threads drive its chips. A CPU core is its own worker, as two threads of one Python
    process cannot compute at a time.
    """
    return [
        Seats(name, chips, 1) if kinds[name].device == "cpu" else Seats(name, 1, chips)
        for name, chips in place.chips.items()
    ]


def worker_specs(place: str, seats: Iterable[Seats], memory: Callable[[Seats], float]) -> dict[str, dict[str, Any]]:
    """Worker specifications by name; ``memory`` gives the bytes of one worker."""
    specs: dict[str, dict[str, Any]] = {}
    for each in seats:
        for _ in range(each.workers):
            specs[f"{place}/{len(specs)}"] = {
                "cls": Nanny,
                "options": {
                    "nthreads": each.chips,
                    "resources": {"chip": each.chips, f"chip.{each.kind}": each.chips},
                    "startup_information": {"place": PlaceLabel(place)},
                    "memory_limit": int(memory(each)),
                    "silence_logs": logging.ERROR,
                },
            }
    return specs


def command(scheduler: str, seats: Sequence[Seats], *options: str) -> list[str]:
    """What starts a host's program, with the Python that runs here: both see the same file system."""
    return [sys.executable, "-m", "cluster.launch.host", scheduler, *map(str, seats), *options]
