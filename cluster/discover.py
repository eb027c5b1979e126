"""The topology of the machine we stand on."""

import platform

from dask.system import CPU_COUNT
from distributed.system import MEMORY_LIMIT

from cluster.topology import ChipKind, Figure, Link, Supernode, Topology


def cores() -> int:
    """CPU cores this process may use: affinity and container quotas counted, not only what the machine has."""
    return int(CPU_COUNT)


def laptop() -> Topology:
    """This machine as a hub of one supernode with one host; its chips are the cores this process may use."""
    chips = cores()
    memory = MEMORY_LIMIT / 2**30
    assumed = Link(
        bandwidth=Figure(value=20, unit="GB/s", status="assumed", source="shared memory of one machine"),
        latency=Figure(value=1, unit="us", status="assumed", source="shared memory of one machine"),
    )
    core = ChipKind(
        title=f"CPU core ({platform.machine()})",
        device="cpu",
        memory=Figure(
            value=round(memory / chips, 2), unit="GiB", status="measured", source="memory this process may use / cores"
        ),
    )
    return Topology(
        name="laptop",
        title="This machine",
        kinds={"core": core},
        links={"host": assumed},
        tree=(Supernode(name="sn0", hosts=1, chips={"core": chips}),),
    )
