"""What is wrong before a server starts: told all at once, each with what to do."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.launch import resolve
from domains.errors import InvalidRequest
from flows.serving_site import Site, check_password, is_held
from tasks.store import MIN_FREE_BYTES

OK, WARNING, WRONG = "ok", "warning", "wrong"
# A database and its log grow by megabytes an hour; below this a server should not be begun.
FREE_BYTES = 5 * MIN_FREE_BYTES
ANSWER_LIMIT_S = 10.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    words: str

    def as_dict(self) -> dict[str, str]:
        """For JSON and tables."""
        return asdict(self)


def check(site: Site) -> list[Finding]:
    """Look at everything that a start needs; starts and changes nothing."""
    looks: dict[str, Callable[[Site], str | Finding]] = {
        "data folder": _data, "disk": _disk, "port": _port, "password": _password, "database": _database,
        "schedules": _schedules, "profile": _profile,
    }  # fmt: skip
    return list(_found(site, looks))


def _found(site: Site, looks: dict[str, Callable[[Site], str | Finding]]) -> Iterator[Finding]:
    for what, look in looks.items():
        try:
            told = look(site)
        except (InvalidRequest, ClusterError, OSError) as error:
            yield Finding(what, WRONG, str(error))
        else:
            yield told if isinstance(told, Finding) else Finding(what, OK, told)


def _data(site: Site) -> str | Finding:
    there = _existing(site.data)
    if not os.access(there, os.W_OK | os.X_OK):
        raise InvalidRequest(
            "data", str(site.data), f"cannot be written by {_me()}", "a folder of your own: --data DIR"
        )
    if is_held(site.data / ".serve.lock"):
        raise InvalidRequest("data", str(site.data), "is served by another process", "another --data, or stop that one")
    mode = site.data.stat().st_mode if site.data.exists() else 0
    if mode & 0o007:
        return Finding("data folder", WARNING, f"{site.data}: everybody here can read it; chmod o= {site.data}")
    return str(site.data)


def _disk(site: Site) -> str:
    free = free_bytes(site.data)
    if free < FREE_BYTES:
        raise InvalidRequest(
            "data",
            str(site.data),
            f"its disk has {free / 2**20:,.0f} MiB free",
            f"{FREE_BYTES / 2**20:,.0f} MiB or more",
        )
    return f"{free / 2**30:,.1f} GiB free"


def _port(site: Site) -> str:
    family = socket.AF_INET6 if ":" in site.host else socket.AF_INET
    with socket.socket(family) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port just left is free
        try:
            one.bind((site.host, site.port))
        except OSError as error:
            raise InvalidRequest(
                "port", site.port, f"cannot listen at {site.host}: {error.strerror or error}", "another --port"
            ) from None
    return f"{site.host}:{site.port} is free"


def _password(site: Site) -> str | Finding:
    check_password(site)
    if not site.password:
        return "none: only this machine can reach it"
    if not site.is_local:
        words = "set; it travels unencrypted: put a proxy with TLS before it (docs/operations.md)"
        return Finding("password", WARNING, words)
    return "set"


def _database(site: Site) -> str:
    if not site.database:
        return f"SQLite, {site.data / 'prefect.db'}"
    try:
        version = asyncio.run(asyncio.wait_for(_version(site.database), ANSWER_LIMIT_S))
    except Exception as error:  # whatever a wrong address makes the driver raise
        said = " ".join(str(error).split()) or type(error).__name__
        raise InvalidRequest(
            "database", site.database_shown, f"does not answer ({said})", "see docs/operations.md"
        ) from None
    return f"{version.split(' on ')[0]}, {site.database_shown}"


async def _version(url: str) -> str:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return str((await connection.execute(text("select version()"))).scalar_one())
    finally:
        await engine.dispose()


def _schedules(site: Site) -> str:
    from flows.serve import collect

    found = collect(site.templates, site.schedules)
    planned = sum(len(one.schedules) for one in found)
    return f"{len(found)} deployments, {planned} schedules"


def _profile(site: Site) -> str:
    from tasks.settings import Settings

    named = site.profile or Settings().profile
    chips = sum(resolve(part).chips for part in named.split("+"))
    return f"{named}: {chips} chips"


def free_bytes(path: Path) -> int:
    """Room on the disk of a folder that may not be there yet."""
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    while not path.exists():
        path = path.parent
    return path


def _me() -> str:
    return f"user {os.getuid()}"
