"""Start a pod where a profile says: one small module for each kind of place."""

from cluster.discover import laptop
from cluster.hubfile import load, presets
from cluster.launch.local import Pod, start_local
from cluster.topology import Topology, TopologyError

# Each emulated chip of a CPU kind is a process.
MOST_EMULATED_CHIPS = 256

__all__ = ["Pod", "resolve", "start"]


def resolve(profile: str) -> Topology:
    """The topology that a profile names; raises TopologyError with the valid choices."""
    if profile == "laptop":
        return laptop()
    scheme, _, hub = profile.partition(":")
    if scheme == "emulated":
        topology = load(hub or "two-supernodes")
        if topology.chips > MOST_EMULATED_CHIPS:
            raise TopologyError(
                f"hub {topology.name} has {topology.chips:,} chips; one machine emulates {MOST_EMULATED_CHIPS}"
            )
        return topology
    small = (name for name in presets() if load(name).chips <= MOST_EMULATED_CHIPS)
    valid = ["laptop", *(f"emulated:{name}" for name in small)]
    raise TopologyError(f"unknown profile {profile!r}; choose one of {', '.join(valid)}, or emulated:FILE.yaml")


def start(profile: str) -> Pod:
    """Start the pod of a profile. A context manager: leaving it ends every process it started."""
    return start_local(resolve(profile))
