"""Checkpoints of groups of tiles: two generations of them, and an index that is written last.

    index.json              what the run is, and its last two generations with the checksum of every file
    000012/group-3.npz      the state of one group's tiles after chunk 12

A generation is there once the index names it. A process that is killed in between, or a disk that is full, leaves the index
as it was, and with it the generations it names.
"""

import io
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domains.climate.store import checksum, write_atomic
from domains.climate.tiles import TileGroup
from domains.errors import InvalidRequest

SCHEMA, KEPT = 1, 2
INDEX = "index.json"


@dataclass(frozen=True)
class Halved:
    """A chunk that could not be taken with its step and was begun again with half of it."""

    chunk: int
    dt: float  # s, the step that failed
    reason: str


@dataclass(frozen=True)
class Generation:
    """The state after a chunk: steps of a chunk from there on, what was halved, and each file's bytes and checksum."""

    chunk: int
    steps: int
    halved: tuple[Halved, ...]
    files: Mapping[str, tuple[int, int]]

    @property
    def folder(self) -> str:
        """Where its files are."""
        return f"{self.chunk:06d}"


class DamagedCheckpoint(RuntimeError):
    """No generation is left whose files are as they were written."""


class Checkpoints:
    """The checkpoints of one run; ``about`` says what run that is."""

    def __init__(self, root: Path, about: Mapping[str, Any]) -> None:
        self.root, self.about = root, dict(about)

    def latest(self) -> Generation | None:
        """The newest sound generation; None where the run has not begun.

        Raises InvalidRequest where they are another run's, DamagedCheckpoint where none is sound; nothing is changed.
        """
        if not (self.root / INDEX).exists():
            return None
        generations = self._generations()
        for one in reversed(generations):
            if all(self._sound(one, name) for name in one.files):
                return one
        raise DamagedCheckpoint(
            f"none of the {len(generations)} checkpoints in {self.root} is as it was written; start a new run (--name NEW)"
        )

    def prepare(self, chunk: int) -> Path:
        """An empty folder for a generation's files."""
        folder = self.root / f"{chunk:06d}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def commit(self, new: Generation) -> None:
        """Make a generation the newest, now that all its files are there, and forget all but the one before it."""
        before = self._generations() if (self.root / INDEX).exists() else []
        kept = [*(one for one in before if one.chunk < new.chunk), new][-KEPT:]
        index = {"schema": SCHEMA, "run": self.about, "generations": [asdict(one) for one in kept]}
        write_atomic(self.root / INDEX, (json.dumps(index, indent=2) + "\n").encode())
        for folder in self.root.iterdir():
            if folder.is_dir() and folder.name not in {one.folder for one in kept}:
                shutil.rmtree(folder, ignore_errors=True)

    def paths(self, one: Generation) -> list[Path]:
        """The files of a generation."""
        return [self.root / one.folder / name for name in sorted(one.files)]

    def _generations(self) -> list[Generation]:
        try:
            index = json.loads((self.root / INDEX).read_bytes())
            run = {"schema": index["schema"], **index["run"]}
            found = [_generation(one) for one in index["generations"]] if index["schema"] == SCHEMA else []
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedCheckpoint(
                f"{self.root / INDEX} cannot be read ({error}); start a new run (--name NEW)"
            ) from None
        if run != (mine := {"schema": SCHEMA, **self.about}):
            raise InvalidRequest(f"checkpoint {self.root}", _told(run), "is of another run", _told(mine))
        return found

    def _sound(self, one: Generation, name: str) -> bool:
        path = self.root / one.folder / name
        return path.exists() and _mark(path.read_bytes()) == tuple(one.files[name])


def _generation(told: Mapping[str, Any]) -> Generation:
    files = {name: (int(size), int(crc)) for name, (size, crc) in told["files"].items()}
    return Generation(int(told["chunk"]), int(told["steps"]), tuple(Halved(**one) for one in told["halved"]), files)


def _told(run: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.items())


def _mark(data: bytes) -> tuple[int, int]:
    return len(data), checksum(data)


def write(group: TileGroup, folder: Path) -> tuple[str, tuple[int, int]]:
    """Write a group's state into a generation's folder: the file's name, its bytes and checksum."""
    sink = io.BytesIO()
    np.savez(sink, **group.checkpoint())  # type: ignore[arg-type]
    data, name = sink.getvalue(), f"group-{group.group}.npz"
    write_atomic(folder / name, data)
    return name, _mark(data)


def restore(group: TileGroup, paths: Iterable[Path]) -> None:
    """Set a group to the state in the files of a generation, however its tiles were shared then."""
    parts: list[dict[str, np.ndarray]] = []
    for path in paths:
        with np.load(path) as arrays:
            mine = np.isin(arrays["tiles"], group.tiles)
            parts.append({**arrays, "tiles": arrays["tiles"][mine], "state": arrays["state"][mine]})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in ("tiles", "state")}
    group.restore({**parts[0], **joined})
