"""The topology of the machine we stand on."""

import os
import platform

import psutil

from cluster.topology import ChipKind, Figure, Link, Supernode, Topology


def cores() -> int:
    """CPU cores this process may use: affinity and container limits counted, not only what the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def laptop() -> Topology:
    """This machine as a hub of one supernode with one host; its chips are the cores this process may use."""
    chips = cores()
    memory = psutil.virtual_memory().total / 2**30
    assumed = Link(
        bandwidth=Figure(value=20, unit="GB/s", status="assumed", source="shared memory of one machine"),
        latency=Figure(value=1, unit="us", status="assumed", source="shared memory of one machine"),
    )
    core = ChipKind(
        title=f"CPU core ({platform.machine()})",
        device="cpu",
        memory=Figure(value=round(memory / chips, 2), unit="GiB", status="measured", source="total memory / cores"),
    )
    return Topology(
        name="laptop",
        title="This machine",
        kinds={"core": core},
        links={"host": assumed},
        tree=(Supernode(name="sn0", hosts=1, chips={"core": chips}),),
    )
