"""Regridding: constants stay, integrals stay, and what is not known counts for nothing."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.climate.grid import Tiling, longitude_latitude, metric
from domains.climate.regrid import LatLon, between, from_cubed_sphere, regridded
from domains.errors import InvalidRequest


@st.composite
def globes(draw):
    """Uneven grids of the whole globe that begin at any meridian."""
    rows, columns = draw(st.integers(2, 12)), draw(st.integers(2, 20))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))

    def uneven(count):
        return np.concatenate([[0.0], np.cumsum(random.uniform(0.05, 1.0, count))])

    lat, lon = uneven(rows), uneven(columns)
    first = draw(st.sampled_from([-540.0, -180.0, -0.3, 0.0, 17.0, 360.0]))
    return LatLon(np.clip(180 * lat / lat[-1] - 90, -90, 90), first + 360 * lon / lon[-1])


@settings(max_examples=60, deadline=None)
@given(globes(), globes(), st.integers(0, 10**6))
def test_between_grids_of_the_globe_constants_and_integrals_stay(source, target, seed):
    field = np.random.default_rng(seed).uniform(0.5, 1.5, (2, *source.shape))
    there = between(source, target)
    assert abs(there(np.ones(source.shape)) - 1).max() < 1e-12
    assert (there(field) * target.area).sum((1, 2)) == pytest.approx((field * source.area).sum((1, 2)), rel=1e-12)
    back = there.reversed()(there(field))
    assert (back * source.area).sum((1, 2)) == pytest.approx((field * source.area).sum((1, 2)), rel=1e-12)


def test_a_grid_onto_itself_is_the_same():
    grid = LatLon.regular(9, 14)
    field = np.random.default_rng(1).normal(size=grid.shape)
    assert between(grid, grid)(field) == pytest.approx(field, abs=1e-13)


def test_a_part_of_the_globe_has_values_only_where_there_are_some():
    region = LatLon(np.linspace(30, 40, 11), np.linspace(-5, 5, 11))
    found = between(region, LatLon.regular(18, 36))(np.full(region.shape, 7.0))
    # Cells of 10 degrees: 30 to 40 N, 350 to 360 E and 0 to 10 E.
    assert np.argwhere(np.isfinite(found)).tolist() == [[12, 0], [12, 35]]
    assert found[12, 0] == pytest.approx(7)


def test_what_is_not_known_counts_for_nothing():
    fine, coarse = LatLon.regular(4, 8), LatLon.regular(2, 4)
    field = np.full(fine.shape, 3.0)
    field[0, 0], field[2:, :2] = np.nan, np.nan
    found = between(fine, coarse)(field)
    assert found[0] == pytest.approx(3)
    assert np.isnan(found[1, 0])
    assert found[1, 1:] == pytest.approx(3)


@pytest.mark.parametrize(("cells", "tiles", "rows"), [(12, 1, 45), (16, 2, 90), (32, 1, 64), (24, 4, 16)])
def test_from_the_cubed_sphere_constants_and_the_models_mass_stay(cells, tiles, rows):
    tiling, target = Tiling(cells, tiles), LatLon.regular(rows, 2 * rows)
    geometry = metric(tiling, np.arange(tiling.count))
    there = from_cubed_sphere(tiling, target)
    field = np.random.default_rng(cells).uniform(0.5, 1.5, geometry.area.shape)
    # Weights of the target are its areas, to the common factor between the model's sphere and the exact one.
    mean = np.average(there(field), weights=target.area)
    assert mean == pytest.approx(np.average(field, weights=geometry.area), rel=1e-12)
    assert abs(there(np.ones(field.shape)) - 1).max() < 1e-12
    assert abs(there.reversed()(np.ones(target.shape)) - 1).max() < 1e-12
    back = np.average(there.reversed()(there(field)), weights=geometry.area)
    assert back == pytest.approx(mean, rel=1e-12)


def test_from_the_cubed_sphere_a_smooth_field_arrives_at_first_order():
    errors = []
    target = LatLon.regular(32, 64)
    latitude, longitude = np.radians(target.centres[0])[:, None], np.radians(target.centres[1])
    for cells in (16, 32, 64):
        tiling = Tiling(cells)
        lon, lat = longitude_latitude(metric(tiling, np.arange(6)).position)
        found = from_cubed_sphere(tiling, target)(np.sin(lat) ** 2 + np.cos(lat) * np.cos(lon))
        exact = np.sin(latitude) ** 2 + np.cos(latitude) * np.cos(longitude)
        errors.append(np.sqrt(np.average((found - exact) ** 2, weights=target.area)))
    assert errors[0] < 0.02
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < errors[0] / 3


def test_with_xarray_attributes_and_other_dimensions_stay():
    source, target = LatLon.regular(6, 12), LatLon.regular(3, 6)
    lat, lon = source.centres
    data = xr.DataArray(
        np.random.default_rng(2).normal(size=(6, 12, 2)),
        {"lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon), "time": ("time", [1, 2])},
        ("lat", "lon", "time"),
        attrs={"units": "K"},
    )
    found = regridded(data, source, target)
    assert found.dims == ("time", "lat", "lon")
    assert found.attrs == {"units": "K"}
    assert found["lat"].attrs == {"units": "degrees_north"}
    means = [
        np.average(one.sel(time=1).transpose("lat", "lon"), weights=grid.area)
        for one, grid in ((data, source), (found, target))
    ]
    assert means[0] == pytest.approx(means[1], abs=1e-13)


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [([10, 0], [0, 1], "do not rise"), ([-91, 0], [0, 1], "beyond a pole"), ([0, 1], [0, 361], "more than once")],
)
def test_grids_that_cannot_be_are_refused(lat, lon, said):
    with pytest.raises(InvalidRequest, match=said):
        LatLon(np.array(lat, float), np.array(lon, float))


def test_a_cubed_sphere_goes_to_the_whole_globe_only():
    with pytest.raises(InvalidRequest, match="whole globe"):
        from_cubed_sphere(Tiling(12), LatLon(np.linspace(0, 90, 10), np.linspace(0, 360, 10)))
