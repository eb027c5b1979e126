"""The sphere in tiles: the same bits however it is cut and shared, what the cut costs, and how much work can hide the messages.

Groups live in this process, where times are CPU seconds, and then on the workers of a pod, one on each, where they are wall seconds.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.bench import Row, main
from cluster.halo import Links, step
from cluster.launch import start
from cluster.partition import place
from cluster.resident import Fleet, shared_out
from cluster.topology import Topology
from cluster.tree import build
from domains.climate import run
from domains.climate.cases import flow_over_mountain
from domains.climate.dynamics import STAGES
from domains.climate.grid import Tiling
from domains.climate.tiles import TileGroup

CUTS = (1, 2, 4)  # tiles along a panel's side: 6, 24 and 96 tiles
STEPS = 20


def supernode(hosts: int) -> Topology:
    """A supernode with so many hosts of one core."""
    memory = {"value": 4, "unit": "GiB", "status": "assumed"}
    topology = {
        "name": "groups",
        "title": "groups",
        "kinds": {"core": {"title": "core", "device": "cpu", "memory": memory}},
        "tree": [{"name": "s", "of": [{"name": "h", "count": hosts, "chips": {"core": 1}}]}],
    }
    return Topology.model_validate(topology)


def shared(tiling: Tiling, groups: int) -> list[TileGroup]:
    """The tiles on some groups, placed as on a supernode with as many hosts."""
    tree = build(supernode(groups))
    owner = place(tiling.centres(), tree) - tree.hosts.start
    return [TileGroup(tiling, flow_over_mountain(), owner, group) for group in range(groups)]


def whole(groups: Sequence[TileGroup]) -> np.ndarray:
    """The state (6, 4, n, n)."""
    tiling = groups[0].tiling
    found = np.empty((6, 4, tiling.cells, tiling.cells))
    for group in groups:
        for tile, state in zip(group.tiles, group.state, strict=True):
            panel, row, column = tiling.corner(int(tile))
            found[panel, :, row : row + tiling.size, column : column + tiling.size] = state
    return found


def same_bits(cells: int) -> list[Row]:
    """Values that differ from those of the uncut sphere."""
    dt, rows = run.longest_step(flow_over_mountain(), cells), []
    reference = [TileGroup(Tiling(cells), flow_over_mountain())]
    for _ in range(STEPS):
        run.step(reference, dt)
    expected = whole(reference)
    for cut in CUTS:
        for count in (1, 2):
            groups = shared(Tiling(cells, cut), count)
            for _ in range(STEPS):
                run.step(groups, dt)
            differ = int(np.count_nonzero(whole(groups) != expected))
            sent = sum(sum(group.message_bytes.values()) for group in groups)
            name = f"C{cells} in {6 * cut**2} tiles, {count} group{'s' if count > 1 else ''}: values that differ after {STEPS} steps"
            rows.append(
                Row.judged(name, differ, "", "== 0", f"{sent / 1e3:.0f} kB a stage between groups" if sent else "")
            )
    return rows


def cost(cells: int, cut: int, repeats: int) -> list[Row]:
    """What a stage of one of two groups spends on messages, and how much of it can run while they travel."""
    dt, groups = run.longest_step(flow_over_mountain(), cells), shared(Tiling(cells, cut), 2)
    run.step(groups, dt)
    spent = {"computing": 0.0, "packing": 0.0}
    for _ in range(repeats):
        for stage in range(len(STAGES)):
            began = time.process_time()
            for group in groups:
                group.begin(stage)
            middle = time.process_time()
            for group in groups:
                for peer in group.peers:
                    groups[peer].unpack(group.group, group.pack(peer))
            packed = time.process_time()
            for group in groups:
                group.advance_inner(stage, dt)
                group.advance_outer(stage, dt)
            spent["packing"] += packed - middle
            spent["computing"] += time.process_time() - packed + middle - began
    rate = 6 * cells**2 * repeats / (spent["computing"] + spent["packing"]) / 1e6
    inner = sum(len(group.inner) for group in groups) / (6 * cut**2)
    even = max(len(group.tiles) for group in groups) / (3 * cut**2)
    sent = max(sum(group.message_bytes.values()) for group in groups)
    name = f"C{cells} in {6 * cut**2} tiles, 2 groups"
    return [
        Row(f"{name}: both on one core", rate, "M cell-steps/s"),
        Row(f"{name}: packing and unpacking", 100 * spent["packing"] / sum(spent.values()), "% of the time", note=f"{sent / 1e3:.0f} kB a stage and group"),
        Row(f"{name}: tiles that need no message", 100 * inner, "%", note="computed while messages travel"),
        Row.judged(f"{name}: tiles of the larger group / half", even, "", "<= 1.25", "1 / this bounds the parallel efficiency"),
    ]  # fmt: skip


class OnWorkers:
    """A pod of some workers, with a group of tiles on each. A context manager."""

    def __init__(self, workers: int) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as hub:
            hub.write(supernode(workers).model_dump_json())
            hub.flush()
            self.pod = start(f"emulated:{Path(hub.name)}")
        self.fleet = Fleet(self.pod.address, self.pod.topology)

    def __enter__(self) -> "OnWorkers":
        return self

    def __exit__(self, *error: object) -> None:
        self.fleet.__exit__(*error)
        self.pod.cluster.close()

    def settle(self, tiling: Tiling) -> None:
        """New groups at the start of the flow."""
        seats = self.fleet.muster(tiling.count, self.pod.slots)
        self.fleet.settle(seats, partial(made, tiling, shared_out(tiling.centres(), seats, self.pod.topology)))


def made(tiling: Tiling, owner: np.ndarray, number: int) -> TileGroup:
    """On a worker: its group."""
    return TileGroup(tiling, flow_over_mountain(), owner, number)


def advance(group: TileGroup, links: Links, steps: int, dt: float) -> tuple[float, float]:
    """On a worker: take steps; seconds in all, and those spent waiting for messages."""
    began, waited = time.perf_counter(), links.waited
    for _ in range(steps):
        step(group, links, len(STAGES), dt)
    return time.perf_counter() - began, links.waited - waited


def state(group: TileGroup, links: Links) -> tuple[np.ndarray, np.ndarray]:
    """On a worker: its tiles and their state."""
    return group.tiles, group.state


def same_on_workers(cells: int, pods: Sequence[OnWorkers]) -> list[Row]:
    """Values that differ from those of the uncut sphere, when the groups are on workers."""
    dt, rows, reference = run.longest_step(flow_over_mountain(), cells), [], {}
    for cut in CUTS:
        alone = TileGroup(Tiling(cells, cut), flow_over_mountain())
        for _ in range(STEPS):
            alone.step(dt)
        reference[cut] = whole([alone])
        for pod in pods:
            pod.settle(alone.tiling)
            pod.fleet.run(advance, STEPS, dt)
            parts = pod.fleet.run(state)
            differ = sum(int(np.count_nonzero(alone.state[tiles] != found)) for tiles, found in parts)
            differ += int(np.count_nonzero(reference[cut] != reference[CUTS[0]]))
            name = f"C{cells} in {6 * cut**2} tiles on {len(parts)} worker{'s' if len(parts) > 1 else ''}"
            rows.append(Row.judged(f"{name}: values that differ after {STEPS} steps", differ, "", "== 0"))
    return rows


def efficiency(cells: int, cut: int, steps: int, rounds: int, pods: Sequence[OnWorkers], judged: bool) -> list[Row]:
    """The time of one worker over twice that of two: in turn, so that whatever else the machine does meets both."""
    dt, tiling = run.longest_step(flow_over_mountain(), cells), Tiling(cells, cut)
    taken: list[list[float]] = [[] for _ in pods]
    waits: list[float] = []
    for pod in pods:
        pod.settle(tiling)
        pod.fleet.run(advance, 2, dt)
    for _ in range(rounds):
        for number, pod in enumerate(pods):
            began = time.perf_counter()
            told = pod.fleet.run(advance, steps, dt)
            taken[number].append(time.perf_counter() - began)
            waits += [waited / seconds for seconds, waited in told] if number else []
    one, two = (median(times) for times in taken)
    ratios = sorted(alone / (2 * both) for alone, both in zip(*taken, strict=True))
    name = f"C{cells} in {tiling.count} tiles"
    note = f"{rounds} rounds of {steps} steps, {ratios[0]:.2f} to {ratios[-1]:.2f}; {1e3 * one / steps:.1f} and {1e3 * two / steps:.1f} ms a step"
    return [
        Row.judged(
            f"{name}: parallel efficiency on 2 workers", median(ratios), "", ">= 0.8", note,
            not_judged="" if judged else "small, and few rounds",
        ),
        Row(f"{name}: of their time waiting for messages", 100 * median(waits), "%", note=f"up to {100 * max(waits):.0f}"),
    ]  # fmt: skip


def on_workers(quick: bool) -> list[Row]:
    """Groups on the workers of two pods, of one worker and of two."""
    with OnWorkers(1) as one, OnWorkers(2) as two:
        rows = same_on_workers(48, (one, two))
        if quick:
            return rows + efficiency(96, 2, 20, 3, (one, two), judged=False)
        return (
            rows
            + efficiency(96, 2, 200, 5, (one, two), judged=False)
            + efficiency(384, 4, 60, 7, (one, two), judged=True)
        )


def measure(arguments: argparse.Namespace) -> list[Row]:
    rows = same_bits(48)
    for cells, cut in ((96, 2), (96, 4)) if arguments.quick else ((96, 2), (96, 4), (384, 4), (384, 8)):
        rows += cost(cells, cut, 5)
    return rows + on_workers(arguments.quick)


if __name__ == "__main__":
    main(measure, __doc__)
