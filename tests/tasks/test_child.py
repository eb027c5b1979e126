import os
import signal
import time

import psutil
import pytest

from tasks.child import Answer, Child, EngineFailed, Lost
from tests.engines import Doubler, Settings, Unbuildable, filling, hungry, reserving

MEMORY = 4 * 2**30


@pytest.fixture
def child():
    made = Child(MEMORY)
    yield made
    made.close()


def test_an_engine_is_built_once_and_answers_many_rows(child):
    for value in range(1, 6):
        child.open(Doubler, Settings())
        answer = child.call({"value": value}, 30)
        assert isinstance(answer, Answer)
        assert answer.result["double"] == 2 * value
    assert child.starts == 1


def test_an_engine_that_exits_costs_one_row_and_says_how_it_ended(child):
    child.open(Doubler, Settings())
    lost = child.call({"value": 13}, 30)
    assert lost == Lost("died", "the engine's process ended with exit code 3")
    child.open(Doubler, Settings())
    assert isinstance(child.call({"value": 1}, 30), Answer)
    assert child.starts == 2


def test_a_hung_row_is_killed_at_its_limit(child):
    child.open(Doubler, Settings())
    pid, started = child.process.pid, time.monotonic()
    assert child.call({"value": 17}, 0.5) == Lost("timeout", "stopped after 0 s")
    assert time.monotonic() - started < 60  # and not the hour that it sleeps
    assert not psutil.pid_exists(pid)


def test_an_exception_is_an_answer_and_keeps_the_process(child):
    child.open(Doubler, Settings())
    assert child.call({"value": 19}, 30) == Lost("engine_error", "ValueError: nineteen")
    assert isinstance(child.call({"value": 1}, 30), Answer)
    assert child.starts == 1


def test_an_engine_that_cannot_be_built_is_not_a_rows_fault(child):
    with pytest.raises(EngineFailed, match="Unbuildable did not start: FileNotFoundError: no weights"):
        child.open(Unbuildable, Settings())


def test_a_child_killed_while_idle_is_replaced(child):
    child.open(Doubler, Settings())
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    child.open(Doubler, Settings())
    assert isinstance(child.call({"value": 4}, 30), Answer)


def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    import subprocess
    import sys

    code = (
        "from tasks.child import Child; from tests.engines import *; import time;"
        f"c = Child({MEMORY}); c.open(Doubler, Settings(delay_s=600));"
        "print(c.process.pid, flush=True); c.call({'value': 1}, 600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(600):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its parent")


def test_memory_is_limited():
    child = Child(2**30)
    try:
        child.open(hungry, Settings())
        lost = child.call(4 * 2**30, 60)
        assert isinstance(lost, Lost)
        assert lost.outcome in ("engine_error", "died")
    finally:
        child.close()


def test_a_child_with_devices_may_reserve_addresses_but_not_hold_memory():
    child = Child(2**29, {"CUDA_VISIBLE_DEVICES": "0"})
    try:
        child.open(reserving, Settings())
        assert child.call(64 * 2**30, 30).result == 64 * 2**30
        child.open(filling, Settings(delay_s=30))
        lost = child.call(2**30, 60)
        assert lost.outcome == "died"
        assert "its limit is 0.5" in lost.reason
        child.open(filling, Settings(delay_s=30))
        assert child.call(2**20, 1.5) == Lost("timeout", "stopped after 2 s")
    finally:
        child.close()
    plain = Child(4 * 2**30)
    try:
        plain.open(reserving, Settings())
        assert isinstance(plain.call(64 * 2**30, 30), Lost)
    finally:
        plain.close()
