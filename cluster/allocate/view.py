"""What one gang sees of the hub: the free chips of its kinds, less what reservations, power and exclusiveness forbid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.allocate.gang import Gang
from cluster.allocate.ledger import Ledger, LevelIndex
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


@dataclass(slots=True)
class View:
    """The chips that a gang may get. ``rooms`` has them by kind and domain where they are not simply the free ones."""

    ledger: Ledger
    tree: Tree
    free: Sequence[int]
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
        usable = _unused(ledger, kinds, tree.level(gang.exclusive), terms)
        hosts = [host for domain in usable for host in tree.hosts_under(domain)]
        rooms = {kind: _summed(tree, {host: ledger.free[kind][host] for host in hosts}) for kind in kinds}
        limits = NONE  # whole domains were judged, the gang's share of them is less
    else:
        rooms = {kind: _clamped(ledger, kind, terms.chips.get(kind, ())) for kind in kinds}
    total = [sum(counts) for counts in zip(*rooms.values(), strict=True)]
    if gang.exclusive is None:
        limits = combine(tree, total, terms.caps(kinds))
    index = [LevelIndex(domains, total) for domains in tree.at_level[:-1]]
    return View(ledger, tree, total, index, None, limits, rooms)


def _clamped(ledger: Ledger, kind: str, bounds: Bounds) -> list[int]:
    """Free chips by domain, cut back host by host until every bound holds whatever is taken of them."""
    tree, free = ledger.tree, ledger.free[kind]
    if not bounds:
        return free
    hosts = {host: free[host] for host in tree.hosts}
    for domain, most, _ in sorted(bounds, reverse=True):  # deepest first: cutting further above breaks nothing below
        beyond = sum(hosts[host] for host in tree.hosts_under(domain)) - max(most, 0)
        for host in reversed(tree.hosts_under(domain)):
            if beyond <= 0:
                break
            cut = min(beyond, hosts[host])
            hosts[host] -= cut
            beyond -= cut
    return _summed(tree, hosts)


def _unused(ledger: Ledger, kinds: Sequence[str], level: int, terms: Terms) -> list[int]:
    """Domains of a level that no gang uses and that may be taken whole, all kinds of chip and later repairs included."""
    tree, found = ledger.tree, []
    left: dict[tuple[str, int], float] = {
        (kind, at): most for kind, bounds in terms.chips.items() for at, most, _ in sorted(bounds, reverse=True)
    }
    left |= {("", at): watts for at, watts in terms.watts}
    for domain in tree.at_level[level]:
        wanted = any(ledger.free[kind][domain] for kind in kinds)
        if not wanted or any(ledger.held(kind, domain) for kind in tree.kinds):
            continue
        inside = [key for key in left if _within(tree, key[1], domain)]
        above = [key for key in left if key not in inside and _within(tree, domain, key[1])]
        # The deeper of two domains has the higher number: a bound inside counts its own chips, one above all of these.
        need = {key: _use(ledger, terms, key[0], max(key[1], domain)) for key in (*inside, *above)}
        if all(need[key] <= left[key] for key in need):
            found.append(domain)
            for key in above:
                left[key] -= need[key]
    return found


def _use(ledger: Ledger, terms: Terms, kind: str, domain: int) -> float:
    """What taking a whole domain uses of a bound on a kind, or of a power cap."""
    if kind:
        return ledger.free[kind][domain]
    return sum(ledger.tree.capacity[one][domain] * rise for one, rise in terms.rise_w.items())


def _within(tree: Tree, domain: int, other: int) -> bool:
    return tree.level_of[domain] >= tree.level_of[other] and tree.at(domain, tree.level_of[other]) == other


def _summed(tree: Tree, hosts: Mapping[int, int]) -> list[int]:
    """Chips by domain from chips by host."""
    counts = [0] * len(tree.paths)
    for host, count in hosts.items():
        for domain in tree.ancestors[host]:
            counts[domain] += count
    return counts
