"""The sphere in tiles: the same bits however it is cut and shared, what the cut costs, and how much work can hide the messages.

All groups live in this process; times are CPU seconds.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.bench import Row, main
from cluster.partition import place
from cluster.topology import Topology
from cluster.tree import build
from domains.climate import run
from domains.climate.cases import flow_over_mountain
from domains.climate.dynamics import STAGES
from domains.climate.grid import Tiling
from domains.climate.tiles import TileGroup

CUTS = (1, 2, 4)  # tiles along a panel's side: 6, 24 and 96 tiles
STEPS = 20


def shared(tiling: Tiling, groups: int) -> list[TileGroup]:
    """The tiles on some groups, placed as on a supernode with as many hosts."""
    hosts = {"name": "h", "count": groups, "chips": {"core": 1}}
    topology = {
        "name": "groups",
        "title": "groups",
        "kinds": {
            "core": {"title": "core", "device": "cpu", "memory": {"value": 1, "unit": "GiB", "status": "assumed"}}
        },
        "tree": [{"name": "s", "of": [hosts]}],
    }
    tree = build(Topology.model_validate(topology))
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


def measure(arguments: argparse.Namespace) -> list[Row]:
    rows = same_bits(48)
    for cells, cut in ((96, 2), (96, 4)) if arguments.quick else ((96, 2), (96, 4), (384, 4), (384, 8)):
        rows += cost(cells, cut, 5)
    return rows


if __name__ == "__main__":
    main(measure, __doc__)
