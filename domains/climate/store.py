"""The data of a climate run: a CF Zarr store whose every byte is accounted for, and the same as NetCDF.

Zarr reads a chunk that is not there as fill values, without an error. So no chunk is left out however empty, each ends with
its own crc32c, and beside ``X.zarr`` the file ``X.manifest.json`` lists every file of the store with its bytes and checksum (inside,
Zarr would warn of it at every reading). The manifest is written last, under another name first: a store without one is not
finished.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import cftime
import google_crc32c
import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

CONVENTIONS = "CF-1.11"
SCHEMA = 1
CHECK_BYTES = 4  # of the crc32c at the end of a chunk
EPOCH = "0001-01-01"
CODECS = [ZstdCodec(level=3), Crc32cCodec()]  # of every chunk

Kind = Literal["no manifest", "damaged manifest", "missing", "truncated", "flipped", "not in manifest"]


@dataclass(frozen=True)
class Fault:
    """What is wrong with one file of a store."""

    file: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}"


class DamagedStore(RuntimeError):
    """A store that must not be read: says which files are missing or changed."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        self.path, self.faults = path, tuple(faults)
        some = ", ".join(map(str, self.faults[:5]))
        more = f" and {len(self.faults) - 5} more" if len(self.faults) > 5 else ""
        super().__init__(f"{path} is damaged: {some}{more}. Delete it and run the same command again")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.path, self.faults)


def manifest_of(path: Path) -> Path:
    """Where the manifest of a store is."""
    return path.with_suffix(".manifest.json")


def write(dataset: xr.Dataset, path: Path, chunks: Mapping[str, int]) -> None:
    """Write a dataset as a new store, replacing what is there; ``chunks`` are lengths along dimensions, all of it where not named."""
    begin(dataset, path, chunks)
    seal(path)


def begin(dataset: xr.Dataset, path: Path, chunks: Mapping[str, int]) -> None:
    """The same, of a store to which more is added before it is sealed."""
    manifest_of(path).unlink(missing_ok=True)  # first: what is half written is not finished
    encoding = {str(name): _encoding(variable, chunks) for name, variable in dataset.variables.items()}
    dataset.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding, write_empty_chunks=True)


def reserve(
    path: Path, name: str, sizes: Mapping[str, int], chunks: Sequence[int], attributes: Mapping[str, str]
) -> None:
    """Make room in an unsealed store for a field in single precision that is written chunk by chunk."""
    zarr.open_group(path, mode="r+").create_array(
        name,
        shape=tuple(sizes.values()),
        chunks=tuple(chunks),
        dtype="f4",
        fill_value=np.nan,
        compressors=CODECS,
        dimension_names=list(sizes),
        attributes=dict(attributes),
        overwrite=True,
    )


def append(dataset: xr.Dataset, path: Path, along: str) -> None:
    """Add to a sound store along a dimension; raises DamagedStore, and changes nothing, where it is not sound."""
    check(path)
    manifest_of(path).unlink()
    varying = dataset.drop_vars([name for name, one in dataset.variables.items() if along not in one.dims])
    varying.to_zarr(path, append_dim=along, zarr_format=3, consolidated=False, write_empty_chunks=True)
    seal(path)


def _encoding(variable: xr.Variable, chunks: Mapping[str, int]) -> dict[str, Any]:
    """How a variable is stored: chunked as asked, compressed, each chunk with its checksum, no fill value on coordinates."""
    kept = {
        key: value for key, value in variable.encoding.items() if key in ("units", "calendar", "dtype", "_FillValue")
    }
    sizes = tuple(min(chunks.get(str(name), size), size) for name, size in variable.sizes.items())
    return {**kept, "chunks": sizes or None, "compressors": CODECS}


def seal(path: Path) -> None:
    """List every file of a store in its manifest; raises DamagedStore where a chunk is missing or contradicts its own checksum."""
    files = {name: (path / name).read_bytes() for name in _files(path)}
    chunks = set(_chunks(path))
    faults = [Fault(name, "missing") for name in sorted(chunks - files.keys())]
    faults += [Fault(name, "flipped") for name in sorted(chunks & files.keys()) if not _consistent(files[name])]
    if faults:
        raise DamagedStore(path, faults)
    listed = {name: [len(data), checksum(data)] for name, data in sorted(files.items())}
    body = json.dumps(listed)
    manifest = {"schema": SCHEMA, "crc32c": checksum(body.encode()), "files": listed}
    write_atomic(manifest_of(path), json.dumps(manifest).encode())


