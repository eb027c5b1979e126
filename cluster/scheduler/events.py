"""Why tasks run where they do: the last decisions about each."""

from collections import OrderedDict
from collections.abc import Hashable
from time import time
from typing import Any, NamedTuple

from distributed import Client

# Tasks and decisions a task that are kept.
MOST_TASKS, MOST_EACH = 50_000, 8


class Decision(NamedTuple):
    """One decision: where a task went and why, or why it waits."""

    when: float
    worker: str
    place: str
    why: str


class Log:
    """The last decisions by task; the oldest tasks are forgotten first."""

    def __init__(self) -> None:
        self._of: OrderedDict[Hashable, list[Decision]] = OrderedDict()

    def note(self, key: Hashable, why: str, worker: str = "", place: str = "") -> None:
        """Keep a decision; the same reason again is not news."""
        decisions = self._of.get(key)
        if decisions is None:
            decisions = self._of[key] = []
            if len(self._of) > MOST_TASKS:
                self._of.popitem(last=False)
        elif not worker and decisions[-1].why == why:
            return
        decisions.append(Decision(time(), worker, place, why))
        del decisions[:-MOST_EACH]

    def of(self, key: Hashable) -> list[dict[str, Any]]:
        """The decisions about a task, the oldest first."""
        return [decision._asdict() for decision in self._of.get(key, ())]


def explain(client: Client, key: Hashable) -> Any:
    """The scheduler's decisions about a task: a list of when, worker, place, why (with an async client a coroutine)."""
    return client.sync(client.scheduler.explain, key=key)
