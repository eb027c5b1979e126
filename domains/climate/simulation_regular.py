"""A simulation's fields on a regular grid of longitudes and latitudes: what every tool reads, as NetCDF."""

from typing import Any

import numpy as np
import xarray as xr

from domains.climate.grid import Tiling
from domains.climate.regrid import LatLon, from_cubed_sphere
from domains.climate.simulation import FIELDS
from domains.climate.simulation_store import SERIES, without_fill

MOST_ROWS = 180  # one degree; the store has what is finer


def regular(data: xr.Dataset) -> xr.Dataset:
    """The fields of a store, regridded conservatively, with the sums over the sphere as they are."""
    cells = data.sizes["x"]
    rows = min(2 * cells, MOST_ROWS)
    grid = LatLon.regular(rows, 2 * rows)
    move = from_cubed_sphere(Tiling(cells), grid)
    latitude, longitude = grid.centres
    made = xr.Dataset(attrs=data.attrs)
    for name in FIELDS:
        made[name] = (("time", "lat", "lon"), move(data[name].values).astype("f4"), _attributes(data[name]))
    made["orog"] = (("lat", "lon"), move(data["orog"].values).astype("f4"), _attributes(data["orog"]))
    for name in SERIES:
        if name in data:
            made[name] = data[name].load()
    made["lat_bnds"] = (("lat", "bnds"), _bounds(grid.latitude))
    made["lon_bnds"] = (("lon", "bnds"), _bounds(grid.longitude))
    made = made.assign_coords(
        time=data["time"],
        lat=("lat", latitude, {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", "axis": "Y", "bounds": "lat_bnds"}),
        lon=("lon", longitude, {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east", "axis": "X", "bounds": "lon_bnds"}),
    )  # fmt: skip
    return without_fill(made)


def _attributes(field: xr.DataArray) -> dict[str, Any]:
    """Those that say what a field is; over the new grid it is a mean."""
    kept = {name: field.attrs[name] for name in ("standard_name", "long_name", "units")}
    return {**kept, "cell_methods": "area: mean" + (" time: point" if "time" in field.dims else "")}


def _bounds(edges: np.ndarray) -> np.ndarray:
    return np.stack([edges[:-1], edges[1:]], axis=1)
