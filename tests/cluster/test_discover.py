import json
import os

import pytest

from cluster import discover
from cluster.discover import Gpu, Machine
from cluster.sites import kubernetes_cluster, slurm_site
from cluster.topology import TopologyError

# Recorded from hy-smi on a host of BW cards: commas are missing, keys repeat; shortened to two cards.
HY_SMI = (
    '{"card0": {"Card Series": "BW", "Card Vendor": "C-3000 IC Design Co., Ltd.", '
    '"Average Graphics Package Power (W)": "91.0""Average GFX Core Power (W)": "20.0""Average Memory Power (W)": "38.0", '
    '"HCU use (%)": "0.0", "": "", "": "", "vram Total Memory (MiB)": "65520", "vram Total Used Memory (MiB)": "64169"}, '
    '"card1": {"Card Series": "BW", "Card Vendor": "C-3000 IC Design Co., Ltd.", '
    '"vram Total Memory (MiB)": "65520", "vram Total Used Memory (MiB)": "64104"}}'
)
ROCM_SMI = json.dumps(
    {
        "card1": {"Card Series": "AMD Instinct MI210", "Card Model": "0x740f", "VRAM Total Memory (B)": "68702699520"},
        "card0": {"Card model": "0x74a1", "VRAM Total Memory (B)": "206141652992", "VRAM Total Used Memory (B)": "1"},
        "system": {"Driver version": "6.7.0"},
    }
)
NVIDIA_SMI = "NVIDIA H100 80GB HBM3, 81559, 700.00\nNVIDIA H100 80GB HBM3, 81559, 700.00\nTesla T4, 15360, [N/A]\n"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Put a command on the path that prints texts by its arguments, and nothing else of its kind there."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def install(name, answers):
        cases = "".join(f"  '{arguments}') cat <<'END'\n{text}\nEND\n  ;;\n" for arguments, text in answers.items())
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}  *) exit 1;;\nesac\n')
        path.chmod(0o755)

    return install


def test_the_laptop_is_one_host_of_its_cores():
    topology = discover.laptop()
    assert [(str(place), place.chips) for place in topology.places()] == [("sn0/host0", {"core": discover.cores()})]


def test_this_machine_has_cores_and_memory():
    found = discover.machine()
    assert found.cores == discover.cores()
    assert found.memory > 0.1
    assert len({core for node in found.numa for core in node}) == sum(map(len, found.numa))


def test_numa_nodes_from_the_systems_lists():
    assert discover.numa(["0-3,8\n", "4-5\n", "\n"]) == ((0, 1, 2, 3, 8), (4, 5))


def test_gpus_from_what_their_commands_print():
    assert discover.nvidia(NVIDIA_SMI) == [Gpu("NVIDIA H100 80GB HBM3", 79.65, 700.0)] * 2 + [Gpu("Tesla T4", 15.0)]
    assert discover.nvidia("NVIDIA-SMI has failed because it could not communicate with the driver.\n") == []
    assert discover.rocm(HY_SMI) == [Gpu("BW", 63.98)] * 2
    assert discover.rocm(ROCM_SMI) == [Gpu("0x74a1", 191.98), Gpu("AMD Instinct MI210", 63.98)]
    assert discover.rocm("{}") == discover.rocm("") == []


def test_a_machine_with_gpus_is_a_hub_of_them():
    topology = discover.workstation(Machine(16, 64.0, (tuple(range(16)),), tuple(discover.nvidia(NVIDIA_SMI))))
    assert [place.chips for place in topology.places()] == [{"NVIDIA-H100-80GB-HBM3": 2, "Tesla-T4": 1}]
    kind = topology.kinds["NVIDIA-H100-80GB-HBM3"]
    assert kind.power is not None
    assert (kind.memory.value, kind.memory.status, kind.power.value) == (79.65, "measured", 700.0)
    assert discover.workstation(Machine(2, 4.0, (), ())) == discover.laptop()


def test_commands_that_are_there_are_asked(command):
    command("hy-smi", {"--showproductname --showmeminfo vram --json": HY_SMI})
    command("rocm-smi", {"--showproductname --showmeminfo vram --json": ROCM_SMI})
    assert discover.machine().gpus == (Gpu("BW", 63.98),) * 2


def test_a_slurm_site_from_its_own_commands(command):
    answers = {
        "show config": "Configuration data as of 2026-03-11T11:45:41\nClusterName             = site9\nTopologyPlugin          = topology/tree",
        "show topology": "SwitchName=sn0 Level=0 LinkSpeed=1 Nodes=h[0-1]\nSwitchName=sn1 Level=0 LinkSpeed=1 Nodes=h[2-3]\n"
        "SwitchName=fabric Level=1 LinkSpeed=1 Nodes=h[0-3] Switches=sn[0-1]",
        "show node --oneliner": "\n".join(
            f"NodeName=h{number} Arch=x86_64 CPUTot=2 Gres=dcu:k100:8 State=IDLE ThreadsPerCore=1 "
            for number in range(4)
        ),
    }
    command("scontrol", answers)
    site = slurm_site()
    assert (site.name, site.chips) == ("site9", 32)
    assert [str(place) for place in site.places()] == ["sn0/h0", "sn0/h1", "sn1/h2", "sn1/h3"]
    command(
        "scontrol",
        {**answers, "show topology": answers["show topology"].replace("h[2-3]", "h2").replace("h[0-3]", "h[0-2]")},
    )
    assert slurm_site(known=site) == site
    command("scontrol", {**answers, "show topology": "No topology information available"})
    assert [place.supernode for place in slurm_site().places()] == ["flat"] * 4


def test_a_kubernetes_cluster_with_and_without_kueue(command):
    node = {
        "kind": "Node",
        "metadata": {"name": "n0", "labels": {"topology.kubernetes.io/zone": "z0", "rack": "r0"}},
        "status": {"capacity": {"nvidia.com/gpu": "8"}},
    }
    nodes = json.dumps({"kind": "List", "items": [node]})
    command("kubectl", {"get nodes -o json": nodes})
    assert [str(place) for place in kubernetes_cluster().places()] == ["z0/n0"]
    kueue = {"kind": "Topology", "metadata": {"name": "k"}, "spec": {"levels": [{"nodeLabel": "rack"}]}}
    told = json.dumps({"kind": "List", "items": [kueue]})
    command("kubectl", {"get nodes -o json": nodes, "get topologies.kueue.x-k8s.io -o json": told})
    assert [str(place) for place in kubernetes_cluster().places()] == ["r0/n0"]


def test_a_site_that_does_not_answer_is_named(command):
    command("scontrol", {})
    command("kubectl", {})
    with pytest.raises(TopologyError, match="'scontrol show config' does not answer here; run it where it does"):
        slurm_site()
    with pytest.raises(TopologyError, match="'kubectl get nodes -o json' does not answer here"):
        kubernetes_cluster()
