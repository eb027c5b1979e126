"""Defragmentation as advice: which gangs to move where, so that a domain has so many chips free together."""

from dataclasses import dataclass

from cluster.allocate.fit import find
from cluster.allocate.gang import Gang
from cluster.allocate.ledger import Ledger
from cluster.allocate.queue import choices
from cluster.allocate.running import Allocation
from cluster.allocate.state import State
from cluster.allocate.view import view
from cluster.tree import Tree


@dataclass(frozen=True, slots=True)
class Move:
    """A gang's chips by host path: where they are and where they would go, of which kinds."""

    name: str
    chips: int
    source: dict[str, int]
    target: dict[str, int]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """Moves, in this order, after which ``chips`` of a kind are free together in a domain."""

    path: str
    kind: str
    chips: int
    moves: tuple[Move, ...]

    @property
    def moved(self) -> int:
        """Chips that change hands."""
        return sum(move.chips for move in self.moves)

    def lines(self) -> list[str]:
        """The advice in plain words."""
        if not self.moves:
            return [f"{self.path} has {self.chips:,} chips of {self.kind} free as it is."]
        told = [f"Moving {self.moved:,} chips frees {self.chips:,} of {self.kind} in {self.path}:"]
        for move in self.moves:
            told.append(f"{move.name} ({move.chips:,} chips) from {_some(move.source)} to {_some(move.target)}")
        return told


def stranded(ledger: Ledger, tree: Tree, shape: int) -> float:
    """Share of the chips in service that are free and cannot serve gangs of this size inside one supernode."""
    up = sum(counts[0] for counts in ledger.up.values())
    lost = sum(free[domain] % shape for free in ledger.free.values() for domain in tree.at_level[-2])
    return lost / up if up else 0.0


def advise(state: State, level: str, chips: int, kind: str | None = None) -> Advice | None:
    """The fewest chips to move for so many free ones in one domain of a level; None where no moves would do.

    Only preemptible gangs are moved, each to a place that keeps its levels, groups and reservations of others. Nothing
    is changed.
    """
    tree, ledger = state.tree, state.ledger
    domains = [
        (chips - ledger.free[of][domain], domain, of)
        for of in (tree.kinds if kind is None else (kind,))
        for domain in tree.at_level[tree.level(level)]
        if ledger.up[of][domain] >= chips
    ]
    best: Advice | None = None
    for missing, domain, of in sorted(domains):
        if best is not None and missing >= best.moved:
            break  # no domain from here on can do with fewer
        chosen = _fewest(state, domain, of, missing)
        moves = None if chosen is None else _rehearse(state, domain, of, chips, chosen)
        if moves is not None and (best is None or sum(move.chips for move in moves) < best.moved):
            best = Advice(tree.paths[domain] or tree.topology.name, of, chips, moves)
    return best


def _fewest(state: State, domain: int, kind: str, missing: int) -> list[Allocation] | None:
    """Preemptible gangs that hold the missing chips of a domain and the fewest chips in all; None where there are none."""
    best: dict[int, tuple[int, list[Allocation]]] = {0: (0, [])}  # by chips of the domain: chips in all, and whose
    for _, _, one in state.by_end[kind]:
        inside = one.chips_in(domain, kind)
        if not one.gang.preemptible or not inside:
            continue
        for freed, (cost, gangs) in list(best.items()):
            reached = min(freed + inside, max(missing, 0))
            if reached > freed and cost + one.held < best.get(reached, (cost + one.held + 1, []))[0]:
                best[reached] = cost + one.held, [*gangs, one]
    found = best.get(max(missing, 0))
    return None if found is None else found[1]


def _rehearse(state: State, domain: int, kind: str, chips: int, chosen: list[Allocation]) -> tuple[Move, ...] | None:
    """Find a place for each gang on a copy of the ledger where the domain's chips are spoken for."""
    tree, scratch = state.tree, state.ledger.copy()
    for one in chosen:
        for of_kind, given in one.given.items():
            scratch.give_back(of_kind, given)
    asked = Gang(name="advice", chips=chips)
    kept = find(view(scratch, asked, (kind,)), asked, tree.level_of[domain], domain)
    if kept is None:
        return None
    scratch.take(kind, kept.shares)
    moves = []
    for one in sorted(chosen, key=lambda one: -one.held):
        move = _move(state, scratch, one)
        if move is None:
            return None
        moves.append(move)
    return tuple(moves)


def _move(state: State, scratch: Ledger, one: Allocation) -> Move | None:
    """Another place for a gang, no slower and in no wider level than asked for; it is taken on the copy."""
    gang, tree = one.gang, state.tree
    widest = tree.level(gang.required) if gang.required else 0
    if gang.preferred:  # what lies in its preferred level stays in one
        widest = max(widest, min(tree.level(gang.preferred), tree.level_of[one.container]))
    for kinds in choices(gang, {kind: speed for kind, speed in one.speeds.items() if speed >= one.speed}):
        seen = view(scratch, gang, kinds, state.terms(gang, kinds, one.started, one.ends, scratch))
        fit = find(seen, gang, widest)
        if fit is not None:
            shares = seen.by_kind(gang, kinds, fit.shares)
            for kind, pairs in shares.items():
                scratch.take(kind, pairs)
            source = [(host, bits.bit_count()) for pairs in one.given.values() for host, bits in pairs]
            target = [pair for pairs in shares.values() for pair in pairs]
            return Move(gang.name, one.held, _by_path(tree, source), _by_path(tree, target), tuple(shares))
    return None


def _by_path(tree: Tree, shares: list[tuple[int, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for host, chips in shares:
        found[tree.paths[host]] = found.get(tree.paths[host], 0) + chips
    return found


def _some(hosts: dict[str, int]) -> str:
    """Hosts by name, the first few."""
    names = list(hosts)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
