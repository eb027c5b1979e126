"""What an ensemble of climates says together: quantiles, which parameter matters, and all of it as a CF dataset."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr
from scipy.stats import rankdata

from domains.climate import ebm, store
from domains.climate.ensemble_check import ClimateEnsemble
from domains.climate.ensemble_request import PARAMETERS

LEVELS = (0.05, 0.17, 0.5, 0.83, 0.95)  # ends of the "very likely" and the "likely" range, and the median


class Figure(NamedTuple):
    """A figure of a member: what it is, and its unit."""

    title: str
    title_zh: str
    unit: str


FIGURES: Mapping[str, Figure] = {
    "ecs": Figure(
        "equilibrium climate sensitivity: warming at twice the CO2", "平衡气候敏感度：CO2 加倍后的最终升温", "K"
    ),
    "tcr": Figure(
        "transient climate response: mean warming of years 61 to 80", "瞬态气候响应：第 61–80 年平均升温", "K"
    ),
    "control_mean": Figure("unperturbed global mean surface temperature", "未扰动全球平均地表温度", "degC"),
    "ice_edge": Figure("latitude of the ice edge, unperturbed", "未扰动冰缘纬度", "degree"),
    "polar_amplification": Figure(
        "polar amplification: warming poleward of 60 degrees over that of the globe",
        "极地放大：60° 以外升温与全球升温之比",
        "1",
    ),
}


def quantiles(values: np.ndarray) -> np.ndarray:
    """Quantiles of members (m, ...) at LEVELS: (levels, ...)."""
    return np.asarray(np.quantile(values, LEVELS, axis=0))


def stacked(column: pa.ChunkedArray) -> np.ndarray:
    """A column of lists of one length as (m, length)."""
    return np.asarray(column.combine_chunks().flatten().to_numpy()).reshape(len(column), -1)


def importance(members: pa.Table, varied: list[str], figure: str) -> dict[str, float]:
    """Each parameter's share of a figure's spread: its squared standardised rank regression coefficient.

    Shares add up to about the explained variance where parameters are independent (Saltelli et al., Global Sensitivity
    Analysis, 2008, section 1.2.5). Empty where members are too few to tell.
    """
    if len(members) <= len(varied) + 1 or not varied:
        return {}
    ranks = np.stack([_standard(members[name].to_numpy()) for name in varied], axis=1)
    slopes, *_ = np.linalg.lstsq(ranks, _standard(members[figure].to_numpy()), rcond=None)
    return {name: float(slope**2) for name, slope in zip(varied, slopes, strict=True)}


def _standard(values: np.ndarray) -> np.ndarray:
    ranks = rankdata(values)
    return np.asarray((ranks - ranks.mean()) / (ranks.std() or 1.0))


def dataset(ensemble: ClimateEnsemble, members: pa.Table, run: str, packages: str) -> xr.Dataset:
    """All members that ended well, by CF-1.11: parameters, figures, warming by year, temperatures by latitude."""
    request = ensemble.request
    made = _coordinates(members, request.years)
    made["warming"] = (
        ("realization", "time"), stacked(members["warming"]),
        {"long_name": f"warming of the global mean in {request.scenario}", "units": "K", "units_metadata": "temperature: difference",
         "cell_methods": "area: time: mean"},
    )  # fmt: skip
    for name, words in (("control", "unperturbed"), ("doubled", "steady at twice the CO2")):
        attributes = {
            "standard_name": "surface_temperature",
            "long_name": f"surface temperature, {words}",
            "units": "degC",
        }
        made[f"temperature_{name}"] = (
            ("realization", "lat"), stacked(members[name]), {**attributes, "units_metadata": "temperature: on_scale", "cell_methods": "lat: mean"},
        )  # fmt: skip
    for name, figure in FIGURES.items():
        if members[name].null_count == 0:
            made[name] = (
                "realization",
                members[name].to_numpy(),
                {"long_name": figure.title, **_units(figure.unit)},
            )
    for name, known in PARAMETERS.items():
        attributes = {"long_name": known.title, **_units(known.unit), "comment": known.source}
        made[f"parameter_{name}"] = ("realization", members[name].to_numpy(), attributes)
    return store.described(
        _plain(made),
        title=f"Perturbed-parameter ensemble of a diffusive energy-balance model, {request.scenario}",
        source="one-dimensional diffusive energy-balance model after North (1975) with a deep ocean after Geoffroy et al. (2013)",
        history=f"climate-ensemble, run {run}",
        references="North, J. Atmos. Sci. 32, 2033 (1975); Geoffroy et al., J. Climate 26, 1841 (2013)",
        comment=f"request: {json.dumps(request.identity(), sort_keys=True)}; versions: {packages}",
    )


def _units(unit: str) -> dict[str, str]:
    """A unit, and for temperatures whether they are differences, as CF-1.11 asks."""
    if unit == "degC":
        return {"units": unit, "units_metadata": "temperature: on_scale"}
    return {"units": unit, "units_metadata": "temperature: difference"} if "K" in unit else {"units": unit}


def _coordinates(members: pa.Table, years: int) -> xr.Dataset:
    sphere = ebm.bands()
    edges = np.degrees(np.arcsin(np.linspace(-1, 1, len(sphere.sine) + 1)))
    found = store.yearly(years)
    realization: dict[str, Any] = {"standard_name": "realization", "long_name": "number of the member", "units": "1"}
    latitude = {
        "standard_name": "latitude",
        "long_name": "latitude",
        "units": "degrees_north",
        "axis": "Y",
        "bounds": "lat_bnds",
    }
    return found.assign_coords(
        realization=("realization", members["id"].to_numpy().astype("i4"), realization),
        lat=("lat", sphere.latitude, latitude),
        lat_bnds=(("lat", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)),
    )


def _plain(found: xr.Dataset) -> xr.Dataset:
    """Without fill values: nothing is missing in what is stored."""
    plain = found.reset_coords(["time_bnds", "lat_bnds"])
    for variable in plain.variables.values():
        variable.encoding["_FillValue"] = None
    return plain
