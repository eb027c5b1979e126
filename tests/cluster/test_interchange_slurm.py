import pytest

from cluster.hubfile import load
from cluster.interchange import read, write
from cluster.interchange.hosts import present
from cluster.interchange.slurm import read as read_slurm
from cluster.topology import TopologyError

# Recorded from SLURM 22.05 with topology/tree; the nodes' lines are shortened at the end.
SHOW_TOPOLOGY = """SwitchName=sn0 Level=0 LinkSpeed=1 Nodes=h[0-3]
SwitchName=sn1 Level=0 LinkSpeed=1 Nodes=h[4-7]
SwitchName=fabric Level=1 LinkSpeed=1 Nodes=h[0-7] Switches=sn[0-1]
"""
NODE = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=2  CPUAlloc=0 CPUEfctv=2 CPUTot=2 CPULoad=0.31 AvailableFeatures=(null) "
    "ActiveFeatures=(null) Gres=dcu:k100:8(S:0-1),pfsdir:scratch:1 NodeAddr={name} NodeHostName=here Port=17001 Version=22.05.8 "
    "OS=Linux 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)  RealMemory=2000 AllocMem=0 FreeMem=900 "
    "Sockets=1 Boards=1 State={state} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=ai  "
    "CfgTRES=cpu=2,mem=2000M,billing=2 AllocTRES= CapWatts=n/a CurrentWatts=0 AveWatts=0 {end}"
)
TREE = """# the machine room
SwitchName=sn0 Nodes=h[0-3]
SwitchName=sn1 Nodes=h[4-5,7] LinkSpeed=100
switchname=fabric \\
    switches=sn[0-1]   # both
"""
BLOCK = """BlockName=b1 Nodes=node[01-04]
BlockName=b2 Nodes=node[05-08]
BlockName=b3 Nodes=node[09-12]
BlockName=b4 Nodes=node[13-16]
BlockSizes=4,8
"""
YAML = """---
- topology: topo1
  cluster_default: true
  tree:
    switches:
      - switch: sw_root
        children: s[1-2]
      - switch: s1
        nodes: node[01-02]
      - switch: s2
        nodes: node[03-04]
- topology: topo3
  cluster_default: false
  flat: true
"""
GRES = "NodeName=h[0-5,7] Name=dcu Type=k100 Count=8\n"


def nodes(**states):
    names = [f"h{number}" for number in range(8)]
    return "".join(NODE.format(name=name, state=states.get(name, "IDLE"), end="") + "\n" for name in names)


def hosts(topology):
    return {str(place): place.chips for place in topology.places()}


def paths(text, name="topology.conf"):
    return list(hosts(read("slurm", {name: text})))


def test_a_tree_in_topology_conf_with_its_gres():
    topology = read("slurm", {"topology.conf": TREE, "gres.conf": GRES})
    assert (topology.name, topology.levels) == ("fabric", ("hub", "supernode", "host"))
    below = ["sn0/h0", "sn0/h1", "sn0/h2", "sn0/h3", "sn1/h4", "sn1/h5", "sn1/h7"]
    assert hosts(topology) == {path: {"k100": 8} for path in below}


def test_what_scontrol_prints():
    told = {
        "config": "ClusterName             = site9\n",
        "topology": SHOW_TOPOLOGY,
        "nodes": nodes(h2="DOWN*", h5="IDLE+DRAIN"),
    }
    topology = read("slurm", told)
    assert topology.name == "site9"
    assert topology.chips == 64
    assert topology.health == {"sn0/h2": "down", "sn1/h5": "drain"}


def test_nodes_printed_over_several_lines():
    record = "NodeName=h0 Arch=x86_64 CoresPerSocket=1 \n   CPUTot=4 \n   Gres=gpu:a100:4\n   State=IDLE+CLOUD+POWERED_DOWN \n"
    topology = read(
        "slurm", {"topology": "SwitchName=s Nodes=h[0-1]", "nodes": record + "\n" + record.replace("h0", "h1")}
    )
    assert hosts(topology) == {"s/h0": {"a100": 4}, "s/h1": {"a100": 4}}
    assert topology.health == {}


