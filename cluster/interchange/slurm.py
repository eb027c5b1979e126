"""SLURM's ``topology.conf`` and ``topology.yaml``, and what ``scontrol show topology`` and ``show node`` print."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from cluster.interchange.hostlist import compress, expand
from cluster.interchange.hosts import Host, Names, grow, header, unknown_kind
from cluster.interchange.slurm_conf import Node, Record, nodes, records
from cluster.interchange.switches import Switch, define, ways
from cluster.topology import Place, Topology, TopologyError

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # names stay text: a switch may be called 1101
_YAML = re.compile(r"^\s*-\s*topology\s*:", re.MULTILINE)
_CLUSTER = re.compile(r"^\s*ClusterName\s*=\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_GRES = {"cpu": "core", "gpu": "gpu", "npu": "npu"}
_LONGEST = 63


@dataclass
class _Forest:
    """Switches or blocks, the topology's name, and the torus that the nodes of each lie on."""

    switches: dict[str, Switch]
    name: str = "default"
    torus: tuple[int, ...] = ()


def read(files: Mapping[str, str], known: Topology | None = None) -> Topology:
    """Read topology files or ``scontrol``'s output, with the lines of nodes if there are any.

    Without lines of nodes every host counts one chip. A node that its switch or block no longer lists (powered down,
    as SLURM 25.11 drops it) keeps its place in ``known``, what was read before.
    """
    source, ours = ", ".join(files), header(files.values())
    plain = {name: text for name, text in files.items() if not _YAML.search(text)}
    lines = [record for name, text in plain.items() for record in records(name, text)]
    forest = _from_yaml(files) if len(plain) < len(files) else _Forest(_from_lines(lines, bool(ours)))
    described = nodes(lines, [node for switch in forest.switches.values() for node in switch.nodes])
    if not forest.switches:
        forest.switches["flat"] = Switch("flat", source, nodes=list(described))
    _move(forest, described)
    root, paths = ways(forest.switches, ours[0] if ours else None)
    ways_to = {node: (*path, node) for node, path in paths.items()}
    if ours and ours[2]:
        ways_to = {node: _split(node, path, ours[2], source) for node, path in paths.items()}
    _keep(ways_to, described, known)
    cluster = next((found[1] for text in plain.values() if (found := _CLUSTER.search(text))), None)
    devices = {kind: device for node in described.values() for kind, device in node.devices.items()}
    return grow(
        ours[0] if ours else cluster or root or "slurm",
        [_host(path, described.get(node), node, bool(described), source) for node, path in ways_to.items()],
        {kind: unknown_kind(kind, source, device) for kind, device in devices.items()},
        source,
        ours[1] if ours else (),
        forest.torus,
    )


def _from_lines(lines: list[Record], ours: bool) -> dict[str, Switch]:
    switches: dict[str, Switch] = {}
    sizes: Record | None = None
    for record in lines:
        fields, where = record.fields, record.where
        if record.key == "blocksizes":
            sizes = record
        elif record.key in ("switchname", "blockname", "ringname"):
            children, below = (_list(fields.get(key), where) for key in ("switches", "nodes"))
            # scontrol, which alone prints levels, repeats at each switch the nodes of all below it.
            below = [] if children and "level" in fields else below
            define(switches, Switch(fields[record.key], where, children, below))
    if sizes and not ours:  # our own files name the levels above a block
        _pair(switches, sizes.fields["blocksizes"].split(","), sizes.where)
    return switches


def _list(text: str | None, where: str) -> list[str]:
    return expand(text, where) if text and text != "(null)" else []


def _pair(switches: dict[str, Switch], sizes: list[str], where: str) -> None:
    """Group blocks that follow one another, as many as each larger block size asks for."""
    if not all(size.strip().isdigit() and int(size) for size in sizes):
        raise TopologyError(f"{where}: block sizes {sizes} are not numbers; give them as in BlockSizes=4,16")
    numbers = [int(size) for size in sizes]
    members, size_below = list(switches), numbers[0]
    for size in numbers[1:]:
        many = size // size_below
        if size % size_below or many < 2 or many & (many - 1):
            raise TopologyError(f"{where}: block size {size} is not {size_below} times a power of two")
        groups = [members[start : start + many] for start in range(0, len(members), many)]
        members, size_below = [f"blocks{size}-{number}" for number in range(len(groups))], size
        for name, group in zip(members, groups, strict=True):
            define(switches, Switch(name, where, children=group))


