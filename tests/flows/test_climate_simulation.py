"""A whole climate simulation through Prefect and Dask: what it leaves, what a blow-up, a kill and mistakes get."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import xarray as xr

from domains.climate import store
from tests.domains.climate.test_store import cf_errors
from tests.flows.screen import ai4s, environment, refused, started

# Its first step is too long: the second half of the day blows up and is begun again with half of it.
SMALL = {
    "case": "williamson-6",
    "resolution": "C24",
    "days": 2,
    "interval": 12,
    "tiles": 24,
    "step": 1080,
    "profile": "emulated:two-supernodes",
}
FILES = ("simulation.manifest.json", "budgets.csv", "outcomes.parquet", "animation.gif")


def run_it(folder, **changed):
    from domains.climate.simulation_request import ClimateSimulationRequest
    from flows.climate_simulation import climate_simulation

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI4S_RUNS", str(folder))
        result = climate_simulation(ClimateSimulationRequest.model_validate({**SMALL, **changed}))
    return Path(result["folder"]), result


@pytest.fixture(scope="module")
def finished(prefect_api, tmp_path_factory):
    """One finished run; the tests look at what it left."""
    return run_it(tmp_path_factory.mktemp("simulation"), name="one")


def test_every_tile_at_every_time_is_counted(finished):
    run, result = finished
    rows = pq.read_table(run / "outcomes.parquet").to_pylist()
    assert [row["id"] for row in rows] == list(range(5 * 24))
    assert {row["outcome"] for row in rows} == {"ok"}
    assert [row["day"] for row in result["budgets"]] == [0, 0.5, 1, 1.5, 2]


def test_a_blow_up_goes_back_one_chunk_and_halves_the_step(finished):
    run, _ = finished
    index = json.loads((run / "checkpoint" / "index.json").read_text())
    last = index["generations"][-1]
    assert [one["chunk"] for one in index["generations"]] == [3, 4]
    assert last["halved"]
    first = last["halved"][0]
    assert first["dt"] == 1080
    assert "blow" in first["reason"]
    assert last["steps"] == 40 * 2 ** len(last["halved"])
    rows = pq.read_table(run / "outcomes.parquet").to_pylist()
    assert {row["id"] // 24 for row in rows if row["reason"]} == {one["chunk"] for one in last["halved"]}
    data = store.read(run / "simulation.zarr")
    assert np.isfinite(data["vo"].values).all()
    assert abs(data["mass"] / data["mass"][0] - 1).max() < 1e-12
    assert "begun again with steps of 540 s" in (run / "report.html").read_text()


def test_what_it_leaves_is_whole_and_cf(finished):
    run, _ = finished
    with xr.open_dataset(run / "simulation.nc", engine="h5netcdf") as data:
        assert data.sizes == {"time": 5, "lat": 48, "lon": 96, "bnds": 2}
        assert float(data["lat"][0]) < -85
    assert cf_errors(run / "simulation.nc") == []
    page = (run / "report.html").read_text()
    for words in ("A Rossby-Haurwitz wave", "Rossby-Haurwitz 波", "eddies hold", "Adds up: 120", "image/gif;base64"):
        assert words in page
    assert page.count("<svg") >= 5
    assert "<script src" not in page
    assert 'href="http' not in page


def test_one_worker_in_one_tile_a_panel_gives_the_same_fields(finished, tmp_path):
    run, _ = finished
    again, _ = run_it(tmp_path, name="again", tiles=6, profile="laptop")
    mine, theirs = (store.read(one / "simulation.zarr") for one in (run, again))
    for name in ("zg", "vo", "div", "ua", "va"):
        assert np.array_equal(mine[name].values, theirs[name].values), name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--case", "galewski"], ["case", "galewski", "near: galewsky"]),
        (["--resolution", "T31"], ["resolution", "T31", "C96"]),
        (["--case", "williamson-6", "--resolution", "C24", "--step", "1500"], ["time step", "blow up", "up to 720"]),
        (["--tiles", "10"], ["tiles = 10", "6, 24"]),
    ],
)
def test_a_mistake_gets_one_clear_error_and_leaves_nothing(words, said, tmp_path):
    told = refused("climate-simulation", *words, runs=tmp_path / "runs")
    for word in said:
        assert word in told


def test_a_run_larger_than_the_disk_is_refused_before_it_starts(tmp_path):
    from domains.climate.simulation_check import check
    from domains.climate.simulation_request import ClimateSimulationRequest
    from tasks.climate_simulation_run import simulate
    from tasks.progress import RunProgress
    from tasks.run import Run
    from tasks.store import Refused, RunStore

    request = ClimateSimulationRequest(case="rest", resolution="C1024", days=1000, interval=1)
    store = RunStore(tmp_path / "huge").open({})
    with pytest.raises(Refused, match=r"the disk of .* GiB free, and this run leaves up to .*AI4S_RUNS"):
        simulate(Run("climate-simulation", request, store, [], RunProgress()), check(request))
    store.close()
    assert not (tmp_path / "huge" / "simulation.zarr").exists()


def options(name):
    return [word for key, value in {**LONG, "name": name}.items() for word in (f"--{key}", str(value))]


# Long enough to be killed in the middle.
LONG = {"case": "galewsky", "resolution": "C48", "days": 3, "interval": 6, "profile": "emulated:two-supernodes"}


def chunks(run):
    try:
        return json.loads((run / "checkpoint" / "index.json").read_text())["generations"][-1]["chunk"]
    except FileNotFoundError:
        return -1


def workers_of(pid):
    return [one for one in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]


@pytest.mark.slow
def test_kills_in_the_middle_of_chunks_change_no_bit(prefect_api, tmp_path):
    runs = tmp_path / "runs"
    calm = ai4s("run", "climate-simulation", *options("calm"), runs=runs, api=prefect_api)
    assert calm.returncode == 0, calm.stderr
    run, killed_at = runs / "killed", []
    for kill_worker in (True, False):
        with started("run", "climate-simulation", *options("killed"), runs=runs, api=prefect_api) as process:
            before = chunks(run)
            while chunks(run) < before + 3:
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.02)
            killed_at.append(chunks(run))
            victim = workers_of(process.pid)[0].pid if kill_worker else process.pid
            os.kill(victim, signal.SIGKILL)
            if kill_worker:  # the run goes on with what is left, or came back
                while chunks(run) < killed_at[-1] + 2:
                    assert process.poll() is None, process.communicate()[0]
                    time.sleep(0.05)
                process.kill()
    assert killed_at[0] < killed_at[1] < 12
    done = ai4s("run", "climate-simulation", *options("killed"), runs=runs, api=prefect_api)
    assert done.returncode == 0, done.stderr
    for name in FILES[1:]:
        assert (run / name).read_bytes() == (runs / "calm" / name).read_bytes(), name
    mine, theirs = (store.read(runs / name / "simulation.zarr") for name in ("killed", "calm"))
    for name in mine.data_vars:
        assert np.array_equal(mine[name].values, theirs[name].values), name


@pytest.mark.slow
def test_a_disk_that_fills_up_leaves_the_last_checkpoint_and_a_resume_goes_on(prefect_api, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    disk = f"mount -t tmpfs -o size=230m tmpfs {runs}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", disk], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces to mount a small disk")
    script = f"""
        {disk}
        "$@" > {tmp_path}/first.log 2>&1 &
        until [ -d {runs}/full/checkpoint/000002 ]; do sleep 0.02; done
        dd if=/dev/zero of={runs}/filler bs=4k 2>/dev/null
        wait $! ; echo "first $?"
        cat {runs}/full/checkpoint/index.json > {tmp_path}/index.json
        rm {runs}/filler
        "$@" > {tmp_path}/second.log 2>&1 ; echo "second $?"
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-m", "flows.cli", "run", "climate-simulation", *options("full")],
        env=environment(runs, prefect_api), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    first = (tmp_path / "first.log").read_text()
    assert done.stdout.split()[:2] == ["first", "2"], (done.stdout, done.stderr, first)
    assert "no space left" in first
    assert "Traceback" not in first
    assert json.loads((tmp_path / "index.json").read_text())["generations"][-1]["chunk"] >= 1
    assert "second 0" in done.stdout, (tmp_path / "second.log").read_text()
