"""Shuffles and rechunks along the tree: output partitions near the blocks they are made of, neighbours next to each other."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from distributed.shuffle import ShuffleSchedulerPlugin
from distributed.shuffle._core import barrier_key
from distributed.shuffle._rechunk import ArrayRechunkSpec

from cluster.scheduler.expect import expected
from cluster.scheduler.homes import cut
from cluster.scheduler.roots import by_index

# A shuffle stays in the supernodes that hold this share of its inputs.
INPUT_SHARE = 0.9


class TopologyShuffle(ShuffleSchedulerPlugin):  # type: ignore[misc]
    """Upstream's P2P shuffle with homes for its output partitions."""

    def _calculate_worker_for(self, spec: Any) -> Any:
        s = self.scheduler
        barrier = s.tasks[barrier_key(spec.id)]
        allowed = barrier.worker_restrictions
        order = s.fabric.order()
        pool = [ws for ws in order if not allowed or ws.address in allowed]
        if s.fabric.flat or not pool:
            return super()._calculate_worker_for(spec)
        position = {ws: at for at, ws in enumerate(order)}
        inputs = expected(s, by_index(barrier.dependencies))
        partitions = _along_inputs(spec, [position.get(ws) for ws in inputs])
        pool = self._near(pool, [ws for ws in inputs if ws], len(partitions))
        home = dict(zip(partitions, self._share_out(len(partitions), pool), strict=True))
        # Upstream keeps what is its own: shuffles with outputs in common must agree about them.
        placed = SimpleNamespace(
            id=spec.id, output_partitions=partitions, pick_worker=lambda partition, _: home[partition].address
        )
        return super()._calculate_worker_for(placed)

    def _near(self, pool: list[Any], inputs: list[Any], partitions: int) -> list[Any]:
        """The workers of the supernodes that hold nearly all inputs; of few partitions, only the workers that do."""
        path = self.scheduler.fabric.path
        supernodes = _most(path[ws][:-1] for ws in inputs)
        pool = [ws for ws in pool if path[ws][:-1] in supernodes] or pool
        if partitions >= len(pool):
            return pool
        workers = _most(inputs)
        return [ws for ws in pool if ws in workers] or pool

    def _share_out(self, partitions: int, pool: list[Any]) -> list[Any]:
        """A worker for each partition along the tree; shuffles of few partitions take turns with the workers."""
        if partitions >= len(pool):
            return cut(partitions, [(ws, ws.nthreads) for ws in pool])
        turn = len(self.active_shuffles)
        ends = [at * len(pool) // partitions for at in range(partitions + 1)]
        return [pool[start + turn % (end - start)] for start, end in pairwise(ends)]


def _most(domains: Iterable[Hashable]) -> set[Hashable]:
    """The domains that come most often and together make nearly all; by number, as most blocks are not computed yet."""
    counts = Counter(domains)
    found: set[Hashable] = set()
    missing = INPUT_SHARE * counts.total()
    for domain, count in counts.most_common():
        if missing <= 0:
            break
        found.add(domain)
        missing -= count
    return found


def _along_inputs(spec: Any, positions: Sequence[int | None]) -> list[Any]:
    """Output partitions by the mean position of what they are made of, and where that is the same by index."""
    partitions = sorted(spec.output_partitions)
    centre = _centres(spec, positions)
    return partitions if centre is None else sorted(partitions, key=lambda partition: centre[partition])


def _centres(spec: Any, positions: Sequence[int | None]) -> npt.NDArray[np.float64] | None:
    """Mean position of each output block's inputs, weighted by size; None where all outputs need all inputs alike."""
    known = [position for position in positions if position is not None]
    if not isinstance(spec, ArrayRechunkSpec) or not known:
        return None
    blocks = [len(axis) for axis in spec.old]
    if len(positions) != np.prod(blocks):
        return None
    filled = [float(np.mean(known)) if position is None else float(position) for position in positions]
    centre = np.reshape(filled, blocks)
    for old, new in zip(spec.old, spec.new, strict=True):  # each turn takes the first axis off and adds one at the end
        centre = np.tensordot(centre, _shares(np.array(old, float), np.array(new, float)), axes=(0, 0))
    return centre.round(6)


def _shares(old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Along one axis, the share of each new block (columns) that comes from each old one (rows)."""
    if np.isnan(old).any():  # Dask rechunks along axes of known sizes only
        return np.eye(len(old))
    old_ends, new_ends = np.cumsum(old)[:, None], np.cumsum(new)
    overlap = np.minimum(old_ends, new_ends) - np.maximum(old_ends - old[:, None], new_ends - new)
    shares: npt.NDArray[np.float64] = overlap.clip(min=0) / np.maximum(new, 1)
    return shares
