"""A pod on this machine: labelled workers, one for each place of the topology."""

from typing import Any

from distributed import get_worker

from cluster.discover import laptop
from cluster.hubfile import load
from cluster.launch.pod import Pod, start_cluster
from cluster.launch.worker import seats_of, worker_specs
from cluster.topology import Topology, TopologyError

# Each emulated chip of a CPU kind is a process.
MOST_EMULATED_CHIPS = 256


def resolve(hub: str) -> Topology:
    """This machine, or a hub small enough to be emulated on it."""
    topology = laptop() if hub == "laptop" else load(hub)
    if topology.chips > MOST_EMULATED_CHIPS:
        raise TopologyError(
            f"hub {topology.name} has {topology.chips:,} chips; one machine emulates {MOST_EMULATED_CHIPS}"
        )
    return topology


def start(hub: str) -> Pod:
    """Start a scheduler and the topology's workers as processes of this machine."""
    topology = resolve(hub)
    workers: dict[str, dict[str, Any]] = {}
    for place in topology.places():
        seats = seats_of(place, topology.kinds)
        workers |= worker_specs(
            str(place), seats, lambda each: topology.kinds[each.kind].memory.value * each.chips * 2**30
        )
    local = "127.0.0.1"
    cluster = start_cluster(topology, workers, host=local, dashboard_address=f"{local}:0")
    return Pod(topology, cluster, seconds_per_byte=0.0)


def here() -> str:
    """The name of the worker this runs on: supernode/host/number; ``local`` outside a worker."""
    try:
        return str(get_worker().name)
    except ValueError:
        return "local"
