"""What is out of service and why: several outages may cover one chip, and it is back when the last of them is over."""

from collections.abc import Mapping

from cluster.tree import Tree

Chips = dict[tuple[str, int], int]
"""Bits by (kind, host)."""


class Outages:
    """Outages by path, those that the hub's file declares apart from those that happened."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.declared: dict[str, list[Chips]] = {}
        self.happened: dict[str, list[Chips]] = {}
        for path, health in tree.topology.health.items():
            if health in ("down", "drain"):
                self.declared[path] = [self.under(path)]

    def under(self, path: str, chips: int | None = None) -> Chips:
        """All chips of a domain, or the first ``chips`` of them in the order of the file's kinds and hosts."""
        found: Chips = {}
        for host in self.tree.hosts_under(self.tree.number[path]):
            for kind in self.tree.kinds:
                count = self.tree.capacity[kind][host]
                if chips is not None:
                    count = min(count, chips)
                    chips -= count
                if count:
                    found[kind, host] = (1 << count) - 1
        return found

    def begin(self, path: str, chips: int | None = None) -> Chips:
        """Note an outage; returns the chips that it covers."""
        covered = self.under(path, chips)
        self.happened.setdefault(path, []).append(covered)
        return covered

    def end(self, path: str) -> Chips:
        """End the oldest outage of a path and return the chips that no other covers.

        Where there was none of just this path, everything under it is declared sound: a person has looked at it.
        """
        for known in (self.happened, self.declared):
            if path in known:
                covered = known[path].pop(0)
                if not known[path]:
                    del known[path]
                return self._without(covered, self.covered())
        sound = self.under(path)
        for known in (self.happened, self.declared):
            for one in (chips for entries in known.values() for chips in entries):
                for key in sound.keys() & one.keys():
                    del one[key]
        return sound

    def covered(self) -> Chips:
        """All chips that are out of service."""
        found: Chips = {}
        for known in (self.happened, self.declared):
            for one in (chips for entries in known.values() for chips in entries):
                for key, bits in one.items():
                    found[key] = found.get(key, 0) | bits
        return found

    def moved(self, tree: Tree) -> "Outages":
        """The same on another tree: what its file declares, and what had happened to hosts that are still there."""
        other = Outages(tree)
        for path, entries in self.happened.items():
            if path in tree.number:
                kept = [self._moved(chips, tree) for chips in entries]
                other.happened[path] = [chips for chips in kept if chips]
        other.happened = {path: entries for path, entries in other.happened.items() if entries}
        return other

    def _moved(self, chips: Mapping[tuple[str, int], int], tree: Tree) -> Chips:
        found: Chips = {}
        for (kind, host), bits in chips.items():
            here = tree.number.get(self.tree.paths[host])
            if here is not None and kind in tree.kinds and (bits := bits & ((1 << tree.capacity[kind][here]) - 1)):
                found[kind, here] = bits
        return found

    @staticmethod
    def _without(chips: Chips, others: Mapping[tuple[str, int], int]) -> Chips:
        left = {key: bits & ~others.get(key, 0) for key, bits in chips.items()}
        return {key: bits for key, bits in left.items() if bits}
