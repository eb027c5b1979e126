"""Pods under one router: which pod a shard goes to, and what happens to the shards of a pod that dies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import dask
from distributed import Client, Future, as_completed

from cluster.errors import ClusterError
from cluster.need import Need
from cluster.topology import Topology

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

    @property
    def seconds_per_byte(self) -> float: ...


@dataclass
class Load:
    """A pod as the router sees it: chips by kind, what a byte takes to get there, and what it has booked and spent there."""

    name: str
    chips: Mapping[str, int]
    largest_host: Mapping[str, int]
    seconds_per_byte: float = 0.0
    budget_chip_s: float | None = None
    alive: bool = True
    booked_chips: int = 0
    booked_chip_s: float = 0.0
    spent_chip_s: float = 0.0

    @classmethod
    def of(
        cls, name: str, topology: Topology, seconds_per_byte: float = 0.0, budget_chip_s: float | None = None
    ) -> Self:
        """A pod over a topology, with nothing to do."""
        chips: dict[str, int] = {}
        largest: dict[str, int] = {}
        for place in topology.places():
            for kind, count in place.chips.items():
                chips[kind] = chips.get(kind, 0) + count
                largest[kind] = max(largest.get(kind, 0), count)
        return cls(name, chips, largest, seconds_per_byte, budget_chip_s)

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

    def wait(self, need: Need, seconds: float, nbytes: int) -> float:
        """Seconds until a shard is done here: what is booked before it, itself, and its data's way."""
        return (self.booked_chip_s + need.chips * seconds) / self.size + nbytes * self.seconds_per_byte


def route(loads: Sequence[Load], need: Need, seconds: float, nbytes: int = 0) -> Load | None:
    """The pod where a shard of this much data ends first. Ties go to the most free chips."""
    able = [one for one in loads if one.takes(need, seconds)]
    return min(able, key=lambda one: (one.wait(need, seconds, nbytes), one.booked_chips - one.size), default=None)


@dataclass
class _Sent:
    """A shard on its way: everything that is needed to send it again."""

    key: str
    need: Need
    seconds: float
    nbytes: int
    function: Any
    arguments: tuple[Any, ...]
    load: Load = field(init=False)


def loads_of(pods: Sequence[Reachable], budgets_chip_s: Sequence[float | None] = ()) -> list[Load]:
    """A load for each pod; ``budgets_chip_s`` in the same order, empty where there are none."""
    budgets = budgets_chip_s or [None] * len(pods)
    return [
        Load.of(f"pod{number}", pod.topology, pod.seconds_per_byte, budget)
        for number, (pod, budget) in enumerate(zip(pods, budgets, strict=True))
    ]


class Dispatcher:
    """Sends shards to pods and hands back what they return, in the order in which they end.

    A shard whose pod died is sent to another one. It may have been computed already: what it commits decides.
    """

    def __init__(
        self,
        pods: Sequence[Reachable],
        loads: Sequence[Load] = (),
        seconds_of: Callable[[Any], float] | None = None,
    ) -> None:
        self.pods = pods
        # Whoever sends the shards of one stage after the other keeps the loads: what was spent or has died stays so.
        self.loads = loads or loads_of(pods)
        self.seconds_of = seconds_of
        self.sent: dict[Future, _Sent] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._clients: dict[str, Client] = {}
        loop = None
        for load, pod in zip(self.loads, self.pods, strict=True):
            if not load.alive:
                continue
            try:
                # One loop for all, so that one line of completed futures serves them.
                client = Client(pod.address, set_as_default=False, loop=loop, timeout=LOST_AFTER_S)
            except OSError:
                load.alive = False
                continue
            self._clients[load.name] = self._stack.enter_context(client)
            loop = client.loop
        self._done = as_completed(loop=loop)
        return self

    def __exit__(self, *error: object) -> None:
        for shard in self.sent.values():
            self._settle(shard, 0.0)
        self._stack.close()

    def submit(self, key: str, need: Need, seconds: float, nbytes: int, function: Any, *arguments: Any) -> None:
        """Send a shard with ``nbytes`` of data to the pod where it ends first; raises PodsLost where none can run it."""
        self._send(_Sent(key, need, seconds, nbytes, function, arguments))

    def _send(self, shard: _Sent) -> None:
        load = route(self.loads, shard.need, shard.seconds, shard.nbytes)
        if load is None:
            alive = [one for one in self.loads if one.alive]
            spent = any(one.budget_chip_s is not None for one in alive)
            limits = "it is too large for them, or their budget is spent" if spent else "it is too large for them"
            why = f"{len(alive)} of {len(self.loads)} pods are alive, but {limits}" if alive else "all died"
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
            try:
                result = future.result()
            except CancelledError:
                self._settle(shard, 0.0)
                self._lose(shard)
                continue
            finally:
                future.release()
            self._settle(shard, self.seconds_of(result) if self.seconds_of else shard.seconds)
            yield result

    def _settle(self, shard: _Sent, seconds: float) -> None:
        """Take a shard off its pod's books; it took this long there."""
        shard.load.booked_chips -= shard.need.chips
        shard.load.booked_chip_s -= shard.need.chips * shard.seconds
        shard.load.spent_chip_s += shard.need.chips * seconds

    def _lose(self, shard: _Sent) -> None:
        """Send what a dead pod had to others; a shard that was cancelled on a pod that lives is somebody's wish."""
        client = self._clients[shard.load.name]
        if client.status == "running":
            raise CancelledError(shard.key)
        shard.load.alive = False
        lost = [shard, *(one for one in self.sent.values() if one.load is shard.load)]
        for future in [future for future, one in self.sent.items() if one.load is shard.load]:
            self._settle(self.sent.pop(future), 0.0)
        for one in lost:
            self._send(one)
