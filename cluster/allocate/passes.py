"""One look over the queue: start what fits, in order; promise chips to the first that does not; fill in behind it."""

import heapq
from bisect import bisect_left
from collections.abc import Sequence, Set

from cluster.allocate.admit import wait
from cluster.allocate.decision import diagnose, unpaid
from cluster.allocate.fit import find
from cluster.allocate.gang import Refused
from cluster.allocate.holds import Hold
from cluster.allocate.preempt import victims
from cluster.allocate.promise import promise
from cluster.allocate.queue import Bound, Pending
from cluster.allocate.running import Allocation
from cluster.allocate.state import State
from cluster.allocate.view import view

# Gangs that are searched for in vain in one pass, and gangs of a project looked at, before the rest must wait.
SEARCHES = 64
LOOKS = 500


def schedule(state: State, now: float) -> list[Allocation]:
    """Start what can start. Looks only at new gangs where nothing was freed since the last call."""
    while state.wakes and (state.wakes[0][0] <= now or not _waits(state, state.wakes[0][2])):
        pending = heapq.heappop(state.wakes)[2]
        if _waits(state, pending):
            state.fresh.append(pending)
    if any(hold.end <= now for hold in state.booked):
        state.booked = [hold for hold in state.booked if hold.end > now]
        state.freed.update(state.tree.kinds)
    state.freed.update(hold.kind for hold in state.holds if hold.start <= now)
    started: list[Allocation] = []
    helped: set[str] = set()
    while state.fresh or state.freed:
        fresh, freed = state.fresh, state.freed
        state.fresh, state.freed = [], set()
        _Pass(state, now, started, helped).run(fresh, freed)
    return started


def next_wake(state: State) -> float | None:
    """When ``schedule`` has something to do although nothing comes in or ends."""
    while state.wakes and not _waits(state, state.wakes[0][2]):
        heapq.heappop(state.wakes)
    times = [one[0] for one in state.wakes[:1]]
    times += [hold.start for hold in state.holds]
    times += [hold.end for hold in state.booked]
    return min(times, default=None)


def requeue(state: State, name: str, now: float, note: str) -> bool:
    """Stop a gang and let it wait again in its old place; False where the hub has changed and can no longer hold it."""
    allocation = state.leave(name, now)
    notes = [*allocation.notes, f"{note} at {now:,.0f} s"]
    try:
        wait(state, allocation.gang, allocation.submitted, allocation.number, notes, again=True)
    except Refused:
        return False
    return True


def _waits(state: State, pending: Pending) -> bool:
    return state.queue.by_name.get(pending.gang.name) is pending


