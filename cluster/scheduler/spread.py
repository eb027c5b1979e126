"""Replicas along the tree: read the nearest, and copy to everyone with few bytes across the fabric."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Container, Hashable, Iterable, Iterator
from operator import itemgetter
from time import monotonic, time
from typing import Any
from weakref import WeakSet

from distributed import Client
from distributed.active_memory_manager import ActiveMemoryManagerExtension

from cluster.scheduler.place import Fabric, Path

# Copies that one holder sends at once over the links of a level, and results on their way at once: while one is copied
# inside the supernodes, the next crosses the fabric.
SERVED, WINDOW = 2, 2
# The longest to wait for the next arrival, and how often to look.
ARRIVAL_S, POLL_S = 300.0, 0.01
Way = tuple[Any, Any]


class SpreadKeeper(ActiveMemoryManagerExtension):  # type: ignore[misc]
    """Dask's memory manager, which drops copies that no task waits for, less those that were made to stay."""

    def __init__(self, scheduler: Any, **options: Any) -> None:
        self.kept: WeakSet[Any] = WeakSet()
        super().__init__(scheduler, **options)

    def _find_dropper(self, ts: Any, candidates: Any, pending_drop: Any) -> Any:
        if candidates is None and ts in self.kept:  # candidates are named where a worker retires
            return None
        return super()._find_dropper(ts, candidates, pending_drop)


def nearest(fabric: Fabric, reader: Any, holders: Iterable[Any]) -> tuple[str, ...]:
    """Addresses of the nearest holders; the worker asks for others itself where these fail."""
    steps = {holder: fabric.distance(reader, holder) for holder in holders}
    least = min(steps.values())
    return tuple(holder.address for holder, each in steps.items() if each == least)


async def spread(s: Any, keys: list[Hashable]) -> dict[str, int]:
    """Copy results to every worker: one leader in each domain takes it from outside, the others from those near them."""
    copies: Counter[str] = Counter()
    waiting = deque(_kept(s, key) for key in keys)
    window: list[Any] = []
    under_way: dict[Way, tuple[Any, int]] = {}
    while waiting or window:
        while waiting and len(window) < WINDOW:
            window.append(waiting.popleft())
        for ts in window:
            for ws, holder, steps in _next(s, ts, under_way):
                copies[s.fabric.levels[-1 - min(steps, len(s.fabric.levels) - 1)]] += 1
                message = {"op": "acquire-replicas", "who_has": {ts.key: [holder.address]}}
                message |= {"nbytes": {ts.key: ts.nbytes}, "stimulus_id": f"spread-{time()}"}
                s.stream_comms[ws.address].send(message)
        busy = {ts for ts, _ in under_way}
        window = [ts for ts in window if ts in busy]
        if under_way:
            await _arrival(s, under_way)
    return dict(copies)


def _kept(s: Any, key: Hashable) -> Any:
    """The task of a result, whose copies are to stay."""
    ts = s.tasks.get(key)
    if ts is None or not ts.who_has:
        raise ValueError(f"{key!r} has no result to copy; wait for it first")
    keeper = s.extensions.get("amm")
    if isinstance(keeper, SpreadKeeper):
        keeper.kept.add(ts)
    return ts


def _next(s: Any, ts: Any, under_way: dict[Way, tuple[Any, int]]) -> Iterator[tuple[Any, Any, int]]:
    """Workers to copy to now, each with its source and the levels between: none whose domain another is about to reach."""
    path = s.fabric.path
    holders: defaultdict[Path, list[Any]] = defaultdict(list)
    reached: set[tuple[Any, ...]] = set()
    for ws in {*ts.who_has, *(ws for each, ws in under_way if each is ts)} & path.keys():
        reached.update(_domains(path[ws], ws))
        if (ts, ws) not in under_way:
            for depth in range(len(path[ws]) + 1):
                holders[path[ws][:depth]].append(ws)
    served = Counter(under_way.values())
    for depth, ws in _wanted(s, holders, reached):
        if (*path[ws], ws)[: depth + 1] in reached:
            continue
        steps = len(path[ws]) - depth
        source = min(holders[path[ws][:depth]], key=lambda holder: served[holder, steps], default=None)
        if source is not None and served[source, steps] < SERVED:
            served[source, steps] += 1
            under_way[ts, ws] = source, steps
            reached.update(_domains(path[ws], ws))
            yield ws, source, steps


def _wanted(s: Any, holders: Container[Path], reached: Container[Any]) -> list[tuple[int, Any]]:
    """Workers without a copy, with the depth of the domain they share with a holder: the widest first, it takes longest."""
    path = s.fabric.path
    wanted = []
    for ws in s.fabric.order():
        if ws in s.running and (*path[ws], ws) not in reached:
            depths = range(len(path[ws]), 0, -1)
            wanted.append((next((depth for depth in depths if path[ws][:depth] in holders), 0), ws))
    return sorted(wanted, key=itemgetter(0))


def _domains(path: Path, ws: Any) -> Iterator[tuple[Any, ...]]:
    """All domains above a worker, and the worker alone."""
    return ((*path, ws)[:depth] for depth in range(len(path) + 2))


async def _arrival(s: Any, under_way: dict[Way, tuple[Any, int]]) -> None:
    """Wait until a copy has arrived, or its worker has gone, and take it off the list."""
    end = monotonic() + ARRIVAL_S
    while True:
        for ts in {ts for ts, _ in under_way}:
            if not ts.who_has:
                raise ValueError(f"{ts.key!r} was lost while it was copied; compute it again")
        ended = [(ts, ws) for ts, ws in under_way if ws in ts.who_has or ws not in s.running]
        if ended:
            break
        if monotonic() > end:
            raise TimeoutError(f"no copy has arrived for {ARRIVAL_S:.0f} s")
        await asyncio.sleep(POLL_S)
    for way in ended:
        del under_way[way]


def broadcast(client: Client, futures: Iterable[Any]) -> Any:
    """Copy results to every worker of the pod, one leader a supernode first; copies made by level of the link used."""
    return client.sync(client.scheduler.spread, keys=[future.key for future in futures])
