"""Workers by an amount, for every domain of the tree: a fit is found in a few buckets, never by asking every host."""

from collections.abc import Hashable, Iterator
from typing import Any

from cluster.scheduler.place import ROOT, Path


class _Domain:
    __slots__ = ("buckets", "path", "total")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.buckets: dict[float, dict[Any, None]] = {}
        self.total = 0.0


class Buckets:
    """Workers by an amount, in every domain above them."""

    def __init__(self) -> None:
        self.amount: dict[Hashable, float] = {}
        self._way: dict[Hashable, tuple[_Domain, ...]] = {}
        self._domains: dict[Path, _Domain] = {}
        self._at_depth: dict[int, dict[Path, _Domain]] = {}

    def put(self, worker: Hashable, path: Path, amount: float) -> None:
        """Set a worker's amount."""
        before = self.amount.get(worker)
        if before == amount:
            return
        if before is None:
            self._way[worker] = tuple(self._domain(path[:depth]) for depth in range(len(path) + 1))
        for domain in self._way[worker]:
            if before is not None:
                self._take_out(domain, worker, before)
            domain.buckets.setdefault(amount, {})[worker] = None
            domain.total += amount
        self.amount[worker] = amount

    def drop(self, worker: Hashable) -> None:
        """Take a worker out."""
        amount = self.amount.pop(worker, None)
        if amount is not None:
            for domain in self._way.pop(worker):
                self._take_out(domain, worker, amount)

    def _take_out(self, domain: _Domain, worker: Hashable, amount: float) -> None:
        bucket = domain.buckets[amount]
        del bucket[worker]
        if not bucket:
            del domain.buckets[amount]
        domain.total -= amount

    def _domain(self, path: Path) -> _Domain:
        domain = self._domains.get(path)
        if domain is None:
            domain = self._domains[path] = _Domain(path)
            self._at_depth.setdefault(len(path), {})[path] = domain
        return domain

    def tightest(self, path: Path, least: float) -> Iterator[Any]:
        """Workers of a domain with at least this amount, those with the least of it first."""
        domain = self._domains.get(path)
        if domain is not None:
            for amount in sorted(amount for amount in domain.buckets if amount >= least):
                yield from domain.buckets[amount]

    def roomiest(self, path: Path, least: float) -> Iterator[Any]:
        """Workers of a domain with at least this amount, those with the most of it first."""
        domain = self._domains.get(path)
        if domain is not None:
            for amount in sorted((amount for amount in domain.buckets if amount >= least), reverse=True):
                yield from domain.buckets[amount]

    def total(self, path: Path) -> float:
        """The sum over a domain."""
        domain = self._domains.get(path)
        return domain.total if domain else 0.0

    def slots(self, path: Path, size: float) -> int:
        """How many pieces of this size fit into a domain's workers."""
        buckets = self._domains[path].buckets if path in self._domains else {}
        return sum(int(amount // size) * len(workers) for amount, workers in buckets.items() if amount >= size)

    def domains(self, depth: int, under: Path = ROOT) -> Iterator[Path]:
        """The domains at a depth that lie under another."""
        if depth <= len(under):
            yield under[:depth]
            return
        yield from (path for path in self._at_depth.get(depth, {}) if path[: len(under)] == under)
