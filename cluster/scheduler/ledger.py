"""Free chips by kind along the tree. Knows no Dask; a worker and a task are any hashable."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cluster.scheduler.buckets import Buckets
from cluster.scheduler.place import ROOT, Path

CHIP = "chip"


@dataclass(frozen=True)
class Ask:
    """What one task holds while it runs."""

    chips: float
    kind: str = CHIP
    memory: float = 0

    def __str__(self) -> str:
        kind = "" if self.kind == CHIP else f" {self.kind.removeprefix('chip.')}"
        memory = f" and {self.memory / 2**30:.3g} GiB" if self.memory else ""
        return f"{self.chips:g}{kind} chip{'s' if self.chips != 1 else ''}{memory}"


class Hold(NamedTuple):
    """Chips in use or reserved."""

    worker: Any
    ask: Ask


class Book(NamedTuple):
    """A worker's chips by kind (``chip`` counts all), how many of them are free, and for whom these are kept."""

    worker: Any
    path: Path
    chips: Mapping[str, float]
    free: Mapping[str, float]
    claim: Hashable | None
    suspended: bool


class _Stock:
    """What one worker has, and has free."""

    __slots__ = ("claim", "free", "free_memory", "holds", "memory", "path", "suspended", "units")

    def __init__(self, path: Path, units: Mapping[str, float], memory: float) -> None:
        self.path, self.units, self.free = path, dict(units), dict(units)
        self.memory = self.free_memory = memory
        self.holds: dict[Hashable, None] = {}
        self.suspended = False
        self.claim: Hashable | None = None

    def names(self, ask: Ask) -> Iterable[str]:
        # Where kinds are mixed, chips of any kind are charged to all of them: nobody says which they will be.
        return (CHIP, ask.kind) if ask.kind != CHIP else self.units

    def charge(self, ask: Ask, sign: int) -> None:
        for name in self.names(ask):
            self.free[name] -= sign * ask.chips
        self.free_memory -= sign * ask.memory


