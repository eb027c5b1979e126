"""What no schedule can beat: the critical path, the area of the work, the bytes that must cross a link."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from cluster.dag.graph import TaskGraph
from cluster.dag.heft import Array
from cluster.dag.machine import GB, Machine

STAGES, CLASSES = 6, 8  # bounds from subsets and classes: more of them are sharper and slower
ROUNDING = 1e-9


@dataclass(frozen=True)
class Bounds:
    """Lower bounds of the makespan, in seconds."""

    critical_path: float
    area: float
    staged: float
    link: float

    @property
    def value(self) -> float:
        """The largest of them."""
        return max(self.unshared, self.link)

    @property
    def binding(self) -> str:
        """The name of the largest."""
        return max(("critical_path", "area", "staged", "link"), key=lambda name: float(getattr(self, name)))

    @property
    def unshared(self) -> float:
        """The bound where transfers do not slow each other down, as in ``simulate``."""
        return max(self.critical_path, self.area, self.staged)


def bounds(graph: TaskGraph, machine: Machine) -> Bounds:
    """The lower bounds of a graph on a machine."""
    return Bounds(critical_path(graph, machine), area(graph, machine), staged(graph, machine), link(graph, machine))


def critical_path(graph: TaskGraph, machine: Machine) -> float:
    """The longest chain of tasks, each on the kind that is best at it, communication free."""
    before, after = _ways(graph, machine)
    return max(
        start + min(machine.seconds(task)) + end for start, task, end in zip(before, graph.tasks, after, strict=True)
    )


def area(graph: TaskGraph, machine: Machine) -> float:
    """The least time in which all chips together do the work, however it is cut: a linear program over types and kinds."""
    return _area(_Pieces(graph, machine, range(len(graph.tasks))), machine, math.inf)


def staged(graph: TaskGraph, machine: Machine) -> float:
    """The area of the tasks that have a way before and after them, plus both ways; and no task longer than is left.

    For tasks that can neither start before a nor leave less than b to do, T >= a + b + t, where t is the least time in
    which they fit on all chips, each only on kinds where it takes no longer than t (the relaxation of Lenstra, Shmoys,
    Tardos, Math. Programming 46, 1990, doi:10.1007/BF01585745).
    """
    before, after = _ways(graph, machine)
    longest = 0.0
    for a in _levels(before):
        for b in _levels(after):
            tasks = [task for task in graph.order if before[task] >= a and after[task] >= b]
            if tasks:
                longest = max(longest, a + b + _fit(_Pieces(graph, machine, tasks), machine))
    return longest


def _ways(graph: TaskGraph, machine: Machine) -> tuple[list[float], list[float]]:
    """The longest way (s) before each task and after it, each task on its best kind, communication free."""
    best = [min(machine.seconds(task)) for task in graph.tasks]
    before, after = [0.0] * len(best), [0.0] * len(best)
    for task in graph.order:
        before[task] = max((before[parent] + best[parent] for parent, _ in graph.parents[task]), default=0.0)
    for task in reversed(graph.order):
        after[task] = max((after[child] + best[child] for child, _ in graph.children[task]), default=0.0)
    return before, after


def _levels(ways: list[float]) -> list[float]:
    """A few of the values that occur, the least among them."""
    found = sorted(set(ways))
    return found[:: -(-len(found) // STAGES)]


class _Pieces:
    """Work to do, in classes of one type and of like size: a row each."""

    def __init__(self, graph: TaskGraph, machine: Machine, tasks: Iterable[int]) -> None:
        by_type: dict[str, list[float]] = {}
        for task in tasks:
            by_type.setdefault(graph.tasks[task].type, []).append(graph.tasks[task].work)
        paces, total, least = [], [], []
        for type, work in by_type.items():
            for part in np.array_split(sorted(work), min(len(work), CLASSES)):
                paces.append(machine.pace(type))
                total.append(part.sum())
                least.append(part[0])
        self.pace, self.total = np.array(paces), np.array(total)
        # The shortest of a class stands for all of it: the bound stays one.
        self.seconds = np.array(
            [[size * pace if size else 0.0 for pace in row] for size, row in zip(least, paces, strict=True)]
        )
        self.seconds[np.isinf(self.pace)] = math.inf


def _fit(pieces: _Pieces, machine: Machine) -> float:
    """The least t in which the pieces fit, each only on kinds where it takes no longer than t."""
    times: list[float] = sorted({0.0, *pieces.seconds[np.isfinite(pieces.seconds)].tolist()})
    first, last = 0, len(times) - 1
    while first < last:  # the area falls as t grows: find the first t that is not below it
        middle = (first + last) // 2
        # The solver rounds: by so little the bound must not jump to the next time.
        if _area(pieces, machine, times[middle]) <= times[middle] * (1 + ROUNDING):
            last = middle
        else:
            first = middle + 1
    here = max(times[first], _area(pieces, machine, times[first]))
    # With the kinds of the time before, t may lie between the two.
    return min(here, _area(pieces, machine, times[first - 1])) if first else here


def _area(pieces: _Pieces, machine: Machine, longest: float) -> float:
    """Minimise T: y[c, k] >= 0 is the work of class c on kind k; all is done; no kind works over T on each chip.

    Infinite where a class has no kind on which it takes at most ``longest`` seconds.
    """
    allowed = np.isfinite(pieces.pace) & (pieces.seconds <= longest)
    if not allowed.any(axis=1).all():
        return math.inf
    classes, kinds = pieces.pace.shape
    whole = float(pieces.total.max())
    if whole == 0:
        return 0.0
    # In units of the largest work and the count of chips: the solver's tolerances are absolute.
    used = np.tile(np.eye(kinds), classes) * np.where(allowed, pieces.pace, 0.0).ravel()
    chips = -np.array(machine.count, dtype=float)[:, None] / len(machine)
    found = linprog(
        np.append(np.zeros(classes * kinds), 1.0),
        A_ub=np.hstack([used, chips]),
        b_ub=np.zeros(kinds),
        A_eq=np.hstack([np.kron(np.eye(classes), np.ones(kinds)), np.zeros((classes, 1))]),
        b_eq=pieces.total / whole,
        bounds=[(0, None if free else 0) for free in allowed.ravel()] + [(0, None)],
    )
    if not found.success:
        raise ArithmeticError(f"the area bound was not found: {found.message}")
    least: float = found.fun
    return least * whole / len(machine)


def link(graph: TaskGraph, machine: Machine) -> float:
    """The longest time that bytes which must leave or enter a domain take over all its chips' links together.

    Bytes must cross where all chips that can run the parent are inside the domain and all that can run the child are
    outside, or the other way round. The share of a chip is its link's bandwidth over the oversubscription.
    """
    tree = machine.tree
    inside = np.zeros((len(machine.kinds), len(tree.paths)))
    for host, kind in zip(machine.host, machine.kind, strict=True):
        inside[kind, list(tree.ancestors[host])] += 1
    within: dict[str, Array] = {}  # the share of the chips that can run a type, by domain
    for type in {task.type for task in graph.tasks}:
        usable = np.isfinite(machine.pace(type))
        within[type] = inside[usable].sum(axis=0) / sum(np.array(machine.count)[usable])
    leave, enter = np.zeros(len(tree.paths)), np.zeros(len(tree.paths))
    for edge in graph.edges:
        parent, child = (within[graph.tasks[graph.number[name]].type] for name in (edge.parent, edge.child))
        leave += edge.bytes * ((parent == 1) & (child == 0))
        enter += edge.bytes * ((parent == 0) & (child == 1))
    longest = 0.0
    for domain in np.flatnonzero(leave + enter).tolist():
        given = tree.topology.links.get(tree.levels[tree.level_of[domain] - 1])
        if given:
            chips = float(inside[:, domain].sum())
            over = given.oversubscription.value if given.oversubscription else 1.0
            bandwidth = min(chips, len(machine) - chips) * given.bandwidth.value * GB / over
            longest = max(longest, float(max(leave[domain], enter[domain])) / bandwidth)
    return longest