class _Pass:
    """``helped`` are the gangs for which others were stopped: once a call, so that it ends whatever happens."""

    def __init__(self, state: State, now: float, started: list[Allocation], helped: set[str]) -> None:
        self.state, self.now, self.started, self.helped = state, now, started, helped
        self.searches = 0
        # The fewest chips that were searched for in vain, by what else decides whether there is a place.
        self.failed: dict[object, int] = {}
        # The most free chips in a domain of a level, of one kind or of all together; less after each start.
        self.most: dict[tuple[int, bool], int] = {}
        self.starts: dict[str | None, list[float]] = {}
        self.previous: dict[str, list[Hold]] = {}
        self.lowest = min(
            (one.gang.priority for one in state.running.values() if one.gang.preemptible) if state.preemption else (),
            default=None,
        )

    def run(self, fresh: Sequence[Pending], freed: Set[str]) -> None:
        state, backfill = self.state, self.state.backfill
        first = min((hold.start for hold in state.holds), default=None)
        above = [one for one in fresh if first is not None and self._outranks(one)]
        if not backfill or above:  # nobody starts before those who wait, and a lower priority holds nothing back
            freed = set(state.tree.kinds)
        self._void(freed)
        seen = set()
        if freed:
            new = {id(one) for one in fresh}
            for pending in state.queue.ordered(state.accounts, self.now, freed, LOOKS):
                if self.searches > SEARCHES:
                    break
                everything = id(pending) in new or pending.gang.name in self.previous
                if not everything and self._hopeless(pending):
                    continue
                seen.add(id(pending))
                started = self.look(pending, None if everything else freed)
                if not (started or backfill or self._short_of_money(pending)):
                    break
            self._renew()
        if backfill:
            for pending in fresh:
                if id(pending) not in seen and _waits(state, pending):
                    self.look(pending, None)

    def _outranks(self, pending: Pending) -> bool:
        """Whether a gang comes before one that holds chips it may want."""
        by_name = self.state.queue.by_name
        return any(
            hold.name in by_name and by_name[hold.name].gang.priority < pending.gang.priority
            for hold in self.state.holds
        )

    def _void(self, freed: Set[str]) -> None:
        """Take back the promises on kinds with news: whoever comes first in order is asked first."""
        state = self.state
        names = {hold.name for hold in state.holds if hold.kind in freed}
        for name in names:
            self.previous[name] = [hold for hold in state.holds if hold.name == name]
        state.void = [hold for hold in state.holds if hold.name in names]
        self._hold([hold for hold in state.holds if hold.name not in names])

    def _hold(self, holds: list[Hold]) -> None:
        """Let these be the promises from now on."""
        state = self.state
        state.holds, every = holds, [*holds, *state.booked]
        self.promised = {hold.kind for hold in holds if hold.first}
        self.owners = {hold.name for hold in every}
        self.failed.clear()
        self.starts.clear()

    def _redeem(self, name: str) -> None:
        """Drop the promise to a gang that has started: its chips are news to others."""
        own = [hold for hold in self.state.holds if hold.name == name]
        if own:
            self.state.freed.update(hold.kind for hold in own)
            self._hold([hold for hold in self.state.holds if hold.name != name])

    def _renew(self) -> None:
        """Keep promises to gangs that were not reached in this pass."""
        for name, holds in self.previous.items():
            pending = self.state.queue.by_name.get(name)
            waits = pending is not None and name not in self.owners and self.promised.isdisjoint(pending.kinds)
            if waits and self._good(holds):
                self._hold([*self.state.holds, *holds])
        self.state.void = []

    def _good(self, holds: Sequence[Hold]) -> bool:
        return all(hold.start > self.now and hold.slack >= 0 for hold in holds)

    def _short_of_money(self, pending: Pending) -> bool:
        return pending.bound is not None and pending.bound.code in ("quota", "budget")

    def look(self, pending: Pending, kinds: Set[str] | None) -> bool:
        """Start a gang or say what holds it; only choices with one of the kinds are tried. True where it started."""
        paying = bool(self.state.accounts.projects)
        pending.bound = unpaid(self.state, pending, pending.choices) if paying else None
        if pending.bound is None:
            allocation = self._try(pending, kinds) or self._preempt(pending)
            if allocation is not None:
                self.started.append(allocation)
                self.most.clear()
                self._redeem(pending.gang.name)
                return True
        money = pending.bound is not None
        if not pending.first_bound:
            pending.bound = pending.bound or diagnose(self.state, pending, self.now)
            pending.first_bound = pending.bound.code
        if not money and self.promised.isdisjoint(pending.kinds):
            holds = self.previous.get(pending.gang.name, [])
            if not holds or not self._good(holds):
                holds = promise(self.state, pending, self.now)
            if holds:
                self._hold([*self.state.holds, *holds])
        return False

    def _try(self, pending: Pending, kinds: Set[str] | None) -> Allocation | None:
        state, gang, now = self.state, pending.gang, self.now
        widest = pending.widest(now)
        watches = kinds is None or gang.exclusive is not None or bool(state.power.binding)
        for choice in pending.choices:
            if not watches and kinds is not None and kinds.isdisjoint(choice):
                continue
            if self._too_few(choice, widest, pending.chips):
                continue
            lasts = max([pending.lasts[kind] for kind in choice])
            known = None
            if gang.mode == "tight" and gang.name not in self.owners:
                outlasted = self._outlasted(choice[0] if len(choice) == 1 and not gang.exclusive else None, now + lasts)
                known = (choice, widest, pending.shape, outlasted)
                if self.failed.get(known, pending.chips + 1) <= pending.chips:
                    continue
            seen = view(state.ledger, gang, choice, state.terms(gang, choice, now, now + lasts))
            fit = find(seen, gang, widest)
            if fit is not None:
                bill = state.bill(pending, choice, seen, fit)
                blocked = state.accounts.blocks(gang.project, bill.cost)
                if blocked is None:
                    return state.place(pending, fit, bill, now)
                pending.bound = Bound(*blocked)
            elif known is not None:
                self.failed[known] = pending.chips
            self.searches += 1
        return None

    def _hopeless(self, pending: Pending) -> bool:
        """Whether a gang that was looked at before need not be: too few chips are free, and others are promised theirs."""
        impatient = not self.state.backfill or self.lowest is not None  # others may be stopped for it
        if not pending.first_bound or impatient or self.promised.isdisjoint(pending.kinds):
            return False
        level, mixed = pending.widest(self.now), pending.gang.mixed
        key = level, mixed
        if key not in self.most:
            index = self.state.ledger.index
            rooms = [index[kind][min(level, len(index[kind]) - 1)].most for kind in index]
            self.most[key] = sum(rooms) if mixed else max(rooms)
        return self.most[key] < pending.chips

    def _outlasted(self, kind: str | None, ends: float) -> int:
        """How many reservations (of a kind) a gang would outlast: with as many, gangs are bound alike."""
        starts = self.starts.get(kind)
        if starts is None:
            every = [*self.state.holds, *self.state.booked]
            starts = self.starts[kind] = sorted([hold.start for hold in every if kind is None or hold.kind == kind])
        return bisect_left(starts, ends)

    def _too_few(self, choice: Sequence[str], widest: int, chips: int) -> bool:
        """Whether no domain of the level has so many free chips, whatever the limits."""
        index = self.state.ledger.index
        most = 0
        for kind in choice:
            levels = index[kind]
            most += levels[min(widest, len(levels) - 1)].most
        return most < chips

    def _preempt(self, pending: Pending) -> Allocation | None:
        """Stop others of lower priority where that lets a gang start at once."""
        name = pending.gang.name
        if self.lowest is None or self.lowest >= pending.gang.priority or name in self.helped:
            return None
        chosen = victims(self.state, pending, self.now)
        for victim in chosen:
            requeue(self.state, victim, self.now, f"preempted by {name}")
        self.helped.update([name] if chosen else [])
        self.failed.clear()
        return self._try(pending, None) if chosen else None
