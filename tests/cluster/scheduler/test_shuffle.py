"""Rechunks and shuffles by the tree: bytes between supernodes, counted to the byte."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dask
import pytest
from distributed import Scheduler
from distributed.shuffle._rechunk import ArrayRechunkRun
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.scheduler import TopologyScheduler
from cluster.scheduler.shuffle import _shares
from tests.cluster.scheduler.pods import pod, run, specs

da = pytest.importorskip("dask.array")
np = pytest.importorskip("numpy")

# Neighbours in the tree are not neighbours by address here, and the second tree is deeper.
PODS = (
    ("sn0/h0", "sn1/h0", "sn0/h1", "sn1/h1"),
    ("c0/sn0/h0", "c1/sn0/h0", "c0/sn1/h0", "c1/sn1/h0"),
)
SIDE = 480
TOTAL = SIDE * SIDE * 8
# Keys of less than this are numbers, not blocks.
SMALL = 1000


def supernode(place: str) -> str:
    return place.rpartition("/")[0]


def top(place: str) -> str:
    return place.split("/")[0]


def real(array: Any) -> Any:
    """Blocks of ``da.full`` are views of one number; these are not."""
    return array.map_blocks(np.ascontiguousarray, dtype=float)


@contextmanager
def shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, int]]]:
    """Shards that are cut while this is open: from, to, bytes."""
    sent: list[tuple[str, str, int]] = []
    cut = ArrayRechunkRun._shard_partition

    def watched(self: Any, data: Any, partition_id: Any) -> Any:
        out = cut(self, data, partition_id)
        for address, (_, pieces) in out.items():
            sent.append((self.local_address, address, sum(shard.nbytes for _, (_, shard) in pieces)))
        return out

    with monkeypatch.context() as patch:
        patch.setattr(ArrayRechunkRun, "_shard_partition", watched)
        yield sent


def across(
    monkeypatch: pytest.MonkeyPatch,
    build: Callable[[], Any],
    *,
    hosts: tuple[str, ...] = PODS[0],
    scheduler: type = TopologyScheduler,
    domain: Callable[[str], str] = supernode,
    limit: int = SIDE * 8,
) -> Counter[tuple[str, str]]:
    """Bytes of blocks and shards from domain to domain while an array of ones is built and summed.

    ``limit`` is the size in bytes up to which Dask merges blocks before it sends them.
    """
    found: Counter[tuple[str, str]] = Counter()

    async def check() -> None:
        config = {"array.rechunk.method": "p2p", "array.chunk-size": limit}
        with dask.config.set(config), shards(monkeypatch) as sent:
            async with pod(specs(hosts, chips=2), scheduler) as (s, client):
                place = {ws.address: domain(ws.name) for ws in s.workers.values()}
                array = build()
                assert await client.compute(array.sum()) == array.size
                for worker, log in (await client.run(lambda dask_worker: [*dask_worker.transfer_incoming_log])).items():
                    sent += [(one["who"], worker, n) for one in log for n in one["keys"].values() if n > SMALL]
                for one, other, nbytes in sent:
                    if place[one] != place[other]:
                        found[place[one], place[other]] += nbytes

    run(check)
    return found


def each_way(nbytes: int) -> dict[tuple[str, str], int]:
    return {("sn0", "sn1"): nbytes, ("sn1", "sn0"): nbytes}


def columns() -> Any:
    """Eight blocks of rows that become eight of columns."""
    return real(da.full((SIDE, SIDE), 1.0, chunks=(SIDE // 8, SIDE))).rechunk((SIDE, SIDE // 8))


@pytest.mark.parametrize("limit", [SIDE * 8, TOTAL // 2])
def test_an_all_to_all_rechunk_moves_half_of_the_array_as_much_each_way(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    assert across(monkeypatch, columns, limit=limit) == each_way(TOTAL // 4)


def test_stock_dask_moves_blocks_before_it_cuts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert across(monkeypatch, columns, scheduler=Scheduler, limit=TOTAL // 2).total() > TOTAL // 2


def test_in_a_deeper_tree_half_crosses_at_the_top_and_three_quarters_leave_their_supernode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert across(monkeypatch, columns, hosts=PODS[1], domain=top).total() == TOTAL // 2
    assert across(monkeypatch, columns, hosts=PODS[1]).total() == 3 * TOTAL // 4


def test_blocks_that_overlap_their_neighbours_cross_only_where_the_supernodes_meet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 8 blocks of 63 kB become 7 of 72 kB: the first four are in one supernode as input and as output, 288 - 252 differ.
    def shifted() -> Any:
        return real(da.full(504_000, 1.0, chunks=63_000)).rechunk(72_000)

    # Which supernode takes the first half is the scheduler's choice.
    assert across(monkeypatch, shifted) in ({("sn1", "sn0"): 36_000 * 8}, {("sn0", "sn1"): 36_000 * 8})


def test_a_rechunk_of_parts_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each block of rows is cut into four by itself: as many small shuffles as blocks.
    def parts() -> Any:
        rows = real(da.full((SIDE, SIDE), 1.0, chunks=(SIDE // 8, SIDE)))
        return rows.rechunk((SIDE // 8, SIDE // 4))

    assert not across(monkeypatch, parts)


def test_where_inputs_will_be_is_known_before_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # The shuffle begins with the first half of the rows; the other is still to be computed.
    def late(block: Any, block_id: tuple[int, ...]) -> Any:
        time.sleep(0.3 * (block_id[0] < 4))
        return np.ascontiguousarray(block)

    def build() -> Any:
        rows = da.full((SIDE, SIDE), 1.0, chunks=(SIDE // 8, SIDE)).map_blocks(late, dtype=float, meta=np.ones((1, 1)))
        return rows.rechunk((SIDE, SIDE // 8))

    assert across(monkeypatch, build, limit=TOTAL // 2) == each_way(TOTAL // 4)


def test_blocks_of_three_dimensions_are_shared_out_evenly_along_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    side = 64

    # Of three slabs, the one in the middle is half in one supernode and half in the other, as are its 2 x 4 new blocks.
    def turned() -> Any:
        slabs = real(da.full((side,) * 3, 1.0, chunks=(side // 8, side, side)))
        return slabs.rechunk(((20, 24, 20), side // 2, side // 4))

    assert across(monkeypatch, turned, limit=side * 8) == each_way(12 * side * side // 2 * 8)


def test_a_combination_with_a_rechunked_array_stays_in_its_supernode(monkeypatch: pytest.MonkeyPatch) -> None:
    def combined() -> Any:
        return columns() * real(da.full((SIDE, SIDE), 1.0, chunks=(SIDE, SIDE // 8)))

    assert across(monkeypatch, combined) == each_way(TOTAL // 4)


chunks = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(chunks, st.data())
@settings(max_examples=100, deadline=None)
def test_shares_of_the_old_blocks_make_up_each_new_one(old: list[int], data: Any) -> None:
    ends = data.draw(st.sets(st.integers(1, sum(old)), max_size=6)) | {sum(old)}
    new = np.diff([0, *sorted(ends)])
    shares = _shares(np.array(old, float), new.astype(float))
    assert shares.sum(axis=0) == pytest.approx(1)
    assert shares @ new == pytest.approx(old)
