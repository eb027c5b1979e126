"""The adapter of the circulation model: against a counterpart that speaks the same protocol, and the model itself where it is."""

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from domains.climate import gcm, store
from domains.climate.gcm_check import check
from domains.climate.gcm_request import ClimateGcmRequest
from domains.errors import InvalidRequest

# Answers to the question for the version, and writes chunks with a recorded day of T21 for each day asked; ends where it is told to.
COUNTERPART = """#!{python}
import json, os, sys
from pathlib import Path
if sys.argv[1] == "-c":
    print("3.0.0"); sys.exit()
sys.path.insert(0, {site!r})
import numpy as np
folder = Path(sys.argv[2]); asked = json.loads((folder / "asked.json").read_text())
day = dict(np.load({recorded!r}))
lengths = [min(asked["chunk_days"], asked["days"] - first) for first in range(0, asked["days"], asked["chunk_days"])]
for at, length in enumerate(lengths):
    path = folder / f"chunk-{{at}}.npz"
    if path.exists(): continue
    if at == int(os.environ.get("FAKE_STOPS", "-1")):
        print("FloatingPointError: tas is not a number: the model has blown up"); sys.exit(1)
    start = sum(lengths[:at])
    bounds = np.stack([np.arange(start, start + length), np.arange(start, start + length) + 1.0], axis=1)
    fields = {{name: np.repeat(one, length, axis=0) for name, one in day.items() if name not in ("lat", "lon", "lev", "time_bnds")}}
    np.savez(path, **fields, time_bnds=bounds, lat=day["lat"], lon=day["lon"], lev=day["lev"])
"""
RECORDED = Path(__file__).parent / "data" / "gcm_day_t21.npz"


@pytest.fixture
def counterpart(tmp_path, monkeypatch):
    path = tmp_path / "python-with-jcm"
    site = str(Path(np.__file__).parents[1])
    path.write_text(COUNTERPART.format(python=sys.executable, site=site, recorded=str(RECORDED)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(gcm.INTERPRETER, str(path))
    return path


def settings(folder, **changed):
    given = {
        "days": 7,
        "chunk_days": 3,
        "resolution": "T21",
        "jcm": "3.0.0",
        "folder": folder,
        "python": gcm.interpreter(),
        "limit_s": 600.0,
    }
    return gcm.GcmSettings.model_validate({**given, **changed})


def test_without_it_the_user_is_told_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv(gcm.INTERPRETER, str(tmp_path / "no-python"))
    with pytest.raises(InvalidRequest, match=r"needs jcm: .*no-python has none .pip install jcm==3.0.0.*AI4S_JCM"):
        check(ClimateGcmRequest())
    monkeypatch.setenv(gcm.INTERPRETER, sys.executable)
    assert gcm.state().startswith("needs jcm")


def test_chunks_become_one_cf_store(counterpart, tmp_path):
    assert check(ClimateGcmRequest(days=7, resolution="T21")).jcm == "3.0.0"
    made = gcm.Engine(settings(tmp_path / "run"))({})
    assert (made["outcome"], made["days"]) == ("ok", 7)
    assert sorted(path.name for path in (tmp_path / "run").glob("chunk-*")) == [
        "chunk-0.npz",
        "chunk-1.npz",
        "chunk-2.npz",
    ]
    data = gcm.dataset(tmp_path / "run", "title", "history", "comment")
    assert data.sizes == {"time": 7, "lat": 32, "lon": 64, "lev": 8, "bnds": 2}
    store.write(data, tmp_path / "gcm.zarr", {"time": 3})
    again = store.read(tmp_path / "gcm.zarr")
    assert str(again["time"].values[-1])[:13] == "2000-01-07T12"
    with np.load(RECORDED) as day:
        weights = np.polynomial.legendre.leggauss(32)[1]
        assert gcm.global_mean(again["rlut"]).values == pytest.approx(
            np.average(day["rlut"][0].mean(axis=1), weights=weights), rel=1e-6
        )
    assert np.array_equal(again["tas"], data["tas"])


def test_a_run_that_ended_early_says_why_and_goes_on(counterpart, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_STOPS", "1")
    made = gcm.Engine(settings(tmp_path / "run"))({})
    assert made["outcome"] == "diverged"
    assert "day 3" in made["reason"]
    assert "blown up" in made["reason"]
    monkeypatch.delenv("FAKE_STOPS")
    before = (tmp_path / "run" / "chunk-0.npz").stat().st_mtime_ns
    assert gcm.Engine(settings(tmp_path / "run"))({})["outcome"] == "ok"
    assert (tmp_path / "run" / "chunk-0.npz").stat().st_mtime_ns == before


def test_the_folder_of_another_run_is_refused_and_left_alone(counterpart, tmp_path):
    gcm.Engine(settings(tmp_path / "run"))({})
    with pytest.raises(InvalidRequest, match="of another run"):
        gcm.Engine(settings(tmp_path / "run", resolution="T31"))({})
    assert json.loads((tmp_path / "run" / "asked.json").read_text())["truncation"] == 21


def test_the_global_mean_is_exact_for_what_the_grid_resolves():
    with np.load(RECORDED) as day:
        sine = np.sin(np.radians(day["lat"]))
        assert sine == pytest.approx(np.polynomial.legendre.leggauss(32)[0], abs=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get(gcm.INTERPRETER), reason="AI4S_JCM names no Python with jcm")
def test_the_model_itself_restarts_with_the_same_bits(tmp_path):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert gcm.Engine(settings(whole, days=4, chunk_days=2))({})["outcome"] == "ok"
    assert gcm.Engine(settings(parted, days=4, chunk_days=2))({})["outcome"] == "ok"
    (parted / "chunk-1.npz").unlink()
    (parted / "state-1.ckpt").unlink()
    assert gcm.Engine(settings(parted, days=4, chunk_days=2))({})["outcome"] == "ok"
    with np.load(whole / "chunk-1.npz") as one, np.load(parted / "chunk-1.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
