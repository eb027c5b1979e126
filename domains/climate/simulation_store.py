"""The CF store of a simulation on its own grid: made by the run, written by the groups of tiles, sealed at the end.

Fields are (time, panel, y, x), a chunk for each time and tile, so that no two groups write the same file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from domains.climate import store
from domains.climate.grid import RADIUS, Tiling, longitude_latitude, metric, positions
from domains.climate.simulation import FIELDS, Whole
from domains.climate.simulation_check import ClimateSimulation
from domains.climate.tiles import TileGroup

CALENDAR = "noleap"
SOURCE = "shallow water on an equiangular cubed sphere, finite volumes of 4th to 5th order, SSP-RK3"
REFERENCES = (
    "Williamson et al., J. Comput. Phys. 102, 211 (1992); Galewsky et al., Tellus 56A, 429 (2004); "
    "Ronchi et al., J. Comput. Phys. 124, 93 (1996); Chen et al., Mon. Wea. Rev. 141, 2526 (2013)"
)
SERIES = {
    "mass": ("volume of the fluid", "m3"),
    "energy": ("total energy per density", "m5 s-2"),
    "enstrophy": ("potential enstrophy", "m s-2"),
    "fastest": ("greatest speed", "m s-1"),
    "error_l1": ("relative error of depth, l1", "1"),
    "error_l2": ("relative error of depth, l2", "1"),
    "error_max": ("relative error of depth, greatest", "1"),
}


def create(path: Path, simulation: ClimateSimulation, run: str, packages: str) -> None:
    """A new store with coordinates, the bottom, and room for all fields; replaces what is there."""
    tiling, records = simulation.tiling, simulation.request.records
    made = described(geometry(tiling), simulation, run, packages)
    panels = metric(Tiling(tiling.cells), np.arange(6))
    bottom = simulation.case.bottom(panels.position)
    made["orog"] = (
        ("panel", "y", "x"), bottom.astype("f4"),
        {"standard_name": "surface_altitude", "long_name": "height of the bottom", "units": "m", **_AREA},
    )  # fmt: skip
    made["areacella"] = (
        ("panel", "y", "x"), panels.area, {"standard_name": "cell_area", "long_name": "area of the cell", "units": "m2"},
    )  # fmt: skip
    made = made.assign_coords(time=times(simulation))
    store.begin(without_fill(made), path, {"panel": 1})
    sizes = {"time": records, "panel": 6, "y": tiling.cells, "x": tiling.cells}
    for name, field in FIELDS.items():
        attributes = {
            "standard_name": field.standard_name,
            "long_name": field.title,
            "units": field.unit,
            "cell_methods": "time: point",
            "coordinates": "lat lon",
            **_AREA,
        }
        store.reserve(path, name, sizes, (1, 1, tiling.size, tiling.size), attributes)


_AREA = {"cell_measures": "area: areacella"}


def write(path: Path, record: int, group: TileGroup, found: Mapping[str, np.ndarray]) -> None:
    """A group's tiles (tiles, k, k) at a time, by field."""
    made, size = zarr.open_group(path, mode="r+"), group.tiling.size
    for name, values in found.items():
        array = made[name]
        assert isinstance(array, zarr.Array)
        for tile, own in zip(group.tiles, values, strict=True):
            panel, row, column = group.tiling.corner(int(tile))
            array[record, panel, row : row + size, column : column + size] = own


def finish(path: Path, series: Sequence[Whole]) -> None:
    """Add what the sphere held at each time, seal the store and verify it; raises DamagedStore."""
    store.manifest_of(path).unlink(missing_ok=True)
    known = dict(zarr.open_group(path, mode="r").attrs)
    made = without_fill(xr.Dataset(_series(series), attrs=known))
    encoding = {str(name): {"compressors": store.CODECS} for name in made}
    made.to_zarr(path, mode="a", zarr_format=3, consolidated=False, write_empty_chunks=True, encoding=encoding)
    store.seal(path)
    store.check(path)


