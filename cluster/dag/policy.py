"""Where ready tasks go: the plain rule, as Dask's, and the earliest finish over unlike kinds and the tree's paths."""

import math
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush

from cluster.dag.graph import Task
from cluster.dag.heft import upward_ranks
from cluster.dag.machine import Machine
from cluster.dag.simulate import State

GATHERED = 4  # parents whose neighbourhoods are searched: those whose bytes take longest


class Plain:
    """Dask's rule, emulated: holders of a dependency or else all chips, one bandwidth, kinds unknown, idle chips steal.

    It is told the mean time of each type over all chips, which Dask has to learn.
    """

    name = "plain"
    strict = False

    def begin(self, state: State) -> None:
        machine = state.machine
        self.latency, self.pace = machine.mean_link
        self.mean = [machine.mean_seconds(task) for task in state.graph.tasks]
        by_type: dict[str, list[float]] = {}
        for task, mean in zip(state.graph.tasks, self.mean, strict=True):
            by_type.setdefault(task.type, []).append(mean)
        self.mean = [sum(by_type[task.type]) / len(by_type[task.type]) for task in state.graph.tasks]
        self.depth = {task: place for place, task in enumerate(state.graph.order)}
        self.occupancy = [0.0] * len(machine)
        self.charged = [0.0] * len(state.graph.tasks)

    def order(self, task: int) -> float:
        return self.depth[task]

    def decide(self, state: State, ended: list[int]) -> Iterator[tuple[int, int]]:
        for task in ended:
            self.occupancy[state.chip[task]] -= self.charged[task]
        for task in sorted(state.ready, key=self.order):
            usable = [chip for chip in range(len(self.occupancy)) if self._can(state, task, chip)]
            if not usable:
                continue
            holders = {state.chip[parent] for parent, _ in state.graph.parents[task]} & set(usable)
            chip = min(sorted(holders) or usable, key=lambda one: self.occupancy[one] + self._fetch(state, task, one))
            yield self._charge(state, task, chip)
        yield from self._steal(state)

    def _can(self, state: State, task: int, chip: int) -> bool:
        return chip not in state.dead and state.expected(task, chip) < math.inf

    def _fetch(self, state: State, task: int, chip: int) -> float:
        return sum(size * self.pace for parent, size in state.graph.parents[task] if state.chip[parent] != chip)

    def _charge(self, state: State, task: int, chip: int) -> tuple[int, int]:
        self.charged[task] = self.mean[task] + self._fetch(state, task, chip)
        self.occupancy[chip] += self.charged[task]
        return task, chip

    def _steal(self, state: State) -> Iterator[tuple[int, int]]:
        """Let each idle chip take the last waiting task of the fullest chip, if it would end sooner by the rule."""
        idle = [
            chip
            for chip, running in enumerate(state.running)
            if running < 0 and not state.queue[chip] and chip not in state.dead
        ]
        for thief in idle:
            full = [chip for chip, queue in enumerate(state.queue) if len(queue) + (state.running[chip] >= 0) > 1]
            if not full:
                return
            victim = max(full, key=lambda chip: self.occupancy[chip])
            task = state.queue[victim][-1][1]
            needed = self._fetch(state, task, thief) + self.mean[task]
            if self._can(state, task, thief) and needed <= self.occupancy[victim] - self.charged[task] / 2:
                self.occupancy[victim] -= self.charged[task]
                yield self._charge(state, task, thief)


