"""Gangs into the tree: admit, place, hold back, give back. Pure state, moved by calls that carry the time."""

from cluster.allocate import passes
from cluster.allocate.admit import wait
from cluster.allocate.gang import Gang, Refused
from cluster.allocate.holds import Hold
from cluster.allocate.running import Allocation
from cluster.allocate.state import State


class Allocator(State):
    """The hub as it is used: gangs come in, start when ``schedule`` finds a place, and end.

    What breaks or grows under them is in ``cluster.allocate.change``, why they wait in ``cluster.allocate.decision``.
    """

    def submit(self, gang: Gang, now: float) -> None:
        """Admit a gang to the queue; raises Refused where it could never be placed on this hub."""
        if self.state(gang.name) != "unknown":
            raise Refused(f"gang {gang.name}: a gang of this name is already {self.state(gang.name)}")
        wait(self, gang, now, self.number(), [])

    def cancel(self, name: str, now: float) -> None:
        """Take a gang out of the queue, or end it where it runs."""
        if name in self.running:
            self.end(name, now)
        elif name in self.queue.by_name:
            pending = self.queue.remove(name)
            self.fresh = [one for one in self.fresh if one is not pending]
            # What was promised to it is free for others.
            self.freed.update(hold.kind for hold in self.holds if hold.name == name)
            self.holds = [hold for hold in self.holds if hold.name != name]
        else:
            raise Refused(f"gang {name}: nobody of this name waits or runs")

    def end(self, name: str, now: float) -> Allocation:
        """Give a gang's chips back."""
        return self.leave(name, now)

    def schedule(self, now: float) -> list[Allocation]:
        """Start what can start."""
        return passes.schedule(self, now)

    def next_wake(self) -> float | None:
        """When ``schedule`` has something to do although nothing comes in or ends, seconds."""
        return passes.next_wake(self)

    def book(self, name: str, path: str, kind: str, chips: int, start: float, end: float, now: float) -> None:
        """Reserve chips of a domain for a time ahead; raises Refused where so many cannot be free by then.

        A gang of the same name may use them; without one they stay free, as for maintenance. Promises to gangs that wait
        are made anew around it.
        """
        domain = self.tree.number.get(path)
        if domain is None or kind not in self.tree.kinds:
            raise Refused(
                f"reservation {name}: there is no domain {path!r} or no kind {kind!r} in {self.topology.name}"
            )
        if chips < 1 or not now <= start < end:
            raise Refused(
                f"reservation {name}: {chips:,} chips from {start:,.0f} s to {end:,.0f} s, asked at {now:,.0f} s"
            )
        if any(hold.name == name for hold in self.booked):
            raise Refused(f"reservation {name}: there is one of this name already")
        hold = Hold(name, kind, domain, chips, start, 0, end)
        slack = self.slack(hold)
        others = [one for one in self.booked if one.holds_within(hold, self.tree)]
        slack = min([slack, *(one.slack - chips for one in others)])
        if slack < 0:
            raise Refused(
                f"reservation {name}: {chips:,} chips of {path or self.topology.name} from {start:,.0f} s: "
                f"{max(chips + slack, 0):,} can be free by then"
            )
        self.booked.append(hold)
        self.changed()

    def unbook(self, name: str) -> None:
        """Give a reservation up."""
        kept = [hold for hold in self.booked if hold.name != name]
        if len(kept) == len(self.booked):
            raise Refused(f"reservation {name}: there is none of this name")
        self.booked = kept
        self.changed()
