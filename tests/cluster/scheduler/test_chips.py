"""No chip is given twice: upstream's open issues, reproduced on stock Dask and gone on ours."""

import asyncio
import threading
import time

import dask
import pytest
from distributed import Scheduler, Worker, wait

from cluster.need import Need
from cluster.scheduler import TopologyScheduler
from cluster.scheduler.chips import visible
from tests.cluster.scheduler.pods import Label, most_assigned, name, pod, run, specs, watch

SUPERNODE = ("sn0/h0", "sn0/h1", "sn0/h2", "sn0/h3")
CHIPS = 8
both = pytest.mark.parametrize("scheduler", [Scheduler, TopologyScheduler], ids=["stock", "ours"])


# The workers are threads of this process: a task can wait here until the test has seen what it looks for.
GATE = threading.Event()


@pytest.fixture(autouse=True)
def _closed() -> None:
    GATE.clear()


def brief(*_: object) -> str:
    time.sleep(0.02)
    return name()


def held(*_: object) -> str:
    GATE.wait(60)
    return name()


@both
def test_9108_chips_in_use_are_not_given_again(scheduler: type) -> None:
    async def check() -> None:
        async with pod(specs(SUPERNODE), scheduler) as (s, client):
            (common,) = await client.scatter([1], workers=[next(iter(s.workers))])
            need = {"chip": 4, "chip.a": 4}
            tasks = [client.submit(brief, common, number, pure=False, resources=need) for number in range(64)]
            most = await watch(s, tasks)
            await wait(tasks)
            if scheduler is Scheduler:
                assert most > CHIPS
            else:
                assert most == CHIPS
                assert all(not any(ws.used_resources.values()) for ws in s.workers.values())
                s.gate.ledger.check()

    run(check)


@both
def test_6467_a_task_starts_where_chips_are_free(scheduler: type) -> None:
    async def check() -> None:
        async with pod(specs(SUPERNODE), scheduler) as (s, client):
            (common,) = await client.scatter([1], workers=[next(iter(s.workers))])
            full = {"chip": 8}
            long = client.submit(held, common, pure=False, resources=full)
            while not any(ws.used_resources.get("chip") for ws in s.workers.values()):
                await asyncio.sleep(0.005)
            short = client.submit(brief, common, pure=False, resources=full)
            if scheduler is Scheduler:
                with pytest.raises(asyncio.TimeoutError):
                    await wait(short, timeout=0.5)
            else:
                await wait(short, timeout=60)
            GATE.set()
            await client.gather([long, short])

    run(check)


@both
def test_9164_root_tasks_with_chips_are_queued_on_the_scheduler(scheduler: type) -> None:
    async def check() -> None:
        async with pod(specs(SUPERNODE), scheduler) as (s, client):
            roots = client.map(brief, range(200), pure=False, resources={"chip": 1})
            while not any(ts.state == "memory" for ts in s.tasks.values()):
                await asyncio.sleep(0.005)
            given = sum(len(ws.processing) for ws in s.workers.values())
            held = len(s.unrunnable)
            await wait(roots)
            if scheduler is Scheduler:
                assert given > len(SUPERNODE) * CHIPS
                assert held == 0
            else:
                assert given <= len(SUPERNODE) * CHIPS
                assert held > 100

    run(check)


@both
def test_8177_tasks_of_one_input_do_not_pile_up_on_its_worker(scheduler: type) -> None:
    async def check() -> None:
        async with pod(specs(SUPERNODE), scheduler) as (_, client):
            root = client.submit(lambda: 1, pure=False)
            tasks = [client.submit(brief, root, number, pure=False, resources={"chip": 6}) for number in range(4)]
            places = set(await client.gather(tasks))
            assert len(places) == (1 if scheduler is Scheduler else 4)

    run(check)


def test_a_kind_that_is_asked_for_is_the_kind_that_is_given() -> None:
    async def check() -> None:
        async with pod(specs(kinds=("a", "b"))) as (s, client):
            with dask.annotate(**Need(chips=2, kind="b").annotations()):
                tasks = client.map(brief, range(40), pure=False)
            anywhere = client.map(brief, range(40), pure=False, resources={"chip": 3})
            assert await watch(s, tasks + anywhere) <= CHIPS
            assert {place.split("/")[0] for place in await client.gather(tasks)} == {"sn1"}
            s.validate_state()
            s.gate.ledger.check()

    run(check)


