"""Write heft_oracle.json: HEFT makespans of anrg-saga on random graphs. Run it where saga is installed.

saga knows no latency and no types of task: the links here have (almost) none, each chip is a kind of its own. Work,
bytes and speeds are real numbers without ties, as saga breaks ties by the order of a set.
"""

import json
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

FIXTURE = Path(__file__).parent / "heft_oracle.json"
CASES = 60


def case(seed: int) -> dict[str, Any]:
    """A random graph with one source and one sink, and a tree of chips with their speeds and links (GB/s)."""
    draw = random.Random(seed)
    tasks = draw.randint(6, 28)
    edges: dict[tuple[int, int], float] = {}
    for child in range(1, tasks):
        for parent in draw.sample(range(child), min(child, draw.randint(1, 4))):
            edges[parent, child] = draw.uniform(0.1, 30.0)
    for task in range(tasks - 1):
        if all(parent != task for parent, _ in edges):
            edges[task, tasks - 1] = draw.uniform(0.1, 30.0)
    return {
        "work": [draw.uniform(1.0, 20.0) for _ in range(tasks)],
        "edges": [[parent, child, size] for (parent, child), size in edges.items()],
        "chips": [[draw.randint(1, 3) for _ in range(draw.randint(1, 3))] for _ in range(draw.randint(1, 3))],
        "speeds": [draw.uniform(0.5, 3.0) for _ in range(27)],
        "links": {"host": draw.uniform(6, 12), "supernode": draw.uniform(3, 6), "hub": draw.uniform(0.5, 3)},
    }


def places(one: dict[str, Any]) -> list[tuple[int, int]]:
    """The supernode and the host of each chip."""
    return [(s, h) for s, hosts in enumerate(one["chips"]) for h, chips in enumerate(hosts) for _ in range(chips)]


def oracle(one: dict[str, Any]) -> float:
    """The makespan that saga's HEFT comes to, in seconds."""
    from saga import Network, TaskGraph
    from saga.schedulers import HeftScheduler

    chips = places(one)
    links = {}
    for a, (s, h) in enumerate(chips):
        for b, (t, i) in enumerate(chips):
            level = "hub" if s != t else "supernode" if h != i else "host"
            links[f"c{a}", f"c{b}"] = one["links"][level] if a != b else float("inf")
    network = Network.create(
        nodes=[(f"c{chip}", one["speeds"][chip]) for chip in range(len(chips))],
        edges=[(*ends, speed) for ends, speed in links.items()],
    )
    graph = TaskGraph.create(
        tasks=[(f"t{task}", work) for task, work in enumerate(one["work"])],
        dependencies=[(f"t{parent}", f"t{child}", size) for parent, child, size in one["edges"]],
    )
    return float(HeftScheduler().schedule(network, graph).makespan)


def main() -> None:
    """Write the fixture."""
    cases = [case(seed) for seed in range(CASES)]
    for one in cases:
        one["speeds"] = one["speeds"][: len(places(one))]
        one["makespan"] = oracle(one)
    content = {"library": "anrg-saga", "version": version("anrg-saga"), "cases": cases}
    FIXTURE.write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
