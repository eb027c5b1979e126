"""Volcano's HyperNode objects: one for every domain above the hosts, in tiers from the supernode up."""

import re
from collections.abc import Mapping, Sequence

from cluster.interchange import kubernetes
from cluster.interchange.hosts import Host, Names, grow
from cluster.interchange.kubernetes import Object
from cluster.interchange.switches import Switch, define, ways
from cluster.topology import Topology, TopologyError

_API = "topology.volcano.sh/v1alpha1"


def read(files: Mapping[str, str]) -> Topology:
    """Read HyperNodes, with the nodes that hold the chips: what ``kubectl get nodes,hypernodes -o json`` prints."""
    source = ", ".join(files)
    found = kubernetes.objects(files)
    hypernodes = [item for item in found if item["kind"] == "HyperNode"]
    nodes = {node["metadata"]["name"]: node for node in found if node["kind"] == "Node"}
    hosting = kubernetes.hosting(list(nodes.values()), source)
    own = {item["metadata"]["name"]: kubernetes.own_name(item) for item in hypernodes}
    switches: dict[str, Switch] = {}
    for item in hypernodes:
        name = item["metadata"]["name"]
        switch = Switch(name, f"{source}, HyperNode {name}")
        for member in item["spec"].get("members") or []:
            if member.get("type") not in ("Node", "HyperNode") or "selector" not in member:
                raise TopologyError(f"{switch.where}: a member needs its type, Node or HyperNode, and a selector")
            if member["type"] == "Node":
                switch.nodes += _chosen(member["selector"], list(nodes), nodes, switch.where)
            else:
                switch.children += _chosen(member["selector"], list(own), {}, switch.where)
        define(switches, switch)
    hub = kubernetes.hub_of(hosting)
    root, paths = ways(switches, hub or None)
    hosts = []
    for node in hosting:
        name = node["metadata"]["name"]
        if name not in paths:
            raise TopologyError(f"{source}: node {name} is in no HyperNode; add it to one, or leave the node out")
        path = (*(own[step] for step in paths[name]), kubernetes.own_name(node))
        hosts.append(Host(path, kubernetes.chips(node), kubernetes.health(node)))
    levels = kubernetes.levels_of(hosting)
    return grow(hub or root or "volcano", hosts, kubernetes.kinds(hosting, source), source, levels)


def _chosen(selector: Object, names: Sequence[str], nodes: Mapping[str, Object], where: str) -> list[str]:
    """The members that a selector picks, without repetition, in the order of the objects."""
    if "exactMatch" in selector:
        name = selector["exactMatch"]["name"]
        if name not in names:
            raise TopologyError(
                f"{where}: its member {name} is not among the objects; give the nodes and HyperNodes as well"
            )
        return [name]
    if "regexMatch" in selector:
        try:
            pattern = re.compile(selector["regexMatch"]["pattern"])
        except re.error as error:
            raise TopologyError(f"{where}: cannot read the pattern: {error}") from None
        return [name for name in names if pattern.search(name)]
    wanted = selector.get("labelMatch", {}).get("matchLabels")
    if not wanted or not nodes or "matchExpressions" in selector["labelMatch"]:
        raise TopologyError(
            f"{where}: a member's selector is one of exactMatch, regexMatch, labelMatch with matchLabels"
        )
    return [name for name in names if wanted.items() <= kubernetes.labels(nodes[name]).items()]


def write(topology: Topology) -> dict[str, str]:
    """Write the HyperNodes, and the nodes with their labels."""
    names = Names(topology, "volcano")
    taken: dict[str, str] = {}
    called = {path: kubernetes.object_name(names.name(path), taken) for path in names.domains}
    taken = {}
    hosts = {place.path: kubernetes.object_name(names.name(place.path), taken) for place in names.places}
    members: dict[tuple[str, ...], list[Object]] = {path: [] for path in called}
    for kind, below in (("HyperNode", called), ("Node", hosts)):
        for path, name in below.items():
            if path[:-1]:
                members[path[:-1]].append({"type": kind, "selector": {"exactMatch": {"name": name}}})
    hypernodes: list[Object] = [
        {
            "apiVersion": _API,
            "kind": "HyperNode",
            "metadata": {"name": name, "labels": {f"{kubernetes.OURS}name": path[-1]}},
            "spec": {
                "tier": len(topology.levels) - 1 - len(path),
                "tierName": topology.levels[len(path)],
                "members": members[path],
            },
        }
        for path, name in called.items()
    ]
    nodes = kubernetes.node_objects(names)
    return {"hypernodes.yaml": kubernetes.documents(hypernodes), "nodes.yaml": kubernetes.documents(nodes)}
