"""A national day and recorded traces on 60,160 chips: time, utilisation and crossings, against first fit.

Seconds are CPU time of the one thread that simulates. First fit keeps the queue, backfill and reservations and takes the first free chips; as it
knows no groups, both sides run without them. Traces are scaled so that their largest job fits one kind, and copied to fill the hub.
"""

import argparse
import time
from collections.abc import Sequence

from benchmarks.bench import Row, main
from benchmarks.first_fit import first_fit, flat
from benchmarks.hub_loads import public, traces
from cluster.hubfile import load
from cluster.simulate.day import PROJECTS, failures, national_day
from cluster.simulate.jobs import Job
from cluster.simulate.simulator import simulate
from cluster.simulate.traces import Trace, read_trace
from cluster.topology import Topology
from cluster.tree import build

HUB = "zhengzhou-60k"
LOAD = 0.95
REPLAY_JOBS = 100_000


def busy(jobs: Sequence[Job], topology: Topology) -> list[Job]:
    """The jobs with their arrivals drawn together or apart so that they ask for LOAD of the hub's chip-seconds."""
    capacity = sum(
        topology.kinds[kind].relative_speed * chips
        for place in topology.places()
        for kind, chips in place.chips.items()
    )
    span = max(job.submit for job in jobs)
    stretch = sum(job.gang.chips * job.seconds for job in jobs) / (LOAD * capacity * span)
    return [Job(job.submit * stretch, job.gang, job.seconds, job.checkpoint_s) for job in jobs]


def spread(trace: Trace, topology: Topology) -> list[Job]:
    """A trace's jobs, as large as one kind allows and as often as it takes to fill the hub."""
    tree = build(topology)
    largest = min(tree.capacity[kind][0] for kind in tree.kinds)
    scale = max(1, largest // max(line.chips for line in trace.lines))
    copies = max(1, topology.chips // (trace.size * scale))
    if copies == 1:
        scale = max(1, topology.chips // trace.size)
    return list(trace.jobs(topology, scale=scale, copies=copies))


def compare(name: str, topology: Topology, jobs: Sequence[Job], **settings: object) -> list[Row]:
    """Ours against first fit on the same jobs."""
    jobs = [Job(job.submit, job.gang.model_copy(update={"groups": ()}), job.seconds, job.checkpoint_s) for job in jobs]
    last = max(job.submit for job in jobs)
    ours = simulate(topology, jobs, **settings)  # type: ignore[arg-type]
    with first_fit():
        plain = simulate(topology, flat(jobs), **settings)  # type: ignore[arg-type]
    crossed, inside = ours.crossing()
    flat_crossed, flat_inside = plain.crossing()
    one, other = 100 * ours.used(last), 100 * plain.used(last)
    bound = max(ours.summary()["bounds_s"].values())
    return [
        Row.judged(
            f"{name}: gangs that fit one supernode and cross it",
            100 * crossed / max(inside, 1),
            "%",
            "<= 1",
            f"first fit {100 * flat_crossed / max(flat_inside, 1):.1f} %",
        ),
        Row(f"{name}: utilisation", one, "%", note=f"first fit {other:.2f} %, while gangs arrive"),
        Row.judged(f"{name}: utilisation less than first fit's by", other - one, "points", "<= 0.5"),
        Row(
            f"{name}: makespan over the lower bound",
            (ours.last - (ours.first or 0)) / bound,
            "x",
            note=f"first fit {(plain.last - (plain.first or 0)) / bound:.2f}",
        ),
    ]


def measure(arguments: argparse.Namespace) -> list[Row]:
    topology = load(HUB)
    jobs = list(national_day(topology, load=LOAD * (0.1 if arguments.quick else 1.0)))
    broken = failures(topology)
    before = time.process_time()
    simulate(topology, jobs, projects=PROJECTS, failures=broken)
    rows = [
        Row.judged(
            "national day",
            time.process_time() - before,
            "s",
            "< 120",
            f"{len(jobs):,} gangs, {len(broken)} failures, load {LOAD}",
            not_judged="a tenth of the day" if arguments.quick else "",
        )
    ]
    rows += replay(topology, arguments.quick)
    rows += compare("day", topology, jobs, projects=PROJECTS)
    for name, trace in traces().items():
        whole = busy(spread(trace, topology), topology)
        rows += compare(name, topology, whole[: len(whole) // 10 if arguments.quick else None])
    if not traces():
        rows.append(Row("public traces", None, note="not here: set AI4S_DATA to their folder"))
    return rows


def replay(topology: Topology, quick: bool) -> list[Row]:
    """A hundred thousand jobs of one trace, ten copies of it, as fast as they go."""
    path = public("traces/lublin_256.swf.gz")
    if path is None:
        return [Row("100,000-job replay", None, note="lublin_256 is not here: set AI4S_DATA to its folder")]
    copies = 1 if quick else 10
    trace = read_trace(str(path))
    jobs = busy(list(trace.jobs(topology, scale=topology.chips // (trace.size * copies), copies=copies)), topology)
    before = time.process_time()
    record = simulate(topology, jobs)
    took = time.process_time() - before
    note = f"{len(jobs):,} jobs of lublin_256, utilisation {100 * record.used(record.last_arrival):.1f} %"
    few = "fewer jobs" if len(jobs) < REPLAY_JOBS else ""
    return [Row.judged("100,000-job replay", took, "s", "< 60", note, not_judged=few)]


if __name__ == "__main__":
    main(measure, __doc__)
