"""Small hubs and gangs for tests, written short."""

from collections.abc import Mapping
from random import Random
from typing import Any

from cluster.allocate.allocator import Allocator
from cluster.allocate.gang import Gang, Group, Project
from cluster.topology import Domain, Topology

SOME = {"status": "assumed"}


def kind(speed: float = 1.0, power: float = 1000, idle: float = 100) -> dict[str, Any]:
    return {
        "title": "a chip",
        "device": "gpu",
        "memory": {"value": 64, "unit": "GiB", **SOME},
        "power": {"value": power, "unit": "W", **SOME},
        "idle": {"value": idle, "unit": "W", **SOME},
        "speed": {"value": speed, "unit": "ratio", **SOME},
    }


def supernodes(count: int, hosts: int, chips: Mapping[str, int] | int, name: str = "sn") -> list[dict[str, Any]]:
    """Equal supernodes of equal hosts."""
    held = {"a": chips} if isinstance(chips, int) else dict(chips)
    return [{"name": name, "count": count, "of": [{"name": "h", "count": hosts, "chips": held}]}]


def hub(tree: list[dict[str, Any]], kinds: Mapping[str, dict[str, Any]] | None = None, **more: Any) -> Topology:
    return Topology.model_validate(
        {"name": "test", "title": "Test", "kinds": kinds or {"a": kind()}, "tree": tree, **more}
    )


def cap(**kilowatts: float) -> dict[str, Any]:
    return {"cap": {level: {"value": value, "unit": "kW", **SOME} for level, value in kilowatts.items()}}


def run(allocator: Allocator, *gangs: Gang, now: float = 0) -> list[str]:
    """Submit gangs and name those that start."""
    for gang in gangs:
        allocator.submit(gang, now)
    return [one.gang.name for one in allocator.schedule(now)]


def ended(allocator: Allocator, name: str, now: float) -> list[str]:
    """End a gang and name those that start."""
    allocator.end(name, now)
    return [one.gang.name for one in allocator.schedule(now)]


def where(allocator: Allocator, name: str) -> dict[str, int]:
    """A gang's chips by host path, all kinds together."""
    found: dict[str, int] = {}
    for pairs in allocator.running[name].given.values():
        for host, bits in pairs:
            path = allocator.tree.paths[host]
            found[path] = found.get(path, 0) + bits.bit_count()
    return found


def spans(allocator: Allocator, name: str, level: str = "supernode") -> int:
    return allocator.running[name].spans(allocator.tree.level(level), allocator.tree)


# -- random ones ------------------------------------------------------------------------------------------------------

LEVELS = (
    ("hub", "supernode", "host"),
    ("hub", "unit", "supernode", "host"),
    ("net", "hub", "unit", "supernode", "host"),
)
KINDS = {"a": kind(), "b": kind(0.5, 600, 50), "c": kind(2, 1500, 200)}


def random_hub(random: Random, *, power: bool = False) -> Topology:
    """An irregular hub of 3 to 5 levels; hosts have one kind or several; some supernodes are tori."""
    levels = random.choice(LEVELS)
    names = random.sample(sorted(KINDS), random.randint(1, 3))
    torus = random.random() < 0.3
    mixed_hosts = random.random() < 0.4

    def hosts() -> list[dict[str, Any]]:
        of = names if mixed_hosts and not torus else [random.choice(names)]
        each = {one: random.choice((1, 2, 4)) for one in random.sample(of, random.randint(1, len(of)))}
        return [{"name": "h", "count": 4 if torus else random.randint(1, 4), "chips": each}]

    def under(depth: int) -> list[dict[str, Any]]:
        if depth == len(levels) - 1:
            return hosts()
        return [
            {"name": f"{levels[depth][0]}{number}", "of": under(depth + 1)} for number in range(random.randint(1, 3))
        ]

    more: dict[str, Any] = {"levels": levels}
    if torus:
        link = {"bandwidth": {"value": 1, "unit": "GB/s", **SOME}, "latency": {"value": 1, "unit": "us", **SOME}}
        more["links"] = {"supernode": {**link, "torus": [2, 2]}}
    if power:
        more["power"] = cap(**{random.choice(levels[:-1]): random.choice((3.0, 6.0, 12.0))})
    return hub(under(1), {name: KINDS[name] for name in names}, **more)


def grown(topology: Topology, random: Random) -> Topology:
    """The same hub with one more branch at the top, or with a random one of its branches absent."""
    if random.random() < 0.7 or len(topology.tree) < 2:
        like = random.choice(topology.tree)
        more = Domain.model_validate({**like.model_dump(), "name": f"new{len(topology.tree)}", "count": None})
        return Topology.model_validate({**topology.model_dump(), "tree": (*topology.tree, more)})
    gone = random.choice(topology.tree).names()[0]
    return Topology.model_validate(
        {**topology.model_dump(), "health": {gone: random.choice(("absent", "down", "drain"))}}
    )


def random_gang(random: Random, name: str, topology: Topology, projects: Mapping[str, Project]) -> Gang:
    """Any kind of wish, most of them possible."""
    levels = topology.levels
    chips = random.choice((1, 1, 2, 2, 3, 4, 4, 6, 8, 8, 12, 16))
    groups: tuple[Group, ...] = ()
    if random.random() < 0.3:
        outer = random.choice([size for size in (1, 2, 4, 8) if chips % size == 0])
        groups = (Group(chips=outer, level=random.choice(levels[1:])),)
        deeper = levels[levels.index(groups[0].level) + 1 :]
        if deeper and random.random() < 0.4:
            inner = random.choice([size for size in (1, 2, 4) if outer % size == 0])
            groups += (Group(chips=inner, level=random.choice(deeper)),)
    wishes: dict[str, Any] = {}
    if random.random() < 0.4:
        wishes["required"] = random.choice(levels)
    if random.random() < 0.5:
        wishes.update(preferred=random.choice(levels), max_wait_s=random.choice((0, 50, 200)))
    if random.random() < 0.15:
        wishes["exclusive"] = random.choice(levels[1:])
    if random.random() < 0.25:
        wishes.update(mode=random.choice(("balanced", "spread")), over=random.choice(levels[1:]))
    if random.random() < 0.3:
        some = random.sample(sorted(topology.kinds), random.randint(1, len(topology.kinds)))
        wishes["kinds"] = {one: random.choice((0.5, 1.0, 2.0)) for one in some}
    return Gang(
        name=name,
        chips=chips,
        groups=groups,
        mixed=random.random() < 0.25,
        duration_s=random.choice((10, 50, 100, 400)),
        project=random.choice(sorted(projects)) if projects else "default",
        priority=random.choice((0, 0, 0, 1, 2)),
        preemptible=random.random() < 0.4,
        spares=random.choice((0, 0, 1, 2)),
        **wishes,
    )
