"""A served hub as a group has it: a login, a schedule, forms and approvals in a real browser, faults and a restart."""

import base64
import http.server
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest
import yaml
from click.testing import CliRunner

from benchmarks.serving_hub import Hub, deploy_counted, hub, prefect_client, states, until_ended
from flows.cli import main
from tests.flows.browser import Page, browser

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
ASKED = "Run an ensemble of 8 energy balance models"
SOON = {"climate-ensemble": {"schedules": [{"name": "often", "interval": "1m", "parameters": {"members": 8}}]}}
PICTURES = os.environ.get("AI4S_PICTURES")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "schedules.yaml").write_text(yaml.safe_dump(SOON))
    options = ["--schedules", str(folder / "schedules.yaml"), "--profile", "emulated:two-supernodes"]
    with hub(folder / "data", password=PASSWORD, options=[*options, "--runs-at-once", "3"]) as one:
        yield one


@pytest.fixture
def client(served: Hub) -> Iterator[httpx.Client]:
    with served.client() as one:
        yield one


@pytest.fixture(scope="module")
def prefect(served: Hub):
    with prefect_client(served) as one:
        yield one


@pytest.fixture(scope="module")
def page(served: Hub) -> Iterator[Page]:
    """A browser in which a person has logged in."""
    with browser(1280, 1000) as one:
        one.go(f"{served.url}/dashboard")
        one.until("Login")
        assert "Deployments" not in one.text
        one.type("input", f"admin:{PASSWORD}")
        one.click("Login")
        one.until("Deployments")
        yield one


def shot(page: Page, name: str) -> None:
    """Keep a picture for the docs where a person asks for them."""
    if PICTURES:
        page.shot(Path(PICTURES) / f"{name}.png")


def says(words: str) -> str:
    """Whether this can be read on the page, as JavaScript."""
    return f"document.body.innerText.includes({json.dumps(words)})"


def deployment(client: httpx.Client, name: str) -> str:
    return str(client.get(f"/deployments/name/{name}/{name}").raise_for_status().json()["id"])


def newest(client: httpx.Client, name: str, run: str, limit_s: float = 180) -> dict:
    """The run of a deployment that gets this name when it starts."""
    body = {"deployments": {"name": {"any_": [name]}}, "flow_runs": {"name": {"any_": [run]}}}
    end = time.monotonic() + limit_s
    while not (found := client.post("/flow_runs/filter", json=body).json()):
        assert time.monotonic() < end, f"{run} has not started"
        time.sleep(0.3)
    return found[0]


def until_state(client: httpx.Client, run: str, *names: str, limit_s: float = 240) -> dict:
    end = time.monotonic() + limit_s
    while (found := client.get(f"/flow_runs/{run}").json())["state_name"] not in names:
        assert time.monotonic() < end, found["state"]
        assert found["state_type"] != "FAILED", found["state"]
        time.sleep(0.3)
    return found


@pytest.mark.parametrize("auth", [None, ("admin", "wrong password"), ("", "")])
def test_who_does_not_log_in_sees_nothing(served: Hub, auth) -> None:
    with httpx.Client(base_url=f"{served.url}/api", auth=auth, timeout=60) as stranger:
        for path in ("/flow_runs/filter", "/deployments/filter", "/block_documents/filter", "/logs/filter"):
            assert stranger.post(path, json={}).status_code in (401, 403), path
        for path in (
            "/admin/settings",
            "/csrf-token?client=a",
            "/metrics",
            "/variables/name/health",
            "/health/../flows",
        ):
            assert stranger.get(path).status_code in (401, 403, 404), path
        assert stranger.get("/health").is_success  # all that a probe needs


def test_a_request_from_another_site_is_refused(served: Hub) -> None:
    """A browser would send the login along; without this server's token nothing changes."""
    client = httpx.Client(base_url=f"{served.url}/api", auth=("admin", PASSWORD), timeout=60)
    where, body = "/variables/", {"name": "planted", "value": "1"}
    assert client.post(where, json=body).status_code == 403
    assert (
        client.post(where, json=body, headers={"Prefect-Csrf-Token": "x", "Prefect-Csrf-Client": "y"}).status_code
        == 403
    )
    told = client.get("/csrf-token", params={"client": "test"}).json()
    headers = {"Prefect-Csrf-Token": told["token"], "Prefect-Csrf-Client": "test"}
    assert client.post(where, json=body, headers=headers).status_code == 201
    other = httpx.get(f"{served.url}/api/health", headers={"Origin": "http://elsewhere.example"})
    assert other.headers.get("access-control-allow-credentials") != "true"
    client.close()


