"""Groups on real workers: what they say to each other, and what happens when one of them is gone."""

import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.hubfile import load
from cluster.launch import start
from cluster.partition import divide
from cluster.resident import Fleet, Seat, WorkerLost, shared_out
from domains.climate.grid import Tiling
from tests.cluster import ring

STEPS = 40
OWNER = np.arange(ring.CELLS) // (ring.CELLS // 2)


@pytest.fixture(scope="module")
def own_pod():
    """One whose workers may be killed."""
    with start("emulated:two-supernodes") as pod:
        yield pod


@pytest.fixture
def fleet(own_pod):
    with Fleet(own_pod.address, own_pod.topology) as fleet:
        fleet.settle(fleet.muster(9, expected=2), partial(ring.make, OWNER))
        yield fleet


def whole(parts):
    found = np.empty(ring.CELLS)
    for mine, values, _ in parts:
        found[mine] = values
    return found


def test_groups_on_two_workers_compute_what_one_does(fleet, own_pod):
    before = own_pod.traffic()
    parts = fleet.run(ring.advance, STEPS)
    assert np.array_equal(whole(parts), ring.alone(STEPS))
    assert len({process for *_, process in parts}) == 2
    moved = own_pod.traffic()
    sent = moved.levels["hub"] - before.levels["hub"]
    # Two numbers a message and direction, each with its header; the workers stand in two supernodes.
    assert 2 * 2 * 8 * STEPS * ring.STAGES < sent < 600 * 2 * STEPS * ring.STAGES
    assert moved.levels["supernode"] == before.levels["supernode"]


def test_groups_stay_where_they_are_between_calls(fleet):
    fleet.run(ring.advance, STEPS // 2)
    assert np.array_equal(whole(fleet.run(ring.advance, STEPS // 2)), ring.alone(STEPS))


def test_a_killed_worker_is_noticed_and_its_cells_find_a_new_home(fleet):
    began = time.monotonic()
    with pytest.raises(WorkerLost):
        fleet.run(ring.advance_and_die, STEPS, 0)
    assert time.monotonic() - began < 20
    seats = fleet.muster(9, expected=2)
    assert len(seats) == 2
    fleet.settle(seats, partial(ring.make, OWNER))
    assert np.array_equal(whole(fleet.run(ring.advance, STEPS)), ring.alone(STEPS))


def test_the_error_of_one_is_told_not_the_silence_it_leaves(fleet):
    with pytest.raises(OSError, match="No space left") as caught:
        fleet.run(ring.advance_and_fail, STEPS, 1)
    assert caught.value.errno == 28
    with pytest.raises(WorkerLost):  # the other was waiting for it: their links are gone
        fleet.run(ring.advance, STEPS)
    fleet.settle(fleet.seats, partial(ring.make, OWNER))
    assert np.array_equal(whole(fleet.run(ring.advance, STEPS)), ring.alone(STEPS))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 200), st.integers(0, 9))
def test_shares_are_in_proportion(shares, count, seed):
    parts = divide(np.random.default_rng(seed).normal(size=(count, 3)), shares)
    found = np.bincount(parts, minlength=len(shares))
    assert len(found) == len(shares)
    assert all(abs(found[one] - count * share / sum(shares)) < 4 for one, share in enumerate(shares))


def test_tiles_follow_the_tree_and_then_the_workers_of_a_host():
    hub, tiling = load("cloudmatrix384"), Tiling(96, 8)
    places = [str(place) for place in hub.places()][:4]
    seats = [Seat(f"tcp://{place}:{number}", place, 1 + number, 0) for place in places for number in range(2)]
    owner = shared_out(tiling.centres(), seats, hub)
    assert np.bincount(owner).tolist() == [32, 64] * 4