def test_memory_that_is_asked_for_is_kept() -> None:
    async def check() -> None:
        # The workers are in this process: what earlier tests left in it must not pause them.
        never = {f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause")}
        with dask.config.set(never):
            await kept()

    async def kept() -> None:
        async with pod(specs(SUPERNODE, memory_limit=2**30)) as (s, client):
            with dask.annotate(**Need(memory=400 * 2**20).annotations()):
                tasks = client.map(brief, range(40), pure=False)
            assert await watch(s, tasks) == 2
            await client.gather(tasks)

    run(check)


def test_affinity_is_kept_and_a_required_level_not_left() -> None:
    async def check() -> None:
        async with pod() as (_, client):
            with dask.annotate(**Need(affinity="sn1/h1").annotations()):
                near = client.map(brief, range(8), pure=False)
            await wait(near)
            with dask.annotate(**Need(affinity="sn1/h1", required="supernode").annotations()):
                inside = client.map(brief, range(60), pure=False)
            await wait(inside)
            assert set(await client.gather(near)) == {"sn1/h1"}
            assert set(await client.gather(inside)) == {"sn1/h0", "sn1/h1"}

    run(check)


def test_chip_tasks_are_never_stolen() -> None:
    async def check() -> None:
        with dask.config.set({"distributed.scheduler.work-stealing-interval": "10ms"}):
            async with pod() as (s, client):
                tasks = client.map(brief, range(100), pure=False, resources={"chip": 3})
                await wait(tasks)
                assert s.extensions["stealing"].count == 0

    run(check)


def test_numbers_of_chips_are_given_to_one_task_at_a_time() -> None:
    def mine() -> tuple[str, str, float, float]:
        started = time.time()
        chips = visible()
        time.sleep(0.02)
        assert len(set(chips.values())) == 1
        assert set(chips) == {"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES"}
        return name(), chips["CUDA_VISIBLE_DEVICES"], started, time.time()

    async def check() -> None:
        async with pod() as (_, client):
            tasks = [client.submit(mine, pure=False, resources={"chip": 1 + number % 4}) for number in range(60)]
            done = await client.gather(tasks)
            assert {len(chips.split(",")) for _, chips, _, _ in done} == {1, 2, 3, 4}
            for at, (worker, chips, start, end) in enumerate(done):
                for other, theirs, begin, finish in done[:at]:
                    if worker == other and start < finish and begin < end:
                        assert not set(chips.split(",")) & set(theirs.split(","))
            assert await client.submit(visible, pure=False) == {}

    run(check)


def test_held_tasks_outlive_the_no_workers_timeout() -> None:
    async def check() -> None:
        with dask.config.set({"distributed.scheduler.no-workers-timeout": "300ms"}):
            async with pod(specs(("sn0/h0",))) as (_, client):
                tasks = client.map(lambda _: time.sleep(0.6), range(3), pure=False, resources={"chip": 8})
                await client.gather(tasks)

    run(check)


@pytest.mark.parametrize(
    ("need", "reason"),
    [
        (Need(chips=16, kind="a"), "asks for 16 a chips on one worker; the largest worker has 8 such chips"),
        (Need(kind="z"), "the largest worker has 0 such chips"),
        (Need(affinity="sn9", required="supernode"), "the largest worker in sn9 has 0 such chips"),
        (Need(affinity="sn0", required="rack"), "there is no level 'rack' here; the levels are hub, supernode, host"),
        (Need(gang={"id": "g", "size": 1}, chips=9), "no supernode of this pod has room for the 1 members of gang g"),
    ],
)
def test_a_need_that_nothing_here_can_meet_says_so(need: Need, reason: str) -> None:
    async def check() -> None:
        with dask.config.set({"distributed.scheduler.no-workers-timeout": "300ms"}):
            async with pod() as (s, client):
                with dask.annotate(**need.annotations()):
                    task = client.submit(brief, pure=False)
                with pytest.raises(Exception, match="cannot run") as raised:
                    await task
                assert reason in str(raised.value)
                s.validate_state()

    run(check)


def test_a_new_worker_takes_what_waits_and_a_paused_one_gets_nothing() -> None:
    async def check() -> None:
        async with pod(specs(("sn0/h0",))) as (s, client):
            tasks = client.map(held, range(4), pure=False, resources={"chip": 8})
            while not any(ws.processing for ws in s.workers.values()):
                await asyncio.sleep(0.01)
            label = {"place": Label("sn0/h1")}
            late = {"name": "late", "nthreads": 8, "resources": {"chip": 8}, "startup_information": label}
            async with Worker(s.address, dashboard=False, **late):
                ws = s.workers[s.aliases["late"]]
                while not ws.processing:
                    await asyncio.sleep(0.01)
                GATE.set()
                assert "late" in await client.gather(tasks)
                s.handle_worker_status_change("paused", ws, "test")
                more = client.map(brief, range(30), pure=False, resources={"chip": 2})
                assert set(await client.gather(more)) == {"sn0/h0"}
                s.handle_worker_status_change("running", ws, "test")
                assert most_assigned(s) == 0

    run(check)
