import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.catalogue import templates
from agent.read import read, read_many
from benchmarks.agent_labels import LANGUAGES, PARAPHRASES, STYLES, load, own, score
from benchmarks.agent_latency import start
from tests.public_data import public_data

KEYS = {"action", "intent", "domain", "slots", "question", "flags"}


def judged(labels, language):
    chosen = [label for label in labels if label["lang"] == language]
    return score(chosen, read_many(label["text"] for label in chosen))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_public_rows_are_read(language):
    found = judged(load(public_data("agent/requests-dev.jsonl")), language)
    assert min(found.intent, found.action, found.slot_f1) >= 0.95, found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_held_out_rows_are_read(language):
    found = judged(own(held_out=True), language)
    assert min(found.intent, found.action, found.slot_f1) >= 0.95, found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_rows_it_was_tuned_on_are_read(language):
    found = judged(own(held_out=False), language)
    assert min(found.intent, found.action, found.slot_f1) >= 0.95, found


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_words_for_the_same_are_read(language):
    found = judged(load(PARAPHRASES), language)
    assert min(found.intent, found.action) >= 0.95, found


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_styles_are_read(language):
    found = judged(load(STYLES), language)
    assert min(found.intent, found.action, found.slot_f1) >= 0.9, found


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("relax zinc and copper oxides containing Zn and Cu", {"library": None}),
        ("dock zinc 2M vs mpro", {"library": "ZINC"}),
        ("n: 20k; top: 50; target: BACE1", {"n_candidates": 20_000, "top_k": 50, "targets": ("BACE1",)}),
        ("CO2 uptake in 300 zeolites", {"n_candidates": 300, "application": "zeolite"}),
        ("聽日東京天氣點樣", {"region": "Tokyo", "lead_days": 1}),
    ],
)
def test_slots_of_short_and_regional_writing(text, slots):
    found = read(text).slots
    assert {name: getattr(found, name) for name in slots} == slots


def test_a_reading_is_json():
    found = read("Find lead-free halide perovskites with a band gap between 1.2 and 1.6 eV").as_dict()
    assert found.keys() >= KEYS
    assert json.loads(json.dumps(found, ensure_ascii=False)) == found
    assert found["slots"]["properties"] == [{"name": "band_gap", "op": "between", "value": [1.2, 1.6], "unit": "eV"}]


def test_an_open_end_is_null():
    assert read("heat wave trends over India since 1980").as_dict()["slots"]["period"] == {"start": "1980", "end": None}


@pytest.mark.parametrize(
    ("text", "intents"),
    [
        (
            "Screen 500k ChEMBL molecules against BRAF, then predict ADMET for the top 100",
            ["drug.virtual_screening", "drug.admet"],
        ),
        ("先弛豫这200个结构，然后算声子谱", ["materials.relaxation", "materials.phonons"]),
        (
            "relax 100 structures with CHGNet; also give me a 5 day forecast for Europe",
            ["materials.relaxation", "climate.forecast"],
        ),
        ("Relax these 40 CIF files with MACE-MP-0 and report formation energies", ["materials.relaxation"]),
        ("对接五百万个分子大概要多少卡时?先别跑,给我个预估", ["ops.cost_estimate"]),
    ],
)
def test_tasks_are_told_apart(text, intents):
    assert [task.intent for task in read(text).tasks] == intents


def test_dry_run_holds_for_all_tasks():
    found = read("Dock 1000 molecules to EGFR, then predict ADMET for the top 50, but don't run anything yet")
    assert all(task.slots.dry_run for task in found.tasks)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dock some molecules", ["protein target"]),
        ("帮我做个对接", ["靶点"]),
        ("Screen some materials for batteries", ["elements", "properties", "candidates"]),
        ("跑个预报", ["区域", "默认"]),
        ("Run the forecast again but higher resolution", ["region", "default", "resolution"]),
        ("帮我算一下", ["计算什么"]),
    ],
)
def test_a_vague_request_gets_one_question_in_its_language(text, words):
    found = read(text)
    assert found.action == "clarify"
    assert found.question.count("?") + found.question.count("？") <= 1
    assert all(word in found.question for word in words)


def test_defaults_that_are_taken_are_said():
    found = read("用盘古做未来7天的预报，分辨率0.25度")
    assert found.action == "plan"
    assert found.assumptions == ("区域:全球",)


def test_science_without_a_template_is_told_so():
    assert "no template" in read("simulate the merger of two neutron stars").question
    assert "模板" in read("用格点QCD算质子质量").question


def test_much_of_the_hub_needs_approval():
    found = read("Relax 1000 crystals with MACE on 20,000 DCU")
    assert found.flags == ("needs_approval",)
    assert found.reviewer


def test_traditional_and_simplified_read_alike():
    one, other = (
        read("請對新冠主蛋白酶做虛擬篩選，二十萬個分子，兩天內完成"),
        read("请对新冠主蛋白酶做虚拟筛选,二十万个分子,两天内完成"),
    )
    assert (one.intent, one.slots) == (other.intent, other.slots)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_read(text):
    found = read(text)
    assert found.intent in {*templates(), "none", "refuse", "out_of_scope"}
    assert found == read(text)


def test_two_processes_read_alike_and_small():
    texts = [row["text"] for row in own(held_out=True)]
    code = "import json,sys; from agent.read import read_many; print(json.dumps([r.as_dict() for r in read_many(json.load(sys.stdin))]))"
    there = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    assert json.loads(there.stdout) == [found.as_dict() for found in read_many(texts)]
    cost = start([row["text"] for row in own(held_out=False)], texts)
    assert cost["peak"] < 300


def test_every_template_can_be_asked_for():
    for one in templates().values():
        if not one.id.startswith("out_of_scope"):
            assert read(one.phrases[0]).intent == one.id
