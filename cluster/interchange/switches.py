"""A forest of switches (blocks, HyperNodes) over nodes: checked, and read as the way to every node."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.topology import TopologyError


@dataclass
class Switch:
    """A switch as a file tells it: over other switches or over nodes; ``where`` is its place in the file."""

    name: str
    where: str
    children: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)


def define(switches: dict[str, Switch], switch: Switch) -> None:
    """Add a switch; a second one of its name is an error."""
    if switch.name in switches:
        raise TopologyError(
            f"{switch.where}: switch {switch.name} is given twice, first at {switches[switch.name].where}"
        )
    switches[switch.name] = switch


def ways(switches: Mapping[str, Switch], hub: str | None = None) -> tuple[str | None, dict[str, tuple[str, ...]]]:
    """The root's name, and for every node the switches on the way to it from below the root.

    The root is the switch called ``hub``, or without one the only switch that nothing is above.
    """
    parent = _parents(switches)
    tops = [name for name in switches if name not in parent]
    root = tops[0] if len(tops) == 1 and switches[tops[0]].children and hub in (None, tops[0]) else None
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    waiting: list[tuple[str, tuple[str, ...]]] = [(top, ()) for top in reversed(tops)]
    while waiting:
        name, above = waiting.pop()
        seen.add(name)
        path = above if name == root else (*above, name)
        switch = switches[name]
        for node in switch.nodes:
            if node in found:
                raise TopologyError(
                    f"{switch.where}: node {node} is under switch {name} and under {found[node][-1]}; "
                    "a node belongs to one leaf switch"
                )
            found[node] = path
        waiting += [(child, path) for child in reversed(switch.children)]
    if lost := next((name for name in switches if name not in seen), None):
        raise _circle(switches, parent, lost)
    return root, found


def _circle(switches: Mapping[str, Switch], parent: Mapping[str, str], name: str) -> TopologyError:
    """The error about the circle that a switch without a root is in or under."""
    way = [name]
    while parent[way[-1]] not in way:
        way.append(parent[way[-1]])
    circle = way[way.index(parent[way[-1]]) :]
    return TopologyError(
        f"{switches[circle[0]].where}: switches {', '.join(sorted(circle))} are above one another in a circle; "
        "every switch has one above it, up to a root"
    )


def _parents(switches: Mapping[str, Switch]) -> dict[str, str]:
    parent: dict[str, str] = {}
    for name, switch in switches.items():
        if switch.children and switch.nodes:
            raise TopologyError(
                f"{switch.where}: switch {name} has switches and nodes directly under it; "
                "put the nodes under a leaf switch of their own"
            )
        for child in switch.children:
            if child not in switches:
                raise TopologyError(
                    f"{switch.where}: switch {name} has an unknown switch {child} under it; define {child}"
                )
            if child in parent:
                raise TopologyError(
                    f"{switch.where}: switch {child} is under {name} and under {parent[child]}; a switch has one above it"
                )
            parent[child] = name
    return parent
