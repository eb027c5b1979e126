"""Shuffles and rechunks along the tree: neighbouring output partitions on neighbouring workers, near their inputs."""

from collections import defaultdict
from typing import Any

from distributed.shuffle import ShuffleSchedulerPlugin
from distributed.shuffle._core import barrier_key

from cluster.scheduler.place import Path

# A shuffle stays in the supernodes that hold this share of its inputs.
INPUT_SHARE = 0.9


class TopologyShuffle(ShuffleSchedulerPlugin):  # type: ignore[misc]
    """Upstream's P2P shuffle over a list of workers in the order of the tree."""

    def _calculate_worker_for(self, spec: Any) -> Any:
        s = self.scheduler
        if s.fabric.flat:
            return super()._calculate_worker_for(spec)
        barrier = s.tasks[barrier_key(spec.id)]
        allowed = barrier.worker_restrictions
        pool = [ws for ws in s.fabric.order() if not allowed or ws.address in allowed]
        near = self._near(barrier)
        pool = [ws for ws in pool if s.fabric.path[ws][:-1] in near] or pool
        # Upstream takes its workers from the restrictions, in their order.
        barrier.worker_restrictions = [ws.address for ws in pool]
        try:
            return super()._calculate_worker_for(spec)
        finally:
            barrier.worker_restrictions = allowed

    def _near(self, barrier: Any) -> set[Path]:
        """The supernodes that hold nearly all inputs, or will: by number, as most are not computed yet."""
        s = self.scheduler
        weight: defaultdict[Path, int] = defaultdict(int)
        for transfer in barrier.dependencies:
            for ts in transfer.dependencies:
                holder = next(iter(ts.who_has or ()), None) or ts.processing_on or s.roots.home.get(ts)
                if holder in s.fabric.path:
                    weight[s.fabric.path[holder][:-1]] += 1
        near: set[Path] = set()
        found, total = 0, sum(weight.values())
        for supernode in sorted(weight, key=lambda path: -weight[path]):
            if found >= INPUT_SHARE * total:
                break
            near.add(supernode)
            found += weight[supernode]
        return near
