"""What ``ai4s serve`` looks at before it starts, and what it makes of schedules and templates: no server is started."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from domains.errors import InvalidRequest
from domains.templates import PIPELINES
from flows.cli import main
from flows.serve import collect
from flows.serving_backup import back_up
from flows.serving_schedules import timing
from flows.serving_site import Site, forget_dead, is_held, take, without_password

GOOD = {
    "climate-ensemble": {
        "limit": 1,
        "schedules": [
            {"name": "nightly", "cron": "0 2 * * *", "timezone": "Asia/Shanghai", "parameters": {"members": 16}},
            {"name": "often", "interval": "6h", "active": False},
        ],
    },
    "ask": {"schedules": [{"name": "weekly", "cron": "0 8 * * 1", "parameters": {"sentence": "dock 10 molecules"}}]},
}


def write(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "schedules.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def invoke(*words: str, tmp_path: Path, **environment: str | None):
    environment = {"AI4S_SERVE_PASSWORD": None, "AI4S_SERVE_DATABASE": None, "AI4S_PROFILE": None, **environment}
    return CliRunner().invoke(main, ["serve", "--data", str(tmp_path / "data"), *words], env=environment)


def checked(*words: str, tmp_path: Path, **environment: str | None) -> dict[str, tuple[str, str]]:
    """The findings of --check by what they are of."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = invoke("--check", "--json", "--port", str(port), *words, tmp_path=tmp_path, **environment)
    found = {one["what"]: (one["state"], one["words"]) for one in json.loads(result.stdout)}
    assert result.exit_code == any(state == "wrong" for state, _ in found.values())
    return found


def test_every_pipeline_and_ask_is_served_with_its_schedules(tmp_path):
    found = {one.name: one for one in collect(tmp_path / "none", write(tmp_path, GOOD))}
    assert found.keys() == {*PIPELINES, "ask"}
    assert {one.queue for name, one in found.items() if name != "ask"} == {"default"}
    assert found["ask"].queue == "ask"
    climate = found["climate-ensemble"]
    nightly, often = climate.schedules
    assert climate.limit == 1
    assert nightly.parameters["request"]["members"] == 16
    assert nightly.parameters["request"]["model"] == "ebm"  # in full, so that the form is filled
    assert timing(nightly).timezone == "Asia/Shanghai"
    assert timing(often).interval.total_seconds() == 6 * 3600
    assert (often.active, often.parameters) == (False, {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("climate-ensemble: [", "schedules"),
        ("- a", "is no mapping"),
        ({"climate-ensembel": {}}, "closest: climate-ensemble"),
        ({"climate-ensemble": {"limits": 1}}, "limits: unknown field; did you mean limit"),
        ({"climate-ensemble": {"limit": 0}}, "limit = 0"),
        ({"ask": {"schedules": [{"name": "n", "cron": "0 25 * * *"}]}}, "cron = '0 25 * * *'"),
        ({"ask": {"schedules": [{"name": "n", "cron": "0 2 * *"}]}}, "needs five fields"),
        ({"ask": {"schedules": [{"name": "n", "cron": "0 2 31 2 *"}]}}, "'0 2 * * *' is every night"),
        ({"ask": {"schedules": [{"name": "n", "interval": "6 hours"}]}}, "write 30m, 6h or 1d"),
        ({"ask": {"schedules": [{"name": "n", "interval": 5}]}}, "shorter than a minute"),
        ({"ask": {"schedules": [{"name": "n"}]}}, "either cron or interval"),
        ({"ask": {"schedules": [{"name": "n", "interval": "1h", "timezone": "Asia/Shanghei"}]}}, "Asia/Shanghai"),
        ({"ask": {"schedules": [{"name": "n", "interval": "1h"}, {"name": "n", "interval": "2h"}]}}, "the same name"),
        ({"ask": {"schedules": [{"name": "n", "interval": "1h", "parameters": {"sentnce": ""}}]}}, "sentence, profile"),
        (
            {"climate-ensemble": {"schedules": [{"name": "n", "interval": "1h", "parameters": {"members": -1}}]}},
            "members = -1",
        ),
        ({"drug-screening": {"parameters": {"serach": 1}}}, "serach: unknown field; did you mean search"),
    ],
)
def test_a_wrong_schedule_is_one_finding_that_names_the_field(content, words, tmp_path):
    state, said = checked("--schedules", str(write(tmp_path, content)), tmp_path=tmp_path)["schedules"]
    assert state == "wrong"
    assert words in said
    assert not (tmp_path / "data").exists()


def test_a_check_that_finds_nothing_starts_nothing(tmp_path):
    found = checked("--schedules", str(write(tmp_path, GOOD)), tmp_path=tmp_path)
    assert {state for state, _ in found.values()} == {"ok"}
    assert "3 schedules" in found["schedules"][1]
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        state, said = checked("--port", port, tmp_path=tmp_path)["port"]
        assert (state, port in said) == ("wrong", True)
        result = invoke("--port", port, tmp_path=tmp_path)  # and a start is refused with the same words
    assert result.exit_code == 2
    assert "cannot listen at 127.0.0.1" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (0o644, "correct horse battery", "chmod 600"),
        (0o600, "tiny-one", "at least 12 characters"),
        (None, "", "cannot be read"),
    ],
)
def test_a_wrong_password_file_is_said_without_its_content(mode, text, words, tmp_path):
    file = tmp_path / "password"
    if mode is not None:
        file.write_text(text + "\n")
        file.chmod(mode)
    result = invoke("--check", "--password-file", str(file), tmp_path=tmp_path)
    assert result.exit_code != 0
    assert words in " ".join(result.output.split())
    assert not text or text not in result.output


