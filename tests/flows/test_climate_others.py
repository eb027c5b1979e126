"""Downscaling, emulation and the circulation model through Prefect and Dask: what they leave, and that it is CF."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import xarray as xr

from domains.climate import gcm, store
from tests.domains.climate.test_gcm import COUNTERPART, RECORDED
from tests.flows.screen import ai4s

PLACE = {"profile": "emulated:two-supernodes", "name": "one"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, prefect_api):
    made = tmp_path_factory.mktemp("climate-others")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI4S_RUNS", str(made))
        yield made


def as_netcdf(data, path):
    """As the checker reads it; on the way through Zarr, coordinates lose that they have no fill value."""
    for name in data.variables:
        data[name].encoding.setdefault("_FillValue", None)
    store.export_netcdf(data, path)
    return path


def is_cf(path):
    words = [
        Path(sys.executable).with_name("compliance-checker"),
        "--test",
        "cf:1.11",
        "--criteria",
        "strict",
        str(path),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_downscaling_of_made_up_data(folder):
    from domains.climate.downscale_request import ClimateDownscalingRequest
    from flows.climate_downscaling import climate_downscaling

    result = climate_downscaling(ClimateDownscalingRequest.model_validate({**PLACE, "name": "down"}))
    run = Path(result["folder"])
    assert result["synthetic"]
    scores = {row["method"]: row for row in result["scores"]}
    assert scores["qdm"]["error_quantiles"] < 0.5 * scores["interpolation"]["error_quantiles"]
    assert scores["qdm"]["error_maximum"] < scores["mean"]["error_maximum"]
    days = store.read(run / "downscaled.zarr")
    assert days.sizes == {"time": 7300, "lat": 20, "lon": 28}
    assert np.isfinite(days["tas"]).all()
    assert "SYNTHETIC" in days.attrs["title"]
    with xr.open_dataset(run / "summary.nc", engine="h5netcdf") as summary:
        yearly = days["tas"].sel(time="2003").max("time")
        assert summary["warmest_day"].sel(year=2003).values == pytest.approx(yearly.values)
    is_cf(run / "summary.nc")
    is_cf(as_netcdf(days.isel(time=slice(0, 40)), run / "some.nc"))
    page = (run / "report.html").read_text()
    assert "SYNTHETIC: both the model and the observations are made up" in page
    assert "合成数据" in page
    assert page.index("On made-up data: in years it was not trained on") < page.index("<svg")


@pytest.mark.slow
def test_an_emulation(folder):
    from domains.climate.emulate_request import ClimateEmulationRequest
    from flows.climate_emulation import climate_emulation

    result = climate_emulation(
        ClimateEmulationRequest.model_validate({**PLACE, "name": "emu", "members": 160, "training": 70, "years": 80})
    )
    run = Path(result["folder"])
    members = pq.read_table(run / "members.parquet")
    assert result["members"] == len(members)
    scores = {row["figure"]: row for row in result["scores"]}
    assert set(scores) == {"ecs", "tcr", "control_mean", "ice_edge", "polar_amplification", "warming"}
    assert all(row["trained"] + row["unseen"] == len(members) for row in scores.values())
    assert scores["ecs"]["error_surrogate"] < scores["ecs"]["error_linear"] < scores["ecs"]["error_mean"]
    assert sum(row["outcome"] == "ok" for row in pq.read_table(run / "outcomes.parquet").to_pylist()) == len(members)
    assert "members it never saw" in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_circulation_model_by_its_counterpart(folder, tmp_path, monkeypatch):
    from domains.climate.gcm_request import ClimateGcmRequest
    from flows.climate_gcm import climate_gcm

    path = tmp_path / "python-with-jcm"
    path.write_text(
        COUNTERPART.format(python=sys.executable, site=str(Path(np.__file__).parents[1]), recorded=str(RECORDED))
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(gcm.INTERPRETER, str(path))
    result = climate_gcm(
        ClimateGcmRequest.model_validate({**PLACE, "name": "gcm", "days": 9, "chunk_days": 4, "resolution": "T21"})
    )
    run = Path(result["folder"])
    data = store.read(run / "gcm.zarr")
    assert data.sizes == {"time": 9, "lat": 32, "lon": 64, "lev": 8, "bnds": 2}
    means = {row["quantity"]: row for row in pa_csv.read_csv(run / "means.csv").to_pylist()}
    assert means["rlut"]["mean"] == pytest.approx(float(gcm.global_mean(data["rlut"]).mean()), abs=1e-3)
    is_cf(as_netcdf(data, run / "gcm.nc"))
    assert json.loads((run / "request.json").read_text())["facts"] == {"jcm": "3.0.0"}
    assert "The planet sends out" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["climate-downscaling", "--model", "nowhere.nc", "--observations", "nowhere.nc"],
            ["model", "nowhere.nc", "no such file"],
        ),
        (["climate-emulation", "--members", "200"], ["members", "200", "at least 290"]),
        (["climate-gcm", "--days", "30"], ["needs jcm", "AI4S_JCM", "jcm==3.0.0"]),
    ],
)
def test_a_mistake_gets_one_clear_error_and_leaves_nothing(words, said, tmp_path, monkeypatch):
    monkeypatch.delenv(gcm.INTERPRETER, raising=False)
    done = ai4s("run", *words, runs=tmp_path / "runs")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in said:
        assert word in done.stderr, done.stderr
    assert not (tmp_path / "runs").exists()