def test_the_status_tells_of_all_parts_and_wants_the_password(served: Hub) -> None:
    words = ["serve", "--data", str(served.data), "--status", "--json"]
    end = time.monotonic() + 180
    while True:  # a worker tells of itself some seconds after its start
        known = CliRunner().invoke(main, words, env={"AI4S_SERVE_PASSWORD": PASSWORD}, catch_exceptions=False)
        found = {one["what"]: one["state"] for one in json.loads(known.stdout)}
        assert (found["server"], found["database"]) == ("ok", "ok")
        if found["worker"] == "ok":
            break
        assert time.monotonic() < end, known.stdout
        time.sleep(1)
    assert known.exit_code == 0, known.stdout
    wrong = CliRunner().invoke(main, words, env={"AI4S_SERVE_PASSWORD": "wrong password"})
    assert wrong.exit_code == 1
    assert "wrong or no password" in wrong.stdout


@pytest.mark.parametrize(
    "path",
    ["/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/api/static/../../server.py", "/..%2f..%2fprefect.db",
     "/assets/..%5c..%5cprefect.db", "/reports/../prefect.db", "/reports/%2e%2e/prefect.db", "/api/static/%2e%2e/%2e%2e/api/server.py", "//etc/passwd"],
)  # fmt: skip
def test_no_path_leads_out_of_the_pages(served: Hub, path: str) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as raw:  # as written: a client would tidy it
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] in (b"200", b"307", b"400", b"401", b"404")
    for secret in (b"root:", b"SQLite format", b"def create_app", b"import "):
        assert secret not in answer.partition(b"\r\n\r\n")[2], path


def test_metrics_are_there_for_prometheus(client: httpx.Client) -> None:
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert "process_cpu_seconds_total" in told.text


