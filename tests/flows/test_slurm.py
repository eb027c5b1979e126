"""Pods of real SLURM jobs: labels, a stage, a screen, a host lost in the middle, a flow that is killed."""

import os
import signal
import time

import dask
import pyarrow.parquet as pq
import pytest

from cluster.launch import start
from tasks.expansion import STRIDE
from tasks.shard import Stage
from tasks.stage import run_stage
from tests import engines
from tests.cluster.launch.slurm_site import missing, slurm_site
from tests.flows.screen import LIBRARY, TABLES, ai4s, options, started

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

# Long enough to lose a host in the middle.
SEARCH = {"exhaustiveness": 4, "max_evals": 0, "n_poses": 3}


@pytest.fixture
def site(monkeypatch):
    with slurm_site() as site:
        for name, value in site.environment.items():
            monkeypatch.setenv(name, value)
        with dask.config.set({"jobqueue.slurm.log-directory": str(site.folder / "logs")}):
            yield site


def eventually(true, within_s=300.0):
    """Wait until something is true."""
    ends = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < ends
        time.sleep(0.2)
    return found


def until_stage(process, folder, within_s=400):
    """Wait until a command has begun a stage."""
    ends = time.monotonic() + within_s
    while not (folder / "stage.json").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < ends
        time.sleep(0.1)


def places(pod):
    return sorted((worker.name, worker.extra["place"]) for worker in pod.cluster.scheduler.workers.values())


def on_hosts(*names):
    return [(f"{name}/0", name) for name in names]


def test_workers_stand_where_slurm_says_and_a_lost_slice_comes_back(site, make_run, numbers):
    with start("slurm:ai") as pod:
        eventually(lambda: len(pod.cluster.scheduler.workers) == 8)
        told = site.ask("scontrol", "show", "topology")
        assert "SwitchName=sn0 Level=0 LinkSpeed=1 Nodes=h[0-3]" in told
        assert "SwitchName=sn1 Level=0 LinkSpeed=1 Nodes=h[4-7]" in told
        first, second = [f"sn0/h{n}" for n in range(4)], [f"sn1/h{n}" for n in range(4, 8)]
        assert places(pod) == on_hosts(*first, *second)
        assert pod.slots == 64
        workers = pod.cluster.scheduler.workers.values()
        assert all(dict(worker.resources) == {"chip": 8, "chip.k100": 8} for worker in workers)
        jobs = site.ask("squeue", "--noheader", "--format=%D %N %b").splitlines()
        assert sorted(jobs) == ["4 h[0-3] gres:dcu:k100:8", "4 h[4-7] gres:dcu:k100:8"]

        # A host that is not its job's first takes nobody along; the first takes its job, whose others come back.
        run = make_run("slurm", pod)
        stage = Stage(
            "double", "d", "d", engines.Doubler, engines.Settings(delay_s=0.05), version="1", reads=("value",),
            output=engines.OUTPUT, cost=0.05,
        )  # fmt: skip
        site.kill_host("h5")
        result = run_stage(run, stage, numbers(13))
        assert result.summary.outcomes == {"ok": 13}
        assert {shard.place.rpartition("/")[0] for shard in result.summary.shards} <= {*first, *second} - {"sn1/h5"}
        assert places(pod) == on_hosts(*first, "sn1/h4", "sn1/h6", "sn1/h7")
        site.kill_host("h0")
        eventually(lambda: places(pod) == on_hosts("sn1/h4", "sn1/h6", "sn1/h7"))
        eventually(lambda: places(pod) == on_hosts(*first[1:], "sn1/h4", "sn1/h6", "sn1/h7"))
    eventually(lambda: not site.ask("squeue", "--noheader", "--states=PENDING,RUNNING"))


def test_a_screen_that_loses_a_host_ends_like_one_that_does_not(prefect_api, tmp_path, site):
    runs = tmp_path / "runs"
    words = options(tmp_path, name="lost", profile="slurm:ai", search=SEARCH)
    with started("run", "drug-screening", *words, runs=runs, api=prefect_api) as process:
        # The first host of a slice: the worst one to lose, as its job goes with it.
        until_stage(process, runs / "lost" / "dock-coarse")
        site.kill_host(eventually(site.busy_host))
        output = process.communicate(timeout=400)[0]
    assert process.returncode == 0, output
    assert "on slurm:ai: 64 chips" in output
    ids = [row["id"] for row in pq.read_table(runs / "lost" / "outcomes.parquet").to_pylist()]
    assert len(set(ids)) == len(ids)
    assert {number % STRIDE for number in ids} == set(range(len(LIBRARY.splitlines())))
    eventually(lambda: not site.ask("squeue", "--noheader", "--states=PENDING,RUNNING"))

    calm = ai4s("run", "drug-screening", *options(tmp_path, name="calm", search=SEARCH), runs=runs, api=prefect_api)
    assert calm.returncode == 0, calm.stderr
    for name in TABLES:
        assert (runs / "lost" / name).read_bytes() == (runs / "calm" / name).read_bytes(), name


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_screen_leaves_no_job_behind(prefect_api, tmp_path, site, how):
    runs = tmp_path / "runs"
    words = options(tmp_path, name="stopped", profile="slurm:ai", search={**SEARCH, "exhaustiveness": 128})
    with started("run", "drug-screening", *words, runs=runs, api=prefect_api) as process:
        until_stage(process, runs / "stopped" / "dock")
        os.kill(process.pid, how)
        output = process.communicate(timeout=300)[0]
        eventually(lambda: not site.ask("squeue", "--noheader", "--states=PENDING,RUNNING"))
        eventually(lambda: not any(site.processes(f"h{number}") for number in range(8)))
    assert not (runs / "stopped" / "report.html").exists()
    assert how is signal.SIGKILL or "ai4s resume stopped" in output
