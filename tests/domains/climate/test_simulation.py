"""What a simulation keeps: the same bits however tiles are shared, checkpoints that survive, CF, and what mistakes get."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from domains.climate import checkpoint, run, sampling, simulation, simulation_store, spectrum, store
from domains.climate.checkpoint import Checkpoints, DamagedCheckpoint, Generation
from domains.climate.grid import RADIUS, Tiling, longitude_latitude, metric
from domains.climate.simulation_check import check
from domains.climate.simulation_regular import regular
from domains.climate.simulation_request import ClimateSimulationRequest
from domains.climate.tiles import TileGroup
from domains.errors import InvalidRequest
from tests.domains.climate.test_store import cf_errors

ASKED = check(ClimateSimulationRequest(case="williamson 5", resolution="24", days=0.25, interval=3, tiles=24))


def groups(count):
    owner = np.arange(24) % count
    return [TileGroup(ASKED.tiling, ASKED.case, owner, number) for number in range(count)]


def kept(folder, count):
    """A whole small run on some groups, without workers."""
    path, parts, series = folder / "simulation.zarr", groups(count), []
    folder.mkdir()
    simulation_store.create(path, ASKED, "a-test", "none")
    for record in range(ASKED.request.records):
        run.begin(parts)
        for part in parts:
            simulation_store.write(path, record, part, simulation.fields(part))
        series.append(simulation.whole(row for part in parts for row in simulation.sums(part)))
        for _ in range(ASKED.steps):
            run.step(parts, ASKED.chunk_s / ASKED.steps)
    simulation_store.finish(path, series)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return kept(tmp_path_factory.mktemp("kept") / "one", 1)


def test_the_store_has_the_same_bytes_however_tiles_are_shared(path, tmp_path):
    other = kept(tmp_path / "three", 3)
    assert store.manifest_of(other).read_bytes() == store.manifest_of(path).read_bytes()


def test_what_is_kept_is_cf_on_its_own_grid_and_on_longitudes_and_latitudes(path, tmp_path):
    data = store.read(path).load()
    assert data.sizes["time"] == 3
    assert abs(data["mass"] / data["mass"][0] - 1).max() < 1e-13
    store.export_netcdf(simulation_store.without_fill(data), tmp_path / "native.nc")
    # A warning that no axis of the panels is a longitude or latitude is all that it has to say.
    assert not [line for line in cf_errors(tmp_path / "native.nc") if "Errors" in line]
    made = regular(data)
    weight = np.cos(np.radians(made["lat"]))
    native = float((data["zg"] * data["areacella"]).sum() / (3 * data["areacella"].sum()))
    assert float(made["zg"].weighted(weight).mean()) == pytest.approx(native, rel=1e-4)
    store.export_netcdf(made, tmp_path / "regular.nc")
    assert cf_errors(tmp_path / "regular.nc") == []


def test_a_record_that_lacks_a_chunk_is_never_sealed(path, tmp_path):
    made = tmp_path / "simulation.zarr"
    simulation_store.create(made, ASKED, "a-test", "none")
    run.begin(parts := groups(1))
    simulation_store.write(made, 0, parts[0], simulation.fields(parts[0]))
    with pytest.raises(store.DamagedStore, match="missing"):
        simulation_store.finish(made, [simulation.whole(simulation.sums(parts[0]))] * ASKED.request.records)
    assert not store.manifest_of(made).exists()


def test_steady_flow_has_norms_and_others_have_none():
    (part,) = (TileGroup(Tiling(24), check(ClimateSimulationRequest(case="tc2", resolution="C24")).case),)
    run.begin([part])
    part.state[:, 0] *= 1.001
    norms = simulation.whole(simulation.sums(part)).norms
    assert norms.l1 == pytest.approx(1e-3)
    assert norms.l2 == pytest.approx(1e-3)
    assert norms.greatest == pytest.approx(1e-3)
    run.begin(other := groups(1))
    assert simulation.whole(simulation.sums(other[0])).norms is None


def committed(checkpoints, chunk, parts):
    folder = checkpoints.prepare(chunk)
    files = dict(checkpoint.write(part, folder) for part in parts)
    checkpoints.commit(Generation(chunk, 10, (), files))


def test_two_generations_are_kept_and_a_damaged_one_is_passed_over(tmp_path):
    checkpoints, parts = Checkpoints(tmp_path, {"case": "a"}), groups(3)
    assert checkpoints.latest() is None
    for chunk in range(3):
        for part in parts:
            part.state[:] += 1
        committed(checkpoints, chunk, parts)
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_dir()) == ["000001", "000002"]
    latest = checkpoints.latest()
    assert latest.chunk == 2
    (other,) = groups(1)
    checkpoint.restore(other, checkpoints.paths(latest))
    for part in parts:
        assert np.array_equal(other.state[part.tiles], part.state)
    victim = checkpoints.paths(latest)[1]
    victim.write_bytes(victim.read_bytes()[:-1])
    assert checkpoints.latest().chunk == 1
    checkpoints.paths(checkpoints.latest())[0].unlink()
    with pytest.raises(DamagedCheckpoint, match="none of the 2 checkpoints"):
        checkpoints.latest()


def test_a_checkpoint_half_written_does_not_count(tmp_path):
    checkpoints, parts = Checkpoints(tmp_path, {"case": "a"}), groups(1)
    committed(checkpoints, 0, parts)
    checkpoint.write(parts[0], checkpoints.prepare(1))  # killed before the index
    assert checkpoints.latest().chunk == 0


def test_a_checkpoint_of_another_run_is_refused_and_left_as_it_is(tmp_path):
    committed(Checkpoints(tmp_path, {"case": "galewsky", "grid": "C96"}), 0, groups(1))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = Checkpoints(tmp_path, {"case": "galewsky", "grid": "C48"})
    for act in (other.latest, lambda: other.commit(Generation(1, 1, (), {}))):
        with pytest.raises(InvalidRequest, match=r"C96.*another run.*C48"):
            act()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_fields_are_read_between_cells_and_across_panels():
    cells = 32
    longitude, latitude = longitude_latitude(metric(Tiling(cells), np.arange(6)).position)
    lon, lat = np.meshgrid(np.linspace(-np.pi, np.pi, 91), np.linspace(-np.pi / 2, np.pi / 2, 46))

    def field(lon, lat):
        return np.sin(lat) + np.cos(lat) ** 3 * np.sin(lat) * np.cos(3 * lon)

    error = np.abs(sampling.at(cells, lon, lat)(field(longitude, latitude)) - field(lon, lat))
    assert np.median(error) < 1e-5
    assert error.max() < 5e-3  # at the eight corners of the cube


def test_the_spectrum_adds_up_to_the_kinetic_energy_and_a_turning_sphere_is_one_wave():
    cells, speed = 24, 20.0
    _, latitude = longitude_latitude(metric(Tiling(cells), np.arange(6)).position)
    found = spectrum.kinetic_energy(2 * speed / RADIUS * np.sin(latitude), np.zeros_like(latitude))
    assert found[0] == pytest.approx(speed**2 / 3, rel=1e-5)
    assert found[1:].sum() < 1e-6 * found[0]
    group = TileGroup(Tiling(48), check(ClimateSimulationRequest()).case)
    run.begin([group])
    fields = simulation.fields(group)
    area = group.metric.area
    mean = float(((fields["ua"] ** 2 + fields["va"] ** 2) / 2 * area).sum() / area.sum())
    assert spectrum.kinetic_energy(fields["vo"], fields["div"]).sum() == pytest.approx(mean, rel=2e-3)


def test_functions_on_the_sphere_have_the_mean_square_one():
    sine, weight = np.polynomial.legendre.leggauss(21)
    for functions in spectrum.legendre(20, sine):
        products = 0.5 * (functions * weight) @ functions.T
        assert np.allclose(products, np.eye(len(functions)), atol=1e-12)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"case": "galewski"}, ["case", "unknown; near: galewsky"]),
        ({"resolution": "T31"}, ["resolution", "cannot be read", "C96"]),
        ({"resolution": "C8"}, ["resolution", "too coarse", "C12"]),
        ({"tiles": 25}, ["tiles = 25", "6, 24, 54"]),
        ({"days": 1.3}, ["days = 1.3", "output interval of 6 h", "1.25 days"]),
    ],
)
def test_what_cannot_be_asked_for_is_told_with_what_can(given, words):
    with pytest.raises(ValidationError) as caught:
        ClimateSimulationRequest(**given)
    assert all(word in str(caught.value) for word in words)


def test_a_step_that_is_certain_to_blow_up_is_refused_before_the_start():
    with pytest.raises(InvalidRequest, match=r"time step.*blow up.*up to 720"):
        check(ClimateSimulationRequest(case="williamson-6", resolution="C24", step=1500))


def test_the_plain_request_is_a_sphere_of_24_tiles_with_steps_that_divide_the_interval():
    found = check(ClimateSimulationRequest())
    assert found.tiling == Tiling(96, 2)
    assert found.request.records == 25
    assert (found.chunk_s / found.steps) * found.steps == 6 * 3600
    assert xr.Dataset(coords={"time": simulation_store.times(found)}).sizes["time"] == 25
