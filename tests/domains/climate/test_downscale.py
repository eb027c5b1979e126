"""Quantile delta mapping against xsdba, corrections against what they promise, and a user's own files."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from domains.climate import downscale
from domains.climate.downscale_blocks import NO_OBSERVATIONS, SCORES, Block, BlockSettings
from domains.climate.downscale_check import check
from domains.climate.downscale_data import interpolated
from domains.climate.downscale_request import ClimateDownscalingRequest
from domains.errors import InvalidRequest

RECORDED = Path(__file__).parent / "data" / "qdm_xsdba_0.7.0.npz"


@pytest.mark.parametrize(("prefix", "additive"), [("", True), ("rain_", False)])
def test_it_is_what_xsdba_makes_of_the_same_days(prefix, additive):
    """Recorded with xsdba 0.7.0: QuantileDeltaMapping, 50 quantiles, group "time", linear, constant beyond the ends."""
    with np.load(RECORDED) as recorded:
        given = {name: recorded[f"{prefix}{name}"] for name in ("reference", "historical", "simulated", "adjusted")}
    found = downscale.quantile_delta_mapping(given["reference"], given["historical"], given["simulated"], additive)
    kept = found > 0 if not additive else np.ones(found.shape, bool)
    assert kept.mean() > 0.95
    assert abs(found - given["adjusted"])[kept].max() < 1e-4


def test_a_model_that_is_wrong_by_its_distribution_alone_is_put_right_and_its_change_kept():
    rng = np.random.default_rng(0)
    reference, historical = rng.normal(280, 4, (3000, 2)), rng.normal(283, 7, (3000, 2))
    same = downscale.quantile_delta_mapping(reference, historical, historical, additive=True)
    assert same.mean() == pytest.approx(reference.mean(), abs=0.05)
    assert same.std() == pytest.approx(reference.std(), rel=0.05)
    warmer = downscale.quantile_delta_mapping(reference, historical, historical + 3, additive=True)
    assert warmer == pytest.approx(same + 3)
    moved = downscale.mean_correction(reference, historical, historical, additive=True)
    assert moved.mean() == pytest.approx(reference.mean())
    assert moved.std() == pytest.approx(historical.std(), rel=0.01)


def test_rain_is_never_negative_and_dry_models_are_not_divided_by():
    rng = np.random.default_rng(1)
    reference = rng.gamma(0.5, 6, (1000, 3)) * (rng.random((1000, 3)) < 0.4)
    historical = rng.gamma(0.5, 6, (1000, 3)) * (rng.random((1000, 3)) < 0.7)
    historical[:, 2] = 0
    found = downscale.quantile_delta_mapping(reference, historical, historical, additive=False)
    assert np.isfinite(found).all()
    assert found.min() == 0
    wet = (found[:, :2] > downscale.WET).mean(), (reference[:, :2] > downscale.WET).mean()
    assert wet[0] == pytest.approx(wet[1], abs=0.03)


def field(lat, lon, days=1):
    values = 280 - 0.5 * np.array(lat)[:, None] + 0.1 * np.array(lon)
    return xr.DataArray(
        np.stack([values] * days), {"time": np.arange(days), "lat": lat, "lon": lon}, ("time", "lat", "lon")
    )


def test_interpolation_is_exact_for_straight_fields_and_goes_around_the_globe():
    region = field(np.arange(30.0, 50, 2), np.arange(-6.0, 20, 2))
    lat, lon = np.array([31.5, 40.0, 44.25]), np.array([-1.5, 0.0, 12.25])
    assert interpolated(region, lat, lon)[0].reshape(3, 3) == pytest.approx(280 - 0.5 * lat[:, None] + 0.1 * lon)
    # The same region asked for from 0 to 360.
    assert interpolated(region, lat, lon % 360)[0].reshape(3, 3) == pytest.approx(280 - 0.5 * lat[:, None] + 0.1 * lon)
    globe = field([-45.0, 45.0], np.arange(0.0, 360, 90)) * 0 + np.array([0.0, 1, 2, 1])
    assert interpolated(globe, np.array([0.0]), np.array([315.0, -45.0, 45.0])).ravel() == pytest.approx(
        [0.5, 0.5, 0.5]
    )
    # Beyond the last centre of a region: the last value.
    assert interpolated(region, np.array([29.2]), np.array([0.0]))[0] == pytest.approx(280 - 15)


def dated(values, first, lat, lon, units="K", name="tas", calendar="noleap"):
    time = xr.date_range(f"{first}-01-01", periods=len(values), calendar=calendar, use_cftime=True)
    coords = {
        "time": time,
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
    }
    return xr.Dataset({name: xr.DataArray(values, coords, ("time", "lat", "lon"), attrs={"units": units})})


def weather(years, rows, columns, seed, mean, spread):
    rng = np.random.default_rng(seed)
    season = 10 * np.sin(2 * np.pi * np.arange(365 * years) / 365)
    return (mean + season[:, None, None] + spread * rng.normal(size=(365 * years, rows, columns))).astype("f4")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A coarse model of 16 years with too much spread, in degC on falling latitudes, and fine observations with a hole, as Zarr."""
    folder = tmp_path_factory.mktemp("files")
    model = dated(weather(16, 3, 4, 1, 15, 6), 2001, [50.0, 48.0, 46.0], [0.0, 2.0, 4.0, 6.0], units="degC")
    model.rename(lat="latitude", lon="longitude").to_netcdf(folder / "model.nc", engine="h5netcdf")
    values = weather(10, 6, 8, 2, 283, 3)
    values[:, 0, 0] = np.nan
    observed = dated(values, 2003, 46.5 + 0.5 * np.arange(6), 0.5 + 0.5 * np.arange(8))
    observed.to_zarr(folder / "observed.zarr", zarr_format=3, consolidated=False)
    return folder


