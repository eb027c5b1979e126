"""Kubernetes: nodes with their labels in; Kueue's Topology and ResourceFlavor objects, and the nodes' labels, in and out."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from cluster.interchange.hosts import Host, Names, grow, unknown_kind
from cluster.topology import ChipKind, Figure, Health, Topology, TopologyError

Object = dict[str, Any]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
HOSTNAME = "kubernetes.io/hostname"
OURS = "ai4s/"
_ZONE = "topology.kubernetes.io/zone"
# Labels that others set, each family from the outermost domain to the innermost.
_FAMILIES = (
    tuple(
        f"network.topology.nvidia.com/{key}" for key in ("datacenter", "core", "spine", "block", "leaf", "accelerator")
    ),
    (*(f"fabric.topograph.run/tier-{tier}" for tier in range(9, -1, -1)), "accelerator.topograph.run/domain"),
    ("cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock"),
    tuple(f"topology.k8s.aws/network-node-layer-{layer}" for layer in (1, 2, 3)),
    ("oci.oraclecloud.com/host.network_block_id", "oci.oraclecloud.com/host.rack_id"),
    ("topology.kubernetes.io/region", _ZONE),
)
# What a node may have, the device it is, and the label with the product's name.
RESOURCES = {
    "nvidia.com/gpu": ("gpu", "gpu", "nvidia.com/gpu.product"),
    "amd.com/gpu": ("gpu", "gpu", "amd.com/gpu.product-name"),
    "hygon.com/dcu": ("dcu", "dcu", "hygon.com/dcu.product"),
    "huawei.com/Ascend910": ("Ascend910", "npu", "node.kubernetes.io/npu.chip.name"),
}
_SPECIFIED = ("Topology", "HyperNode")
_MEMORY = "nvidia.com/gpu.memory"


def objects(files: Mapping[str, str]) -> list[Object]:
    """All objects of JSON or YAML documents, lists opened."""
    found: list[Object] = []
    for file, text in files.items():
        try:
            documents = (
                [json.loads(text)] if text.lstrip().startswith("{") else list(yaml.load_all(text, Loader=_LOADER))
            )
        except (ValueError, yaml.YAMLError) as error:
            raise TopologyError(f"{file}: {error}") from None
        for document in documents:
            if not isinstance(document, dict) or "kind" not in document:
                raise TopologyError(
                    f"{file}: it holds no Kubernetes objects; give what 'kubectl get nodes -o json' prints"
                )
            items = document.get("items") or [] if document["kind"].endswith("List") else [document]
            for item in items:
                if not item.get("metadata", {}).get("name") or (item["kind"] in _SPECIFIED and not item.get("spec")):
                    raise TopologyError(f"{file}: a {item.get('kind')} has no metadata.name or no spec")
            found += items
    return found


def read(files: Mapping[str, str]) -> Topology:
    """Read nodes; levels come from a Kueue Topology among them, from our own labels, or from those clouds set."""
    source = ", ".join(files)
    found = objects(files)
    nodes = hosting([item for item in found if item["kind"] == "Node"], source)
    kueue = [item for item in found if item["kind"] == "Topology"]
    hub = str(kueue[0]["metadata"]["name"]) if kueue else "kubernetes"
    keys = level_keys(kueue, nodes, source)
    hosts = [Host((*(_value(node, key) for key in keys), own_name(node)), chips(node), health(node)) for node in nodes]
    if not kueue and not levels_of(nodes):
        _nested(keys, hosts, nodes)
    return grow(hub_of(nodes) or hub, hosts, kinds(nodes, source), source, levels_of(nodes))


def hosting(nodes: Sequence[Object], source: str) -> list[Object]:
    """The nodes that hold the chips: those with accelerators, or all workers where no node has any."""
    if not nodes:
        raise TopologyError(f"{source}: there is no Node in it; give what 'kubectl get nodes -o json' prints")
    accelerated = [node for node in nodes if "core" not in chips(node) or f"{OURS}chips" in _annotations(node)]
    workers = [node for node in nodes if "node-role.kubernetes.io/control-plane" not in labels(node)]
    return accelerated or workers or list(nodes)


def labels(node: Object) -> dict[str, str]:
    """The labels of an object."""
    return node["metadata"].get("labels") or {}


def _annotations(node: Object) -> dict[str, str]:
    return node["metadata"].get("annotations") or {}


def own_name(node: Object) -> str:
    """The name of a domain's or host's own, which its object's name may only end with."""
    return labels(node).get(f"{OURS}name") or str(node["metadata"]["name"])


