"""What a task asks for, read from its annotations."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from distributed.scheduler import NoValidWorkerError

from cluster.scheduler.gangs import Terms
from cluster.scheduler.ledger import CHIP, Ask
from cluster.scheduler.place import ROOT, Fabric, Path, parse


class UnmetNeed(NoValidWorkerError):  # type: ignore[misc]
    """What a task asks for is not in this pod, and never was."""

    def __init__(self, task: Any, reason: str) -> None:
        # Upstream reads five fields of this error; the task and the reason are what we have.
        Exception.__init__(self, task, reason)

    def __str__(self) -> str:
        return f"Task {self.args[0]!r} cannot run: {self.args[1]}"


def wants_chips(ts: Any) -> bool:
    """Whether a task holds chips while it runs."""
    wanted = ts.resource_restrictions
    return bool(wanted) and (CHIP in wanted or any(name.startswith(f"{CHIP}.") for name in wanted))


@dataclass(frozen=True)
class Wish:
    """The need of one task: what it holds, and the domains to look in, the nearest first."""

    ask: Ask
    near: tuple[Path, ...] = ()
    under: Path = ROOT
    others: tuple[tuple[str, float], ...] = ()
    workers: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    @cached_property
    def text(self) -> str:
        """What it asks for, for people."""
        return str(self.ask)

    @property
    def restricted(self) -> bool:
        """Whether only some workers may run it."""
        return bool(self.workers or self.hosts)


def read(ts: Any, fabric: Fabric) -> Wish:
    """A task's wish; raises ValueError where it names a level that the pod has not."""
    notes = ts.annotations or {}
    where, memory = notes.get("where"), notes.get("memory", 0)
    plain = _plain(tuple(ts.resource_restrictions.items()), memory)
    if not (where or ts.worker_restrictions or ts.host_restrictions):
        return plain
    where = where or {}
    path = parse(where.get("affinity") or "")
    required = depth(where.get("required"), fabric, 0)
    start = min(len(path), depth(where.get("preferred"), fabric, len(path)))
    return Wish(
        plain.ask,
        tuple(path[:down] for down in range(start, min(required, len(path)), -1)),
        path[:required],
        plain.others,
        frozenset(ts.worker_restrictions or ()),
        frozenset(ts.host_restrictions or ()),
    )


@cache  # a run has a handful of needs
def _plain(resources: tuple[tuple[str, float], ...], memory: float) -> Wish:
    chips = [amount for name, amount in resources if name.split(".")[0] == CHIP]
    kinds = [name for name, _ in resources if name.startswith(f"{CHIP}.")]
    others = tuple((name, amount) for name, amount in resources if name.split(".")[0] != CHIP)
    return Wish(Ask(max(chips), kinds[0] if kinds else CHIP, memory), others=others)


def terms(ts: Any, fabric: Fabric) -> Terms:
    """Where a gang may run: without a word about it, in one supernode."""
    where = (ts.annotations or {}).get("where") or {}
    path = parse(where.get("affinity") or "")
    required = depth(where.get("required"), fabric, len(fabric.levels) - 2)
    preferred = max(required, depth(where.get("preferred"), fabric, required))
    return Terms(required, preferred, path[:required] if where.get("required") else ROOT, path)


def depth(level: str | None, fabric: Fabric, default: int) -> int:
    """The depth of a level that a task names."""
    if level is None:
        return default
    found = fabric.depth(level)
    if found is None:
        raise ValueError(f"there is no level {level!r} here; the levels are {', '.join(fabric.levels)}")
    return found
