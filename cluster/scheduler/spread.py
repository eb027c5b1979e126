"""Replicas along the tree: read the nearest, and copy to everyone with few bytes across the fabric."""

import asyncio
from collections.abc import Hashable, Iterable
from time import monotonic, time
from typing import Any

from distributed import Client

from cluster.scheduler.place import Fabric

# Copies that one holder serves in a round, and the longest a round may take.
SERVED, ROUND_S, POLL_S = 2, 300.0, 0.005


def nearest(fabric: Fabric, reader: Any, holders: Iterable[Any]) -> tuple[str, ...]:
    """Addresses of the nearest holders; the worker asks for others itself where these fail."""
    steps = {holder: fabric.distance(reader, holder) for holder in holders}
    least = min(steps.values())
    return tuple(holder.address for holder, each in steps.items() if each == least)


async def spread(s: Any, keys: list[Hashable]) -> dict[str, int]:
    """Copy results to every worker: first one leader in each domain of the widest level, then within these, and so on."""
    copies: dict[str, int] = {}
    for key in keys:
        ts = s.tasks.get(key)
        if ts is None or not ts.who_has:
            raise ValueError(f"{key!r} has no result to copy; wait for it first")
        depths = max((len(path) for path in s.fabric.path.values()), default=0)
        for depth in range(1, depths + 2):  # the last round is for the workers of one host
            while targets := _targets(s, ts, depth):
                for ws, holder in targets:
                    level = s.fabric.levels[-1 - min(s.fabric.distance(ws, holder), len(s.fabric.levels) - 1)]
                    copies[level] = copies.get(level, 0) + 1
                    message = {"op": "acquire-replicas", "who_has": {key: [holder.address]}}
                    message |= {"nbytes": {key: ts.nbytes}, "stimulus_id": f"spread-{time()}"}
                    s.stream_comms[ws.address].send(message)
                await _arrived(s, ts, [ws for ws, _ in targets])
    return copies


def _targets(s: Any, ts: Any, depth: int) -> list[tuple[Any, Any]]:
    """The next workers to copy to, each with its source: one for each domain at a depth that has no copy yet."""
    paths, served = s.fabric.path, dict.fromkeys(ts.who_has or (), 0)
    covered = {_at(paths[ws], ws, depth) for ws in served if ws in paths}
    targets: list[tuple[Any, Any]] = []
    for ws in s.fabric.order():
        domain = _at(paths[ws], ws, depth)
        if domain in covered or ws not in s.running:
            continue
        open_ones = [holder for holder, count in served.items() if count < SERVED]
        if not open_ones:
            break
        source = min(open_ones, key=lambda holder: (s.fabric.distance(ws, holder), served[holder]))
        served[source] += 1
        covered.add(domain)
        targets.append((ws, source))
    return targets


def _at(path: tuple[str, ...], ws: Any, depth: int) -> tuple[Any, ...]:
    return path[:depth] if depth <= len(path) else (*path, ws)


async def _arrived(s: Any, ts: Any, workers: list[Any]) -> None:
    end = monotonic() + ROUND_S
    while any(ws not in (ts.who_has or ()) and ws in s.running for ws in workers):
        if not ts.who_has:
            raise ValueError(f"{ts.key!r} was lost while it was copied; compute it again")
        if monotonic() > end:
            raise TimeoutError(f"copying {ts.key!r} took longer than {ROUND_S:.0f} s")
        await asyncio.sleep(POLL_S)


def broadcast(client: Client, futures: Iterable[Any]) -> Any:
    """Copy results to every worker of the pod, one leader a supernode first; copies made by level of the link used."""
    return client.sync(client.scheduler.spread, keys=[future.key for future in futures])