class LeastLoaded:
    """For each domain and kind the chip that is free first, in time that does not depend on how many there are."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.free = [0.0] * len(machine)
        self.heaps: dict[tuple[int, int], list[tuple[float, int]]] = {}
        for chip, (host, kind) in enumerate(zip(machine.host, machine.kind, strict=True)):
            for domain in machine.tree.ancestors[host]:
                self.heaps.setdefault((domain, kind), []).append((0.0, chip))
        for heap in self.heaps.values():
            heapify(heap)

    def set(self, chip: int, free: float) -> None:
        """Say when a chip will be free; infinity takes it away."""
        self.free[chip] = free
        for domain in self.machine.tree.ancestors[self.machine.host[chip]]:
            heappush(self.heaps[domain, self.machine.kind[chip]], (free, chip))

    def best(self, domain: int, kind: int) -> int | None:
        """The chip of a kind under a domain that is free first."""
        heap = self.heaps.get((domain, kind))
        while heap and heap[0][0] != self.free[heap[0][1]]:
            heappop(heap)
        return heap[0][1] if heap and heap[0][0] < math.inf else None


class Online:
    """Earliest finish time: ready tasks by falling upward rank, each where it is expected to end first.

    It looks at the chips of the parents and, under every domain that a parent is in, at the chip of each kind that is
    free first. Times by type and kind are learned as tasks end, and the ranks follow.
    """

    name = "online"
    strict = False

    def begin(self, state: State) -> None:
        self.ranks = upward_ranks(state.graph, state.machine)
        self.loads = LeastLoaded(state.machine)
        self.until = [0.0] * len(state.graph.tasks)
        self.seen: dict[tuple[str, int], tuple[float, float]] = {}
        self.ended = 0
        self.next_ranking = 1

    def order(self, task: int) -> float:
        return -self.ranks[task]

    def decide(self, state: State, ended: list[int]) -> Iterator[tuple[int, int]]:
        self._learn(state, ended)
        for gone in state.dead:
            if self.loads.free[gone] < math.inf:
                self.loads.set(gone, math.inf)
        for task in sorted(state.ready, key=self.order):
            if (chip := self.choose(state, task)) is not None:
                yield task, chip

    def choose(self, state: State, task: int) -> int | None:
        """The chip where a task is expected to end first, and count it there; None if no chip can run it."""
        best, chosen = math.inf, None
        sources = [
            (state.chip[parent], max(state.end[parent], state.now), size) for parent, size in state.graph.parents[task]
        ]
        for chip in self._candidates(state, sources):
            seconds = self.seconds(state, task, chip)
            start = max(state.now, self.loads.free[chip])
            for source, sent, size in sources:
                start = max(start, sent + state.machine.cost(source, chip, size))
            if start + seconds < best:
                best, chosen = start + seconds, chip
        if chosen is not None:
            self.until[task] = best
            self.loads.set(chosen, best)
        return chosen

    def seconds(self, state: State, task: int, chip: int) -> float:
        """The time of a task on a chip, corrected by what was seen of its type on the kind."""
        return state.expected(task, chip) * self._ratio(state.graph.tasks[task].type, state.machine.kind[chip])

    def _ratio(self, type: str, kind: int) -> float:
        seen, expected = self.seen.get((type, kind), (0.0, 0.0))
        return seen / expected if expected else 1.0

    def _candidates(self, state: State, sources: Sequence[tuple[int, float, float]]) -> Iterable[int]:
        machine, domains = state.machine, {0: None}
        found: dict[int, None] = {}
        if len(sources) > GATHERED:
            sources = sorted(sources, key=lambda one: -one[2])[:GATHERED]
        for source, _, _ in sources:
            domains |= dict.fromkeys(machine.tree.ancestors[machine.host[source]])
            found[source] = None
        for domain in domains:
            for kind in range(len(machine.kinds)):
                if (chip := self.loads.best(domain, kind)) is not None:
                    found[chip] = None
        return [chip for chip in found if chip not in state.dead]

    def _learn(self, state: State, ended: list[int]) -> None:
        for task in ended:
            chip = state.chip[task]
            key = (state.graph.tasks[task].type, state.machine.kind[chip])
            real, expected = self.seen.get(key, (0.0, 0.0))
            self.seen[key] = (real + state.now - state.start[task], expected + state.expected(task, chip))
            late = state.now - self.until[task]
            free = max(state.now, self.loads.free[chip] + late) if state.queue[chip] else state.now
            if free != self.loads.free[chip]:
                self.loads.set(chip, free)
        self.ended += len(ended)
        if self.ended >= self.next_ranking:
            # Twice as many each time: all the rankings of a run cost as much as a few.
            self.next_ranking = 2 * self.ended
            self.ranks = upward_ranks(state.graph, state.machine, self._learned_mean)

    def _learned_mean(self, machine: Machine, task: Task) -> float:
        times = [self._ratio(task.type, kind) * time for kind, time in enumerate(machine.seconds(task))]
        usable = [(time, n) for time, n in zip(times, machine.count, strict=True) if time < math.inf]
        return sum(time * n for time, n in usable) / sum(n for _, n in usable)
