"""A synthetic day of a national hub: who comes when, how large and for how long. Every figure here is assumed."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.allocate.gang import Gang, Group, Project
from cluster.simulate.jobs import Failure, Job
from cluster.topology import Topology
from cluster.tree import Tree, build

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """Gangs of one sort: their share of all gangs, sizes in chips, median seconds and the spread of its logarithm."""

    project: str
    share: float
    sizes: tuple[int, ...]
    median_s: float
    sigma: float = 0.8
    preferred: str = "supernode"
    priority: int = 0
    preemptible: bool = False
    groups: tuple[tuple[int, str], ...] = ()
    checkpoint_s: float = 0.0


CROWDS = (
    Crowd("interactive", 0.40, (1,), 900, preferred="host"),
    Crowd("drug", 0.30, (1, 1, 2, 4, 8), 1800, preferred="host"),
    Crowd("genomics", 0.12, (4, 8, 16), 2400),
    Crowd("materials", 0.14, (8, 16, 32, 64), 2400, checkpoint_s=600),
    Crowd("climate", 0.012, (128, 256, 512, 1280), 5400, groups=((8, "host"),), checkpoint_s=900),
    Crowd("language", 0.003, (640, 1280, 2560), 9000, groups=((640, "supernode"), (8, "host")), checkpoint_s=1800),
    Crowd("forecast", 0.0005, (640,), 2400, priority=10, groups=((8, "host"),)),
    Crowd("filler", 0.0245, (1, 2, 4), 3600, preferred="host", priority=-10, preemptible=True, checkpoint_s=600),
)
PROJECTS = {crowd.project: Project(share=2 if crowd.project == "language" else 1) for crowd in CROWDS}

# Mean hours between failures and to repair, by what fails.
CHIP_FAILURE_H, HOST_FAILURE_H, SUPERNODE_FAILURE_H = 60_000, 100_000, 400_000
CHIP_REPAIR_H, HOST_REPAIR_H, SUPERNODE_REPAIR_H = 4.0, 6.0, 8.0
STRAGGLERS = 0.02


def national_day(topology: Topology, *, load: float = 0.85, seed: int = 0) -> Iterator[Job]:
    """The gangs of a day that offer ``load`` of the hub's chip-seconds, in order of arrival.

    More come in the afternoon than at night (one time zone). Two in a hundred are stragglers, 1.2 to 2 times as slow.
    """
    rng, tree = random.Random(seed), build(topology)
    crowds = [fitted for crowd in CROWDS if (fitted := _fit(crowd, tree))]
    mean = sum(crowd.share * _chip_seconds(crowd) for crowd in crowds) / sum(crowd.share for crowd in crowds)
    capacity = sum(tree.capacity[kind][0] * topology.kinds[kind].relative_speed for kind in tree.kinds)
    count = max(1, round(load * capacity * DAY_S / mean))
    times = sorted(_time_of_day(rng) for _ in range(count))
    for number, submit in enumerate(times):
        crowd = rng.choices(crowds, [one.share for one in crowds])[0]
        yield _job(crowd, f"{crowd.project}-{number}", submit, rng)


def _chip_seconds(crowd: Crowd) -> float:
    """Mean work of a gang: sizes are equally likely, times log-normal."""
    return sum(crowd.sizes) / len(crowd.sizes) * crowd.median_s * math.exp(crowd.sigma**2 / 2)


def _fit(crowd: Crowd, tree: Tree) -> Crowd | None:
    """The crowd with the sizes and groups that the hub can hold; no gang asks for more than a quarter of a kind."""
    most = max(1, max(tree.capacity[kind][0] for kind in tree.kinds) // 4)
    sizes = tuple(size for size in crowd.sizes if size <= most)
    largest = {
        "supernode": max(tree.largest_supernode.values()),
        "host": max(max(tree.capacity[k][h] for h in tree.hosts) for k in tree.kinds),
    }
    groups = tuple((chips, level) for chips, level in crowd.groups if chips <= largest[level])
    sizes = tuple(size for size in sizes if all(size % chips == 0 for chips, _ in groups))
    if not sizes:
        return None
    return Crowd(
        crowd.project,
        crowd.share,
        sizes,
        crowd.median_s,
        crowd.sigma,
        crowd.preferred,
        crowd.priority,
        crowd.preemptible,
        groups,
        crowd.checkpoint_s,
    )


def _time_of_day(rng: random.Random) -> float:
    """Arrivals follow 1 + 0.6 cos around 15:00, by rejection."""
    while True:
        time = rng.uniform(0, DAY_S)
        if rng.random() * 1.6 <= 1 + 0.6 * math.cos(2 * math.pi * (time / DAY_S - 15 / 24)):
            return time


def _job(crowd: Crowd, name: str, submit: float, rng: random.Random) -> Job:
    chips = rng.choice(crowd.sizes)
    seconds = max(30.0, crowd.median_s * rng.lognormvariate(0, crowd.sigma))
    limit = seconds * rng.uniform(1.1, 3.0)
    if rng.random() < STRAGGLERS:
        seconds *= rng.uniform(1.2, 2.0)
    gang = Gang(
        name=name,
        chips=chips,
        preferred=crowd.preferred if chips <= 640 or crowd.preferred == "host" else None,
        max_wait_s=1800,
        groups=tuple(Group(chips=size, level=level) for size, level in crowd.groups if chips > size),
        duration_s=limit,
        project=crowd.project,
        priority=crowd.priority,
        preemptible=crowd.preemptible,
    )
    return Job(submit, gang, seconds, crowd.checkpoint_s)


def failures(topology: Topology, *, seconds: float = DAY_S, seed: int = 0) -> list[Failure]:
    """What breaks in this time: single chips, hosts, supernodes, each with its own rate; repairs take as long as they take."""
    rng, tree = random.Random(seed + 1), build(topology)
    chips = sum(tree.capacity[kind][0] for kind in tree.kinds)
    sorts = (
        (chips / CHIP_FAILURE_H, tree.hosts, CHIP_REPAIR_H, 1),
        (len(tree.hosts) / HOST_FAILURE_H, tree.hosts, HOST_REPAIR_H, None),
        (len(tree.at_level[-2]) / SUPERNODE_FAILURE_H, tree.at_level[-2], SUPERNODE_REPAIR_H, None),
    )
    found = []
    for per_hour, domains, repair_h, broken in sorts:
        time = rng.expovariate(per_hour / 3600)
        while time < seconds:
            repair_s = rng.lognormvariate(math.log(repair_h * 3600), 0.5)
            found.append(Failure(time, tree.paths[rng.choice(domains)], repair_s, broken))
            time += rng.expovariate(per_hour / 3600)
    return sorted(found, key=lambda one: one.time)