def _from_yaml(files: Mapping[str, str]) -> _Forest:
    name, text = next((name, text) for name, text in files.items() if _YAML.search(text))
    try:
        content = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise TopologyError(f"{name}: {error}") from None
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise TopologyError(f"{name}: it is a list of topologies; start each with '- topology: NAME'")
    chosen = next((item for item in content if str(item.get("cluster_default")).lower() == "true"), content[0])
    where = f"{name}, topology {chosen.get('topology')}"
    kinds = [kind for kind in ("tree", "block", "ring", "torus3d", "flat") if kind in chosen]
    if len(kinds) != 1:
        raise TopologyError(f"{where}: it needs one of tree, block, ring, torus3d, flat; it has {kinds or 'none'}")
    try:
        switches, torus = _of_kind(kinds[0], chosen[kinds[0]], where, bool(header([text])))
    except (KeyError, TypeError, AttributeError) as error:
        raise TopologyError(f"{where}: cannot read its {kinds[0]} ({error}); see topology.yaml(5)") from None
    return _Forest(switches, str(chosen["topology"]), torus)


def _of_kind(kind: str, body: Any, where: str, ours: bool) -> tuple[dict[str, Switch], tuple[int, ...]]:
    switches: dict[str, Switch] = {}
    if kind == "flat":
        return switches, ()
    several, one = {
        "tree": ("switches", "switch"),
        "block": ("blocks", "block"),
        "ring": ("rings", "ring"),
        "torus3d": ("toruses", "name"),
    }[kind]
    shapes: set[tuple[int, ...]] = set()
    for item in body[several]:
        here = f"{where}, {one} {item[one]}"
        if "regions" in item:
            raise TopologyError(f"{here}: a torus of regions cannot be read; give its nodes as one list")
        define(switches, Switch(item[one], here, _list(item.get("children"), here), _list(item.get("nodes"), here)))
        if kind == "torus3d":
            # x varies fastest in the list of nodes, and the last number of a shape does here.
            shapes.add(tuple(int(item["dims"][axis]) for axis in "zyx"))
    if kind == "block" and body.get("block_sizes") and not ours:
        _pair(switches, body["block_sizes"], where)
    return switches, shapes.pop() if len(shapes) == 1 else ()


def _move(forest: _Forest, described: Mapping[str, Node]) -> None:
    """Put nodes where their own ``Topology=NAME:UNIT`` says: it stands above the files, and survives powering down."""
    switches = forest.switches
    leaf = {node: switch for switch in switches.values() for node in switch.nodes}
    for name, node in described.items():
        units = next((units for top, *units in _pairs(node.topology) if top == forest.name), [])
        if len(units) > 1 and units[-1].isdigit() and units[-1] not in switches:
            units.pop()  # the position in a ring
        if units and units[0] not in switches:
            raise TopologyError(
                f"{node.where}: node {name} is put under {units[0]}, which is no switch or block here; "
                f"there are {', '.join(list(switches)[:8])}"
            )
        for above, below in pairwise(units):  # switches on the way are made where there are none
            if below not in switches:
                switches[below] = Switch(below, node.where)
                switches[above].children.append(below)
        if units and (name not in leaf or leaf[name].name != units[-1]):
            if name in leaf:
                leaf[name].nodes.remove(name)
            switches[units[-1]].nodes.append(name)


def _pairs(text: str) -> list[list[str]]:
    return [pair.split(":") for pair in text.split(",") if ":" in pair]


def _keep(ways_to: dict[str, tuple[str, ...]], described: Mapping[str, Node], known: Topology | None) -> None:
    before = {place.path[-1]: place.path for place in known.places()} if known else {}
    accelerated = any(node.chips for node in described.values())
    for name, node in described.items():
        if name in ways_to or (accelerated and not node.chips):
            continue  # a login or service node, without chips where others have them
        if name not in before:
            raise TopologyError(
                f"{node.where}: node {name} is under no switch or block; list it in topology.conf, "
                "or give its line Topology=default:NAME"
            )
        ways_to[name] = before[name]


