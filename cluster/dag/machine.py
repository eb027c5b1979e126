"""The chips that tasks run on: how fast each kind is at a type of task, what a path between two chips costs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cluster.dag.graph import Task
from cluster.topology import Link
from cluster.tree import Tree

GB = 1e9


@dataclass(frozen=True)
class Machine:
    """All chips of a tree, numbered host by host; absent and broken hosts have none.

    ``speeds`` by (task type, kind) replace the declared speed of the kind; 0 says that the kind cannot run the type.
    """

    tree: Tree
    speeds: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @cached_property
    def host(self) -> tuple[int, ...]:
        """The host (a domain of the tree) of each chip."""
        return tuple(host for host, _ in self._chips)

    @cached_property
    def kind(self) -> tuple[int, ...]:
        """The kind of each chip, as a number into ``kinds``."""
        return tuple(kind for _, kind in self._chips)

    @cached_property
    def _chips(self) -> tuple[tuple[int, int], ...]:
        return tuple(
            (host, number)
            for host in self.tree.hosts
            if self.tree.health.get(host, "up") == "up"
            for number, kind in enumerate(self.kinds)
            for _ in range(self.tree.capacity[kind][host])
        )

    @cached_property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """The (host, kind) pairs: chips of one group are alike."""
        return tuple(dict.fromkeys(self._chips))

    @cached_property
    def group(self) -> tuple[int, ...]:
        """The group of each chip, as a number into ``groups``."""
        number = {pair: place for place, pair in enumerate(self.groups)}
        return tuple(number[pair] for pair in self._chips)

    def __len__(self) -> int:
        return len(self._chips)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the kinds."""
        return self.tree.kinds

    @cached_property
    def count(self) -> tuple[int, ...]:
        """Number of chips of each kind."""
        return tuple(int(n) for n in np.bincount(self.kind, minlength=len(self.kinds)))

    def speed(self, type: str, kind: str) -> float:
        """Throughput relative to the reference kind: learned, else declared, else 1."""
        declared = self.tree.topology.kinds[kind].speed
        return self.speeds.get((type, kind), declared.value if declared else 1.0)

    @cached_property
    def _table(self) -> dict[str, tuple[float, ...]]:
        return {}

    def pace(self, type: str) -> tuple[float, ...]:
        """Seconds that a second of work takes, by kind; infinite where there is no such chip or it cannot run."""
        if type not in self._table:
            speeds = [self.speed(type, kind) if n else 0.0 for kind, n in zip(self.kinds, self.count, strict=True)]
            self._table[type] = tuple(1 / speed if speed else math.inf for speed in speeds)
        return self._table[type]

    def seconds(self, task: Task) -> tuple[float, ...]:
        """How long a task takes, by kind."""
        return tuple(task.work * pace if pace < math.inf else math.inf for pace in self.pace(task.type))

    def mean_seconds(self, task: Task) -> float:
        """How long a task takes on average over the chips that can run it; infinite if none can."""
        usable = [(time, n) for time, n in zip(self.seconds(task), self.count, strict=True) if time < math.inf]
        return sum(time * n for time, n in usable) / sum(n for _, n in usable) if usable else math.inf

    @cached_property
    def links(self) -> tuple[tuple[float, float], ...]:
        """Latency (s) and pace (s/byte) between chips whose ways meet at each level; the last is a chip with itself.

        The pace is the tightest link's from the host up to that level. A level without a link costs nothing.
        """
        found, pace = [], 0.0
        for level in reversed(self.tree.levels):
            link: Link | None = self.tree.topology.links.get(level)
            pace = max(pace, 1 / (link.bandwidth.value * GB)) if link else pace
            found.append((link.latency.value * 1e-6 if link else 0.0, pace))
        return (*reversed(found), (0.0, 0.0))

    def level(self, one: int, other: int) -> int:
        """The level where the ways of two chips meet; one below the hosts' for the same chip."""
        return len(self.tree.levels) if one == other else self.tree.meeting(self.host[one], self.host[other])

    def cost(self, one: int, other: int, size: float) -> float:
        """Seconds that bytes take from one chip to another; 0 on the same chip."""
        latency, pace = self.links[self.level(one, other)]
        return latency + size * pace

    @cached_property
    def _rows(self) -> dict[int, NDArray[np.intp]]:
        return {}

    def costs(self, one: int, size: float) -> NDArray[np.float64]:
        """Seconds that bytes take from one chip to every chip."""
        if one not in self._rows:
            self._rows[one] = np.array([self.level(one, other) for other in range(len(self))], dtype=np.intp)
        each = np.array([latency + size * pace for latency, pace in self.links])
        return np.asarray(each[self._rows[one]])

    @cached_property
    def mean_link(self) -> tuple[float, float]:
        """Mean latency (s) and pace (s/byte) over the pairs of chips; a chip with itself is a pair as well."""
        chips = np.zeros(len(self.tree.paths))
        np.add.at(chips, np.array(self.host), 1.0)
        for domain in range(len(chips) - 1, 0, -1):
            chips[self.tree.parent[domain]] += chips[domain]
        # Pairs that lie in one domain of a level, less those that lie in one domain of the level below.
        within = [float((chips[level.start : level.stop] ** 2).sum()) for level in self.tree.at_level] + [
            float(len(self)),
            0.0,
        ]
        pairs = [upper - lower for upper, lower in pairwise(within)]
        latency, pace = np.array(self.links).T @ np.array(pairs) / (len(self) * (len(self) + 1))
        return float(latency), float(pace)

    def mean_cost(self, size: float) -> float:
        """Seconds that bytes take on average over the pairs of chips."""
        latency, pace = self.mean_link
        return latency + size * pace
