import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.climate import run
from domains.climate.cases import case
from domains.climate.grid import Tiling
from domains.climate.tiles import TileGroup
from domains.errors import InvalidRequest

DT, STEPS, CELLS = 600.0, 5, 24


def groups(tiles, owner=None, name="williamson-5"):
    tiling = Tiling(CELLS, tiles)
    owner = np.zeros(tiling.count, int) if owner is None else np.asarray(owner)
    return [TileGroup(tiling, case(name), owner, group) for group in range(owner.max() + 1)]


def whole(parts):
    tiling = parts[0].tiling
    found = np.empty((6, 4, CELLS, CELLS))
    for part in parts:
        for tile, state in zip(part.tiles, part.state, strict=True):
            panel, row, column = tiling.corner(int(tile))
            found[panel, :, row : row + tiling.size, column : column + tiling.size] = state
    return found


@pytest.fixture(scope="module")
def expected():
    (one,) = groups(1)
    for _ in range(STEPS):
        one.step(DT)
    return whole([one])


@pytest.mark.parametrize("tiles", [1, 2, 4])
def test_tiles_are_the_whole_sphere_bit_for_bit(tiles, expected):
    (one,) = groups(tiles)
    assert not one.peers
    assert len(one.inner) == 6 * tiles**2
    for _ in range(STEPS):
        one.step(DT)
    assert np.array_equal(whole([one]), expected)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([2, 3, 4]), st.data())
def test_any_sharing_of_the_tiles_gives_the_same_bits(expected, tiles, data):
    count = data.draw(st.integers(2, 5))
    owner = data.draw(st.lists(st.integers(0, count - 1), min_size=6 * tiles**2, max_size=6 * tiles**2))
    owner[:count] = range(count)
    parts = groups(tiles, owner)
    for _ in range(STEPS):
        run.step(parts, DT)
    assert np.array_equal(whole(parts), expected)


def test_work_on_inner_tiles_may_come_before_the_messages(expected):
    parts = groups(4, np.arange(96) // 48)
    assert all(len(part.inner) for part in parts)
    for _ in range(STEPS):
        for stage in range(3):
            for part in parts:
                part.begin(stage)
            messages = {(part.group, peer): part.pack(peer) for part in parts for peer in part.peers}
            for part in parts:
                assert {peer: messages[part.group, peer].nbytes for peer in part.peers} == part.message_bytes
                part.advance_inner(stage, DT)
            for (sender, receiver), message in messages.items():
                parts[receiver].unpack(sender, message)
            for part in parts:
                part.advance_outer(stage, DT)
    assert np.array_equal(whole(parts), expected)


def test_a_checkpoint_goes_on_with_the_same_bits(tmp_path, expected):
    (one,) = groups(2)
    for _ in range(2):
        one.step(DT)
    np.savez(tmp_path / "checkpoint.npz", **one.checkpoint())
    (other,) = groups(2)
    with np.load(tmp_path / "checkpoint.npz") as arrays:
        other.restore(arrays)
    assert other.step_number == 2
    for _ in range(STEPS - 2):
        other.step(DT)
    assert np.array_equal(whole([other]), expected)


def test_a_checkpoint_may_be_shared_out_anew(expected):
    (one,) = groups(2)
    for _ in range(2):
        one.step(DT)
    parts = groups(2, np.arange(24) % 3)
    for part in parts:
        part.restore(one.checkpoint())
    for _ in range(STEPS - 2):
        run.step(parts, DT)
    assert np.array_equal(whole(parts), expected)


@pytest.mark.parametrize("wrong", [{"tiles": 4}, {"tiles": 2, "name": "galewsky"}])
def test_a_checkpoint_of_another_run_is_refused_and_changes_nothing(wrong):
    refused(groups(2)[0], groups(**wrong)[0], r"williamson-5 on C24 in 24 tiles.*another run")


def test_a_checkpoint_that_lacks_tiles_is_refused():
    refused(groups(2, np.arange(24) % 2)[0], groups(2)[0], "lacks 12 tiles, as number 1")


def refused(one, other, problem):
    before = other.state.copy()
    with pytest.raises(InvalidRequest, match=problem):
        other.restore(one.checkpoint())
    assert np.array_equal(other.state, before)
    assert other.step_number == 0
