"""Where a group's server keeps its things and how it is reached; the environment of all its processes."""

import fcntl
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from domains.errors import InvalidRequest

LOCAL = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("", "0.0.0.0", "::")
USER = "admin"
REPORTS = "/reports"  # where the server shows them
SHORTEST_PASSWORD = 12
# Each line of a run says whose it is: one word finds all of them.
LOG_LINE = "%(asctime)s %(levelname)s run=%(flow_run_id)s "
PASSWORD_VARIABLE = "AI4S_SERVE_PASSWORD"


@dataclass(frozen=True)
class Site:
    """One server with its data folder. The password is never shown."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 4200
    database: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    schedules: Path | None = None
    profile: str = ""
    runs_at_once: int = 2

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOCAL

    @property
    def url(self) -> str:
        """Where its own processes reach it."""
        host = "127.0.0.1" if self.host in EVERYWHERE else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def database_url(self) -> str:
        """Prefect's database: SQLite in the data folder unless another is named."""
        return self.database or f"sqlite+aiosqlite:///{self.data / 'prefect.db'}"

    @property
    def database_shown(self) -> str:
        """The same without its password."""
        return without_password(self.database_url)

    @property
    def runs(self) -> Path:
        """Where runs are kept: AI4S_RUNS, or in the data folder."""
        named = os.environ.get("AI4S_RUNS")
        return Path(named).expanduser().absolute() if named else self.data / "runs"

    @property
    def templates(self) -> Path:
        """Where people keep their templates: AI4S_TEMPLATES, or in the data folder."""
        named = os.environ.get("AI4S_TEMPLATES")
        return Path(named).expanduser().absolute() if named else self.data / "templates"

    @property
    def live(self) -> Path:
        """Where each process of a flow run holds a lock for as long as it lives."""
        return self.data / "live"

    @property
    def state(self) -> Path:
        """What ``--status`` reads of a server that is up."""
        return self.data / "serve.json"

    @property
    def worker(self) -> str:
        """The name of this site's worker: the same after each restart."""
        return f"ai4s-{socket.gethostname()}-{self.port}"

    def environment(self) -> dict[str, str]:
        """What the server, the worker and the runs run with."""
        changes = {
            "PREFECT_HOME": str(self.data / "prefect"),
            "PREFECT_API_URL": f"{self.url}/api",
            # Relative, so that the pages also work through a tunnel or a proxy.
            "PREFECT_SERVER_UI_API_URL": "/api",
            "PREFECT_SERVER_METRICS_ENABLED": "true",
            "PREFECT_WORKER_QUERY_SECONDS": "3",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database_url,
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
            "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": LOG_LINE + "%(message)s",
            "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": LOG_LINE + "stage=%(task_run_name)s %(message)s",
            "AI4S_RUNS": str(self.runs),
            "AI4S_TEMPLATES": str(self.templates),
            "AI4S_REPORTS_URL": REPORTS,
            "AI4S_SERVE_LIVE": str(self.live),
        }
        if self.profile:
            changes["AI4S_PROFILE"] = self.profile
        if self.password:
            login = f"{USER}:{self.password}"
            changes |= {
                "PREFECT_SERVER_API_AUTH_STRING": login,
                "PREFECT_API_AUTH_STRING": login,
                "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
            }
        return {**_plain(os.environ), **changes}


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what would point to another server, and without a password in a second place."""
    dropped = (PASSWORD_VARIABLE, "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_PROFILE")
    return {name: value for name, value in environment.items() if name not in dropped}


def without_password(url: str) -> str:
    """A database's address as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def database_of(url: str) -> str:
    """The address with the driver that Prefect needs; raises InvalidRequest for what it cannot use."""
    scheme, mark, rest = url.partition("://")
    known = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    if url and (not mark or known.get(scheme, scheme) not in ("postgresql+asyncpg", "sqlite+aiosqlite")):
        raise InvalidRequest(
            "database", without_password(url), "is no database that Prefect can use", "postgresql://USER@HOST:PORT/NAME"
        )
    return f"{known.get(scheme, scheme)}://{rest}" if url else ""


def read_password(file: Path | None) -> str:
    """The password of a file, or of the environment; empty where there is none. Raises InvalidRequest."""
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE, "")
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            "password file", str(file), f"cannot be read ({error})", "a text file with the password"
        ) from None
    if mode & 0o077:
        raise InvalidRequest("password file", str(file), "can be read by others", f"chmod 600 {file}")
    return text


def check_password(site: Site) -> None:
    """Raises InvalidRequest where a server that others can reach has no password, or one that is guessed."""
    if not site.is_local and not site.password:
        raise InvalidRequest(
            "host", site.host, "can be reached by others, and no password is set",
            f"--password-file FILE, or the environment's {PASSWORD_VARIABLE}",
        )  # fmt: skip
    if site.password and len(site.password) < SHORTEST_PASSWORD:
        raise InvalidRequest(
            "password", "***", "is too short", f"at least {SHORTEST_PASSWORD} characters: openssl rand -base64 24"
        )


def take(path: Path) -> IO[str] | None:
    """Hold a lock file for as long as this process lives; None when another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def is_held(path: Path) -> bool:
    """Whether a process that lives holds this lock file."""
    if not path.exists():
        return False
    file = take(path)
    if file is None:
        return True
    file.close()
    return False


def forget_dead(folder: Path) -> None:
    """Remove the lock files that nobody holds: for when nobody can take one."""
    for path in folder.glob("*"):
        if not is_held(path):
            path.unlink()
