"""How much of the halo traffic of a sphere in tiles crosses supernodes, by placement: recursive bisection against the stock spread.

One tile a chip on the 60,160-chip preset, or as many of its supernodes as the tiles need: there bytes are counted and none are sent.
Then a real sphere on an emulated fabric of two supernodes (network namespaces, 200 Mbit/s between them): bytes are the kernel's
counters. That part needs root, ``ip`` and ``tc``.
"""

import argparse
import time
from collections.abc import Mapping
from functools import partial
from statistics import median

import numpy as np

from benchmarks.bench import Row, main
from benchmarks.fabric import cluster
from benchmarks.netlab import Lab, missing
from benchmarks.tiles import advance, made, state
from cluster.hubfile import load
from cluster.interchange.hosts import Host, grow
from cluster.partition import graph_positions, place, traffic
from cluster.resident import Fleet, shared_out
from cluster.scheduler.place import parse
from cluster.topology import Topology
from cluster.tree import Tree, build
from domains.climate import run
from domains.climate.cases import flow_over_mountain
from domains.climate.communication import communication
from domains.climate.dynamics import STAGES
from domains.climate.grid import Tiling

HUB = "zhengzhou-60k"
CELLS = 24  # along a tile's side
SIDES = (20, 40, 100)  # tiles along a panel's side: 2,400, 9,600 and 60,000 tiles
REPEATS = 5


def needed(tree: Tree, tiles: int) -> Tree:
    """As much of the hub as holds the tiles: the supernodes after it are absent."""
    supernodes = tree.at_level[tree.level("supernode")]
    chips = np.cumsum([tree.capacity["any"][one] for one in supernodes])
    unused = supernodes[int(np.searchsorted(chips, tiles)) + 1 :]
    content = tree.topology.model_dump()
    content["health"] = {**content["health"], **{tree.paths[one]: "absent" for one in unused}}
    return build(Topology.model_validate(content))


