"""Which chips are free: counters by kind and domain, and every single chip by host."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from cluster.tree import Tree

Shares = Sequence[tuple[int, int]]
"""(host, chips) pairs."""


class Counts(Protocol):
    """Chips by domain."""

    def __getitem__(self, domain: int, /) -> int: ...


class LevelIndex:
    """The domains of one level by their free chips, so that the tightest fit is found without looking at the others.

    Sets are bits of an integer: finding the lowest member is one operation, and ties go to the first domain.
    """

    def __init__(self, domains: range, free: Counts) -> None:
        self.start = domains.start
        self.counts = 0
        self.members: dict[int, int] = {}
        for domain in domains:
            self._add(domain, free[domain])

    def copy(self) -> "LevelIndex":
        """Another index with the same content."""
        other = LevelIndex(range(self.start, self.start), ())
        other.counts, other.members = self.counts, self.members.copy()
        return other

    def _add(self, domain: int, count: int) -> None:
        self.members[count] = self.members.get(count, 0) | 1 << (domain - self.start)
        self.counts |= 1 << count

    def move(self, domain: int, old: int, new: int) -> None:
        """Note that a domain's free chips changed."""
        left = self.members[old] ^ 1 << (domain - self.start)
        if left:
            self.members[old] = left
        else:
            del self.members[old]
            self.counts ^= 1 << old
        self._add(domain, new)

    @property
    def most(self) -> int:
        """The most free chips in any domain of the level."""
        return self.counts.bit_length() - 1

    def ascending(self, least: int) -> Iterator[int]:
        """Domains with at least so many free chips, the tightest first."""
        counts = self.counts >> least << least
        while counts:
            low = counts & -counts
            counts ^= low
            members = self.members[low.bit_length() - 1]
            while members:
                first = members & -members
                members ^= first
                yield self.start + first.bit_length() - 1


