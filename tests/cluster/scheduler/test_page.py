"""The live hub map: what it says of a pod at work, and how a browser shows it."""

import asyncio
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

import dask
import pytest
from distributed import Client, Event, Worker
from tornado.httpclient import AsyncHTTPClient

from cluster import page
from cluster.launch import Pod
from cluster.need import GangOf, Need
from cluster.scheduler import census
from tests.cluster.scheduler.pods import HOSTS, Label, run, specs
from tests.cluster.scheduler.pods import pod as small_pod

CHIPS = 8


def hold(event: str, *_: object) -> None:
    """Keep chips until the test says so."""
    Event(event).wait(120)


async def numbers(s: Any) -> dict[str, Any]:
    """What the scheduler's web server tells now."""
    page.View.of(s)._until = 0.0
    answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{s.http_server.port}/hub.json")
    return json.loads(answer.body)


async def until(s: Any, met: Any, limit_s: float = 60) -> dict[str, Any]:
    """The first numbers of which something is true."""
    end = time.monotonic() + limit_s
    while not met(told := await numbers(s)):
        assert time.monotonic() < end, told
        await asyncio.sleep(0.02)
    return told


def gang(client: Any, name: str, size: int, event: str, members: int | None = None, **need: Any) -> list[Any]:
    with dask.annotate(**Need(chips=CHIPS, gang=GangOf(id=name, size=size), **need).annotations()):
        keys = [f"{name}-{number}" for number in range(size if members is None else members)]
        return [client.submit(hold, event, key=key, pure=False) for key in keys]


def test_chips_gangs_and_tasks_are_told_as_they_are() -> None:
    async def check() -> None:
        async with small_pod() as (s, client):
            tasks = gang(client, "first", 2, "go")
            await until(s, lambda told: told["gangs"]["running"])
            tasks += client.map(hold, ["go"] * 20, pure=False, resources={"chip": 1})
            tasks += gang(client, "short", 3, "go", members=2)
            told = await until(
                s,
                lambda told: (
                    (told["tasks"]["for_chips"], told["tasks"]["running"]) == (4, 18)
                    and [one["ready"] for one in told["gangs"]["waiting"]] == [2]
                ),
            )
            assert told["kinds"] == {
                "a": {"held": 32, "reserved": 0, "free": 0, "lost": 0, "awaited": 0, "gangs": 16},
            }
            (running,), (waiting,) = told["gangs"]["running"], told["gangs"]["waiting"]
            assert (running["id"], running["size"], running["chips"], running["hosts"]) == ("first", 2, 16, 2)
            assert running["where"] in ("sn0", "sn1")
            assert (waiting["id"], waiting["why"], waiting["ready"]) == ("short", "members", 2)
            assert told["tasks"]["running"] == 18
            assert told["tasks"]["first_asks"] == "1 chip"
            assert told["levels"] == ["hub", "supernode", "host"]
            mine = next(each for each in told["supernodes"] if each["path"] == running["where"])
            assert [each["chips"] for each in mine["each"]] == [{"a": [["held", "first", 8]]}] * 2
            await Event("go", client=client).set()
            await client.cancel(tasks[-2:])
            await client.gather(tasks[:-2])
            told = await until(s, lambda told: told["kinds"]["a"]["free"] == 32)
            assert told["tasks"]["done"] == 22
            assert told["gangs"]["running"] == told["gangs"]["waiting"] == []

    run(check)


def test_a_waiting_gang_says_what_it_waits_for() -> None:
    async def check() -> None:
        async with small_pod() as (s, client):
            singles = [
                client.submit(hold, f"{host}-{number}", pure=False, workers=[host], resources={"chip": 4})
                for host in HOSTS
                for number in range(2)
            ]
            await until(s, lambda told: told["kinds"].get("a", {}).get("held") == 32)
            tasks = gang(client, "g", 2, "gang")
            told = await until(s, lambda told: [each["why"] for each in told["gangs"]["waiting"]] == ["chips"])
            (waiting,) = told["gangs"]["waiting"]
            assert (waiting["why"], waiting["chips"], waiting["free"], waiting["level"]) == (
                "chips",
                16,
                0,
                "supernode",
            )
            await asyncio.sleep(0.4)  # longer than a gang's patience
            for ends in ("sn1/h0-0", "sn1/h0-1", "sn1/h1-0"):
                await Event(ends, client=client).set()
            told = await until(s, lambda told: told["kinds"]["a"]["reserved"] == 12)
            (waiting,) = told["gangs"]["waiting"]
            assert (waiting["why"], waiting["hosts"], waiting["free"]) == ("drain", 2, 12)
            (mine,) = [each for each in told["supernodes"] if each["path"] == waiting["where"]]
            assert (mine["path"], mine["chips"]) == ("sn1", [["held", "", 4], ["reserved", "g", 12]])
            for ends in ("gang", *(f"{host}-{number}" for host in HOSTS for number in range(2))):
                await Event(ends, client=client).set()
            await client.gather(singles + tasks)

    run(check)


