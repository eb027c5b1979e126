"""Small machines and random graphs for the tests."""

from collections import Counter
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from cluster.dag import Edge, Machine, Task, TaskGraph
from cluster.topology import ChipKind, Domain, Figure, Link, Topology
from cluster.tree import build

TYPES = ("a", "b", "c")
Hosts = Sequence[Sequence[str]]


def figure(value: float, unit: str) -> Figure:
    return Figure(value=value, unit=unit, status="assumed")


def machine(
    supernodes: Sequence[Hosts],
    speed: Mapping[str, float],
    bandwidth: Mapping[str, float],
    latency: float = 1e-30,
    speeds: Mapping[tuple[str, str], float] | None = None,
) -> Machine:
    """Supernodes of hosts of chips by kind; bandwidth in GB/s and latency in us by level."""
    topology = Topology(
        name="small",
        title="Small",
        kinds={
            name: ChipKind(title=name, device="gpu", memory=figure(1, "GiB"), speed=figure(value, "ratio"))
            for name, value in speed.items()
        },
        links={
            level: Link(bandwidth=figure(value, "GB/s"), latency=figure(latency, "us"))
            for level, value in bandwidth.items()
        },
        tree=tuple(
            Domain(name=f"s{s}", of=tuple(Domain(name=f"h{h}", chips=Counter(chips)) for h, chips in enumerate(hosts)))
            for s, hosts in enumerate(supernodes)
        ),
    )
    return Machine(build(topology), speeds or {})


def graph(work: Sequence[float], edges: Sequence[tuple[int, int, float]] = (), type: str = "a") -> TaskGraph:
    """Tasks t0, t1, ... of one type, edges in GB."""
    tasks = tuple(Task(f"t{number}", type, one) for number, one in enumerate(work))
    return TaskGraph(tasks, tuple(Edge(f"t{parent}", f"t{child}", size * 1e9) for parent, child, size in edges))


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Up to three supernodes of up to two hosts; one kind may be unable to run one type."""
    kinds = draw(st.lists(st.sampled_from(["k0", "k1", "k2"]), min_size=1, max_size=3, unique=True))
    host = st.lists(st.sampled_from(kinds), min_size=1, max_size=3)
    supernodes = draw(st.lists(st.lists(host, min_size=1, max_size=2), min_size=1, max_size=3))
    there = sorted({kind for hosts in supernodes for chips in hosts for kind in chips})
    speeds = {(type, kind): draw(st.sampled_from([0.5, 1.0, 3.0])) for type in TYPES for kind in there}
    if len(there) > 1 and draw(st.booleans()):
        speeds[draw(st.sampled_from(TYPES)), there[0]] = 0.0
    bandwidth = {"host": 9.0, "supernode": 5.0, "hub": 1.0}
    return machine(supernodes, dict.fromkeys(kinds, 1.0), bandwidth, draw(st.sampled_from([1e-9, 1e5])), speeds)


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    """Up to 16 tasks, some without work, with up to three parents each or one wide join at the end."""
    size = draw(st.integers(1, 16))
    work = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0])
    tasks = [Task(f"t{n}", draw(st.sampled_from(TYPES)), draw(work)) for n in range(size)]
    amount = st.sampled_from([0.0, 1e8, 1e9, 2e10])
    edges = {}
    for child in range(1, size):
        for parent in draw(st.lists(st.integers(0, child - 1), max_size=3, unique=True)):
            edges[parent, child] = draw(amount)
    if draw(st.booleans()):
        edges.update({(parent, size - 1): draw(amount) for parent in range(size - 1)})
    return TaskGraph(tuple(tasks), tuple(Edge(f"t{a}", f"t{b}", bytes_) for (a, b), bytes_ in edges.items()))
