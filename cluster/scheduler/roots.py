"""Root tasks on the scheduler: homes when a graph comes, queues by home, and who takes what when a slot opens."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from cluster.scheduler.homes import Queues, cut
from cluster.scheduler.place import ROOT, Path, parse

# A root task leaves its home's host if its wait there exceeds this many transfers of its result.
AWAY_TRANSFERS = 2.0
# Idle workers that are asked again at each event, so that an event's cost does not grow with the pod.
ASKED_AGAIN = 16
Homes = dict[Any, Any]
HOME = "its home: neighbours in the graph run next to each other"


class Roots:
    """Homes and queues of root tasks."""

    def __init__(self, scheduler: Any) -> None:
        self.s = scheduler
        self.home: dict[Any, Any] = {}
        self.queues = Queues(lambda ts: ts.state == "queued")
        self._open: dict[Any, None] = {}
        self._hungry: dict[Any, None] = {}

    def settle(self, keys: Iterable[Any]) -> None:
        """Give a home to every root task of a graph, along the tree: by index, or by priority where fewer blocks move."""
        groups = self._groups(keys)
        homes = self._homes(groups, by_index)
        if any(indexed(tasks) for tasks in groups.values()):
            homes = min(homes, self._homes(groups, by_priority), key=self._torn)
        self.home.update(homes)

    def _groups(self, keys: Iterable[Any]) -> dict[tuple[Any, str], list[Any]]:
        """Root tasks by layer and by what they want to be near."""
        s = self.s
        groups: defaultdict[tuple[Any, str], list[Any]] = defaultdict(list)
        rootish: dict[Any, bool] = {}
        for key in keys:
            ts = s.tasks.get(key)
            if ts is None or ts.state != "released" or ts.resource_restrictions:
                continue
            if ts.worker_restrictions or ts.host_restrictions or ts.actor or not ts.priority:
                continue
            if ts.dependencies:
                if ts.group not in rootish:
                    rootish[ts.group] = s.is_rootish(ts)
                if not rootish[ts.group]:
                    continue
            groups[ts.group, affinity(ts)].append(ts)
        return groups

    def _homes(self, groups: dict[tuple[Any, str], list[Any]], order: Callable[[list[Any]], list[Any]]) -> Homes:
        homes: Homes = {}
        fabric = self.s.fabric
        for (_, near), tasks in groups.items():
            path = parse(near)
            # Fewer tasks than supernodes have no neighbours to be placed by: the stock rule spreads them.
            if not path and len(tasks) < len(fabric.members):
                continue
            workers = [(ws, ws.nthreads) for ws in fabric.order() if fabric.path[ws][: len(path)] == path]
            if workers:
                homes.update(zip(order(tasks), cut(len(tasks), workers), strict=True))
        return homes

    def _torn(self, homes: Homes) -> int:
        """How many supernodes too many the consumers of these tasks have their inputs in."""
        path = self.s.fabric.path
        consumers: defaultdict[Any, set[Path]] = defaultdict(set)
        for ts, home in homes.items():
            for consumer in ts.dependents:
                consumers[consumer].add(path[home][:-1])
        return sum(len(supernodes) - 1 for supernodes in consumers.values())

    def leave(self, worker: Any) -> None:
        """Forget a worker."""
        self.queues.leave(worker)
        self._open.pop(worker, None)
        self._hungry.pop(worker, None)

    def opened(self, worker: Any) -> None:
        """A worker may have a free slot."""
        self._open[worker] = None
        self._hungry.pop(worker, None)

    def with_slot(self, ts: Any) -> Any | None:
        """The task's home if it has a free slot, or any worker's for a task without home; None to queue it."""
        s, home = self.s, self.home.get(ts)
        if home is not None and home in s.running:
            if home in s.idle_task_count:
                s.why = HOME
                return home
            return None
        s.why = "has the most free slots"
        return next((ws for ws in s.slots.roomiest(ROOT, 1) if ws in s.idle_task_count), None)

    def at_once(self, ts: Any) -> Any | None:
        """A worker for a root task that cannot be queued: near its home; None leaves it to the stock rule."""
        s, home = self.s, self.home.get(ts)
        if home is None or home not in s.running:
            return None
        s.why = HOME
        if len(home.processing) < home.nthreads or self.s.saturation_off:
            return home
        near = next(s.slots.roomiest(s.fabric.path[home][:-1], 1), None)
        if near is not None and len(near.processing) < near.nthreads:
            s.why = "idle, in the supernode of its home, which is busy"
            return near
        return home

    def push(self, ts: Any) -> None:
        """Queue a task at its home."""
        self.queues.push(ts, self.home.get(ts), ts.priority)

    def offer(self, stimulus_id: str) -> None:
        """Give queued tasks to the workers whose slots opened, and to a few that found nothing before."""
        s = self.s
        if not s.queued:
            if self.queues:
                self.queues.clear()
            return
        asked, self._open = self._open, {}
        for ws in [*asked, *islice(self._hungry, ASKED_AGAIN)]:
            self._hungry.pop(ws, None)
            self._feed(ws, stimulus_id)
            if ws in s.idle_task_count:
                self._hungry[ws] = None

    def _feed(self, ws: Any, stimulus_id: str) -> None:
        s = self.s
        while ws in s.idle_task_count and (found := self.queues.pop(ws, self._worth)) is not None:
            ts, victim = found
            s.chosen[ts] = ws
            s.why = HOME if victim is ws else f"took it from the queue of {s.fabric.label(victim)}"
            s.transitions({ts.key: "processing"}, stimulus_id)

    def _worth(self, ts: Any, victim: Any, length: int, steps: int) -> bool:
        s = self.s
        wait = length / victim.nthreads * s._get_prefix_duration(ts.prefix)
        return bool(wait > AWAY_TRANSFERS * s.fabric.seconds(self.result_bytes(ts), steps))

    def result_bytes(self, ts: Any) -> float:
        """Mean size of the results of a task's group so far; 0 before the first."""
        group = ts.group
        done = group.states["memory"] + group.states["released"]
        return group.nbytes_total / done if done and group.nbytes_total else 0.0

    def rebuild(self) -> None:
        """Queue again all that the scheduler has queued: the pod has got a second supernode."""
        self.queues.clear()
        for ts in self.s.queued.sorted():
            self.push(ts)


def by_priority(tasks: list[Any]) -> list[Any]:
    """Tasks in the order in which Dask wants to run them: those that are soon combined next to each other."""
    return sorted(tasks, key=lambda ts: ts.priority)


def by_index(tasks: list[Any]) -> list[Any]:
    """Tasks in the order of the indices that end their keys: neighbouring blocks of an array next to each other."""
    return sorted(tasks, key=lambda ts: ts.key[1:]) if indexed(tasks) else by_priority(tasks)


def indexed(tasks: list[Any]) -> bool:
    """Whether the keys of a layer's tasks end in indices."""
    return all(isinstance(ts.key, tuple) and all(isinstance(index, int) for index in ts.key[1:]) for ts in tasks)


def affinity(ts: Any) -> str:
    """The path of the domain a task wants to be near; empty where it does not say."""
    where = (ts.annotations or {}).get("where") or {}
    return str(where.get("affinity") or "")
