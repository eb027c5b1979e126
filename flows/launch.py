"""Start a flow from the command line: Prefect's server first, then the flow; and find the runs there are."""

import importlib
import json
import logging
import os
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domains.errors import InvalidRequest, closest
from domains.templates import Pipeline
from tasks.settings import Settings

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        key = f"{prefix}_{name.upper()}"
        if isinstance(value, Mapping):
            yield from _flatten(value, key)
        else:
            yield key, ",".join(value) if isinstance(value, list) else str(value)


def prepare_environment() -> None:
    """Prefect reads pyproject.toml in the current folder only: carry the project's settings to wherever the user is."""
    if PROJECT.exists():
        settings = tomllib.loads(PROJECT.read_text())["tool"]["prefect"]
        for key, value in _flatten(settings, "PREFECT"):
            os.environ.setdefault(key, value)
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # The terminal has the bars and one clear error; the Prefect page of the run has the log.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def _log_to_terminal() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    log = logging.getLogger("ai4s")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def _start_server() -> threading.Thread | None:
    """Make sure of a Prefect server: the one that is named must answer, else a temporary one starts in the background."""
    import httpx
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if url is None:
        thread = threading.Thread(target=SubprocessASGIServer().start, kwargs={"timeout": 120}, daemon=True)
        thread.start()
        return thread
    try:
        answer = httpx.get(f"{url}/health", timeout=10)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise InvalidRequest(
            "PREFECT_API_URL",
            url,
            f"no Prefect server answers there ({error})",
            "start it with 'prefect server start', or unset the variable to use a temporary one",
        ) from None
    return None


def execute(pipeline: Pipeline, request: Any) -> dict[str, Any]:
    """Check a request, run its flow in this process, return its result; raises what a person did wrong before it starts."""
    from rich.console import Console

    from tasks.report import duration
    from tasks.run import open_store, place_of, run_name

    prepare_environment()
    _log_to_terminal()
    console = Console(stderr=True, highlight=False)
    with console.status("Checking the request, starting the Prefect server ..."):
        profile, topology = place_of(request)
        checked = pipeline.check(request)
        server = _start_server()
        open_store(pipeline.name, request, checked).close()
        expected = sum(stage.chip_s for stage in checked.plan()) / topology.chips
        console.print(
            f"{checked.summary}, on {profile}: {topology.chips} chips, about {duration(expected)}.", soft_wrap=True
        )
        module = pipeline.name.replace("-", "_")
        flow = getattr(importlib.import_module(f"flows.{module}"), module)
        if server is not None:
            server.join()
    try:
        result: dict[str, Any] = flow(request)
    except KeyboardInterrupt:
        name = run_name(pipeline.name, checked.label, request)
        console.print(f"Stopped; finished shards are kept. Go on with: ai4s resume {name}", soft_wrap=True)
        sys.exit(130)
    return result


def list_runs() -> list[dict[str, Any]]:
    """Every run of the runs folder, newest first."""
    root = Settings().runs.expanduser()
    rows = []
    for noted in sorted(root.glob("*/request.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        folder = noted.parent
        finished = (folder / "report.html").exists()
        started = datetime.fromtimestamp(noted.stat().st_mtime, UTC)
        stages = sorted(folder.glob("*/stage.json"), key=lambda path: path.stat().st_mtime)
        rows.append(
            {
                "run": folder.name,
                "started": f"{started:%Y-%m-%d %H:%M}",
                "state": "finished" if finished else "unfinished",
                "last stage": stages[-1].parent.name if stages else "",
                "pipeline": json.loads(noted.read_text())["pipeline"],
            }
        )
    return rows


def _folder(run: str) -> Path:
    root = Settings().runs.expanduser()
    folder = root / run
    if not (folder / "request.json").exists():
        known = [row["run"] for row in list_runs()]
        near = closest(run, known) or known[:5]
        raise InvalidRequest(
            "run",
            run,
            f"no such run in {root.absolute()}",
            ", ".join(near) or "none yet; AI4S_RUNS names another folder",
        )
    return folder


def report_of(run: str) -> Path:
    """Path of a run's report."""
    path = _folder(run) / "report.html"
    if not path.exists():
        raise InvalidRequest("run", run, "is not finished, so it has no report yet", f"ai4s resume {run}")
    return path.absolute()


def request_of(run: str) -> tuple[str, dict[str, Any]]:
    """Pipeline and request of a run, as they were noted when it began."""
    noted = json.loads((_folder(run) / "request.json").read_text())
    return noted["pipeline"], noted["request"]
