"""The run store: one folder a run, where a shard is there whole or not at all.

    runs/<run>/request.json  plan.json  provenance.json  manifest.json  report.html
    runs/<run>/<stage>/stage.json  shard-<key>.parquet

A shard is written under a temporary name, synced, and linked to its final name, which fails if that exists: the first
commit wins, whoever else computed it. The directory listing is the truth; the manifest repeats it with checksums.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.outcomes import OK, ShardSummary

FOOTER = b"ai4s.shard"
# Room that must be free before a run starts, so that it fails before and not after hours of work.
MIN_FREE_BYTES = 200 * 2**20


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()


class Refused(RuntimeError):
    """A run that cannot start or go on; the message says why and what to do."""


def write_atomic(path: Path, data: bytes, *, replace: bool = True) -> bool:
    """Write a file whole or not at all, on disk before it has its name; False when it was there and is kept."""
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o666 & ~_UMASK)  # a temporary file is private, a run's files are for its readers
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return _name(temporary, path, replace)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refused(
                f"no space left in {path.parent}: free some and run the same command again, finished shards are kept"
            ) from None
        raise
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _name(temporary: str, path: Path, replace: bool) -> bool:
    """Give a finished file its name; False when the name is taken and must not be replaced."""
    if not replace:
        try:
            os.link(temporary, path)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            # Some file systems have no links: there the check and the name are two steps.
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS) or path.exists():
                raise
    os.replace(temporary, path)
    return True


def write_json(path: Path, value: object) -> None:
    """Write a JSON document atomically."""
    write_atomic(path, (json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n").encode())


class StageStore:
    """The shards of one stage."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, recipe: Mapping[str, Any], shard_s: float) -> float:
        """Note what the stage computes, or check it against what was noted; returns the seconds a shard shall take."""
        self.path.mkdir(parents=True, exist_ok=True)
        for left_over in self.path.glob(".tmp-*"):
            left_over.unlink(missing_ok=True)
        header = self.path / "stage.json"
        if not header.exists():
            write_json(header, {"recipe": recipe, "shard_s": shard_s})
            return shard_s
        noted = json.loads(header.read_text())
        changed = differences(noted["recipe"], json.loads(json.dumps(recipe, default=str)))
        if changed:
            raise Refused(
                f"stage {self.path.name} was begun with other settings or versions: {changed}. Start a new run (--name NEW)."
            )
        return float(noted["shard_s"])

    def shard_path(self, key: str) -> Path:
        """Where a shard is or will be."""
        return self.path / f"shard-{key}.parquet"

    def committed(self) -> dict[str, ShardSummary]:
        """Every finished shard by key, as its own footer tells."""
        return {summary.key: summary for summary in map(read_summary, sorted(self.path.glob("shard-*.parquet")))}

    def tables(self, columns: Sequence[str], *, only_ok: bool = True) -> Iterator[pa.Table]:
        """Stream rows shard by shard in the order of shard names; only those that go on, unless told otherwise."""
        wanted = [*columns] if "outcome" in columns else [*columns, "outcome"]
        for path in sorted(self.path.glob("shard-*.parquet")):
            try:
                table = pq.read_table(path, columns=wanted, partitioning=None)
            except (OSError, pa.ArrowException) as error:
                raise _damaged(path, error) from None
            if only_ok:
                table = table.filter(pc.equal(table["outcome"], OK))
            if len(table):
                yield table.select(list(columns)).replace_schema_metadata(None)


def commit_shard(path: Path, table: pa.Table, summary: ShardSummary) -> ShardSummary:
    """Write a shard with its summary in the footer; when it is already there, the earlier one stays and is returned."""
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({FOOTER: json.dumps(summary.as_dict()).encode()}), buffer, compression="zstd"
    )
    return summary if write_atomic(path, buffer.getvalue(), replace=False) else read_summary(path)


def read_summary(path: Path) -> ShardSummary:
    """The summary in a shard's footer."""
    try:
        return ShardSummary(**json.loads(pq.read_metadata(path).metadata[FOOTER]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> Refused:
    return Refused(f"{path} is damaged ({error}): delete this file and resume, its rows are then computed again")


def differences(old: Any, new: Any, at: str = "") -> str:
    """What changed between two JSON values, as ``field: old -> new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        parts = (differences(old.get(key), new.get(key), f"{at}.{key}" if at else key) for key in sorted({*old, *new}))
        return ", ".join(part for part in parts if part)
    return "" if old == new else f"{at}: {json.dumps(old)} -> {json.dumps(new)}"


class RunStore:
    """The folder of one run, held by one process at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: IO[str] | None = None

    @property
    def name(self) -> str:
        """The run's name."""
        return self.root.name

    def open(self, request: Mapping[str, Any]) -> Self:
        """Make the folder, or take up the one that is there; raises Refused when it is another request's or in use."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.root).free
            self._take_lock()
        except OSError as error:
            raise Refused(
                f"cannot write to the run folder {self.root}: {error.strerror}. Choose another with AI4S_RUNS=DIR."
            ) from None
        if free < MIN_FREE_BYTES:
            self.close()
            raise Refused(
                f"the disk of {self.root} is nearly full: {free / 2**20:.0f} MiB free, a run needs {MIN_FREE_BYTES / 2**20:.0f}"
            )
        noted = self.root / "request.json"
        if noted.exists():
            changed = differences(json.loads(noted.read_text()), json.loads(json.dumps(request, default=str)))
            if changed:
                self.close()
                raise Refused(
                    f"run {self.name} was begun with another request: {changed}. Use the same request, or a new --name."
                )
        else:
            write_json(noted, request)
        return self

    def _take_lock(self) -> None:
        self._lock = (self.root / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise Refused(f"run {self.name} is running in another process; wait for it, or use a new --name") from None

    def close(self) -> None:
        """Let others have the run."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def stage(self, name: str) -> StageStore:
        """The store of a stage."""
        return StageStore(self.root / name)

    def write_manifest(self, stages: Sequence[tuple[str, Sequence[ShardSummary]]]) -> None:
        """Write shard -> checksum, rows and writer for all stages; checksums are of the files as they lie on disk."""
        write_json(
            self.root / "manifest.json",
            {
                stage: {
                    shard.key: {
                        "sha256": hashlib.sha256(
                            StageStore(self.root / stage).shard_path(shard.key).read_bytes()
                        ).hexdigest(),
                        "rows": shard.rows,
                        "writer": shard.place,
                    }
                    for shard in shards
                }
                for stage, shards in stages
            },
        )
