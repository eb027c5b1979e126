"""Where tasks are or will be, as far as what is known now tells."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from cluster.scheduler.place import Path


def expected(scheduler: Any, tasks: Iterable[Any]) -> list[Any | None]:
    """The worker of each task: where it is, runs, or has its home, else where most of its inputs are; None if unknown."""
    found: dict[Any, Any | None] = {}
    tasks = list(tasks)
    stack = list(tasks)
    while stack:
        ts = stack[-1]
        if ts not in found:
            worker = _known(scheduler, ts)
            missing = [] if worker else [each for each in ts.dependencies if each not in found]
            if missing:
                stack += missing
                continue
            found[ts] = worker or _majority(scheduler.fabric, [found[each] for each in ts.dependencies])
        stack.pop()
    return [found[ts] for ts in tasks]


def _known(scheduler: Any, ts: Any) -> Any | None:
    worker = next(iter(ts.who_has or ()), None) or ts.processing_on or scheduler.roots.home.get(ts)
    return worker if worker in scheduler.fabric.path else None


def _majority(fabric: Any, workers: Iterable[Any | None]) -> Any | None:
    """The worker that comes most often, in the domain that does at each level."""
    known = Counter(worker for worker in workers if worker)
    under: Counter[Path] = Counter()
    for worker, count in known.items():
        for domain in _domains(fabric.path[worker]):
            under[domain] += count

    def weight(worker: Any) -> list[int]:
        return [*(under[domain] for domain in _domains(fabric.path[worker])), known[worker]]

    return max(known, key=weight, default=None)


def _domains(path: Path) -> list[Path]:
    return [path[: depth + 1] for depth in range(len(path))]
