"""What every format tells: hosts, each with its path and chips. Here they grow into a topology and come out of one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pydantic import ValidationError

from cluster.topology import ChipKind, Domain, Figure, Health, Link, Place, Topology, TopologyError

_HEADER = re.compile(r"^# ai4s hub=(\S+) levels=(\S+)(?: join=(\S+))?$", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_DEVICES: dict[str, Literal["cpu", "gpu", "npu"]] = {"core": "cpu", "npu": "npu"}


@dataclass(frozen=True)
class Host:
    """A host as a format tells it; ``path`` leads to it from below the root, its own name last."""

    path: tuple[str, ...]
    chips: Mapping[str, int]
    health: Health = "up"


@dataclass
class _Branch:
    children: dict[str, "_Branch"] = field(default_factory=dict)
    chips: Mapping[str, int] = field(default_factory=dict)

    def domains(self) -> tuple[Domain, ...]:
        return tuple(
            Domain(name=name, of=child.domains(), chips=dict(child.chips)) for name, child in self.children.items()
        )


def grow(
    hub: str,
    hosts: Sequence[Host],
    kinds: Mapping[str, ChipKind],
    source: str,
    levels: Sequence[str] = (),
    torus: tuple[int, ...] = (),
) -> Topology:
    """A topology of these hosts; paths of unlike length are padded above the supernode. ``source`` names it in errors."""
    if not hosts:
        raise TopologyError(f"{source}: there is no host in it; give switches or blocks with their nodes")
    depth = max(2, len(levels) - 1, *(len(host.path) for host in hosts))
    levels = levels if len(levels) == depth + 1 else level_names(depth)
    root, health = _Branch(), {}
    for host in hosts:
        path = _padded(host.path, depth)
        branch = root
        for name in path:
            if not _NAME.fullmatch(name):
                raise TopologyError(f"{source}: {name!r} cannot name a domain; use letters, digits, '_', '.' and '-'")
            branch = branch.children.setdefault(name, _Branch())
        if branch.chips:
            raise TopologyError(f"{source}: host {'/'.join(host.path)} is given twice; give every host once")
        branch.chips = host.chips
        if host.health != "up":
            health["/".join(path)] = host.health
    used = {kind for host in hosts for kind in host.chips}
    try:
        return Topology(
            name=hub,
            title=f"{hub}, from {source}",
            kinds={kind: kinds.get(kind) or unknown_kind(kind, source) for kind in sorted(used)},
            levels=tuple(levels),
            links=_assumed_links(levels, source, torus),
            tree=root.domains(),
            health=health,
        )
    except ValidationError as error:
        raise TopologyError(f"{source}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def level_names(depth: int) -> tuple[str, ...]:
    """Names for a root and ``depth`` levels under it."""
    above = ("cluster", "unit")[max(0, 4 - depth) :]
    more = (f"tier{number}" for number in range(depth, 4, -1))
    return ("hub", *more, *above, "supernode", "host")


def _padded(path: tuple[str, ...], depth: int) -> tuple[str, ...]:
    if len(path) == 1:
        path = ("flat", *path)
    # Names of their own, so that what is written out again still tells the padding from the switch.
    missing = (f"{path[-2]}.up{number}" for number in range(depth - len(path), 0, -1))
    return (*path[:-2], *missing, *path[-2:])


def unknown_kind(kind: str, source: str, device: str = "gpu") -> ChipKind:
    """A chip of which only the name is known: a placeholder for its memory, marked as assumed."""
    told = f"a placeholder: {source} does not tell a chip's memory"
    memory = Figure(value=1, unit="GiB", status="assumed", source=told)
    return ChipKind(title=kind, device=_DEVICES.get(device, "cpu" if kind == "core" else "gpu"), memory=memory)


def _assumed_links(levels: Sequence[str], source: str, torus: tuple[int, ...]) -> dict[str, Link]:
    told = f"assumed: {source} tells no figures of links"
    links: dict[str, Link] = {}
    for height, level in enumerate(reversed(levels)):
        bandwidth = Figure(value=(200, 50)[height] if height < 2 else 25, unit="GB/s", status="assumed", source=told)
        latency = Figure(value=1 + height, unit="us", status="assumed", source=told)
        links[level] = Link(bandwidth=bandwidth, latency=latency, torus=torus if level == "supernode" else ())
    return links


def present(topology: Topology) -> list[Place]:
    """The hosts that are there; what is absent has no place in other systems' files."""
    absent = {path for path, health in topology.health.items() if health == "absent"}
    if not absent:
        return list(topology.places())
    return [
        place
        for place in topology.places()
        if not any("/".join(place.path[:end]) in absent for end in range(1, len(place.path) + 1))
    ]


class Names:
    """One name for every domain: its own where all differ, else the names on the way to it, joined."""

    def __init__(self, topology: Topology, source: str, joined: bool = False) -> None:
        self.topology, self.places = topology, present(topology)
        self.join = self._separator(source) if joined or self._repeat() else ""

    @cached_property
    def domains(self) -> list[tuple[str, ...]]:
        """The paths of all domains above the hosts, parents first."""
        found = {place.path[:end]: None for place in self.places for end in range(1, len(place.path))}
        return sorted(found, key=len)

    def name(self, path: tuple[str, ...]) -> str:
        """The name of the domain or host at a path."""
        return self.join.join(path) if self.join else path[-1]

    def header(self) -> str:
        """The comment that lets a file be read back as the same tree."""
        join = f" join={self.join}" if self.join else ""
        return f"# ai4s hub={self.topology.name} levels={','.join(self.topology.levels)}{join}\n"

    def _repeat(self) -> bool:
        return any(
            len({path[-1] for path in paths}) < len(paths)
            for paths in (self.domains, [place.path for place in self.places])
        )

    def _separator(self, source: str) -> str:
        used = {name for place in self.places for name in place.path}
        for separator in ("-", ".", "_", "--", "..", "__"):
            if all(separator not in name and name == name.strip(separator) for name in used):
                return separator
        raise TopologyError(f"{source}: names of domains repeat and use '-', '.' and '_' so that no path can be told")


def header(texts: Iterable[str]) -> tuple[str, tuple[str, ...], str] | None:
    """Hub, levels and separator from the comment that our own files carry; None in others' files."""
    for text in texts:
        if found := _HEADER.search(text):
            return found[1], tuple(found[2].split(",")), found[3] or ""
    return None
