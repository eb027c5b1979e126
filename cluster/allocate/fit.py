"""Where a gang fits: the lowest level that holds it, the tightest domain there, the fewest domains within."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cluster.allocate.gang import Gang
from cluster.allocate.limits import NONE
from cluster.allocate.torus import box
from cluster.allocate.view import View

Shares = list[tuple[int, int]]
Room = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Fit:
    """Chips by host inside one container domain."""

    container: int
    shares: Sequence[tuple[int, int]]


def find(view: View, gang: Gang, widest: int, inside: int = 0) -> Fit | None:
    """The tightest place for a gang within one domain of level ``widest`` or below; None where there is none.

    It lies inside the domain ``inside``, which is the whole hub unless told otherwise.
    """
    chips, tree = gang.chips, view.tree
    widest = max(widest, tree.level_of[inside])
    # A gang without groups fits somewhere if and only if it fits a domain of the widest level: a search in vain ends here.
    if next(_domains(view, chips, min(widest, len(view.index) - 1), inside), None) is None:
        return None
    room = _Groups(view, gang).capacity if gang.groups else None
    if gang.mode != "tight" and widest < tree.level(gang.over):  # inside one domain there is nothing to share
        return _even(view, gang, widest, inside, room)
    for container in _containers(view, chips, widest, inside, room):
        found: Shares = []
        _fill(view, room, container, chips, found)
        return Fit(container, found)
    return None


def _domains(view: View, chips: int, level: int, inside: int) -> Iterator[int]:
    """Domains of a level above the hosts that have so many chips, the tightest first."""
    tree = view.tree
    for domain in view.index[level].ascending(chips):
        if view.allows(domain, chips) and (
            not inside or tree.at(domain, min(level, tree.level_of[inside])) in tree.ancestors[inside]
        ):
            yield domain


def _containers(view: View, chips: int, widest: int, inside: int, room: Room | None) -> Iterator[int]:
    """Domains that hold all chips, from the lowest level up, the tightest first."""
    last = len(view.tree.levels) - 1
    for level in range(last, widest - 1, -1):
        if level == last:
            yield from _hosts(view, chips, inside, room)
            continue
        for domain in _domains(view, chips, level, inside):
            if room is None or room(domain) >= chips:
                yield domain


def _hosts(view: View, chips: int, inside: int, room: Room | None) -> Iterator[int]:
    """Single hosts that hold all chips: of the tightest supernode first, so that small gangs stay packed."""
    tree = view.tree
    if view.shape is not None and chips >= len(next(iter(view.shape.values()))):
        return
    for supernode in _domains(view, chips, len(view.index) - 1, inside):
        if not view.host_fits(supernode, chips):
            continue
        hosts = (inside,) if inside in tree.hosts else tree.children[supernode]
        fitting = sorted((view.free[host], host) for host in hosts if view.free[host] >= chips)
        # Where nothing but free chips counts, the tightest will do.
        for _, host in fitting if room or view.limits is not NONE else fitting[:1]:
            if view.allows(host, chips) and (room is None or room(host) >= chips):
                yield host


def _fill(view: View, room: Room | None, domain: int, chips: int, found: Shares) -> None:
    """Spread chips below a domain that holds them: the largest children first, the last one tight."""
    children = view.tree.children[domain]
    if not children:
        found.append((domain, chips))
        return
    if room is None and view.limits is NONE:
        free = view.free
        if free[domain] == chips:
            found.extend((host, free[host]) for host in view.tree.hosts_under(domain) if free[host])
            return
        rooms = [(free[child], child) for child in children if free[child]]
    else:
        able = room or view.room
        rooms = [(have, child) for child in children if (have := able(child)) > 0]
    for child, count in _shares(view, domain, rooms, chips):
        _fill(view, room, child, count, found)


def _shares(view: View, domain: int, rooms: Shares, chips: int) -> Shares:
    """Which children give how many: on a torus a box of whole ones where there is one, else the fewest children."""
    tree = view.tree
    link = tree.topology.links.get(tree.levels[tree.level_of[domain]])
    if link is not None and link.torus:
        boxed = box(link.torus, tree.children[domain].start, rooms, chips)
        if boxed:
            return boxed
    rooms.sort(key=_largest_first)
    shares, left = [], chips
    for position, (have, child) in enumerate(rooms):
        if have <= left:
            shares.append((child, have))
            left -= have
            if not left:
                break
        else:
            shares.append((_tightest(rooms, position, left), left))
            break
    return shares


def _largest_first(room: tuple[int, int]) -> tuple[int, int]:
    return -room[0], room[1]


def _tightest(rooms: Shares, position: int, left: int) -> int:
    """The smallest child from a position on (they are in falling order) that still holds what is left."""
    low, high = position, len(rooms) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if rooms[middle][0] >= left:
            low = middle
        else:
            high = middle - 1
    size = rooms[low][0]
    while low > position and rooms[low - 1][0] == size:
        low -= 1
    return rooms[low][1]


def _even(view: View, gang: Gang, widest: int, inside: int, room: Room | None) -> Fit | None:
    """Equal shares: over as few domains as hold them (balanced), or over as many as there are (spread).

    Balanced starts from the lowest level that holds the gang, spread from the widest it may use.
    """
    tree, able = view.tree, room or view.room
    over = tree.level(gang.over)
    levels = range(widest, min(over, len(view.index) - 1) + 1)
    for level in reversed(levels) if gang.mode == "balanced" else levels:
        best: tuple[int, int, Shares] | None = None
        for container in _domains(view, gang.chips, level, inside):
            rooms = {domain: able(domain) for domain in _below(view, container, over)}
            _cut(view, rooms, over, able)
            shares = _equal(gang, sorted(((have, at) for at, have in rooms.items() if have > 0), key=_largest_first))
            if shares and (best is None or len(shares) > best[0]):
                best = len(shares), container, shares
            if best and gang.mode == "balanced":
                break
        if best:
            found: Shares = []
            for domain, share in best[2]:
                _fill(view, room, domain, share, found)
            return Fit(best[1], found)
    return None


def _below(view: View, domain: int, level: int) -> range:
    """The domains of a level inside a domain."""
    first = last = domain
    for _ in range(view.tree.level_of[domain], level):
        first, last = view.tree.children[first].start, view.tree.children[last].stop - 1
    return range(first, last + 1)


def _cut(view: View, rooms: dict[int, int], over: int, able: Room) -> None:
    """Cut rooms back to what bounds between the container and its parts leave of them."""
    for bound in sorted(view.limits.most, reverse=True):
        if view.tree.level_of[bound] < over:
            inside = [domain for domain in _below(view, bound, over) if domain in rooms]
            beyond = sum(rooms[domain] for domain in inside) - able(bound)
            for domain in inside:
                cut = min(max(beyond, 0), rooms[domain])
                rooms[domain] -= cut
                beyond -= cut


def _equal(gang: Gang, rooms: Shares) -> Shares:
    """Shares of whole groups that differ by one group at most, for domains in falling order; [] where there are none."""
    quantum = gang.groups[0].chips if gang.groups else 1
    groups = gang.chips // quantum
    counts = range(1, min(len(rooms), groups) + 1)
    for count in counts if gang.mode == "balanced" else reversed(counts):
        base, more = divmod(groups, count)
        larger, smaller = (base + 1) * quantum, base * quantum
        if rooms[count - 1][0] >= smaller and (not more or rooms[more - 1][0] >= larger):
            return [(at, larger if place < more else smaller) for place, (_, at) in enumerate(rooms[:count])]
    return []


class _Groups:
    """What a domain can give to a gang that is made of groups."""

    def __init__(self, view: View, gang: Gang) -> None:
        self.view = view
        self.sizes = sorted((view.tree.level(group.level), group.chips) for group in gang.groups)
        self.known: dict[int, int] = {}

    def capacity(self, domain: int) -> int:
        """Chips of the domain in whole groups."""
        found = self.known.get(domain)
        if found is None:
            found = self.known[domain] = self._capacity(domain)
        return found

    def _capacity(self, domain: int) -> int:
        view = self.view
        level, room, deepest = view.tree.level_of[domain], view.room(domain), self.sizes[-1][0]
        # A bound from above may cut a group in two: only whole ones count.
        inner = next((chips for depth, chips in self.sizes if depth >= level), 1)
        if level < deepest and room >= inner:
            children = view.tree.children[domain]
            if view.shape is not None and domain in view.shape and domain not in view.limits.withheld:
                size = self.sizes[-1][1]
                inside = sum(hosts * (free // size * size) for free, hosts in enumerate(view.shape[domain]))
            else:
                inside = sum(self.capacity(child) for child in children)
            room = min(room, inside)
        return room // inner * inner
