"""What every chip, gang and task of a pod does now, as plain values: for people who watch. Costs nothing until asked."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from cluster.scheduler.gangs import Gang
from cluster.scheduler.ledger import CHIP, Book
from cluster.scheduler.place import Path, natural
from cluster.topology import Topology
from cluster.tree import build

# Gangs that are told one by one; the others are only counted.
MOST_GANGS = 40
# What a chip may be, besides a gang's: a gang's chips are told under its name.
FREE, HELD, RESERVED, LOST, AWAITED = "free", "held", "reserved", "lost", "awaited"
STATES = (HELD, RESERVED, FREE, LOST, AWAITED)

Use = dict[tuple[str, str], float]
"""Chips of a host by state and, where they are a gang's or kept for one, by its name."""


class Presence:
    """Chips that a pod should have, and the most that were there at a time: what is missing is lost or yet to come."""

    def __init__(self, topology: Topology | None) -> None:
        self._topology = topology
        self._installed: dict[tuple[Path, str], float] | None = None
        self._there: defaultdict[tuple[Path, str], float] = defaultdict(float)
        self._most: dict[tuple[Path, str], float] = {}

    def join(self, path: Path, resources: Mapping[str, float], sign: int = 1) -> None:
        """A worker came, or with ``sign`` -1 left."""
        for kind, chips in _kinds_of(resources).items():
            self._there[path, kind] += sign * chips
            self._most[path, kind] = max(self._most.get((path, kind), 0), self._there[path, kind])

    def missing(self) -> Iterator[tuple[Path, str, float, float]]:
        """Path and kind with the chips that are lost and those that are awaited."""
        installed = self._chips()
        for place in {**installed, **self._most}:
            # A worker that dies and its successor may be there at once for a moment.
            most = min(self._most.get(place, 0), installed.get(place, math.inf))
            lost, awaited = most - self._there[place], installed.get(place, 0) - most
            if lost > 0 or awaited > 0:
                yield *place, max(0, lost), max(0, awaited)

    def _chips(self) -> dict[tuple[Path, str], float]:
        if self._installed is None:
            tree = build(self._topology) if self._topology else None
            self._installed = {
                (tuple(tree.paths[host].split("/")), kind): tree.capacity[kind][host]
                for host in (tree.hosts if tree else ())
                for kind in (tree.kinds if tree else ())
                if tree and tree.capacity[kind][host]
            }
        return self._installed


def _kinds_of(resources: Mapping[str, float]) -> dict[str, float]:
    kinds = {name.removeprefix(f"{CHIP}."): n for name, n in resources.items() if name.startswith(f"{CHIP}.")}
    return kinds or ({CHIP: resources[CHIP]} if CHIP in resources else {})


def hosts(s: Any) -> dict[Path, dict[str, Use]]:
    """Chips by host and kind. ``s`` is a TopologyScheduler.

    A host is ``awaited`` until its first worker comes; chips that were there and are gone, or whose worker takes nothing
    for now, are ``lost``.
    """
    found: dict[Path, dict[str, Use]] = defaultdict(lambda: defaultdict(dict))
    of_gangs = _of_gangs(s)
    for book in s.gate.ledger.books():
        _add_worker(book, of_gangs.get(book.worker, {}), found[book.path])
    for path, kind, lost, awaited in s.presence.missing():
        _put(found[path][kind], LOST, lost)
        _put(found[path][kind], AWAITED, awaited)
    along = dict.fromkeys(s.fabric.path[worker] for worker in s.fabric.order())
    return {path: found[path] for path in (along if along.keys() == found.keys() else sorted(found, key=natural))}