def placements(tiling: Tiling, pairs: np.ndarray, tree: Tree, seed: int) -> Mapping[str, np.ndarray]:
    """The supernode of each tile by how it is chosen; the last is ours."""
    supernodes = [one for one in tree.at_level[tree.level("supernode")] if tree.capacity["any"][one]]
    chips = np.repeat(supernodes, [tree.capacity["any"][one] for one in supernodes])
    number = np.arange(tiling.count)
    in_order = chips[number * len(chips) // tiling.count]
    return {
        "random": np.random.default_rng(seed).permutation(in_order),
        "spread as stock Dask does": np.array(supernodes)[number % len(supernodes)],
        "row-major": in_order,
        "bisection of the bare graph": place(graph_positions(tiling.count, pairs), tree, "supernode"),
        "bisection": place(tiling.centres(), tree, "supernode"),
    }


def measure(arguments: argparse.Namespace) -> list[Row]:
    hub, rows = build(load(HUB)), []
    for side in SIDES:
        tiling = Tiling(side * CELLS, side)
        tree = needed(hub, tiling.count)
        pairs, amounts = communication(tiling)
        count = sum(tree.capacity["any"][one] > 0 for one in tree.at_level[tree.level("supernode")])
        about, judged = f"{tiling.count:,} tiles, {count} supernodes", side == max(SIDES)
        total, shares = amounts.sum(), {}
        for name, homes in placements(tiling, pairs, tree, 0).items():
            across = homes[pairs[:, 0]] != homes[pairs[:, 1]]
            shares[name] = 100 * amounts[across].sum() / total
            busiest = np.bincount(homes[pairs[across, 0]], amounts[across]).max()
            note = f"{amounts[across].sum() / 1e6:.1f} of {total / 1e6:.0f} MB a stage; busiest supernode sends {busiest / 1e6:.2f} MB"
            if judged and name == "bisection":
                rows.append(Row.judged(f"{about}, {name}: bytes across", shares[name], "%", "<= 6", note))
            else:
                rows.append(Row(f"{about}, {name}: bytes across", shares[name], "%", note=note))
        rows.append(
            Row(f"{about}: stock spread / ours", shares["spread as stock Dask does"] / shares["bisection"], "times")
        )
        if judged:
            rows += planned(tiling, pairs, amounts, tree)
    return rows + on_fabric(arguments.quick)


def on_fabric(quick: bool) -> list[Row]:
    """A sphere on four workers in two supernodes, its tiles placed by bisection and spread as stock Dask does."""
    if why := missing():
        return [Row("sphere on the emulated fabric", None, note=f"not here: {why}")]
    tiling, steps, rounds = Tiling(48 if quick else 192, 4 if quick else 8), 10 if quick else 40, 2 if quick else 5
    with Lab() as lab, cluster(lab.hosts, "ours", 1.1) as address:
        hub = grow("lab", [Host(parse(host.place), {"core": 1}) for host in lab.hosts], {}, "the lab")
        with Fleet(address, hub) as fleet:
            seats = fleet.muster(len(lab.hosts), len(lab.hosts))
            owners = {
                "spread as stock Dask does": np.arange(tiling.count) % len(seats),
                "bisection": shared_out(tiling.centres(), seats, hub),
            }
            found = {name: _carried(lab, fleet, tiling, owner, steps, rounds) for name, owner in owners.items()}
    name = f"C{tiling.cells} in {tiling.count} tiles, 4 workers in 2 supernodes, {len(STAGES) * steps} exchanges"
    rows = [
        Row.judged(f"{name}: bits that differ by placement", _differ(*(end for *_, end in found.values())), "", "== 0")
    ]
    for how, (across, seconds, _) in found.items():
        note = f"{rounds} rounds, {min(across) / 1e6:.2f} to {max(across) / 1e6:.2f} MB; {1e3 * median(seconds) / steps:.0f} ms a step"
        rows.append(Row(f"{name}, {how}: real bytes across", median(across) / 1e6, "MB", note=note))
    stock, ours = found.values()
    rows.append(Row.judged(f"{name}: fewer bytes across", median(stock[0]) / median(ours[0]), "times", ">= 2"))
    rows.append(Row(f"{name}: shorter", median(stock[1]) / median(ours[1]), "times", note="wall time"))
    return rows


Carried = tuple[list[int], list[float], np.ndarray]


def _carried(lab: Lab, fleet: Fleet, tiling: Tiling, owner: np.ndarray, steps: int, rounds: int) -> Carried:
    """Bytes between the supernodes and seconds of each round, and the state of all tiles in the end."""
    dt = run.longest_step(flow_over_mountain(), tiling.cells)
    fleet.settle(fleet.seats or fleet.muster(len(lab.hosts)), partial(made, tiling, owner))
    fleet.run(advance, 1, dt)
    across, seconds = [], []
    for _ in range(rounds):
        before, began = lab.bytes_across(), time.perf_counter()
        fleet.run(advance, steps, dt)
        seconds.append(time.perf_counter() - began)
        across.append(lab.bytes_across() - before)
    end = np.empty((tiling.count, 4, tiling.size, tiling.size))
    for tiles, found in fleet.run(state):
        end[tiles] = found
    return across, seconds, end


def _differ(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.count_nonzero(one != other))


def planned(tiling: Tiling, pairs: np.ndarray, amounts: np.ndarray, tree: Tree) -> list[Row]:
    """How long the plan of the largest sphere takes, and where its bytes go when every tile has a host."""
    took = []
    for _ in range(REPEATS):
        began = time.process_time()
        homes = place(tiling.centres(), tree)
        took.append(time.process_time() - began)
    note = f"down to {len(np.unique(homes)):,} hosts; {REPEATS} times, {min(took):.2f} to {max(took):.2f} s of CPU"
    by_level = traffic(pairs, amounts, homes, tree)
    words = ", ".join(f"{level} {100 * part / amounts.sum():.1f}" for level, part in by_level.items())
    return [
        Row.judged(f"{tiling.count:,} tiles: planned in", float(np.median(took)), "s", "< 1", note),
        Row(
            f"{tiling.count:,} tiles: leaves the host",
            100 - 100 * by_level["host"] / amounts.sum(),
            "%",
            note=f"%: {words}",
        ),
    ]


if __name__ == "__main__":
    main(measure, __doc__)
