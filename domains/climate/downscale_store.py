"""What a downscaling leaves: the fine days as a CF Zarr store, written a block at a time; indices and scores, small, as NetCDF."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from domains.climate import store
from domains.climate.downscale import INDICES, VARIABLES
from domains.climate.downscale_blocks import MEANS, SCORES
from domains.climate.downscale_check import ClimateDownscaling

Rows = Iterable[Mapping[str, Any]]
LEAPING = ("standard", "gregorian", "proleptic_gregorian", "julian")  # of which CF-1.11 asks whether seconds leap
SYNTHETIC = "SYNTHETIC: made-up data for demonstration, neither simulated nor measured. "


def write_days(asked: ClimateDownscaling, blocks: Rows, path: Path, run: str) -> None:
    """Write the store with nothing in it, fill in block by block, seal it."""
    name, pair = asked.request.variable, asked.pair
    known = VARIABLES[name]
    shape = (pair.model.sizes["time"], *_shape(asked))
    attributes = {"standard_name": known.standard_name, "long_name": f"{known.title}, downscaled", "units": known.unit}
    if known.additive:
        attributes["units_metadata"] = "temperature: on_scale"
    # No memory: one value seen everywhere.
    nothing = np.broadcast_to(np.float32(np.nan), shape)
    made = _grid(asked).assign(
        {name: (("time", "lat", "lon"), nothing, {**attributes, "cell_methods": known.cell_method})}
    )
    calendar = str(pair.model["time"].dt.calendar)
    about = {"standard_name": "time", "long_name": "time", "axis": "T"}
    if calendar in LEAPING:
        about["units_metadata"] = "leap_seconds: unknown"
    made = made.assign_coords(time=("time", pair.model["time"].values, about))
    made[name].encoding["_FillValue"] = np.float32(np.nan)
    made["time"].encoding |= {
        "units": f"days since {_first_year(pair.model)}-01-01",
        "calendar": calendar,
        "dtype": "float64",
        "_FillValue": None,
    }
    store.write(_described(made, asked, run), path, {"lat": asked.side, "lon": asked.side})
    store.manifest_of(path).unlink()
    array = zarr.open_group(path, mode="r+")[name]
    assert isinstance(array, zarr.Array)
    for block in blocks:
        rows, columns = slice(block["south"], block["north"]), slice(block["west"], block["east"])
        array[:, rows, columns] = _shaped(block["days"], (shape[0],), block)
    store.seal(path)


def summary(asked: ClimateDownscaling, blocks: Rows, run: str) -> xr.Dataset:
    """Indices of every year, means and errors in the years held out, over the fine grid."""
    variable, shape = asked.request.variable, _shape(asked)
    years = np.unique(asked.pair.years[0])
    known, unit = INDICES[variable], VARIABLES[variable].unit
    fields = {name: np.full(shape, np.nan, np.float32) for name in (*SCORES, *(f"{one}_mean" for one in MEANS))}
    yearly = np.full((len(known), len(years), *shape), np.nan, np.float32)
    for block in blocks:
        rows, columns = slice(block["south"], block["north"]), slice(block["west"], block["east"])
        yearly[:, :, rows, columns] = _shaped(block["indices"], yearly.shape[:2], block)
        for name, field in fields.items():
            field[rows, columns] = _shaped(block[name], (), block)
    made = _grid(asked).assign_coords(year=("year", years, {"long_name": "calendar year", "units": "1"}))
    for at, (name, index) in enumerate(known.items()):
        made[name] = (("year", "lat", "lon"), yearly[at], {"long_name": index.title, "units": index.unit})
    span = f"{asked.held_out[0]} to {asked.held_out[-1]}, not trained on"
    for name, field in fields.items():
        words = name.replace("_", " ")
        made[name] = (
            ("lat", "lon"),
            field,
            {"long_name": f"{words if name.endswith('_mean') else 'error: ' + words}, {span}", "units": unit},
        )
    return _described(made, asked, run)


def _shaped(values: Any, front: tuple[int, ...], block: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(
        *front, block["north"] - block["south"], block["east"] - block["west"]
    )


def _shape(asked: ClimateDownscaling) -> tuple[int, int]:
    return asked.pair.observed.sizes["lat"], asked.pair.observed.sizes["lon"]


def _first_year(data: xr.DataArray) -> str:
    return f"{int(data['time'].dt.year[0]):04d}"


def _grid(asked: ClimateDownscaling) -> xr.Dataset:
    lat, lon = (asked.pair.observed[axis].values.astype(float) for axis in ("lat", "lon"))
    made = xr.Dataset(
        coords={
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
        }
    )
    for axis in ("lat", "lon"):
        made[axis].encoding["_FillValue"] = None
    return made


def _described(made: xr.Dataset, asked: ClimateDownscaling, run: str) -> xr.Dataset:
    request = asked.request
    return store.described(
        made,
        title=f"{SYNTHETIC if request.synthetic else ''}{VARIABLES[request.variable].title}, downscaled",
        source="bilinear interpolation and quantile delta mapping by calendar month",
        history=f"climate-downscaling, run {run}",
        references="Cannon et al., J. Climate 28, 6938 (2015)",
        comment=f"request: {json.dumps(request.identity(), sort_keys=True)}; trained on {asked.training[0]} to {asked.training[-1]}",
    )
