"""Why a gang runs where it does, or waits: the bound that holds it, and what would free it."""

from collections.abc import Sequence

from cluster.allocate.fit import find
from cluster.allocate.promise import promise
from cluster.allocate.queue import Bound, Pending
from cluster.allocate.running import Decision
from cluster.allocate.state import State
from cluster.allocate.view import Terms, view
from cluster.tree import Tree

__all__ = ["REASONS", "Bound", "Decision", "diagnose", "explain", "explain_placed", "unpaid"]


REASONS = {
    "chips": "free chips",
    "level": "a domain of the required level with enough free chips",
    "preferred": "a domain of the preferred level with enough free chips",
    "shape": "free chips in whole groups",
    "hold": "chips that are not reserved for an earlier gang",
    "power": "power below a cap",
    "quota": "its project's quota",
    "budget": "its project's budget",
    "order": "its turn in the queue",
}


def diagnose(state: State, pending: Pending, now: float) -> Bound:
    """The bound that keeps a gang from starting now; looks again, so it says what is true now."""
    gang, ledger, widest = pending.gang, state.ledger, pending.widest(now)
    options = pending.choices
    if blocked := unpaid(state, pending, options):
        return blocked
    free = {kinds: sum(ledger.free[kind][0] for kind in kinds) for kinds in options}
    enough = [kinds for kinds in options if free[kinds] >= gang.chips]
    if not enough:
        best = max(options, key=lambda kinds: free[kinds])
        return Bound(
            "chips", f"{free[best]:,} chips of {'+'.join(best)} are free; {gang.chips:,} are needed{_out(state, best)}"
        )
    for kinds in enough:
        if _most(state, kinds, widest) >= gang.chips and find(view(ledger, gang, kinds), gang, widest):
            return _bounded(state, pending, kinds, now)
    return _misshapen(state, pending, max(enough, key=lambda kinds: _most(state, kinds, widest)), widest, now)


def unpaid(state: State, pending: Pending, options: Sequence[tuple[str, ...]]) -> Bound | None:
    """What keeps the gang's project from paying for any choice of kinds."""
    if not state.accounts.projects:
        return None
    found, gang = None, pending.gang
    for kinds in options:
        hungriest = max(kinds, key=lambda kind: state.power.busy_w[kind])
        cost = state.cost(gang, {hungriest: gang.chips}, max(pending.lasts[kind] for kind in kinds))
        blocked = state.accounts.blocks(gang.project, cost)
        if blocked is None:
            return None
        found = found or Bound(*blocked)
    return found


def _most(state: State, kinds: tuple[str, ...], level: int) -> int:
    """The most free chips of the kinds in one domain of a level."""
    of_kinds = [[state.ledger.free[kind][domain] for domain in state.tree.at_level[level]] for kind in kinds]
    return max(map(sum, zip(*of_kinds, strict=True)))


def _out(state: State, kinds: tuple[str, ...]) -> str:
    """How many of the chips are out of service, where any are."""
    out = sum(state.tree.capacity[kind][0] - state.ledger.up[kind][0] for kind in kinds)
    return f", and {out:,} are out of service" if out else ""


def _misshapen(state: State, pending: Pending, kinds: tuple[str, ...], widest: int, now: float) -> Bound:
    """Chips enough are free, but not together."""
    gang, level = pending.gang, state.tree.levels[widest]
    free, most = sum(state.ledger.free[kind][0] for kind in kinds), _most(state, kinds, widest)
    if most >= gang.chips:
        wishes = [f"groups of {group.chips:,} in a {group.level}" for group in gang.groups]
        wishes += [f"{gang.exclusive}s that nobody else uses"] if gang.exclusive else []
        wishes += [f"equal shares over {gang.over}s"] if gang.mode != "tight" else []
        text = f"{most:,} chips of {'+'.join(kinds)} are free in one {level}, but not in {' and '.join(wishes)}"
        return Bound("shape", text)
    text = (
        f"{free:,} chips of {'+'.join(kinds)} are free, but no {level} has {gang.chips:,} of them; the most is {most:,}"
        f"{_out(state, kinds)}"
    )
    if widest > pending.required:
        return Bound("preferred", f"{text}; it may leave the {level} from {pending.since + gang.max_wait_s:,.0f} s on")
    return Bound("level", text)


