"""Public data files, never shipped: from the folder AI4S_DATA, else the cache, else their address, always by checksum."""

import gzip
import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from domains.errors import InvalidRequest

PATIENCE_S = 30.0
MOST_BYTES = 200 * 2**20


class PublicFile(NamedTuple):
    """A file by its name in the data folder, its address, and the SHA-256 of its content (unpacked)."""

    name: str
    url: str
    sha256: str


def cache_folder() -> Path:
    """Where downloaded and prepared files are kept: ``ai4s`` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ai4s"


def content(file: PublicFile, field: str, value: str) -> bytes:
    """The file's bytes; raises InvalidRequest for this field and value when it cannot be had or is not the right one."""
    folder = os.environ.get("AI4S_DATA")
    cached = cache_folder() / "data" / file.sha256[:16] / Path(file.name).name
    for path in (*(_spellings(Path(folder, file.name)) if folder else ()), cached):
        if path.is_file():
            data = _unpacked(path, field, value)
            if hashlib.sha256(data).hexdigest() == file.sha256:
                return data
            if path != cached:
                problem = f"{path} is another file than the one that is pinned"
                raise InvalidRequest(field, value, problem, f"content with SHA-256 {file.sha256}, from {file.url}")
    data = _downloaded(file, field, value, cached)
    keep(cached, data)
    return data


def keep(path: Path, data: bytes) -> None:
    """Write a file of the cache whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


def _spellings(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(f"{path.name}.gz")


def _unpacked(path: Path, field: str, value: str) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError) as error:
        raise InvalidRequest(field, value, f"{path} cannot be read ({error})", "a readable, undamaged file") from None


def _downloaded(file: PublicFile, field: str, value: str, cached: Path) -> bytes:
    try:
        with urllib.request.urlopen(file.url, timeout=PATIENCE_S) as answer:
            data: bytes = answer.read(MOST_BYTES)
        data = gzip.decompress(data) if file.url.endswith(".gz") else data
    except (OSError, EOFError, urllib.error.URLError) as error:
        valid = f"download it to AI4S_DATA/{file.name} (or .gz) or to {cached}"
        raise InvalidRequest(field, value, f"its file cannot be had from {file.url} ({error})", valid) from None
    if hashlib.sha256(data).hexdigest() != file.sha256:
        problem = f"what {file.url} gives is another file than the one that is pinned"
        raise InvalidRequest(field, value, problem, f"content with SHA-256 {file.sha256}")
    return data
