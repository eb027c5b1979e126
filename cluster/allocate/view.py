"""What one gang sees of the hub: the free chips of its kinds, less what reservations, power and exclusiveness forbid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.allocate.gang import Gang
from cluster.allocate.ledger import Counts, Ledger, LevelIndex
from cluster.allocate.limits import NONE, Limits, combine
from cluster.tree import Tree

Bounds = Sequence[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What others leave: (domain, most chips, reason) by kind, and (domain, watts above idle) by power cap."""

    chips: Mapping[str, Bounds] = field(default_factory=dict)
    watts: Sequence[tuple[int, float]] = ()
    rise_w: Mapping[str, float] = field(default_factory=dict)

    def caps(self, kinds: Sequence[str]) -> list[tuple[int, int, str]]:
        """The power caps as chips: of several kinds, all count as the hungriest."""
        each = max(self.rise_w[kind] for kind in kinds) if self.watts else 0.0
        return [(domain, int(max(watts, 0) // each), "power") for domain, watts in self.watts] if each else []


FREE = Terms()


class Summed:
    """Counts of several kinds by domain, added up where somebody looks."""

    def __init__(self, counts: Sequence[Sequence[int]]) -> None:
        self.counts = counts

    def __getitem__(self, domain: int) -> int:
        return sum([counts[domain] for counts in self.counts])


@dataclass(slots=True)
class View:
    """The chips that a gang may get. ``rooms`` has them by kind and domain where they are not simply the free ones."""

    ledger: Ledger
    tree: Tree
    free: Counts
    index: Sequence[LevelIndex]
    shape: dict[int, list[int]] | None
    limits: Limits = NONE
    rooms: dict[str, list[int]] | None = None

    def room(self, domain: int) -> int:
        """Chips that may be taken of a domain, bounds above it left out."""
        if self.limits is NONE:
            return self.free[domain]
        return self.limits.room(self.free, domain)

    def allows(self, domain: int, chips: int) -> bool:
        """Whether all bounds on a domain and above it leave so many chips."""
        if self.limits is NONE or self.free[domain] < chips:
            return self.free[domain] >= chips
        return self.limits.room_here(self.free, self.tree.ancestors[domain]) >= chips

    def host_fits(self, supernode: int, chips: int) -> bool:
        """Whether a host of the supernode has so many free chips."""
        if self.shape is None:
            return any(self.free[host] >= chips for host in self.tree.children[supernode])
        return any(self.shape[supernode][chips:])

    def by_kind(
        self, gang: Gang, kinds: Sequence[str], shares: Sequence[tuple[int, int]]
    ) -> dict[str, list[tuple[int, int]]]:
        """A fit's chips by kind; with an exclusive level, the rest of the domains it touches as well."""
        if gang.exclusive is not None:
            level, free = self.tree.level(gang.exclusive), self.ledger.free
            touched = sorted({self.tree.at(host, level) for host, _ in shares})
            hosts = [host for domain in touched for host in self.tree.hosts_under(domain)]
            whole = {kind: [(host, counts[host]) for host in hosts if counts[host]] for kind, counts in free.items()}
            return {kind: pairs for kind, pairs in whole.items() if pairs}
        if self.rooms is None:
            return {kinds[0]: list(shares)}
        found: dict[str, list[tuple[int, int]]] = {}
        for host, chips in shares:
            for kind in kinds:
                count = min(chips, self.rooms[kind][host])
                if count:
                    found.setdefault(kind, []).append((host, count))
                    chips -= count
        return found


def view(ledger: Ledger, gang: Gang, kinds: Sequence[str], terms: Terms = FREE) -> View:
    """What a gang sees of the kinds together. Of one kind it is the ledger itself, which costs nothing."""
    tree = ledger.tree
    if len(kinds) == 1 and gang.exclusive is None:
        kind = kinds[0]
        free, bound = ledger.free[kind], [*terms.chips.get(kind, ()), *terms.caps(kinds)]
        return View(ledger, tree, free, ledger.index[kind], ledger.shape[kind], combine(tree, free, bound))
    if gang.exclusive is not None:
        rooms = _unused(ledger, kinds, tree.level(gang.exclusive), terms)
        bound = []  # whole domains were judged, the gang's share of them is less
    else:
        rooms = {kind: _clamped(ledger, kind, terms.chips.get(kind, ())) for kind in kinds}
        bound = terms.caps(kinds)
    total = Summed(list(rooms.values()))
    index = [LevelIndex(domains, total) for domains in tree.at_level[:-1]]
    return View(ledger, tree, total, index, None, combine(tree, total, bound), rooms)


def _clamped(ledger: Ledger, kind: str, bounds: Bounds) -> list[int]:
    """Free chips by domain, cut back host by host until every bound holds whatever is taken of them."""
    free = ledger.free[kind]
    left = free.copy() if bounds else free
    for domain, most, _ in sorted(bounds, reverse=True):  # deepest first: cutting further above breaks nothing below
        beyond = left[domain] - max(most, 0)
        for host in reversed(ledger.tree.hosts_under(domain)):
            if beyond <= 0:
                break
            if left[host]:
                beyond -= _cut(ledger.tree, left, host, min(beyond, left[host]))
    return left


def _cut(tree: Tree, counts: list[int], host: int, chips: int) -> int:
    """Take chips of a host out of the counts of its domains."""
    for domain in tree.ancestors[host]:
        counts[domain] -= chips
    return chips


def _unused(ledger: Ledger, kinds: Sequence[str], level: int, terms: Terms) -> dict[str, list[int]]:
    """Free chips of each kind in domains of a level that no gang uses and that may be taken whole.

    Whole means chips of all kinds, and for power those too that may be repaired later.
    """
    tree = ledger.tree
    spare = _Spare(ledger, terms, level)
    rooms = {kind: ledger.free[kind].copy() for kind in kinds}
    held = [(ledger.up[kind], ledger.free[kind], ledger.stuck[kind]) for kind in tree.kinds]
    for domain in sorted({at for counts in rooms.values() for at in tree.at_level[level] if counts[at]}):
        used = any(up[domain] != free[domain] or (stuck and stuck.get(domain)) for up, free, stuck in held)
        if used or not spare.takes(domain):
            for counts in rooms.values():
                for host in tree.hosts_under(domain) if counts[domain] else ():
                    _cut(tree, counts, host, counts[host])
    return rooms


class _Spare:
    """What bounds leave to somebody who takes whole domains of a level, one after the other."""

    def __init__(self, ledger: Ledger, terms: Terms, level: int) -> None:
        self.ledger, self.terms = ledger, terms
        self.left: dict[tuple[str, int], float] = {}
        for kind, bounds in terms.chips.items():
            for at, most, _ in bounds:
                self.left[kind, at] = min(most, self.left.get((kind, at), most))
        self.left |= {("", at): watts for at, watts in terms.watts}
        self.inside: dict[int, list[tuple[str, int]]] = {}
        self.above: dict[int, list[tuple[str, int]]] = {}
        for key in self.left:
            deep = ledger.tree.level_of[key[1]] >= level
            of = self.inside if deep else self.above
            of.setdefault(ledger.tree.at(key[1], level) if deep else key[1], []).append(key)

    def takes(self, domain: int) -> bool:
        """Whether the bounds leave a whole domain; what it uses of those above it is counted."""
        if not self.left:
            return True
        above = [key for at in self.ledger.tree.ancestors[domain] for key in self.above.get(at, ())]
        need = {key: self._use(key[0], domain) for key in above}
        need |= {key: self._use(*key) for key in self.inside.get(domain, ())}
        if any(need[key] > self.left[key] for key in need):
            return False
        for key in above:
            self.left[key] -= need[key]
        return True

    def _use(self, kind: str, domain: int) -> float:
        """What taking a whole domain uses of a bound on a kind, or of a power cap."""
        if kind:
            return self.ledger.free[kind][domain]
        capacity = self.ledger.tree.capacity
        return sum(capacity[one][domain] * rise for one, rise in self.terms.rise_w.items())
