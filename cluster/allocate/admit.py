"""What may enter the queue: only what an empty hub could place and its project could pay."""

import heapq

from cluster.allocate.fit import find
from cluster.allocate.gang import Gang, Refused
from cluster.allocate.queue import Pending, choices
from cluster.allocate.state import State
from cluster.allocate.view import Terms, view


def admit(state: State, gang: Gang, *, again: bool = False) -> tuple[tuple[str, ...], ...]:
    """The choices of kinds on which a gang can be placed, the fastest first; raises Refused where there is none.

    Judged on everything that is installed, in service or not: what is broken comes back. A gang that was admitted before
    is not refused for what its project has spent since; it waits.
    """
    gang.check_names(state.topology)
    state.accounts.check(gang)
    speeds = gang.speeds(state.topology)
    known = (tuple(speeds), gang.chips, gang.mixed, gang.required, gang.groups, gang.mode, gang.over, gang.exclusive)
    possible = state.admitted.get(known)
    if possible is None:
        possible = state.admitted[known] = _possible(state, gang, speeds)
    if not possible:
        raise Refused(f"gang {gang.name}: {_reason(state, gang, speeds)}")
    if state.accounts.projects and not again:
        possible = _paid(state, gang, speeds, possible)
    return tuple(possible)


def wait(state: State, gang: Gang, since: float, number: int, notes: list[str], *, again: bool = False) -> Pending:
    """Put a gang into the queue; raises Refused where it may not enter."""
    allowed = admit(state, gang, again=again)
    known = gang.speeds(state.topology)
    speeds = {kind: known[kind] for kind in known if any(kind in kinds for kinds in allowed)}
    required = state.tree.level(gang.required) if gang.required else 0
    preferred = state.tree.level(gang.preferred) if gang.preferred else 0
    # A domain of its own and power depend on every kind that lies in the same domain.
    watched = state.tree.kinds if gang.exclusive or state.power.binding else tuple(speeds)
    pending = Pending(gang, since, number, speeds, allowed, required, preferred, watched, notes)
    state.queue.add(pending)
    state.fresh.append(pending)
    if preferred > required:
        heapq.heappush(state.wakes, (since + gang.max_wait_s, state.number(), pending))
    return pending


def admissible(state: State, gang: Gang) -> bool:
    """Whether a gang that runs could come back if it were stopped."""
    try:
        admit(state, gang, again=True)
    except Refused:
        return False
    return True


def _possible(state: State, gang: Gang, speeds: dict[str, float]) -> dict[tuple[str, ...], dict[str, int]]:
    """What the gang would hold on the empty hub, by each choice of kinds on which it fits there."""
    empty, widest = state.empty, state.tree.level(gang.required) if gang.required else 0
    terms = Terms({}, state.power.left(empty), state.power.rise_w)
    found = {}
    for kinds in choices(gang, speeds):
        seen = view(empty, gang, kinds, terms)
        fit = find(seen, gang, widest)
        if fit is not None:
            shares = seen.by_kind(gang, kinds, fit.shares)
            found[kinds] = {kind: sum(count for _, count in pairs) for kind, pairs in shares.items()}
    return found


def _paid(
    state: State, gang: Gang, speeds: dict[str, float], possible: dict[tuple[str, ...], dict[str, int]]
) -> dict[tuple[str, ...], dict[str, int]]:
    """Those choices that the gang's project can pay; raises Refused where there is none."""
    reasons = {
        kinds: state.accounts.forbids(
            gang.project,
            state.cost(gang, chips, gang.duration_s / min(speeds[kind] for kind in chips if kind in kinds)),
        )
        for kinds, chips in possible.items()
    }
    paid = {kinds: chips for kinds, chips in possible.items() if reasons[kinds] is None}
    if not paid:
        raise Refused(f"gang {gang.name}: {next(iter(reasons.values()))}")
    return paid


def _reason(state: State, gang: Gang, speeds: dict[str, float]) -> str:
    """Which of its wishes the hub cannot meet, and what it could."""
    tree, hub = state.tree, state.topology.name
    totals = {kind: tree.capacity[kind][0] for kind in speeds}
    most, together = max(totals, key=lambda kind: totals[kind]), sum(totals.values())
    if gang.chips > totals[most] and not (gang.mixed and gang.chips <= together):
        text = f"{gang.chips:,} chips of one kind; {hub} has at most {totals[most]:,} ({most})"
        if gang.chips > together > totals[most]:
            return f"{gang.chips:,} chips; {hub} has {together:,} of {', '.join(speeds)} together"
        return text + (
            f", and {together:,} of all kinds with mixed: true" if not gang.mixed and together >= gang.chips else ""
        )
    wishes = [(gang.chips, gang.required, f"{gang.chips:,} chips")] if gang.required else []
    wishes += [(group.chips, group.level, f"groups of {group.chips:,} chips") for group in gang.groups]
    for chips, level, text in wishes:
        inside = tree.at_level[tree.level(level)]
        of_kinds = [[tree.capacity[kind][domain] for domain in inside] for kind in speeds]
        largest = max(map(sum, zip(*of_kinds, strict=True))) if gang.mixed else max(map(max, of_kinds))
        if chips > largest:
            return f"{text} inside one {level}; a {level} of {hub} has at most {largest:,}"
    if state.power.binding and _fits_unpowered(state, gang, speeds):
        return f"{gang.chips:,} chips at full load exceed a power cap of {hub}"
    shapes = (
        [f"groups of {', '.join(f'{group.chips} in a {group.level}' for group in gang.groups)}"] if gang.groups else []
    )
    shapes += [f"{gang.exclusive}s of its own"] if gang.exclusive else []
    shapes += [f"{gang.mode} over {gang.over}s"] if gang.mode != "tight" else []
    return f"{gang.chips:,} chips with {' and '.join(shapes) or 'these kinds'} do not fit {hub} even when it is empty"


def _fits_unpowered(state: State, gang: Gang, speeds: dict[str, float]) -> bool:
    widest = state.tree.level(gang.required) if gang.required else 0
    return any(find(view(state.empty, gang, kinds), gang, widest) for kinds in choices(gang, speeds))