class Ledger:
    """Free, taken and out-of-service chips. A chip is free, taken or out; taken and out at once where it broke in use.

    ``stuck[kind][domain]`` counts those that are both.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        size = len(tree.paths)
        self.up = {kind: list(tree.capacity[kind]) for kind in tree.kinds}
        self.free = {kind: list(tree.capacity[kind]) for kind in tree.kinds}
        self.taken = {kind: [0] * size for kind in tree.kinds}
        self.out = {kind: [0] * size for kind in tree.kinds}
        self.stuck: dict[str, dict[int, int]] = {kind: {} for kind in tree.kinds}
        self.index = {
            kind: [LevelIndex(domains, self.free[kind]) for domains in tree.at_level[:-1]] for kind in tree.kinds
        }
        self.largest_host = {kind: max(self.free[kind][host] for host in tree.hosts) for kind in tree.kinds}
        self.shape = {kind: self._shapes(kind) for kind in tree.kinds}
        for host, health in tree.health.items():
            if health in ("down", "drain"):
                self.take_out(host)

    def copy(self) -> "Ledger":
        """Another ledger in the same state, to try things on."""
        other = object.__new__(Ledger)
        other.tree, other.largest_host = self.tree, self.largest_host
        other.up = {kind: counts.copy() for kind, counts in self.up.items()}
        other.free = {kind: counts.copy() for kind, counts in self.free.items()}
        other.taken = {kind: bits.copy() for kind, bits in self.taken.items()}
        other.out = {kind: bits.copy() for kind, bits in self.out.items()}
        other.stuck = {kind: counts.copy() for kind, counts in self.stuck.items()}
        other.index = {kind: [one.copy() for one in levels] for kind, levels in self.index.items()}
        other.shape = {kind: {at: row.copy() for at, row in rows.items()} for kind, rows in self.shape.items()}
        return other

    def held(self, kind: str, domain: int) -> int:
        """Chips of a domain that are taken, in service or not."""
        return self.up[kind][domain] - self.free[kind][domain] + self.stuck[kind].get(domain, 0)

    def _shapes(self, kind: str) -> dict[int, list[int]]:
        """For each supernode, how many of its hosts have 0, 1, ... free chips."""
        shapes = {}
        for supernode in self.tree.at_level[-2]:
            counts = [0] * (self.largest_host[kind] + 1)
            for host in self.tree.children[supernode]:
                counts[self.free[kind][host]] += 1
            shapes[supernode] = counts
        return shapes

    def installed(self, kind: str, host: int) -> int:
        """The chips of a host as bits."""
        return (1 << self.tree.capacity[kind][host]) - 1

    def take(self, kind: str, shares: Shares) -> tuple[list[tuple[int, int]], dict[int, int]]:
        """Take chips. Returns the bits by host, and how many were taken by domain above the hosts."""
        free, taken, out, shape = self.free[kind], self.taken[kind], self.out[kind], self.shape[kind]
        parent, capacity = self.tree.parent, self.tree.capacity[kind]
        given: list[tuple[int, int]] = []
        by_parent: dict[int, int] = {}
        for host, count in shares:
            have = free[host]
            if not 0 < count <= have:
                raise AssertionError(f"{count} chips taken of {self.tree.paths[host]}, where {have} are free")
            bits = (1 << capacity[host]) - 1 & ~(taken[host] | out[host])
            if count < have:
                bits = _lowest(bits, count)
            taken[host] |= bits
            free[host] = have - count
            above = parent[host]
            counts = shape[above]
            counts[have] -= 1
            counts[have - count] += 1
            by_parent[above] = by_parent.get(above, 0) + count
            given.append((host, bits))
        return given, self._carry(kind, by_parent, -1)

    def claim(self, kind: str, given: Iterable[tuple[int, int]]) -> dict[int, int]:
        """Take exactly these chips, in service or not; returns how many by domain above the hosts."""
        by_parent: dict[int, int] = {}
        counted: dict[int, int] = {}
        for host, bits in given:
            if bits & self.taken[kind][host] or bits & ~self.installed(kind, host):
                raise AssertionError(f"chips of {self.tree.paths[host]} are taken or not there")
            self.taken[kind][host] |= bits
            idle = bits & ~self.out[kind][host]
            self._change_host(kind, host, -idle.bit_count(), by_parent)
            self._stick(kind, host, (bits ^ idle).bit_count())
            for domain in self.tree.ancestors[host][1:]:
                counted[domain] = counted.get(domain, 0) + bits.bit_count()
        self._carry(kind, by_parent, 1)
        return counted

    def give_back(self, kind: str, given: Iterable[tuple[int, int]]) -> int:
        """Give chips back. Returns how many are out of service and did not become free."""
        free, taken, out, shape = self.free[kind], self.taken[kind], self.out[kind], self.shape[kind]
        parent = self.tree.parent
        by_parent: dict[int, int] = {}
        broken = 0
        for host, bits in given:
            if bits & ~taken[host]:
                raise AssertionError(f"chips given back twice on {self.tree.paths[host]}")
            taken[host] ^= bits
            if lost := bits & out[host]:
                broken += lost.bit_count()
                self._stick(kind, host, -lost.bit_count())
                bits ^= lost
            have, above, count = free[host], parent[host], bits.bit_count()
            free[host] = have + count
            counts = shape[above]
            counts[have] -= 1
            counts[have + count] += 1
            by_parent[above] = by_parent.get(above, 0) + count
        self._carry(kind, by_parent, 1)
        return broken

    def take_out(self, host: int, kind: str | None = None, bits: int | None = None) -> None:
        """Take chips of a host out of service, all of them where none are named."""
        self._serve(host, kind, bits, back=False)

    def bring_back(self, host: int, kind: str | None = None, bits: int | None = None) -> None:
        """Bring chips of a host back into service."""
        self._serve(host, kind, bits, back=True)

    def _serve(self, host: int, only: str | None, bits: int | None, *, back: bool) -> None:
        for kind in self.tree.kinds if only is None else (only,):
            installed = self.installed(kind, host)
            changed = installed if bits is None else bits & installed
            changed &= self.out[kind][host] if back else ~self.out[kind][host]
            if not changed:
                continue
            self.out[kind][host] ^= changed
            sign = 1 if back else -1
            for domain in self.tree.ancestors[host]:
                self.up[kind][domain] += sign * changed.bit_count()
            by_parent: dict[int, int] = {}
            idle = changed & ~self.taken[kind][host]
            self._change_host(kind, host, sign * idle.bit_count(), by_parent)
            self._stick(kind, host, -sign * (changed ^ idle).bit_count())
            self._carry(kind, by_parent, 1)

    def _stick(self, kind: str, host: int, change: int) -> None:
        """Count chips that broke in use, by domain."""
        if change:
            counts = self.stuck[kind]
            for domain in self.tree.ancestors[host]:
                counts[domain] = counts.get(domain, 0) + change

    def _change_host(self, kind: str, host: int, change: int, by_parent: dict[int, int]) -> None:
        have, above = self.free[kind][host], self.tree.parent[host]
        self.free[kind][host] = have + change
        counts = self.shape[kind][above]
        counts[have] -= 1
        counts[have + change] += 1
        by_parent[above] = by_parent.get(above, 0) + change

    def _carry(self, kind: str, changes: dict[int, int], sign: int) -> dict[int, int]:
        """Carry changes up to the root, each domain once; returns them by domain."""
        free, parent, indices = self.free[kind], self.tree.parent, self.index[kind]
        every: dict[int, int] = {}
        for level in range(len(indices) - 1, -1, -1):
            index = indices[level]
            above: dict[int, int] = {}
            every.update(changes)
            for domain, count in changes.items():
                old = free[domain]
                free[domain] = new = old + sign * count
                if old != new:
                    index.move(domain, old, new)
                if domain:
                    over = parent[domain]
                    above[over] = above.get(over, 0) + count
            changes = above
        return every

    def audit(self) -> None:
        """Check that all counters close; for tests and after a re-application."""
        tree = self.tree
        for kind in tree.kinds:
            free, up, held = ([0] * len(tree.paths) for _ in range(3))
            for host in tree.hosts:
                installed = self.installed(kind, host)
                bits = installed & ~self.out[kind][host]
                idle = bits & ~self.taken[kind][host]
                assert self.taken[kind][host] & ~installed == 0, tree.paths[host]
                for domain in tree.ancestors[host]:
                    up[domain] += bits.bit_count()
                    free[domain] += idle.bit_count()
                    held[domain] += self.taken[kind][host].bit_count()
            assert free == self.free[kind], f"free chips of {kind} do not add up"
            assert up == self.up[kind], f"chips of {kind} in service do not add up"
            assert held == [self.held(kind, d) for d in range(len(held))], f"held chips of {kind} do not add up"
            assert self._shapes(kind) == self.shape[kind], f"host shapes of {kind}"
            for level, index in enumerate(self.index[kind]):
                fresh = LevelIndex(tree.at_level[level], free)
                assert (index.counts, index.members) == (fresh.counts, fresh.members), f"index of {tree.levels[level]}"


def _lowest(bits: int, count: int) -> int:
    """The lowest set bits, so many of them."""
    found = 0
    for _ in range(count):
        low = bits & -bits
        found |= low
        bits ^= low
    return found
