"""Tasks with inputs: the holders of the data compete with a few idle neighbours, by wait and by the way of the bytes."""

from collections import defaultdict
from itertools import islice
from typing import Any

from cluster.scheduler.place import Path

# Idle workers of a holder's supernode that compete, and supernodes that are looked at.
NEIGHBOURS, SUPERNODES = 4, 4
# Data is moved to an idle neighbour only if that gains at least this factor.
MOVE_PENALTY = 2.0


class Inputs:
    """Bytes of a task's inputs by worker and by domain."""

    def __init__(self, fabric: Any, ts: Any) -> None:
        self.fabric = fabric
        self.on: defaultdict[Any, int] = defaultdict(int)
        self.under: defaultdict[Path, int] = defaultdict(int)
        self.total = 0
        for dependency in ts.dependencies:
            nbytes = dependency.get_nbytes()
            self.total += nbytes
            domains: set[Path] = set()
            for ws in dependency.who_has or ():
                self.on[ws] += nbytes
                path = fabric.path.get(ws, ())
                domains.update(path[:depth] for depth in range(1, len(path) + 1))
            for domain in domains:
                self.under[domain] += nbytes

    def seconds(self, ws: Any) -> float:
        """Time to bring what a worker lacks, each input from its nearest holder."""
        path, prices = self.fabric.path[ws], self.fabric.seconds_per_byte
        near, cost = self.on.get(ws, 0), 0.0
        for steps in range(len(path) + 1):
            here = self.under.get(path[: len(path) - steps], 0) if steps < len(path) else self.total
            cost += (here - near) * prices[steps]
            near = here
        return cost

    def supernodes(self, depth: int) -> list[Path]:
        """Domains at a depth that hold inputs, those with the most first."""
        found = [path for path in self.under if len(path) == depth]
        return sorted(found, key=lambda path: -self.under[path])


def follow(scheduler: Any, ts: Any) -> Any | None:
    """A worker for a task with inputs; None leaves it to the stock rule."""
    inputs = Inputs(scheduler.fabric, ts)
    best, score = None, (0.0, 0)
    for ws in inputs.on:
        if ws in scheduler.running and ws in scheduler.fabric.path:
            one = (ws.occupancy / ws.nthreads + inputs.seconds(ws), ws.nbytes)
            if best is None or one < score:
                best, score = ws, one
    if best is None:
        return None
    scheduler.why = f"holds {inputs.on[best]:,} of {inputs.total:,} input bytes"
    if len(best.processing) < best.nthreads:
        return best
    depth = len(scheduler.fabric.path[best]) - 1
    for supernode in inputs.supernodes(depth)[:SUPERNODES]:
        for ws in islice(scheduler.slots.roomiest(supernode, 1), NEIGHBOURS):
            if ws not in inputs.on and len(ws.processing) < ws.nthreads:
                one = (ws.occupancy / ws.nthreads + MOVE_PENALTY * inputs.seconds(ws), ws.nbytes)
                if one < score:
                    best, score = ws, one
                    scheduler.why = f"idle, in supernode {'/'.join(supernode)} with the inputs, whose holders are busy"
    return best
