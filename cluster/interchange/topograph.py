"""topograph's model: a map of switches and a list of blocks of nodes."""

from collections.abc import Mapping
from typing import Any

import yaml

from cluster.interchange.hostlist import expand, ranges
from cluster.interchange.hosts import Host, Names, grow, header
from cluster.interchange.switches import Switch, define, ways
from cluster.topology import Topology, TopologyError

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DOMAIN = "accelerator.topology.test/domain"
_CHIPS = "ai4s/chips."


def read(files: Mapping[str, str]) -> Topology:
    """Read one model; a block without a switch is a supernode named by its accelerator domain.

    Models tell no chips: a host counts one, unless the block's labels (our own) tell more.
    """
    if len(files) != 1:
        raise TopologyError(f"topograph: a model is one file; got {', '.join(files) or 'none'}")
    source, text = next(iter(files.items()))
    try:
        content = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise TopologyError(f"{source}: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("blocks"), list):
        raise TopologyError(f"{source}: it is not a model: it needs 'blocks', a list of nodes, and may have 'switches'")
    switches = _switches(content.get("switches") or {}, source)
    chips: dict[str, dict[str, int]] = {}
    for number, block in enumerate(content["blocks"]):
        where = f"{source}, block {number}"
        if not isinstance(block, dict) or not block.get("nodes"):
            raise TopologyError(f"{where}: it needs 'nodes', a list of host names")
        nodes = [node for item in block["nodes"] for node in expand(item, where)]
        _leaf(switches, block, where).nodes += nodes
        told = {key.removeprefix(_CHIPS): _number(where, key, value) for key, value in _ours(block)}
        chips.update(dict.fromkeys(nodes, told or {"chip": 1}))
    ours = header([text])
    root, paths = ways(switches, ours[0] if ours else None)
    join = ours[2] if ours else ""
    hosts = [Host(tuple(node.split(join)) if join else (*path, node), chips[node]) for node, path in paths.items()]
    return grow(ours[0] if ours else root or "topograph", hosts, {}, source, ours[1] if ours else ())


def _switches(content: Any, source: str) -> dict[str, Switch]:
    if not isinstance(content, dict):
        raise TopologyError(f"{source}: 'switches' is a map from a switch's name to what it is over")
    switches: dict[str, Switch] = {}
    for name, body in content.items():
        where = f"{source}, switch {name}"
        children = (body or {}).get("switches") or [] if isinstance(body or {}, dict) else None
        if not isinstance(children, list):
            raise TopologyError(f"{where}: 'switches' is a list of names of the switches under it")
        define(switches, Switch(name, where, children))
    for switch in list(switches.values()):
        for child in switch.children:  # a leaf switch needs no entry of its own
            switches.setdefault(child, Switch(child, f"{source}, switch {child}"))
    return switches


def _leaf(switches: dict[str, Switch], block: dict[str, Any], where: str) -> Switch:
    name = block.get("switch")
    if name and name not in switches:
        raise TopologyError(f"{where}: unknown switch {name}; name it in 'switches', there are {', '.join(switches)}")
    if not name:
        name = dict(_annotations(block)).get(_DOMAIN) or f"block{where.rsplit(' ', 1)[-1]}"
    return switches.setdefault(name, Switch(name, where))


def _ours(block: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in (block.get("labels") or {}).items() if key.startswith(_CHIPS)]


def _number(where: str, key: str, value: str) -> int:
    if not value.isdigit():
        raise TopologyError(f"{where}: {key}: {value!r} is not a number of chips")
    return int(value)


def _annotations(block: dict[str, Any]) -> list[tuple[str, str]]:
    return list((block.get("annotations") or {}).items())


def write(topology: Topology) -> dict[str, str]:
    """Write a model: a block for every run of equal hosts in a supernode, the supernode its accelerator domain."""
    names = Names(topology, "topograph")
    switches: dict[str, dict[str, list[str]]] = {topology.name: {"switches": []}}
    for path in names.domains:
        name = names.name(path)
        if name == topology.name:
            raise TopologyError(f"topograph: {name} is the name of the hub and of a domain in it; rename one")
        above = names.name(path[:-1]) if path[:-1] else topology.name
        switches.setdefault(above, {"switches": []})["switches"].append(name)
    runs: list[tuple[tuple[str, ...], dict[str, int], list[str]]] = []
    for place in names.places:
        if not runs or runs[-1][:2] != (place.path[:-1], place.chips):
            runs.append((place.path[:-1], place.chips, []))
        runs[-1][2].append(names.name(place.path))
    blocks = [
        {
            "switch": names.name(path),
            "nodes": ranges(hosts),
            "labels": {f"{_CHIPS}{kind}": str(count) for kind, count in sorted(chips.items())},
            "annotations": {_DOMAIN: names.name(path)},
        }
        for path, chips, hosts in runs
    ]
    text = yaml.safe_dump({"switches": switches, "blocks": blocks}, sort_keys=False, width=10**6)
    return {"topograph.yaml": names.header() + text}