def test_chips_that_are_gone_are_lost_and_those_to_come_are_awaited(unlike: Any) -> None:
    async def check() -> None:
        hosts = ("c0/sn0/h0", "c0/sn0/h1")
        async with small_pod(specs(hosts), topology=unlike) as (s, client):
            told = await numbers(s)
            everything = {"held": 0, "reserved": 0, "gangs": 0}
            assert told["kinds"] == {"a": {**everything, "free": 16, "lost": 0, "awaited": 48}}
            assert [each["path"] for each in told["supernodes"]] == ["c0/sn0", "c0/sn1", "c1/sn0", "c1/sn1"]
            label = {"place": Label("c1/sn1/h0")}
            options = {"nthreads": 8, "resources": {"chip": 8, "chip.a": 8}, "startup_information": label}
            async with Worker(s.address, dashboard=False, **options):
                told = await numbers(s)
                assert told["kinds"] == {"a": {**everything, "free": 24, "lost": 0, "awaited": 40}}
            told = await until(s, lambda told: told["kinds"]["a"]["free"] == 16)
            assert told["kinds"] == {"a": {**everything, "free": 16, "lost": 8, "awaited": 40}}
            ws = next(iter(s.workers.values()))
            s.handle_worker_status_change("paused", ws, "test")
            told = await numbers(s)
            assert told["kinds"] == {"a": {**everything, "free": 8, "lost": 16, "awaited": 40}}
            s.handle_worker_status_change("running", ws, "test")
            await client.submit(int, 1)

    run(check)


def test_many_hosts_are_told_by_supernode_and_one_by_its_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        monkeypatch.setattr(page, "MOST_HOSTS", 3)
        async with small_pod() as (s, _):
            told = page.View.of(s).numbers()
            assert [each["hosts"] for each in told["supernodes"]] == [2, 2]
            assert not any("each" in each for each in told["supernodes"])
            told = page.View.of(s).numbers("sn1")
            assert [each["name"] for each in told["under"]["each"]] == ["h0", "h1"]
            url = f"http://127.0.0.1:{s.http_server.port}/hub.json?under=%3Cb%3E"
            answer = await AsyncHTTPClient().fetch(url, raise_error=False)
            assert answer.code == 404
            assert "there is no supernode '<b>' here" in json.loads(answer.body)["error"]

    run(check)


def test_who_watches_takes_a_small_share_of_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask, and however long it takes: the same answer serves them all for a while."""

    async def check() -> None:
        async with small_pod() as (s, _):
            looked = []
            monkeypatch.setattr(
                census, "hosts", lambda s, of=census.hosts: looked.append(1) or time.sleep(0.2) or of(s)
            )
            view = page.View(s)
            assert looked == []
            answers = [view.numbers() for _ in range(100)]
            assert len(looked) == 1
            assert answers[-1]["every_s"] >= 0.2 / page.MOST_SHARE

    run(check)


def fetch(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def busy(pod: Pod) -> Any:
    """The small hub with a gang over both of its supernodes, and tasks that wait for chips."""
    event = f"page-{time.time()}"
    with Client(pod.address, set_as_default=False) as client:
        notes = Need(gang=GangOf(id="<b>fold</b>", size=2), required="hub").annotations()
        with dask.annotate(**notes):
            tasks = [client.submit(hold, event, key=f"fold-{number}", pure=False) for number in range(2)]
        end = time.monotonic() + 60
        while not fetch(f"{pod.hub_map}.json")["gangs"]["running"] and time.monotonic() < end:
            time.sleep(0.2)
        tasks += client.map(hold, [event] * 3, pure=False, resources={"chip": 1})
        while fetch(f"{pod.hub_map}.json")["tasks"]["for_chips"] != 3 and time.monotonic() < end:
            time.sleep(0.2)
        yield pod
        Event(event, client=client).set()
        client.gather(tasks)


def test_a_real_pod_tells_where_its_chips_are(busy: Pod) -> None:
    told = fetch(f"{busy.hub_map}.json")
    assert told["hub"] == {"name": "two-supernodes", "title": "Two supernodes on one laptop"}
    assert told["kinds"]["core"]["gangs"] == 2
    assert [each["path"] for each in told["supernodes"]] == ["sn0", "sn1"]
    assert all(each["chips"] == [["held", "<b>fold</b>", 1]] for each in told["supernodes"])
    assert told["tasks"]["for_chips"] == 3
    assert [each["level"] for each in told["traffic"]["levels"]] == ["host", "supernode", "hub"]
    assert told["traffic"]["tasks"]["bytes"] > 0
    with urllib.request.urlopen(busy.hub_map, timeout=60) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not re.search(rb"https?://", answer.read())  # nothing is fetched from elsewhere


@pytest.fixture
def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed to show the page")
    return found


@pytest.mark.parametrize(
    ("language", "words"), [("en", ("gangs run", "Running (1)", "held by gangs")), ("zh", ("运行中 (1)", "作业组占用"))]
)
def test_a_browser_shows_it_in_both_languages(
    busy: Pod, browser: str, tmp_path: Any, language: str, words: tuple[str, ...]
) -> None:
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--no-first-run", f"--user-data-dir={tmp_path}", "--virtual-time-budget=4000", "--dump-dom"]
    shown = subprocess.run([*command, f"{busy.hub_map}#{language}"], capture_output=True, text=True, timeout=180)
    for word in (*words, "two-supernodes", "host0", "sn1", "&lt;b&gt;fold&lt;/b&gt;"):
        assert word in shown.stdout
    assert "<b>fold</b>" not in shown.stdout
