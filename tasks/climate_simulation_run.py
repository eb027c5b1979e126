"""A simulation chunk by chunk: groups of tiles advance together, their health is checked, and only then is anything kept.

What can go wrong in a chunk leaves the last checkpoint as it was: a flow that blows up goes back to it with half the step, and
when a worker is lost the tiles are seated anew on those there are.
"""

import errno
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from cluster.launch import Pod
from cluster.resident import Fleet, Seat, WorkerLost, shared_out
from domains.climate import simulation_store
from domains.climate.checkpoint import Checkpoints, DamagedCheckpoint, Generation, Halved
from domains.climate.simulation import SUMS, Whole, whole
from domains.climate.simulation_check import BYTES_A_CELL, ClimateSimulation
from domains.climate.verify import Budget, health
from tasks import climate_simulation_group as group
from tasks.outcomes import ShardSummary, summarise
from tasks.progress import StageProgress
from tasks.provenance import package_version
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import Refused

STAGE, TITLE, TITLE_ZH = "simulate", "Tiles at each time", "各时刻的分块"
FIELDS = "simulation.zarr"
VERSIONS = ("numpy", "numba", "xarray", "zarr")
VERSION = "1"  # raise it when the science changes
MOST_HALVED = 4
MOST_LOST = 5  # workers in one chunk
MEMORY_SHARE = 0.7  # of a worker's memory, for its group


class Simulated(NamedTuple):
    """The rows of every tile at every time, and the chunks that were begun again with half the step."""

    records: Survivors
    halved: Sequence[Halved]


def simulate(run: Run, asked: ClimateSimulation) -> Simulated:
    """Run the simulation to its end, from its last checkpoint where it has one."""
    store = run.store.stage(STAGE)
    store.begin({"stage": STAGE, "version": VERSION, "case": asked.case.name}, 0.0)
    rows = asked.request.records * asked.tiling.count
    with run.progress.stage(STAGE, TITLE, rows) as progress:
        try:
            session = Session(run, asked, progress)
            before = sum(shard.rows for shard in session.shards.values())
            session.finish()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Refused(
                f"no space left in {run.store.root}: free some and run the same command again, it goes on from the last checkpoint"
            ) from None
        except DamagedCheckpoint as error:
            raise Refused(str(error)) from None
    summary = summarise(STAGE, TITLE, TITLE_ZH, rows, session.shards.values(), run.slots, before)
    run.stages.append(summary)
    return Simulated(Survivors(store, summary), session.at.halved if session.at else ())


