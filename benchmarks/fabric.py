"""Stock Dask and ours on an emulated fabric of two supernodes: time, and bytes between the supernodes, by graph.

The fabric is made of network namespaces: memory speed inside a supernode, 200 Mbit/s between them. Bytes are the kernel's counters. Each
round runs a graph once under each scheduler in turn; times and bytes are medians of the rounds. Needs root, ``ip`` and ``tc``.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

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


@dataclass
class Taken:
    """What the rounds of a graph took: seconds, and bytes between the supernodes."""

    times: list[float] = field(default_factory=list)
    bytes_across: list[int] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median time."""
        return median(self.times)

    @property
    def across(self) -> float:
        """Median bytes."""
        return median(self.bytes_across)

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({min(self.times):.2f}-{max(self.times):.2f}), {self.across / MIB:,.0f} MiB"


@contextmanager
def cluster(hosts: list[Host], kind: str, saturation: float, port: int = PORT) -> Iterator[str]:
    """A scheduler at the head and a worker on each host."""
    node = [sys.executable, "-W", "ignore", "-m", "benchmarks.fabric_node"]
    address = f"tcp://{HEAD}:{port}"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*node, "scheduler", kind, str(port), str(saturation)], **quiet)]  # type: ignore[call-overload]
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


def take(lab: Lab, size: Size, graphs: list[str]) -> dict[str, dict[str, Taken]]:
    """Run the graphs in rounds, under each scheduler in turn: what they took by scheduler and graph."""
    from distributed import Client

    with ExitStack() as stack:
        clients: dict[str, Any] = {}
        for number, (name, (kind, saturation)) in enumerate(SCHEDULERS.items()):
            address = stack.enter_context(cluster(lab.hosts, kind, saturation, PORT + number))
            clients[name] = stack.enter_context(Client(address, timeout=60, set_as_default=False))
            clients[name].wait_for_workers(len(lab.hosts), timeout=120)
        taken = {name: {graph: Taken() for graph in graphs} for name in SCHEDULERS}
        for graph in graphs:
            started, number = time.perf_counter(), 0
            while number <= size.runs or time.perf_counter() - started < size.least_s:
                for name, client in clients.items():
                    seconds, across = once(lab, client, graph, size, number, SCHEDULERS[name][0] == "ours")
                    if number:  # the first warms up
                        taken[name][graph].times.append(seconds)
                        taken[name][graph].bytes_across.append(across)
                number += 1
            print("; ".join([graph, *(f"{name} {taken[name][graph]}" for name in SCHEDULERS)]), flush=True)
    return taken


def once(lab: Lab, client: Any, graph: str, size: Size, number: int, ours: bool) -> tuple[float, int]:
    """Run a graph once: seconds, and bytes between the supernodes."""
    before, started = lab.bytes_across(), time.perf_counter()
    GRAPHS[graph](client, size, f"{graph.replace(' ', '-')}-{number}", ours)
    seconds, across = time.perf_counter() - started, lab.bytes_across() - before
    time.sleep(0.5)  # results that nobody wants any more are dropped
    return seconds, across


def rows_of(graph: str, taken: dict[str, dict[str, Taken]], order: str, small: bool) -> list[Row]:
    """A graph's figures: seconds and bytes of each scheduler, and the ratios that are judged."""
    stock, loose, ours = (taken[name][graph] for name in SCHEDULERS)
    shown = "; ".join(f"{name} {taken[name][graph]}" for name in SCHEDULERS)
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
    size = Size(16, 4, 0.02, 1, 0) if arguments.quick else Size()
    graphs = ["tree reduction", "broadcast"] if arguments.quick else list(GRAPHS)
    rows: list[Row] = []
    for order in ("interleaved",) if arguments.quick else ("interleaved", "in order"):
        with Lab(interleaved=order == "interleaved") as lab:
            taken = take(lab, size, graphs)
        for graph in graphs:
            rows += rows_of(graph, taken, order, arguments.quick)
    return rows


if __name__ == "__main__":
    main(measure, __doc__)
