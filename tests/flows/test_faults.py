"""A screen whose processes are really killed: nothing lost, nothing twice, and the same bytes in the end."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tasks.expansion import STRIDE
from tests.flows.screen import LIBRARY, TABLES, ai4s, environment, options, started

pytestmark = pytest.mark.slow

# Long enough to be killed in the middle: full searches of small molecules in a small box take about a second each.
SEARCH = {"exhaustiveness": 4, "max_evals": 0, "n_poses": 3}
ENDLESS = {"exhaustiveness": 128, "max_evals": 0, "n_poses": 3}


def processes_of(session: int) -> list[psutil.Process]:
    """Every live process that a command started."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def kill_something(session: int, chance: random.Random, flow_only: bool) -> str | None:
    """kill -9 the flow, a worker or an engine child; returns which."""
    live = {process.pid: process for process in processes_of(session)}
    kinds: dict[str, list[int]] = {"flow": [session], "worker": [], "child": []}
    for pid, process in live.items():
        try:
            words = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        if "tasks.child" in words:
            kinds["child"].append(pid)
        elif "spawn_main" in words:
            kinds["worker"].append(pid)
    if not flow_only:
        kinds["flow"] = []
    there = [kind for kind in kinds if kinds[kind]]
    if not there:
        return None  # the workers are not up yet
    kind = "flow" if flow_only else chance.choice(there)
    try:
        os.kill(chance.choice(kinds[kind]), signal.SIGKILL)
    except ProcessLookupError:
        return None
    return kind


def shards(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.glob("*/shard-*.parquet")}


def test_a_screen_killed_at_random_moments_ends_like_one_that_was_not(prefect_api, tmp_path):
    chance = random.Random(20261122)
    runs = tmp_path / "runs"
    calm = ai4s("run", "drug-screening", *options(tmp_path, name="calm", search=SEARCH), runs=runs, api=prefect_api)
    assert calm.returncode == 0, calm.stderr
    kills: list[str] = []
    for attempt in range(40):
        before = shards(runs / "killed")
        words = ["run", "drug-screening", *options(tmp_path, name="killed", search=SEARCH)]
        with started(*words, runs=runs, api=prefect_api) as process:
            begun = time.monotonic()
            # Past start-up, kill every second or so: first workers and children, at last the flow itself.
            while process.poll() is None and len(kills) < 22:
                time.sleep(chance.uniform(0.3, 1.5))
                if not (runs / "killed" / "library").exists() or time.monotonic() - begun < 3:
                    continue
                flow_only = time.monotonic() - begun > 12 and attempt < 6 and {"worker", "child"} <= set(kills)
                killed = kill_something(process.pid, chance, flow_only)
                kills += [killed] if killed else []
            process.wait()
        assert all(shards(runs / "killed")[path] == stamp for path, stamp in before.items()), (
            "a finished shard was done again"
        )
        if process.returncode == 0 and len(kills) < 20:
            # Finished before enough kills: take a finished stage's shards away, as if the disk had lost them, and go on.
            for path in (runs / "killed" / "dock").glob("shard-*"):
                path.unlink()
        elif process.returncode == 0:
            break
    assert process.returncode == 0
    assert len(kills) >= 20, kills
    assert {"flow", "worker", "child"} <= set(kills), kills
    for name in TABLES:
        assert (runs / "killed" / name).read_bytes() == (runs / "calm" / name).read_bytes(), name
    ids = [row["id"] for row in pq.read_table(runs / "killed" / "outcomes.parquet").to_pylist()]
    assert len(set(ids)) == len(ids)
    assert {number % STRIDE for number in ids} == set(range(len(LIBRARY.splitlines())))


def until_docking(process: subprocess.Popen[str], run: Path) -> None:
    """Wait until a command has an engine at work on the full dock."""
    before: dict[int, float] = {}
    # Children are there from the stages before: one that has computed for a while since the dock began is docking.
    while not any(spent - before[pid] > 0.5 for pid, spent in spent_by_children(process.pid).items() if pid in before):
        assert process.poll() is None, process.communicate()[0]
        if (run / "dock" / "stage.json").exists():
            before = {**spent_by_children(process.pid), **before}
        time.sleep(0.1)


def spent_by_children(session: int) -> dict[int, float]:
    """CPU seconds of a command's engine children."""
    spent = {}
    for process in processes_of(session):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "tasks.child" in process.cmdline():
                spent[process.pid] = process.cpu_times().user
    return spent


