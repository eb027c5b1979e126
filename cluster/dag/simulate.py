"""Run a graph under a policy on virtual time: transfers, run times that differ from the expected, chips that fail.

Bytes leave a parent's chip when it has ended and the child has its place; transfers do not slow each other down. What
a task has made lies with its host and outlives the chip.
"""

import math
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

import numpy as np

from cluster.dag.graph import TaskGraph
from cluster.dag.machine import Machine
from cluster.dag.schedule import Run, Schedule, ScheduleError

ENDS, FAILS, COMES = range(3)  # in this order at one time


@dataclass(frozen=True)
class Conditions:
    """How reality differs: run times times lognormal(noise), a share of stragglers, chips that fail at a time (s)."""

    noise: float = 0.0
    stragglers: float = 0.0
    straggler_factor: float = 5.0
    failures: tuple[tuple[float, int], ...] = ()
    seed: int = 0

    def factors(self, tasks: int) -> list[float]:
        """Real over expected run time, by task."""
        draw = np.random.default_rng(self.seed)
        noise = draw.lognormal(0.0, self.noise, tasks)
        late = np.where(draw.random(tasks) < self.stragglers, self.straggler_factor, 1.0)
        return [float(factor) for factor in late * noise]


class Policy(Protocol):
    """Chooses chips. A ``strict`` policy's tasks start in its order on each chip, others as their inputs come."""

    name: str
    strict: bool

    def begin(self, state: "State") -> None:
        """Look at the graph before the start."""

    def decide(self, state: "State", ended: list[int]) -> Iterable[tuple[int, int]]:
        """Place tasks, or move waiting ones, as (task, chip), after tasks have ended; each is carried out at once."""

    def order(self, task: int) -> float:
        """The order of tasks on a chip, lowest first."""


class State:
    """The run so far, as a policy may read it."""

    def __init__(self, graph: TaskGraph, machine: Machine, conditions: Conditions) -> None:
        self.graph, self.machine = graph, machine
        self.now = 0.0
        self.seconds = [machine.seconds(task) for task in graph.tasks]  # expected, by kind
        self.missing = [len(parents) for parents in graph.parents]
        self.ready = [task for task, count in enumerate(self.missing) if not count]  # and without a place
        self.chip = [-1] * len(graph.tasks)
        self.placed = [0.0] * len(graph.tasks)
        self.start = [math.nan] * len(graph.tasks)
        self.end = [math.nan] * len(graph.tasks)
        self.arrival = [math.inf] * len(graph.tasks)
        self.queue: list[list[tuple[float, int]]] = [[] for _ in range(len(machine))]
        self.running = [-1] * len(machine)
        self.dead: set[int] = set()
        self.lost: list[Run] = []
        self.factors = conditions.factors(len(graph.tasks))
        self.events: list[tuple[float, int, int]] = []
        for time, chip in conditions.failures:
            heappush(self.events, (time, FAILS, chip))

    def expected(self, task: int, chip: int) -> float:
        """Seconds that a task is expected to take on a chip."""
        return self.seconds[task][self.machine.kind[chip]]

    def place(self, task: int, chip: int, order: float) -> None:
        """Put a task into a chip's queue, out of another one's if it waits there."""
        if chip in self.dead or self.expected(task, chip) == math.inf or self.start[task] == self.start[task]:
            raise ScheduleError(f"task {self.graph.tasks[task].id}: cannot be placed on chip {chip} now")
        if self.chip[task] >= 0:
            self.queue[self.chip[task]] = [one for one in self.queue[self.chip[task]] if one[1] != task]
        self.chip[task], self.placed[task] = chip, self.now
        insort(self.queue[chip], (order, task))
        if not self.missing[task]:
            self._send(task)

    def _send(self, task: int) -> None:
        arrival = self.placed[task]
        for parent, size in self.graph.parents[task]:
            sent = max(self.end[parent], self.placed[task])
            arrival = max(arrival, sent + self.machine.cost(self.chip[parent], self.chip[task], size))
        self.arrival[task] = arrival
        heappush(self.events, (arrival, COMES, task))

    def begin_on(self, chip: int, *, strict: bool) -> None:
        """Start the next task of a chip if it is free and the inputs are there."""
        if self.running[chip] >= 0:
            return
        for place, (_, task) in enumerate(self.queue[chip]):
            if self.arrival[task] <= self.now:
                del self.queue[chip][place]
                self.running[chip], self.start[task] = task, self.now
                heappush(self.events, (self.now + self.expected(task, chip) * self.factors[task], ENDS, task))
                return
            if strict:
                return

    def finish(self, task: int) -> None:
        """End a task: its chip is free, its children may be ready."""
        self.end[task], self.running[self.chip[task]] = self.now, -1
        for child, _ in self.graph.children[task]:
            self.missing[child] -= 1
            if not self.missing[child]:
                if self.chip[child] >= 0:
                    self._send(child)
                else:
                    self.ready.append(child)

    def fail(self, chip: int) -> None:
        """Take a chip away; its tasks need other places."""
        self.dead.add(chip)
        tasks = [task for _, task in self.queue[chip]]
        if (task := self.running[chip]) >= 0:
            self.lost.append(Run(task, chip, self.placed[task], self.start[task], self.now))
            self.start[task], self.running[chip] = math.nan, -1
            tasks.insert(0, task)
        self.queue[chip] = []
        for task in tasks:
            self.chip[task], self.arrival[task] = -1, math.inf
            if not self.missing[task]:
                self.ready.append(task)


