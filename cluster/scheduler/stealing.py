"""Work stealing that stays in the supernode where it can, and never moves a task that holds chips."""

from typing import Any

from distributed.stealing import WorkStealing

from cluster.scheduler.wish import wants_chips

# Across the fabric only if the transfer takes less than this share of the wait at the victim.
ACROSS_SHARE = 0.5


class TopologyStealing(WorkStealing):  # type: ignore[misc]
    """Upstream's stealing with a nearer choice of thief."""

    def steal_time_ratio(self, ts: Any) -> Any:
        """Upstream's class of a task by what moving it costs; chip tasks have none, as a theft does not move chips."""
        if ts.resource_restrictions and wants_chips(ts):
            return None, None
        s = self.scheduler
        if s.fabric.flat or not ts.dependencies:
            return super().steal_time_ratio(ts)
        # Upstream reads the scheduler's one bandwidth. The cheapest theft is one within the supernode: lend it that.
        saved, s.bandwidth = s.bandwidth, 1 / s.fabric.seconds_per_byte[1]
        try:
            return super().steal_time_ratio(ts)
        finally:
            s.bandwidth = saved

    def _get_thief(self, scheduler: Any, ts: Any, potential_thieves: set[Any], *, occupancies: dict[Any, float]) -> Any:
        fabric, victim = scheduler.fabric, ts.processing_on
        if fabric.flat or victim not in fabric.path:
            return super()._get_thief(scheduler, ts, potential_thieves, occupancies=occupancies)
        near = fabric.members[fabric.path[victim][:-1]].keys() & potential_thieves
        if near:
            thief = super()._get_thief(scheduler, ts, near, occupancies=occupancies)
            if thief is not None:
                return thief
        thief = super()._get_thief(scheduler, ts, potential_thieves - near, occupancies=occupancies)
        if thief is None:
            return None
        moved = ts.get_nbytes_deps() if ts.dependencies else scheduler.roots.result_bytes(ts)
        wait = occupancies.get(victim, 0.0) / max(1, victim.nthreads)
        return thief if fabric.seconds(moved, fabric.distance(victim, thief)) < ACROSS_SHARE * wait else None
