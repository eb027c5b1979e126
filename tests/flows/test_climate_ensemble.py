"""A whole climate ensemble through Prefect and Dask: what it leaves, that it is CF, and what mistakes get."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import xarray as xr

from domains.climate import store
from tests.flows.screen import refused

SMALL = {"members": 150, "profile": "emulated:two-supernodes"}
TABLES = ("outcomes.parquet", "members.csv", "sensitivity.csv", "ensemble.manifest.json")


@pytest.fixture(scope="module")
def flow(prefect_api):
    from flows.climate_ensemble import climate_ensemble

    return climate_ensemble


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("climate")


def run_it(flow, folder, **changed):
    from domains.climate.ensemble_request import ClimateEnsembleRequest

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI4S_RUNS", str(folder))
        result = flow(ClimateEnsembleRequest.model_validate({**SMALL, **changed}))
    return Path(result["folder"]), result


@pytest.fixture(scope="module")
def finished(flow, folder):
    """One finished run; the tests look at what it left."""
    return run_it(flow, folder, name="one")


def test_every_member_has_one_end(finished):
    run, result = finished
    rows = pq.read_table(run / "outcomes.parquet").to_pylist()
    assert sorted(row["id"] for row in rows) == list(range(150))
    ok = [row for row in rows if row["outcome"] == "ok"]
    assert 75 < len(ok) == result["members"] < 150
    assert all(row["reason"] for row in rows if row["outcome"] != "ok")
    assert len(pa_csv.read_csv(run / "members.csv")) == len(ok)


def test_the_sensitivity_is_what_the_members_say(finished):
    run, result = finished
    members = pa_csv.read_csv(run / "members.csv")
    ecs, tcr = (members[name].to_numpy() for name in ("ecs", "tcr"))
    said = {row["figure"]: row for row in result["sensitivity"]}
    assert said["ecs"]["50%"] == pytest.approx(np.median(ecs), abs=1e-4)
    assert 2 < said["ecs"]["50%"] < 4.5
    assert (tcr < ecs).all()
    # Without the ice it would be forcing over feedback: it only adds.
    assert (ecs > members["forcing"].to_numpy() / members["feedback"].to_numpy() - 1e-9).all()


def test_the_store_is_whole_cf_and_the_same_as_netcdf(finished):
    run, result = finished
    data = store.read(run / "ensemble.zarr")
    assert data.sizes == {"realization": result["members"], "time": 140, "lat": 90, "bnds": 2}
    with xr.open_dataset(run / "ensemble.nc", engine="h5netcdf") as netcdf:
        assert netcdf.identical(data.load())
    assert "parameter_feedback" in data
    assert json.loads(data.attrs["comment"].split("request: ")[1].split("; versions")[0])["members"] == 150
    words = [
        Path(sys.executable).with_name("compliance-checker"),
        "--test",
        "cf:1.11",
        "--criteria",
        "strict",
        str(run / "ensemble.nc"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All tests passed" in done.stdout


def test_the_page_answers_first_in_both_languages(finished):
    run, _ = finished
    page = (run / "report.html").read_text()
    for words in (
        "Twice the CO2 warms the globe by",
        "CO2 加倍最终使全球升温",
        "Adds up: 150 candidates came in",
        "IPCC AR6: very likely",
    ):
        assert words in page
    assert page.index("Twice the CO2 warms") < page.index("<svg")
    assert page.count("<svg") >= 5
    assert "<script src" not in page
    assert 'href="http' not in page


def test_the_same_request_again_is_the_same_bytes_wherever_it_runs(flow, finished, folder):
    run, _ = finished
    again, _ = run_it(flow, folder / "again", name="one", profile="laptop")
    for name in TABLES:
        assert (again / name).read_bytes() == (run / name).read_bytes(), name


def test_an_ensemble_without_a_climate_says_so(flow, folder):
    run, result = run_it(
        flow, folder, name="none", members=5, scenario="abrupt-4xCO2", years=2, parameters={"outgoing": "300"}
    )
    assert result["members"] == 0
    assert "None of 5 members" in (run / "report.html").read_text()
    assert not (run / "ensemble.zarr").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--years", "50"], ["years", "50", "61 to 80", "abrupt-4xCO2"]),
        (["--parameters.feedback", "normal(1.5)"], ["parameters.feedback", "normal(1.5)", "cannot be read", "uniform(low, high)"]),
        (["--parameters.feedback=-1"], ["parameters.feedback", "no member could be a climate", "above 0"]),
        (["--members", "200000"], ["members", "200000", "100000"]),
        (["--model", "gcm"], ["model", "gcm", "ebm"]),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_clear_error_and_leaves_nothing(words, said, tmp_path):
    message = refused("climate-ensemble", *words, runs=tmp_path / "runs")
    for word in said:
        assert word in message
