"""A pod of Kubernetes pods: Dask's operator runs a scheduler, and one worker group for each supernode.

The flow runs where the claim CLAIM is mounted at the folder of its runs; workers see it at the same place. The image
has this version of ai4s, unless AI4S_IMAGE names another.
"""

import getpass
import json
import logging
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cluster.discover import run
from cluster.errors import ClusterError
from cluster.interchange import kubernetes as nodes_of
from cluster.interchange.hosts import present
from cluster.interchange.kubernetes import HOSTNAME, OURS, RESOURCES, Object, object_name
from cluster.launch.pod import Pod, allotment
from cluster.launch.worker import CONFIG, Seats, command, seats_of
from cluster.scheduler import TopologyScheduler
from cluster.topology import Topology

CLAIM = "ai4s-runs"
API = "kubernetes.dask.org/v1"
PORT, DASHBOARD = 8786, 8787
START_LIMIT_S = 600.0
ASK_EVERY_S = 5.0

log = logging.getLogger("ai4s.kubernetes")


@dataclass(frozen=True)
class Group:
    """Equal hosts of one supernode."""

    supernode: str
    many: int
    labels: Mapping[str, str]  # of their nodes, and of no other supernode's
    resources: Mapping[str, int]  # of one host
    seats: tuple[Seats, ...]


def resolve(namespace: str) -> Topology:
    """The cluster's nodes that are ready, as far as there is such a namespace."""
    return _look(namespace)[0]


def start(namespace: str) -> Pod:
    """Create the objects and wait for the first worker; raises ClusterError with the cluster's reason."""
    _, items = _look(namespace)
    try:
        from dask_kubernetes.operator import KubeCluster
    except ImportError:
        raise ClusterError(
            "profile kubernetes needs dask-kubernetes; install it with: pip install 'ai4s[kubernetes]'"
        ) from None
    topology, groups = read(items)
    cluster_object, *group_objects = manifests(_name(), namespace, groups)
    cluster = KubeCluster(custom_cluster_spec=cluster_object, namespace=namespace, quiet=True)
    pod = Pod(topology, cluster)
    try:
        for number, group in enumerate(group_objects):
            cluster.add_worker_group(f"group{number}", custom_spec=group["spec"]["worker"])
        _wait(pod, namespace)
    except BaseException:
        cluster.close()
        raise
    return pod


def read(items: Sequence[Object]) -> tuple[Topology, list[Group]]:
    """The topology of nodes that are ready, and its hosts by supernode, split where hosts of a supernode differ."""
    for item in items:  # a worker knows the node that it is on by the object's name only
        if item["kind"] == "Node":
            item["metadata"].get("labels", {}).pop(f"{OURS}name", None)
    site = nodes_of.read({"kubectl get nodes": json.dumps({"kind": "List", "items": list(items)})})
    topology = allotment(site, {str(place) for place in site.places() if str(place) not in site.health})
    nodes = {item["metadata"]["name"]: item for item in items if item["kind"] == "Node"}
    keys = nodes_of.level_keys([item for item in items if item["kind"] == "Topology"], list(nodes.values()), "kubectl")
    found: dict[str, list[Group]] = defaultdict(list)
    for place in present(topology):
        node = nodes[place.path[-1]]
        capacity = node.get("status", {}).get("capacity", {})
        resources = {name: int(capacity[name]) for name in RESOURCES if int(capacity.get(name, 0))}
        labels = {key: node["metadata"]["labels"][key] for key in keys}
        seats = tuple(seats_of(place, topology.kinds))
        found[place.supernode].append(Group(place.supernode, 1, labels, resources, seats))
    merged: list[Group] = []
    for groups in found.values():
        for kind in {str(group): group for group in groups}.values():
            merged.append(Group(kind.supernode, groups.count(kind), kind.labels, kind.resources, kind.seats))
    return topology, merged


