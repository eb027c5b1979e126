"""What is known of a hub and its gangs at one time, and the two steps that move it: a gang enters, a gang leaves."""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cluster.allocate.accounts import Accounts, Cost
from cluster.allocate.fit import Fit
from cluster.allocate.gang import Gang, Project
from cluster.allocate.holds import Hold, bounds
from cluster.allocate.ledger import Ledger
from cluster.allocate.outages import Outages
from cluster.allocate.queue import Pending, Queue
from cluster.allocate.running import Allocation, Decision
from cluster.allocate.view import FREE, Terms, View
from cluster.energy import PowerModel
from cluster.topology import Topology
from cluster.tree import Tree, build


class Bill(NamedTuple):
    """(host, chips) pairs by kind, the speed on them, and what they cost at most."""

    shares: dict[str, list[tuple[int, int]]]
    speed: float
    cost: Cost


class State:
    """The chips of a hub and who has them. All times are seconds on one clock that the caller keeps."""

    def __init__(
        self,
        topology: Topology,
        projects: Mapping[str, Project] | None = None,
        *,
        backfill: bool = True,
        preemption: bool = False,
    ) -> None:
        self.topology, self.backfill, self.preemption = topology, backfill, preemption
        self.tree = build(topology)
        self.ledger = Ledger(self.tree)
        self.outages = Outages(self.tree)
        self.power = PowerModel(self.tree)
        self.accounts = Accounts(projects or {})
        self.queue = Queue()
        self.running: dict[str, Allocation] = {}
        self.by_end: dict[str, list[tuple[float, int, Allocation]]] = {kind: [] for kind in self.tree.kinds}
        # Promises; those that a pass over the queue has yet to renew; reservations that were asked for.
        self.holds: list[Hold] = []
        self.void: list[Hold] = []
        self.booked: list[Hold] = []
        self.decisions: dict[str, Decision] = {}
        self.admitted: dict[object, dict[tuple[str, ...], dict[str, int]]] = {}
        # What the next pass over the queue must look at: new gangs on all their kinds, all gangs on kinds with news.
        self.fresh: list[Pending] = []
        self.freed: set[str] = set()
        self.wakes: list[tuple[float, int, Pending]] = []
        self._empty: Ledger | None = None
        self._number = 0

    def number(self) -> int:
        """The next number in the order of events."""
        self._number += 1
        return self._number

    @property
    def empty(self) -> Ledger:
        """The hub with everything free and in service: what could be placed at best."""
        if self._empty is None:
            self._empty = Ledger(replace(self.tree, health={}))
        return self._empty

    def state(self, name: str) -> str:
        """``running``, ``waiting`` or ``unknown``."""
        return "running" if name in self.running else "waiting" if name in self.queue.by_name else "unknown"

    def utilisation(self) -> float:
        """Held over chips in service."""
        up = sum(counts[0] for counts in self.ledger.up.values())
        return 1 - sum(counts[0] for counts in self.ledger.free.values()) / up if up else 0.0

    def terms(self, gang: Gang, kinds: Iterable[str], now: float, ends: float, ledger: Ledger | None = None) -> Terms:
        """What reservations and power caps leave to a gang that would run on chips of the kinds over a time."""
        binding = bool(self.power.binding)
        if not binding and not self.holds and not self.booked:
            return FREE
        own = [hold for hold in self.booked if hold.name == gang.name]
        every = [*self.holds, *self.booked]
        chips = {
            kind: list(bounds(every, own, gang.name, kind, now, ends, self.tree))
            for kind in (self.tree.kinds if gang.exclusive else kinds)
        }
        return Terms(chips, self.power.left(ledger or self.ledger) if binding else (), self.power.rise_w)

    def cost(self, gang: Gang, chips: Mapping[str, int], seconds: float) -> Cost:
        """What holding chips for a time is charged."""
        held = sum(chips.values())
        return Cost(held, held * seconds, self.power.kwh(chips, seconds))

    def bill(self, pending: Pending, kinds: Sequence[str], seen: View, fit: Fit) -> Bill:
        """What a gang would hold and be charged for if it were placed like this."""
        gang = pending.gang
        shares = seen.by_kind(gang, kinds, fit.shares)
        if seen.rooms is None:
            speed, chips = pending.speeds[kinds[0]], {kinds[0]: gang.chips}
        else:
            speed = min(pending.speeds[kind] for kind in shares if kind in kinds)
            chips = {kind: sum(count for _, count in pairs) for kind, pairs in shares.items()}
        return Bill(shares, speed, self.cost(gang, chips, gang.duration_s / speed))

    def place(self, pending: Pending, fit: Fit, bill: Bill, now: float) -> Allocation:
        """Give a gang the chips of a fit."""
        gang, (shares, speed, cost) = pending.gang, bill
        taken = {kind: self.ledger.take(kind, pairs) for kind, pairs in shares.items()}
        allocation = Allocation(
            gang,
            tuple(taken),
            fit.container,
            {kind: given for kind, (given, _) in taken.items()},
            {kind: parts for kind, (_, parts) in taken.items()},
            cost.chips,
            pending.since,
            now,
            now + gang.duration_s / speed,
            speed,
            pending.speeds,
            gang.spares,
            pending.notes,
            pending.number,
            cost.kwh,
        )
        self.queue.remove(gang.name)
        self.running[gang.name] = allocation
        number = self.number()
        for kind in taken:
            bisect.insort(self.by_end[kind], (allocation.ends, number, allocation))
        self.accounts.start(allocation)
        self.note(allocation, 1)
        self.decisions[gang.name] = Decision.of(allocation, pending.first_bound, self.tree)
        return allocation

    def leave(self, name: str, now: float) -> Allocation:
        """Take a gang's chips back."""
        allocation = self.running.pop(name)
        broken = 0
        for kind, given in allocation.given.items():
            line = self.by_end[kind]
            position = bisect.bisect_left(line, (allocation.ends, 0))
            while line[position][2] is not allocation:
                position += 1
            del line[position]
            broken += self.ledger.give_back(kind, given)
        chips = {kind: parts[0] for kind, parts in allocation.parts.items()}
        self.accounts.end(allocation, now, self.power.kwh(chips, now - allocation.started))
        self.note(allocation, -1)
        # Within a limited project whoever waits may use what this one leaves of the limit, on whatever kind.
        self.freed.update(self.tree.kinds if self.accounts.limited(allocation.gang.project) else allocation.given)
        if broken:
            self.changed()
        return allocation

    def extend(self, allocation: Allocation, kind: str, given: list[tuple[int, int]], parts: dict[int, int]) -> None:
        """Let an allocation have these chips of a kind."""
        if kind not in allocation.given:
            bisect.insort(self.by_end[kind], (allocation.ends, self.number(), allocation))
        allocation.given[kind], allocation.parts[kind] = given, parts

    def note(self, allocation: Allocation, sign: int) -> None:
        """Count an allocation in or out of the reservations that it outlasts."""
        for holds in (self.holds, self.void, self.booked):
            for hold in holds:
                hold.note(allocation, sign)

    def changed(self) -> None:
        """Look at everybody again, and promise anew: chips went out of service or came back."""
        self.holds = []
        self.freed.update(self.tree.kinds)
        for hold in self.booked:
            hold.slack = self.slack(hold)

    def slack(self, hold: Hold) -> int:
        """Chips in service that others may hold when a booking starts, other bookings inside its domain left out."""
        within = sum(one.chips for one in self.booked if one is not hold and hold.holds_within(one, self.tree))
        return self.ledger.up[hold.kind][hold.domain] - self._staying(hold) - hold.chips - within

    def _staying(self, hold: Hold) -> int:
        """Chips in service of a booking's domain that will not have been given back when it starts."""
        staying = 0
        out, whole = self.ledger.out[hold.kind], self.ledger.stuck[hold.kind].get(hold.domain, 0) == 0
        for _, _, one in self.by_end[hold.kind]:
            if one.ends > hold.start and one.gang.name != hold.name:
                staying += one.chips_in(hold.domain, hold.kind)
                if not whole:
                    level = self.tree.level_of[hold.domain]
                    staying -= sum(
                        (bits & out[host]).bit_count()
                        for host, bits in one.given[hold.kind]
                        if self.tree.at(host, level) == hold.domain
                    )
        return staying

    def replant(self, topology: Topology, tree: Tree, ledger: Ledger, outages: Outages) -> None:
        """Stand on another tree; the caller moves what runs and waits."""
        old, self.topology, self.tree, self.ledger, self.outages = self.tree, topology, tree, ledger, outages
        self.power = PowerModel(tree)
        self.admitted, self._empty = {}, None
        self.by_end = {kind: self.by_end.get(kind, []) for kind in tree.kinds}
        self.booked = [
            hold for hold in self.booked if old.paths[hold.domain] in tree.number and hold.kind in tree.kinds
        ]
        for hold in self.booked:
            hold.domain = tree.number[old.paths[hold.domain]]
