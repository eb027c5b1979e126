"""Who waits, in the order in which they are looked at."""

import heapq
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice

from cluster.allocate.accounts import Accounts
from cluster.allocate.gang import Gang

Kinds = tuple[str, ...]


def choices(gang: Gang, speeds: Mapping[str, float]) -> tuple[Kinds, ...]:
    """Kinds to try, the fastest first; all together last where the gang may be mixed."""
    single = tuple((kind,) for kind in speeds)
    return (*single, tuple(speeds)) if gang.mixed and len(single) > 1 else single


@dataclass(frozen=True, slots=True)
class Bound:
    """What keeps a gang from starting: a code, and the sentence a person reads."""

    code: str
    text: str


@dataclass(slots=True, eq=False)
class Pending:
    """A gang that waits, with what the passes over the queue need at hand: levels as depths, seconds by kind.

    ``first_bound`` is what held it when it was looked at first; ``watched`` are the kinds whose news it waits for,
    ``choices`` those that it may start on, together.
    """

    gang: Gang
    since: float
    number: int
    speeds: dict[str, float]
    choices: tuple[Kinds, ...]
    required: int
    preferred: int
    watched: Kinds
    notes: list[str] = field(default_factory=list)
    first_bound: str = ""
    bound: Bound | None = None
    chips: int = 0
    kinds: Kinds = ()
    lasts: dict[str, float] = field(default_factory=dict)
    shape: object = None

    def __post_init__(self) -> None:
        gang = self.gang
        self.chips, self.kinds = gang.chips, tuple(self.speeds)
        self.lasts = {kind: gang.duration_s / speed for kind, speed in self.speeds.items()}
        plain = not gang.groups and gang.mode == "tight" and gang.exclusive is None
        self.shape = None if plain else (gang.groups, gang.mode, gang.over, gang.exclusive)

    def widest(self, now: float) -> int:
        """The depth of the level that it may not leave now."""
        if self.preferred > self.required and now - self.since < self.gang.max_wait_s:
            return self.preferred
        return self.required


class Queue:
    """Priority first; within it projects take turns by their use over their share; within a project in order of arrival."""

    def __init__(self) -> None:
        self.by_name: dict[str, Pending] = {}
        self.chips = 0
        self._lines: dict[int, dict[str, dict[Kinds, dict[str, Pending]]]] = {}

    def __len__(self) -> int:
        return len(self.by_name)

    def add(self, pending: Pending) -> None:
        """Put a gang at the end of its project's line, or further ahead where its number is lower."""
        gang = pending.gang
        self.by_name[gang.name] = pending
        self.chips += gang.chips
        lines = self._lines.setdefault(gang.priority, {}).setdefault(gang.project, {})
        line = lines.setdefault(pending.watched, {})
        late = line and next(reversed(line.values())).number > pending.number
        line[gang.name] = pending
        if late:
            ordered = sorted(line.values(), key=_number)
            line.clear()
            line.update((one.gang.name, one) for one in ordered)

    def remove(self, name: str) -> Pending:
        """Take a gang out."""
        pending = self.by_name.pop(name)
        self.chips -= pending.gang.chips
        projects = self._lines[pending.gang.priority]
        lines = projects[pending.gang.project]
        line = lines[pending.watched]
        del line[name]
        if not line:
            del lines[pending.watched]
        if not lines:
            del projects[pending.gang.project]
        if not projects:
            del self._lines[pending.gang.priority]
        return pending

    def ordered(self, accounts: Accounts, now: float, kinds: Set[str], most: int) -> Iterator[Pending]:
        """Those that wait for news of one of the kinds; at most so many of a project.

        A project's turn moves back by what each of its gangs would use.
        """
        for priority in sorted(self._lines, reverse=True):
            turns = []
            for name, lines in self._lines[priority].items():
                chosen = [
                    list(islice(line.values(), most))
                    for watched, line in lines.items()
                    if not kinds.isdisjoint(watched)
                ]
                waiting = iter(chosen[0] if len(chosen) == 1 else islice(heapq.merge(*chosen, key=_number), most))
                if chosen:
                    turns.append((accounts.turn(name, now), name, next(waiting), waiting))
            if len(turns) == 1:
                yield turns[0][2]
                yield from turns[0][3]
                continue
            heapq.heapify(turns)
            while turns:
                turn, name, pending, waiting = turns[0]
                yield pending
                following = next(waiting, None)
                if following is None:
                    heapq.heappop(turns)
                    continue
                project = accounts.projects.get(name)
                later = turn + pending.gang.chips * pending.gang.duration_s / (project.share if project else 1.0)
                heapq.heapreplace(turns, (later, name, following, waiting))


def _number(pending: Pending) -> int:
    return pending.number
