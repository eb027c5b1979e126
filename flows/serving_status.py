"""How a site is: its server, database, worker, runs and disk, as one look tells."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from flows.serving_check import FREE_BYTES, OK, WARNING, WRONG, Finding, free_bytes
from flows.serving_site import USER, Site, is_held

# A worker tells of itself every 30 s.
SILENT = timedelta(seconds=90)
DAY = timedelta(days=1)
TIMEOUT_S = 10.0


def look(site: Site) -> list[Finding]:
    """One finding for each part; those after the first that does not answer are left out."""
    if not is_held(site.data / ".serve.lock"):
        return [Finding("server", WRONG, f"nothing serves {site.data}; start it: ai4s serve --data {site.data}")]
    noted = json.loads(site.state.read_text()) if site.state.exists() else {}
    url = noted.get("url", site.url)
    try:
        with logged_in(url, site.password) as client:
            return [Finding("server", OK, f"{url}, since {noted.get('since', '?')[:19]}"), *_parts(client, site)]
    except httpx.HTTPError as error:
        return [Finding("server", WRONG, f"{url} does not answer ({_why(error)})")]


@contextmanager
def logged_in(url: str, password: str) -> Iterator[httpx.Client]:
    """A client of a server's API with its login and its token against requests from other sites; raises HTTPError."""
    auth = (USER, password) if password else None
    with httpx.Client(base_url=f"{url}/api", auth=auth, timeout=TIMEOUT_S) as client:
        answer = client.get("/csrf-token", params={"client": "ai4s"})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            answer.raise_for_status()
        if answer.is_success:  # it has none where it serves this machine only
            client.headers.update({"Prefect-Csrf-Token": answer.json()["token"], "Prefect-Csrf-Client": "ai4s"})
        yield client


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.UNAUTHORIZED:
        return "wrong or no password: --password-file FILE"
    return f"{type(error).__name__}: {error}"


def _parts(client: httpx.Client, site: Site) -> Iterator[Finding]:
    yield _database(client)
    yield _worker(client)
    yield from _runs(client)
    yield _next(client)
    free = free_bytes(site.data)
    yield Finding("disk", OK if free > FREE_BYTES else WRONG, f"{free / 2**30:,.1f} GiB free")


def _database(client: httpx.Client) -> Finding:
    ready = client.get("/ready")
    return Finding("database", OK if ready.is_success else WRONG, "answers" if ready.is_success else ready.text[:200])


def _worker(client: httpx.Client) -> Finding:
    answer = client.post("/work_pools/ai4s/workers/filter", json={})
    answer.raise_for_status()
    now = datetime.now(UTC)
    alive = [one["name"] for one in answer.json() if now - _time(one["last_heartbeat_time"]) < SILENT]
    return Finding("worker", OK if alive else WRONG, ", ".join(alive) or "none has told of itself lately")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _runs(client: httpx.Client) -> Iterator[Finding]:
    """Runs by state: those that wait or go, late ones, and what ended without a result in the last day."""
    since = (datetime.now(UTC) - DAY).isoformat()
    for what, which, bad in (
        ("runs under way", {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}, OK),
        ("runs that wait for a person", {"state": {"type": {"any_": ["PAUSED"]}}}, OK),
        ("late runs", {"state": {"name": {"any_": ["Late"]}}}, WARNING),
        (
            "failed or crashed, last day",
            {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}, "start_time": {"after_": since}},
            WARNING,
        ),
    ):
        answer = client.post("/flow_runs/count", json={"flow_runs": which})
        answer.raise_for_status()
        yield Finding(what, bad if answer.json() else OK, str(answer.json()))


def _next(client: httpx.Client) -> Finding:
    which = {"state": {"type": {"any_": ["SCHEDULED"]}}}
    answer = client.post("/flow_runs/filter", json={"flow_runs": which, "sort": "EXPECTED_START_TIME_ASC", "limit": 1})
    answer.raise_for_status()
    if not answer.json():
        return Finding("next run", OK, "none is scheduled")
    (run,) = answer.json()
    return Finding("next run", OK, f"{run['name']}, {run['expected_start_time'][:19]} UTC")