def asked(files, **changed):
    paths = {"model": str(files / "model.nc"), "observations": str(files / "observed.zarr"), "held_out": 3}
    return ClimateDownscalingRequest.model_validate({**paths, **changed})


def engine(checked):
    r = checked.request
    return Block(
        BlockSettings(
            model=r.model, observations=r.observations, fingerprints=checked.facts, variable=r.variable, seed=r.seed,
            training=checked.training, held_out=checked.held_out,
        )
    )  # fmt: skip


def test_a_users_own_files_go_through_whatever_their_units_order_and_format(files):
    checked = check(asked(files))
    assert checked.training == tuple(range(2003, 2010))
    assert checked.held_out == (2010, 2011, 2012)
    assert len(checked.facts["model"]) == 64
    rows = checked.rows.to_pylist()
    assert sum((row["north"] - row["south"]) * (row["east"] - row["west"]) for row in rows) == 48
    made = engine(checked)(rows[0])
    assert made["outcome"] == "ok"
    assert made["cells"] == 47
    days = made["days"].reshape(16 * 365, 48)
    assert np.isnan(days[:, 0]).all()
    assert np.isfinite(days[:, 1:]).all()
    assert set(made) >= set(SCORES)
    quantiles = {name: np.nanmean(made[f"quantiles_{name}"]) for name in downscale.METHODS}
    assert quantiles["qdm"] < 0.9 * quantiles["mean"] < quantiles["interpolation"]
    assert np.nanmean(made["maximum_qdm"]) < 0.7 * np.nanmean(made["maximum_mean"])
    assert made["indices"].shape == (4 * 16 * 48,)


def test_a_block_is_the_same_alone_and_as_part_of_a_larger_one(files):
    checked = check(asked(files))
    block = engine(checked)
    whole = block({"south": 0, "north": 6, "west": 0, "east": 8})["days"].reshape(-1, 6, 8)
    part = block({"south": 2, "north": 4, "west": 3, "east": 5})["days"].reshape(-1, 2, 2)
    assert (part == whole[:, 2:4, 3:5]).all()
    hole = block({"south": 0, "north": 1, "west": 0, "east": 1})
    assert hole["outcome"] == NO_OBSERVATIONS
    assert "none of 1 cells" in hole["reason"]


def test_held_out_years_do_not_reach_the_training(files, tmp_path):
    """Change the observations of the years held out: not a day of the result may change."""
    observed = xr.open_zarr(files / "observed.zarr", consolidated=False).load()
    late = observed["time"].dt.year >= 2010
    observed["tas"] = observed["tas"].where(~late, observed["tas"] + 20)
    observed.drop_encoding().to_zarr(tmp_path / "observed.zarr", zarr_format=3, consolidated=False)
    row = {"south": 0, "north": 3, "west": 0, "east": 3}
    one = engine(check(asked(files)))(row)
    other = engine(check(asked(files, observations=str(tmp_path / "observed.zarr"))))(row)
    assert np.array_equal(one["days"], other["days"], equal_nan=True)
    assert np.nanmean(other["mean_qdm"]) == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "/nowhere/model.nc"}, ["model", "/nowhere/model.nc", "no such file"]),
        ({"variable": "tasmax"}, ["model", "tasmax", "no such variable", "tas"]),
        ({"held_out": 8}, ["held_out", "8", "leaves 2 years", "1 to 5"]),
    ],
)
def test_a_mistake_gets_one_clear_error(files, changed, said):
    with pytest.raises(InvalidRequest) as caught:
        check(asked(files, **changed))
    for word in said:
        assert word in str(caught.value)


def test_files_that_do_not_fit_are_refused(files, tmp_path):
    (tmp_path / "bad.nc").write_text("no NetCDF")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        check(asked(files, model=str(tmp_path / "bad.nc")))
    dated(weather(10, 2, 2, 3, 283, 3), 1950, [47.0, 48.0], [1.0, 2.0]).to_netcdf(
        tmp_path / "early.nc", engine="h5netcdf"
    )
    with pytest.raises(
        InvalidRequest, match="0 whole years in common .model: 2001 to 2016; observations: 1950 to 1959"
    ):
        check(asked(files, observations=str(tmp_path / "early.nc")))
    dated(weather(10, 2, 2, 3, 283, 3), 2003, [47.0, 80.0], [1.0, 2.0]).to_netcdf(
        tmp_path / "north.nc", engine="h5netcdf"
    )
    with pytest.raises(InvalidRequest, match="reach beyond the model's grid"):
        check(asked(files, observations=str(tmp_path / "north.nc")))
    bad = dated(weather(1, 2, 2, 3, 283, 3), 2003, [47.0, 48.0], [1.0, 2.0])
    bad["time"] = ("time", np.arange(365), {"units": "days since 2000-01-01", "calendar": "moon"})
    bad.to_netcdf(tmp_path / "moon.nc", engine="h5netcdf")
    with pytest.raises(InvalidRequest, match="calendar"):
        check(asked(files, observations=str(tmp_path / "moon.nc")))


def test_made_up_data_go_together_and_are_temperatures():
    for given in ({"model": "/a.nc"}, {"variable": "pr"}):
        with pytest.raises(ValidationError, match="made-up data"):
            ClimateDownscalingRequest.model_validate(given)
    assert ClimateDownscalingRequest().synthetic