class Session:
    """From the last checkpoint to the end."""

    def __init__(self, run: Run, asked: ClimateSimulation, progress: StageProgress) -> None:
        self.run, self.asked, self.progress = run, asked, progress
        self.store, self.fields = run.store.stage(STAGE), run.store.root / FIELDS
        about = {"case": asked.case.name, "grid": asked.request.resolution, "tiles": asked.tiling.count}
        about["interval"] = f"{asked.request.interval} h"
        self.checkpoints = Checkpoints(run.store.root / "checkpoint", about)
        self.at = self.checkpoints.latest()
        self.shards = self._kept()
        self.progress.advance(sum(shard.rows for shard in self.shards.values()))

    def _kept(self) -> dict[str, ShardSummary]:
        """The shards up to the checkpoint; what is later is done again, and goes."""
        last = self.at.chunk if self.at else -1
        found = self.store.committed()
        for key in [key for key in found if int(key.split("-")[0]) > last]:
            self.store.shard_path(key).unlink()
            del found[key]
        return found

    def finish(self) -> None:
        """Take all chunks that are left."""
        if self.at is not None and self.at.chunk == self.asked.chunks:
            return
        if self.at is None:
            self._room()
            packages = ", ".join(f"{name} {package_version(name)}" for name in VERSIONS)
            simulation_store.create(self.fields, self.asked, self.run.store.name, packages)
        # Messages go from worker to worker: all groups are in one pod, the largest.
        pod = max(self.run.pods, key=lambda one: one.slots)
        with Fleet(pod.address, pod.topology) as fleet:
            self._settle(fleet, pod, pod.slots)
            lost = 0
            while self.at is None or self.at.chunk < self.asked.chunks:
                try:
                    self._chunk(fleet)
                    lost = 0
                except WorkerLost as error:
                    lost += 1
                    if lost > MOST_LOST:
                        raise Refused(f"workers keep dying ({error}); check their memory, then resume") from None
                    seats = self._settle(fleet, pod, pod.slots)
                    day = self._day(self.at.chunk if self.at else 0)
                    self.run.progress.tell(f"a worker was lost: on from day {day:g} with {len(seats)} workers")

    def _room(self) -> None:
        free, needed = shutil.disk_usage(self.run.store.root).free, self.asked.disk_bytes
        if free < needed:
            raise Refused(
                f"the disk of {self.run.store.root} has {free / 2**30:.1f} GiB free, and this run leaves up to {needed / 2**30:.1f}. "
                "Choose another with AI4S_RUNS=DIR, or a longer --interval."
            )

    def _settle(self, fleet: Fleet, pod: Pod, expected: int) -> list[Seat]:
        """Seat the tiles on the workers there are, in the state of the last checkpoint."""
        tiling = self.asked.tiling
        while True:
            seats = fleet.muster(tiling.count, min(expected, tiling.count))
            self._fits(seats)
            owner = shared_out(tiling.centres(), seats, pod.topology)
            files = self.checkpoints.paths(self.at) if self.at else []
            try:
                fleet.settle(seats, partial(group.made, self.asked.request, owner, files))
                return seats
            except WorkerLost:
                expected -= 1  # once more, with one less where it does not come back

    def _fits(self, seats: list[Seat]) -> None:
        needed = 6 * self.asked.tiling.cells**2 * BYTES_A_CELL / len(seats)
        least = min((seat.memory for seat in seats if seat.memory), default=0)
        if least and needed > MEMORY_SHARE * least:
            raise Refused(
                f"{self.asked.request.resolution} on {len(seats)} workers takes about {needed / 2**30:.1f} GiB on each, and one has "
                f"{least / 2**30:.1f} GiB. Use more workers, or a lower resolution."
            )

    def _chunk(self, fleet: Fleet) -> None:
        """One chunk, or, where there is no checkpoint yet, the start."""
        done = -1 if self.at is None else self.at.chunk
        steps = self.at.steps if self.at else self.asked.steps
        dt = self.asked.chunk_s / steps
        before = self.at.halved if self.at else ()
        if self.at is None:
            fleet.run(group.advance, 0, dt)
            return self._keep(fleet, 0, Generation(0, steps, (), {}), dt, None)
        files, halved = self.checkpoints.paths(self.at), list(before)
        while problem := self._unsound(fleet, steps, dt):
            if len(halved) == MOST_HALVED:
                raise Refused(
                    f"the flow blows up between day {self._day(done):g} and {self._day(done + 1):g} even with steps of {dt:.4g} s "
                    f"({problem}); start a new run with a shorter --step"
                )
            halved.append(Halved(done + 1, dt, problem))
            steps, dt = 2 * steps, dt / 2
            self.run.progress.tell(f"day {self._day(done):g}: {problem}; again with steps of {dt:.4g} s")
            fleet.run(group.back, files)
        reason = None
        if len(halved) > len(before):
            reason = f"step halved to {dt:.6g} s, as with {halved[-1].dt:.6g} s {halved[-1].reason}"
        return self._keep(fleet, done + 1, Generation(done + 1, steps, tuple(halved), {}), dt, reason)

    def _unsound(self, fleet: Fleet, steps: int, dt: float) -> str:
        """Advance all groups, and say why what they hold then cannot be."""
        told = fleet.run(group.advance, steps, dt)
        return health(self._start, whole(row for part in told for row in part).budget)

    @cached_property
    def _start(self) -> Budget:
        """What the sphere held at the start."""
        tables = [pq.read_table(path, columns=[*SUMS]) for path in self.store.path.glob("shard-000000-*")]
        return whole(row for table in tables for row in table.to_pylist()).budget

    def _keep(self, fleet: Fleet, record: int, new: Generation, dt: float, reason: str | None) -> None:
        """Write a record and its checkpoint; it counts once the index names it."""
        where = group.Where(self.fields, self.checkpoints.prepare(record), self.store.path)
        for left in self.store.path.glob(f"shard-{record:06d}-*"):
            left.unlink()  # of a try that was cut short
        saved: list[group.Saved] = fleet.run(group.save, record, self._day(record), dt, reason, where)
        self.at = Generation(new.chunk, new.steps, new.halved, {one.name: one.mark for one in saved})
        self.checkpoints.commit(self.at)
        self.shards |= {one.shard.key: one.shard for one in saved}
        self.progress.advance(sum(one.shard.rows for one in saved))

    def _day(self, record: int) -> float:
        return record * self.asked.request.interval / 24


def series(source: Survivors) -> list[Whole]:
    """What the sphere held at each time."""
    found: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for table in source.tables(["record", *SUMS]):
        for row in table.to_pylist():
            found[row["record"]].append(row)
    return [whole(found[record]) for record in sorted(found)]
