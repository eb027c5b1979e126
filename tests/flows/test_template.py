"""Templates as their owners use them: made, changed, checked, run."""

import json
import os
import subprocess
import sys
from unittest import mock

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from domains.own_stages import places
from domains.templates import PIPELINES
from domains.user_templates import load
from flows.cli import main
from tasks.store import Refused
from tests.flows.screen import ai4s, write_inputs


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """A command, with the templates in a folder of their own."""
    monkeypatch.setenv("AI4S_TEMPLATES", str(tmp_path / "templates"))
    monkeypatch.setenv("AI4S_RUNS", str(tmp_path / "runs"))
    return lambda *words: CliRunner().invoke(main, list(map(str, words)))


def made(invoke, tmp_path, *words, name="mine", pipeline="drug-screening"):
    result = invoke("template", "new", name, "--from", pipeline, *words)
    assert result.exit_code == 0, result.output
    return tmp_path / "templates" / name


def changed(folder, **values):
    """The template with other top-level values, as a person would write them."""
    content = yaml.safe_load((folder / "template.yaml").read_text())
    (folder / "template.yaml").write_text(yaml.safe_dump({**content, **values}, allow_unicode=True))


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_new_template_is_the_pipelines_request_with_its_defaults(pipeline, invoke, tmp_path):
    folder = made(invoke, tmp_path, pipeline=pipeline)
    found = load(folder)
    model = PIPELINES[pipeline].request
    assert model.model_validate(found.request) == model()
    assert (found.name, found.pipeline, found.schedule, found.stage) == ("mine", pipeline, None, None)
    text = (folder / "template.yaml").read_text()
    for name in model.model_fields.keys() - {"name", "own_stage"}:
        assert f"\n  {name}:" in text or f"\n  # {name}:" in text
    assert {path.name for path in folder.iterdir()} == {"template.yaml", "README.md"}


@pytest.mark.parametrize(("pipeline", "after"), [(name, after) for name in PIPELINES for after in places(name)])
def test_a_new_stage_of_ones_own_passes_its_check_wherever_it_stands(pipeline, after, invoke, tmp_path):
    from tasks.own import tried

    folder = made(invoke, tmp_path, "--after", after, pipeline=pipeline)
    found = load(folder)
    assert found.request["own_stage"] == "mine"
    assert tried(pipeline, *found.stage).adds == (("below_most", "double"),)


