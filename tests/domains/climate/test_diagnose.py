"""Diagnostics against what is known of made-up series, and against SciPy's own distribution."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import genextreme

from domains.climate import diagnose
from domains.errors import InvalidRequest


def days(years, calendar="noleap"):
    return xr.date_range(
        "2001-01-01", periods=years * (360 if calendar == "360_day" else 365), calendar=calendar, use_cftime=True
    )


@pytest.fixture
def warm():
    """Three years over four cells: a seasonal cycle and noise."""
    time = days(3)
    season = 10 * np.cos(2 * np.pi * np.arange(len(time)) / 365)
    values = 280 + season[:, None, None] + np.random.default_rng(3).normal(size=(len(time), 2, 2))
    return xr.DataArray(
        values, {"time": time, "lat": [-45.0, 45.0], "lon": [0.0, 90.0]}, ("time", "lat", "lon"), "tas", {"units": "K"}
    )


def test_the_climatology_is_the_mean_of_the_months_and_anomalies_have_none(warm):
    normal = diagnose.climatology(warm)
    assert normal.sizes == {"month": 12, "lat": 2, "lon": 2}
    january = warm.values.reshape(3, 365, 2, 2)[:, :31].mean((0, 1))
    assert normal.sel(month=1).values == pytest.approx(january)
    assert abs(diagnose.climatology(diagnose.anomalies(warm))).max() < 1e-10
    assert diagnose.anomalies(warm).attrs["units"] == "K"


def test_quantiles_and_annual_maxima(warm):
    low, high = diagnose.quantiles(warm, [0.1, 0.9])
    assert low.values == pytest.approx(np.quantile(warm.values, 0.1, axis=0))
    assert (high > low).all()
    maxima = diagnose.annual_maxima(warm)
    assert maxima.values == pytest.approx(warm.values.reshape(3, 365, 2, 2).max(1))
    assert maxima.attrs == {"units": "K", "cell_methods": "time: maximum within years"}


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.25])
def test_return_levels_are_those_of_the_distribution_that_made_them(shape):
    made = genextreme.rvs(shape, loc=30, scale=4, size=(20_000, 3), random_state=7)
    found = diagnose.fitted(made)
    assert found.shape == pytest.approx(shape, abs=0.02)
    exact = genextreme.isf(1 / 100, shape, loc=30, scale=4)
    assert found.level(100) == pytest.approx(exact, rel=0.02)


def test_return_levels_want_ten_years(warm):
    with pytest.raises(InvalidRequest, match="at least 10"):
        diagnose.return_levels(diagnose.annual_maxima(warm), [50])
    maxima = xr.DataArray(genextreme.rvs(0.1, size=(40, 2), random_state=1), dims=("year", "lat"), attrs={"units": "K"})
    levels = diagnose.return_levels(maxima, [2, 20, 200])
    assert levels.dims == ("return_period", "lat")
    assert (levels.diff("return_period") > 0).all()


def test_eofs_find_the_patterns_that_were_put_in():
    rng = np.random.default_rng(5)
    lat, lon = np.linspace(-80, 80, 17), np.arange(0, 360, 20.0)
    one = np.cos(np.radians(lat))[:, None] * np.sin(np.radians(lon))
    other = np.sin(2 * np.radians(lat))[:, None] * np.cos(2 * np.radians(lon))
    series = rng.normal(size=(2, 400)) * [[5], [2]]
    values = series[0][:, None, None] * one + series[1][:, None, None] * other + 0.01 * rng.normal(size=(400, 17, 18))
    values[0, 0, 0] = np.nan
    data = xr.DataArray(
        values, {"time": np.arange(400), "lat": lat, "lon": lon}, ("time", "lat", "lon"), attrs={"units": "K"}
    )
    found = diagnose.eof(data, 2)
    for at, pattern in enumerate((one, other)):
        mine = found.patterns[at].values
        assert abs(np.corrcoef(mine[1:].ravel(), pattern[1:].ravel())[0, 1]) > 0.999
        assert np.nanmax(mine) == np.nanmax(abs(mine))
        assert abs(np.corrcoef(found.series[at], series[at])[0, 1]) > 0.99
    assert np.isnan(found.patterns[0, 0, 0])
    assert 0.99 < found.shares.sum() <= 1


@pytest.mark.parametrize(
    ("units", "value", "wanted", "expected"),
    [
        ("degC", 7.0, "K", 280.15),
        ("degF", 32.0, "K", 273.15),
        ("kg m-2 s-1", 1 / 86400, "mm day-1", 1.0),
        ("hPa", 1000, "Pa", 1e5),
    ],
)
def test_units_of_a_kind_are_converted(units, value, wanted, expected):
    data = xr.DataArray([value] * 365, {"time": days(1)}, ("time",), attrs={"units": units})
    found = diagnose.known(xr.Dataset({"x": data}), "x", wanted, "model")
    assert found.values[0] == pytest.approx(expected)
    assert found.attrs["units"] == wanted


def test_what_cannot_be_used_gets_one_clear_error(warm):
    good = xr.Dataset({"tas": warm})
    for dataset, said in (
        (good.rename(tas="tos"), ["model", "tas", "no such variable", "tos"]),
        (xr.Dataset({"tas": warm.assign_attrs(units="m")}), ["units 'm'", "degC"]),
        (xr.Dataset({"tas": warm.drop_attrs()}), ["no units"]),
        (good.assign_coords(time=np.arange(len(warm))), ["no date", "days since", "360_day"]),
        (good.isel(time=slice(None, None, -1)), ["do not rise"]),
        (good.isel(time=0), ["no time"]),
    ):
        with pytest.raises(InvalidRequest) as caught:
            diagnose.known(dataset, "tas", "K", "model")
        for word in said:
            assert word in str(caught.value)
    with pytest.raises(InvalidRequest, match="every 30 days"):
        diagnose.daily(warm.isel(time=slice(None, None, 30)), "model")
    diagnose.daily(warm, "model")
