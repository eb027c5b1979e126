"""The general circulation model jcm 3 (SPEEDY physics on a spectral core, in JAX) as a program in its own environment.

JAX and what comes with it do not belong beside our packages, so it is a subprocess: AI4S_JCM names a Python that has jcm; where
it is not set, this Python is asked. Its wheel carries the boundary data (sea surface, ice, land, orography), so it runs offline.
What runs there is ``gcm_program.py``; the two ends meet in a folder of chunks and checkpoints.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr
from pydantic import Field

from domains import command
from domains.climate import gcm_program, store
from domains.climate.gcm_request import STEP_MIN, TRUNCATION, Resolution
from domains.climate.outcomes import Outcome
from domains.errors import InvalidRequest
from domains.model import Frozen

INTERPRETER, PACKAGE = "AI4S_JCM", "jcm==3.0.0"
ASKED = "asked.json"
EPOCH = "2000-01-01"
OUTPUT = pa.schema([("days", pa.int64())])
# By CMIP's name: standard name, what it is, unit, cell methods.
FIELDS: Mapping[str, tuple[str, str, str]] = {
    "tas": ("air_temperature", "near-surface air temperature", "K"),
    "ts": ("surface_temperature", "surface temperature", "K"),
    "pr": ("precipitation_flux", "precipitation", "kg m-2 s-1"),
    "rlut": ("toa_outgoing_longwave_flux", "outgoing longwave radiation", "W m-2"),
    "rsnt": ("toa_net_downward_shortwave_flux", "absorbed sunlight", "W m-2"),
    "hfds": ("surface_downward_heat_flux_in_air", "net heat into the surface", "W m-2"),
    "ps": ("surface_air_pressure", "surface pressure", "Pa"),
}
ZONAL: Mapping[str, tuple[str, str, str]] = {
    "ua": ("eastward_wind", "zonal mean eastward wind", "m s-1"),
    "ta": ("air_temperature", "zonal mean temperature", "K"),
}


def interpreter() -> Path:
    """The Python that is asked for jcm."""
    return Path(os.environ.get(INTERPRETER) or sys.executable)


def version() -> str:
    """Of jcm there; empty where there is none."""
    return _version(interpreter())


@cache
def _version(python: Path) -> str:
    words = "import importlib.metadata as m; print(m.version('jcm'))"
    try:
        found = command.run([python, "-c", words], Path.cwd(), 60.0)
    except (FileNotFoundError, PermissionError):
        return ""
    return found.last_line if found.code == 0 else ""


def state() -> str:
    """Empty where it can run; else what is missing and where it was looked for."""
    if version():
        return ""
    return f"needs jcm: {interpreter()} has none (pip install {PACKAGE} in an environment of its own, and set {INTERPRETER} to its Python)"


def require() -> str:
    """The version of jcm; raises InvalidRequest that says what is missing."""
    if missing := state():
        raise InvalidRequest("model", "jcm", missing, f"{INTERPRETER}=/path/to/python of an environment with {PACKAGE}")
    return version()


class GcmSettings(Frozen):
    """What decides a run; where its chunks lie and what runs them does not."""

    days: int
    chunk_days: int
    resolution: Resolution
    jcm: str
    folder: Path = Field(exclude=True)
    python: Path = Field(exclude=True)
    limit_s: float = Field(exclude=True)

    def asked(self) -> dict[str, int | str]:
        """What the program is asked for, and by which version."""
        step = {"truncation": TRUNCATION[self.resolution], "time_step": STEP_MIN[self.resolution]}
        return {"days": self.days, "chunk_days": self.chunk_days, **step, "jcm": self.jcm}


class Engine:
    """Runs the model to its end, from where its folder has come to."""

    def __init__(self, settings: GcmSettings) -> None:
        self.settings = settings

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The only row: how many days are there, or why not all of them."""
        settings, started = self.settings, time.perf_counter()
        prepare(settings.folder, settings.asked())
        program = Path(gcm_program.__file__)
        done = command.run(
            [settings.python, program, settings.folder], settings.folder, settings.limit_s, lift_memory=True
        )
        spent = time.perf_counter() - started
        days = sum(len(part["time_bnds"]) for part in _parts(settings.folder))
        return {**_ended(days, settings.days, done), "days": days, "engine_s": spent}


