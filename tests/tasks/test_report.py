"""The report of a run: where its shards ran and what moved, over its sessions, and of runs that nobody counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.launch import Pod
from cluster.scheduler.traffic import Moved
from cluster.topology import Topology
from tasks import run as runs
from tasks.hub.ran import Work, ran_map
from tasks.report import Findings, write_report
from tasks.run import Run, open_run
from tasks.stage import run_stage
from tasks.traffic import add_up, by_level, readable
from tasks.words import Text
from tests.tasks.test_stage import batch_stage


class Request:
    name, profile = "mine", "emulated:two-supernodes"

    def identity(self) -> dict[str, object]:
        return {"rows": 500}


class Checked:
    label, summary = "mine", "500 numbers"
    facts: dict[str, str] = {}  # noqa: RUF012

    def plan(self) -> list[Any]:
        return []


FINDINGS = Findings(Text("Numbers", "数字"), Text("Doubled.", "已加倍。"), [], [], [], {}, [])


@pytest.fixture
def session(tmp_path: Path, pod: Pod, numbers: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run it, or take it up again, on the pod that is there."""
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path))

    class Lent:
        def __enter__(self) -> Pod:
            return pod

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(runs, "start", lambda profile: Lent())

    def once(*, fails: bool = False) -> Run:
        with open_run("test", Request(), Checked()) as run:
            run_stage(run, batch_stage(), numbers(500))
            if fails:
                raise ZeroDivisionError
            write_report(run, FINDINGS)
        return run

    return once


def sessions(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "provenance.json").read_text())["sessions"]


def test_a_run_says_where_it_ran_and_what_moved(session: Any, tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level("INFO", logger="ai4s"):
        run = session()
    assert any(line.startswith("hub map: http://127.0.0.1:") and line.endswith("/hub") for line in caplog.messages)
    page = (tmp_path / "mine" / "report.html").read_text()
    (svg,) = [part for part in page.split("<figure") if 'class="hub-map"' in part]
    for place in ("sn0/host0", "sn1/host0"):
        shards = sum(shard.place.startswith(place) for shard in run.stages[0].shards)
        assert f"{place}: " in svg
        assert f"{shards} shards" in svg
    assert "Bytes by fabric level" in page
    assert "between supernodes" in page
    assert "<script src" not in page
    (first,) = sessions(tmp_path / "mine")
    assert first["traffic"]["tasks"] > 500 * 8
    assert list(first["traffic"]["levels"]) == ["host", "supernode", "hub"]


def test_sessions_add_up_and_one_that_failed_counts(session: Any, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        session(fails=True)
    (first,) = sessions(tmp_path / "mine")
    assert first["traffic"]["tasks"] > 0
    run = session()
    both = sessions(tmp_path / "mine")
    assert [("traffic" in one) for one in both] == [True, True]
    told = by_level(both, [pod.topology for pod in run.pods])
    assert told is not None
    assert told["uncounted"] == 0
    tasks = sum(one["traffic"]["tasks"] for one in both)
    assert readable(tasks) in {nbytes for name, nbytes in told["rows"] if name.en.startswith("tasks")}


def test_a_run_that_nobody_counted_has_a_report(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pod, "traffic", lambda self: None)
    session()
    assert "Bytes by fabric level" not in (tmp_path / "mine" / "report.html").read_text()


def test_one_host_says_that_all_stayed_on_it(one_host: Any) -> None:
    told = by_level([{"traffic": Moved({"host": 5, "supernode": 0, "hub": 0}, 7, 9)._asdict()}, {}], [one_host])
    assert told is not None
    assert told["said"].en == "One host: all stayed on it."
    assert told["uncounted"] == 1
    svg = ran_map(one_host, {"local/me/0": Work(3, 6.0, 3.0), "gone/host/0": Work(1, 1.0, 1.0)}, 12.0)
    assert "local/me: 25%" in svg
    assert "50% in engine" in svg


@pytest.fixture
def one_host() -> Topology:
    kind = {"title": "CPU core", "device": "cpu", "memory": {"value": 2, "unit": "GiB", "status": "assumed"}}
    tree = [{"name": "local", "of": [{"name": "me", "chips": {"core": 2}}]}]
    return Topology.model_validate({"name": "laptop", "title": "This", "kinds": {"core": kind}, "tree": tree})


def test_levels_of_one_name_are_one() -> None:
    one = Moved({"host": 1, "supernode": 2, "hub": 3}, 4, 5)
    other = Moved({"host": 10, "supernode": 20, "cluster": 30, "hub": 40}, 50, 60)
    assert add_up([one, other]) == Moved({"host": 11, "supernode": 22, "hub": 43, "cluster": 30}, 54, 65)