def test_beyond_this_machine_nothing_starts_without_a_password(tmp_path):
    state, said = checked("--host", "0.0.0.0", tmp_path=tmp_path)["password"]
    assert state == "wrong"
    assert "--password-file" in said
    assert "no password is set" in invoke("--host", "0.0.0.0", "--port", "4999", tmp_path=tmp_path).output
    found = checked("--host", "0.0.0.0", tmp_path=tmp_path, AI4S_SERVE_PASSWORD="correct horse battery")
    assert found["password"][0] == "warning"
    assert "TLS" in found["password"][1]


def test_the_environment_of_a_site_turns_login_and_csrf_on_and_carries_no_other_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("AI4S_SERVE_PASSWORD", "correct horse battery")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "somebody:else")
    site = Site(tmp_path, host="0.0.0.0", password="correct horse battery")
    environment = site.environment()
    assert environment["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    assert environment["PREFECT_SERVER_API_AUTH_STRING"] == "admin:correct horse battery"
    assert "AI4S_SERVE_PASSWORD" not in environment
    assert "somebody:else" not in environment.values()
    assert "correct horse" not in repr(site)


def test_a_database_that_is_away_or_wrong_is_said_without_its_password(tmp_path):
    url = "postgresql://me:topsecret@127.0.0.1:9/hub"
    state, said = checked(tmp_path=tmp_path, AI4S_SERVE_DATABASE=url)["database"]
    assert (state, "does not answer" in said, "topsecret" in said) == ("wrong", True, False)
    typed = invoke("--check", "--database", url, tmp_path=tmp_path)
    assert typed.exit_code == 2
    assert "list of processes" in typed.output
    assert "topsecret" not in typed.output
    assert "is no database" in invoke("--check", "--database", "mysql://me@there/hub", tmp_path=tmp_path).output
    assert without_password(url) == "postgresql://me:***@127.0.0.1:9/hub"


def test_a_data_folder_that_is_served_already_is_refused(tmp_path):
    lock = take(tmp_path / "data" / ".serve.lock")
    assert lock is not None
    assert checked(tmp_path=tmp_path)["data folder"][0] == "wrong"
    lock.close()
    assert checked(tmp_path=tmp_path)["data folder"][0] != "wrong"


def test_a_disk_that_is_nearly_full_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.serving_check.FREE_BYTES", 2**62)
    state, said = checked(tmp_path=tmp_path)["disk"]
    assert (state, "MiB free" in said) == ("wrong", True)


def test_a_profile_that_is_unknown_is_said(tmp_path):
    state, said = checked("--profile", "slrum", tmp_path=tmp_path)["profile"]
    assert (state, "unknown profile 'slrum'" in said) == ("wrong", True)


def test_the_status_of_what_is_not_served_says_how_to_start_it(tmp_path):
    result = invoke("--status", tmp_path=tmp_path)
    assert result.exit_code == 1
    assert "start it: ai4s serve" in " ".join(result.output.split())


def test_a_lock_is_held_as_long_as_its_process_lives(tmp_path):
    lock = take(tmp_path / "live" / "a")
    assert take(tmp_path / "live" / "a") is None
    (tmp_path / "live" / "b").touch()
    forget_dead(tmp_path / "live")
    assert [path.name for path in (tmp_path / "live").iterdir()] == ["a"]
    lock.close()
    assert not is_held(tmp_path / "live" / "a")
    assert not is_held(tmp_path / "live" / "never")


def test_a_backup_is_a_database_that_opens_and_copies_only_what_is_new(tmp_path, monkeypatch):
    monkeypatch.delenv("AI4S_RUNS", raising=False)
    monkeypatch.delenv("AI4S_TEMPLATES", raising=False)
    site, target = Site(tmp_path / "data"), tmp_path / "backup"
    shard = site.runs / "nightly" / "dock" / "shard-1.parquet"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"rows")
    with pytest.raises(InvalidRequest, match="there is no database yet"):
        list(back_up(site, target))
    live = sqlite3.connect(site.data / "prefect.db")  # and it is open for writing while it is copied
    live.execute("pragma journal_mode=wal")
    live.execute("create table run (name)")
    live.execute("insert into run values ('one')")
    live.commit()
    assert "1 files, 1 new" in list(back_up(site, target))[1]
    live.execute("insert into run values ('two')")
    live.commit()
    assert "1 files, 0 new" in list(back_up(site, target))[1]
    live.close()
    copy = sqlite3.connect(target / "prefect.db")
    assert copy.execute("select count(*) from run").fetchone() == (2,)
    copy.close()
    assert (target / "runs" / "nightly" / "dock" / "shard-1.parquet").read_bytes() == b"rows"
    with pytest.raises(InvalidRequest, match="lies in the data folder"):
        list(back_up(site, site.data / "backup"))


def test_what_prefects_own_command_deploys_is_what_is_served(tmp_path):
    written = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())
    served = {one.name: one for one in collect(tmp_path / "none")}
    assert {one["name"]: one["entrypoint"] for one in written["deployments"]} == {
        name: one.entrypoint for name, one in served.items()
    }
    assert {one["name"]: one["work_pool"]["work_queue_name"] for one in written["deployments"]} == {
        name: one.queue for name, one in served.items()
    }