@contextmanager
def receiver() -> Iterator[tuple[str, list[str]]]:
    """A chat's webhook: its address, and what it was told."""
    told: list[str] = []

    class Told(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()


def test_a_form_filled_in_the_browser_runs_and_its_report_opens_and_is_told(
    served: Hub, client: httpx.Client, prefect, page: Page
) -> None:
    from flows.serving_automations import notify

    form = f"{served.url}/deployments/deployment/{deployment(client, 'climate-ensemble')}/run"
    with receiver() as (address, told):
        notify(address, ["Completed"])
        page.go(form)
        page.until("Members / 成员数")
        shot(page, "form")
        # What is wrong is said where the person is; what is right starts.
        for value, said in (
            ("0", "'request.members'. Failure reason: 0 is less than the minimum of 1"),
            ("12", "to start now"),
        ):
            page.type("input[type=number]", value)
            page.submit(says(said))
        run = newest(client, "climate-ensemble", "climate-ebm-12")
        until_state(client, run["id"], "Completed")
        page.go(f"{served.url}/runs/flow-run/{run['id']}")
        page.until("Members: done, 12 rows")  # how far it came: the log
        page.click("Artifacts", "button, [role=tab], li, span")
        page.click("climate-ensemble-summary", "a, h1, h2, h3, h4, span, div")
        page.until("Report / 报告")
        shot(page, "run")
        link = page.run("[...document.querySelectorAll('a')].find(one => one.href.includes('/reports/')).href")
        page.go(link.replace("//", f"//admin:{quote(PASSWORD)}@", 1))  # a person types them once
        page.until("Climate sensitivity of 12")
        assert page.run("(() => { try { return !!localStorage } catch { return false } })()") is False
        shot(page, "report")
        stranger = httpx.get(link, timeout=60)
        assert (stranger.status_code, stranger.headers["www-authenticate"][:5]) == (401, "Basic")
        assert httpx.get(link, auth=("admin", "wrong password"), timeout=60).status_code == 401
        # As with everything that changes something, without a token.
        assert httpx.post(link, auth=("admin", PASSWORD), timeout=60).status_code == 403
        hidden = httpx.get(f"{served.url}/reports/.hidden", auth=("admin", PASSWORD), timeout=60)
        assert hidden.status_code == 404
        (folder,) = (served.data / "runs").glob("climate-ensemble-ebm-12-*")
        report = (folder / "report.html").read_text()
        assert "<html" in report
        assert PASSWORD not in report
        end = time.monotonic() + 120
        while not any("climate-ebm-12" in one for one in told):
            assert time.monotonic() < end, told
            time.sleep(0.2)


def test_a_sentence_in_the_browser_pauses_is_edited_approved_and_runs(
    served: Hub, client: httpx.Client, page: Page
) -> None:
    page.go(f"{served.url}/deployments/deployment/{deployment(client, 'ask')}/run")
    page.until("sentence")
    page.type("textarea", ASKED)
    page.submit(says("to start now"))
    end = time.monotonic() + 180
    while not (
        paused := client.post("/flow_runs/filter", json={"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}).json()
    ):
        assert time.monotonic() < end
        time.sleep(0.3)
    run = paused[0]["id"]
    page.go(f"{served.url}/runs/flow-run/{run}")
    page.click("Resume")
    page.until("Run it / 运行")
    page.until("Members / 成员数")
    page.until("climate-ensemble; members = 8; 2 chips (two-supernodes)")  # the plan in short, where it is seen
    shot(page, "approval")
    page.type("[role=dialog] input[type=number], .p-modal input[type=number]", "10")
    page.submit("!document.querySelector('[role=dialog], .p-modal')")
    until_state(client, run, "Completed")
    (folder,) = (served.data / "runs").glob("climate-ensemble-ebm-10-*")
    assert json.loads((folder / "request.json").read_text())["request"]["members"] == 10
    assert ASKED in (folder / "report.html").read_text()


def test_a_cancel_on_the_page_frees_the_chips(served: Hub, client: httpx.Client, prefect) -> None:
    key = deployment(client, "climate-ensemble")
    run = prefect.create_flow_run_from_deployment(key, parameters={"request": {"members": 5000}}).id
    until_state(client, str(run), "Running")
    worker = served.child("worker")
    end = time.monotonic() + 180
    while not any("tasks.child" in " ".join(words(one)) for one in worker.children(recursive=True)):
        assert time.monotonic() < end
        time.sleep(0.2)
    from prefect.states import Cancelling

    mine = worker.children(recursive=True)
    prefect.set_flow_run_state(run, Cancelling(), force=True)
    until_state(client, str(run), "Cancelled", limit_s=120)
    assert not psutil.wait_procs(mine, timeout=120)[1]  # the schedule may have started others since


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def done(served: Hub, name: str) -> list[str]:
    return (served.data / "runs" / name / "done.txt").read_text().split()


def test_runs_go_on_where_they_stopped_when_the_worker_dies_and_the_server_is_restarted(
    served: Hub, client: httpx.Client, prefect
) -> None:
    key, many = deploy_counted(prefect), 30
    people = {"schedule": {"cron": "0 3 * * *"}, "active": True, "slug": "mine"}
    prefect.request("POST", "/deployments/{id}/schedules", path_params={"id": deployment(client, "ask")}, json=[people])
    runs = [
        prefect.create_flow_run_from_deployment(key, parameters={"name": name, "steps": many, "seconds": 0.4}).id
        for name in ("first", "second")
    ]
    asked = prefect.create_flow_run_from_deployment(deployment(client, "ask"), parameters={"sentence": ASKED}).id
    until_state(client, str(asked), "Paused")
    while not all((served.data / "runs" / name / "done.txt").exists() for name in ("first", "second")):
        time.sleep(0.2)
    served.child("worker").kill()
    end = time.monotonic() + 180
    while not any(one.run_count == 2 for one in states(prefect, runs)):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert served.stop(signal.SIGTERM) == 0
    assert not (served.data / "serve.json").exists()
    served.start()
    found = until_ended(prefect, runs, 240)
    assert all(one.state.is_completed() for one in found), [one.state for one in found]
    for name in ("first", "second"):
        assert sorted(map(int, done(served, name))) == [*range(many)]  # none lost, none done twice
    until_state(client, str(asked), "Paused")  # it asks again: who had asked is gone
    assert prefect.read_flow_run(asked).run_count > 1
    assert prefect.resume_flow_run(asked, run_input={"run": False}).status.name == "ACCEPT"
    until_state(client, str(asked), "Completed")
    slugs = {one["slug"] for one in client.get(f"/deployments/{deployment(client, 'ask')}").json()["schedules"]}
    assert "mine" in slugs  # what a person scheduled on the page


def test_the_schedule_has_run_by_itself(client: httpx.Client) -> None:
    body = {"flow_runs": {"tags": {"all_": ["auto-scheduled"]}, "state": {"type": {"any_": ["COMPLETED"]}}}}
    assert client.post("/flow_runs/count", json=body).json() >= 1


def test_no_log_and_no_page_tells_the_password(served: Hub, client: httpx.Client) -> None:
    secrets = (PASSWORD, base64.b64encode(f"admin:{PASSWORD}".encode()).decode())
    for path in (*served.data.rglob("*.log"), served.log, *served.data.rglob("*.html"), *served.data.rglob("*.json")):
        text = path.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), path
    assert "run=" in (served.data / "logs" / "worker.log").read_text()
    logs = client.post("/logs/filter", json={"limit": 200}).text
    assert not any(secret in logs for secret in secrets)
    assert not re.search(r"correct horse", " ".join(" ".join(words(one)) for one in psutil.process_iter()))
