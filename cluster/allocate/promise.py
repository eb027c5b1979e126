"""The earliest start that can be promised to a gang that waits, and the chips that must be kept for it until then."""

from collections.abc import Sequence

from cluster.allocate.fit import Fit, find
from cluster.allocate.holds import Hold, earliest
from cluster.allocate.ledger import Ledger
from cluster.allocate.queue import Pending
from cluster.allocate.running import Allocation
from cluster.allocate.state import State, choices
from cluster.allocate.view import view

# What could start now but for gangs that run too long is promised anew after so many seconds.
AGAIN_S = 60.0


def promise(state: State, pending: Pending, now: float) -> list[Hold]:
    """Reservations that let a gang start as early as possible; the first is on the chips it wants. [] where none would do.

    Where only a number of chips in a domain counts, so many are held there. With groups, domains of its own, several
    kinds at once, bookings or power caps, the domains that it would start in are kept for it alone.
    """
    gang = pending.gang
    plain = pending.shape is None and not gang.mixed and not state.power.binding and not state.booked
    held = {hold.kind for hold in state.holds}
    options = []
    for kinds in choices(gang, pending.speeds):
        if plain and held.isdisjoint(kinds):
            options.append(_counted(state, pending, kinds[0], now))
        else:
            options.append(_rehearsed(state, pending, kinds, now))
    holds = min((one for one in options if one), key=lambda one: one[0].start, default=[])
    for hold in holds:
        hold.start = hold.start if hold.start > now else now + AGAIN_S
    return holds


def _counted(state: State, pending: Pending, kind: str, now: float) -> list[Hold]:
    """A hold on so many chips of one domain."""
    level, chips = pending.widest(now), pending.chips
    free, up, running = state.ledger.free[kind], state.ledger.up[kind], [one for _, _, one in state.by_end[kind]]
    able = [domain for domain in state.tree.at_level[level] if up[domain] >= chips]
    domain = max(able, key=lambda one: free[one], default=None)
    if domain is None:
        return []
    if free[domain] >= chips:
        return [Hold(pending.gang.name, kind, domain, chips, now, free[domain] - chips)]
    found = earliest(state.tree, free, running, kind, level, chips, able)
    if found is None:
        return []
    start, domain = max(found[0], now), found[1]
    released = sum(one.chips_in(domain, kind) for one in running if one.ends <= start)
    return [Hold(pending.gang.name, kind, domain, chips, start, free[domain] + released - chips)]


def _rehearsed(state: State, pending: Pending, kinds: tuple[str, ...], now: float) -> list[Hold]:
    """Let what runs end on a copy of the ledger until the gang fits; looks after 1, 2, 4 ... ends, so it may promise late."""
    gang, scratch = pending.gang, state.ledger.copy()
    lasts = max(pending.lasts[kind] for kind in kinds)
    times = [(max(hold.end, now), None) for hold in state.booked]
    ends: list[tuple[float, Allocation | None]] = sorted(
        [*times, *((max(one.ends, now), one) for one in state.running.values())], key=lambda end: end[0]
    )
    step, position = 1, 0
    while position < len(ends):
        stop = min(position + step, len(ends))
        for _, one in ends[position:stop]:
            for kind, given in one.given.items() if one else ():
                scratch.give_back(kind, given)
        start, position, step = ends[stop - 1][0], stop, step * 2
        if position < len(ends) and ends[position][0] == start:
            continue  # what ends at the same time counts as well
        seen = view(scratch, gang, kinds, state.terms(gang, kinds, start, start + lasts, scratch))
        fit = find(seen, gang, pending.widest(now))
        if fit is not None:
            return _kept(state, pending, kinds, fit, start, scratch)
    return []


def _kept(
    state: State, pending: Pending, kinds: tuple[str, ...], fit: Fit, start: float, scratch: Ledger
) -> list[Hold]:
    """Keep the domains of a fit clear of all that would still run when it starts."""
    tree, gang, name = state.tree, pending.gang, pending.gang.name
    level = min(tree.level(gang.exclusive) if gang.exclusive else len(tree.levels), len(tree.levels) - 2)
    domains = sorted({tree.at(host, level) for host, _ in fit.shares})
    every: Sequence[str] = kinds
    if gang.exclusive or state.power.binding:
        every = (*kinds, *(kind for kind in tree.kinds if kind not in kinds))
    if state.power.binding:  # the watts must be there as well, and any chip of a capped domain may use them up
        domains = sorted(
            {next((one for one in reversed(tree.ancestors[at]) if one in state.power.binding), at) for at in domains}
        )
    holds = [
        Hold(name, kind, domain, scratch.free[kind][domain], start, 0, first=kind in kinds)
        for kind in every
        for domain in domains
        if tree.capacity[kind][domain]
    ]
    # Chips that a booking leaves over must not be used up by others until then.
    for one in state.booked:
        depth = tree.level_of[one.domain]
        inside = sum(chips for host, chips in fit.shares if tree.at(host, depth) == one.domain)
        if one.kind in kinds and one.end > start and one.name != name and inside:
            holds.append(Hold(name, one.kind, one.domain, inside, start, one.slack - inside, first=False))
    return holds
