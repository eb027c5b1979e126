"""Faults of a Zarr store: every chunk lost, cut, and flipped in turn. Who notices: this store, and Zarr as it comes."""

import argparse
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from benchmarks.bench import Row, main
from domains.climate import store

SEEDS, QUICK_SEEDS = (1, 2, 3), (1,)
BITS = 4  # flipped bits tried in each chunk
SHAPE, CHUNK = (40, 96, 96), {"time": 10, "y": 48, "x": 48}
LARGE, LARGE_QUICK = 200, 40  # MB, to time

Damage = Callable[[bytes, np.random.Generator], bytes | None]


def lost(_: bytes, __: np.random.Generator) -> bytes | None:
    return None


def cut(data: bytes, rng: np.random.Generator) -> bytes | None:
    return data[: int(rng.integers(0, len(data)))]


def flipped(data: bytes, rng: np.random.Generator) -> bytes | None:
    changed = bytearray(data)
    changed[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


KINDS: tuple[tuple[str, Damage, int], ...] = (("lost", lost, 1), ("cut", cut, 1), ("one bit flipped", flipped, BITS))


def dataset(seed: int, shape: tuple[int, int, int] = SHAPE) -> xr.Dataset:
    """A smooth field with noise, and whole numbers; coordinates in time and space."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.linspace(0, 6, shape[2]))[None, None] + 0.01 * rng.standard_normal(shape)
    fields = {"t": (("time", "y", "x"), wave.astype("f4")), "n": (("time", "y", "x"), rng.integers(1, 9, shape, "i4"))}
    return xr.Dataset(fields, {name: np.arange(size) for name, size in zip(("time", "y", "x"), shape, strict=True)})


def stock(data: xr.Dataset, path: Path) -> None:
    """As xarray writes where nothing is asked."""
    encoding = {name: {"chunks": tuple(CHUNK.values())} for name in data.data_vars}
    data.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)


def notices(path: Path) -> bool:
    """Whether reading everything raises; silently wrong values are not noticed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with xr.open_zarr(path, consolidated=False, chunks=None) as found:
                found.load()
            return False
        except Exception:  # whatever a codec says of damage: it was noticed
            return True


def silent(path: Path, data: xr.Dataset) -> bool:
    """Whether reading gives other values than were written, without an error."""
    if notices(path):
        return False
    with xr.open_zarr(path, consolidated=False, chunks=None) as found:
        return not found.load().equals(data)


def damaged(path: Path, damage: Damage, rng: np.random.Generator, times: int) -> Iterator[Path]:
    """The store with one chunk changed, each in turn; whole again afterwards."""
    for chunk in sorted(file for file in path.rglob("c/**/*") if file.is_file()):
        whole = chunk.read_bytes()
        for _ in range(times):
            changed = damage(whole, rng)
            if changed is None:
                chunk.unlink()
            else:
                chunk.write_bytes(changed)
            yield chunk
            chunk.write_bytes(whole)


def counted(folder: Path, seed: int, damage: Damage, times: int) -> tuple[int, int, int, int]:
    """Faults made and found here; faults made in a stock store, and those that it reads as other values in silence."""
    data, rng = dataset(seed), np.random.default_rng(seed)
    ours, theirs = folder / "ours.zarr", folder / "stock.zarr"
    store.write(data, ours, CHUNK)
    stock(data, theirs)
    found = [bool(store.verify(ours)) for _ in damaged(ours, damage, rng, times)]
    unseen = [silent(theirs, data) for _ in damaged(theirs, damage, rng, times)]
    return len(found), sum(found), len(unseen), sum(unseen)


def timed(folder: Path, megabytes: int) -> dict[str, float]:
    """CPU seconds of writing, both ways, and of verifying; bytes, both ways."""
    data = dataset(0, (megabytes * 10**6 // (8 * 96 * 96), 96, 96))
    taken: dict[str, float] = {}
    works: dict[str, Callable[[], object]] = {
        "stock": lambda: stock(data, folder / "stock.zarr"),
        "ours": lambda: store.write(data, folder / "ours.zarr", CHUNK),
        "verify": lambda: store.check(folder / "ours.zarr"),
    }
    for name, work in works.items():
        cpu = time.process_time()
        work()
        taken[name] = time.process_time() - cpu
    for name in ("stock", "ours"):
        files = [file for file in (folder / f"{name}.zarr").rglob("*") if file.is_file()]
        taken[f"{name} bytes"] = sum(os.path.getsize(file) for file in files)  # noqa: PTH202
    return taken


def measure(arguments: argparse.Namespace) -> list[Row]:
    rows = []
    for name, damage, times in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            seeds = QUICK_SEEDS if arguments.quick else SEEDS
            made, found, stock_made, unseen = np.sum(
                [counted(Path(folder), seed, damage, times) for seed in seeds], axis=0
            )
        note = f"{made:,} faults, every chunk of {len(seeds)} store(s)"
        rows.append(Row.judged(f"{name}: found", 100 * found / made, "%", "== 100", note))
        rows.append(
            Row(
                f"{name}: read in silence by stock",
                100 * unseen / stock_made,
                "%",
                note=f"zarr {zarr.__version__}; of {stock_made:,} faults",
            )
        )
    folder = tempfile.mkdtemp()
    try:
        taken = timed(Path(folder), LARGE_QUICK if arguments.quick else LARGE)
    finally:
        shutil.rmtree(folder)
    rows.append(Row.judged("CPU to write, ours / stock", taken["ours"] / taken["stock"], "x", "<= 2", "with manifest"))
    rows.append(Row.judged("CPU to verify / to write", taken["verify"] / taken["ours"], "x", "<= 0.5"))
    rows.append(Row("bytes, ours / stock", taken["ours bytes"] / taken["stock bytes"], "x"))
    return rows


if __name__ == "__main__":
    main(measure, __doc__)
