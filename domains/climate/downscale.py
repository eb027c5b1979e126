"""Quantile delta mapping, the trivial corrections beside it, climate indices, and errors on years that were held out.

Arrays are (days, cells). Additive for temperatures, multiplicative for precipitation (Cannon et al., J. Climate 28 (2015) 6938):
each day's quantile in its own period, and what reference and model differ by at that quantile in the years of training. The
change of each quantile that the model projects is kept. All of it month by month.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

NODES = 50
LEVELS = np.linspace(0.05, 0.95, 19)  # quantiles that errors are counted over
TRACE = 0.05  # mm/day; less is dry
WET = 1.0  # mm/day of a wet day: ETCCDI
FREEZING, SUMMER = 273.15, 298.15  # K
MEASURES = ("mean", "quantiles", "maximum")
METHODS = ("interpolation", "mean", "qdm")


class Variable(NamedTuple):
    """A variable that can be downscaled: how, and in which unit."""

    title: str
    title_zh: str
    standard_name: str
    unit: str
    additive: bool
    cell_method: str


VARIABLES: Mapping[str, Variable] = {
    "tas": Variable("near-surface air temperature", "近地面气温", "air_temperature", "K", True, "time: mean"),
    "tasmax": Variable("daily maximum temperature", "日最高气温", "air_temperature", "K", True, "time: maximum"),
    "tasmin": Variable("daily minimum temperature", "日最低气温", "air_temperature", "K", True, "time: minimum"),
    "pr": Variable("precipitation", "降水", "lwe_precipitation_rate", "mm day-1", False, "time: mean"),
}


class Index(NamedTuple):
    """An index of a year, of days (d, cells)."""

    title: str
    title_zh: str
    unit: str
    of: Callable[[np.ndarray], np.ndarray]


_WARMEST = Index("warmest day", "最暖日", "K", lambda days: days.max(axis=0))
_COLDEST = Index("coldest day", "最冷日", "K", lambda days: days.min(axis=0))
_FROST = Index("days below 0 °C", "0°C 以下日数", "day", lambda days: (days < FREEZING).sum(axis=0))
_WARM = Index("days above 25 °C", "25°C 以上日数", "day", lambda days: (days > SUMMER).sum(axis=0))
INDICES: Mapping[str, Mapping[str, Index]] = {
    "tas": {"warmest_day": _WARMEST, "coldest_day": _COLDEST, "days_below_0": _FROST, "days_above_25": _WARM},
    "tasmax": {"txx": _WARMEST, "summer_days": _WARM, "ice_days": _FROST},
    "tasmin": {"tnn": _COLDEST, "frost_days": _FROST},
    "pr": {
        "total": Index("total precipitation", "总降水量", "mm", lambda days: days.sum(axis=0)),
        "wet_days": Index("days of 1 mm and more", "日降水 ≥1 mm 日数", "day", lambda days: (days >= WET).sum(axis=0)),
        "rx1day": Index("wettest day", "最大日降水", "mm", lambda days: days.max(axis=0)),
    },
}


def quantile_delta_mapping(
    reference: np.ndarray, historical: np.ndarray, simulated: np.ndarray, additive: bool
) -> np.ndarray:
    """Correct a model's days: reference and model in training, and the days to correct, ranked among themselves.

    As in xsdba 0.7, to rounding: ``nquantiles`` of NODES, ``interp="linear"``, ``extrapolation="constant"``, no grouping.
    """
    nodes = (np.arange(NODES) + 0.5) / NODES
    wanted, had = np.quantile(reference, nodes, axis=0), np.quantile(historical, nodes, axis=0)
    factor = wanted - had if additive else _ratio(wanted, had)
    at = np.clip(_percentiles(simulated) * NODES - 0.5, 0, NODES - 1)
    low = np.minimum(at.astype(int), NODES - 2)
    below, above = np.take_along_axis(factor, low, 0), np.take_along_axis(factor, low + 1, 0)
    correction = below + (at - low) * (above - below)
    if additive:
        return np.asarray(simulated + correction)
    corrected = simulated * correction
    return np.where(corrected < TRACE, 0.0, corrected)


def _ratio(wanted: np.ndarray, had: np.ndarray) -> np.ndarray:
    """Factors; 1 where the model is dry, as there is nothing to multiply."""
    return np.where(had < TRACE, 1.0, wanted / np.maximum(had, TRACE))


def _percentiles(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 up; equal values share theirs. Where all are equal: the middle."""
    rank = rankdata(values, axis=0) / len(values)
    low, high = rank.min(axis=0), rank.max(axis=0)
    same = high == low
    return np.where(same, 0.5, high * (rank - low) / np.where(same, 1.0, high - low))


def mean_correction(reference: np.ndarray, historical: np.ndarray, simulated: np.ndarray, additive: bool) -> np.ndarray:
    """What people do first: move, or stretch, by the difference of the means."""
    wanted, had = reference.mean(axis=0), historical.mean(axis=0)
    return np.asarray(simulated + (wanted - had) if additive else simulated * _ratio(wanted, had))


Correction = Callable[[np.ndarray, np.ndarray, np.ndarray, bool], np.ndarray]


def by_month(
    correct: Correction,
    reference: tuple[np.ndarray, np.ndarray],
    model: tuple[np.ndarray, np.ndarray],
    training: np.ndarray,
    periods: Sequence[np.ndarray],
    additive: bool,
) -> np.ndarray:
    """Correct each period of a model month by month.

    ``reference`` and ``model`` are days (d, cells) with their months (d,); the reference's are those of training. ``training``
    and each of ``periods`` mark days of the model (d,); periods cover all of them.
    """
    made = np.empty_like(model[0])
    for month in range(1, 13):
        mine = model[1] == month
        wanted, had = reference[0][reference[1] == month], model[0][mine & training]
        for period in periods:
            days = mine & period
            if days.any():
                made[days] = correct(wanted, had, model[0][days], additive)
    return made


def errors(
    found: np.ndarray, observed: np.ndarray, found_years: np.ndarray, observed_years: np.ndarray
) -> dict[str, np.ndarray]:
    """Errors of days against observed days of the same years, by MEASURES, each (cells,) in the variable's unit.

    A model's weather is not that of the day: what is compared is the mean, the quantiles, and the mean annual maximum.
    """
    quantiles = [np.quantile(days, LEVELS, axis=0) for days in (found, observed)]
    maxima = [
        np.mean([days[years == year].max(axis=0) for year in np.unique(years)], axis=0)
        for days, years in ((found, found_years), (observed, observed_years))
    ]
    return {
        "mean": np.abs(found.mean(axis=0) - observed.mean(axis=0)),
        "quantiles": np.abs(quantiles[0] - quantiles[1]).mean(axis=0),
        "maximum": np.abs(maxima[0] - maxima[1]),
    }


def indices(variable: str, days: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Every index of every year: (indices, years, cells)."""
    each = [days[years == year] for year in np.unique(years)]
    return np.array([[index.of(one) for one in each] for index in INDICES[variable].values()], np.float32)