def test_node_lines_of_slurm_conf_and_devices_of_gres_conf():
    conf = (
        "ClusterName=mine\nSlurmctldPort=6817\nNodeName=DEFAULT CPUs=16\n"
        "NodeName=h[0-1] Gres=gpu:a100:4,gpu:h100:2\nNodeName=h2\nNodeName=h3 Sockets=2 CoresPerSocket=8\n"
    )
    gres = "AutoDetect=off\nNodeName=h0 Name=gpu Type=a100 File=/dev/nvidia[0-3]\nNodeName=h2 Name=gpu File=/dev/nvidia[0-1]\n"
    topology = read("slurm", {"slurm.conf": conf, "topology.conf": "SwitchName=s Nodes=h[0-3]", "gres.conf": gres})
    chips = [{"a100": 4, "h100": 2}, {"a100": 4, "h100": 2}, {"gpu": 2}, {"core": 16}]
    assert list(hosts(topology).values()) == chips
    everywhere = read(
        "slurm", {"t": "SwitchName=s Nodes=h[0-1]", "gres.conf": "Name=gpu Type=a100 File=/dev/nvidia[0-3]"}
    )
    assert everywhere.chips == 8


def test_without_node_lines_a_host_counts_one_chip_and_no_figure_is_more_than_assumed():
    topology = read("slurm", {"topology.conf": TREE})
    assert topology.chips == 7
    figures = [figure for link in topology.links.values() for figure in (link.bandwidth, link.latency)]
    figures += [kind.memory for kind in topology.kinds.values()]
    assert all(figure.status == "assumed" and "topology.conf" in figure.source for figure in figures)


def test_blocks_are_supernodes_and_larger_block_sizes_are_units():
    topology = read("slurm", {"topology.conf": BLOCK})
    assert topology.levels == ("hub", "unit", "supernode", "host")
    assert [str(place) for place in topology.places()][::4] == [
        "blocks8-0/b1/node01",
        "blocks8-0/b2/node05",
        "blocks8-1/b3/node09",
        "blocks8-1/b4/node13",
    ]
    printed = "BlockName=b1 BlockIndex=0 Nodes=n[1-2] BlockSize=2\nBlockName=b2 BlockIndex=1 Nodes=n[3-4] BlockSize=2\n"
    whole = printed + "AggregatedBlock=b[1-2] BlockIndex=2 Nodes=n[1-4] BlockSize=4\n"
    assert paths(whole) == ["b1/n1", "b1/n2", "b2/n3", "b2/n4"]


def test_topology_yaml_gives_the_clusters_default():
    assert paths(YAML, "topology.yaml") == ["s1/node01", "s1/node02", "s2/node03", "s2/node04"]
    other = YAML.replace("cluster_default: true", "cluster_default: false").replace(
        "default: false\n  flat", "default: True\n  flat"
    )
    told = {"topology.yaml": other, "nodes": "NodeName=node[01-02] Gres=gpu:4"}
    assert hosts(read("slurm-yaml", told)) == {"flat/node01": {"gpu": 4}, "flat/node02": {"gpu": 4}}


def test_rings_and_tori_in_topology_yaml():
    ring = "- topology: r\n  ring:\n    rings:\n    - ring: ring0\n      nodes: n[01-04]\n    - ring: ring1\n      nodes: n[05-08]\n"
    assert paths(ring, "topology.yaml")[3:5] == ["ring0/n04", "ring1/n05"]
    torus = "- topology: t\n  torus3d:\n    toruses:\n    - name: pod1\n      dims: {x: 4, y: 2, z: 1}\n      nodes: n[1-8]\n"
    topology = read("slurm-yaml", {"topology.yaml": torus})
    assert topology.links["supernode"].torus == (1, 2, 4)
    regions = torus.replace("nodes: n[1-8]", "regions: []")
    with pytest.raises(TopologyError, match="name pod1: a torus of regions cannot be read; give its nodes"):
        read("slurm-yaml", {"topology.yaml": regions})