def test_its_own_test_passes_and_its_check_says_what_will_run(invoke, tmp_path):
    folder = made(invoke, tmp_path, "--after", "filter")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder], capture_output=True)
    assert done.returncode == 0, done.stdout
    changed(folder, schedule={"cron": "0 2 * * *", "timezone": "Asia/Shanghai"})
    output = invoke("template", "check", folder).output
    assert "own stage after filter; adds below_most" in output
    assert "request   Screening 4,999 of the 4,999 records of nci-5k against EGFR" in output
    assert "schedule  0 2 * * * (Asia/Shanghai)" in output


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"stage": {"after": "filtre"}}, "unknown stage of drug-screening, closest: filter"),
        ({"stage": {"before": "filter"}}, "stage.before: unknown field; did you mean stage.after"),
        ({"request": {"targett": "EGFR"}}, "request.targett: unknown field; did you mean target"),
        ({"request": {"top": -1}}, "request.top = -1: Input should be greater than or equal to 1"),
        ({"request": {"own_stage": "other"}, "stage": {"after": "filter"}}, "is set by the template itself"),
        ({"request": {"library": "no.smi"}}, "no such file"),
        ({"schedule": {"cron": "every night"}}, "schedule.cron = 'every night': needs five fields"),
        ({"schedule": {"cron": "0 25 * * *"}}, "Bad hour"),
        ({"schedule": {"cron": "0 2 31 2 *"}}, "schedule.cron = '0 2 31 2 *'"),
        ({"schedule": {"interval": "soon"}}, "write 30m, 6h or 1d"),
        ({"schedule": {"interval": "5s"}}, "is shorter than a minute"),
        ({"schedule": {"cron": "0 2 * * *", "timezone": "Asia/Shangai"}}, "is no time zone; closest: Asia/Shanghai"),
        ({"schedule": {"interval": "6h", "cron": "0 2 * * *"}}, "a schedule has either cron or interval"),
        ({"pipeline": "drug-screenin"}, "unknown pipeline, closest: drug-screening"),
        ({"name": "other"}, "the folder is called mine"),
        ({"name": "../mine"}, "name = '../mine'"),
        ({"titel": "x"}, "titel: unknown field; did you mean title?"),
    ],
)
def test_a_wrong_template_gets_one_clear_error(values, problem, invoke, tmp_path):
    folder = made(invoke, tmp_path, "--after", "filter")
    changed(folder, **values)
    result = invoke("template", "check", folder)
    assert result.exit_code == 2
    assert problem in " ".join(result.output.split())
    assert result.output.count("error:") == 1
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def stage(batch, limit):\n    return batch", "stage(batch, limit) does not take one batch"),
        ("def stage(batch):\n    return batch.slice(1)", "it dropped rows: 4 went in and 3 came out"),
        ("def stage(batch):\n    return batch.no_such()", "AttributeError"),
        ("import no_such_module\ndef stage(batch):\n    return batch", "No module named 'no_such_module'"),
        ("import os\ndef stage(batch):\n    os._exit(3)", "the engine's process ended with exit code 3"),
        (
            "import pyarrow as pa\ndef stage(batch):\n"
            "    return batch.append_column('first', pa.array([one == 0 for one in range(len(batch))]))",
            "says something else of a row alone than among others",
        ),
        (
            "import random, pyarrow as pa\ndef stage(batch):\n"
            "    return batch.append_column('r', pa.array([random.random() for _ in range(len(batch))]))",
            "said something else when it was called again",
        ),
    ],
)
def test_a_function_that_breaks_its_contract_is_found_before_it_runs(source, problem, invoke, tmp_path):
    folder = made(invoke, tmp_path, "--after", "filter")
    (folder / "stage.py").write_text(source)
    for words in (["template", "check", folder], ["run", folder]):
        result = invoke(*words)
        assert result.exit_code == 2
        assert problem in " ".join(result.output.split())
        assert "Traceback" not in result.output
    assert not (tmp_path / "runs").exists()


def test_a_stage_file_that_is_not_there_is_named(invoke, tmp_path):
    folder = made(invoke, tmp_path, "--after", "filter")
    (folder / "stage.py").unlink()
    assert "stage file" in invoke("template", "check", folder).output


def test_templates_are_listed_shown_and_found_by_name(invoke, tmp_path):
    assert "No templates in" in invoke("template", "list").output
    made(invoke, tmp_path, "--after", "stable", name="oxides", pipeline="materials-screening")
    changed(made(invoke, tmp_path, name="broken"), schedule={"interval": "1s"})
    rows = {row["template"]: row for row in json.loads(invoke("template", "list", "--json").output)}
    assert (rows["oxides"]["own stage"], rows["oxides"]["state"]) == ("after stable", "in order")
    assert "is shorter than a minute" in rows["broken"]["state"]
    assert invoke("template", "show", "oxides").output.startswith("# A template of ai4s")
    near = " ".join(invoke("template", "show", "oxide").output.split())
    assert "no pipeline and no template of this name. Valid: oxides" in near
    assert "no such template in" in invoke("run", "--template", "oxide").output
    assert "is no name of a template" in invoke("run", "--template", "../oxides").output


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["Mine"], "is no name of a template"),
        (["../../etc"], "is no name of a template"),
        (["<script>"], "is no name of a template"),
        (["drug-screening"], "is the name of a pipeline already"),
        (["mine", "--after", "nothing"], "unknown stage of drug-screening"),
    ],
)
def test_a_new_template_needs_a_good_name_and_place(words, problem, invoke, tmp_path):
    result = invoke("template", "new", *words, "--from", "drug-screening")
    assert result.exit_code == 2
    assert problem in result.output
    assert not (tmp_path / "templates").exists()


def test_a_template_does_not_overwrite_another(invoke, tmp_path):
    before = (made(invoke, tmp_path) / "template.yaml").read_bytes()
    assert "is there already" in invoke("template", "new", "mine", "--from", "climate-ensemble").output
    assert (tmp_path / "templates" / "mine" / "template.yaml").read_bytes() == before


