"""Reservations: chips that a domain must have free at a time, and what may start there before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cluster.allocate.running import Allocation
from cluster.tree import Tree


@dataclass(slots=True)
class Hold:
    """From ``start`` on, ``chips`` of a domain belong to ``name``; ``slack`` chips more may be held beyond that time.

    The slack counts out what bookings inside the domain take at the same time. ``first`` is false for what is kept free
    besides the chips that the gang itself wants.
    """

    name: str
    kind: str
    domain: int
    chips: int
    start: float
    slack: int
    end: float = float("inf")
    first: bool = True

    def binds(self, kind: str, start: float, end: float) -> bool:
        """Whether chips of the kind held over this time could be missing for the reservation."""
        return kind == self.kind and start < self.end and end > self.start

    def note(self, allocation: Allocation, sign: int) -> None:
        """Count chips that are (or are no longer) held beyond the start."""
        if allocation.ends > self.start and allocation.gang.name != self.name:
            self.slack -= sign * allocation.chips_in(self.domain, self.kind)

    def holds_within(self, other: "Hold", tree: Tree) -> bool:
        """Whether the other's chips are of this domain, at the same time."""
        level = tree.level_of[self.domain]
        return (
            tree.level_of[other.domain] >= level
            and tree.at(other.domain, level) == self.domain
            and self.binds(other.kind, other.start, other.end)
        )


def bounds(
    holds: Iterable[Hold], own: Sequence[Hold], name: str, kind: str, start: float, end: float, tree: Tree
) -> Iterator[tuple[int, int, str]]:
    """What the reservations of others leave to a gang, as (domain, most chips, reason); ``own`` are its bookings."""
    for hold in holds:
        if hold.name != name and hold.binds(kind, start, end):
            granted = sum(one.chips for one in own if hold.holds_within(one, tree))
            yield hold.domain, hold.slack + granted, hold.name


def earliest(
    tree: Tree, running: Iterable[Allocation], kinds: Sequence[str], level: int, missing: dict[int, int]
) -> tuple[float, int] | None:
    """When and in which domain of a level the missing chips come free first, if all that runs takes its full time.

    ``running`` are the allocations by their end, one of several kinds once for each; ``missing`` the chips by domain.
    """
    seen: set[str] = set()
    for allocation in running:
        if allocation.gang.name in seen:
            continue
        if len(allocation.given) > 1:
            seen.add(allocation.gang.name)
        for kind in kinds:
            for domain, count in allocation.by_domain(kind, level, tree) if kind in allocation.given else ():
                if domain in missing:
                    missing[domain] -= count
                    if missing[domain] <= 0:
                        return allocation.ends, domain
    return None
