import re

import pytest

from agent.models import llmfit
from agent.models.catalogue import Catalogue, load
from agent.models.curated import curated
from agent.models.data import read
from agent.models.filters import filtered
from agent.models.general import plausible
from agent.models.licences import commercial, licence_named, spdx
from agent.models.memory import by_precision, need
from agent.models.schema import UNKNOWN_LICENCE, Backend, Licence, Model
from agent.models.state import ENGINES, READY, state
from agent.models.tasks import tasks, tasks_for
from agent.resource import read_data
from domains.errors import InvalidRequest

NO_LIST = pytest.mark.skipif(llmfit.release() is None, reason="the package llmfit is not installed")
# Names that a request may say and that are no open model: numerical codes, families of many models, weights never released.
NOT_OPEN_MODELS = {
    *("WRF", "TORAX", "OpenMC", "PyBaMM", "Qwen", "DeepSeek", "AlphaMissense"),
    *("RoseTTAFold", "Enformer", "Geneformer"),
}


def test_every_reviewed_row_has_sources_a_licence_and_words_in_both_languages():
    rows = curated()
    assert len(rows) >= 190
    known = {UNKNOWN_LICENCE, *read("licences")}
    for model in rows:
        assert model.sources, model.id
        assert all(re.match(r"https://\S+$", source.url) for source in model.sources), model.id
        assert {model.licence.weights, model.licence.code or model.licence.weights} <= known, model.id
        assert set(model.tasks) <= set(tasks()), model.id
        assert model.about, model.id
        assert re.search("[\u4e00-\u9fff]", model.about.zh), model.id
        assert not re.search("[\u4e00-\u9fff]", model.about.en), model.id
        assert model.engine is None or model.engine in ENGINES


def test_ids_are_unique_and_aliases_lead_to_one_model():
    names = [name for model in curated() for name in {one.casefold() for one in (model.id, *model.aliases)}]
    assert len(names) == len(set(names))


def test_every_engine_of_the_pipelines_is_in_the_catalogue_with_its_true_state():
    from domains.climate.gcm import state as jcm
    from domains.drug.boltz import state as boltz
    from domains.drug.engines import ENGINES as DOCKING
    from domains.materials.potential import POTENTIALS

    rows = {model.engine: model for model in curated() if model.engine}
    assert set(rows) == {*DOCKING, *POTENTIALS, "admet", "boltz-2", "jcm"} == set(ENGINES)
    for name, engine in DOCKING.items():
        assert state(rows[name]) == (engine.state or READY)
    assert state(rows["boltz-2"]) == (boltz() or READY)
    assert state(rows["jcm"]) == (jcm() or READY)


def test_a_boltz_with_a_program_and_no_weights_says_that_it_needs_them(monkeypatch, tmp_path):
    program = tmp_path / "boltz"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("AI4S_BOLTZ", str(program))
    monkeypatch.setenv("BOLTZ_CACHE", str(tmp_path))
    assert state(Catalogue(curated()).find("Boltz-2")).startswith("needs weights: no boltz2_conf.ckpt")


def test_what_no_pipeline_runs_is_never_ready():
    assert all(state(model) != READY for model in curated() if model.engine is None)


def test_names_of_requests_are_found_in_the_catalogue():
    catalogue = Catalogue(curated())
    missing = {name for name in read_data("names")["models"] if name not in catalogue}
    assert missing == NOT_OPEN_MODELS


@pytest.mark.parametrize(
    ("said", "id"), [("MACE-mpa-0", "mace-mpa-0"), ("盘古", "pangu-weather-24h"), ("CHGNet", "chgnet")]
)
def test_a_model_is_found_by_any_of_its_names(said, id):
    assert Catalogue(curated()).find(said).id == id


def test_an_unknown_model_names_the_closest():
    with pytest.raises(InvalidRequest, match=r"grafcast.*closest: graphcast-operational"):
        Catalogue(curated()).find("grafcast")


def test_a_workflow_leads_to_its_tasks_and_an_unknown_one_to_the_closest():
    assert [task.id for task in tasks_for("materials.composition_screening")] == [
        "interatomic_potential",
        "stability_model",
    ]
    with pytest.raises(InvalidRequest, match="closest: docking"):
        tasks_for("dockng")


def test_workflows_of_the_tasks_exist():
    from agent.catalogue import templates

    assert {name for task in tasks().values() for name in task.templates} <= set(templates())


@pytest.mark.parametrize(
    ("weights", "code", "use"),
    [("MIT", "Apache-2.0", "yes"), ("CC-BY-4.0", "CC-BY-NC-4.0", "no"), ("MIT", UNKNOWN_LICENCE, "unknown"), ("MIT", None, "yes"),
     ("LicenseRef-Gemma", "Apache-2.0", "conditions"), (UNKNOWN_LICENCE, "CC-BY-NC-4.0", "no")],
)  # fmt: skip
def test_the_stricter_licence_of_code_and_weights_counts(weights, code, use):
    assert commercial(Licence(weights=weights, code=code)) == use


