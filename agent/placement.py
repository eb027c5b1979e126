"""Where a plan would run on a hub: asked of the allocator that serves it, as the hub is now and on a busy day."""

from itertools import takewhile

from agent.models.chips import backend_of
from cluster.allocate.allocator import Allocator
from cluster.allocate.gang import Gang, Refused
from cluster.allocate.promise import promise
from cluster.simulate.day import national_day
from cluster.topology import Topology
from cluster.tree import build
from domains.errors import InvalidRequest
from domains.model import Frozen

LOAD, HOUR_S = 0.85, 13 * 3600.0  # the busy day: what it asks of the hub, and when we come
NAME = "this plan"


class Taken(Frozen):
    """Chips of a kind in a supernode."""

    supernode: str
    kind: str
    chips: int


class Placement(Frozen):
    """Where the chips would be, the speed of their kind, and the wait where others are there first (None: for ever)."""

    chips: int
    kinds: tuple[str, ...]
    speed: float
    supernodes: tuple[Taken, ...]
    wait_s: float | None = 0.0
    refused: str | None = None


def kinds_named(hub: Topology, name: str) -> dict[str, float]:
    """The kinds of a hub that a word means (the kind, its device, its maker's platform), with their speeds.

    Raises:
        InvalidRequest: it means none.
    """
    named = name.casefold()
    found = {
        kind: one.relative_speed
        for kind, one in hub.kinds.items()
        if named in (kind.casefold(), one.device, str(backend_of(one) or "")) or named in one.title.casefold()
    }
    if not found:
        raise InvalidRequest("chips", name, f"{hub.name} has no such chip", ", ".join(hub.kinds))
    return found


def place(hub: Topology, chips: int, seconds: float, kinds: dict[str, float] | None = None) -> Placement:
    """The place on a hub as its file describes it: what is out of service there is out, all else is free."""
    return _ask(Allocator(hub), chips, seconds, kinds, 0.0)


def place_on_a_busy_day(hub: Topology, chips: int, seconds: float, kinds: dict[str, float] | None = None) -> Placement:
    """The place and the wait at 13:00 of the simulator's synthetic day."""
    allocator = Allocator(hub)
    for job in takewhile(lambda job: job.submit < HOUR_S, national_day(hub, load=LOAD)):
        if job.submit + job.seconds > HOUR_S:
            allocator.submit(job.gang, 0.0)
    allocator.schedule(0.0)
    return _ask(allocator, chips, seconds, kinds, 0.0)


def _ask(allocator: Allocator, chips: int, seconds: float, kinds: dict[str, float] | None, now: float) -> Placement:
    hub, tree = allocator.topology, allocator.tree
    fits = chips <= max(tree.largest_supernode.values())
    gang = Gang(
        name=NAME,
        chips=chips,
        kinds=kinds or {},
        preferred="supernode" if fits else None,
        duration_s=max(seconds, 1.0),
    )
    speeds = gang.speeds(hub)
    try:
        allocator.submit(gang, now)
    except Refused as error:
        return Placement(chips=chips, kinds=(), speed=1.0, supernodes=(), wait_s=None, refused=str(error))
    started = next((one for one in allocator.schedule(now) if one.gang.name == NAME), None)
    if started is None:
        pending = allocator.queue.by_name[NAME]
        holds = [one for one in allocator.holds if one.name == NAME] or promise(allocator, pending, now)
        wait = min((one.start for one in holds), default=None)
        return Placement(
            chips=chips,
            kinds=tuple(dict.fromkeys(one.kind for one in holds)),
            speed=min((speeds.get(one.kind, 1.0) for one in holds), default=1.0),
            supernodes=(),
            wait_s=None if wait is None else wait - now,
        )
    level = len(tree.levels) - 2
    taken = [
        Taken(supernode=tree.paths[domain], kind=kind, chips=count)
        for kind in started.given
        for domain, count in started.by_domain(kind, level, tree)
    ]
    return Placement(chips=chips, kinds=started.kinds, speed=started.speed, supernodes=tuple(taken))


def largest_supernode(hub: Topology) -> int:
    """Most chips of one kind in a supernode."""
    return max(build(hub).largest_supernode.values())