def _split(node: str, path: tuple[str, ...], join: str, source: str) -> tuple[str, ...]:
    parts = tuple(node.split(join))
    if join.join(parts[:-1]) != path[-1]:
        raise TopologyError(
            f"{source}: node {node} is under {path[-1]}, and its name says otherwise; export the hub again"
        )
    return parts


def _host(path: tuple[str, ...], node: Node | None, name: str, described: bool, source: str) -> Host:
    if node is None:
        if described:
            raise TopologyError(f"{source}: node {name} has no NodeName line; give one with its Gres or CPUs")
        return Host(path, {"chip": 1})
    chips = dict(node.chips) or {"core": node.cpus}
    return Host(path, chips, node.health)


def write_tree(topology: Topology) -> dict[str, str]:
    """Write ``topology.conf`` for topology/tree, and ``gres.conf``."""
    names = Names(topology, "slurm")
    lines = [names.header()]
    for name, children, hosts in _switches(names):
        lines.append(
            f"SwitchName={name} {f'Switches={compress(children)}' if children else f'Nodes={compress(hosts)}'}\n"
        )
    return {"topology.conf": "".join(lines), "gres.conf": _gres(names)}


def write_block(topology: Topology) -> dict[str, str]:
    """Write ``topology.conf`` for topology/block, a block for each supernode, and ``gres.conf``."""
    names = Names(topology, "slurm-block", joined=len(topology.levels) > 3)
    blocks = [(name, hosts) for name, children, hosts in _switches(names) if not children]
    lines = [f"BlockName={name} Nodes={compress(hosts)}\n" for name, hosts in blocks]
    smallest = min(len(hosts) for _, hosts in blocks)
    text = f"{names.header()}{''.join(lines)}BlockSizes={smallest}\n"
    return {"topology.conf": text, "gres.conf": _gres(names)}


def write_yaml(topology: Topology) -> dict[str, str]:
    """Write ``topology.yaml`` (SLURM 25.05 and later) with one tree, and ``gres.conf``."""
    names = Names(topology, "slurm-yaml")
    switches = [
        {"switch": name, **({"children": compress(children)} if children else {"nodes": compress(hosts)})}
        for name, children, hosts in _switches(names)
    ]
    content = [{"topology": topology.name, "cluster_default": True, "tree": {"switches": switches}}]
    text = "---\n" + names.header() + yaml.safe_dump(content, sort_keys=False, width=10**6)
    return {"topology.yaml": text, "gres.conf": _gres(names)}


def _switches(names: Names) -> list[tuple[str, list[str], list[str]]]:
    """The root and all domains above hosts: name, the names of domains under it, those of hosts."""
    topology = names.topology
    under: dict[tuple[str, ...], list[str]] = {(): [], **{path: [] for path in names.domains}}
    for path in (*names.domains, *(place.path for place in names.places)):
        under[path[:-1]].append(names.name(path))
    found = []
    for path, below in under.items():
        name = names.name(path) if path else topology.name
        if len(name) > _LONGEST:
            raise TopologyError(f"slurm: {name} cannot name a switch; names have at most {_LONGEST} characters")
        if path and name == topology.name:
            raise TopologyError(f"slurm: {name} is the name of the hub and of a domain in it; rename one")
        leaf = len(path) == len(topology.levels) - 2
        found.append((name, [] if leaf else below, below if leaf else []))
    return found


def _gres(names: Names) -> str:
    same: dict[tuple[tuple[str, int], ...], list[Place]] = {}
    for place in names.places:
        same.setdefault(tuple(sorted(place.chips.items())), []).append(place)
    device = {kind: _GRES[chip.device] for kind, chip in names.topology.kinds.items()}
    return "".join(
        f"NodeName={compress([names.name(place.path) for place in places])} Name={device[kind]} Type={kind} Count={count}\n"
        for chips, places in same.items()
        for kind, count in chips
    )
