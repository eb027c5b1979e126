"""Try every policy on virtual time and take the best: never worse than the plain rule where times are as expected."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.dag.graph import TaskGraph
from cluster.dag.lookahead import Planned, plans
from cluster.dag.machine import Machine
from cluster.dag.policy import Online, Plain
from cluster.dag.schedule import Schedule
from cluster.dag.simulate import Policy, State, runnable, simulate


class Static(Online):
    """Carry out a plan: every task has its place and its turn from the start; what a failure displaces goes online."""

    strict = True

    def __init__(self, planned: Planned) -> None:
        self.name, self.planned = planned.name, planned

    def begin(self, state: State) -> None:
        super().begin(state)
        place = {task: position for position, task in enumerate(self.planned.graph.order)}
        turns = sorted(self.planned.slots, key=lambda slot: (slot.start, place[slot.task]))
        # A parent's turn is always before its children's, on all chips together: no two chips wait for each other.
        self.turn = {slot.task: turn for turn, slot in enumerate(turns)}
        self.begun = False

    def order(self, task: int) -> float:
        return self.turn[task]

    def decide(self, state: State, ended: list[int]) -> Iterator[tuple[int, int]]:
        if self.begun:
            yield from super().decide(state, ended)
            return
        self.begun = True
        for slot in self.planned.slots:
            self.until[slot.task] = slot.end
            self.loads.set(slot.chip, max(slot.end, self.loads.free[slot.chip]))
            yield slot.task, slot.chip


@dataclass(frozen=True)
class Candidate:
    """A policy and what it comes to; run it again on the graph of its schedule, which may have copies of tasks."""

    policy: Policy
    schedule: Schedule


def portfolio(graph: TaskGraph, machine: Machine) -> tuple[Candidate, ...]:
    """Every policy with its schedule under the expected times, the best first."""
    runnable(graph, machine)
    found = [Candidate(policy, simulate(graph, machine, policy)) for policy in (Plain(), Online())]
    for planned in plans(graph, machine):
        static = Static(planned)
        found.append(Candidate(static, simulate(planned.graph, machine, static)))
    return tuple(sorted(found, key=lambda one: one.schedule.makespan))
