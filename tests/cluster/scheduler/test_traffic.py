"""Bytes by level: what moved between workers is counted once, as it was on the wire."""

import asyncio
from collections.abc import Mapping
from typing import Any

from distributed import Client
from hypothesis import given
from hypothesis import strategies as st

from cluster.launch import Pod
from cluster.scheduler.place import Fabric, parse
from cluster.scheduler.traffic import Traffic
from tests.cluster.scheduler.pods import HOSTS, pod, run, specs

SIZE = 1_000_000
# Headers of a message with one result.
OVERHEAD = 2_000


def make(*_: object) -> bytes:
    return bytes(SIZE)


async def read(client: Any, data: Any, host: str) -> None:
    assert await client.submit(len, data, workers=[host], pure=False) == SIZE


def about(counted: int, expected: int, messages: int) -> bool:
    return expected <= counted <= expected + messages * OVERHEAD


def test_each_transfer_counts_at_the_level_where_its_ends_meet() -> None:
    async def check() -> None:
        async with pod(specs((*HOSTS, "sn0/h0b"))) as (s, client):
            data = client.submit(make, workers=["sn0/h0"])
            await read(client, data, "sn0/h1")
            await read(client, data, "sn0/h0")  # there already
            told = await s.traffic()
            assert told["levels"].keys() == {"host", "supernode", "hub"}
            assert about(told["levels"]["supernode"], SIZE, 1)
            assert told["levels"]["hub"] == told["levels"]["host"] == 0
            await read(client, data, "sn1/h1")
            told = await s.traffic()
            assert about(told["levels"]["hub"], SIZE, 1)
            assert about(sum(told["levels"].values()), 2 * SIZE, 2)
            assert await s.traffic() == {**told, "tasks": (await s.traffic())["tasks"]}

    run(check)


def test_workers_tell_by_themselves_and_what_they_told_outlives_them() -> None:
    async def check() -> None:
        async with pod() as (s, client):
            data = client.submit(make, workers=["sn0/h0"])
            await read(client, data, "sn1/h0")
            while not s.wire.moved(s.stream_comms).levels["hub"]:
                await asyncio.sleep(0.05)
            tasks = s.wire.moved(s.stream_comms).tasks
            for name in ("sn0/h0", "sn1/h0"):
                await s.remove_worker(s.aliases[name], stimulus_id="test", close=False)
            moved = s.wire.moved(s.stream_comms)
            assert about(moved.levels["hub"], SIZE, 1)
            assert moved.tasks >= tasks

    run(check)


def test_rows_in_tasks_and_results_for_clients_are_counted_apart() -> None:
    async def check() -> None:
        async with pod() as (s, client):
            before = await s.traffic()
            result = client.submit(lambda rows: rows[: SIZE // 2], bytes(SIZE), pure=False)
            assert len(await result) == SIZE // 2
            told = await s.traffic()
            assert about(told["tasks"] - before["tasks"], SIZE, 20)
            assert about(told["results"], SIZE // 2, 1)
            assert sum(told["levels"].values()) == 0

    run(check)


def test_a_real_pod_counts_between_its_processes(pod: Pod) -> None:
    before = pod.traffic()
    assert before is not None
    with Client(pod.address, set_as_default=False) as client:
        data = client.submit(make, workers=["sn0/host0/0"], allow_other_workers=False, pure=False)
        assert client.submit(len, data, workers=["sn1/host0/0"], pure=False).result() == SIZE
    after = pod.traffic()
    assert after is not None
    assert about(after.levels["hub"] - before.levels["hub"], SIZE, 1)


places = st.tuples(*(st.sampled_from("ab") for _ in range(3))).map("/".join)


@given(st.dictionaries(st.integers(0, 9), places, min_size=1), st.data())
def test_no_byte_is_lost_or_counted_twice(where: Mapping[int, str], data: st.DataObject) -> None:
    fabric = Fabric()
    traffic = Traffic(fabric)
    for worker, label in where.items():
        fabric.join(worker, label, "")
        traffic.join(str(worker), parse(label))
    ends = st.integers(0, 12).map(str)  # some are no workers
    sent = data.draw(st.lists(st.tuples(ends, st.dictionaries(ends, st.integers(1, 10**12)))))
    for sender, to in sent:
        traffic.add(sender, to)
    moved = traffic.moved({})
    assert sum(moved.levels.values()) + moved.results == sum(n for _, to in sent for n in to.values())
    crossing = sum(
        n
        for sender, to in sent
        for reader, n in to.items()
        if {int(sender), int(reader)} <= where.keys() and where[int(sender)][0] != where[int(reader)][0]
    )
    assert moved.levels["hub"] == crossing
