"""What changes under the gangs: chips, hosts and supernodes that break or come back, and a hub that grows."""

from dataclasses import dataclass, replace
from typing import Literal

from cluster.allocate.admit import wait
from cluster.allocate.allocator import Allocator
from cluster.allocate.fit import find
from cluster.allocate.gang import Gang, Refused
from cluster.allocate.ledger import Ledger
from cluster.allocate.outages import Chips
from cluster.allocate.passes import requeue
from cluster.allocate.running import Allocation
from cluster.allocate.view import view
from cluster.topology import Topology
from cluster.tree import Tree, build

Given = dict[str, list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Affected:
    """A gang that lost chips: replaced from its spares, waiting again, or refused as the hub can no longer hold it."""

    name: str
    chips: int
    what: Literal["replaced", "waiting", "refused"]


def fail(allocator: Allocator, path: str, now: float, *, chips: int | None = None) -> list[Affected]:
    """Take a domain, or the first ``chips`` chips of it, out of service; gangs on them lose those chips."""
    broken = _take_out(allocator, path, chips)
    return _recover_all(allocator, broken, now)


def drain(allocator: Allocator, path: str, *, chips: int | None = None) -> None:
    """Take a domain out of service for new gangs; those that run go on."""
    _take_out(allocator, path, chips)


def repair(allocator: Allocator, path: str) -> None:
    """End an outage of a domain. Chips that another outage covers stay out of service."""
    _known(allocator, path)
    for (kind, host), bits in allocator.outages.end(path).items():
        allocator.ledger.bring_back(host, kind, bits)
    _absorb(allocator)
    allocator.changed()


def _take_out(allocator: Allocator, path: str, chips: int | None) -> Chips:
    _known(allocator, path)
    broken = allocator.outages.begin(path, chips)
    for (kind, host), bits in broken.items():
        allocator.ledger.take_out(host, kind, bits)
    allocator.changed()
    return broken


def _known(allocator: Allocator, path: str) -> None:
    if path not in allocator.tree.number:
        raise Refused(f"there is no domain {path!r} in {allocator.topology.name}")


def _recover_all(allocator: Allocator, broken: Chips, now: float) -> list[Affected]:
    lost = {
        name: {
            kind: hit
            for kind, pairs in one.given.items()
            if (hit := [(host, bad) for host, bits in pairs if (bad := bits & broken.get((kind, host), 0))])
        }
        for name, one in allocator.running.items()
    }
    return [_recover(allocator, allocator.running[name], of_gang, now) for name, of_gang in lost.items() if of_gang]


def _recover(allocator: Allocator, allocation: Allocation, lost: Given, now: float) -> Affected:
    """Replace lost chips inside the gang's level where its spares allow, else let it start anew."""
    gang = allocation.gang
    count = sum(bits.bit_count() for pairs in lost.values() for _, bits in pairs)
    # Equal shares, whole groups and domains of its own would not survive a replacement one by one.
    simple = not gang.groups and gang.exclusive is None and gang.mode == "tight" and len(allocation.given) == 1
    if simple and count <= allocation.spares and _replace(allocator, allocation, lost[allocation.kinds[0]], count, now):
        allocation.spares -= count
        allocation.notes.append(f"{count:,} chips replaced at {now:,.0f} s")
        known = allocator.decisions[gang.name]
        level = allocator.tree.level_of[allocation.container]
        spans = allocation.spans(len(allocator.tree.levels) - 2, allocator.tree)
        allocator.decisions[gang.name] = replace(
            known, container=allocation.container, level=level, spans=spans, notes=tuple(allocation.notes)
        )
        return Affected(gang.name, count, "replaced")
    waits = requeue(allocator, gang.name, now, f"lost {count:,} chips")
    return Affected(gang.name, count, "waiting" if waits else "refused")


def _replace(allocator: Allocator, allocation: Allocation, lost: list[tuple[int, int]], count: int, now: float) -> bool:
    """Exchange chips for others as near as possible, never outside the level that was asked for."""
    tree, kind, gang = allocator.tree, allocation.kinds[0], allocation.gang
    here = allocation.container
    widest = max(
        tree.level(gang.required) if gang.required else 0,
        min(tree.level(gang.preferred), tree.level_of[here]) if gang.preferred else 0,
    )
    asked = Gang(name=gang.name, chips=count)
    for inside in tree.ancestors[here]:
        if tree.level_of[inside] < widest:
            return False
        terms = allocator.terms(gang, (kind,), now, allocation.ends)
        fit = find(view(allocator.ledger, asked, (kind,), terms), asked, tree.level_of[inside], inside)
        if fit is not None:
            break
    else:
        return False
    given, _ = allocator.ledger.take(kind, fit.shares)
    allocator.ledger.give_back(kind, lost)
    merged = dict(allocation.given[kind])
    for host, bits in lost:
        merged[host] &= ~bits
    for host, bits in given:
        merged[host] = merged.get(host, 0) | bits
    allocation.given[kind] = [(host, bits) for host, bits in sorted(merged.items()) if bits]
    allocation.parts[kind] = _parts(tree, allocation.given[kind])
    allocation.container = inside
    allocator.changed()
    return True


def _parts(tree: Tree, pairs: list[tuple[int, int]]) -> dict[int, int]:
    parts: dict[int, int] = {}
    for host, bits in pairs:
        for domain in tree.ancestors[host][1:]:
            parts[domain] = parts.get(domain, 0) + bits.bit_count()
    return parts


def _absorb(allocator: Allocator) -> None:
    """Give chips that came up in a gang's own domains to that gang, as nobody else may be there; not charged."""
    tree, ledger = allocator.tree, allocator.ledger
    for allocation in allocator.running.values():
        if allocation.gang.exclusive is None:
            continue
        level = tree.level(allocation.gang.exclusive)
        domains = {tree.at(host, level) for host in allocation.hosts()}
        for kind in tree.kinds:
            free = ledger.free[kind]
            shares = [(host, free[host]) for at in domains if free[at] for host in tree.hosts_under(at) if free[host]]
            if shares:
                merged = dict(allocation.given.get(kind, ()))
                for host, bits in ledger.take(kind, shares)[0]:
                    merged[host] = merged.get(host, 0) | bits
                allocator.extend(allocation, kind, sorted(merged.items()), _parts(tree, sorted(merged.items())))


def apply(allocator: Allocator, topology: Topology, now: float) -> list[Affected]:
    """Let the hub be what a topology says, while gangs run: growth, new hosts, hosts taken away.

    Applying the same topology again changes nothing. What happened to break stays out of service. A gang keeps its very
    chips; one whose host is no longer there, or is declared down, waits again. Both may happen to a gang that must wait
    and then turns out to be too large.
    """
    if topology == allocator.topology:
        return []
    tree, old_tree = build(topology), allocator.tree
    ledger = Ledger(tree)
    outages = allocator.outages.moved(tree)
    for (kind, host), bits in outages.covered().items():
        ledger.take_out(host, kind, bits)
    gone = [name for name, one in allocator.running.items() if _moved(one, old_tree, tree, ledger) is None]
    affected = [Affected(name, allocator.running[name].held, "waiting") for name in gone]
    for name in gone:
        requeue(allocator, name, now, "its host was taken away")
    allocator.replant(topology, tree, ledger, outages)
    for allocation in allocator.running.values():
        allocation.given = _moved(allocation, old_tree, tree, ledger) or {}
        allocation.parts = {kind: ledger.claim(kind, pairs) for kind, pairs in allocation.given.items()}
        allocation.container = tree.number.get(old_tree.paths[allocation.container], 0)
    _renumber(allocator, old_tree)
    affected += _readmit(allocator)
    _absorb(allocator)
    allocator.changed()
    return [*affected, *_recover_all(allocator, _down(tree), now)]


def _moved(allocation: Allocation, old: Tree, tree: Tree, ledger: Ledger) -> Given | None:
    """An allocation's chips by host of the new tree; None where one is no longer there."""
    found: Given = {}
    for kind, pairs in allocation.given.items():
        if kind not in tree.kinds:
            return None
        found[kind] = [(tree.number.get(old.paths[host], 0), bits) for host, bits in pairs]
        if any(host not in tree.hosts or bits & ~ledger.installed(kind, host) for host, bits in found[kind]):
            return None
    return found


def _renumber(allocator: Allocator, old: Tree) -> None:
    """Let the records of what was decided name the domains of the new tree."""
    number = allocator.tree.number
    for name, decision in allocator.decisions.items():
        container = number.get(old.paths[decision.container], 0)
        if container != decision.container:
            allocator.decisions[name] = replace(decision, container=container, level=allocator.tree.level_of[container])


def _readmit(allocator: Allocator) -> list[Affected]:
    """Judge what waits by the new hub."""
    refused = []
    waiting = sorted(allocator.queue.by_name.values(), key=lambda one: one.number)
    allocator.fresh, allocator.wakes = [], []
    for pending in waiting:
        allocator.queue.remove(pending.gang.name)
        try:
            again = wait(allocator, pending.gang, pending.since, pending.number, pending.notes, again=True)
            again.first_bound = pending.first_bound
        except Refused:
            refused.append(Affected(pending.gang.name, pending.gang.chips, "refused"))
    return refused


def _down(tree: Tree) -> Chips:
    """Chips of hosts that the file declares down: unlike draining ones, nobody goes on there."""
    return {
        (kind, host): (1 << tree.capacity[kind][host]) - 1
        for host, health in tree.health.items()
        if health == "down"
        for kind in tree.kinds
    }
