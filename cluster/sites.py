"""The topology of the site we stand on, told by its own commands: SLURM, Kubernetes."""

from cluster.discover import run
from cluster.interchange import kubernetes, slurm
from cluster.topology import Topology, TopologyError


def slurm_site(known: Topology | None = None) -> Topology:
    """The site's switches or blocks and its nodes; a node that has lost its place keeps the one in ``known``."""
    commands = ("scontrol show config", "scontrol show topology", "scontrol show node --oneliner")
    return slurm.read({command: _told(command) for command in commands}, known)


def kubernetes_cluster() -> Topology:
    """The cluster's nodes by the labels of their levels; a Kueue Topology, if there is one, says which those are."""
    files = {"kubectl get nodes": _told("kubectl get nodes -o json")}
    kueue = "kubectl get topologies.kueue.x-k8s.io -o json"
    if text := run(kueue):
        files["kubectl get topologies"] = text
    return kubernetes.read(files)


def _told(command: str) -> str:
    text = run(command)
    if text is None:
        raise TopologyError(f"'{command}' does not answer here; run it where it does, or import what it prints")
    return text
