"""The tree of a topology as numbers: domains counted level by level, so that children and levels are ranges."""

import itertools
from collections import deque
from dataclasses import dataclass
from functools import cached_property

from cluster.topology import Domain, Health, Topology

ANY = "any"


@dataclass(frozen=True)
class Tree:
    """Domains 0 (the root), 1, ... in breadth-first order; the last level is the hosts.

    ``capacity[kind][domain]`` is the number of chips installed; the kind ``any`` counts all. ``absent`` hosts have none.
    """

    topology: Topology
    levels: tuple[str, ...]
    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    parent: tuple[int, ...]
    children: tuple[range, ...]
    at_level: tuple[range, ...]
    level_of: tuple[int, ...]
    capacity: dict[str, list[int]]
    health: dict[int, Health]

    @property
    def hosts(self) -> range:
        """The domains that are hosts."""
        return self.at_level[-1]

    @cached_property
    def number(self) -> dict[str, int]:
        """Domain by path; the root's path is empty."""
        return {path: domain for domain, path in enumerate(self.paths)}

    @cached_property
    def ancestors(self) -> tuple[tuple[int, ...], ...]:
        """For each domain the way to the root, itself first."""
        found: list[tuple[int, ...]] = []
        for domain, parent in enumerate(self.parent):
            found.append((domain, *found[parent]) if domain else (0,))
        return tuple(found)

    @cached_property
    def largest_supernode(self) -> dict[str, int]:
        """The most chips of a kind that one supernode has installed."""
        return {kind: max(self.capacity[kind][domain] for domain in self.at_level[-2]) for kind in self.kinds}

    def level(self, name: str) -> int:
        """The depth of a level by its name."""
        return self.levels.index(name)

    def hosts_under(self, domain: int) -> range:
        """The hosts of a domain: one range, as the numbering goes breadth first."""
        first = last = domain
        for _ in range(self.level_of[domain], len(self.levels) - 1):
            first, last = self.children[first].start, self.children[last].stop - 1
        return range(first, last + 1)

    def at(self, domain: int, level: int) -> int:
        """The ancestor of a domain at a level above it, or itself."""
        return self.ancestors[domain][self.level_of[domain] - level]

    def meeting(self, one: int, other: int) -> int:
        """The level where the ways of two domains to the root meet."""
        for level in range(min(self.level_of[one], self.level_of[other]), -1, -1):
            if self.at(one, level) == self.at(other, level):
                return level
        raise AssertionError("all domains have the root above them")


def build(topology: Topology) -> Tree:
    """Number the domains of a topology."""
    kinds = tuple(topology.kinds)
    last = len(topology.levels) - 1
    paths, parent, level_of, children = [""], [0], [0], []
    capacity: dict[str, list[int]] = {kind: [0] for kind in (*kinds, ANY)}
    waiting: deque[tuple[int, tuple[Domain, ...]]] = deque([(0, topology.tree)])
    while waiting:
        above, domains = waiting.popleft()
        prefix = f"{paths[above]}/" if above else ""
        first = len(paths)
        for domain in domains:
            for name in domain.names():
                if domain.of:
                    waiting.append((len(paths), domain.of))
                paths.append(prefix + name)
                parent.append(above)
                level_of.append(level_of[above] + 1)
                for kind in kinds:
                    capacity[kind].append(domain.chips.get(kind, 0))
                capacity[ANY].append(sum(domain.chips.values()))
        children.append(range(first, len(paths)))
    children += [range(0)] * (len(paths) - len(children))
    starts = [level_of.index(level) for level in range(last + 1)] + [len(paths)]
    tree = Tree(
        topology,
        topology.levels,
        kinds,
        tuple(paths),
        tuple(parent),
        tuple(children),
        tuple(range(start, stop) for start, stop in itertools.pairwise(starts)),
        tuple(level_of),
        capacity,
        {},
    )
    for path, health in topology.health.items():
        for host in tree.hosts_under(tree.number[path]):
            tree.health[host] = health
            if health == "absent":
                for counts in capacity.values():
                    counts[host] = 0
    for counts in capacity.values():
        for number in range(len(paths) - 1, 0, -1):
            counts[parent[number]] += counts[number]
    return tree