def _ended(days: int, wanted: int, done: command.Finished) -> dict[str, Any]:
    if days == wanted:
        return {"outcome": Outcome.ok, "reason": None}
    if done.timed_out:
        return {"outcome": Outcome.timeout, "reason": f"stopped after {days} of {wanted} days"}
    blown = "has blown up" in done.output
    return {
        "outcome": Outcome.diverged if blown else Outcome.engine_error,
        "reason": f"after day {days}: {done.last_line}",
    }


def prepare(folder: Path, asked: Mapping[str, int | str]) -> None:
    """Say in the folder what is asked; raises InvalidRequest where it holds chunks of something else."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ASKED
    if path.exists() and (found := json.loads(path.read_text())) != asked:
        raise InvalidRequest("checkpoint", json.dumps(found), "is of another run", json.dumps(dict(asked)))
    temporary = path.with_name(f".tmp-{ASKED}")
    temporary.write_text(json.dumps(asked))
    temporary.replace(path)


def _parts(folder: Path) -> list[Mapping[str, np.ndarray]]:
    """The chunks that are there, in order."""
    found: list[Mapping[str, np.ndarray]] = []
    while (path := folder / f"chunk-{len(found)}.npz").exists():
        with np.load(path) as archive:
            found.append(dict(archive))
    return found


def dataset(folder: Path, title: str, history: str, comment: str) -> xr.Dataset:
    """All days of a run by CF-1.11: daily means of FIELDS (time, lat, lon), zonal means of ZONAL (time, lev, lat)."""
    parts = _parts(folder)
    last = parts[-1]
    made = _coordinates(np.concatenate([part["time_bnds"] for part in parts]), last["lat"], last["lon"], last["lev"])
    for names, dims, method in (
        (FIELDS, ("time", "lat", "lon"), "time: mean"),
        (ZONAL, ("time", "lev", "lat"), "time: mean"),
    ):
        for name, (standard, words, unit) in names.items():
            attributes = {"standard_name": standard, "long_name": words, "units": unit, "cell_methods": method}
            if unit == "K":
                attributes["units_metadata"] = "temperature: on_scale"
            made[name] = (dims, np.concatenate([part[name] for part in parts]).astype(np.float32), attributes)
    for variable in made.variables.values():
        variable.encoding["_FillValue"] = None
    version_there = json.loads((folder / ASKED).read_text()).get("jcm", "")
    source = f"jcm {version_there}: SPEEDY physics (Molteni, 2003) on a spectral core, 8 levels, in JAX"
    return store.described(
        made,
        title=title,
        source=source,
        history=history,
        references="Molteni, Clim. Dyn. 20, 175 (2003)",
        comment=comment,
    )


def _coordinates(bounds: np.ndarray, lat: np.ndarray, lon: np.ndarray, lev: np.ndarray) -> xr.Dataset:
    units = {"units": f"days since {EPOCH}", "calendar": "proleptic_gregorian", "units_metadata": "leap_seconds: none"}
    about = {"standard_name": "time", "long_name": "time", "axis": "T", "bounds": "time_bnds", **units}
    return xr.Dataset(
        {"time_bnds": (("time", "bnds"), bounds)},
        {
            "time": ("time", bounds.mean(axis=1), about),
            "lat": (
                "lat",
                lat,
                {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", "axis": "Y"},
            ),
            "lon": (
                "lon",
                lon,
                {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east", "axis": "X"},
            ),
            "lev": (
                "lev",
                lev,
                {"long_name": "sigma of the layer's middle", "units": "1", "positive": "down", "axis": "Z"},
            ),
        },
    )


def global_mean(field: xr.DataArray) -> xr.DataArray:
    """Mean over the sphere of a field on the model's Gaussian latitudes: exact for what the model resolves."""
    weights = xr.DataArray(np.polynomial.legendre.leggauss(field.sizes["lat"])[1], dims="lat")
    return field.weighted(weights).mean(("lat", "lon"))
