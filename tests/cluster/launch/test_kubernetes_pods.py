"""The objects for Kubernetes, as text, and what a person is told; there is no cluster here to run them on."""

import json

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.hubfile import load
from cluster.interchange import kubernetes as format_of
from cluster.launch import resolve
from cluster.launch.kubernetes import Group, manifests, read
from cluster.launch.worker import Seats
from tests.cluster.launch.fake import install


def node(name, rack, cards=8, ready="True", cpu="64"):
    return {
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"network.topology.nvidia.com/leaf": rack, "nvidia.com/gpu.product": "H20"},
        },
        "status": {
            "capacity": {"cpu": cpu, "nvidia.com/gpu": str(cards)},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


NODES = [
    node("n1", "r0"),
    node("n2", "r0"),
    node("n3", "r0", cards=4),
    node("n4", "r1"),
    node("n5", "r1", ready="False"),
]
RACK = "network.topology.nvidia.com/leaf"


def test_nodes_that_are_ready_become_groups_by_supernode():
    topology, groups = read(NODES)
    assert topology.chips == 8 + 8 + 4 + 8
    eight, four = (Seats("H20", 1, 8),), (Seats("H20", 1, 4),)
    assert groups == [
        Group("r0", 2, {RACK: "r0"}, {"nvidia.com/gpu": 8}, eight),
        Group("r0", 1, {RACK: "r0"}, {"nvidia.com/gpu": 4}, four),
        Group("r1", 1, {RACK: "r1"}, {"nvidia.com/gpu": 8}, eight),
    ]


def test_hosts_go_by_the_name_of_their_object():
    names = format_of.objects(format_of.write(load("two-supernodes")))
    topology, groups = read([item for item in names if item["kind"] in ("Node", "Topology")])
    assert [str(place) for place in topology.places()] == ["sn0/sn0-host0", "sn1/sn1-host0"]
    assert [group.supernode for group in groups] == ["sn0", "sn1"]
    assert groups[0].labels == {"ai4s/supernode": "sn0"}


@pytest.fixture
def objects(monkeypatch):
    monkeypatch.setenv("AI4S_IMAGE", "registry.example/ai4s:7")
    monkeypatch.setenv("AI4S_RUNS", "/shared/runs")
    text = format_of.documents(manifests("ai4s-me-1", "lab", read(NODES)[1]))
    return list(yaml.safe_load_all(text))


def test_the_scheduler_is_ours_started_by_dask_spec(objects):
    cluster = objects[0]
    assert (cluster["kind"], cluster["apiVersion"]) == ("DaskCluster", "kubernetes.dask.org/v1")
    assert cluster["metadata"] == {"name": "ai4s-me-1", "namespace": "lab"}
    container = cluster["spec"]["scheduler"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/ai4s:7"
    assert container["args"][:3] == ["dask", "spec", "--spec"]
    spec = json.loads(container["args"][3])
    assert spec["cls"] == "cluster.scheduler.scheduler.TopologyScheduler"
    assert spec["opts"] == {"host": "0.0.0.0", "port": 8786, "dashboard_address": ":8787"}
    assert {"name": "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "value": "10"} in container["env"]
    assert cluster["spec"]["scheduler"]["service"]["selector"]["dask.org/cluster-name"] == "ai4s-me-1"
    assert cluster["spec"]["worker"]["replicas"] == 0


def test_each_supernode_has_a_worker_group_of_whole_hosts(objects):
    groups = objects[1:]
    assert [(group["kind"], group["metadata"]["name"]) for group in groups] == [
        ("DaskWorkerGroup", f"ai4s-me-1-group{number}") for number in range(3)
    ]
    body = groups[0]["spec"]
    assert (body["cluster"], body["worker"]["replicas"]) == ("ai4s-me-1", 2)
    pod = body["worker"]["spec"]
    assert pod["nodeSelector"] == {RACK: "r0"}
    apart = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    container = pod["containers"][0]
    assert container["args"] == [
        "python", "-m", "cluster.launch.host", "$(DASK_SCHEDULER_ADDRESS)", "H20=1x8", "--place", "r0/$(AI4S_NODE)",
    ]  # fmt: skip
    assert container["env"] == [{"name": "AI4S_NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "8"}}
    assert container["volumeMounts"] == [{"name": "runs", "mountPath": "/shared/runs"}]
    assert pod["volumes"] == [{"name": "runs", "persistentVolumeClaim": {"claimName": "ai4s-runs"}}]


@pytest.mark.parametrize(
    ("kubectl", "message"),
    [
        ("exit 1", "kubectl reaches no cluster; 'kubectl get namespaces' says why"),
        ("echo namespace/default; echo namespace/lab", "unknown namespace 'lob'; choose one of default, lab"),
    ],
)
def test_what_kubectl_says_is_passed_on(tmp_path, monkeypatch, kubectl, message):
    install(tmp_path, monkeypatch, {"kubectl": kubectl})
    with pytest.raises(ClusterError, match=message):
        resolve("kubernetes:lob")
