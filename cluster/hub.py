"""Pods under one router: which pod a shard goes to, and what happens to the shards of a pod that dies."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import dask
from distributed import Client, Future, as_completed

from cluster.errors import ClusterError
from cluster.need import Need
from cluster.topology import Topology

# What a byte costs between pods, where nobody says: a wide-area link of 10 Gb/s.
SECONDS_PER_BYTE = 8e-10
# A scheduler that does not answer for so long is dead: its shards go elsewhere.
LOST_AFTER_S = 10.0


class PodsLost(ClusterError):
    """No pod is left that could run a shard."""


class Reachable(Protocol):
    """What the router needs to know of a pod."""

    @property
    def address(self) -> str: ...

    @property
    def topology(self) -> Topology: ...


@dataclass
class Load:
    """A pod as the router sees it: chips by kind, and the chips and chip-seconds that it has booked there."""

    name: str
    chips: Mapping[str, int]
    largest_host: Mapping[str, int]
    budget_chip_s: float | None = None
    alive: bool = True
    booked_chips: int = 0
    booked_chip_s: float = 0.0
    spent_chip_s: float = 0.0

    @classmethod
    def of(cls, name: str, topology: Topology, budget_chip_s: float | None = None) -> Self:
        """A pod over a topology, with nothing to do."""
        chips: dict[str, int] = {}
        largest: dict[str, int] = {}
        for place in topology.places():
            for kind, count in place.chips.items():
                chips[kind] = chips.get(kind, 0) + count
                largest[kind] = max(largest.get(kind, 0), count)
        return cls(name, chips, largest, budget_chip_s)

    @property
    def size(self) -> int:
        """Chips of all kinds."""
        return sum(self.chips.values())

    def takes(self, need: Need, seconds: float) -> bool:
        """Whether a shard can run here at all, and the pod's budget covers it."""
        kinds = self.largest_host if need.kind is None else {need.kind: self.largest_host.get(need.kind, 0)}
        if not self.alive or need.chips > max(kinds.values(), default=0):
            return False
        used = self.spent_chip_s + self.booked_chip_s + need.chips * seconds
        return self.budget_chip_s is None or used <= self.budget_chip_s

    def wait(self, need: Need, seconds: float) -> float:
        """Seconds until a shard is done here: what is booked before it, and itself."""
        return (self.booked_chip_s + need.chips * seconds) / self.size


def route(loads: Sequence[Load], need: Need, seconds: float, bytes_in: Mapping[str, int]) -> Load | None:
    """The pod where a shard ends first; ``bytes_in`` are those it must fetch there. Ties go to the most free chips."""
    able = [one for one in loads if one.takes(need, seconds)]
    return min(
        able,
        key=lambda one: (
            one.wait(need, seconds) + bytes_in.get(one.name, 0) * SECONDS_PER_BYTE,
            one.booked_chips - one.size,
        ),
        default=None,
    )


@dataclass
class _Sent:
    """A shard on its way: everything that is needed to send it again."""

    key: str
    need: Need
    seconds: float
    function: Any
    arguments: tuple[Any, ...]
    load: Load = field(init=False)


class Dispatcher:
    """Sends shards to pods and hands back what they return, in the order in which they end.

    A shard whose pod died is sent to another one. It may have been computed already: what it commits decides.
    """

    def __init__(self, pods: Sequence[Reachable], budgets_chip_s: Sequence[float | None] = ()) -> None:
        budgets = [*budgets_chip_s, *[None] * (len(pods) - len(budgets_chip_s))]
        self.pods = pods
        self.loads = [
            Load.of(f"pod{number}", pod.topology, budget)
            for number, (pod, budget) in enumerate(zip(pods, budgets, strict=True))
        ]
        self.sent: dict[Future, _Sent] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._clients: dict[str, Client] = {}
        loop = None
        for load, pod in zip(self.loads, self.pods, strict=True):
            # One loop for all, so that one line of completed futures serves them.
            client = Client(pod.address, set_as_default=False, loop=loop, timeout=LOST_AFTER_S)
            self._clients[load.name] = self._stack.enter_context(client)
            loop = client.loop
        self._done = as_completed(loop=loop)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def submit(self, key: str, need: Need, seconds: float, function: Any, *arguments: Any) -> None:
        """Send a shard to the pod where it ends first; raises PodsLost where none can run it."""
        self._send(_Sent(key, need, seconds, function, arguments))

    def _send(self, shard: _Sent) -> None:
        load = route(self.loads, shard.need, shard.seconds, {})
        if load is None:
            alive = [one for one in self.loads if one.alive]
            why = (
                f"{len(alive)} of {len(self.loads)} pods are alive, and none of them takes it" if alive else "all died"
            )
            raise PodsLost(f"shard {shard.key}: needs {shard.need.chips} chips; {why}. Resume when pods are back.")
        shard.load = load
        load.booked_chips += shard.need.chips
        load.booked_chip_s += shard.need.chips * shard.seconds
        with dask.annotate(**shard.need.annotations()):
            future = self._clients[load.name].submit(shard.function, *shard.arguments, key=shard.key, pure=False)
        self.sent[future] = shard
        self._done.add(future)

    def completed(self) -> Iterator[Any]:
        """Results as they come, until nothing is under way; more may be submitted in between. Raises what a shard raised."""
        while self.sent:
            future = next(self._done)
            shard = self.sent.pop(future, None)
            if shard is None:
                continue  # its pod died, and it was sent again
            self._settle(shard)
            try:
                result = future.result()
            except CancelledError:
                self._lose(shard)
                continue
            finally:
                future.release()
            yield result

    def _settle(self, shard: _Sent) -> None:
        chip_s = shard.need.chips * shard.seconds
        shard.load.booked_chips -= shard.need.chips
        shard.load.booked_chip_s -= chip_s
        shard.load.spent_chip_s += chip_s

    def _lose(self, shard: _Sent) -> None:
        """Send what a dead pod had to others; a shard that was cancelled on a pod that lives is somebody's wish."""
        client = self._clients[shard.load.name]
        if client.status == "running":
            raise CancelledError(shard.key)
        shard.load.alive = False
        lost = [shard, *(one for one in self.sent.values() if one.load is shard.load)]
        for future in [future for future, one in self.sent.items() if one.load is shard.load]:
            self._settle(self.sent.pop(future))
        for one in lost:
            self._send(one)
