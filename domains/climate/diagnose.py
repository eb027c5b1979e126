"""What fields over time say: climatology, anomalies, quantiles, extremes and their return levels, leading patterns (EOFs).

In and out go xarray DataArrays by CF: what is asked of them is read from their attributes, and what comes out says what was
done in ``cell_methods``. ``known`` is the way in: it refuses what has another unit or a time that cannot be read.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import gamma

from domains.errors import InvalidRequest, closest

DAY = 86400.0
LN2 = float(np.log(2.0))
# What each unit times a factor plus an offset is in the unit of its kind.
UNITS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "K": {
        "K": (1, 0), "kelvin": (1, 0), "degC": (1, 273.15), "degrees_celsius": (1, 273.15), "celsius": (1, 273.15), "°C": (1, 273.15),
        "degF": (5 / 9, 459.67 * 5 / 9),
    },
    "mm day-1": {
        "mm day-1": (1, 0), "mm/day": (1, 0), "mm d-1": (1, 0), "mm/d": (1, 0), "kg m-2 s-1": (DAY, 0), "kg/m2/s": (DAY, 0), "mm s-1": (DAY, 0),
        "kg m-2 day-1": (1, 0), "m s-1": (1000 * DAY, 0), "m day-1": (1000, 0),
    },
    "W m-2": {"W m-2": (1, 0), "W/m2": (1, 0), "W m**-2": (1, 0)},
    "Pa": {"Pa": (1, 0), "hPa": (100, 0), "mbar": (100, 0)},
}  # fmt: skip
CALENDARS = (
    "standard",
    "gregorian",
    "proleptic_gregorian",
    "noleap",
    "365_day",
    "all_leap",
    "366_day",
    "360_day",
    "julian",
)


def known(dataset: xr.Dataset, name: str, unit: str, source: str) -> xr.DataArray:
    """A variable over ``time``, in a unit of UNITS; raises InvalidRequest that names the source and what is wrong."""
    if name not in dataset:
        near = closest(name, [str(one) for one in dataset.data_vars]) or [str(one) for one in dataset.data_vars]
        raise InvalidRequest(source, name, "no such variable in it", ", ".join(near) or "none is there")
    data = dataset[name]
    given = str(data.attrs.get("units", ""))
    if given not in UNITS[unit]:
        said = f"{name} has units {given!r}" if given else f"{name} has no units"
        raise InvalidRequest(source, name, said, ", ".join(UNITS[unit]))
    dated(data, source)
    factor, offset = UNITS[unit][given]
    made = data if (factor, offset) == (1, 0) else data * factor + offset
    return made.assign_attrs({**data.attrs, "units": unit})


def dated(data: xr.DataArray, source: str) -> str:
    """The calendar of its time, which must rise and be decoded; raises InvalidRequest."""
    if "time" not in data.dims:
        raise InvalidRequest(
            source, data.name, f"has no time; its dimensions are {', '.join(map(str, data.dims))}", "time"
        )
    time = data["time"]
    try:
        calendar = str(time.dt.calendar)
    except (AttributeError, TypeError):
        units = time.attrs.get("units", "none")
        problem = f"its time is no date (units {units!r}, calendar {time.attrs.get('calendar', 'none')!r})"
        raise InvalidRequest(source, data.name, problem, f"'days since ...' in one of {', '.join(CALENDARS)}") from None
    if not time.indexes["time"].is_monotonic_increasing or not time.indexes["time"].is_unique:
        raise InvalidRequest(
            source, data.name, "its times do not rise, or one is there twice", "each time once, in order"
        )
    return calendar


def daily(data: xr.DataArray, source: str) -> None:
    """Refuse data that are not a value for every day."""
    time = data["time"]
    if len(time) < 2:
        raise InvalidRequest(source, data.name, f"{len(time)} times", "a value for each day")
    steps = np.diff(time.values)
    seconds = (
        np.array([step.total_seconds() for step in steps]) if steps.dtype == object else steps / np.timedelta64(1, "s")
    )
    if abs(np.median(seconds) - DAY) > 1:
        raise InvalidRequest(
            source, data.name, f"a value every {np.median(seconds) / DAY:.3g} days", "a value for each day"
        )


def climatology(data: xr.DataArray) -> xr.DataArray:
    """The mean of each calendar month over all years (month, ...)."""
    made = data.groupby("time.month").mean("time", keep_attrs=True)
    return _noted(made, "time: mean within months time: mean over years")


def anomalies(data: xr.DataArray, normal: xr.DataArray | None = None) -> xr.DataArray:
    """Differences to the climatology of the month, by default its own."""
    normal = climatology(data) if normal is None else normal
    made = (data.groupby("time.month") - normal).drop_vars("month")
    more = {"units_metadata": "temperature: difference"} if data.attrs.get("units") == "K" else {}
    return made.assign_attrs(
        {**data.attrs, **more, "long_name": f"anomaly of {data.attrs.get('long_name', data.name)}"}
    )


def quantiles(data: xr.DataArray, levels: Sequence[float]) -> xr.DataArray:
    """Quantiles over time (quantile, ...)."""
    made = data.quantile(list(levels), "time", keep_attrs=True)
    made["quantile"].attrs = {"long_name": "quantile", "units": "1"}
    return _noted(made, None)


def annual_maxima(data: xr.DataArray) -> xr.DataArray:
    """The largest value of each year (year, ...)."""
    return _noted(data.groupby("time.year").max("time", keep_attrs=True), "time: maximum within years")


def _noted(made: xr.DataArray, method: str | None) -> xr.DataArray:
    return made.assign_attrs({**made.attrs, **({"cell_methods": method} if method else {})})


class Gev(NamedTuple):
    """Generalised extreme value distributions: location, scale (both in the data's unit) and shape (Hosking's k, > 0: bounded)."""

    location: np.ndarray
    scale: np.ndarray
    shape: np.ndarray

    def level(self, years: float) -> np.ndarray:
        """What is passed once in so many years on average."""
        reduced = -np.log(-np.log1p(-1 / years))
        k = np.where(np.abs(self.shape) < 1e-6, 1e-6, self.shape)
        return np.asarray(self.location + self.scale * -np.expm1(-k * reduced) / k)


def fitted(maxima: np.ndarray) -> Gev:
    """Distributions of maxima (years, ...) by their L-moments; shape by Hosking's approximation (error below 9e-4).

    Hosking, Wallis and Wood, Technometrics 27 (1985) 251. Needs at least 3 years; NaN where all are equal.
    """
    ordered, n = np.sort(maxima, axis=0), len(maxima)
    rank = np.arange(n).reshape(-1, *[1] * (maxima.ndim - 1))
    b0 = ordered.mean(axis=0)
    b1 = (rank * ordered).sum(axis=0) / (n * (n - 1))
    b2 = (rank * (rank - 1) * ordered).sum(axis=0) / (n * (n - 1) * (n - 2))
    second, third = 2 * b1 - b0, 6 * b2 - 6 * b1 + b0
    with np.errstate(invalid="ignore", divide="ignore"):
        c = 2 / (3 + third / second) - LN2 / np.log(3)
        k = 7.8590 * c + 2.9554 * c * c
        k = np.where(np.abs(k) < 1e-6, 1e-6, k)
        scale = second * k / (-np.expm1(-k * LN2) * gamma(1 + k))
        return Gev(b0 - scale * (1 - gamma(1 + k)) / k, scale, k)


def return_levels(maxima: xr.DataArray, years: Sequence[float]) -> xr.DataArray:
    """What annual maxima (year, ...) pass once in so many years (return_period, ...)."""
    if maxima.sizes["year"] < 10:
        raise InvalidRequest("years of data", maxima.sizes["year"], "too few for return levels", "at least 10")
    found = fitted(maxima.transpose("year", ...).values)
    rest = maxima.isel(year=0, drop=True)
    period = xr.Variable("return_period", np.asarray(years, float), {"long_name": "return period", "units": "year"})
    levels = np.stack([found.level(one) for one in years])
    coords = {**rest.coords, "return_period": period}
    return xr.DataArray(
        levels,
        coords,
        ("return_period", *rest.dims),
        attrs={**maxima.attrs, "cell_methods": "time: maximum within years"},
    )


class Patterns(NamedTuple):
    """Leading patterns of anomalies: each with a mean square of 1 over area, its series in the data's unit, its share of the variance."""

    patterns: xr.DataArray  # (mode, lat, lon)
    series: xr.DataArray  # (mode, time)
    shares: xr.DataArray  # (mode,)