def test_a_path_in_a_template_starts_at_its_folder(invoke, tmp_path, monkeypatch):
    folder = made(invoke, tmp_path)
    write_inputs(folder)
    monkeypatch.chdir(tmp_path)
    changed(folder, request={"library": "mine.smi", "top": 3})
    assert load(folder).request["library"] == str(folder / "mine.smi")
    assert "14 records of mine.smi" in invoke("template", "check", folder).output


@pytest.mark.slow
def test_a_template_runs_with_its_own_stage_is_resumed_and_refused_when_the_stage_changed(
    prefect_api, invoke, tmp_path
):
    folder = made(invoke, tmp_path, "--after", "members", pipeline="climate-ensemble")
    source = (folder / "stage.py").read_text()
    (folder / "stage.py").write_text(source.replace("MOST = 2.0918", "MOST = 1.5"))
    changed(folder, request={"members": 40, "profile": "emulated:two-supernodes", "name": "warm"})
    runs = tmp_path / "runs"
    done = ai4s("run", str(folder), "--json", runs=runs, api=prefect_api)
    assert done.returncode == 0, done.stderr
    kept = {row["id"]: row for row in pa_csv.read_csv(runs / "warm" / "own.csv").to_pylist()}
    outcomes = {row["id"]: row for row in pq.read_table(runs / "warm" / "outcomes.parquet").to_pylist()}
    assert len(outcomes) == 40
    ended = {number for number, row in outcomes.items() if row["stage"] == "own" and row["outcome"] == "above_most"}
    assert ended == {number for number, row in kept.items() if row["outcome"] == "above_most"} != set()
    assert all(outcomes[number]["reason"] == "feedback is above 1.5" for number in ended)
    assert json.loads(done.stdout)["members"] == len(kept) - len(ended)
    assert "Stage of mine (own.csv)" in (runs / "warm" / "report.html").read_text()
    before = {path: path.stat().st_mtime_ns for path in (runs / "warm").glob("*/shard-*.parquet")}
    # The run is gone on with though its template is gone: it keeps the stage.
    gone = folder.rename(tmp_path / "elsewhere")
    assert resumed("warm") == json.loads(done.stdout)
    assert {path: path.stat().st_mtime_ns for path in (runs / "warm").glob("*/shard-*.parquet")} == before
    folder = gone.rename(folder)
    (folder / "stage.py").write_text(source.replace("MOST = 2.0918", "MOST = 1.6"))
    with pytest.raises(Refused, match=r"was begun with another request: facts.own_stage_sha256"):
        resumed("warm")


def resumed(run):
    from domains.climate.ensemble_request import ClimateEnsembleRequest
    from flows.climate_ensemble import climate_ensemble
    from flows.runs import request_of

    _, content = request_of(run)
    profile = "emulated:two-supernodes"
    return climate_ensemble(ClimateEnsembleRequest.model_validate({**content, "name": run, "profile": profile}))


@pytest.mark.slow
def test_what_a_stage_sees_is_what_the_pipeline_has_there(prefect_api, tmp_path):
    """Both pipelines that make candidates: the columns of the examples are in the run, of these types."""
    from domains.drug.request import ScreeningRequest
    from domains.materials.request import MaterialsRequest
    from flows.drug_screening import drug_screening
    from flows.materials_screening import materials_screening
    from tests.flows.screen import request

    pytest.importorskip("ase")
    metals = {"elements": "Al,Ni,Cu,Au", "potential": "emt", "n": 60, "relax": 4, "phonons": 0, "top": 2}
    with mock.patch.dict(os.environ, AI4S_RUNS=str(tmp_path / "runs")):
        drug_screening(ScreeningRequest.model_validate(request(tmp_path, name="drug-screening", check_poses=False)))
        small = {**metals, "profile": "emulated:two-supernodes", "name": "materials-screening"}
        materials_screening(MaterialsRequest.model_validate(small))
    for name in ("drug-screening", "materials-screening"):
        for after, example in places(name).items():
            shard = next((tmp_path / "runs" / name / after).glob("shard-*.parquet"))
            schema = pq.read_schema(shard)
            assert {one.name: one.type for one in example.schema}.items() <= dict(
                zip(schema.names, schema.types, strict=True)
            ).items(), after