def _bounded(state: State, pending: Pending, kinds: tuple[str, ...], now: float) -> Bound:
    """Chips are free, but promised to others or above a power cap."""
    gang, widest = pending.gang, pending.widest(now)
    terms = state.terms(gang, kinds, now, now + max(pending.lasts[kind] for kind in kinds))
    seen = view(state.ledger, gang, kinds, terms)
    fit = find(seen, gang, widest)
    if fit is not None:
        blocked = state.accounts.blocks(gang.project, state.bill(pending, kinds, seen, fit).cost)
        return (
            Bound(*blocked)
            if blocked
            else Bound("order", "there is room for it, and it is looked at when its turn comes")
        )
    if not find(view(state.ledger, gang, kinds, Terms({}, terms.watts, terms.rise_w)), gang, widest):
        names = [
            state.tree.paths[domain] or state.topology.name
            for domain, most, _ in terms.caps(kinds)
            if most < gang.chips
        ]
        text = f"the power cap of {', '.join(names[:3]) or state.topology.name} leaves watts for fewer chips; it can start when gangs there end"
        return Bound("power", text)
    free = state.ledger.free
    where = {
        name: state.tree.paths[domain] or state.topology.name
        for kind, bounds in terms.chips.items()
        for domain, most, name in bounds
        if most < free[kind][domain]
    }
    texts = [f"{name} (in {at})" for name, at in where.items()]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return Bound(
        "hold", f"chips are free, but it would still run when they are reserved for {', '.join(texts[:3])}{more}"
    )


def explain(state: State, name: str, now: float) -> list[str]:
    """Say where a gang is, why, and what would change that; [] where nobody knows the name."""
    if name in state.queue.by_name:
        return _explain_waiting(state, state.queue.by_name[name], now)
    decision = state.decisions.get(name)
    return [] if decision is None else explain_placed(decision, state.tree)


def _explain_waiting(state: State, pending: Pending, now: float) -> list[str]:
    gang, bound = pending.gang, diagnose(state, pending, now)
    lines = [f"{gang.name} waits since {pending.since:,.0f} s for {gang.chips:,} chips: {bound.text}."]
    if bound.code in ("quota", "budget"):
        lines.append(f"It can start when gangs of project {gang.project} end, or the project is given more.")
        return [*lines, *pending.notes]
    if bound.code == "order":
        return [*lines, *pending.notes]
    promised = [hold for hold in state.holds if hold.name == gang.name]
    holds = promised or promise(state, pending, now)
    if not holds:
        first = next((hold.name for hold in state.holds if hold.kind in pending.lasts), None)
        if first is not None:
            lines.append(
                f"Chips are promised to {first} first; when that has started, it is next to be promised a start."
            )
        else:
            lines.append("Too few chips are in service; it can start when repairs bring them back.")
        return [*lines, *pending.notes]
    hold = holds[0]
    where = state.tree.paths[hold.domain] or state.topology.name
    start = f"at {hold.start:,.0f} s on {hold.kind} in {where}, if all that runs takes its full time"
    if promised:
        lines.append(f"It is promised a start {start}.")
    else:
        lines.append(f"Nothing is promised to it yet, as others are before it; alone it could start {start}.")
    running = state.by_end[hold.kind]
    ending = [one.gang.name for _, _, one in running if one.ends <= hold.start and one.chips_in(hold.domain, hold.kind)]
    if ending:
        more = f" and {len(ending) - 5} more" if len(ending) > 5 else ""
        lines.append(f"What frees it: the end of {', '.join(ending[:5])}{more}.")
    return [*lines, *pending.notes]


def explain_placed(decision: Decision, tree: Tree) -> list[str]:
    """Say where a gang was placed and why there."""
    level, where = tree.levels[decision.level], tree.paths[decision.container] or tree.topology.name
    waited = decision.started - decision.submitted
    lines = [
        f"{decision.name} got {decision.chips:,} chips of {'+'.join(decision.kinds)} at {decision.started:,.0f} s inside "
        f"{level} {where}: the lowest level that held them all, and the tightest {level} there.",
        f"It touches {decision.spans} supernode{'s' if decision.spans != 1 else ''}; {decision.fewest} is the fewest possible.",
    ]
    if waited > 0:
        reason = REASONS.get(decision.first_bound)
        lines.append(f"It waited {waited:,.0f} s" + (f", first for want of: {reason}." if reason else "."))
    return [*lines, *decision.notes]