def eof(data: xr.DataArray, modes: int = 3) -> Patterns:
    """Empirical orthogonal functions of anomalies over ``time``, ``lat`` and ``lon``, weighted with the area of the cells.

    Cells with a missing value are left out. The sign is such that a pattern's largest value is positive.
    """
    field = data.transpose("time", "lat", "lon")
    flat = field.values.reshape(len(field["time"]), -1).astype(float)
    whole = np.isfinite(flat).all(axis=0)
    weight = np.broadcast_to(np.cos(np.radians(field["lat"].values))[:, None], field.shape[1:]).ravel()[whole]
    root = np.sqrt(weight / weight.sum())
    centred = (flat[:, whole] - flat[:, whole].mean(axis=0)) * root
    left, size, right = np.linalg.svd(centred, full_matrices=False)
    found = right[:modes] / root
    sign = np.sign(np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], 1))
    patterns = np.full((len(found), len(whole)), np.nan)
    patterns[:, whole] = found * sign
    mode = ("mode", np.arange(1, len(found) + 1))
    shape = len(found), *field.shape[1:]
    return Patterns(
        xr.DataArray(patterns.reshape(shape), {"mode": mode, "lat": field["lat"], "lon": field["lon"]}, ("mode", "lat", "lon"), attrs={"units": "1"}),
        xr.DataArray((left * size).T[:modes] * sign, {"mode": mode, "time": field["time"]}, ("mode", "time"), attrs={"units": str(data.attrs.get("units", "1"))}),
        xr.DataArray((size**2 / (size**2).sum())[:modes], {"mode": mode}, ("mode",), attrs={"units": "1"}),
    )  # fmt: skip