def manifests(name: str, namespace: str, groups: Sequence[Group]) -> list[Object]:
    """The DaskCluster with its scheduler, and a DaskWorkerGroup for each group."""
    options = {"host": "0.0.0.0", "port": PORT, "dashboard_address": f":{DASHBOARD}"}
    spec = {"cls": f"{TopologyScheduler.__module__}.{TopologyScheduler.__qualname__}", "opts": options}
    ports = [
        {"name": "tcp-comm", "port": PORT, "protocol": "TCP", "targetPort": "tcp-comm"},
        {"name": "http-dashboard", "port": DASHBOARD, "protocol": "TCP", "targetPort": "http-dashboard"},
    ]
    container: Object = {
        "name": "scheduler",
        "image": _image(),
        "args": ["dask", "spec", "--spec", json.dumps(spec)],
        "env": [
            {"name": "DASK_" + key.upper().replace("-", "_").replace(".", "__"), "value": str(value)}
            for key, value in CONFIG.items()
            if key.startswith("distributed.scheduler.")
        ],
        "ports": [{"name": port["name"], "containerPort": port["port"], "protocol": "TCP"} for port in ports],
        "readinessProbe": {"httpGet": {"port": "http-dashboard", "path": "/health"}, "periodSeconds": 2},
    }
    selector = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    body: Object = {
        "scheduler": {
            "spec": {"containers": [container]},
            "service": {"type": "ClusterIP", "selector": selector, "ports": ports},
        },
        # The operator makes a group of its own from this; ours carry the places.
        "worker": {"replicas": 0, "spec": {"containers": [{"name": "worker", "image": _image()}]}},
    }
    metadata = {"name": name, "namespace": namespace}
    return [
        {"apiVersion": API, "kind": "DaskCluster", "metadata": metadata, "spec": body},
        *(_worker_group(name, namespace, number, group) for number, group in enumerate(groups)),
    ]


def _worker_group(name: str, namespace: str, number: int, group: Group) -> Object:
    folder = str(Path(os.environ.get("AI4S_RUNS", "runs")).expanduser().absolute())
    words = command("$(DASK_SCHEDULER_ADDRESS)", group.seats, "--place", f"{group.supernode}/$(AI4S_NODE)")
    limits = {name: str(count) for name, count in group.resources.items()}
    cores = sum(seats.workers for seats in group.seats)
    container: Object = {
        "name": "worker",
        "image": _image(),
        "args": ["python", *words[1:]],
        "env": [{"name": "AI4S_NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"limits": limits} if limits else {"requests": {"cpu": str(cores)}},
        "volumeMounts": [{"name": "runs", "mountPath": folder}],
    }
    # A host is one pod, as it is one worker to the scheduler.
    apart = {"matchLabels": {"dask.org/cluster-name": name, "dask.org/component": "worker"}}
    alone = {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": apart, "topologyKey": HOSTNAME}]}
    pod: Object = {
        "nodeSelector": dict(group.labels),
        "affinity": {"podAntiAffinity": alone},
        "containers": [container],
        "volumes": [{"name": "runs", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }
    return {
        "apiVersion": API,
        "kind": "DaskWorkerGroup",
        "metadata": {"name": f"{name}-group{number}", "namespace": namespace},
        "spec": {"cluster": name, "worker": {"replicas": group.many, "spec": pod}},
    }


def _image() -> str:
    return os.environ.get("AI4S_IMAGE") or f"ai4s:{version('ai4s')}"


def _name() -> str:
    """A name of this flow's own."""
    return object_name(f"ai4s-{getpass.getuser()}-{os.getpid()}"[:40], {})


def _look(namespace: str) -> tuple[Topology, list[Object]]:
    if shutil.which("kubectl") is None:
        raise ClusterError(
            f"profile kubernetes:{namespace} needs kubectl, and there is none here; install it, or take profile laptop"
        )
    told = run("kubectl get namespaces -o name")
    if told is None:
        raise ClusterError("kubectl reaches no cluster; 'kubectl get namespaces' says why")
    known = [line.removeprefix("namespace/") for line in told.split()]
    if namespace not in known:
        raise ClusterError(f"unknown namespace {namespace!r}; choose one of {', '.join(known)}")
    files = {"kubectl get nodes": run("kubectl get nodes -o json") or ""}
    if kueue := run("kubectl get topologies.kueue.x-k8s.io -o json"):
        files["kubectl get topologies"] = kueue
    items = nodes_of.objects(files)
    return read(items)[0], items


def _wait(pod: Pod, namespace: str) -> None:
    """Wait until a worker is there; a quota that refuses all of them is an error at once."""
    ends = time.monotonic() + START_LIMIT_S
    while not pod.cluster.scheduler_info["workers"]:
        events: Any = run(f"kubectl -n {namespace} get events --field-selector=type=Warning -o json")
        said = [
            event["message"]
            for event in (json.loads(events)["items"] if events else [])
            if event["involvedObject"]["name"].startswith(pod.cluster.name)
        ]
        if refused := next((message for message in said if "exceeded quota" in message), None):
            raise ClusterError(f"namespace {namespace} refuses the workers: {refused}; ask for a larger quota")
        if time.monotonic() > ends:
            why = said[-1] if said else "'kubectl get pods' may know why"
            raise ClusterError(f"no worker came within {START_LIMIT_S:.0f} s: {why}")
        time.sleep(ASK_EVERY_S)
