"""Homes of root tasks, and a queue for each worker. Knows no Dask.

Where roots run decides what later crosses the fabric: neighbours in the graph get neighbouring homes.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate
from typing import Any

from cluster.scheduler.place import Path


def cut(count: int, workers: Sequence[tuple[Any, int]]) -> list[Any]:
    """Homes of ``count`` tasks in their order: contiguous runs, in proportion to the workers' threads.

    The workers come in the order of the tree, so a run of a domain's workers is a run of tasks at every level.
    """
    ends = list(accumulate(threads for _, threads in workers))
    return [workers[bisect_left(ends, (at + 0.5) * ends[-1] / count)][0] for at in range(count)]


class _Node:
    """A domain, or at the end of a way a worker with its queue."""

    __slots__ = ("children", "count", "parent", "queue", "sorted", "worker")

    def __init__(self, parent: "_Node | None", worker: Any = None) -> None:
        self.parent, self.worker = parent, worker
        self.children: dict[Hashable, _Node] = {}
        self.count = 0
        self.queue: deque[tuple[Any, int, Any]] = deque()
        self.sorted = True

    def add(self, by: int) -> None:
        node: _Node | None = self
        while node is not None:
            node.count += by
            node = node.parent


class Queues:
    """Root tasks by home, counted along the tree so that the longest queue near a worker is found by descent."""

    def __init__(self, alive: Callable[[Any], bool]) -> None:
        self._alive = alive
        self._number = 0
        self._workers: dict[Hashable, _Node] = {}
        self._root = _Node(None)
        self._homeless = _Node(self._root)

    def __len__(self) -> int:
        return self._root.count

    def join(self, worker: Hashable, path: Path) -> None:
        """Open a worker's queue."""
        node = self._root
        for name in path:
            if name not in node.children:
                node.children[name] = _Node(node)
            node = node.children[name]
        node.children[worker] = self._workers[worker] = _Node(node, worker)

    def leave(self, worker: Hashable) -> None:
        """Close a worker's queue; what is in it goes to the first worker that asks."""
        gone = self._workers.pop(worker, None)
        if gone is None:
            return
        gone.add(-gone.count)
        for entry in gone.queue:
            self._append(self._homeless, entry)
        parent = gone.parent
        assert parent is not None
        del parent.children[worker]
        while parent.parent is not None and not parent.children:
            above = parent.parent
            above.children = {name: node for name, node in above.children.items() if node is not parent}
            parent = above

    def clear(self) -> None:
        """Forget all tasks."""
        for node in (*self._workers.values(), self._homeless):
            node.add(-node.count)
            node.queue.clear()

    def push(self, task: Any, home: Hashable | None, priority: Any) -> None:
        """Queue a task at its home."""
        self._number += 1
        self._append(self._workers.get(home, self._homeless), (priority, self._number, task))

    def _append(self, node: _Node, entry: tuple[Any, int, Any]) -> None:
        if node.queue and entry < node.queue[-1]:
            node.sorted = False
        node.queue.append(entry)
        node.add(1)

    def pop(self, worker: Hashable, worth: Callable[[Any, Any, int, int], bool]) -> tuple[Any, Any] | None:
        """A task for a worker with a free slot, and whose queue it is from.

        Its own first; then the far end of the longest queue near it, the nearest domain first. From another host only
        where ``worth(task, victim, length, steps)`` says that the queue outlasts the way of the results.
        """
        own = self._workers.get(worker)
        if own is None:
            return None
        for node in (own, self._homeless):
            task = self._next(node, far=False)
            if task is not None:
                return task, node.worker
        steps, domain = 0, own.parent
        while domain is not None:
            while domain.count:
                victim = self._longest(domain)
                if victim is None or (steps and not worth(victim.queue[-1][2], victim.worker, victim.count, steps)):
                    break
                task = self._next(victim, far=True)
                if task is not None:
                    return task, victim.worker
            steps, domain = steps + 1, domain.parent
        return None

    def _longest(self, node: _Node) -> _Node | None:
        while node.children:
            node = max(node.children.values(), key=lambda child: child.count)
        return node if node.count else None

    def _next(self, node: _Node, *, far: bool) -> Any | None:
        if not node.sorted:
            node.queue = deque(sorted(node.queue, key=lambda entry: entry[:2]))
            node.sorted = True
        while node.queue:
            task = (node.queue.pop() if far else node.queue.popleft())[2]
            node.add(-1)
            if self._alive(task):
                return task
        return None
