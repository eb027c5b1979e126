import json

import pytest
import yaml

from cluster.hubfile import load
from cluster.interchange import read, write
from cluster.topology import TopologyError

BLOCK, SUBBLOCK = "cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock"
ZONE = "topology.kubernetes.io/zone"
HYPERNODES = """
apiVersion: topology.volcano.sh/v1alpha1
kind: HyperNode
metadata: {name: s0}
spec:
  tier: 1
  members:
  - {type: Node, selector: {exactMatch: {name: node-0}}}
  - {type: Node, selector: {regexMatch: {pattern: "^node-[12]$"}}}
---
apiVersion: topology.volcano.sh/v1alpha1
kind: HyperNode
metadata: {name: s1}
spec:
  tier: 1
  members:
  - {type: Node, selector: {labelMatch: {matchLabels: {rack: r1}}}}
---
apiVersion: topology.volcano.sh/v1alpha1
kind: HyperNode
metadata: {name: s2}
spec:
  tier: 2
  members:
  - {type: HyperNode, selector: {exactMatch: {name: s0}}}
  - {type: HyperNode, selector: {exactMatch: {name: s1}}}
"""


def node(name, labels, capacity=None, ready="True", **spec):
    """A node as kubectl prints it, shortened to what a cluster's tools set on it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", **labels}},
        "spec": spec,
        "status": {
            "capacity": {
                "cpu": "192",
                "memory": "2113465128Ki",
                "pods": "110",
                **({"nvidia.com/gpu": "8"} if capacity is None else capacity),
            },
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}],
        },
    }


def listed(*nodes):
    return json.dumps({"apiVersion": "v1", "items": list(nodes), "kind": "List", "metadata": {"resourceVersion": ""}})


def nodes_of(*nodes):
    return read("kubernetes", {"nodes.json": listed(*nodes)})


def hosts(topology):
    return {str(place): place.chips for place in topology.places()}


H100 = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559"}
GKE = [
    node("n0", {BLOCK: "b0", SUBBLOCK: "r0", ZONE: "eu-a", **H100}),
    node("n1", {BLOCK: "b0", SUBBLOCK: "r1", ZONE: "eu-a", **H100}, ready="Unknown"),
    node("n2", {BLOCK: "b1", SUBBLOCK: "r2", ZONE: "eu-a", **H100}, unschedulable=True),
    node("master", {"node-role.kubernetes.io/control-plane": ""}, capacity={}),
]


def test_nodes_with_a_clouds_labels():
    topology = nodes_of(*GKE)
    assert topology.levels == ("hub", "unit", "supernode", "host")
    chips = {"NVIDIA-H100-80GB-HBM3": 8}
    assert hosts(topology) == {"b0/r0/n0": chips, "b0/r1/n1": chips, "b1/r2/n2": chips}
    assert topology.health == {"b0/r1/n1": "down", "b1/r2/n2": "drain"}
    memory = topology.kinds["NVIDIA-H100-80GB-HBM3"].memory
    assert (memory.value, memory.status) == (79.65, "measured")
    assert {link.bandwidth.status for link in topology.links.values()} == {"assumed"}


def test_zones_are_a_level_where_there_are_several():
    other = node("n3", {BLOCK: "b2", SUBBLOCK: "r3", ZONE: "eu-b"})
    assert list(hosts(nodes_of(*GKE[:1], other))) == ["eu-a/b0/r0/n0", "eu-b/b2/r3/n3"]


@pytest.mark.parametrize(
    ("labels", "path"),
    [
        ({ZONE: "z1"}, "z1/n"),
        ({"topology.kubernetes.io/region": "eu", ZONE: "z1"}, "eu/z1/n"),
        (
            {f"network.topology.nvidia.com/{key}": key[0] for key in ("accelerator", "block", "spine", "datacenter")},
            "d/s/b/a/n",
        ),
        ({"fabric.topograph.run/tier-0": "leaf", "fabric.topograph.run/tier-1": "spine"}, "spine/leaf/n"),
        ({f"topology.k8s.aws/network-node-layer-{layer}": f"nn-{layer}" for layer in (1, 2, 3)}, "nn-1/nn-2/nn-3/n"),
    ],
)
def test_the_levels_that_clouds_and_tools_label(labels, path):
    assert list(hosts(nodes_of(node("n", labels)))) == [path]


@pytest.mark.parametrize(
    ("capacity", "chips"),
    [
        ({"huawei.com/Ascend910": "16"}, {"Ascend910": 16}),
        ({"hygon.com/dcu": "8"}, {"dcu": 8}),
        ({"amd.com/gpu": "8", "nvidia.com/gpu": "0"}, {"gpu": 8}),
        ({}, {"core": 192}),
        ({"cpu": "7910m"}, {"core": 7}),
    ],
)
def test_what_a_node_computes_with(capacity, chips):
    topology = nodes_of(node("n", {ZONE: "z"}, capacity))
    assert hosts(topology) == {"z/n": chips}
    assert topology.kinds[next(iter(chips))].device == {"Ascend910": "npu", "core": "cpu"}.get(next(iter(chips)), "gpu")


def test_a_kueue_topology_says_which_labels_are_levels():
    kueue = {
        "kind": "Topology",
        "metadata": {"name": "default"},
        "spec": {"levels": [{"nodeLabel": "rack"}, {"nodeLabel": "kubernetes.io/hostname"}]},
    }
    files = {
        "nodes": listed(node("n0", {"rack": "a", ZONE: "z"}), node("n1", {"rack": "b", ZONE: "z"})),
        "kueue": yaml.safe_dump(kueue),
    }
    topology = read("kueue", files)
    assert (topology.name, list(hosts(topology))) == ("default", ["a/n0", "b/n1"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (listed(*GKE, node("n9", {BLOCK: "b0"})), f"node n9 has no label {SUBBLOCK}; label it as the others are"),
        (listed(node("n0", {})), "node n0 has no label of a level; label the nodes"),
        (listed(), "nodes.json: there is no Node in it; give what 'kubectl get nodes -o json' prints"),
        (
            listed(*GKE, node("n8", {BLOCK: "b1", SUBBLOCK: "r0", ZONE: "eu-a"})),
            f"node n8: {SUBBLOCK}=r0 is in b1 and in b0; give a Kueue",
        ),
        (listed(GKE[0], GKE[0]), "nodes.json: host b0/r0/n0 is given twice"),
        (listed({"kind": "Node", "metadata": {}}), "nodes.json: a Node has no metadata.name or no spec"),
        ("{}", "nodes.json: it holds no Kubernetes objects"),
        ("{", "nodes.json: Expecting property name"),
        ("- a\n", "nodes.json: it holds no Kubernetes objects"),
    ],
)
def test_wrong_nodes_are_named(text, message):
    with pytest.raises(TopologyError, match=message):
        read("kubernetes", {"nodes.json": text})


def test_the_objects_of_kueue():
    kueue, flavor = yaml.safe_load_all(write("kueue", load("two-supernodes"))["kueue.yaml"])
    assert kueue == {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Topology",
        "metadata": {"name": "two-supernodes"},
        "spec": {"levels": [{"nodeLabel": "ai4s/supernode"}, {"nodeLabel": "kubernetes.io/hostname"}]},
    }
    assert flavor["metadata"] == {"name": "two-supernodes-core"}
    assert flavor["spec"] == {
        "nodeLabels": {"ai4s/hub": "two-supernodes", "ai4s/kind.core": "true"},
        "topologyName": "two-supernodes",
    }
    first, _ = yaml.safe_load_all(write("kueue", load("two-supernodes"))["nodes.yaml"])
    assert first["metadata"]["name"] == "sn0-host0"
    assert flavor["spec"]["nodeLabels"].items() <= first["metadata"]["labels"].items()
    assert {level["nodeLabel"] for level in kueue["spec"]["levels"]} <= first["metadata"]["labels"].keys()


def test_labels_applied_to_real_nodes_give_the_same_place_again():
    first = nodes_of(*GKE)
    labelled = {
        item["metadata"]["name"]: item["metadata"] for item in yaml.safe_load_all(write("kueue", first)["nodes.yaml"])
    }
    applied = []
    for item in GKE:
        told = labelled.get(item["metadata"]["name"], {"labels": {}, "annotations": {}})
        metadata = {
            **item["metadata"],
            "labels": {**item["metadata"]["labels"], **told["labels"]},
            "annotations": told["annotations"],
        }
        applied.append({**item, "metadata": metadata})
    again = nodes_of(*applied)
    assert (hosts(again), again.levels, again.health, again.name) == (
        hosts(first),
        first.levels,
        first.health,
        first.name,
    )
    assert write("kueue", again) == write("kueue", first)


def test_hypernodes_with_all_kinds_of_selectors():
    nodes = [node(f"node-{number}", {"rack": "r1"} if number == 3 else {}) for number in range(4)]
    topology = read("volcano", {"hypernodes.yaml": HYPERNODES, "nodes.json": listed(*nodes)})
    assert (topology.name, list(hosts(topology))) == ("s2", ["s0/node-0", "s0/node-1", "s0/node-2", "s1/node-3"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: node-0", "name: node-9", "HyperNode s0: its member node-9 is not among the objects"),
        ("name: s1}}}", "name: s9}}}", "HyperNode s2: its member s9 is not among the objects"),
        ("{rack: r1}", "{rack: r9}", "node node-3 is in no HyperNode; add it to one"),
        ("^node-[12]$", "^node-[0-2]$", "HyperNode s0: node node-0 is under switch s0 and under s0"),
        ("^node-[12]$", "^node-[", "HyperNode s0: cannot read the pattern"),
        ("{labelMatch: {matchLabels: {rack: r1}}}", "{}", "HyperNode s1: a member's selector is one of exactMatch"),
        (
            "{exactMatch: {name: s0}}",
            "{labelMatch: {matchLabels: {a: b}}}",
            "HyperNode s2: a member's selector is one of",
        ),
        ("name: s0}}}", "name: s2}}}", "HyperNode s2: switches s2 are above one another in a circle"),
        (
            "{type: Node, selector",
            "{kind: Node, selector",
            "HyperNode s0: a member needs its type, Node or HyperNode, and a selector",
        ),
    ],
)
def test_wrong_hypernodes_are_named(old, new, message):
    assert old in HYPERNODES
    nodes = [node(f"node-{number}", {"rack": "r1"} if number == 3 else {}) for number in range(4)]
    with pytest.raises(TopologyError, match=message):
        read("volcano", {"hypernodes.yaml": HYPERNODES.replace(old, new, 1), "nodes.json": listed(*nodes)})


def test_hypernodes_alone_have_no_chips():
    with pytest.raises(TopologyError, match="hypernodes.yaml: there is no Node in it"):
        read("volcano", {"hypernodes.yaml": HYPERNODES})


def test_the_objects_of_volcano():
    unit, rack = (
        next(
            item
            for item in yaml.safe_load_all(write("volcano", load("gb200-superpod"))["hypernodes.yaml"])
            if item["metadata"]["name"] == name
        )
        for name in ("su3", "su3-rack7")
    )
    assert (unit["spec"]["tier"], unit["spec"]["tierName"]) == (2, "unit")
    assert unit["spec"]["members"][7] == {"type": "HyperNode", "selector": {"exactMatch": {"name": "su3-rack7"}}}
    assert (rack["apiVersion"], rack["spec"]["tier"], len(rack["spec"]["members"])) == (
        "topology.volcano.sh/v1alpha1",
        1,
        18,
    )
    assert rack["spec"]["members"][0] == {"type": "Node", "selector": {"exactMatch": {"name": "su3-rack7-tray0"}}}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Rack_1", "rack-1"), "kubernetes: rack-1 and Rack_1 would both be called rack-1; rename one"),
        (("_rack", "r2"), "kubernetes: _rack cannot name an object; start and end names with a letter or digit"),
        (("r" * 64, "r2"), "cannot be a label; start and end names with a letter or digit, and keep them to 63"),
    ],
)
def test_names_that_kubernetes_does_not_allow(names, message):
    told = "\n".join(f"SwitchName={name} Nodes={name[-1]}{number}" for number, name in enumerate(names))
    with pytest.raises(TopologyError, match=message):
        write("volcano", read("slurm", {"topology.conf": told}))
