"""A workflow as a graph: tasks with their work, edges with the bytes that go along them."""

import math
from dataclasses import dataclass
from functools import cached_property

from cluster.errors import ClusterError


class GraphError(ClusterError):
    """A workflow that cannot be used; the message says which task or key is wrong."""


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work. ``work`` is in seconds on the reference kind, whose speed is 1."""

    id: str
    type: str
    work: float
    chips: int = 1


@dataclass(frozen=True, slots=True)
class Edge:
    """What a child needs of a parent, in bytes; 0 where it only has to wait for it."""

    parent: str
    child: str
    bytes: float = 0.0


@dataclass(frozen=True)
class TaskGraph:
    """Tasks, numbered in the order given, and edges without a cycle; raises GraphError."""

    tasks: tuple[Task, ...]
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        if not self.tasks:
            raise GraphError("the graph has no tasks")
        if len(self.number) < len(self.tasks):
            twice = next(task.id for place, task in enumerate(self.tasks) if self.number[task.id] != place)
            raise GraphError(f"task {twice}: is given twice")
        for task in self.tasks:
            if not (math.isfinite(task.work) and task.work >= 0):
                raise GraphError(f"task {task.id}: work is {task.work}; give seconds, 0 or more")
            if task.chips < 1:
                raise GraphError(f"task {task.id}: chips is {task.chips}; give 1 or more")
        self._check_edges()
        if len(self.order) < len(self.tasks):
            stuck = sorted(set(range(len(self.tasks))) - set(self.order))
            raise GraphError(f"task {self.tasks[stuck[0]].id}: waits for itself through a cycle of its parents")

    def _check_edges(self) -> None:
        seen: set[tuple[str, str]] = set()
        for edge in self.edges:
            for role, name in (("parent", edge.parent), ("child", edge.child)):
                if name not in self.number:
                    raise GraphError(f"edge {edge.parent} > {edge.child}: unknown {role} {name}")
            if not (math.isfinite(edge.bytes) and edge.bytes >= 0):
                raise GraphError(f"edge {edge.parent} > {edge.child}: bytes is {edge.bytes}; give 0 or more")
            if (edge.parent, edge.child) in seen:
                raise GraphError(f"edge {edge.parent} > {edge.child}: is given twice")
            seen.add((edge.parent, edge.child))

    @cached_property
    def number(self) -> dict[str, int]:
        """Task number by id."""
        return {task.id: place for place, task in enumerate(self.tasks)}

    @cached_property
    def parents(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """For each task its parents with the bytes it needs of them."""
        return self._neighbours([(self.number[e.child], self.number[e.parent], e.bytes) for e in self.edges])

    @cached_property
    def children(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """For each task its children with the bytes they need of it."""
        return self._neighbours([(self.number[e.parent], self.number[e.child], e.bytes) for e in self.edges])

    def _neighbours(self, triples: list[tuple[int, int, float]]) -> tuple[tuple[tuple[int, float], ...], ...]:
        found: list[list[tuple[int, float]]] = [[] for _ in self.tasks]
        for one, other, size in triples:
            found[one].append((other, size))
        return tuple(map(tuple, found))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The tasks, parents before children."""
        missing = [len(parents) for parents in self.parents]
        found = [task for task, count in enumerate(missing) if not count]
        for task in found:  # grows while it is read
            for child, _ in self.children[task]:
                missing[child] -= 1
                if not missing[child]:
                    found.append(child)
        return tuple(found)
