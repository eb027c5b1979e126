"""Groups that live on workers, one on each: seated along the hub's tree, run together, and seated anew where a worker is lost.

Dask places and supervises: one task a worker and call. What groups say to each other goes from worker to worker
(``cluster.halo``).
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from distributed import Client, Future, wait

from cluster.errors import ClusterError
from cluster.halo import Halo, PeerLost, settle, visit
from cluster.interchange.hosts import Host, grow
from cluster.partition import divide, place
from cluster.scheduler.place import natural, parse
from cluster.topology import Topology
from cluster.tree import build

POLL_S = 1.0  # how often it is looked whether all workers are there
GRACE_S = 20.0  # for the others to notice that one is gone
BACK_S = 30.0  # for a lost worker to be started again


class WorkerLost(ClusterError):
    """A worker is gone, and what its group held with it."""


@dataclass(frozen=True)
class Seat:
    """A worker that can hold a group: its address, the host it stands on, its chips, and its memory in bytes."""

    address: str
    place: str
    chips: int
    memory: int


class Fleet:
    """The groups of a pod. A context manager: leaving it drops them."""

    def __init__(self, address: str, topology: Topology) -> None:
        self.topology = topology
        self.client = Client(address, set_as_default=False)
        self.client.register_plugin(Halo())
        self.seats: list[Seat] = []
        self._session = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def muster(self, most: int, expected: int = 0, limit_s: float = BACK_S) -> list[Seat]:
        """The workers there are, ``most`` at most, neighbours first; waits a while for as many as are expected."""
        until = time.monotonic() + limit_s
        while len(found := self._there()) < expected and time.monotonic() < until:
            time.sleep(POLL_S / 4)
        if not found:
            raise ClusterError("no worker is left to go on with")
        return found[:most]

    def _there(self) -> list[Seat]:
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        seats = [
            Seat(
                address,
                one.get("place") or f"?/{one['name']}",
                int(one["resources"].get("chip", 0)),
                one["memory_limit"],
            )
            for address, one in workers.items()
        ]
        return sorted(seats, key=lambda seat: (natural(parse(seat.place)), seat.address))

    def settle(self, seats: Sequence[Seat], make: Callable[[int], Any]) -> None:
        """Make a group on each of these workers; ``make`` gets its number."""
        self.seats, self._session = list(seats), uuid.uuid4().hex
        addresses = [seat.address for seat in seats]
        self._together([(settle, self._session, number, addresses, make) for number in range(len(seats))])

    def run(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> list[Any]:
        """Call ``function(group, links, *arguments)`` on all groups at once: what each returns, by number.

        Raises WorkerLost, and what a function raised; after either, groups must be settled anew.
        """
        return self._together([(visit, self._session, function, arguments, options)] * len(self.seats))

    def _together(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        futures = [
            self.client.submit(
                *call,
                workers=[seat.address],
                resources={"chip": seat.chips} if seat.chips else None,
                key=f"group-{number}-{uuid.uuid4().hex}",
                pure=False,
            )
            for number, (seat, call) in enumerate(zip(self.seats, calls, strict=True))
        ]
        try:
            if self._finished(futures):
                return list(self.client.gather(futures))
            raise _cause(futures, self._gone())
        finally:
            self.client.cancel(futures, force=True)

    def _finished(self, futures: Sequence[Future]) -> bool:
        """Wait for all; False where one failed or its worker is gone, once the others have noticed."""
        while waiting := [future for future in futures if future.status == "pending"]:
            self._wait(waiting, POLL_S, "FIRST_COMPLETED")
            if any(future.status not in ("pending", "finished") for future in futures) or self._gone():
                self._let_end(futures)
                return False
        return all(future.status == "finished" for future in futures)

    def _let_end(self, futures: Sequence[Future]) -> None:
        """Wait a while for the groups that are still there: they notice that a peer is gone."""
        until, gone = time.monotonic() + GRACE_S, self._gone()
        while time.monotonic() < until:
            left = [
                future
                for future, seat in zip(futures, self.seats, strict=True)
                if future.status == "pending" and seat.address not in gone
            ]
            if not left:
                return
            self._wait(left, POLL_S, "ALL_COMPLETED")
            gone = self._gone()

    def _gone(self) -> set[str]:
        return {seat.address for seat in self.seats} - {seat.address for seat in self._there()}

    def _wait(self, futures: Sequence[Future], limit_s: float, until: str) -> None:
        with suppress(TimeoutError), self.client.as_current():
            wait(futures, limit_s, until)


def _cause(futures: Sequence[Future], gone: Collection[str]) -> BaseException:
    """What ended a call: a group's own error before those that only follow from it."""
    errors: list[BaseException] = [future.exception() for future in futures if future.status == "error"]
    own = [error for error in errors if not isinstance(error, PeerLost)]
    if own:
        return own[0]
    told = [f"worker {address} is gone" for address in gone] or [*map(str, errors)]
    return WorkerLost("; ".join(told) or f"a call ended as {', '.join(future.status for future in futures)}")


def shared_out(positions: np.ndarray, seats: Sequence[Seat], topology: Topology) -> np.ndarray:
    """The seat of each vertex (n,), by positions (n, d): along the hub's tree as far as it is there, then within each host."""
    on: defaultdict[str, list[int]] = defaultdict(list)
    for number, seat in enumerate(seats):
        on[seat.place].append(number)
    chips = [max(1, seat.chips) for seat in seats]
    hosts = [Host(parse(host), {"chip": sum(chips[number] for number in numbers)}) for host, numbers in on.items()]
    tree = build(grow(topology.name, hosts, {}, "the pod", topology.levels))
    homes = place(positions, tree)
    owner = np.empty(len(positions), np.int64)
    for host, numbers in on.items():
        mine = np.flatnonzero(homes == tree.number[host])
        owner[mine] = np.array(numbers)[divide(positions[mine], [chips[number] for number in numbers])]
    return owner
