"""The graphs of the fabric benchmark: arrays of a few MiB, little computing, different ways of sharing."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from dask._task_spec import Task, TaskRef
from distributed import Client

Array = npt.NDArray[np.float64]
Graph = dict[Hashable, Any]
MIB = 2**20


@dataclass(frozen=True)
class Size:
    """Blocks, their size in MiB, the seconds a task takes, and for how many counted rounds and seconds at least it runs."""

    blocks: int = 32
    mib: int = 16
    task_s: float = 0.05
    runs: int = 3
    least_s: float = 60.0


def load(number: int, mib: int, pause: float) -> Array:
    """A block."""
    time.sleep(pause)
    return np.full(mib * MIB // 8, float(number))


def add(*blocks: Array, pause: float = 0.0) -> Array:
    """The sum of blocks."""
    time.sleep(pause)
    total = blocks[0].copy()
    for block in blocks[1:]:
        total += block
    return total


def first(block: Array) -> float:
    """One number of a block."""
    return float(block[0])


def total(*numbers: float) -> float:
    """The sum of numbers."""
    return sum(numbers)


def product(one: Array, other: Array, pause: float) -> float:
    """A number made of two blocks."""
    time.sleep(pause)
    return float(one[0] * other[-1])


def _loads(size: Size, token: str) -> Graph:
    keys = [(f"load-{token}", number) for number in range(size.blocks)]
    return {key: Task(key, load, key[1], size.mib, size.task_s) for key in keys}


def _finish(graph: Graph, parts: list[Hashable], token: str) -> tuple[Graph, Hashable]:
    out = f"out-{token}"
    graph[out] = Task(out, total, *(TaskRef(part) for part in parts))
    return graph, out


def tree(size: Size, token: str) -> tuple[Graph, Hashable]:
    """A binary tree of sums."""
    graph = _loads(size, token)
    line = list(graph)
    level = 0
    while len(line) > 1:
        above: list[Hashable] = []
        for number, pair in enumerate(zip(line[::2], line[1::2], strict=False)):
            key = (f"sum{level}-{token}", number)
            graph[key] = Task(key, add, *map(TaskRef, pair), pause=size.task_s)
            above.append(key)
        line, level = above + line[len(above) * 2 :], level + 1
    last = f"first-{token}"
    graph[last] = Task(last, first, TaskRef(line[0]))
    return _finish(graph, [last], token)


def stencil(size: Size, token: str) -> tuple[Graph, Hashable]:
    """Four sweeps in which each block needs its neighbours."""
    graph = _loads(size, token)
    line = list(graph)
    for sweep in range(4):
        following: list[Hashable] = []
        for number in range(size.blocks):
            key = (f"sweep{sweep}-{token}", number)
            around = line[max(number - 1, 0) : number + 2]
            graph[key] = Task(key, add, *map(TaskRef, around), pause=size.task_s)
            following.append(key)
        line = following
    return _finish(graph, _firsts(graph, line, token), token)


def ensembles(size: Size, token: str) -> tuple[Graph, Hashable]:
    """Groups of four members: their mean, and each one's difference to it."""
    graph = _loads(size, token)
    line = list(graph)
    parts: list[Hashable] = []
    for group in range(size.blocks // 4):
        members = line[4 * group : 4 * group + 4]
        mean = (f"mean-{token}", group)
        graph[mean] = Task(mean, add, *map(TaskRef, members), pause=size.task_s)
        for member in members:
            key = (f"difference-{token}", member[1])  # type: ignore[index]
            graph[key] = Task(key, add, TaskRef(member), TaskRef(mean), pause=size.task_s)
            parts.append(key)
    return _finish(graph, _firsts(graph, parts, token), token)


def all_pairs(size: Size, token: str) -> tuple[Graph, Hashable]:
    """Every block against every other; half the blocks, as they are many pairs."""
    half = Size(size.blocks // 2, size.mib // 2, size.task_s)
    graph = _loads(half, token)
    line = list(graph)
    parts: list[Hashable] = []
    for one in range(len(line)):
        for other in range(one + 1, len(line)):
            key = (f"pair-{token}", one, other)
            graph[key] = Task(key, product, TaskRef(line[one]), TaskRef(line[other]), size.task_s)
            parts.append(key)
    return _finish(graph, parts, token)


def apart(size: Size, token: str) -> tuple[Graph, Hashable]:
    """No communication: every block becomes a number."""
    graph = _loads(size, token)
    return _finish(graph, _firsts(graph, list(graph), token), token)


def _firsts(graph: Graph, blocks: list[Hashable], token: str) -> list[Hashable]:
    keys: list[Hashable] = []
    for number, block in enumerate(blocks):
        key = (f"first-{token}", number)
        graph[key] = Task(key, first, TaskRef(block))
        keys.append(key)
    return keys


def rechunk(client: Client, size: Size, token: str, ours: bool) -> float:
    """All-to-all: an array of rows becomes an array of columns, by the P2P shuffle."""
    import dask.array as da

    side = int((size.blocks * size.mib * MIB / 2 / 8) ** 0.5) // 16 * 16
    views = da.full((side, side), 1.0, chunks=(side // 16, side), name=f"full-{token}")
    rows = views.map_blocks(np.ascontiguousarray, dtype=float)  # views of one number travel as that number
    columns = rows.rechunk((side, side // 16), method="p2p")
    return float(columns.sum().compute(scheduler=client))


def broadcast(client: Client, size: Size, token: str, ours: bool) -> float:
    """One block of four times the size to every worker."""
    block = client.submit(load, 1, 4 * size.mib, 0.0, key=f"block-{token}")
    client.submit(first, block, key=f"there-{token}").result()
    if ours:
        from cluster.scheduler.spread import broadcast as spread

        spread(client, [block])
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    parts = [client.submit(first, block, workers=[one], key=f"first-{token}-{one}") for one in workers]
    return float(sum(client.gather(parts)))


def as_graph(build: Callable[[Size, str], tuple[Graph, Hashable]]) -> Callable[[Client, Size, str, bool], float]:
    """A graph as a function that runs it."""

    def run(client: Client, size: Size, token: str, ours: bool) -> float:
        graph, out = build(size, token)
        return float(client.get(graph, out, sync=True))

    return run


GRAPHS: dict[str, Callable[[Client, Size, str, bool], float]] = {
    "tree reduction": as_graph(tree),
    "halo stencil": as_graph(stencil),
    "ensembles of four": as_graph(ensembles),
    "all-to-all rechunk": rechunk,
    "broadcast": broadcast,
    "all pairs": as_graph(all_pairs),
    "no communication": as_graph(apart),
}
