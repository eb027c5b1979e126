"""Messages between groups that live on workers: from worker to worker, one for each peer and exchange, past the scheduler.

A group is resident: it stays on its worker while tasks come and go. Each pair of groups has a connection of its own in each
direction, so messages arrive in order and need no header. A group that fails closes its connections, and those that wait
for it fail at once: nobody hangs because another is gone.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import numpy as np
from distributed import get_worker
from distributed.comm import connect
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.protocol import to_serialize

from cluster.errors import ClusterError
from cluster.scheduler.traffic import SentBytes

OPEN = "halo-open"
# A peer that says nothing for so long is taken for dead: a stage takes seconds at most.
SILENT_S = 300.0


class Group(Protocol):
    """A part of a larger whole that advances in stages and reads what its peers, other groups, have sent in each."""

    @property
    def peers(self) -> Sequence[int]: ...

    def begin(self, stage: int) -> None: ...

    def pack(self, peer: int) -> np.ndarray: ...

    def unpack(self, peer: int, message: np.ndarray) -> None: ...

    def advance_inner(self, stage: int, dt: float) -> None: ...

    def advance_outer(self, stage: int, dt: float) -> None: ...


class PeerLost(ClusterError):
    """A group that this one exchanges messages with is gone."""


class Halo(WorkerPlugin):  # type: ignore[misc]
    """What a worker holds: its group, and a box for each peer that sends to it."""

    name = "halo"

    def setup(self, worker: Any) -> None:
        """Take messages from now on."""
        self.worker = worker
        self.session = ""
        self.boxes: dict[tuple[str, int], SimpleQueue[np.ndarray | None]] = {}
        self.resident: tuple[Any, Links] | None = None
        worker.handlers[OPEN] = self.receive

    async def receive(self, comm: Any, session: str, sender: int) -> None:
        """Everything that comes over a peer's connection, until it ends."""
        box = self.box(session, sender)
        try:
            while True:
                box.put((await comm.read())["data"])
        except OSError:
            box.put(None)

    def box(self, session: str, sender: int) -> "SimpleQueue[np.ndarray | None]":
        """The box of a sender; whoever comes first makes it, in whichever thread."""
        return self.boxes.setdefault((session, sender), SimpleQueue())

    def begin(self, session: str) -> None:
        """Forget what earlier sessions left."""
        if self.resident is not None:
            self.resident[1].close()
        self.session, self.resident = session, None
        for key in [key for key in list(self.boxes) if key[0] != session]:
            self.boxes.pop(key, None)

    def count(self, reader: str, nbytes: int) -> None:
        """Tell the pod's count of bytes by fabric level, where there is one; in the worker's loop, where that runs too."""
        counter = self.worker.plugins.get(SentBytes.name)
        if counter is not None:
            counter.sent[reader] += nbytes


class Links:
    """The connections of one group to its peers: ``addresses`` are the workers of all groups."""

    def __init__(self, halo: Halo, session: str, number: int, addresses: Sequence[str]) -> None:
        self.halo, self.session, self.number, self.addresses = halo, session, number, addresses
        self.waited = 0.0  # s, for messages
        self._comms: dict[int, Any] = {}
        self._last: dict[int, Future[None]] = {}
        self._loop = halo.worker.loop.asyncio_loop

    def send(self, peer: int, message: np.ndarray) -> None:
        """Send in the background; waits only for the peer's message before this one."""
        self._settle(peer)
        self._last[peer] = asyncio.run_coroutine_threadsafe(self._write(peer, message), self._loop)

    def receive(self, peer: int) -> np.ndarray:
        """The peer's next message; raises PeerLost."""
        began = time.perf_counter()
        try:
            message = self.halo.box(self.session, peer).get(timeout=SILENT_S)
        except Empty:
            message = None
        self.waited += time.perf_counter() - began
        if message is None:
            raise PeerLost(f"group {peer} at {self.addresses[peer]} sends no more")
        return message

    def close(self) -> None:
        """End all connections, so that no peer waits for this group."""
        for comm in self._comms.values():
            self._loop.call_soon_threadsafe(comm.abort)

    def _settle(self, peer: int) -> None:
        try:
            if (last := self._last.get(peer)) is not None:
                last.result()
        except OSError as error:
            raise PeerLost(f"group {peer} at {self.addresses[peer]} takes no more: {error}") from None

    async def _write(self, peer: int, message: np.ndarray) -> None:
        comm = self._comms.get(peer)
        if comm is None:
            comm = await connect(self.addresses[peer], **self.halo.worker.connection_args)
            self._comms[peer] = comm
            await comm.write({"op": OPEN, "session": self.session, "sender": self.number, "reply": False})
        self.halo.count(self.addresses[peer], await comm.write({"data": to_serialize(message)}))


def step(group: Group, links: Links, stages: int, dt: float) -> None:
    """A step of ``dt``: what needs no message advances while the messages travel."""
    for stage in range(stages):
        _begin(group, links, stage)
        group.advance_inner(stage, dt)
        _take(group, links)
        group.advance_outer(stage, dt)


def exchange(group: Group, links: Links) -> None:
    """Begin the first stage and carry its messages, and no more: after it a group may look over its borders."""
    _begin(group, links, 0)
    _take(group, links)


def _begin(group: Group, links: Links, stage: int) -> None:
    group.begin(stage)
    for peer in group.peers:
        links.send(peer, group.pack(peer))


def _take(group: Group, links: Links) -> None:
    for peer in group.peers:
        group.unpack(peer, links.receive(peer))


def settle(session: str, number: int, addresses: Sequence[str], make: Callable[[int], Any]) -> None:
    """On a worker: make a group and keep it."""
    halo = _halo()
    halo.begin(session)
    halo.resident = make(number), Links(halo, session, number, addresses)


def visit(session: str, function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """On a worker: call a function with the group that lives there and its links."""
    halo = _halo()
    if halo.session != session or halo.resident is None:
        raise PeerLost(f"worker {halo.worker.address} has lost its group")
    group, links = halo.resident
    try:
        return function(group, links, *arguments, **options)
    except BaseException:
        links.close()
        halo.resident = None  # another call must not wait for what comes no more
        raise


def _halo() -> Halo:
    halo = get_worker().plugins[Halo.name]
    assert isinstance(halo, Halo)
    return halo
