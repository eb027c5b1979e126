"""Discrete events over the same allocator that serves live: arrivals, ends, failures, repairs, growth."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import Affected, apply, fail, repair
from cluster.allocate.gang import Project, Refused
from cluster.allocate.running import Allocation
from cluster.simulate.jobs import Failure, Growth, Job
from cluster.simulate.record import Record
from cluster.topology import Topology

Progress = Callable[[int], None]


def simulate(
    topology: Topology,
    jobs: Iterable[Job],
    *,
    projects: Mapping[str, Project] | None = None,
    failures: Sequence[Failure] = (),
    growth: Sequence[Growth] = (),
    backfill: bool = True,
    preemption: bool = False,
    looks: Sequence[tuple[float, Callable[[Allocator], None]]] = (),
    progress: Progress | None = None,
) -> Record:
    """Run all jobs until they have ended or wait for a budget that is spent; return the record. Virtual time; the same input gives the same record.

    ``looks`` are called with the allocator at their time, to draw it or to ask it.
    """
    allocator = Allocator(topology, projects, backfill=backfill, preemption=preemption)
    simulation = _Simulation(allocator, sorted(jobs, key=lambda job: job.submit))
    for one in failures:
        simulation.at(one.time, simulation.fail, one)
    for step in growth:
        simulation.at(step.time, simulation.grow, step)
    for time, look in looks:
        simulation.at(time, look, allocator)
    return simulation.run(progress or (lambda _: None))


class _Simulation:
    def __init__(self, allocator: Allocator, jobs: Sequence[Job]) -> None:
        self.allocator, self.jobs = allocator, jobs
        self.record = Record(allocator)
        self.by_name = {job.gang.name: job for job in jobs}
        if len(self.by_name) < len(jobs):
            raise ValueError("two jobs have the same name")
        self.left: dict[str, float] = {}
        self.starts: dict[str, int] = {}
        self.events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.order = itertools.count()
        self.now = 0.0
        self.open = 0

    def at(self, time: float, action: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self.events, (time, next(self.order), action, arguments))

    def run(self, progress: Progress) -> Record:
        """Go from event to event until every job has ended, was refused, or waits for what no event brings."""
        arrivals = iter(self.jobs)
        job = next(arrivals, None)
        done = 0
        while job is not None or self.open:
            wake = self.allocator.next_wake()
            times = [job.submit] if job else []
            times += [self.events[0][0]] if self.events else []
            times += [wake] if wake is not None and self.open else []
            if not times:  # a spent budget: nothing that still happens will free these
                self.record.leave_waiting(self.allocator.queue.by_name.values())
                break
            self.now = max(min(times), self.now)
            while self.events and self.events[0][0] <= self.now:
                _, _, action, arguments = heapq.heappop(self.events)
                action(*arguments)
            while job is not None and job.submit <= self.now:
                self.arrive(job)
                done += 1
                job = next(arrivals, None)
            for allocation in self.allocator.schedule(self.now):
                self.start(allocation)
            self.record.note(self.now)
            progress(done)
        return self.record.close(self.now)

    def arrive(self, job: Job) -> None:
        self.record.last_arrival = self.now
        try:
            self.allocator.submit(job.gang, self.now)
        except Refused as error:
            self.record.refuse(job, str(error))
            return
        self.open += 1
        self.left[job.gang.name] = job.seconds

    def start(self, allocation: Allocation) -> None:
        name = allocation.gang.name
        self.starts[name] = number = self.starts.get(name, 0) + 1
        self.at(self.now + self.left[name] / allocation.speed, self.end, name, number)
        self.record.started(allocation, again=number > 1)

    def end(self, name: str, number: int) -> None:
        if self.starts[name] != number or name not in self.allocator.running:
            return  # it was stopped in between
        self.record.ended(self.allocator.end(name, self.now), self.now)
        self.open -= 1
        del self.left[name]

    def fail(self, failure: Failure) -> None:
        before = dict(self.allocator.running)
        self.stopped(fail(self.allocator, failure.path, self.now, chips=failure.chips), before)
        self.at(self.now + failure.repair_s, self.repair, failure.path)

    def repair(self, path: str) -> None:
        repair(self.allocator, path)

    def grow(self, step: Growth) -> None:
        before = dict(self.allocator.running)
        self.stopped(apply(self.allocator, step.topology, self.now), before)

    def stopped(self, affected: Iterable[Affected], before: Mapping[str, Allocation]) -> None:
        """Keep what a stopped job had saved; a refused one is over."""
        for one in affected:
            self.record.affected(one)
            if one.what == "refused":
                self.record.refuse(self.by_name[one.name], "the hub it was admitted to has changed")
                self.open -= 1
            elif one.what == "waiting":
                allocation, job = before[one.name], self.by_name[one.name]
                done = (self.now - allocation.started) * allocation.speed
                saved = done // job.checkpoint_s * job.checkpoint_s if job.checkpoint_s else 0.0
                self.left[one.name] -= saved
                self.record.lost(allocation, self.now, done - saved)
