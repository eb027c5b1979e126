"""The earliest start that can be promised to a gang that waits, and the chips that must be kept for it until then."""

from collections.abc import Sequence
from heapq import merge

from cluster.allocate.fit import Fit, find
from cluster.allocate.holds import Hold, earliest
from cluster.allocate.ledger import Ledger
from cluster.allocate.queue import Pending
from cluster.allocate.running import Allocation
from cluster.allocate.state import State
from cluster.allocate.view import Summed, View, view

# What could start now but for gangs that run too long is promised anew after so many seconds.
AGAIN_S = 60.0


def promise(state: State, pending: Pending, now: float) -> list[Hold]:
    """Reservations that let a gang start as early as possible; the first is on the chips it wants. [] where none would do.

    Where only a number of chips in a domain counts, so many are held there. With groups, domains of its own, bookings or
    power caps, the domains that it would start in are kept for it.
    """
    plain = pending.shape is None and not state.power.binding and not state.booked
    held = {hold.kind for hold in state.holds}
    holds: list[Hold] = []
    for kinds in pending.choices:
        if plain and held.isdisjoint(kinds):
            option = _counted(state, pending, kinds, now)
        else:
            option = _rehearsed(state, pending, kinds, now, before=holds[0].start if holds else float("inf"))
        if option and (not holds or option[0].start < holds[0].start):
            holds = option
    for hold in holds:
        hold.start = hold.start if hold.start > now else now + AGAIN_S
    return holds


def _counted(state: State, pending: Pending, kinds: tuple[str, ...], now: float) -> list[Hold]:
    """Holds on so many chips of one domain, of each kind as many as it will have."""
    tree, ledger, level, chips = state.tree, state.ledger, pending.widest(now), pending.chips
    free, up = Summed([ledger.free[kind] for kind in kinds]), Summed([ledger.up[kind] for kind in kinds])
    missing = {domain: chips - free[domain] for domain in tree.at_level[level] if up[domain] >= chips}
    if not missing:
        return []
    running = {kind: [one for _, _, one in state.by_end[kind]] for kind in kinds}
    domain, start = min(missing, key=lambda one: missing[one]), now
    if missing[domain] > 0:
        found = earliest(
            tree, merge(*running.values(), key=_ends) if len(kinds) > 1 else running[kinds[0]], kinds, level, missing
        )
        if found is None:
            return []
        start, domain = max(found[0], now), found[1]
    holds, left = [], chips
    for kind in kinds:
        released = sum(one.chips_in(domain, kind) for one in running[kind] if one.ends <= start)
        will_be_free = ledger.free[kind][domain] + released
        wanted = min(left, will_be_free)
        left -= wanted
        if wanted:
            holds.append(Hold(pending.gang.name, kind, domain, wanted, start, will_be_free - wanted))
    return holds


def _ends(allocation: Allocation) -> float:
    return allocation.ends


def _rehearsed(state: State, pending: Pending, kinds: tuple[str, ...], now: float, before: float) -> list[Hold]:
    """Let what runs end on a copy of the ledger until the gang fits, if that is before a time.

    Once chips enough are free it looks after 1, 2, 4 ... further ends, so it may promise a start later than the earliest.
    """
    gang, lasts = pending.gang, max(pending.lasts[kind] for kind in kinds)
    bookings: list[tuple[float, Allocation | None]] = [(max(hold.end, now), None) for hold in state.booked]
    ends = sorted([*bookings, *((max(one.ends, now), one) for one in state.running.values())], key=_time)
    free = sum(state.ledger.free[kind][0] for kind in kinds)
    scratch: Ledger | None = None
    step = done = 0
    for position, (start, one) in enumerate(ends):
        free += sum(one.parts[kind][0] for kind in kinds if kind in one.parts) if one else 0
        last = position + 1 == len(ends)
        if start >= before:
            return []
        # Chips enough, all that ends at this time counted, and not just after a look in vain.
        if free < pending.chips or (not last and (ends[position + 1][0] == start or position < done + step)):
            continue
        scratch = scratch or state.ledger.copy()
        for _, ended in ends[done : position + 1]:
            for kind, given in ended.given.items() if ended else ():
                scratch.give_back(kind, given)
        done, step = position + 1, 2 * step or 1
        seen = view(scratch, gang, kinds, state.terms(gang, kinds, start, start + lasts, scratch))
        fit = find(seen, gang, pending.widest(now))
        if fit is not None:
            return _kept(state, pending, kinds, seen, fit, start)
    return []


def _time(end: tuple[float, Allocation | None]) -> float:
    return end[0]


def _kept(state: State, pending: Pending, kinds: tuple[str, ...], seen: View, fit: Fit, start: float) -> list[Hold]:
    """Keep the domains of a fit clear of all that would still run when it starts."""
    tree, gang, name, scratch = state.tree, pending.gang, pending.gang.name, seen.ledger
    level = min(tree.level(gang.exclusive) if gang.exclusive else len(tree.levels), len(tree.levels) - 2)
    domains = sorted({tree.at(host, level) for host, _ in fit.shares})
    every: Sequence[str] = kinds
    if gang.exclusive or state.power.binding:
        every = (*kinds, *(kind for kind in tree.kinds if kind not in kinds))
    if state.power.binding:  # the watts must be there as well, and any chip of a capped domain may use them up
        domains = sorted(
            {next((one for one in reversed(tree.ancestors[at]) if one in state.power.binding), at) for at in domains}
        )
    # Where any chips of a domain will do, others may have what is left over; a shape they could break.
    anywhere = pending.shape is None and not state.power.binding and pending.widest(start) < len(tree.levels) - 1
    share: dict[tuple[str, int], int] = {}
    for kind, pairs in seen.by_kind(gang, kinds, fit.shares).items():
        for host, chips in pairs:
            share[kind, tree.at(host, level)] = share.get((kind, tree.at(host, level)), 0) + chips
    holds = []
    for kind in every:
        for domain in domains:
            free = scratch.free[kind][domain]
            wanted = share.get((kind, domain), 0) if anywhere else free
            if wanted or not anywhere:
                holds.append(Hold(name, kind, domain, wanted, start, free - wanted, first=kind in kinds))
    # Chips that a booking leaves over must not be used up by others until then.
    for one in state.booked:
        depth = tree.level_of[one.domain]
        inside = sum(chips for host, chips in fit.shares if tree.at(host, depth) == one.domain)
        if one.kind in kinds and one.end > start and one.name != name and inside:
            holds.append(Hold(name, one.kind, one.domain, inside, start, one.slack - inside, first=False))
    return holds
