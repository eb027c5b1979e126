"""Tasks that wait for chips: one queue for each kind of wish, as where one does not fit its likes do not either."""

import heapq
from collections.abc import Container, Hashable
from typing import Any


class Held:
    """Waiting tasks by wish, best priority first."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, list[tuple[Any, int, Hashable]]] = {}
        self._number: dict[Hashable, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._number)

    def __contains__(self, task: Hashable) -> bool:
        return task in self._number

    def add(self, task: Hashable, wish: Hashable, priority: Any) -> None:
        """Hold a task; one that is held already keeps its place."""
        if task not in self._number:
            self._count += 1
            self._number[task] = self._count
            heapq.heappush(self._queues.setdefault(wish, []), (priority, self._count, task))

    def discard(self, task: Hashable) -> None:
        """Hold a task no more; its entry goes when it comes to the front."""
        self._number.pop(task, None)
        if not self._number:
            self._queues.clear()

    def first(self, without: Container[Hashable] = ()) -> tuple[Hashable, Hashable] | None:
        """The wish and the task of best priority, leaving out some wishes."""
        best: tuple[Any, int, Hashable] | None = None
        found: Hashable = None
        for wish in list(self._queues):
            queue = self._queues[wish]
            while queue and self._number.get(queue[0][2]) != queue[0][1]:
                heapq.heappop(queue)
            if not queue:
                del self._queues[wish]
            elif wish not in without and (best is None or queue[0][:2] < best[:2]):
                best, found = queue[0], wish
        return None if best is None else (found, best[2])
