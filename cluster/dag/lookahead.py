"""HEFT plans that look further: what comes after a task, where the wide joins are to be, copies of sources."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cluster.dag.graph import Edge, Task, TaskGraph
from cluster.dag.heft import Array, Plan, Slot, best_seconds, by_rank, upward_ranks
from cluster.dag.machine import Machine

JOIN = 8  # a task with more parents than this gathers from all over the machine


@dataclass(frozen=True)
class Planned:
    """A graph, with copies as tasks of their own, and the slot of each of its tasks."""

    name: str
    graph: TaskGraph
    slots: tuple[Slot, ...]

    @property
    def makespan(self) -> float:
        """The end of the last task, in seconds."""
        return max(slot.end for slot in self.slots)


def cost_tables(graph: TaskGraph, machine: Machine, homes: Mapping[int, int]) -> list[Array]:
    """The least time (s) from the end of each task to the end of all, by the chip it ends on, were all chips free.

    PEFT's optimistic cost table (Arabnejad, Barbosa, IEEE TPDS 25(3), 2014, doi:10.1109/TPDS.2013.57) with the path
    costs of the tree; ``homes`` keeps tasks inside a domain.
    """
    ancestors = np.array([machine.tree.ancestors[host][::-1] for host, _ in machine.groups])
    kinds = np.array([kind for _, kind in machine.groups])
    tables = [np.zeros(len(kinds)) for _ in graph.tasks]
    for task in reversed(graph.order):
        for child, size in graph.children[task]:
            ways = tables[child] + np.array(machine.seconds(graph.tasks[child]))[kinds]
            if child in homes:
                ways = np.where((ancestors == homes[child]).any(axis=1), ways, math.inf)
            nearest = ways
            for level, (latency, pace) in enumerate(machine.links[:-1]):
                best = np.full(len(machine.tree.paths), math.inf)
                np.minimum.at(best, ancestors[:, level], ways)
                nearest = np.minimum(nearest, best[ancestors[:, level]] + latency + size * pace)
            np.maximum(tables[task], nearest, out=tables[task])
    groups = np.array(machine.group)
    return [table[groups] for table in tables]


def plans(graph: TaskGraph, machine: Machine) -> Iterator[Planned]:
    """HEFT and its relatives: two ranks, with and without a look ahead and copies, wide joins in each sort of supernode."""
    ranks = {"mean": upward_ranks(graph, machine), "best": upward_ranks(graph, machine, best_seconds, 0.0)}
    joins = [task for task, parents in enumerate(graph.parents) if len(parents) > JOIN]
    tables: dict[str, tuple[Sequence[Array | None], Mapping[int, int]]] = {
        "": ([None] * len(graph.tasks), {}),
        "+ahead": (cost_tables(graph, machine, {}), {}),
    }
    for home, there in _sorts(machine).items() if joins else ():
        # A join whose type no chip of this supernode can run goes where it likes.
        able = [task for task in joins if min(machine.seconds(graph.tasks[task])[kind] for kind in there) < math.inf]
        homes = dict.fromkeys(able, home)
        tables[f"+joins@{machine.tree.paths[home]}"] = (cost_tables(graph, machine, homes), homes)
    for title, (after, kept) in tables.items():
        for weight, rank in ranks.items():
            for copies in (False, True):
                name = f"heft-{weight}{title}{'+copies' if copies else ''}"
                plan = _plan(graph, machine, by_rank(graph, rank), after, kept, copies=copies)
                yield Planned(name, *_with_copies(graph, machine, plan.slots))


def _sorts(machine: Machine) -> dict[int, Counter[int]]:
    """One supernode of each mix of kinds, with the mix: on an idle machine the others are like it."""
    mixes: dict[int, Counter[int]] = {}
    for host, kind in zip(machine.host, machine.kind, strict=True):
        mixes.setdefault(machine.tree.parent[host], Counter())[kind] += 1
    first = {tuple(sorted(mix.items())): home for home, mix in reversed(mixes.items())}
    return {home: mixes[home] for home in sorted(first.values())}


def _plan(
    graph: TaskGraph,
    machine: Machine,
    order: Sequence[int],
    after: Sequence[Array | None],
    homes: Mapping[int, int],
    *,
    copies: bool,
) -> Plan:
    plan = Plan(graph, machine)
    outside = {
        home: np.array([0.0 if home in machine.tree.ancestors[host] else math.inf for host in machine.host])
        for home in set(homes.values())
    }
    for task in order:
        ahead = after[task]
        if task in homes and ahead is not None:
            ahead = ahead + outside[homes[task]]
        plan.place(task, ahead, copies=copies)
    return plan


def _with_copies(
    graph: TaskGraph, machine: Machine, slots: Mapping[int, Sequence[Slot]]
) -> tuple[TaskGraph, tuple[Slot, ...]]:
    """Make every copy a task of its own, whose children are those that its bytes reach first."""
    if all(len(one) == 1 for one in slots.values()):
        return graph, tuple(slots[task][0] for task in range(len(graph.tasks)))
    name = {
        slot: graph.tasks[task].id + (f"#{n}" if n else "") for task, one in slots.items() for n, slot in enumerate(one)
    }
    copies = [slot for task in sorted(slots) for slot in slots[task][1:]]
    given = [graph.tasks[slot.task] for slot in copies]
    tasks = [*graph.tasks, *(Task(name[slot], task.type, task.work) for slot, task in zip(copies, given, strict=True))]
    edges = []
    for child, parents in enumerate(graph.parents):
        chip = slots[child][0].chip
        for parent, size in parents:
            first = min(slots[parent], key=lambda one: one.end + machine.cost(one.chip, chip, size))
            edges.append(Edge(name[first], graph.tasks[child].id, size))
    own = [slots[task][0] for task in range(len(graph.tasks))]
    numbered = [Slot(number, one.chip, one.start, one.end) for number, one in enumerate([*own, *copies])]
    return TaskGraph(tuple(tasks), tuple(edges)), tuple(numbered)
