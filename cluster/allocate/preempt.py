"""Whom to stop for a gang of higher priority: whoever loses least, in the one domain where it helps."""

from cluster.allocate.admit import admissible
from cluster.allocate.fit import find
from cluster.allocate.ledger import Ledger
from cluster.allocate.queue import Pending
from cluster.allocate.running import Allocation
from cluster.allocate.state import State
from cluster.allocate.view import view

# Domains where stopping others is rehearsed before a gang must wait.
MOST_TRIED = 8


def victims(state: State, pending: Pending, now: float) -> list[str]:
    """Names of preemptible gangs whose end lets this one start in its level; [] where none would do.

    The level, the groups, reservations and power caps hold here as well: nobody is stopped in vain.
    """
    widest = pending.widest(now)
    options = [option for kind in pending.speeds for option in _enough(state, pending, kind, widest, now)]
    options.sort(key=lambda option: (sum(_loss(one, now) for one in option[1]), len(option[1])))
    for kind, chosen in options[:MOST_TRIED]:
        scratch = state.ledger.copy()
        if not _fits(state, pending, kind, scratch, chosen, widest, now):
            continue
        # Stop nobody who need not be: try without each, the dearest first.
        for one in sorted(chosen, key=lambda one: -_loss(one, now)):
            fewer = [other for other in chosen if other is not one]
            if fewer and _fits(state, pending, kind, state.ledger.copy(), fewer, widest, now):
                chosen = fewer
        return [one.gang.name for one in chosen]
    return []


def _loss(allocation: Allocation, now: float) -> float:
    return allocation.held * (now - allocation.started)


def _enough(state: State, pending: Pending, kind: str, level: int, now: float) -> list[tuple[str, list[Allocation]]]:
    """For each domain of a level the gangs to stop there, the lowest priority and the least loss first, until it has room."""
    gang, free, up = pending.gang, state.ledger.free[kind], state.ledger.up[kind]
    candidates = [
        one
        for _, _, one in state.by_end[kind]
        if one.gang.preemptible and one.gang.priority < gang.priority and admissible(state, one.gang)
    ]
    candidates.sort(key=lambda one: (one.gang.priority, _loss(one, now), one.gang.name))
    # With a shape or under a power cap it is not only the number of chips that counts: all of them are rehearsed.
    everybody = pending.shape is not None or bool(state.power.binding)
    missing: dict[int, int] = {}
    chosen: dict[int, list[Allocation]] = {}
    for one in candidates:
        for domain, chips in one.by_domain(kind, level, state.tree):
            if missing.setdefault(domain, gang.chips - free[domain]) > 0 or everybody:
                chosen.setdefault(domain, []).append(one)
                missing[domain] -= chips
    return [(kind, gangs) for domain, gangs in chosen.items() if missing[domain] <= 0 and up[domain] >= gang.chips]


def _fits(
    state: State, pending: Pending, kind: str, scratch: Ledger, chosen: list[Allocation], widest: int, now: float
) -> bool:
    """Whether the gang fits, and is paid for, once these have ended."""
    for one in chosen:
        for of_kind, given in one.given.items():
            scratch.give_back(of_kind, given)
    gang, kinds = pending.gang, (kind,)
    seen = view(scratch, gang, kinds, state.terms(gang, kinds, now, now + pending.lasts[kind], scratch))
    fit = find(seen, gang, widest)
    return fit is not None and not state.accounts.blocks(gang.project, state.bill(pending, kinds, seen, fit).cost)
