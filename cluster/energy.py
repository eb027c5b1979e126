"""Power and energy of a hub, modelled from the figures of its file: busy and idle chips, base loads, PUE.

Modelled, not measured: a chip that is held counts at its full load, an idle one at its idle load. A kind without figures
counts as nothing, and ``PowerModel.complete`` says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cluster.allocate.ledger import Ledger
from cluster.tree import Tree


@dataclass(frozen=True, slots=True)
class Draw:
    """Watts by cause; the lines are kept apart, as a total hides which one is only assumed."""

    busy: float
    idle: float
    base: float
    overhead: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.busy + self.idle + self.base + self.overhead


class PowerModel:
    """What the hub and its parts draw."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        kinds, power = tree.topology.kinds, tree.topology.power
        self.busy_w = {name: kind.power.value if kind.power else 0.0 for name, kind in kinds.items()}
        self.idle_w = {name: kind.idle.value if kind.idle else 0.0 for name, kind in kinds.items()}
        self.complete = all(kind.power and kind.idle for kind in kinds.values())
        self.pue = power.pue.value if power.pue else 1.0
        self.base_w = {level: figure.value * 1000 for level, figure in power.base.items()}
        self.cap_w = {level: figure.value * 1000 for level, figure in power.cap.items()}

    def kwh(self, chips: Mapping[str, int], seconds: float) -> float:
        """Energy of busy chips by kind over a time, without base loads and overhead."""
        return sum(self.busy_w[kind] * count for kind, count in chips.items()) * seconds / 3.6e6

    def base(self, domain: int) -> float:
        """Base loads of a domain and of what is installed below it, watts."""
        tree = self.tree
        total = 0.0
        first = last = domain
        for level in range(tree.level_of[domain], len(tree.levels)):
            watts = self.base_w.get(tree.levels[level])
            if watts:
                total += watts * sum(any(c[d] for c in tree.capacity.values()) for d in range(first, last + 1))
            if level < len(tree.levels) - 1:
                first, last = tree.children[first].start, tree.children[last].stop - 1
        return total

    @cached_property
    def base_of_hub(self) -> float:
        """Base loads of everything installed, watts."""
        return self.base(0)

    def draw(self, ledger: Ledger, domain: int = 0) -> Draw:
        """What a domain draws now; chips that are out of service draw nothing unless they are held."""
        busy = idle = 0.0
        for kind in self.tree.kinds:
            busy += ledger.held(kind, domain) * self.busy_w[kind]
            idle += ledger.free[kind][domain] * self.idle_w[kind]
        base = self.base_of_hub if domain == 0 else self.base(domain)
        return Draw(busy, idle, base, (busy + idle + base) * (self.pue - 1))

    @cached_property
    def rise_w(self) -> dict[str, float]:
        """What a chip draws more when it is taken, by kind."""
        return {kind: max(busy - self.idle_w[kind], 0.0) for kind, busy in self.busy_w.items()}

    @cached_property
    def binding(self) -> dict[int, float]:
        """Domains whose cap is below what they draw at full load, with the watts left for taking chips when all idle.

        A cap is on chips and base loads; the overhead (PUE) is drawn elsewhere. Chips that are out of service count as
        idle, so that a repair exceeds no cap.
        """
        found = {}
        for level, cap in self.cap_w.items():
            for domain in self.tree.at_level[self.tree.level(level)]:
                counts = {kind: self.tree.capacity[kind][domain] for kind in self.tree.kinds}
                left = cap - self.base(domain) - sum(count * self.idle_w[kind] for kind, count in counts.items())
                if sum(count * self.rise_w[kind] for kind, count in counts.items()) > left:
                    found[domain] = left
        return found

    def left(self, ledger: Ledger) -> list[tuple[int, float]]:
        """(domain, watts) that chips may still draw above idle, where a cap can bind at all."""
        return [
            (domain, watts - sum(ledger.held(kind, domain) * rise for kind, rise in self.rise_w.items()))
            for domain, watts in self.binding.items()
        ]
