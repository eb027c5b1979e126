"""Makespan of recorded workflows on 64 chips of four kinds over a lower bound, by policy, and what a decision costs."""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, quantiles

import numpy as np

from benchmarks.bench import Row, data_folders, main
from cluster.dag import (
    Bounds,
    Conditions,
    Edge,
    Machine,
    Online,
    State,
    TaskGraph,
    bounds,
    check,
    portfolio,
    read,
    simulate,
)
from cluster.topology import ChipKind, Domain, Figure, Link, Topology
from cluster.tree import build

SPEEDS = {"k0": 1.0, "k1": 1.3, "k2": 1.8, "k3": 2.5}
INSIDE, OUTSIDE = 9.0, 1.0  # GB/s; only their ratio counts, as bytes are scaled
TARGETS = {0.1: "<= 1.2", 1.0: "<= 1.4", 5.0: "<= 2.1"}
QUICK = 6
SEEDS, QUICK_SEEDS = (0, 1, 2), (0,)
NOISE = Conditions(noise=0.3, stragglers=0.02, seed=1)


def workflows() -> list[Path]:
    """The recorded workflows, from AI4S_DATA, then ../shared/data; the small ones first."""
    found = next((files for folder in data_folders() if (files := list(folder.glob("workflows/*.json*")))), [])
    return sorted(found, key=lambda file: (file.stat().st_size, file.name))


def hub(hosts: int) -> Topology:
    """Four supernodes of hosts of 4 chips, each supernode of its own kind, as the presets are."""

    def figure(value: float, unit: str) -> Figure:
        return Figure(value=value, unit=unit, status="assumed")

    # A latency cannot be 0: this one is far below any transfer.
    fast, slow = (Link(bandwidth=figure(b, "GB/s"), latency=figure(1e-9, "us")) for b in (INSIDE, OUTSIDE))
    return Topology(
        name=f"four-kinds-{hosts}",
        title="Four supernodes",
        kinds={
            name: ChipKind(title=name, device="gpu", memory=figure(64, "GiB"), speed=figure(speed, "ratio"))
            for name, speed in SPEEDS.items()
        },
        links={"host": fast, "supernode": fast, "hub": slow},
        tree=tuple(
            Domain(name=f"s{place}", of=(Domain(name="h", count=hosts, chips={kind: 4}),))
            for place, kind in enumerate(SPEEDS)
        ),
    )


def machine(graph: TaskGraph, hosts: int, seed: int) -> Machine:
    """The hub with a speed for each type and kind: the declared one times lognormal(0.4)."""
    draw = np.random.default_rng(seed)
    types = sorted({task.type for task in graph.tasks})
    return Machine(
        build(hub(hosts)),
        {(type, kind): speed * float(draw.lognormal(0.0, 0.4)) for type in types for kind, speed in SPEEDS.items()},
    )


def scaled(graph: TaskGraph, chips: Machine, ccr: float) -> TaskGraph:
    """The graph with its bytes scaled: mean transfer of an edge between two chips / mean time of a task = ``ccr``."""
    compute = np.mean([chips.mean_seconds(task) for task in graph.tasks])
    # The machine's mean counts a chip with itself; two different ones are meant here.
    apart = (len(chips) + 1) / (len(chips) - 1)
    transfer = np.mean([chips.mean_cost(edge.bytes) for edge in graph.edges]) * apart
    factor = float(ccr * compute / transfer)
    return TaskGraph(graph.tasks, tuple(Edge(one.parent, one.child, one.bytes * factor) for one in graph.edges))


@dataclass(frozen=True)
class Result:
    """What one workflow comes to: the makespan (s) by policy and the bound."""

    makespan: dict[str, float]
    best: str
    bound: Bounds
    noisy: dict[str, float]

    @property
    def portfolio(self) -> float:
        """The portfolio's makespan, in seconds."""
        return self.makespan[self.best]


def run(graph: TaskGraph, chips: Machine) -> Result:
    """All policies on one graph, every schedule checked."""
    found = portfolio(graph, chips)
    for one in found:
        check(one.schedule)
    noisy = {}
    for name, one in (("portfolio", found[0]), *((other.policy.name, other) for other in found)):
        if name in ("portfolio", "plain", "online"):
            late = simulate(one.schedule.graph, chips, one.policy, NOISE)
            check(late)
            noisy[name] = late.makespan
    makespans = {one.policy.name: one.schedule.makespan for one in found}
    return Result(makespans, found[0].policy.name, bounds(graph, chips), noisy)