def verify(path: Path) -> list[Fault]:
    """Every file that is missing, has another length or other bytes than when it was written, or was never listed."""
    try:
        manifest = json.loads(manifest_of(path).read_bytes())
        listed: dict[str, list[int]] = manifest["files"]
        sound = manifest["schema"] == SCHEMA and checksum(json.dumps(listed).encode()) == manifest["crc32c"]
    except FileNotFoundError:
        return [Fault(manifest_of(path).name, "no manifest")]
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        return [Fault(manifest_of(path).name, "damaged manifest")]
    found = [fault for name, (size, crc) in listed.items() if (fault := _fault(path, name, size, crc))]
    return found + [Fault(name, "not in manifest") for name in sorted(set(_files(path)) - listed.keys())]


def check(path: Path) -> None:
    """Raise DamagedStore unless every byte of a store is as it was written."""
    if faults := verify(path):
        raise DamagedStore(path, faults)


def read(path: Path) -> xr.Dataset:
    """A store's data, verified before any of it is read."""
    check(path)
    found: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    return found


def export_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as NetCDF 4 under another name first, so that it is there whole or not at all."""
    kept = ("units", "calendar", "dtype", "_FillValue")
    encoding = {
        str(name): {
            **{key: value for key, value in one.encoding.items() if key in kept},
            **({"zlib": True, "complevel": 4, "shuffle": True} if one.ndim and one.dtype.kind in "fiu" else {}),
        }
        for name, one in dataset.variables.items()
    }
    temporary = path.with_name(f".tmp-{path.name}")
    dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
    os.replace(temporary, path)


def described(dataset: xr.Dataset, title: str, source: str, history: str, **more: str) -> xr.Dataset:
    """The dataset with what CF wants to know of it as a whole."""
    known = {"Conventions": CONVENTIONS, "title": title, "institution": "ai4s", "source": source, "history": history}
    return dataset.assign_attrs({**known, **more})


def yearly(count: int, calendar: str = "noleap") -> xr.Dataset:
    """Coordinates of yearly means: ``time`` (count,) at the middle of each year, and the bounds of each (count, 2)."""
    start = [cftime.datetime(year, 1, 1, calendar=calendar) for year in range(1, count + 2)]
    units = f"days since {EPOCH}"
    edges = np.asarray(cftime.date2num(start, units, calendar), float)
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    attributes = {"standard_name": "time", "long_name": "time", "axis": "T", "bounds": "time_bnds"}
    time = xr.Variable("time", bounds.mean(axis=1), {**attributes, "units": units, "calendar": calendar})
    return xr.Dataset(coords={"time": time, "time_bnds": (("time", "bnds"), bounds)})


def _files(path: Path) -> Iterator[str]:
    """Every file of a store."""
    for file in path.rglob("*"):
        if file.is_file():
            yield file.relative_to(path).as_posix()


def _chunks(path: Path) -> Iterator[str]:
    """Every chunk that a store must have, as its metadata says."""
    for name, array in zarr.open_group(path, mode="r").arrays():
        counts = (-(-size // chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))
        for index in product(*map(range, counts)):
            yield f"{name}/{array.metadata.encode_chunk_key(index)}"


def _fault(path: Path, name: str, size: int, crc: int) -> Fault | None:
    try:
        data = (path / name).read_bytes()
    except FileNotFoundError:
        return Fault(name, "missing")
    if len(data) != size:
        return Fault(name, "truncated")
    return Fault(name, "flipped") if checksum(data) != crc else None


def _consistent(chunk: bytes) -> bool:
    return checksum(chunk[:-CHECK_BYTES]) == int.from_bytes(chunk[-CHECK_BYTES:], "little")


def checksum(data: bytes) -> int:
    """CRC32C of some bytes."""
    return int(google_crc32c.value(data))


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, on disk before it has its name."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