@pytest.mark.parametrize(
    ("said", "meant"), [("apache 2.0", "Apache-2.0"), ("GPL-3.0", "GPL-3.0-only"), ("Commercial", "commercial-ok")]
)
def test_licences_are_understood_as_people_write_them(said, meant):
    assert licence_named(said) == meant


def test_unknown_licences():
    assert spdx("my-own-licence") == UNKNOWN_LICENCE
    assert spdx(None) == UNKNOWN_LICENCE
    with pytest.raises(InvalidRequest, match=r"closest: Apache-2\.0"):
        licence_named("apace")


@pytest.mark.parametrize(
    ("name", "parameters", "kept"),
    [("Qwen/Qwen3-8B", 8.19e9, True), ("nvidia/X-120B-A12B-FP8", 1.49e12, False), ("a/Ling-3.0-flash-base-30T", 3e13, False),
     ("a/toy", 2, False), ("Qwen/Qwen3-8B-AWQ", 8.19e9, False), ("nvidia/Qwen3-8B-NVFP4", 5.2e9, False), ("mistralai/Mixtral-8x7B", 4.67e10, True),
     ("a/b", None, False)],
)  # fmt: skip
def test_traps_of_the_offline_list_are_left_out(name, parameters, kept):
    assert plausible(name, parameters, "MIT") is kept


def test_no_licence_no_entry():
    assert not plausible("Qwen/Qwen3-8B", 8.19e9, UNKNOWN_LICENCE)


def entry(**more):
    return {
        "name": "Qwen/Qwen3-8B", "parameters_raw": 8190735360, "license": "apache-2.0", "use_case": "General purpose",
        "context_length": 40960, "active_parameters": None, "architecture": "qwen3", "release_date": "2025-04-28",
        "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, **more,
    }  # fmt: skip


def test_an_entry_of_the_offline_list_becomes_a_model():
    rows = [
        entry(),
        entry(name="someone/Qwen3-8B-copy"),
        entry(name="qwen/qwen3-8b"),
        entry(name="Qwen/odd", active_parameters=9e9),
    ]
    (model,) = llmfit._models(rows, "1.1.17")
    assert model.tensor_parallel == (1, 2, 4, 8, 16, 32)
    assert set(model.runs_on) == {Backend.CPU, Backend.CUDA, Backend.ROCM, Backend.ASCEND}
    assert model.sources[0].url.endswith("/llmfit/1.1.17/")
    fp8 = llmfit._models([entry(name="Qwen/Qwen3-8B-FP8")], "1.1.17")[0]
    assert fp8.precisions == ("fp8",)
    assert need(fp8, "fp8").gib < need(model, "bf16").gib


@NO_LIST
def test_the_catalogue_has_over_a_thousand_models_and_the_list_is_read_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    catalogue, notes = load()
    assert len(catalogue.models) >= 1200
    assert notes == ()
    assert catalogue.origins["curated"] == len(curated())
    assert len({model.id.casefold() for model in catalogue.models}) == len(catalogue.models)

    def never(*_arguments, **_options):
        raise AssertionError("the list was asked for again")

    monkeypatch.setattr(llmfit.subprocess, "run", never)
    assert load().catalogue.models == catalogue.models


def test_without_the_offline_list_the_reviewed_rows_are_there_and_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(llmfit, "release", lambda: None)
    catalogue, (note,) = load()
    assert catalogue.models == curated()
    assert "pip install 'ai4s[agent]'" in note


def test_a_damaged_copy_of_the_list_is_made_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(llmfit, "release", lambda: "1.1.17")
    monkeypatch.setattr(llmfit, "_listed", lambda: [entry()])
    llmfit.llmfit_models()
    (kept,) = (tmp_path / "ai4s" / "models").iterdir()
    kept.write_text("{")
    assert [model.id for model in llmfit.llmfit_models()] == ["Qwen/Qwen3-8B"]


def test_filters_meet_everything_that_is_asked():
    found = filtered(curated(), task="materials.phonons", licence="commercial-ok", most_parameters=1e6, memory_gib=3)
    assert {"chgnet", "sevennet-0"} <= {model.id for model in found}
    assert "chgnet" not in {model.id for model in filtered(curated(), memory_gib=2)}
    assert all(commercial(model.licence) == "yes" and (model.parameters or 0) <= 1e6 for model in found)
    assert [model.id for model in filtered(curated(), search="扩散 晶体")] == ["mattergen"]
    with pytest.raises(InvalidRequest, match="domain = 'bio'"):
        filtered(curated(), domain="bio")


def test_memory_is_not_made_up_where_it_depends_on_the_input():
    by_id = {model.id: model for model in curated()}
    assert need(by_id["protenix-v2"], "fp32") is None
    assert by_precision(by_id["protenix-v2"]) == {}
    assert need(by_id["boltz-2"], "fp32").basis == "card"


def test_a_model_whose_active_parameters_exceed_all_is_refused():
    with pytest.raises(ValueError, match="active_parameters"):
        Model.model_validate({**curated()[0].model_dump(), "parameters": 5, "active_parameters": 6})