def rows_of(ccr: float, results: Sequence[Result], skip: str) -> list[Row]:
    """The rows of one communication-to-computation ratio."""

    def over(values: Sequence[float]) -> tuple[float, str]:
        ratios = [value / one.bound.value for value, one in zip(values, results, strict=True)]
        return geometric_mean(ratios), f"largest {max(ratios):.2f}"

    own = [one.portfolio for one in results]
    plain = [one.makespan["plain"] for one in results]
    simple = geometric_mean(one.portfolio / max(one.bound.critical_path, one.bound.area) for one in results)
    binding = ", ".join(f"{name} {n}" for name, n in Counter(one.bound.binding for one in results).most_common())
    chosen = ", ".join(f"{name} {n}" for name, n in Counter(one.best.split("@")[0] for one in results).most_common(4))
    value, note = over(own)
    title = f"CCR {ccr:g}: "
    rows = [
        Row.judged(f"{title}portfolio / bound", value, "x", TARGETS[ccr], f"{note}; binds: {binding}", not_judged=skip),
        Row(f"{title}portfolio / largest of critical path, area, link", simple, "x", note="without the staged bound"),
    ]
    for name, key in (("HEFT", "heft-mean"), ("online", "online"), ("plain rule", "plain")):
        value, note = over([one.makespan[key] for one in results])
        rows.append(Row(f"{title}{name} / bound", value, "x", note=note))
    worst = max(a / b for a, b in zip(own, plain, strict=True))
    rows.append(Row.judged(f"{title}portfolio / plain rule, worst", worst, "x", "<= 1.1", f"chosen most: {chosen}"))
    faster = geometric_mean(b / a for a, b in zip(own, plain, strict=True))
    rows.append(Row(f"{title}plain rule / portfolio", faster, "x", note="geometric mean"))
    late = [geometric_mean(one.noisy["plain"] / one.noisy[name] for one in results) for name in ("portfolio", "online")]
    rows.append(
        Row(
            f"{title}plain rule / portfolio, noisy",
            late[0],
            "x",
            note=f"run times x lognormal(0.3), 2 % of them x 5; online {late[1]:.2f}",
        )
    )
    return rows


class Timed(Online):
    """The online policy that notes how long each choice takes."""

    def begin(self, state: State) -> None:
        super().begin(state)
        self.took: list[float] = []

    def choose(self, state: State, task: int) -> int | None:
        start = time.perf_counter()
        chip = super().choose(state, task)
        self.took.append(time.perf_counter() - start)
        return chip


def decisions(graph: TaskGraph) -> list[Row]:
    """The time of an online decision on 64 chips and on a hundred times as many, in hosts of the same size."""
    rows, medians = [], {}
    for hosts in (4, 400):
        chips = machine(graph, hosts, 0)
        policy = Timed()
        found = simulate(scaled(graph, chips, 1.0), chips, policy)
        check(found)
        medians[hosts] = float(np.median(policy.took))
        slow = quantiles(policy.took, n=100)[98]
        title = f"online decision on {len(chips):,} chips, median"
        rows.append(
            Row(title, medians[hosts] * 1e6, "us", note=f"p99 {slow * 1e6:,.0f} us, {len(policy.took)} decisions")
        )
    growth = medians[400] / medians[4]
    return [*rows, Row.judged("growth of a decision, 64 to 6,400 chips", growth, "x", "< 2")]


def measure(arguments: argparse.Namespace) -> list[Row]:
    files = workflows()
    if not files:
        return [Row("skipped", None, note="no workflows/*.json.gz in AI4S_DATA or ../shared/data")]
    files = files[:QUICK] if arguments.quick else files
    seeds = QUICK_SEEDS if arguments.quick else SEEDS
    graphs = [read(file) for file in files]
    rows = [
        Row(
            "workflows",
            len(graphs),
            note=f"{sum(len(graph.tasks) for graph in graphs):,} tasks; {len(seeds)} draws of the speeds",
        )
    ]
    skip = f"quick, {len(graphs)} workflows" if arguments.quick else ""
    for ccr in TARGETS:
        results = []
        for graph in graphs:
            for seed in seeds:
                chips = machine(graph, 4, seed)
                results.append(run(scaled(graph, chips, ccr), chips))
        rows += rows_of(ccr, results, skip)
    return rows + decisions(max(graphs, key=lambda graph: len(graph.tasks)))


if __name__ == "__main__":
    main(measure, __doc__)
