import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import sharding


def cost(table: pa.Table) -> np.ndarray:
    return table["cost"].to_numpy()


def rows(costs: list[float]) -> pa.Table:
    return pa.table({"id": pa.array(range(len(costs)), pa.int64()), "cost": pa.array(costs, pa.float64())})


costs = st.lists(st.floats(1e-6, 100, allow_nan=False), max_size=200)


@given(costs, st.floats(0.01, 50), st.integers(1, 7))
def test_every_row_is_in_exactly_one_shard(values, seconds, parts):
    tables = [rows(values).slice(at, parts) for at in range(0, len(values), parts)]
    shards = list(sharding.cut(tables, cost, seconds))
    ids = [number for shard in shards for number in shard["id"].to_pylist()]
    assert sorted(ids) == list(range(len(values)))
    assert all(len(shard) > 0 for shard in shards)


@given(costs, st.floats(0.01, 50))
def test_shards_come_longest_rows_first_and_none_is_longer_than_asked(values, seconds):
    shards = list(sharding.cut([rows(values)], cost, seconds))
    flat = [value for shard in shards for value in shard["cost"].to_pylist()]
    assert flat == sorted(values, reverse=True)
    for shard in shards:
        assert len(shard) == 1 or sum(shard["cost"].to_pylist()) <= seconds * (1 + 1e-9)


def test_large_rows_make_small_shards():
    table = pa.table({"id": range(100), "cost": [0.001] * 100, "structure": ["x" * 200_000] * 100})
    shards = list(sharding.cut([table], cost, 60.0))
    assert max(shard.nbytes for shard in shards) <= sharding.MAX_SHARD_BYTES
    assert sum(map(len, shards)) == 100


@given(costs, st.integers(1, 50), st.integers(1, 50))
def test_the_cut_does_not_depend_on_how_rows_arrive(values, one, other):
    def cut(parts: int) -> list[list[int]]:
        tables = [rows(values).slice(at, parts) for at in range(0, len(values), parts)]
        return [shard["id"].to_pylist() for shard in sharding.cut(tables, cost, 5.0)]

    assert cut(one) == cut(other)


def test_windows_bound_what_is_held(monkeypatch):
    monkeypatch.setattr(sharding, "WINDOW_ROWS", 10)
    shards = list(sharding.cut([rows([1.0] * 7)] * 5, cost, 3.0))
    assert sum(len(shard) for shard in shards) == 35
    assert [len(shard) for shard in shards][:4] == [3, 3, 3, 1]


@pytest.mark.parametrize(("total", "slots", "expected"), [(1.0, 2, 1.0), (320.0, 2, 10.0), (1e9, 2, 60.0)])
def test_small_runs_get_smaller_shards(total, slots, expected):
    assert sharding.shard_seconds(total, slots) == expected
