"""Gangs: tasks that start together or not at all, in one domain of the level they require. Knows no Dask.

A gang gathers until all its members are ready, waits for room, is granted all its chips at once and runs. Where it waits
too long it claims hosts, whose chips then drain to it; it claims all it needs or none, so two gangs never hold half each.
A member that stops running before its end breaks the gang: the others are called back, and it gathers again.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from cluster.scheduler.ledger import Ask, Ledger
from cluster.scheduler.place import ROOT, Path, distance

# A waiting gang claims hosts after this time, and leaves its preferred level.
PATIENCE_S = 0.3


@dataclass(frozen=True)
class Terms:
    """Where a gang may run: depths in the tree, under a domain."""

    required: int
    preferred: int
    under: Path = ROOT
    near: Path = ROOT


@dataclass
class Gang:
    """One gang and where its members are: gathering, running or done."""

    id: str
    size: int
    terms: Terms
    ready: dict[Hashable, Ask] = field(default_factory=dict)
    running: dict[Hashable, Any] = field(default_factory=dict)
    done: set[Hashable] = field(default_factory=set)
    known: set[Hashable] = field(default_factory=set)
    broken: bool = False
    since: float = 0.0
    claims: list[Any] = field(default_factory=list)
    domain: Path = ROOT
    drained: bool = False

    @property
    def complete(self) -> bool:
        """Whether every member that is not done is ready."""
        return bool(self.ready) and len(self.ready) + len(self.done) >= self.size and not self.running

    def asks(self) -> tuple[list[Hashable], list[Ask]]:
        """Members and their asks, large ones first, as those are hardest to fit."""
        order = sorted(self.ready, key=lambda task: (-self.ready[task].chips, -self.ready[task].memory))
        return order, [self.ready[task] for task in order]


class Gangs:
    """All gangs of a pod."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float], patience_s: float = PATIENCE_S) -> None:
        self.ledger, self.clock, self.patience_s = ledger, clock, patience_s
        self.gangs: dict[str, Gang] = {}
        self._of: dict[Hashable, Gang] = {}
        self._waiting: dict[str, Gang] = {}
        self._broken: dict[str, Gang] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._broken)

    def of(self, task: Hashable) -> Gang | None:
        """The gang of a task."""
        return self._of.get(task)

    def arrive(self, task: Hashable, ask: Ask, name: str, size: int, terms: Terms) -> Gang:
        """A member is ready to run."""
        gang = self.gangs.get(name)
        if gang is None:
            gang = self.gangs[name] = Gang(name, size, terms)
        if len(gang.done) >= gang.size and task not in gang.done:
            gang.done.clear()  # the name is used again
        self._of[task] = gang
        gang.known.add(task)
        gang.done.discard(task)
        gang.ready[task] = ask
        if gang.complete and name not in self._waiting:
            gang.since = self.clock()
            self._waiting[name] = gang
        return gang

    def leave(self, task: Hashable) -> None:
        """A ready member is ready no more: what it reads was lost, or nobody wants it for now."""
        gang = self._of.get(task)
        if gang is not None and gang.ready.pop(task, None) is not None and not gang.complete:
            self._rest(gang)

    def stop(self, task: Hashable) -> None:
        """A running member stopped before its end: its worker is gone, or it is to run again."""
        gang = self._of.get(task)
        if gang is not None and gang.running.pop(task, None) is not None:
            gang.broken = True
            self._broken[gang.id] = gang

    def finish(self, task: Hashable) -> None:
        """A member has ended for good, well or badly, or is forgotten."""
        gang = self._of.get(task)
        if gang is None:
            return
        gang.ready.pop(task, None)
        gang.running.pop(task, None)
        gang.done.add(task)
        if len(gang.done) >= gang.size or not (gang.ready or gang.running or gang.broken):
            self._rest(gang)
        elif gang.complete and gang.id not in self._waiting:
            gang.since = self.clock()
            self._waiting[gang.id] = gang

    def forget(self, task: Hashable) -> None:
        """A member is no longer wanted by anyone."""
        self.finish(task)
        gang = self._of.pop(task, None)
        if gang is not None:
            gang.known.discard(task)
            if not gang.known:
                self._rest(gang)
                self._broken.pop(gang.id, None)
                del self.gangs[gang.id]

    def recall(self) -> list[Hashable]:
        """Members of broken gangs that still run and must come back, so that the gang can start together again."""
        back: list[Hashable] = []
        for gang in self._broken.values():
            peers = list(gang.running) if len(gang.done) < gang.size else []
            back += peers
            gang.running.clear()
            gang.broken = False
            if gang.complete and not peers:
                gang.since = self.clock()
                self._waiting[gang.id] = gang
        self._broken.clear()
        return back

    def grant(self) -> list[Gang]:
        """Reserve the chips of every gang that fits now; its members then run where ``running`` says."""
        granted: list[Gang] = []
        hopeless: set[object] = set()
        for gang in list(self._waiting.values()):
            tasks, asks = gang.asks()
            shape = (tuple(asks), gang.terms)
            if shape in hopeless and not gang.claims:
                continue
            workers = self._place(gang, asks)
            if workers is None:
                if self.clock() - gang.since < self.patience_s or not self._claim(gang, asks):
                    hopeless.add(shape)
                continue
            for task, worker in zip(tasks, workers, strict=True):
                self.ledger.take(task, worker, gang.ready[task])
                gang.running[task] = worker
            gang.ready.clear()
            self._rest(gang)
            granted.append(gang)
        return granted

    def _place(self, gang: Gang, asks: list[Ask]) -> list[Any] | None:
        gang.drained = bool(gang.claims)
        if gang.claims and (workers := self.ledger.pack(asks, gang.claims)):
            return workers
        gang.drained = False
        haunted = {worker for task in gang.ready for worker in self.ledger.haunted(task)}
        terms, patient = gang.terms, self.clock() - gang.since < self.patience_s
        least = min(asks, key=lambda ask: ask.chips)
        for depth in range(terms.preferred, (terms.preferred if patient else terms.required) - 1, -1):
            # The fullest domain that still fits: the emptier ones stay whole.
            fitting = [
                path for path in self.ledger.domains(depth, terms.under) if self.ledger.slots(least, path) >= len(asks)
            ]
            for path in sorted(
                fitting, key=lambda path: (distance(path, terms.near), self.ledger.total(least.kind, path))
            ):
                rooms = (worker for worker in self.ledger.roomiest(least, path) if worker not in haunted)
                workers = self.ledger.pack(asks, rooms)
                if workers is not None:
                    gang.domain = path
                    return workers
        return None

    def _claim(self, gang: Gang, asks: list[Ask]) -> bool:
        """Claim hosts that hold the gang once they are drained, in the domain that is nearest to it."""
        if gang.claims:
            if self.ledger.pack(asks, gang.claims, empty=True):
                return True
            self._unclaim(gang)  # one of them is gone
        domains = self.ledger.domains(gang.terms.required, gang.terms.under)
        for path in sorted(domains, key=lambda path: -self.ledger.total(asks[0].kind, path)):
            workers = self.ledger.pack(asks, self.ledger.unclaimed(path), empty=True)
            if workers is not None:
                gang.claims, gang.domain = list(dict.fromkeys(workers)), path
                for worker in gang.claims:
                    self.ledger.claim(worker, gang.id)
                return True
        return False

    def possible(self, gang: Gang) -> bool:
        """Whether an empty pod would have room for the gang within its required level."""
        _, asks = gang.asks()
        return any(
            self.ledger.pack(asks, self.ledger.under(path), empty=True) is not None
            for path in self.ledger.domains(gang.terms.required, gang.terms.under)
        )

    def _rest(self, gang: Gang) -> None:
        self._waiting.pop(gang.id, None)
        self._unclaim(gang)

    def _unclaim(self, gang: Gang) -> None:
        for worker in gang.claims:
            self.ledger.claim(worker, None)
        gang.claims = []