def simulate(graph: TaskGraph, machine: Machine, policy: Policy, conditions: Conditions | None = None) -> Schedule:
    """Run a graph to its end; raises ScheduleError where a task can run nowhere (any more)."""
    conditions = conditions or Conditions()
    runnable(graph, machine)
    state = State(graph, machine, conditions)
    policy.begin(state)
    _react(state, policy, [])
    left = len(graph.tasks)
    while left:
        if not state.events:
            stuck = next(task for task, end in enumerate(state.end) if end != end)
            raise ScheduleError(f"task {graph.tasks[stuck].id}: has no chip left to run on")
        state.now = state.events[0][0]
        ended, chips = [], []
        while state.events and state.events[0][0] <= state.now:
            _, what, which = heappop(state.events)
            if what == FAILS and which not in state.dead:
                state.fail(which)
            elif what == ENDS and state.running[state.chip[which]] == which and _ends_now(state, which):
                state.finish(which)
                ended.append(which)
            elif what == COMES and state.chip[which] >= 0:
                chips.append(state.chip[which])
        left -= len(ended)
        _react(state, policy, ended, chips)
    runs = tuple(
        Run(task, state.chip[task], state.placed[task], state.start[task], state.end[task])
        for task in range(len(graph.tasks))
    )
    return Schedule(graph, machine, runs, tuple(state.lost), conditions.failures)


def _ends_now(state: State, task: int) -> bool:
    """Whether this is the end of the present run: one that a failure cut short leaves its event behind."""
    return state.start[task] + state.expected(task, state.chip[task]) * state.factors[task] == state.now


def _react(state: State, policy: Policy, ended: list[int], chips: Iterable[int] = ()) -> None:
    """Let the policy place and move, then start what can start."""
    touched = {*chips, *(state.chip[task] for task in ended)}
    for task, chip in policy.decide(state, ended):
        state.place(task, chip, policy.order(task))
        touched.add(chip)
    state.ready = [task for task in state.ready if state.chip[task] < 0]
    for chip in touched:
        state.begin_on(chip, strict=policy.strict)


def runnable(graph: TaskGraph, machine: Machine) -> None:
    """Raise ScheduleError that names a task which no chip can run."""
    if not len(machine):
        raise ScheduleError("the machine has no chips")
    for task in graph.tasks:
        if task.chips > 1:
            raise ScheduleError(
                f"task {task.id}: needs {task.chips} chips; here a task takes one, gangs are placed by the allocator"
            )
        if min(machine.seconds(task)) == math.inf:
            raise ScheduleError(f"task {task.id}: type {task.type} runs on none of the kinds {list(machine.kinds)}")
