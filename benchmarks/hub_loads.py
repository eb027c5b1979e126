"""What the hub benchmarks share: gangs of the mix that rivals are measured with, the public traces, a first-fit peer."""

import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import data_folders
from cluster.allocate.gang import Gang
from cluster.simulate.jobs import Job
from cluster.simulate.traces import Trace, read_trace

SIZES = (1, 1, 1, 1, 2, 4, 8, 8, 16, 32, 64, 64, 128, 256, 512, 640, 1280, 2560)
TRACES = ("traces/lublin_256.swf.gz", "traces/hpc2n-head.swf.gz", "nodes/openb_pod_list_default.csv.gz")


def public(name: str) -> Path | None:
    """A public data file, where it is here."""
    return next((folder / name for folder in data_folders() if (folder / name).exists()), None)


def traces() -> dict[str, Trace]:
    """The public job traces that are here, by name."""
    found = {name: path for name in TRACES if (path := public(name))}
    return {
        Path(name).name.split(".")[0].removesuffix("_pod_list_default"): read_trace(str(path))
        for name, path in found.items()
    }


def mix(count: int, every_s: float, seed: int, *, sizes: tuple[int, ...] = SIZES) -> Iterator[Job]:
    """Gangs of 1 to 2,560 chips for an hour each in the mean; their limits are up to three times as long."""
    rng, now = random.Random(seed), 0.0
    for number in range(count):
        now += rng.expovariate(1 / every_s)
        seconds, chips = 60 + rng.expovariate(1 / 3600), rng.choice(sizes)
        gang = Gang(
            name=f"g{number}",
            chips=chips,
            preferred="supernode" if chips <= 640 else None,
            max_wait_s=7200,
            duration_s=seconds * rng.uniform(1, 3),
        )
        yield Job(now, gang, seconds)
