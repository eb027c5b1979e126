"""Start a pod where a profile says: one small module for each kind of place."""

from types import ModuleType

from cluster.hubfile import load, presets
from cluster.launch import kubernetes, local, slurm, ssh
from cluster.launch.pod import Pod
from cluster.topology import Topology, TopologyError

__all__ = ["Pod", "resolve", "start"]

# By scheme: the module, and what its profiles name after the colon.
_BACKENDS: dict[str, tuple[ModuleType, str]] = {
    "emulated": (local, "FILE.yaml"),
    "slurm": (slurm, "PARTITION"),
    "ssh": (ssh, "FILE.yaml"),
    "kubernetes": (kubernetes, "NAMESPACE"),
}
_DEFAULTS = {"emulated": "two-supernodes"}


def resolve(profile: str) -> Topology:
    """The topology that a profile names; raises ClusterError with the valid choices."""
    backend, where = _backend(profile)
    topology: Topology = backend.resolve(where)
    return topology


def start(profile: str) -> Pod:
    """Start the pod of a profile. A context manager: leaving it ends every process and job it started."""
    backend, where = _backend(profile)
    pod: Pod = backend.start(where)
    return pod


def _backend(profile: str) -> tuple[ModuleType, str]:
    scheme, _, given = profile.partition(":")
    if profile == "laptop":
        return local, profile
    where = given or _DEFAULTS.get(scheme, "")
    if scheme in _BACKENDS and where:
        return _BACKENDS[scheme][0], where
    small = [f"emulated:{name}" for name in presets() if load(name).chips <= local.MOST_EMULATED_CHIPS]
    named = [f"{scheme}:{what}" for scheme, (_, what) in _BACKENDS.items()]
    raise TopologyError(f"unknown profile {profile!r}; choose one of {', '.join(['laptop', *small, *named])}")
