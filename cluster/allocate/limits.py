"""Upper bounds on what may be taken of a domain now: reservations of others and power caps, in one form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.allocate.ledger import Counts
from cluster.tree import Tree


@dataclass(frozen=True, slots=True)
class Limits:
    """``most[d]`` chips may be taken of domain d; ``withheld[d]`` of d's free chips lie in limited domains below it."""

    most: Mapping[int, int]
    withheld: Mapping[int, int]
    why: Mapping[int, str]

    def room(self, free: Counts, domain: int) -> int:
        """What may be taken of a domain, bounds above it left out."""
        room = free[domain] - self.withheld.get(domain, 0)
        return min(room, self.most.get(domain, room))

    def room_here(self, free: Counts, ancestors: Sequence[int]) -> int:
        """What may be taken of a domain given as its way to the root."""
        room = free[ancestors[0]] - self.withheld.get(ancestors[0], 0)
        for domain in ancestors:
            if domain in self.most:
                room = min(room, self.most[domain])
        return room


NONE = Limits({}, {}, {})


def combine(tree: Tree, free: Counts, bounds: Sequence[tuple[int, int, str]]) -> Limits:
    """Limits from (domain, most chips, reason) bounds; the tightest of a domain counts."""
    if not bounds:
        return NONE
    most: dict[int, int] = {}
    why: dict[int, str] = {}
    for domain, chips, reason in bounds:
        if chips < most.get(domain, chips + 1):
            most[domain], why[domain] = max(chips, 0), reason
    withheld: dict[int, int] = {}
    # Deepest first: what a domain withholds from above counts what is withheld within it once.
    for domain in sorted(most, reverse=True):
        inside = withheld.get(domain, 0)
        beyond = free[domain] - inside - most[domain]
        if beyond > 0:
            for above in tree.ancestors[domain][1:]:
                withheld[above] = withheld.get(above, 0) + beyond
    return Limits(most, withheld, why)
