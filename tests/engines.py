"""Functions and engines for tests; a module of its own, as children and workers import it by name."""

import mmap
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from domains.model import Frozen

OUTPUT = pa.schema([("double", pa.int64())])


class Settings(Frozen):
    folder: str = ""
    delay_s: float = 0.0


def doubled(batch: pa.Table, settings: Settings) -> pa.Table:
    time.sleep(settings.delay_s)
    values = batch["value"].to_pylist()
    return pa.table(
        {
            "id": batch["id"],
            "double": pa.array([2 * value for value in values], pa.int64()),
            "outcome": pa.array(["ok" if value % 10 else "filtered" for value in values]),
            "reason": pa.array([None if value % 10 else "ends with 0" for value in values], pa.string()),
        }
    )


def timed(batch: pa.Table, settings: Settings) -> pa.Table:
    """Doubles, and says that each row took an engine 2 ms."""
    made = doubled(batch, settings)
    return made.append_column("engine_s", pa.array([0.002] * len(made)))


def losing(batch: pa.Table, settings: Settings) -> pa.Table:
    return doubled(batch.slice(1), settings)


def fragile(batch: pa.Table, settings: Settings) -> pa.Table:
    """Ends its process on the value 13, hangs on 17."""
    values = batch["value"].to_pylist()
    if 13 in values:
        os._exit(3)
    if 17 in values:
        time.sleep(3600)
    return doubled(batch, settings)


class Doubler:
    """An engine; special values make it misbehave."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        value = row["value"]
        time.sleep(self.settings.delay_s)
        if value == 13:
            os._exit(3)
        if value == 17:
            time.sleep(3600)
        if value == 19:
            raise ValueError("nineteen")
        if value == 23 and self.settings.folder and not (marker := Path(self.settings.folder, "once")).exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"outcome": "ok", "double": 2 * value, "engine_s": 0.001}


class Unbuildable:
    def __init__(self, settings: Settings) -> None:
        raise FileNotFoundError("no weights")

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {}


def hungry(size: int, settings: Settings) -> int:
    return len(bytearray(size))


def reserving(size: int, settings: Settings) -> int:
    """Reserves addresses and uses none of them, as CUDA does."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0) as reserved:
        return len(reserved)


def filling(size: int, settings: Settings) -> int:
    held = b"x" * size
    time.sleep(settings.delay_s)
    return len(held)


class Visible:
    """Says which chips its process was shown; two of them run at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        started = time.time()
        time.sleep(self.settings.delay_s)
        chips = {os.environ.get(name, "none") for name in ("CUDA_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")}
        about = f"{' '.join(sorted(chips))};{os.getpid()};{started};{time.time()}"
        return {"outcome": "ok", "about": about, "engine_s": self.settings.delay_s}