class Ledger:
    """Who holds which chips. A hold is taken once and given back once, whoever asks again."""

    def __init__(self) -> None:
        self.held: dict[Hashable, Hold] = {}
        self._stock: dict[Hashable, _Stock] = {}
        self._index: dict[str, Buckets] = {}
        self._lingering: dict[Hashable, dict[Hashable, Hashable]] = {}
        self._ever: dict[tuple[Ask, Path], bool] = {}

    def __contains__(self, worker: Hashable) -> bool:
        return worker in self._stock

    def add(self, worker: Hashable, path: Path, units: Mapping[str, float], memory: float = 0) -> None:
        """Note a worker with chips, or that it has others now; ``memory`` 0 is no limit."""
        chips = {name: n for name, n in units.items() if name == CHIP or name.startswith(f"{CHIP}.")}
        if not chips:
            return
        kinds = sum(n for name, n in chips.items() if name != CHIP)
        chips.setdefault(CHIP, kinds)
        known = self._stock.get(worker)
        stock = self._stock[worker] = _Stock(path, chips, memory or float("inf"))
        self._ever.clear()
        if known:
            self._hide(worker, known)
            stock.suspended, stock.claim, stock.holds = known.suspended, known.claim, known.holds
            for task in stock.holds:
                stock.charge(self.held[task].ask, 1)
        self._show(worker, stock)

    def remove(self, worker: Hashable) -> None:
        """Forget a worker and what was held on it."""
        stock = self._stock.pop(worker, None)
        if stock is not None:
            self._hide(worker, stock)
            self._ever.clear()
            for task in stock.holds:
                del self.held[task]
            for places in self._lingering.values():
                places.pop(worker, None)

    def suspend(self, worker: Hashable, suspended: bool) -> None:
        """Give nothing more on a worker, or give again."""
        stock = self._stock.get(worker)
        if stock is not None and stock.suspended != suspended:
            stock.suspended = suspended
            self._show(worker, stock)

    def claim(self, worker: Hashable, owner: Hashable | None) -> None:
        """Keep what gets free on a worker for one owner; None gives it to all again."""
        stock = self._stock.get(worker)
        if stock is not None:
            stock.claim = owner
            self._show(worker, stock)

    def take(self, task: Hashable, worker: Hashable, ask: Ask) -> None:
        """Hold chips for a task; nothing more happens where it holds these already."""
        hold = self.held.get(task)
        if hold is not None:
            if hold.worker == worker:
                return
            self.give(task)
        stock = self._stock.get(worker)
        if stock is not None:
            self.held[task] = Hold(worker, ask)
            stock.holds[task] = None
            stock.charge(ask, 1)
            self._show(worker, stock)

    def give(self, task: Hashable) -> None:
        """Give back what a task holds, if it does."""
        hold = self.held.pop(task, None)
        if hold is not None:
            stock = self._stock[hold.worker]
            del stock.holds[task]
            stock.charge(hold.ask, -1)
            self._show(hold.worker, stock)

    def linger(self, task: Hashable) -> None:
        """Keep a task's chips though it is given up: its thread runs on until the worker says that it is gone."""
        hold = self.held.get(task)
        if hold is not None:
            ghost = ("given up", task, hold.worker)
            self.give(task)
            self.take(ghost, hold.worker, hold.ask)
            self._lingering.setdefault(task, {})[hold.worker] = ghost

    def gone(self, task: Hashable, worker: Hashable) -> bool:
        """The thread of a task that was given up has ended; whether there was one."""
        places = self._lingering.get(task, {})
        ghost = places.pop(worker, None)
        if not places:
            self._lingering.pop(task, None)
        if ghost is not None:
            self.give(ghost)
        return ghost is not None

    def haunted(self, task: Hashable) -> Collection[Hashable]:
        """Workers where an earlier run of a task has not ended yet."""
        return self._lingering.get(task, {}).keys()

    def _show(self, worker: Hashable, stock: _Stock) -> None:
        if stock.suspended or stock.claim is not None:
            self._hide(worker, stock)
            return
        for name, free in stock.free.items():
            index = self._index.get(name)
            if index is None:
                index = self._index[name] = Buckets()
            index.put(worker, stock.path, free)

    def _hide(self, worker: Hashable, stock: _Stock) -> None:
        for name in stock.units:
            if name in self._index:
                self._index[name].drop(worker)

    def free(self, worker: Hashable, kind: str = CHIP) -> float:
        """Free chips of a worker."""
        stock = self._stock.get(worker)
        return stock.free.get(kind, 0) if stock else 0

    def capacity(self, worker: Hashable, kind: str = CHIP) -> float:
        """Chips of a worker."""
        stock = self._stock.get(worker)
        return stock.units.get(kind, 0) if stock else 0

    def fits(self, worker: Hashable, ask: Ask) -> bool:
        """Whether a task could start on a worker now."""
        stock = self._stock.get(worker)
        return (
            stock is not None
            and not stock.suspended
            and stock.claim is None
            and ask.kind in stock.units
            and stock.free_memory >= ask.memory
            and all(stock.free[name] >= ask.chips for name in stock.names(ask))
        )

    def fit(self, ask: Ask, under: Path = ROOT, accept: Callable[[Any], bool] | None = None) -> Any | None:
        """The tightest fit in a domain: whole hosts stay free for those who need them."""
        index = self._index.get(ask.kind)
        if index is None:
            return None
        for worker in index.tightest(under, ask.chips):
            if self.fits(worker, ask) and (accept is None or accept(worker)):
                return worker
        return None

    def ever(self, ask: Ask, under: Path = ROOT) -> bool:
        """Whether some worker of a domain could hold this if it were empty."""
        known = self._ever.get((ask, under))
        if known is None:
            known = self._ever[ask, under] = any(
                stock.path[: len(under)] == under
                and stock.units.get(ask.kind, 0) >= ask.chips
                and stock.memory >= ask.memory
                for stock in self._stock.values()
            )
        return known

    def roomiest(self, ask: Ask, under: Path) -> Iterator[Any]:
        """Workers of a domain with room for an ask, those with the most free chips first."""
        return self._index[ask.kind].roomiest(under, ask.chips) if ask.kind in self._index else iter(())

    def slots(self, ask: Ask, under: Path) -> int:
        """How many such asks a domain has chips for now."""
        return self._index[ask.kind].slots(under, ask.chips) if ask.kind in self._index else 0

    def total(self, kind: str, under: Path) -> float:
        """Free chips of a domain that are open to all."""
        return self._index[kind].total(under) if kind in self._index else 0.0

    def under(self, path: Path) -> list[Any]:
        """All workers of a domain."""
        return [worker for worker, stock in self._stock.items() if stock.path[: len(path)] == path]

    def unclaimed(self, under: Path) -> list[Any]:
        """Workers of a domain that nobody claims, those with the most free chips first."""
        found = [
            (-stock.free[CHIP], number, worker)
            for number, (worker, stock) in enumerate(self._stock.items())
            if stock.claim is None and not stock.suspended and stock.path[: len(under)] == under
        ]
        return [worker for _, _, worker in sorted(found, key=lambda each: each[:2])]

    def domains(self, depth: int, under: Path = ROOT) -> list[Path]:
        """Domains at a depth in which workers with chips are or were."""
        return list(self._index[CHIP].domains(depth, under)) if CHIP in self._index else []

    def pack(self, asks: Sequence[Ask], workers: Iterable[Any], *, empty: bool = False) -> list[Any] | None:
        """A worker for each ask, first fit in the order given; ``empty`` counts what is in use as free."""
        left = list(range(len(asks)))
        chosen: list[Any] = [None] * len(asks)
        for worker in workers:
            stock = self._stock.get(worker)
            if stock is None or (stock.suspended and not empty):
                continue
            room = dict(stock.units if empty else stock.free)
            memory = stock.memory if empty else stock.free_memory
            for at in list(left):
                ask = asks[at]
                names = stock.names(ask)
                if memory < ask.memory or any(room.get(name, 0) < ask.chips for name in names):
                    continue
                for name in names:
                    room[name] -= ask.chips
                memory -= ask.memory
                chosen[at] = worker
                left.remove(at)
            if not left:
                return chosen
        return None

    def books(self) -> Iterator[Book]:
        """Every worker's chips now, for those who watch."""
        for worker, stock in self._stock.items():
            yield Book(worker, stock.path, stock.units, stock.free, stock.claim, stock.suspended)

    def check(self) -> None:
        """Raise AssertionError where the books do not close."""
        for worker, stock in self._stock.items():
            spent = _Stock(stock.path, stock.units, stock.memory)
            for task in stock.holds:
                assert self.held[task].worker == worker
                spent.charge(self.held[task].ask, 1)
            assert spent.free == stock.free, (worker, spent.free, stock.free)
            assert all(free >= 0 for free in stock.free.values()), (worker, stock.free)
            hidden = stock.suspended or stock.claim is not None
            for name, free in stock.free.items():
                assert self._index[name].amount.get(worker) == (None if hidden else free) or hidden
        assert sum(len(stock.holds) for stock in self._stock.values()) == len(self.held)
