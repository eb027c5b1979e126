"""What must hold whatever comes in and whatever breaks: random hubs, random gangs, random events."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.allocate.allocator import Allocator
from cluster.allocate.gang import Gang, Refused
from tests.cluster.allocate.hubs import hub, supernodes
from tests.cluster.allocate.world import World

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=250, deadline=None)
@given(SEEDS)
def test_whatever_happens_the_hub_stays_sound(seed):
    world = World(seed)
    for _ in range(25):
        world.step()


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_a_queue_never_starves(seed):
    """Everything that was admitted runs, as far as its project's budget goes."""
    world = World(seed)
    world.keeps_time = True
    for _ in range(8):
        world.step()
    allocator = world.allocator
    for _ in range(2000):
        stuck = [one for one in allocator.queue.by_name.values() if one.bound is None or one.bound.code != "budget"]
        if not allocator.running and not stuck:
            return
        world.wait()
        allocator.schedule(world.now)
    raise AssertionError(f"{[one.gang for one in stuck]} wait for ever")


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_the_first_in_the_queue_starts_when_it_was_promised(seed):
    """EASY backfilling: others may go ahead, and never at the cost of the first."""
    random = Random(seed)
    allocator = Allocator(hub(supernodes(random.randint(1, 3), random.randint(1, 4), random.choice((2, 4, 8)))))
    now, promised, number = 0.0, {}, 0
    for _ in range(120):
        if random.random() < 0.5:
            number += 1
            gang = Gang(
                name=f"g{number}",
                chips=random.choice((1, 2, 4, 8, 16)),
                required=random.choice((None, "supernode")),
                duration_s=random.choice((5, 20, 50, 100)),
            )
            try:
                allocator.submit(gang, now)
            except Refused:
                continue
        else:
            times = [one.ends for one in allocator.running.values()]
            now = min(times, default=now + 1)
            for name in [name for name, one in allocator.running.items() if one.ends <= now]:
                allocator.end(name, now)
        for one in allocator.schedule(now):
            assert one.started <= promised.get(one.gang.name, now), "it started later than it was promised"
        first = min(allocator.queue.by_name.values(), key=lambda one: one.number, default=None)
        if first is not None:
            held = [hold for hold in allocator.holds if hold.name == first.gang.name]
            assert held, "the first in the queue has no promise"
            assert held[0].start <= promised.get(first.gang.name, held[0].start), "a promise slipped"
            promised[first.gang.name] = held[0].start
