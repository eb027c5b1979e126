"""A group that is not climate: some cells of a ring, each of which becomes a mix of itself and its neighbours."""

import os
import signal

import numpy as np

from cluster.halo import step

CELLS, STAGES = 24, 2


class Ring:
    """The cells of one owner; it asks each peer for the cells beside its own."""

    def __init__(self, owner, number):
        self.owner, self.number = np.asarray(owner), number
        self.values = np.arange(len(owner), dtype=float) ** 2
        self.mine = np.flatnonzero(self.owner == number)
        self.peers = sorted({int(self.owner[n]) for n in self._beside(self.mine)} - {number})

    def _beside(self, cells):
        return sorted({int((cell + by) % len(self.owner)) for cell in cells for by in (-1, 1)})

    def _for(self, reader, owner):
        cells = np.flatnonzero(self.owner == reader)
        return [cell for cell in self._beside(cells) if self.owner[cell] == owner]

    def begin(self, stage):
        self.now = self.values.copy()

    def pack(self, peer):
        return self.now[self._for(peer, self.number)]

    def unpack(self, peer, message):
        self.now[self._for(self.number, peer)] = message

    def advance_inner(self, stage, dt):
        self.inner = [cell for cell in self.mine if all(self.owner[n] == self.number for n in self._beside([cell]))]
        self._advance(self.inner, dt)

    def advance_outer(self, stage, dt):
        self._advance([cell for cell in self.mine if cell not in self.inner], dt)

    def _advance(self, cells, dt):
        count = len(self.owner)
        for cell in cells:
            around = self.now[(cell - 1) % count] + self.now[(cell + 1) % count] - 2 * self.now[cell]
            self.values[cell] = self.now[cell] + dt * around


def make(owner, number):
    return Ring(owner, number)


def advance(ring, links, steps):
    for _ in range(steps):
        step(ring, links, STAGES, 0.1)
    return ring.mine, ring.values[ring.mine], os.getpid()


def advance_and_die(ring, links, steps, victim):
    for number in range(steps):
        if number == steps // 2 and ring.number == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        step(ring, links, STAGES, 0.1)


def advance_and_fail(ring, links, steps, guilty):
    for number in range(steps):
        if number == steps // 2 and ring.number == guilty:
            raise OSError(28, "No space left on device")
        step(ring, links, STAGES, 0.1)


def alone(steps):
    """What it should be, without workers."""
    ring = Ring(np.zeros(CELLS, int), 0)
    for _ in range(steps * STAGES):
        ring.begin(0)
        ring.advance_inner(0, 0.1)
        ring.advance_outer(0, 0.1)
    return ring.values
