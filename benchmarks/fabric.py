"""Stock Dask and ours on an emulated fabric of two supernodes: time, and bytes between the supernodes, by graph.

The fabric is made of network namespaces: memory speed inside a supernode, 200 Mbit/s between them. Bytes are the kernel's counters; times
are medians of runs in turn. Needs root, ``ip`` and ``tc``.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks.bench import ROOT, Row, main
from benchmarks.fabric_graphs import GRAPHS, MIB, Size
from benchmarks.netlab import HEAD, Host, Lab, missing

PORT = 28786
# Name, class and worker-saturation of each scheduler.
SCHEDULERS = {"stock": ("stock", 1.1), "stock, saturation inf": ("stock", float("inf")), "ours": ("ours", 1.1)}
# By graph: how many times shorter, and how many times fewer bytes, than stock's default.
TARGETS = {
    "tree reduction": (3.0, 10.0),
    "halo stencil": (3.0, 4.0),
    "all-to-all rechunk": (1.7, 1.8),
    "broadcast": (2.0, None),
    "all pairs": (0.95, None),
    "no communication": (0.95, None),
}


@dataclass(frozen=True)
class Taken:
    """What a graph took: median seconds and median bytes between the supernodes."""

    seconds: float
    across: float


@contextmanager
def cluster(hosts: list[Host], kind: str, saturation: float) -> Iterator[str]:
    """A scheduler at the head and a worker on each host."""
    node = [sys.executable, "-W", "ignore", "-m", "benchmarks.fabric_node"]
    address = f"tcp://{HEAD}:{PORT}"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*node, "scheduler", kind, str(PORT), str(saturation)], **quiet)]  # type: ignore[call-overload]
    for host in hosts:
        words = ["ip", "netns", "exec", host.namespace, *node, "worker", address, host.place, host.address]
        processes.append(subprocess.Popen(words, **quiet))  # type: ignore[call-overload]
    try:
        yield address
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def take(lab: Lab, name: str, size: Size, graphs: list[str]) -> dict[str, Taken]:
    """Run the graphs under one scheduler, each several times."""
    from distributed import Client

    kind, saturation = SCHEDULERS[name]
    found = {}
    with cluster(lab.hosts, kind, saturation) as address, Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(len(lab.hosts), timeout=120)
        for graph in graphs:
            seconds, across = [], []
            for run in range(size.runs):
                before, started = lab.bytes_across(), time.perf_counter()
                GRAPHS[graph](client, size, f"{graph.replace(' ', '-')}-{run}", kind == "ours")
                seconds.append(time.perf_counter() - started)
                across.append(float(lab.bytes_across() - before))
                time.sleep(0.5)  # results that nobody wants any more are dropped
            found[graph] = Taken(median(seconds[1:]), median(across[1:]))
    return found


def rows_of(graph: str, taken: dict[str, dict[str, Taken]], order: str, small: bool) -> list[Row]:
    """A graph's figures: seconds and bytes of each scheduler, and the ratios that are judged."""
    stock, loose, ours = (taken[name][graph] for name in SCHEDULERS)
    shown = ", ".join(
        f"{name} {taken[name][graph].seconds:.1f} s, {taken[name][graph].across / MIB:,.0f} MiB" for name in SCHEDULERS
    )
    label = f"{graph}, {order}"
    shorter, fewer = TARGETS.get(graph, (1.0, None))
    if order != "interleaved":  # addresses that happen to follow the tree: no worse than stock
        shorter, fewer = 0.95, None
    skip = "small blocks, few runs" if small else ""
    times = [(f"{label}: times shorter", stock.seconds / ours.seconds, shorter, shown)]
    if fewer:
        times.append((f"{label}: times fewer bytes across", stock.across / max(ours.across, 1), fewer, ""))
    times.append((f"{label}: against saturation inf", loose.seconds / ours.seconds, 0.95, ""))
    return [Row.judged(name, value, "x", f">= {least}", note, not_judged=skip) for name, value, least, note in times]


def measure(arguments: argparse.Namespace) -> list[Row]:
    if why := missing():
        return [Row("emulated fabric", None, note=f"not here: {why}")]
    size = Size(16, 4, 0.02, 2) if arguments.quick else Size()
    graphs = ["tree reduction", "broadcast"] if arguments.quick else list(GRAPHS)
    rows: list[Row] = []
    for order in ("interleaved",) if arguments.quick else ("interleaved", "in order"):
        with Lab(interleaved=order == "interleaved") as lab:
            taken = {name: take(lab, name, size, graphs) for name in SCHEDULERS}
        for graph in graphs:
            rows += rows_of(graph, taken, order, arguments.quick)
    return rows


if __name__ == "__main__":
    main(measure, __doc__)
