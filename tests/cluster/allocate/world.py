"""A hub under random events, and what must hold after each of them."""

from contextlib import suppress
from random import Random

from cluster.allocate.allocator import Allocator
from cluster.allocate.change import apply, drain, fail, repair
from cluster.allocate.fit import find
from cluster.allocate.gang import Gang, Project, Refused
from cluster.allocate.running import Allocation
from cluster.allocate.view import view
from cluster.topology import Topology
from tests.cluster.allocate.hubs import grown, random_gang, random_hub

PROJECTS = {
    "rich": Project(share=2),
    "quota": Project(most_chips=12),
    "poor": Project(chip_hours=2, kwh=2),
}
STATES = {"replaced": "running", "waiting": "waiting", "refused": "unknown"}


class World:
    """An allocator, a clock, and what was asked of it."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.capped = random.random() < 0.3
        self.topology = random_hub(random, power=self.capped)
        self.projects = PROJECTS if random.random() < 0.4 else {}
        self.allocator = Allocator(
            self.topology, self.projects, backfill=random.random() < 0.9, preemption=random.random() < 0.5
        )
        self.now, self.number = 0.0, 0
        self.broken: list[str] = []
        self.keeps_time = random.random() < 0.6  # gangs end when they said, and nothing breaks

    def step(self) -> None:
        kinds = ["submit"] * 8 + ["wait"] * 6 + ["book", "cancel"]
        if not self.keeps_time:
            kinds += ["end"] * 3 + ["fail", "fail", "repair", "repair", "drain", "grow", "reapply"]
        getattr(self, self.random.choice(kinds))()
        self.check()
        self.schedule()
        self.check()

    def schedule(self) -> None:
        before = set(self.allocator.running)
        started = {one.gang.name for one in self.allocator.schedule(self.now)}
        assert self.allocator.schedule(self.now) == [], "a second call finds nothing that the first did not"
        for name in before - set(self.allocator.running):
            note = self.allocator.queue.by_name[name].notes[-1]
            assert note.split()[2] in started, f"{name} was stopped in vain: {note}"

    def submit(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.number += 1
            gang = random_gang(self.random, f"g{self.number}", self.allocator.topology, self.projects)
            try:
                self.allocator.submit(gang, self.now)
            except Refused:
                continue
            self.check_possible(gang)

    def check_possible(self, gang: Gang) -> None:
        """Nothing is admitted that an empty hub could not place."""
        pending, empty = self.allocator.queue.by_name[gang.name], self.allocator.empty
        assert any(find(view(empty, gang, kinds), gang, pending.required) for kinds in pending.choices), gang

    def wait(self) -> None:
        """Go to what happens next: an end, a wake, or a moment between."""
        times = [one.ends for one in self.allocator.running.values()]
        wake = self.allocator.next_wake()
        times += [wake] if wake is not None else []
        times += [self.now + self.random.choice((1, 20))] if self.random.random() < 0.3 else []
        self.now = max(min(times, default=self.now), self.now)
        for name in [name for name, one in self.allocator.running.items() if one.ends <= self.now]:
            if self.keeps_time or self.random.random() < 0.9:  # some overrun
                self.allocator.end(name, self.now)

    def end(self) -> None:
        if self.allocator.running:
            self.allocator.end(self.random.choice(sorted(self.allocator.running)), self.now)

    def cancel(self) -> None:
        known = sorted([*self.allocator.queue.by_name, *self.allocator.running])
        if known:
            self.allocator.cancel(self.random.choice(known), self.now)

    def book(self) -> None:
        start = self.now + self.random.choice((0, 30, 100, 300))
        domain, kind = self.random.choice(self.allocator.tree.paths), self.random.choice(self.allocator.tree.kinds)
        self.number += 1
        with suppress(Refused):
            self.allocator.book(f"r{self.number}", domain, kind, self.random.randint(1, 8), start, start + 60, self.now)

    def fail(self) -> None:
        path = self.random.choice(self.allocator.tree.paths[1:])
        chips = self.random.choice((None, None, 1, 2))
        for one in fail(self.allocator, path, self.now, chips=chips):
            assert self.allocator.state(one.name) == STATES[one.what]
        self.broken.append(path)
        out = self.allocator.outages.covered()
        for name, one in self.allocator.running.items():
            for kind, pairs in one.given.items():
                for host, bits in pairs:
                    hit = bits & out.get((kind, host), 0)
                    assert not hit or self.allocator.tree.paths[host] in self.drained(), (
                        f"{name} is left on broken chips"
                    )

    def drained(self) -> set[str]:
        paths = [path for path in self.broken if path.startswith("drain ")]
        health = self.allocator.topology.health
        paths += [f"drain {path}" for path in health]
        number, tree = self.allocator.tree.number, self.allocator.tree
        return {tree.paths[host] for path in paths if path[6:] in number for host in tree.hosts_under(number[path[6:]])}

    def drain(self) -> None:
        path = self.random.choice(self.allocator.tree.paths[1:])
        drain(self.allocator, path)
        self.broken.append(f"drain {path}")

    def repair(self) -> None:
        if self.broken:
            path = self.random.choice(self.broken).removeprefix("drain ")
            # Of several outages of a path the oldest ends, whichever it was.
            self.broken.remove(next(one for one in self.broken if one.removeprefix("drain ") == path))
            if path in self.allocator.tree.number:
                repair(self.allocator, path)

    def grow(self) -> None:
        apply(self.allocator, grown(self.allocator.topology, self.random), self.now)
        self.reapply()

    def reapply(self) -> None:
        """The same again changes nothing."""
        before = state_of(self.allocator)
        same = Topology.model_validate(self.allocator.topology.model_dump())
        assert apply(self.allocator, same, self.now) == []
        assert state_of(self.allocator) == before

    # -- what must hold -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        allocator, tree = self.allocator, self.allocator.tree
        allocator.ledger.audit()
        taken = {kind: [0] * len(tree.paths) for kind in tree.kinds}
        for name, one in allocator.running.items():
            assert allocator.state(name) == "running"
            for kind, pairs in one.given.items():
                for host, bits in pairs:
                    assert bits, f"{name} has an empty share"
                    assert not taken[kind][host] & bits, f"{name} has chips of {tree.paths[host]} that another has"
                    taken[kind][host] |= bits
            self.check_gang(one)
        assert taken == allocator.ledger.taken, "taken chips belong to nobody, or to somebody twice"
        assert not set(allocator.running) & set(allocator.queue.by_name)
        assert allocator.queue.chips == sum(one.gang.chips for one in allocator.queue.by_name.values())
        for kind, line in allocator.by_end.items():
            assert line == sorted(line)
            assert {one.gang.name for _, _, one in line} == {
                n for n, one in allocator.running.items() if kind in one.given
            }
        self.check_projects()
        self.check_power()
        self.check_bookings()
        assert {hold.name for hold in allocator.holds} <= set(allocator.queue.by_name), "a promise to nobody"

    def check_gang(self, one: Allocation) -> None:
        gang, tree = one.gang, self.allocator.tree
        counts: dict[int, int] = {}
        for kind, pairs in one.given.items():
            parts: dict[int, int] = {}
            for host, bits in pairs:
                counts[host] = counts.get(host, 0) + (bits.bit_count() if kind in one.speeds else 0)
                for domain in tree.ancestors[host][1:]:
                    parts[domain] = parts.get(domain, 0) + bits.bit_count()
            assert parts == one.parts[kind]
        total = sum(counts.values())
        assert total >= gang.chips if gang.exclusive else total == gang.chips, f"{gang.name} runs in part"
        hosts = [host for host, count in counts.items() if count]
        if gang.required:
            level = tree.level(gang.required)
            assert len({tree.at(host, level) for host in hosts}) == 1 or gang.exclusive, (
                f"{gang.name} crosses {gang.required}"
            )
        if gang.exclusive:
            self.check_alone(one)
            return
        assert gang.mixed or len(one.given) == 1
        for group in gang.groups:
            for domain, chips in by_level(tree, counts, group.level).items():
                assert chips % group.chips == 0, f"{gang.name} has a group cut at {tree.paths[domain]}"
        if gang.mode != "tight":
            quantum = gang.groups[0].chips if gang.groups else 1
            shares = by_level(tree, counts, gang.over).values()
            assert max(shares) - min(shares) <= quantum, f"{gang.name}: {gang.mode} shares {shares}"

    def check_alone(self, one: Allocation) -> None:
        tree, level = self.allocator.tree, self.allocator.tree.level(str(one.gang.exclusive))
        mine = {tree.at(host, level) for host in one.hosts()}
        for other in self.allocator.running.values():
            if other is not one:
                met = mine & {tree.at(host, level) for host in other.hosts()}
                assert not met, f"{other.gang.name} is in a domain of {one.gang.name} alone"
        for domain in mine:
            assert not any(free[domain] for free in self.allocator.ledger.free.values()), (
                "free chips in a domain of its own"
            )

    def check_projects(self) -> None:
        accounts, running = self.allocator.accounts, self.allocator.running.values()
        for name, project in self.projects.items():
            held = sum(one.held for one in running if one.gang.project == name)
            assert held == accounts.held.get(name, 0)
            assert project.most_chips is None or held <= project.most_chips
            if project.chip_hours is not None and self.keeps_time:
                used = accounts.spent_chip_s.get(name, 0) + accounts.committed_chip_s.get(name, 0)
                assert used / 3600 <= project.chip_hours + 1e-9
            if project.kwh is not None and self.keeps_time:
                used = accounts.spent_kwh.get(name, 0) + accounts.committed_kwh.get(name, 0)
                assert used <= project.kwh + 1e-9

    def check_power(self) -> None:
        power = self.allocator.power
        for level, watts in power.cap_w.items():
            for domain in self.allocator.tree.at_level[self.allocator.tree.level(level)]:
                draw, bound = power.draw(self.allocator.ledger, domain), power.binding.get(domain)
                # A hub that grows draws more even when idle: then nothing more may start, which is all that can be done.
                if self.keeps_time and (bound is None or bound >= 0):
                    assert draw.busy + draw.idle + draw.base <= watts + 1e-6

    def check_bookings(self) -> None:
        """When all keep to their time and nothing breaks, a booking has its chips when it starts."""
        if not self.keeps_time:
            return
        ledger = self.allocator.ledger
        for hold in self.allocator.booked:
            if hold.start <= self.now < hold.end:
                own = self.allocator.running.get(hold.name)
                held = own.chips_in(hold.domain, hold.kind) if own else 0
                assert ledger.free[hold.kind][hold.domain] + held >= hold.chips, f"{hold.name} has not got its chips"


def by_level(tree, counts, level):
    found: dict[int, int] = {}
    for host, chips in counts.items():
        domain = tree.at(host, tree.level(level))
        found[domain] = found.get(domain, 0) + chips
    return {domain: chips for domain, chips in found.items() if chips}


def state_of(allocator: Allocator) -> str:
    """All that an allocator knows, as text."""
    ledger = allocator.ledger
    return repr(
        [
            (ledger.free, ledger.taken, ledger.out, ledger.up),
            [(name, one.given, one.parts, one.container, one.ends) for name, one in allocator.running.items()],
            [(one.gang.name, one.number, one.since) for one in allocator.queue.by_name.values()],
            (allocator.holds, allocator.booked, allocator.outages.happened, allocator.outages.declared),
            (allocator.accounts.held, allocator.accounts.committed_chip_s, allocator.decisions),
        ]
    )
