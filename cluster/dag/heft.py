"""HEFT: rank tasks by the longest way to the end, place each where it ends first, in a gap if there is one.

After Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002, doi:10.1109/71.993206.
"""

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.dag.graph import Task, TaskGraph
from cluster.dag.machine import Machine

Array = NDArray[np.float64]
Weigh = Callable[[Machine, Task], float]


@dataclass(frozen=True, slots=True)
class Slot:
    """A task's planned time on a chip, in seconds from the start."""

    task: int
    chip: int
    start: float
    end: float


def mean_seconds(machine: Machine, task: Task) -> float:
    """Weigh a task by its mean time over the chips."""
    return machine.mean_seconds(task)


def best_seconds(machine: Machine, task: Task) -> float:
    """Weigh a task by its time on the kind that is best at it."""
    return min(machine.seconds(task))


def upward_ranks(graph: TaskGraph, machine: Machine, weigh: Weigh = mean_seconds, comm: float = 1.0) -> list[float]:
    """The longest way (s) from the start of each task to the end of all; ``comm`` scales the mean communication."""
    ranks = [0.0] * len(graph.tasks)
    for task in reversed(graph.order):
        after = (comm * machine.mean_cost(size) + ranks[child] for child, size in graph.children[task])
        ranks[task] = weigh(machine, graph.tasks[task]) + max(after, default=0.0)
    return ranks


def by_rank(graph: TaskGraph, ranks: Sequence[float]) -> list[int]:
    """Tasks by falling rank; ties in topological order, so that parents always come first."""
    place = {task: position for position, task in enumerate(graph.order)}
    return sorted(graph.order, key=lambda task: (-ranks[task], place[task]))


class Plan:
    """Slots on chips, filled one task at a time; a task may have copies, the first slot is its own."""

    def __init__(self, graph: TaskGraph, machine: Machine) -> None:
        self.graph, self.machine = graph, machine
        self.slots: dict[int, list[Slot]] = {}
        self.kinds = np.array(machine.kind)
        self.busy: list[list[tuple[float, float]]] = [[] for _ in range(len(machine))]
        self.tail = np.zeros(len(machine))

    def _take(self, slot: Slot) -> None:
        self.slots.setdefault(slot.task, []).append(slot)
        insort(self.busy[slot.chip], (slot.start, slot.end))
        self.tail[slot.chip] = max(self.tail[slot.chip], slot.end)

    def _seconds(self, task: int) -> Array:
        seconds: Array = np.array(self.machine.seconds(self.graph.tasks[task]))[self.kinds]
        return seconds

    def _arrival(self, parent: int, size: float) -> Array:
        """When the bytes of a parent can be on each chip, from the copy that gets them there first."""
        ways = [one.end + self.machine.costs(one.chip, size) for one in self.slots[parent]]
        first: Array = ways[0] if len(ways) == 1 else np.minimum.reduce(ways)
        return first

    def _gap(self, chip: int, arrival: float, seconds: float) -> float:
        """The earliest start on a chip, in the first gap that is long enough."""
        free = arrival
        for start, end in self.busy[chip]:
            if free + seconds <= start:
                return free
            free = max(free, end)
        return free

    def _starts(self, arrival: Array, seconds: Array) -> Array:
        starts: Array = np.maximum(arrival, self.tail)
        # A gap counts only where the chip is taken for longer than the inputs take to come.
        for chip in np.flatnonzero(starts > arrival).tolist():
            starts[chip] = self._gap(chip, arrival[chip], seconds[chip])
        return starts

    def place(self, task: int, after: Array | None = None, *, copies: bool = False) -> None:
        """Place a task where it ends first; ``after`` (s, by chip) counts in the choice alone.

        With ``copies`` a parent without parents may run once more just before the task, on the same chip, where that
        is sooner than to wait for its bytes.
        """
        seconds = self._seconds(task)
        arrivals = [(self._arrival(parent, size), parent) for parent, size in self.graph.parents[task]]
        arrival = np.zeros(len(self.machine))
        for one, _ in arrivals:
            np.maximum(arrival, one, out=arrival)
        starts = self._starts(arrival, seconds)
        ahead = np.zeros(len(self.machine)) if after is None else after
        chip = int(np.argmin(starts + seconds + ahead))
        if copies and arrivals:
            last = max(arrivals, key=lambda one: float(one[0][chip]))[1]
            if not self.graph.parents[last]:
                chip, starts = self._copy(last, chip, starts, arrivals, seconds + ahead)
        self._take(Slot(task, chip, float(starts[chip]), float(starts[chip] + seconds[chip])))

    def _copy(
        self, parent: int, chip: int, starts: Array, arrivals: list[tuple[Array, int]], after: Array
    ) -> tuple[int, Array]:
        """Copy a parent if its child, which is placed next, is then better off; the child's chip and starts."""
        extra = self._seconds(parent)
        # At the end of the chip's slots: the copy and the child then need no two gaps that fit together.
        sooner = np.maximum.reduce([self.tail + extra, *(one for one, other in arrivals if other != parent)])
        other = int(np.argmin(sooner + after))
        if (sooner + after)[other] >= (starts + after)[chip]:
            return chip, starts
        self._take(Slot(parent, other, float(self.tail[other]), float(self.tail[other] + extra[other])))
        return other, sooner


def heft(graph: TaskGraph, machine: Machine) -> list[Slot]:
    """The HEFT plan of a graph: mean ranks, gaps, no copies."""
    plan = Plan(graph, machine)
    for task in by_rank(graph, upward_ranks(graph, machine)):
        plan.place(task)
    return [slots[0] for _, slots in sorted(plan.slots.items())]