def test_a_tree_of_uneven_depth_is_padded_above_the_leaf():
    text = "SwitchName=core Switches=a,s9\nSwitchName=a Switches=s[1-2]\nSwitchName=s1 Nodes=n1\nSwitchName=s2 Nodes=n2\nSwitchName=s9 Nodes=n9\n"
    topology = read("slurm", {"topology.conf": text})
    assert list(hosts(topology)) == ["a/s1/n1", "a/s2/n2", "s9.up1/s9/n9"]
    assert hosts(read("slurm", write("slurm", topology))) == hosts(topology)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TREE + "SwitchName=sn2 Nodes=h3\n", "topology.conf, line 6: node h3 is under switch sn2 and under sn0"),
        (
            TREE + "SwitchName=sn1 Nodes=h9\n",
            "topology.conf, line 6: switch sn1 is given twice, first at topology.conf, line 3",
        ),
        (TREE.replace("sn[0-1]", "sn[0-2]"), "topology.conf, line 4: switch fabric has an unknown switch sn2 under it"),
        (TREE.replace("h[0-3]", "h[0-3"), r"topology.conf, line 2: cannot read the hostlist 'h\[0-3'; write names and"),
        (TREE.replace("h[0-3]", "h[3-0]"), "line 2: cannot read the hostlist"),
        (TREE.replace("sn0 Nodes=", "sn0 Node="), "line 2: unknown node; valid are SwitchName with Switches or Nodes"),
        (TREE + "SwichName=x Nodes=y\n", "line 6: cannot read 'SwichName=x Nodes=y'; valid are SwitchName"),
        (TREE + "SwitchName=x Nodes=y Switches=sn0\n", "line 6: switch x has switches and nodes directly under it"),
        (TREE + "SwitchName=x Switches=sn0\n", "line 6: switch sn0 is under x and under fabric"),
        (
            TREE + "SwitchName=x Switches=y\nSwitchName=y Switches=x\n",
            "line 6: switches x, y are above one another in a circle",
        ),
        (BLOCK.replace("4,8", "4,12"), "line 5: block size 12 is not 4 times a power of two"),
        (BLOCK.replace("4,8", "four"), r"line 5: block sizes \['four'\] are not numbers"),
        ("\n", "topology.conf: the file is empty; slurm is SLURM topology.conf"),
        ("# nothing\n", "topology.conf: there is no host in it"),
        ("SwitchName=s Nodes=h/1", "'h/1' cannot name a domain; use letters"),
    ],
)
def test_a_wrong_topology_conf_is_named_by_line(text, message):
    with pytest.raises(TopologyError, match=message):
        read("slurm", {"topology.conf": text})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            YAML.replace("nodes: node[03-04]", "nodes: node[02-04]"),
            "topology.yaml, topology topo1, switch s2: node node02 is under switch s2 and under s1",
        ),
        (
            YAML.replace("children: s[1-2]", "children: s[1-3]"),
            "switch sw_root: switch sw_root has an unknown switch s3",
        ),
        (
            YAML.replace("- switch: s1", "- swich: s1"),
            r"topology topo1: cannot read its tree \('switch'\); see topology.yaml",
        ),
        (
            YAML.replace("  tree:", "  star:"),
            "topology topo1: it needs one of tree, block, ring, torus3d, flat; it has none",
        ),
        (YAML.replace("    switches:", "\t switches:"), "topology.yaml: while scanning"),
    ],
)
def test_a_wrong_topology_yaml_is_named_by_its_object(text, message):
    with pytest.raises(TopologyError, match=message):
        read("slurm-yaml", {"topology.yaml": text})


def test_a_node_without_a_line_or_without_a_switch_is_named():
    with pytest.raises(TopologyError, match="node h7 has no NodeName line; give one with its Gres or CPUs"):
        read("slurm", {"topology.conf": TREE, "slurm.conf": "NodeName=h[0-5] Gres=gpu:8"})
    with pytest.raises(
        TopologyError, match=r"slurm.conf, line 1: node h6 is under no switch or block; list it in topology.conf"
    ):
        read("slurm", {"topology.conf": TREE, "slurm.conf": "NodeName=h[0-7] Gres=gpu:8"})
    login = "NodeName=h[0-5,7] Gres=gpu:8\nNodeName=login CPUs=8"
    assert read("slurm", {"topology.conf": TREE, "slurm.conf": login}).chips == 56
    with pytest.raises(TopologyError, match=r"slurm.conf, line 2: node h5 is given twice, first at slurm.conf, line 1"):
        read("slurm", {"topology.conf": TREE, "slurm.conf": "NodeName=h[0-7] Gres=gpu:8\nNodeName=h5"})


