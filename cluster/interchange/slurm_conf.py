"""Lines of SLURM's configuration files and of what ``scontrol`` prints, and the nodes that they describe."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cluster.interchange.hostlist import expand
from cluster.topology import Health, TopologyError

_PAIR = re.compile(r"(?:^|\s)([A-Za-z][\w/.]*)=(\S*)")
# The keys that start a line about places, each with what may follow it: in the file, or as scontrol prints it.
PLACES = {
    "switchname": {"switches", "nodes", "linkspeed", "level"},
    "blockname": {"nodes", "blockindex", "blocksize"},
    "aggregatedblock": {"nodes", "blockindex", "blocksize"},
    "blocksizes": set(),
    "ringname": {"nodes", "ringsize"},
}
_SPELLED = "SwitchName with Switches or Nodes, BlockName with Nodes, BlockSizes, RingName with Nodes"
# Generic resources that compute; others are licences, bandwidth, scratch space.
_CHIPS = {"gpu", "dcu", "npu", "mlu", "gcu", "xpu", "core"}
_DOWN = {"DOWN", "FAIL", "FAILING", "ERROR", "NOT_RESPONDING"}
_DRAIN = {"DRAIN", "DRAINED", "DRAINING", "MAINT", "MAINTENANCE"}


@dataclass
class Record:
    """One line, continued ones joined; keys in lower case."""

    key: str
    where: str
    fields: dict[str, str]


@dataclass
class Node:
    """What the lines about a node say."""

    where: str
    chips: Counter[str] = field(default_factory=Counter)
    devices: dict[str, str] = field(default_factory=dict)
    cpus: int = 0
    health: Health = "up"
    topology: str = ""


def records(file: str, text: str) -> list[Record]:
    """The lines of a file that describe places or nodes; in a topology file any other line is an error."""
    found: list[Record] = []
    strange: list[str] = []
    for number, line in _logical(text):
        pairs = [(key.lower(), value) for key, value in _PAIR.findall(line)]
        key, where = pairs[0][0] if pairs else "", f"{file}, line {number}"
        # scontrol show node prints a node over several lines, the first of them at the margin.
        if found and found[-1].key == "nodename" and line[:1].isspace() and key not in {*PLACES, "nodename"}:
            _merge(found[-1].fields, pairs)
        elif key in {*PLACES, "nodename", "name"}:
            found.append(Record(key, where, {}))
            _merge(found[-1].fields, pairs)
        else:
            strange.append(f"{where}: cannot read {line.strip()!r}")
    placed = [record for record in found if record.key in PLACES]
    if placed and strange:
        raise TopologyError(f"{strange[0]}; valid are {_SPELLED}")
    for record in placed:
        if unknown := sorted(set(record.fields) - PLACES[record.key] - {record.key}):
            raise TopologyError(f"{record.where}: unknown {unknown[0]}; valid are {_SPELLED}")
    return found


def _merge(fields: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    for key, value in pairs:
        # The first wins: a Reason at the end may hold anything.
        fields.setdefault(key, value)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with what a backslash continues, without comments and empty lines, with their number from 1."""
    kept, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        # A kernel's version, as scontrol prints it, has a # that is no comment.
        cut = line if " OS=" in line or line.lstrip().startswith("OS=") else line.split("#", 1)[0]
        first, kept = first or number, kept + cut.rstrip()
        if kept.endswith("\\"):
            kept = kept[:-1] + " "
            continue
        if kept.strip():
            yield first, kept
        kept, first = "", 0
    if kept.strip():
        yield first, kept


def nodes(lines: list[Record], placed: list[str]) -> dict[str, Node]:
    """Every node that a NodeName line names, with its chips; gres.conf may mean all that are ``placed``."""
    found: dict[str, Node] = {}
    default: dict[str, str] = {}
    for record in lines:
        if record.key != "nodename" or {"name", "autodetect"} & record.fields.keys():  # those are of gres.conf
            continue
        fields = {**default, **record.fields}
        if fields["nodename"] == "DEFAULT":
            default = {key: value for key, value in fields.items() if key != "nodename"}
            continue
        for name in expand(fields["nodename"], record.where):
            if name in found:
                raise TopologyError(f"{record.where}: node {name} is given twice, first at {found[name].where}")
            found[name] = _node(record.where, fields)
    _add_gres_conf(found, lines, placed)
    return found


def _node(where: str, fields: Mapping[str, str]) -> Node:
    node = Node(where, health=_health(fields.get("state", "")), topology=fields.get("topology", ""))
    for item in re.sub(r"\([^)]*\)", "", fields.get("gres", "")).split(","):
        parts = [part for part in item.split(":") if part != "no_consume"]
        count = parts.pop() if len(parts) > 1 and parts[-1].isdigit() else "1"
        _count(node, parts[0], ":".join(parts[1:]), int(count))
    each = [fields.get(key, "1") for key in ("sockets", "corespersocket", "threadspercore")]
    cpus = fields.get("cputot") or fields.get("cpus") or ""
    if not all(value.isdigit() for value in (*each, cpus or "0")):
        raise TopologyError(f"{where}: the number of CPUs is not a number")
    node.cpus = int(cpus) if cpus else int(each[0]) * int(each[1]) * int(each[2])
    return node


def _count(node: Node, name: str, kind: str, count: int) -> None:
    if name in _CHIPS and count:
        node.chips[kind or name] += count
        node.devices[kind or name] = name


def _health(state: str) -> Health:
    flags = {flag.rstrip("*~#!%$@^-") for flag in state.upper().split("+")}
    if "FUTURE" in flags:
        return "absent"
    if flags & _DOWN or state.endswith("*"):
        return "down"
    # A powered-down node is started when a job wants it.
    return "drain" if flags & _DRAIN else "up"


def _add_gres_conf(found: dict[str, Node], lines: list[Record], placed: list[str]) -> None:
    """Count the devices of gres.conf; what a node's own line tells stands."""
    told = {name for name, node in found.items() if node.chips}
    for record in lines:
        fields = record.fields
        if "name" not in fields:
            continue
        names = expand(fields["nodename"], record.where) if "nodename" in fields else list(found) or placed
        count = fields.get("count") or str(len(expand(fields["file"], record.where)) if "file" in fields else 1)
        if fields["name"] in _CHIPS and not count.isdigit():
            raise TopologyError(f"{record.where}: Count={count} is not a number of devices")
        for name in names:
            node = found.setdefault(name, Node(record.where))
            if name not in told and fields["name"] in _CHIPS:
                _count(node, fields["name"], fields.get("type", ""), int(count))
