"""The data of a downscaling: a coarse model and fine observations, from files or made up, read a block of space at a time."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from domains.climate import diagnose
from domains.climate.downscale import VARIABLES
from domains.climate.downscale_request import DEMONSTRATION
from domains.climate.downscale_synthetic import made_up
from domains.climate.regrid import LatLon
from domains.errors import InvalidRequest

NAMES = {"lat": ("lat", "latitude", "y"), "lon": ("lon", "longitude", "x")}
STANDARD = {"lat": "latitude", "lon": "longitude"}


@dataclass(frozen=True, eq=False)
class Pair:
    """The model and the observations of a variable (time, lat, lon), in its unit; latitudes rise. Not read yet."""

    model: xr.DataArray
    observed: xr.DataArray

    @property
    def years(self) -> tuple[np.ndarray, np.ndarray]:
        """The year of each day of either."""
        return tuple(np.asarray(one["time"].dt.year) for one in (self.model, self.observed))  # type: ignore[return-value]

    @property
    def months(self) -> tuple[np.ndarray, np.ndarray]:
        """The month of each day of either."""
        return tuple(np.asarray(one["time"].dt.month) for one in (self.model, self.observed))  # type: ignore[return-value]


@lru_cache(maxsize=1)
def opened(model: str, observations: str, variable: str, seed: int) -> Pair:
    """Both sides; raises InvalidRequest that names the one with the fault."""
    if model == DEMONSTRATION:
        return Pair(*made_up(seed))
    return Pair(_opened("model", model, variable), _opened("observations", observations, variable))


def _opened(side: str, path: str, variable: str) -> xr.DataArray:
    found = diagnose.known(_dataset(side, path), variable, VARIABLES[variable].unit, side)
    diagnose.daily(found, side)
    names = {_axis(found, axis, side): axis for axis in NAMES}
    renamed = found.rename({theirs: mine for theirs, mine in names.items() if theirs != mine})
    if extra := set(renamed.dims) - {"time", "lat", "lon"}:
        raise InvalidRequest(side, variable, f"has more dimensions: {', '.join(map(str, extra))}", "time, lat, lon")
    ordered = renamed.transpose("time", "lat", "lon").sortby("lat")
    LatLon.around(ordered["lat"].values.astype(float), ordered["lon"].values.astype(float))
    return ordered


def _dataset(side: str, path: str) -> xr.Dataset:
    if not Path(path).exists():
        raise InvalidRequest(side, path, "no such file", "a NetCDF file or a Zarr store")
    try:
        if Path(path).is_dir():
            found: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
            return found
        return xr.open_dataset(path, engine="h5netcdf", chunks=None)
    except Exception as error:  # of three libraries, each with its own
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidRequest(
            side, path, f"cannot be read: {first[:160]}", "a NetCDF 4 file or a Zarr store by CF"
        ) from None


def _axis(data: xr.DataArray, axis: str, side: str) -> str:
    for name in map(str, data.dims):
        if name in NAMES[axis] or data[name].attrs.get("standard_name") == STANDARD[axis]:
            return name
    raise InvalidRequest(
        side, data.name, f"has no {STANDARD[axis]} among {', '.join(map(str, data.dims))}", f"a dimension {axis}"
    )


def fingerprint(path: str) -> str:
    """Checksum of a file, or of all files of a store."""
    if path == DEMONSTRATION:
        return ""
    whole, root = hashlib.sha256(), Path(path)
    for file in sorted(one for one in root.rglob("*") if one.is_file()) if root.is_dir() else [root]:
        whole.update(file.relative_to(root).as_posix().encode())
        with file.open("rb") as opened_file:
            while part := opened_file.read(1 << 24):
                whole.update(part)
    return whole.hexdigest()


def interpolated(coarse: xr.DataArray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A coarse field (time, lat, lon) at latitudes (n,) and longitudes (m,), bilinear: (time, n * m), reading only what is near.

    Around the globe where the coarse grid is; at its rim the last value.
    """
    south, north, up = _neighbours(coarse["lat"].values.astype(float), lat, around=False)
    west, east, across = _neighbours(coarse["lon"].values.astype(float), lon, around=True)
    rows, columns = np.unique([south, north]), np.unique([west, east])
    near = coarse.isel(lat=rows, lon=columns).values.astype(float)
    at = [np.searchsorted(rows, one) for one in (south, north)]
    beside = [np.searchsorted(columns, one) for one in (west, east)]
    lower, upper = (near[:, row][:, :, beside[0]] * (1 - across) + near[:, row][:, :, beside[1]] * across for row in at)
    made = lower * (1 - up)[:, None] + upper * up[:, None]
    return np.asarray(made.reshape(len(made), -1))


def _neighbours(coarse: np.ndarray, fine: np.ndarray, around: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The coarse points before and after each fine one, and how far it is from the first to the second."""
    n, step = len(coarse), float(np.diff(coarse).mean()) if len(coarse) > 1 else 1.0
    whole = around and bool(np.isclose(n * step, 360, atol=0.5 * step))
    if around:
        fine = coarse[0] + np.mod(fine - coarse[0] + 180 * (not whole), 360) - 180 * (not whole)
    points = np.concatenate([coarse, [coarse[0] + 360]]) if whole else coarse
    if len(points) == 1:
        none = np.zeros(len(fine), int)
        return none, none, np.zeros(len(fine))
    first = np.clip(np.searchsorted(points, fine, side="right") - 1, 0, len(points) - 2)
    share = np.clip((fine - points[first]) / (points[first + 1] - points[first]), 0.0, 1.0)
    return first, (first + 1) % n, share