def _of_gangs(s: Any) -> dict[Any, dict[str, float]]:
    """Chips that gangs hold, by worker."""
    found: dict[Any, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for gang in s.gate.gangs.gangs.values():
        for task, worker in gang.running.items():
            if (hold := s.gate.ledger.held.get(task)) is not None:
                found[worker][gang.id] += hold.ask.chips
    return dict(found)


def _add_worker(book: Book, of_gangs: Mapping[str, float], found: dict[str, Use]) -> None:
    kinds = [name for name in book.chips if name != CHIP] or [CHIP]
    for kind in kinds:
        use, free = found[kind.removeprefix(f"{CHIP}.")], book.free[kind]
        held = book.chips[kind] - free
        for gang, chips in of_gangs.items() if len(kinds) == 1 else ():
            _put(use, HELD, chips, gang)
            held -= chips
        _put(use, HELD, held)
        if book.suspended:
            _put(use, LOST, free)
        elif book.claim is None:
            _put(use, FREE, free)
        else:
            _put(use, RESERVED, free, str(book.claim))


def _put(use: Use, state: str, chips: float, gang: str = "") -> None:
    if chips:
        use[state, gang] = use.get((state, gang), 0) + chips


def gangs(s: Any) -> dict[str, Any]:
    """Gangs that run and gangs that wait, each with its size and place or with what it waits for."""
    running = [gang for gang in s.gate.gangs.gangs.values() if gang.running]
    waiting = [gang for gang in s.gate.gangs.gangs.values() if gang.ready and not gang.running]
    return {
        "running": [_running(s, gang) for gang in running[:MOST_GANGS]],
        "waiting": [_waiting(s, gang) for gang in waiting[:MOST_GANGS]],
        "more_running": len(running[MOST_GANGS:]),
        "more_waiting": len(waiting[MOST_GANGS:]),
    }


def _running(s: Any, gang: Gang) -> dict[str, Any]:
    holds = [s.gate.ledger.held[task].ask for task in gang.running if task in s.gate.ledger.held]
    started = [s.log.of(task)[-1]["when"] for task in islice(gang.running, 1) if s.log.of(task)]
    return {
        "id": gang.id,
        "size": gang.size,
        "chips": sum(ask.chips for ask in holds),
        "kind": _kind(ask.kind for ask in holds),
        "where": "/".join(gang.domain),
        "hosts": len({s.fabric.label(worker) for worker in gang.running.values()}),
        "drained": gang.drained,
        "started": min(started, default=None),
    }


def _waiting(s: Any, gang: Gang) -> dict[str, Any]:
    """``why``: ``members`` (not all are ready), ``drain`` (its hosts get free), ``chips`` (too few are), ``shape``."""
    ledger, asks = s.gate.ledger, list(gang.ready.values())
    chips, kind = sum(ask.chips for ask in asks), asks[0].kind
    about = {"id": gang.id, "size": gang.size, "chips": chips, "kind": _kind(ask.kind for ask in asks)}
    about |= {"ready": len(gang.ready) + len(gang.done), "level": s.fabric.level(gang.terms.required)}
    if not gang.complete:
        return {**about, "why": "members"}
    about["waited_s"] = s.gate.gangs.clock() - gang.since
    if gang.claims:
        free = sum(ledger.free(worker) for worker in gang.claims)
        hosts = len({s.fabric.label(worker) for worker in gang.claims})
        return {**about, "why": "drain", "where": "/".join(gang.domain), "hosts": hosts, "free": free}
    domains = ledger.domains(gang.terms.required, gang.terms.under)
    best = max(domains, key=lambda path: ledger.total(kind, path), default=())
    free = ledger.total(kind, best)
    return {**about, "why": "chips" if free < chips else "shape", "where": "/".join(best), "free": free}


def _kind(kinds: Any) -> str:
    return ", ".join(sorted({kind.removeprefix(f"{CHIP}.") for kind in kinds} - {CHIP}))


def tasks(s: Any) -> dict[str, Any]:
    """Tasks by what they do or wait for, those that ended so far, and what the first that waits for chips asks for."""
    prefixes = list(s.task_prefixes.values())
    first = s.gate.held.first()
    return {
        "running": sum(prefix.states["processing"] for prefix in prefixes),
        "for_chips": len(s.gate.held),
        "for_gang": sum(len(gang.ready) for gang in s.gate.gangs.gangs.values()),
        "for_slot": len(s.queued),
        "for_inputs": sum(prefix.states["waiting"] for prefix in prefixes),
        "done": sum(prefix.state_counts["memory"] for prefix in prefixes),
        "failed": sum(prefix.state_counts["erred"] for prefix in prefixes),
        "first_asks": "" if first is None or first[0] is None else getattr(first[0], "text", ""),
    }
