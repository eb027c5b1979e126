"""Bytes stay near: homes, nearest replicas, broadcast, shuffles, stealing, and one supernode as stock Dask."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from typing import Any

import dask
import pytest
from distributed import Scheduler, wait
from distributed.scheduler import WorkerState

from cluster.scheduler import TopologyScheduler, broadcast, explain
from cluster.scheduler.shuffle import TopologyShuffle
from cluster.topology import Topology
from tests.cluster.scheduler.pods import HOSTS, name, pod, run, specs

# Neighbours in the tree are not neighbours by address here.
MIXED = ("sn0/h0", "sn1/h0", "sn0/h1", "sn1/h1")
BLOCK = 100_000


# The workers are threads of this process.
GATE = threading.Event()


def held(*_: object) -> None:
    GATE.wait(60)


def supernode(place: str) -> str:
    return place.split("/")[0]


def block(*_: object) -> bytes:
    time.sleep(0.01)
    return bytes(BLOCK)


def join(*parts: bytes) -> bytes:
    time.sleep(0.005)
    return bytes(BLOCK)


def tree(leaves: int) -> dict[str, Any]:
    graph: dict[str, Any] = {f"leaf-{number}": (block, number) for number in range(leaves)}
    level, names = 0, list(graph)
    while len(names) > 1:
        pairs = {f"join{level}-{at}": (join, *names[2 * at : 2 * at + 2]) for at in range((len(names) + 1) // 2)}
        graph |= pairs
        names, level = list(pairs), level + 1
    return graph


async def crossings(scheduler: type, **options: Any) -> int:
    """Blocks that a tree reduction of 64 leaves moves across the fabric."""
    async with pod(specs(MIXED, chips=2), scheduler, **options) as (s, client):
        names = {ws.address: ws.name for ws in s.workers.values()}
        graph = tree(64)
        await client.get(graph, next(reversed(graph)), sync=False, optimize_graph=False)
        moved = 0
        for worker, log in (await client.run(lambda dask_worker: list(dask_worker.transfer_incoming_log))).items():
            moved += sum(len(each["keys"]) for each in log if supernode(names[each["who"]]) != supernode(names[worker]))
        return moved


def test_a_tree_reduction_crosses_the_fabric_once_per_supernode() -> None:
    async def check() -> None:
        stock = await crossings(Scheduler)
        ours = await crossings(TopologyScheduler)
        assert ours <= 3, (stock, ours)
        assert stock >= 4 * ours, (stock, ours)

    run(check)


def test_neighbouring_roots_get_neighbouring_homes_and_slots_are_kept_busy() -> None:
    async def check() -> None:
        async with pod(specs(MIXED, chips=2)) as (s, client):
            tasks = client.map(lambda _: time.sleep(0.01) or name(), range(80), pure=False)
            places = await client.gather(tasks)
            assert max(Counter(places).values()) < 35
            assert sum(supernode(place) == "sn0" for place in places[:40]) > 30
            assert sum(supernode(place) == "sn1" for place in places[40:]) > 30
            whys = [(await explain(client, task.key))[-1]["why"] for task in tasks]
            assert sum(why.startswith("its home") for why in whys) > 50
            s.validate_state()

    run(check)


def test_a_worker_without_work_takes_from_its_supernode() -> None:
    async def check() -> None:
        async with pod(specs(chips=1)) as (_, client):
            # The first quarter is slow: its home falls behind, and its neighbour in the supernode helps.
            slow = client.map(lambda n: time.sleep(0.1 if n < 10 else 0.001) or name(), range(40), pure=False)
            places = await client.gather(slow)
            assert len(set(places[:10])) > 1
            whys = [(await explain(client, task.key))[-1]["why"] for task in slow[:10]]
            assert any("took it from the queue of sn0/h0" in why for why in whys)

    run(check)


def test_the_nearest_replica_is_read() -> None:
    async def check() -> None:
        async with pod() as (s, client):
            address = {ws.name: ws.address for ws in s.workers.values()}
            (data,) = await client.scatter([bytes(BLOCK)], workers=[address["sn0/h0"]])
            await client.replicate([data], workers=[address["sn0/h0"], address["sn1/h0"]])
            await client.submit(len, data, workers=[address["sn1/h1"]], pure=False)
            (log,) = (
                await client.run(
                    lambda dask_worker: list(dask_worker.transfer_incoming_log), workers=[address["sn1/h1"]]
                )
            ).values()
            assert [each["who"] for each in log] == [address["sn1/h0"]]

    run(check)


def test_a_broadcast_crosses_the_fabric_once_for_each_supernode() -> None:
    async def check() -> None:
        hosts = tuple(f"c{cluster}/sn{sn}/h{host}" for cluster in range(2) for sn in range(2) for host in range(3))
        async with pod(specs(hosts, chips=1)) as (s, client):
            data = client.submit(block, pure=False)
            await wait(data)
            assert await broadcast(client, [data]) == {"hub": 1, "level1": 2, "supernode": 8}
            assert len(s.tasks[data.key].who_has) == len(hosts)
            with pytest.raises(ValueError, match="has no result"):
                await client.scheduler.spread(keys=["nothing"])

    run(check)


def test_copies_made_for_everyone_stay_and_others_go() -> None:
    async def check() -> None:
        async with pod(specs(chips=1)) as (s, client):
            everywhere = client.map(block, range(3), pure=False)
            twice = client.submit(block, pure=False)
            await wait([*everywhere, twice])
            assert await broadcast(client, everywhere) == {"hub": 3, "supernode": 6}
            await client.replicate([twice], n=2)
            s.extensions["amm"].run_once()
            while len(s.tasks[twice.key].who_has) > 1:
                await asyncio.sleep(0.01)
            assert [len(s.tasks[one.key].who_has) for one in everywhere] == [len(HOSTS)] * 3

    run(check)


def test_blocks_that_are_combined_start_in_one_supernode_whatever_their_numbers() -> None:
    def combined(apart: int) -> tuple[dict[Any, Any], list[Any]]:
        loads = [("load", number) for number in range(8)]
        graph: dict[Any, Any] = {load: (name, load[1]) for load in loads}
        pairs = [(loads[at], loads[(at + apart) % 8]) for at in range(8)]
        graph |= {("pair", number): (same, *pair) for number, pair in enumerate(pairs)}
        return graph, [("pair", number) for number in range(8)]

    def same(*places: str) -> bool:
        return len({supernode(place) for place in places}) == 1

    async def check() -> None:
        for apart, together in ((1, 6), (4, 8)):  # a ring, cut twice; blocks half of the line apart
            async with pod(specs(MIXED, chips=2)) as (_, client):
                graph, keys = combined(apart)
                assert sum(await client.gather(client.get(graph, keys, sync=False))) == together

    run(check)


def test_a_stolen_task_stays_in_the_supernode_unless_the_wait_is_long() -> None:
    async def check() -> None:
        async with pod(specs(chips=1)) as (s, client):
            by_name = {ws.name: ws for ws in s.workers.values()}
            stealing = s.extensions["stealing"]
            data = await client.scatter(bytes(BLOCK), workers=[by_name["sn0/h0"].address])
            task = client.submit(held, data, pure=False)
            while task.key not in s.tasks or not s.tasks[task.key].processing_on:
                await asyncio.sleep(0.01)
            ts = s.tasks[task.key]
            assert ts.processing_on is by_name["sn0/h0"]
            others = set(by_name.values()) - {ts.processing_on}

            def thief(wait_s: float, pool: set[WorkerState]) -> str | None:
                occupancies = {ws: wait_s if ws is ts.processing_on else 0.0 for ws in by_name.values()}
                found = stealing._get_thief(s, ts, pool, occupancies=occupancies)
                return found and found.name

            assert thief(0.001, others) == "sn0/h1"
            far = {by_name["sn1/h0"]}
            assert thief(0.001, far) is None
            assert thief(1.0, far) == "sn1/h0"
            GATE.set()
            await task

    run(check)


def test_bandwidth_by_level_is_learned_from_heartbeats() -> None:
    async def check() -> None:
        async with pod() as (s, _):
            one, other = (s.workers[s.aliases[place]] for place in ("sn0/h0", "sn1/h0"))
            before = s.fabric.learned()
            metrics = {**one.metrics, "bandwidth": {**one.metrics["bandwidth"], "workers": {other.address: (6e6, 3)}}}
            for _ in range(30):
                s.heartbeat_worker(address=one.address, metrics=metrics)
            after = s.fabric.learned()
            assert after["hub"] == pytest.approx(2e6, rel=0.05)
            assert after["supernode"] == before["supernode"]

    run(check)


def test_a_rechunk_stays_where_its_blocks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    array = pytest.importorskip("dask.array")
    found: list[list[str]] = []

    def watched(self: Any, spec: Any) -> Any:
        worker_for = choose(self, spec)
        found.append([str(self.scheduler.workers[worker].name) for worker in worker_for.values()])
        return worker_for

    # Without a limit, Dask first merges blocks as small as these into one.
    small = {"array.rechunk.method": "p2p", "optimization.fuse.active": False, "array.chunk-size": "160kB"}
    choose = TopologyShuffle._calculate_worker_for
    monkeypatch.setattr(TopologyShuffle, "_calculate_worker_for", watched)

    async def check() -> None:
        with dask.config.set(small):
            async with pod(specs(MIXED, chips=2)) as (s, client):
                inside = [ws.address for ws in s.workers.values() if supernode(ws.name) == "sn1"]
                with dask.annotate(workers=inside):
                    data = await client.persist(array.ones((400, 400), chunks=(400, 50)), optimize_graph=False)
                assert await client.compute(data.rechunk((50, 400)).sum()) == 160_000
                everywhere = array.full((400, 400), 2, chunks=(400, 50))
                assert await client.compute(everywhere.rechunk((50, 400)).sum()) == 320_000
                s.validate_state()

    run(check)
    assert {supernode(place) for place in found[0]} == {"sn1"}
    assert {supernode(place) for place in found[1]} == {"sn0", "sn1"}
    # Neighbouring partitions are on neighbouring workers: one run for each worker, and one more where the list wraps.
    assert sum(one != other for one, other in itertools.pairwise(found[1])) <= len(MIXED)


def test_one_supernode_without_chips_is_stock_dask() -> None:
    def placed(s: Any) -> list[str]:
        return [s.workers[s.aliases[host]].name for host in hosts]

    hosts = ("sn0/h0", "sn0/h1")

    async def check() -> None:
        found = []
        for scheduler in (Scheduler, TopologyScheduler):
            async with pod(specs(hosts, chips=2), scheduler) as (s, client):
                tasks = client.map(lambda _: time.sleep(0.01) or name(), range(40), pure=False)
                places = await client.gather(tasks)
                found.append(Counter(places))
                if scheduler is TopologyScheduler:
                    assert s.fabric.flat
                    assert not s.roots.home
                    assert {(await explain(client, task.key))[-1]["why"] for task in tasks} == {"stock rule"}
        assert abs(found[0]["sn0/h0"] - found[1]["sn0/h0"]) < 20

    run(check)


def test_a_topology_may_come_as_plain_data(unlike: Topology) -> None:
    async def check() -> None:
        plain = unlike.model_dump(mode="json")
        async with pod(specs(("c0/sn0/h0", "c1/sn1/h1")), topology=plain) as (s, client):
            assert s.fabric.levels == ("hub", "cluster", "supernode", "host")
            assert await client.submit(name, pure=False) in ("c0/sn0/h0", "c1/sn1/h1")

    run(check)


def test_workers_without_a_label_stand_in_one_supernode() -> None:
    async def check() -> None:
        workers = specs(HOSTS, startup_information={})
        async with pod(workers) as (s, client):
            assert s.fabric.flat
            assert await client.submit(name, pure=False) in HOSTS

    run(check)