def test_slurm_pr225_reapplying_a_nodes_block_changes_nothing():
    told = {"topology.conf": BLOCK, "slurm.conf": "NodeName=node[01-16] Gres=gpu:4"}
    first = read("slurm", told)
    again = (
        told["slurm.conf"]
        + "\n"
        + "".join(
            f"NodeName=node{number:02} Gres=gpu:4 Topology=default:b{(number + 3) // 4}\n" for number in range(1, 17)
        )
    )
    assert read("slurm", {**told, "slurm.conf": again.split("\n", 1)[1]}) == first
    moved = "NodeName=node[02-16] Gres=gpu:4\nNodeName=node01 Gres=gpu:4 Topology=other:b3,default:b4"
    assert "blocks8-1/b4/node01" in hosts(read("slurm", {**told, "slurm.conf": moved}))
    with pytest.raises(
        TopologyError, match="node node01 is put under b9, which is no switch or block here; there are b1, b2"
    ):
        read("slurm", {**told, "slurm.conf": moved.replace("default:b4", "default:b9")})


def test_slurm_pr3122_powered_down_node_keeps_its_place():
    shrunk = SHOW_TOPOLOGY.replace("h[4-7]", "h[4-6]").replace("h[0-7]", "h[0-6]")
    before = read("slurm", {"topology": SHOW_TOPOLOGY, "nodes": nodes()})
    asleep = nodes(h7="IDLE+CLOUD+POWERED_DOWN")
    told = {"topology": shrunk, "nodes": asleep.replace("NodeName=h7 ", "NodeName=h7 Topology=default:sn1 ")}
    assert read("slurm", told) == before
    assert read_slurm({"topology": shrunk, "nodes": asleep}, known=before) == before
    with pytest.raises(TopologyError, match="nodes, line 8: node h7 is under no switch or block"):
        read("slurm", {"topology": shrunk, "nodes": asleep})


def test_switches_on_the_way_are_made_where_a_node_names_them():
    node = "NodeName=h[0-5,7] Gres=gpu:8\nNodeName=h9 Gres=gpu:8 Topology=default:fabric:sn5"
    topology = read("slurm", {"topology.conf": TREE, "slurm.conf": node})
    assert list(hosts(topology))[-1] == "sn5/h9"


def test_the_text_of_an_exported_hub():
    files = write("slurm", load("two-supernodes"))
    assert files["topology.conf"] == (
        "# ai4s hub=two-supernodes levels=hub,supernode,host join=-\n"
        "SwitchName=two-supernodes Switches=sn[0-1]\nSwitchName=sn0 Nodes=sn0-host0\nSwitchName=sn1 Nodes=sn1-host0\n"
    )
    assert files["gres.conf"] == "NodeName=sn0-host0,sn1-host0 Name=core Type=core Count=1\n"
    assert write("slurm-block", load("gb200-superpod"))["topology.conf"].splitlines()[-2:] == [
        "BlockName=su15-rack7 Nodes=su15-rack7-tray[0-17]",
        "BlockSizes=18",
    ]


def test_a_node_moved_by_hand_in_an_exported_file_is_refused():
    files = write("slurm", load("two-supernodes"))
    files["topology.conf"] = files["topology.conf"].replace("Nodes=sn0-host0", "Nodes=sn1-host1")
    with pytest.raises(TopologyError, match="node sn1-host1 is under sn0, and its name says otherwise"):
        read("slurm", files)


def test_absent_hosts_are_not_written_and_the_half_built_hub_comes_back():
    half = load("zhengzhou-30k")
    back = read("slurm", write("slurm", half))
    assert back.chips == half.chips == 30_080
    assert [(place.path, place.chips) for place in back.places()] == [
        (place.path, place.chips) for place in present(half)
    ]


def test_a_name_of_the_hub_for_a_domain_is_refused():
    topology = read("slurm", {"topology.conf": TREE}).model_copy(update={"name": "sn1"})
    with pytest.raises(TopologyError, match="slurm: sn1 is the name of the hub and of a domain in it; rename one"):
        write("slurm", topology)
