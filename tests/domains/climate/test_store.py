"""The store of a climate run: what is written is CF, is read back as it was, and no damage goes unseen."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.climate import store

CHUNKS = {"time": 2, "lat": 3}


def some(years: int = 4, first: int = 0) -> xr.Dataset:
    """A small dataset whose second half is all zeros: what a careless writer leaves out."""
    values = np.arange(years * 6, dtype="f4").reshape(years, 6)
    values[years // 2 :] = 0
    made = store.yearly(first + years).isel(time=slice(first, None)).reset_coords("time_bnds")
    latitude = {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
    attributes = {
        "standard_name": "surface_temperature",
        "units": "K",
        "cell_methods": "time: mean",
        "units_metadata": "temperature: on_scale",
    }
    made = made.assign_coords(lat=("lat", np.linspace(-75, 75, 6), latitude)).assign(
        ts=(("time", "lat"), values, attributes)
    )
    for variable in made.variables.values():
        variable.encoding["_FillValue"] = None
    return store.described(made, "a test", "made up", "made by a test", references="none", comment="none")


@pytest.fixture
def written(tmp_path) -> Path:
    store.write(some(), tmp_path / "some.zarr", CHUNKS)
    return tmp_path / "some.zarr"


def chunks(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("c/**/*") if file.is_file())


def test_it_reads_back_as_it_was_and_every_chunk_is_there(written):
    assert store.verify(written) == []
    found = store.read(written)
    assert found.ts.values.tobytes() == some().ts.values.tobytes()
    assert found.time.dt.calendar == "noleap"
    assert found.attrs["Conventions"] == "CF-1.11"
    array = zarr.open_group(written, mode="r")["ts"]
    assert array.nchunks_initialized == array.nchunks == 4


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_every_chunk_that_is_damaged_is_found_and_not_read(written, damage):
    for chunk in chunks(written):
        whole = chunk.read_bytes()
        changed = {"truncated": whole[:-1], "flipped": whole[:-1] + bytes([whole[-1] ^ 1])}.get(damage)
        chunk.unlink() if changed is None else chunk.write_bytes(changed)
        assert store.verify(written) == [store.Fault(chunk.relative_to(written).as_posix(), damage)]
        with pytest.raises(store.DamagedStore, match=damage):
            store.read(written)
        chunk.write_bytes(whole)
    assert store.verify(written) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_in_any_file_is_found(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("flip")
    store.write(some(2), folder / "some.zarr", CHUNKS)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    victim = data.draw(st.sampled_from(files))
    content = bytearray(victim.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    victim.write_bytes(content)
    assert len(store.verify(folder / "some.zarr")) == 1


def test_a_store_without_manifest_or_with_a_stranger_is_not_sound(written):
    (written / "ts" / "c" / "9").write_bytes(b"left over")
    assert store.verify(written) == [store.Fault("ts/c/9", "not in manifest")]
    store.manifest_of(written).unlink()
    assert [fault.kind for fault in store.verify(written)] == ["no manifest"]


def test_a_chunk_lost_while_writing_is_never_sealed(written):
    chunks(written)[-1].unlink()
    store.manifest_of(written).unlink()
    with pytest.raises(store.DamagedStore, match="missing"):
        store.seal(written)
    assert not store.manifest_of(written).exists()


def test_appended_years_are_verified_with_the_rest_and_damage_stops_the_append(written):
    store.append(some(2, first=4), written, "time")
    found = store.read(written)
    assert found.sizes["time"] == 6
    assert [one.year for one in found.time.values] == [1, 2, 3, 4, 5, 6]
    chunks(written)[0].unlink()
    with pytest.raises(store.DamagedStore):
        store.append(some(2, first=6), written, "time")


def test_the_same_data_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        store.write(some(), tmp_path / f"{name}.zarr", CHUNKS)
    assert (
        store.manifest_of(tmp_path / "one.zarr").read_bytes() == store.manifest_of(tmp_path / "two.zarr").read_bytes()
    )


def test_netcdf_holds_the_same_and_passes_the_cf_checker(tmp_path):
    store.export_netcdf(some(), tmp_path / "some.nc")
    with xr.open_dataset(tmp_path / "some.nc", engine="h5netcdf") as found:
        assert found.ts.values.tobytes() == some().ts.values.tobytes()
    assert cf_errors(tmp_path / "some.nc") == []
    wrong = some()
    wrong.ts.attrs["units"] = "furlongs"
    store.export_netcdf(wrong, tmp_path / "wrong.nc")
    assert any("furlongs" in line for line in cf_errors(tmp_path / "wrong.nc"))


def cf_errors(path: Path) -> list[str]:
    """What the CF checker finds wrong; in a process of its own, as its libraries warn."""
    words = [
        Path(sys.executable).with_name("compliance-checker"),
        "--test",
        "cf:1.11",
        "--criteria",
        "strict",
        str(path),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()
