"""Where workers stand in the tree, and what a byte costs between two of them.

Costs go by distance: 0 within a host, 1 within a supernode, then one more for each level up to where the paths meet.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Any

from cluster.topology import LEVELS, Topology

Path = tuple[str, ...]
ROOT: Path = ()

# Bytes a second where no topology says: within a host, within a supernode, beyond.
DEFAULT_BANDWIDTH = (2.5e9, 1.25e9, 25e6)
DEFAULT_LATENCY_S = (50e-6, 200e-6, 1e-3)
# Share of a new measurement in the running mean.
LEARNING_RATE = 0.2
# A worker without a label stands in this supernode.
UNKNOWN = "?"


def parse(label: str) -> Path:
    """The path that a label such as ``c0/u1/sn0/h3`` spells."""
    return tuple(part for part in label.split("/") if part)


def distance(one: Path, other: Path) -> int:
    """Levels to climb from the deeper of two places until their paths meet."""
    if one == other:
        return 0
    meet = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        meet += 1
    return max(len(one), len(other)) - meet


def natural(path: Path) -> tuple[tuple[int | str, ...], ...]:
    """Sort key that puts h2 before h10."""
    return tuple(tuple(int(x) if x.isdigit() else x for x in re.split(r"(\d+)", name)) for name in path)


class Fabric:
    """The workers' places in the tree, and the learned cost of a byte by distance."""

    def __init__(self, topology: Topology | None = None) -> None:
        self.topology = topology
        self.levels: tuple[str, ...] = topology.levels if topology else LEVELS
        self.seconds_per_byte: list[float] = []
        self.latency: list[float] = []
        for steps in range(len(self.levels)):
            self._price(steps)
        self.path: dict[Hashable, Path] = {}
        self._label: dict[Hashable, str] = {}
        self.members: dict[Path, dict[Any, None]] = {}
        self._order: list[Any] | None = None

    def _price(self, steps: int) -> None:
        known = min(steps, len(DEFAULT_BANDWIDTH) - 1)
        bandwidth, latency = DEFAULT_BANDWIDTH[known], DEFAULT_LATENCY_S[known]
        link = self.topology.links.get(self.levels[-1 - steps]) if self.topology else None
        if link is not None:
            narrowing = link.oversubscription.value if link.oversubscription else 1.0
            bandwidth, latency = link.bandwidth.value * 1e9 / narrowing, link.latency.value * 1e-6
        self.seconds_per_byte.append(1 / bandwidth)
        self.latency.append(latency)

    @property
    def flat(self) -> bool:
        """Whether all workers stand in one supernode, so that there is nothing to place by."""
        return len(self.members) < 2

    def join(self, worker: Hashable, label: str | None, host: str) -> Path:
        """Note a worker's place; one without a label stands in the unknown supernode."""
        path = parse(label) if label else (*(UNKNOWN,) * (len(self.levels) - 2), host)
        if not self.topology and len(path) >= len(self.levels):
            middle = (f"level{number}" for number in range(1, len(path) - 1))
            self.levels = ("hub", *middle, "supernode", "host")
        while len(self.seconds_per_byte) <= len(path):  # deeper labels than levels: as beyond
            self.seconds_per_byte.append(self.seconds_per_byte[-1])
            self.latency.append(self.latency[-1])
        self.path[worker], self._label[worker] = path, "/".join(path)
        self.members.setdefault(path[:-1], {})[worker] = None
        self._order = None
        return path

    def leave(self, worker: Hashable) -> None:
        """Forget a worker."""
        path = self.path.pop(worker, None)
        self._label.pop(worker, None)
        if path is not None:
            members = self.members[path[:-1]]
            del members[worker]
            if not members:
                del self.members[path[:-1]]
            self._order = None

    def order(self) -> list[Any]:
        """All workers along the tree, neighbours next to each other."""
        if self._order is None:
            self._order = sorted(self.path, key=lambda worker: natural(self.path[worker]))
        return self._order

    def distance(self, one: Hashable, other: Hashable) -> int:
        """Levels between two workers; a worker that left counts as farthest."""
        a, b = self.path.get(one), self.path.get(other)
        return len(self.seconds_per_byte) - 1 if a is None or b is None else distance(a, b)

    def seconds(self, nbytes: float, steps: int) -> float:
        """Expected time of one transfer."""
        return nbytes * self.seconds_per_byte[steps] + self.latency[steps]

    def label(self, worker: Hashable) -> str:
        """A worker's place as it spells it."""
        return self._label.get(worker, "a lost worker")

    def depth(self, level: str) -> int | None:
        """How many names lead to a domain of this level; None where the pod has no such level."""
        return self.levels.index(level) if level in self.levels else None

    def level(self, depth: int) -> str:
        """The name of the level at a depth."""
        return self.levels[min(depth, len(self.levels) - 1)]

    def observe(self, one: Hashable, other: Hashable, bandwidth: float) -> None:
        """Learn from a measured transfer, bytes a second."""
        if bandwidth > 0 and one in self.path and other in self.path:
            steps = self.distance(one, other)
            before = self.seconds_per_byte[steps]
            self.seconds_per_byte[steps] = before * (1 - LEARNING_RATE) + LEARNING_RATE / bandwidth

    def learned(self) -> Mapping[str, float]:
        """Bytes a second by level, as believed now."""
        return {
            level: 1 / self.seconds_per_byte[len(self.levels) - 1 - depth] for depth, level in enumerate(self.levels)
        }
