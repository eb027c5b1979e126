"""A copy of a site to go back to: its database, its runs and its templates. It may be taken while the site serves."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from domains.errors import InvalidRequest
from flows.serving_site import Site

DATABASE, DUMP = "prefect.db", "prefect.dump"


def back_up(site: Site, target: Path) -> Iterator[str]:
    """Copy what is new since the last time into a folder; says line by line what it did. Raises InvalidRequest."""
    if not site.data.is_dir():
        raise InvalidRequest("data", str(site.data), "is not there", "the folder that is served")
    if target == site.data or site.data in target.parents:
        raise InvalidRequest("backup", str(target), "lies in the data folder itself", "a folder on another disk")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield _dumped(site, target / DUMP) if site.database else _copied(site.data / DATABASE, target / DATABASE)
    # The database first: a run that it does not know yet is found by its folder, the other way round nothing is.
    for folder in (site.runs, site.templates):
        files, new = _mirrored(folder, target / folder.name)
        yield f"{folder}: {files:,} files, {new:,} new"


def _copied(source: Path, target: Path) -> str:
    """A consistent copy of a SQLite database that may be in use, by SQLite's own backup."""
    if not source.exists():
        raise InvalidRequest("data", str(source), "there is no database yet", "a data folder that was served once")
    half = target.with_suffix(".half")
    half.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(source)) as live, contextlib.closing(sqlite3.connect(half)) as copy:
        live.backup(copy)
    os.replace(half, target)
    return f"{target}: {target.stat().st_size / 2**20:,.1f} MiB"


def _dumped(site: Site, target: Path) -> str:
    """PostgreSQL's own dump; the password goes by the environment."""
    url = make_url(site.database).set(drivername="postgresql")
    program = shutil.which("pg_dump")
    if program is None:
        raise InvalidRequest("database", site.database_shown, "pg_dump is not installed here", "PostgreSQL's client")
    words = [program, "--format=custom", f"--file={target}", url.set(password=None).render_as_string()]
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(words, env={**os.environ, **password}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidRequest("database", site.database_shown, f"pg_dump failed: {done.stderr.strip()[-300:]}")
    return f"{target}: {target.stat().st_size / 2**20:,.1f} MiB"


def _mirrored(source: Path, target: Path) -> tuple[int, int]:
    """Copy files that are new or changed; how many there are, and how many were copied."""
    files = new = 0
    for path in source.rglob("*"):
        if not path.is_file() or path.name.startswith(".") or path.is_symlink():
            continue
        files += 1
        copy = target / path.relative_to(source)
        then, now = copy.stat() if copy.exists() else None, path.stat()
        if then is None or (then.st_size, then.st_mtime_ns) != (now.st_size, now.st_mtime_ns):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
            new += 1
    return files, new
