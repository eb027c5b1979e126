import pytest

from cluster.interchange import read, write
from cluster.topology import TopologyError

# A model of two leaf switches, as topograph's documentation lays it out.
MODEL = """
switches:
  core:
    labels: {topology.kubernetes.io/region: us-west}
    switches: [spine]
  spine:
    switches: [leaf1, leaf2, leaf3]
blocks:
- switch: leaf1
  nodes: ["n[1-2]", "[1101-1102]"]
  annotations: {accelerator.topology.test/domain: nvl1}
- switch: leaf2
  nodes: [n3]
"""


def paths(text):
    return [str(place) for place in read("topograph", {"model.yaml": text}).places()]


def test_a_model_of_switches_and_blocks():
    topology = read("topograph", {"model.yaml": MODEL})
    assert (topology.name, topology.levels) == ("core", ("hub", "unit", "supernode", "host"))
    assert paths(MODEL) == [
        "spine/leaf1/n1",
        "spine/leaf1/n2",
        "spine/leaf1/1101",
        "spine/leaf1/1102",
        "spine/leaf2/n3",
    ]


def test_blocks_without_switches_are_supernodes():
    text = "blocks:\n- nodes: [n1, n2]\n  annotations: {accelerator.topology.test/domain: nvl1}\n- nodes: [n3]\n"
    assert paths(text) == ["nvl1/n1", "nvl1/n2", "block1/n3"]


def test_the_text_of_an_exported_model_gives_the_chips_back():
    slurm = {
        "topology.conf": "SwitchName=core Switches=s[1-2]\nSwitchName=s1 Nodes=n[1-3]\nSwitchName=s2 Nodes=n4\n",
        "slurm.conf": "NodeName=n[1-2] Gres=gpu:a100:8\nNodeName=n[3-4] Gres=gpu:a100:4,gpu:h100:4\n",
    }
    topology = read("slurm", slurm)
    text = write("topograph", topology)["topograph.yaml"]
    assert "- switch: s1\n  nodes:\n  - n[1-2]\n  labels:\n    ai4s/chips.a100: '8'\n" in text
    back = read("topograph", {"model.yaml": text})
    assert [(str(place), place.chips) for place in back.places()] == [
        (str(place), place.chips) for place in topology.places()
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("switches: {}", "model.yaml: it is not a model: it needs 'blocks'"),
        ("blocks: [", "model.yaml: while parsing"),
        (
            MODEL.replace("switch: leaf2", "switch: leaf9"),
            "model.yaml, block 1: unknown switch leaf9; name it in 'switches'",
        ),
        (MODEL.replace("[n3]", "[]"), "model.yaml, block 1: it needs 'nodes', a list of host names"),
        (MODEL.replace("[n3]", "[n2]"), "switch leaf2: node n2 is under switch leaf2 and under leaf1"),
        (MODEL.replace("[n3]", '["n[3"]'), r"model.yaml, block 1: cannot read the hostlist 'n\[3'"),
        (
            MODEL.replace("[leaf1, leaf2, leaf3]", "[leaf1, leaf2, core]"),
            "switches core, spine.* are above one another in a circle",
        ),
        (
            MODEL.replace("n3]", "n3]\n  labels: {ai4s/chips.a: many}"),
            "block 1: ai4s/chips.a: 'many' is not a number of chips",
        ),
        (MODEL.replace("switches: [spine]", "switches: spine"), "switch core: 'switches' is a list of names"),
    ],
)
def test_a_wrong_model_is_named_by_block_or_switch(text, message):
    with pytest.raises(TopologyError, match=message):
        read("topograph", {"model.yaml": text})


def test_a_model_is_one_file():
    with pytest.raises(TopologyError, match="a model is one file; got a, b"):
        read("topograph", {"a": MODEL, "b": MODEL})
