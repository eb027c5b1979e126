"""The command line as a person uses it."""

import json

import pytest
import yaml
from click.testing import CliRunner

from flows.cli import main
from tests.flows.screen import ai4s, options


def invoke(*words):
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["drug-screenin"], "unknown pipeline, closest: drug-screening, "),
        (["drug-screening", "--target", "EGFRR"], "unknown target 'EGFRR'; closest: EGFR"),
        (["drug-screening", "--top", "many"], "top = 'many': Input should be a valid integer"),
        (["drug-screening", "--top", "-3"], "top = -3: Input should be greater than or equal to 1"),
        (["drug-screening", "--library", "no.smi"], "no such file. Valid: nci-5k, wehi-10k, or the path of a file"),
        (["drug-screening", "--sample", "99999"], "sample = 99999: the library nci-5k has 4,999 records"),
        (["drug-screening", "--profile", "slrum"], "unknown profile 'slrum'; choose one of laptop, emulated:"),
        (["drug-screening", "--box.center", "0,0,0"], "off the receptor: 0 of its atoms lie inside"),
        (["drug-screening", "--box.center", "1,2"], "box.center.2"),
        (["drug-screening", "--exclude-alerts", "PAIN"], "exclude_alerts.0 = 'PAIN'"),
        (["drug-screening", "--top", "["], "top = '[': cannot be read as a value"),
        (["drug-screening", "--nope", "1"], "No such option"),
        (["no-such-file.yaml"], "request file = 'no-such-file.yaml'"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(words, message, tmp_path, monkeypatch):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    result = invoke("run", *words)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipeline: drug-screening\nserach: {exhaustiveness: 2}\n", "serach: unknown field; did you mean search"),
        (
            "pipeline: drug-screening\nsearch: {exhaustivness: 2}\n",
            "search.exhaustivness: unknown field; did you mean search.exhaustiveness",
        ),
        ("pipeline: drug-screening\nwindow: {logp: [5, 1]}\n", "logp: the lower limit 5 is above the upper limit 1"),
        ("target: EGFR\n", "has no key 'pipeline'"),
        ("pipeline: [", "a YAML file; make one with: ai4s template"),
        ("- a\n- b\n", "has no key 'pipeline'"),
    ],
)
def test_a_wrong_request_file_names_the_field(text, message, tmp_path, monkeypatch):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    (tmp_path / "r.yaml").write_text(text)
    result = invoke("run", str(tmp_path / "r.yaml"))
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_template_is_a_request_with_the_defaults_and_help():
    from domains.drug.request import ScreeningRequest

    text = invoke("template", "show", "drug-screening").output
    content = yaml.safe_load(text)
    assert content.pop("pipeline") == "drug-screening"
    assert ScreeningRequest.model_validate(content) == ScreeningRequest()
    block = "# box:" + text.split("# box:")[1].split("\n\n")[0]
    uncommented = yaml.safe_load("\n".join(line.removeprefix("# ") for line in block.splitlines()))
    assert uncommented["box"]["size"] == [22.0, 22.0, 22.0]


def test_tables_have_json(tmp_path, monkeypatch):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path))
    assert len(json.loads(invoke("targets", "--json").output)) == 58 + 4
    assert json.loads(invoke("runs", "--json").output) == []
    assert "No runs here yet" in invoke("runs").output
    assert "ai4s run drug-screening" in invoke("runs").output


@pytest.mark.parametrize("command", ["report", "resume"])
def test_an_unknown_run_names_the_known_ones(command, tmp_path, monkeypatch):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path))
    (tmp_path / "nightly").mkdir()
    (tmp_path / "nightly" / "request.json").write_text('{"pipeline": "drug-screening", "request": {}}')
    result = invoke(command, "nightli")
    assert result.exit_code == 2
    assert "Valid: nightly" in result.output


def test_a_run_without_a_report_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path))
    (tmp_path / "nightly").mkdir()
    (tmp_path / "nightly" / "request.json").write_text('{"pipeline": "drug-screening", "request": {}}')
    assert "ai4s resume nightly" in invoke("report", "nightly").output


def test_a_named_server_that_does_not_answer_is_said(tmp_path):
    done = ai4s(
        "run", "drug-screening", "--sample", "5", "--top", "1", runs=tmp_path / "runs", api="http://127.0.0.1:9/api"
    )
    assert done.returncode == 2
    assert "PREFECT_API_URL = 'http://127.0.0.1:9/api': no Prefect server answers there" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_changed_request_under_the_same_name_is_refused_without_a_traceback(prefect_api, tmp_path):
    runs = tmp_path / "runs"
    (runs / "taken").mkdir(parents=True)
    (runs / "taken" / "request.json").write_text(
        json.dumps({"pipeline": "drug-screening", "request": {"target": "ABL1"}, "facts": {}})
    )
    done = ai4s("run", "drug-screening", *options(tmp_path, name="taken"), runs=runs, api=prefect_api)
    assert done.returncode == 2
    assert "was begun with another request" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sentence_is_read_in_either_language():
    found = json.loads(invoke("plan", "Simulate protein-ligand interactions for COVID variants", "--json").output)
    assert (found["domain"], found["intent"]) == ("drug", "drug.variant_binding")
    assert found["action"] in ("plan", "clarify")
    shown = invoke("plan", "把一百万个分子对接到新冠病毒主蛋白酶，取前500个").output
    assert shown.startswith("plan: drug.virtual_screening")
    assert "n_candidates: 1000000" in shown


def test_a_batch_is_read_line_by_line_and_a_bad_line_is_named(tmp_path):
    good = tmp_path / "good.jsonl"
    good.write_text('{"id": "a", "text": "dock aspirin into COX-2"}\n\n{"text": "run ls -la"}\n')
    rows = [json.loads(line) for line in invoke("plan", "--batch", str(good)).output.splitlines()]
    assert [row["id"] for row in rows] == ["a", None]
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "dock aspirin"}\n{"txt": 1}\n')
    result = invoke("plan", "--batch", str(bad))
    assert result.exit_code == 2
    assert "line 2" in result.output
    assert "has no 'text'" in result.output