def assert_all_end(process: subprocess.Popen[str], within_s: float = 150.0) -> None:
    """Every process of a command ends in time."""
    begun = time.monotonic()
    while left := processes_of(process.pid):
        assert time.monotonic() - begun < within_s, [one.cmdline() for one in left]
        time.sleep(0.1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_screen_leaves_no_process_behind(prefect_api, tmp_path, how):
    runs = tmp_path / "runs"
    words = options(tmp_path, name="stopped", search=ENDLESS)
    with started("run", "drug-screening", *words, runs=runs, api=prefect_api) as process:
        until_docking(process, runs / "stopped")
        os.kill(process.pid, how)
        assert_all_end(process)
        output = process.communicate()[0]
    assert "Traceback" not in output
    if how is signal.SIGINT:
        assert "ai4s resume stopped" in output
    assert not (runs / "stopped" / "report.html").exists()


def test_a_disk_that_fills_up_stops_the_screen_and_a_resume_finishes_it(prefect_api, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    # The limit of a user namespace's own small disk; the run's 200 MiB check would refuse it, so the disk is filled
    # up after the start.
    disk = f"mount -t tmpfs -o size=210m tmpfs {runs}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", disk], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces to mount a small disk")
    words = options(tmp_path, name="full", search=SEARCH)
    script = f"""
        {disk}
        "$@" > {tmp_path}/first.log 2>&1 &
        until [ -e {runs}/full/dock-coarse/stage.json ]; do sleep 0.05; done
        dd if=/dev/zero of={runs}/filler bs=64k 2>/dev/null
        wait $! ; echo "first $?"
        find {runs} -name '.tmp-*' | wc -l
        rm {runs}/filler
        "$@" > {tmp_path}/second.log 2>&1 ; echo "second $?"
        cp -r {runs}/full {tmp_path}/full
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-m", "flows.cli", "run", "drug-screening", *words],
        env=environment(runs, prefect_api), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    first, second = (tmp_path / "first.log").read_text(), (tmp_path / "second.log").read_text()
    assert done.stdout.split()[:3] == ["first", "2", "0"], (done.stdout, done.stderr, first)
    assert "no space left" in first
    assert "Traceback" not in first
    assert "second 0" in done.stdout, second
    ids = pq.read_table(tmp_path / "full" / "outcomes.parquet")["id"].to_pylist()
    assert {number % STRIDE for number in ids} == set(range(len(LIBRARY.splitlines())))


def test_a_cancel_on_the_prefect_page_stops_the_work(prefect_api, tmp_path):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.states import Cancelling

    runs = tmp_path / "runs"
    words = options(tmp_path, name="cancelled", search=ENDLESS)
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=["RUNNING"])))
    with started("run", "drug-screening", *words, runs=runs, api=prefect_api) as process:
        until_docking(process, runs / "cancelled")
        with get_client(sync_client=True) as client:
            # Runs that other tests killed stay Running on the server: the newest is ours.
            run = max(client.read_flow_runs(flow_run_filter=running), key=lambda run: run.start_time)
            client.set_flow_run_state(run.id, Cancelling(), force=True)
            assert_all_end(process)
            assert client.read_flow_run(run.id).state.is_cancelled()
        assert "ai4s resume cancelled" in process.communicate()[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where a command's own Prefect server keeps its database: making a new one takes seconds."""
    return tmp_path_factory.mktemp("prefect")


def test_a_killed_command_takes_its_own_server_along(tmp_path, home):
    runs = tmp_path / "runs"
    words = options(tmp_path, name="alone")
    with started("run", "drug-screening", *words, runs=runs, api=None, home=home) as process:
        while not (runs / "alone" / "library" / "stage.json").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.1)
        assert any("flows.server" in one.cmdline() for one in processes_of(process.pid))
        process.kill()
        assert_all_end(process)


def test_ctrl_c_in_the_terminal_says_how_to_go_on(tmp_path, home):
    """A terminal sends it to the whole process group; the command's own server must still be there to be told."""
    runs = tmp_path / "runs"
    words = options(tmp_path, name="typed", search=ENDLESS)
    with started("run", "drug-screening", *words, runs=runs, api=None, home=home) as process:
        until_docking(process, runs / "typed")
        os.killpg(process.pid, signal.SIGINT)
        assert_all_end(process)
        output = process.communicate()[0]
    assert "ai4s resume typed" in output
    assert "Traceback" not in output
    assert process.returncode == 130
