"""What a decision costs on a hub of 60,160 chips, by size of gang, and how it grows with the hub.

Times are CPU time of the deciding thread: a decision waits for nothing, and what else the machine does is not its cost.
"""

import argparse
import heapq
import resource
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.bench import Row, main
from benchmarks.hub_loads import mix
from cluster.allocate.allocator import Allocator
from cluster.allocate.gang import Gang
from cluster.hubfile import load
from cluster.simulate.jobs import Job
from cluster.topology import Topology

HUB = "zhengzhou-60k"
# The mix asks for 315 chips in the mean, for an hour at speed 1: this is a little less than 60,160 chips can do.
EVERY_S = 15.5
LARGEST = 10_240


def replay(allocator: Allocator, jobs: Iterable[Job]) -> tuple[dict[int, list[float]], float, int]:
    """Gangs come and go. Seconds of each arrival's decision by size, seconds in the allocator, gangs started."""
    took: dict[int, list[float]] = defaultdict(list)
    ends: list[tuple[float, str]] = []
    seconds: dict[str, float] = {}
    spent, started = 0.0, 0

    def schedule(now: float) -> float:
        nonlocal spent, started
        before = time.thread_time()
        placed = allocator.schedule(now)
        took_s = time.thread_time() - before
        spent += took_s
        started += len(placed)
        for one in placed:
            heapq.heappush(ends, (now + seconds[one.gang.name] / one.speed, one.gang.name))
        return took_s

    for job in jobs:
        while ends and ends[0][0] <= job.submit:
            now, name = heapq.heappop(ends)
            before = time.thread_time()
            allocator.end(name, now)
            spent += time.thread_time() - before
            schedule(now)
        seconds[job.gang.name] = job.seconds
        before = time.thread_time()
        allocator.submit(job.gang, job.submit)
        entered = time.thread_time() - before
        spent += entered
        took[job.gang.chips].append(entered + schedule(job.submit))
    return took, spent, started


def largest(topology: Topology, rounds: int) -> list[float]:
    """Seconds to place gangs of a whole cluster, while the others are full of small ones."""
    allocator = Allocator(topology)
    kind, *others = allocator.tree.kinds
    for number, other in enumerate(others):
        for part in range(16):
            allocator.submit(Gang(name=f"busy{number}-{part}", chips=500, kinds={other: 1.0}), 0)
    allocator.schedule(0)
    took = []
    for number in range(rounds):
        before = time.thread_time()
        allocator.submit(Gang(name=f"large{number}", chips=LARGEST, kinds={kind: 1.0}), number)
        placed = allocator.schedule(number)
        took.append(time.thread_time() - before)
        if len(placed) != 1:
            raise AssertionError("the large gang was not placed")
        allocator.end(f"large{number}", number + 0.5)
        allocator.schedule(number + 0.5)
    return took


def part(topology: Topology) -> Topology:
    """One unit of the hub, 1,280 chips of one kind."""
    absent = {f"c0/u{unit}": "absent" for unit in range(1, 8)} | {f"c{cluster}": "absent" for cluster in range(1, 6)}
    return Topology.model_validate({**topology.model_dump(), "health": absent})


def one_supernode(topology: Topology, rounds: int) -> float:
    """Median seconds to place and release a gang of 64 chips on a hub that is three quarters full."""
    allocator = Allocator(topology)
    for number, supernode in enumerate(allocator.tree.at_level[-2]):
        kind = next((one for one in allocator.tree.kinds if allocator.tree.capacity[one][supernode]), None)
        if kind:
            allocator.submit(Gang(name=f"full{number}", chips=480, kinds={kind: 1.0}, required="supernode"), 0)
    allocator.schedule(0)
    took = []
    for number in range(rounds):
        gang = Gang(name=f"g{number}", chips=64, kinds={"k1": 1.0}, required="supernode")
        before = time.thread_time()
        allocator.submit(gang, 1)
        allocator.schedule(1)
        allocator.end(gang.name, 2)
        took.append(time.thread_time() - before)
        allocator.schedule(2)
    return median(took)


def p99(values: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[int(len(values) * 0.99)]


def measure(arguments: argparse.Namespace) -> list[Row]:
    topology = load(HUB)
    before = time.thread_time()
    allocator = Allocator(topology)
    built = time.thread_time() - before
    count = 2_000 if arguments.quick else 20_000
    took, spent, started = replay(allocator, mix(count, EVERY_S, seed=1))
    utilisation = allocator.utilisation()
    allocator.ledger.audit()
    small = [one for size, values in took.items() if size <= 640 for one in values]
    rows = [
        Row.judged("tree and counters built", built, "s", "< 2", HUB),
        Row(
            "load when the last gang came",
            utilisation * 100,
            "%",
            note=f"{count:,} gangs of 1 to 2,560 chips, backfill on",
        ),
        Row("decision, up to 640 chips, p50", median(small) * 1e3, "ms", note="submit and schedule, placed or not"),
        Row.judged("decision, up to 640 chips, p99", p99(small) * 1e3, "ms", "< 1"),
    ]
    for size in sorted(took):
        values = took[size]
        if size in (1, 64, 640, 2560):
            rows.append(
                Row(
                    f"decision, {size:,} chips, p50", median(values) * 1e3, "ms", note=f"p99 {p99(values) * 1e3:.2f} ms"
                )
            )
    large = largest(topology, 50 if arguments.quick else 300)
    small_hub, whole = (one_supernode(one, 300 if arguments.quick else 3_000) for one in (part(topology), topology))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        *rows,
        Row(f"decision, {LARGEST:,} chips, p50", median(large) * 1e3, "ms"),
        Row.judged(f"decision, {LARGEST:,} chips, p99", p99(large) * 1e3, "ms", "< 2"),
        Row.judged("gang decisions", started / spent, "1/s", ">= 1000", "gangs started over seconds in the allocator"),
        Row("one-supernode gang, 1,280 chips", small_hub * 1e6, "us", note="submit, place, release"),
        Row("one-supernode gang, 60,160 chips", whole * 1e6, "us"),
        Row.judged("growth of that cost, 47 times the chips", whole / small_hub, "x", "< 2"),
        Row.judged("peak memory of the process", memory, "MiB", "< 300"),
    ]


if __name__ == "__main__":
    main(measure, __doc__)
