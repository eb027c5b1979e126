"""What runs: the chips of a gang, by host and by domain; and the record that stays when it has ended."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.allocate.gang import Gang
from cluster.tree import Tree


@dataclass(slots=True, eq=False)
class Allocation:
    """A placed gang. ``given`` has the chips' bits by host and kind; ``parts`` the counts by domain above the hosts.

    ``held`` counts the chips that its project pays for, those withheld for exclusiveness as well. ``ends`` is the latest
    expected end, seconds. ``number`` is its place in the order of arrival, ``kwh`` the energy committed for it.
    """

    gang: Gang
    kinds: tuple[str, ...]
    container: int
    given: dict[str, list[tuple[int, int]]]
    parts: dict[str, dict[int, int]]
    held: int
    submitted: float
    started: float
    ends: float
    speed: float
    speeds: dict[str, float]
    spares: int = 0
    notes: list[str] = field(default_factory=list)
    number: int = 0
    kwh: float = 0.0

    def chips_in(self, domain: int, kind: str) -> int:
        """How many of its chips of a kind lie in a domain."""
        counts = self.parts.get(kind)
        if counts is None:
            return 0
        found = counts.get(domain)
        if found is None:
            return next((bits.bit_count() for host, bits in self.given[kind] if host == domain), 0)
        return found

    def by_domain(self, kind: str, level: int, tree: Tree) -> Iterable[tuple[int, int]]:
        """(domain, chips) at a level."""
        if level == len(tree.levels) - 1:
            return [(host, bits.bit_count()) for host, bits in self.given[kind]]
        of_level = tree.at_level[level]
        return [(domain, chips) for domain, chips in self.parts[kind].items() if domain in of_level]

    def hosts(self) -> list[int]:
        """Its hosts, each once."""
        return sorted({host for pairs in self.given.values() for host, _ in pairs})

    def spans(self, level: int, tree: Tree) -> int:
        """How many domains of a level it touches."""
        return len({domain for kind in self.given for domain, _ in self.by_domain(kind, level, tree)})


@dataclass(frozen=True, slots=True)
class Decision:
    """A placement. ``spans`` counts the supernodes touched; fewer than ``fewest`` could not hold it on an empty hub."""

    name: str
    chips: int
    kinds: tuple[str, ...]
    container: int
    level: int
    spans: int
    fewest: int
    submitted: float
    started: float
    first_bound: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, allocation: Allocation, first_bound: str, tree: Tree) -> "Decision":
        """Note a placement."""
        gang, kinds = allocation.gang, allocation.kinds
        largest = sum(tree.largest_supernode[kind] for kind in kinds)
        return cls(
            gang.name,
            gang.chips,
            kinds,
            allocation.container,
            tree.level_of[allocation.container],
            allocation.spans(len(tree.levels) - 2, tree),
            -(-gang.chips // largest),
            allocation.submitted,
            allocation.started,
            first_bound,
            tuple(allocation.notes),
        )