def _series(series: Sequence[Whole]) -> dict[str, Any]:
    columns = {
        "mass": [one.budget.mass for one in series],
        "energy": [one.budget.energy for one in series],
        "enstrophy": [one.budget.enstrophy for one in series],
        "fastest": [one.fastest for one in series],
    }
    if series[0].norms:
        norms = [one.norms for one in series if one.norms]
        columns |= {
            "error_l1": [one.l1 for one in norms],
            "error_l2": [one.l2 for one in norms],
            "error_max": [one.greatest for one in norms],
        }
    return {
        name: ("time", np.array(values), {"long_name": SERIES[name][0], "units": SERIES[name][1]})
        for name, values in columns.items()
    }


def times(simulation: ClimateSimulation) -> xr.Variable:
    """When fields are kept: hours since the start."""
    hours = np.arange(simulation.request.records, dtype=float) * simulation.request.interval
    attributes = {
        "standard_name": "time",
        "long_name": "time",
        "axis": "T",
        "units": f"hours since {store.EPOCH}",
        "calendar": CALENDAR,
    }
    return xr.Variable("time", hours, attributes)


def described(made: xr.Dataset, simulation: ClimateSimulation, run: str, packages: str) -> xr.Dataset:
    """The dataset with what CF wants to know of it as a whole."""
    return store.described(
        made,
        title=f"{simulation.request.case} at {simulation.request.resolution}, {simulation.request.length:g} days",
        source=SOURCE,
        history=f"climate-simulation, run {run}",
        references=REFERENCES,
        comment=f"request: {json.dumps(simulation.request.identity(), sort_keys=True)}; sphere of {RADIUS:g} m; versions: {packages}",
    )


def without_fill(made: xr.Dataset) -> xr.Dataset:
    """Nothing is missing in what is stored."""
    for variable in made.variables.values():
        variable.encoding["_FillValue"] = None
    return made


def geometry(tiling: Tiling) -> xr.Dataset:
    """Longitude and latitude of cells (panel, y, x) and of their corners, and the axes of panels."""
    corner = np.tan(np.arange(tiling.cells + 1) * tiling.spacing - np.pi / 4)
    panels, tangents = np.arange(6), np.broadcast_to(corner, (6, tiling.cells + 1))
    lon, lat = _degrees(metric(Tiling(tiling.cells), panels).position)
    corners = _degrees(positions(panels, tangents[:, None, :], tangents[:, :, None]))
    around = [_cells(one) for one in corners]
    # A corner at a pole has no longitude of its own, and none may be over the date line from its cell's centre.
    pole = np.abs(around[1]) > 90 - 1e-9
    around[0] = np.where(pole, lon[..., None], around[0])
    around[0] += 360 * np.round((lon[..., None] - around[0]) / 360)
    angle = np.degrees((np.arange(tiling.cells) + 0.5) * tiling.spacing - np.pi / 4)
    made = xr.Dataset(
        {
            "lat_bnds": (("panel", "y", "x", "vertices"), around[1]),
            "lon_bnds": (("panel", "y", "x", "vertices"), around[0]),
        }
    )
    return made.assign_coords(
        panel=("panel", panels.astype("i4"), {"long_name": "face of the cube", "units": "1"}),
        y=("y", angle, {"long_name": "second angle of the panel", "units": "degree"}),
        x=("x", angle, {"long_name": "first angle of the panel", "units": "degree"}),
        lat=(("panel", "y", "x"), lat, {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", "bounds": "lat_bnds"}),
        lon=(("panel", "y", "x"), lon, {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east", "bounds": "lon_bnds"}),
    )  # fmt: skip


def _degrees(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    longitude, latitude = longitude_latitude(position)
    return np.degrees(longitude), np.degrees(latitude)


def _cells(corners: np.ndarray) -> np.ndarray:
    """The four corners of each cell, counter-clockwise: (6, n + 1, n + 1) -> (6, n, n, 4)."""
    return np.stack((corners[:, :-1, :-1], corners[:, :-1, 1:], corners[:, 1:, 1:], corners[:, 1:, :-1]), axis=-1)
