"""Start a flow from the command line: Prefect's server first, then the flow."""

import importlib
import logging
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from domains.errors import InvalidRequest
from domains.templates import Pipeline

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
    """Where there is no terminal for bars, the lines that go to the run's page go to the log as well."""
    log = logging.getLogger("ai4s")
    if not sys.stderr.isatty():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)


def _prefect_server() -> tuple[str, Callable[[], None]]:
    """The server that is named, which must answer, or one of our own; its address, and a wait until it is there."""
    from prefect.client.orchestration import get_client
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    from flows.server import OwnServer

    url = get_current_settings().api.url
    if url is None:
        own = OwnServer()
        os.environ["PREFECT_API_URL"] = f"{own.url}/api"
        refresh_global_settings_context()
        return own.url, own.wait
    try:
        with get_client(sync_client=True) as client:
            problem = client.api_healthcheck()
    except Exception as error:  # whatever a wrong address makes the client raise
        problem = error
    if problem is not None:
        raise InvalidRequest(
            "PREFECT_API_URL",
            url,
            f"no Prefect server answers there ({problem})",
            "start it with 'prefect server start', or unset the variable to use one of its own",
        )
    return url.removesuffix("/api"), lambda: None


def execute(pipeline: Pipeline, request: Any) -> dict[str, Any]:
    """Check a request, run its flow in this process, return its result; raises what a person did wrong before it starts."""
    prepare_environment()  # before anything imports Prefect
    from rich.console import Console

    from tasks.run import open_store, place_of, run_name
    from tasks.words import duration

    _log_to_terminal()
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    profile, topologies = place_of(request)
    checked = pipeline.check(request)
    name = run_name(pipeline.name, checked, request)
    url, wait = _prefect_server()
    with console.status("Starting the Prefect server ..."):
        open_store(pipeline.name, request, checked).close()
        chips = sum(topology.chips for topology in topologies)
        expected = sum(stage.chip_s for stage in checked.plan()) / chips
        console.print(f"{checked.summary}, on {profile}: {chips} chips, about {duration(expected)}.")
        module = pipeline.name.replace("-", "_")
        flow = getattr(importlib.import_module(f"flows.{module}"), module)
        wait()
    console.print(f"Run {name}; watch it at {url}")
    return _interruptible(flow, request, name)


def _interruptible(flow: Any, request: Any, name: str) -> dict[str, Any]:
    """Run the flow; Ctrl-C and the page's Cancel end it with what to do next."""
    from flows.cancel import CancelWatch

    watch = CancelWatch()
    try:
        result: dict[str, Any] = flow.with_options(on_running=[watch.start])(request)
    except KeyboardInterrupt:
        print(f"Stopped; finished shards are kept. Go on with: ai4s resume {name}", file=sys.stderr)
        watch.confirm()
        sys.exit(130)
    return result