def hub_of(nodes: Sequence[Object]) -> str:
    """The hub that our own labels name, or nothing."""
    return labels(nodes[0]).get(f"{OURS}hub", "")


def levels_of(nodes: Sequence[Object]) -> tuple[str, ...]:
    """The levels that our own annotations name, or none."""
    told = _annotations(nodes[0]).get(f"{OURS}levels")
    return tuple(told.split(",")) if told else ()


def chips(node: Object) -> dict[str, int]:
    """The chips of a node by kind: its accelerators, or else its cores."""
    told = _annotations(node).get(f"{OURS}chips")
    if told:
        return {kind: int(count) for kind, count in (item.split("=") for item in told.split(","))}
    capacity = node.get("status", {}).get("capacity", {})
    found: dict[str, int] = {}
    for resource in RESOURCES:
        if count := int(capacity.get(resource, 0)):
            found[_kind(node, resource)] = count
    cpu = str(capacity.get("cpu", "1"))
    return found or {"core": max(1, int(cpu[:-1]) // 1000 if cpu.endswith("m") else int(float(cpu)))}


def _kind(node: Object, resource: str) -> str:
    kind, _, product = RESOURCES[resource]
    return re.sub(r"[^A-Za-z0-9_.-]", "-", labels(node).get(product, kind))


def kinds(nodes: Iterable[Object], source: str) -> dict[str, ChipKind]:
    """What nodes tell of their accelerators: the product, and of NVIDIA's the memory."""
    found: dict[str, ChipKind] = {}
    for node in nodes:
        for resource, (_, device, _) in RESOURCES.items():
            if resource not in node.get("status", {}).get("capacity", {}):
                continue
            kind = _kind(node, resource)
            found.setdefault(kind, unknown_kind(kind, source, device))
            if resource == "nvidia.com/gpu" and labels(node).get(_MEMORY, "").isdigit():
                memory = int(labels(node)[_MEMORY]) / 1024
                figure = Figure(value=round(memory, 2), unit="GiB", status="measured", source=f"the label {_MEMORY}")
                found[kind] = found[kind].model_copy(update={"memory": figure})
    return found


def health(node: Object) -> Health:
    """Whether a node is ready, and open to new work."""
    conditions = node.get("status", {}).get("conditions", [])
    if any(condition["type"] == "Ready" and condition["status"] != "True" for condition in conditions):
        return "down"
    return "drain" if node.get("spec", {}).get("unschedulable") else "up"


def level_keys(kueue: Sequence[Object], nodes: Sequence[Object], source: str) -> list[str]:
    """The labels of the levels above hosts, the outermost first."""
    keys = [level["nodeLabel"] for level in kueue[0]["spec"]["levels"]] if kueue else _keys(nodes, source)
    return [key for key in keys if key != HOSTNAME]


def _keys(nodes: Sequence[Object], source: str) -> list[str]:
    if levels := levels_of(nodes):
        return [f"{OURS}{level}" for level in levels[1:-1]]
    for family in _FAMILIES:
        keys = [key for key in family if any(key in labels(node) for node in nodes)]
        if keys:
            zones = {labels(node).get(_ZONE) for node in nodes} - {None}
            return keys if _ZONE in keys or len(zones) < 2 else [_ZONE, *keys]
    raise TopologyError(
        f"{source}: node {nodes[0]['metadata']['name']} has no label of a level; label the nodes, for example with "
        f"{_FAMILIES[0][-1]}=RACK, or give a Kueue Topology with its levels as well"
    )


def _value(node: Object, key: str) -> str:
    if key not in labels(node):
        raise TopologyError(f"node {node['metadata']['name']} has no label {key}; label it as the others are")
    return labels(node)[key]


def _nested(keys: Sequence[str], hosts: Sequence[Host], nodes: Sequence[Object]) -> None:
    """Labels of others name a domain for the whole cluster: one that is in two places is not a tree."""
    inside: dict[tuple[int, str], tuple[str, ...]] = {}
    for host, node in zip(hosts, nodes, strict=True):
        for depth, key in enumerate(keys):
            above = inside.setdefault((depth, host.path[depth]), host.path[:depth])
            if above != host.path[:depth]:
                raise TopologyError(
                    f"node {node['metadata']['name']}: {key}={host.path[depth]} is in {'/'.join(host.path[:depth])} "
                    f"and in {'/'.join(above)}; give a Kueue Topology with the labels of levels that nest"
                )


def object_name(name: str, taken: dict[str, str]) -> str:
    """A name that Kubernetes allows, made from ours; two of ours that come out the same are an error."""
    allowed = name.lower().replace("_", "-")
    if not _OBJECT.fullmatch(allowed) or len(allowed) > 253:
        raise TopologyError(f"kubernetes: {name} cannot name an object; start and end names with a letter or digit")
    if taken.setdefault(allowed, name) != name:
        raise TopologyError(f"kubernetes: {name} and {taken[allowed]} would both be called {allowed}; rename one")
    return allowed


def node_objects(names: Names) -> list[Object]:
    """The nodes with the labels of their places; applying them again changes nothing."""
    topology, taken, found = names.topology, dict[str, str](), []
    for place in names.places:
        name = object_name(names.name(place.path), taken)
        tags = {
            f"{OURS}hub": topology.name,
            **{f"{OURS}{level}": part for level, part in zip(topology.levels[1:-1], place.path, strict=False)},
            f"{OURS}name": place.path[-1],
            **{f"{OURS}kind.{kind}": "true" for kind in sorted(place.chips)},
            HOSTNAME: name,
        }
        for key, value in tags.items():
            if not _LABEL.fullmatch(value) or not _LABEL.fullmatch(key.rpartition("/")[2]):
                raise TopologyError(
                    f"kubernetes: node {name}: {key}={value} cannot be a label; "
                    "start and end names with a letter or digit, and keep them to 63 characters"
                )
        told = ",".join(f"{kind}={count}" for kind, count in sorted(place.chips.items()))
        notes = {f"{OURS}levels": ",".join(topology.levels), f"{OURS}chips": told}
        metadata = {"name": name, "labels": tags, "annotations": notes}
        found.append({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    return found


def documents(items: Iterable[Object]) -> str:
    """Objects as YAML documents, for kubectl apply."""
    return yaml.dump_all(items, Dumper=_DUMPER, sort_keys=False, explicit_start=True, width=10**6)


def write(topology: Topology) -> dict[str, str]:
    """Write Kueue's Topology, a ResourceFlavor for each kind of chip, and the nodes with their labels."""
    names = Names(topology, "kueue")
    api, taken = "kueue.x-k8s.io/v1beta2", dict[str, str]()
    name = object_name(topology.name, {})
    levels = [f"{OURS}{level}" for level in topology.levels[1:-1]] + [HOSTNAME]
    spec: Object = {"levels": [{"nodeLabel": key} for key in levels]}
    kueue: list[Object] = [{"apiVersion": api, "kind": "Topology", "metadata": {"name": name}, "spec": spec}]
    for kind in sorted({kind for place in names.places for kind in place.chips}):
        selects = {f"{OURS}hub": topology.name, f"{OURS}kind.{kind}": "true"}
        flavor = {"name": object_name(f"{topology.name}-{kind}", taken)}
        spec = {"nodeLabels": selects, "topologyName": name}
        kueue.append({"apiVersion": api, "kind": "ResourceFlavor", "metadata": flavor, "spec": spec})
    return {"kueue.yaml": documents(kueue), "nodes.yaml": documents(node_objects(names))}
