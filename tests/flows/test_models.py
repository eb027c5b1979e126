import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.models import llmfit
from flows.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _small_catalogue(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(llmfit, "release", lambda: None)


def said(*arguments, status=0):
    result = CliRunner().invoke(main, ["models", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_list_shows_what_is_here_and_says_what_is_missing():
    shown = said("list")
    assert "vina" in shown
    assert "--all prints every row" in shown
    assert "pip install 'ai4s[agent]'" in shown
    assert len(said("list", "--all").splitlines()) > len(shown.splitlines())


def test_list_as_json_carries_every_fact():
    rows = json.loads(said("list", "--json", "--domain", "materials", "--licence", "commercial-ok"))
    chgnet = next(row for row in rows if row["id"] == "chgnet")
    assert chgnet["commercial"] == "yes"
    assert chgnet["need_gib"] == {"fp32": 2.0}
    assert chgnet["weights"]["how"] == "wheel"
    assert chgnet["sources"][0]["url"].startswith("https://github.com/janosh/matbench-discovery/")


def test_show_in_both_languages_with_needs_weights_in_plain_words():
    assert "needs weights: to be downloaded" in said("show", "MACE")
    assert "高阶等变消息传递网络" in said("show", "mace-mpa-0", "--language", "zh")
    assert json.loads(said("show", "GraphCast", "--json"))["id"] == "graphcast-operational"


def test_select_says_why_and_why_not():
    shown = said("select", "--task", "materials.relaxation", "--hub", "zhengzhou-60k", "--licence", "commercial-ok")
    assert "Why equiformer-v3-oam" in shown
    assert "Matbench Discovery F1" in shown
    assert "grace-1l-oam: LicenseRef-ASL forbids commercial use" in shown
    assert "禁止商用" in said(
        "select", "--task", "materials.relaxation", "--licence", "commercial-ok", "--language", "zh"
    )


def test_select_as_json():
    found = json.loads(said("select", "--task", "docking", "--hub", "gb200-superpod", "--json"))
    assert found["chosen"][0]["id"] == "vina"
    assert found["counts"]["memory unknown"] >= 1
    assert len(found["chosen"]) + len(found["excluded"]) == len(json.loads(said("list", "--json")))


def test_select_for_a_budget():
    assert "1 model fits laptop" in said("select", "--task", "admet", "--budget", "10", "--units", "1000000")
    assert "more than 1" in said("select", "--task", "admet", "--budget", "1", "--units", "1000000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("select", "--task", "dockng"), "closest: docking"),
        (("select", "--task", "docking", "--hub", "zhengzou"), "unknown hub 'zhengzou'"),
        (("select", "--task", "docking", "--budget", "5"), "--budget and --units belong together"),
        (("select", "--task", "docking", "--max-chips", "0"), "0 is not in the range"),
        (("show", "grafcast"), "closest: graphcast-operational"),
        (("list", "--licence", "apace"), "closest: Apache-2.0"),
        (("sync", "--site", "http://127.0.0.1:9", "--author", "Qwen"), "the catalogue stays as it is"),
    ],
)
def test_a_mistake_gives_one_clear_error(arguments, message):
    shown = said(*arguments, status=2)
    assert message in shown
    assert "Traceback" not in shown


def test_the_command_line_starts_without_the_catalogue():
    code = (
        "import sys, flows.cli; print([name for name in sys.modules if name.startswith(('agent', 'pydantic', 'yaml'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
