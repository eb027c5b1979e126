"""Lower bounds on the makespan of a set of gangs: what no scheduler could beat."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

from cluster.allocate.running import Allocation
from cluster.tree import Tree


@dataclass
class Work:
    """Chip-seconds at speed 1 by acceptable kinds, and the latest end that one gang alone needs."""

    by_speeds: dict[tuple[tuple[str, float], ...], float] = field(default_factory=lambda: defaultdict(float))
    latest: float = 0.0

    def add(self, allocation: Allocation, now: float) -> None:
        """Count a finished gang; one that was restarted counts with its last run only."""
        speeds = tuple(sorted(allocation.speeds.items()))
        seconds = (now - allocation.started) * allocation.speed
        self.by_speeds[speeds] += seconds * allocation.gang.chips
        self.latest = max(self.latest, allocation.submitted + seconds / max(allocation.speeds.values()))


def makespan_bounds(work: Work, tree: Tree, first: float) -> dict[str, float]:
    """Seconds from the first arrival that any schedule needs.

    ``area``: a linear programme that shares the work over the kinds as if gangs were liquid, on all chips installed and
    never broken. ``longest``: the gang that could end last if it were alone.
    """
    return {"area": _area(work, tree), "longest": max(work.latest - first, 0.0)}


def _area(work: Work, tree: Tree) -> float:
    """Minimise T with sum over kinds of y = work of a group, and sum over groups of y / speed <= T x chips of a kind."""
    groups, kinds = list(work.by_speeds.items()), tree.kinds
    if not groups:
        return 0.0
    size = len(groups) * len(kinds) + 1
    equal, total = np.zeros((len(groups), size)), np.array([amount for _, amount in groups])
    upper = np.zeros((len(kinds), size))
    limits: list[tuple[float, float | None]] = [(0.0, None)] * size
    for row, (speeds, _) in enumerate(groups):
        known = dict(speeds)
        for column, kind in enumerate(kinds):
            at = row * len(kinds) + column
            if kind not in known:
                limits[at] = (0.0, 0.0)
                continue
            equal[row, at] = 1.0
            upper[column, at] = 1.0 / known[kind]
    upper[:, -1] = [-tree.capacity[kind][0] for kind in kinds]
    scale = max(total.max(), 1.0)  # work is of the order of 1e9 chip-seconds: keep the solver's numbers near 1
    cost = np.zeros(size)
    cost[-1] = 1.0
    found = linprog(cost, upper, np.zeros(len(kinds)), equal, total / scale, bounds=limits, method="highs")
    return float(found.x[-1] * scale)
