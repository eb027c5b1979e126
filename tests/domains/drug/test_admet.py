"""ADMET predictions: the table and the flags on recorded ones, the models themselves where they are installed.

admet_recorded.json is what ``Admet`` answered for seven molecules with the releases named in it, in a child process.
The test of the models compares them with it.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

from domains.drug import admet
from domains.drug.admet import ENDPOINTS, OUTPUT, RISKS, TABLE, Admet, AdmetSettings, flags, installed, table
from domains.drug.outcomes import Outcome
from domains.errors import InvalidRequest
from tasks.child import Answer, Child

RECORDED = json.loads(Path(__file__).with_name("admet_recorded.json").read_text())["molecules"]
HERE = all(find_spec(name.replace("-", "_")) for name in admet.PACKAGES)
needs_admet = pytest.mark.skipif(not HERE, reason=f"needs weights: {admet.INSTALL}")


def flags_of(name):
    return [en for en, _ in flags(RECORDED[name]["admet"])]


def test_there_are_41_endpoints_and_each_is_recorded():
    assert len(set(ENDPOINTS)) == 41
    assert {shown.endpoint for shown in TABLE} | {risk.endpoint for risk in RISKS} <= set(ENDPOINTS)
    for one in RECORDED.values():
        assert set(one["admet"]) == set(one["admet_percentile"]) == set(ENDPOINTS)
        assert all(0 <= percentile <= 100 for percentile in one["admet_percentile"].values())


def test_predictions_fit_the_columns_of_the_stage():
    rows = [{"admet": one["admet"], "admet_percentile": one["admet_percentile"]} for one in RECORDED.values()]
    made = pa.Table.from_pylist(rows, schema=OUTPUT)
    assert made.num_rows == len(RECORDED)
    assert made["admet"].null_count == 0


def test_a_drug_that_was_withdrawn_for_its_heart_risk_is_flagged_with_the_threshold():
    assert "hERG risk: 0.97 > 0.5" in flags_of("terfenadine")
    assert "hERG risk: 0.99 > 0.5" in flags_of("astemizole")
    assert ("hERG risk: 0.97 > 0.5", "hERG 风险：0.97 > 0.5") in flags(RECORDED["terfenadine"]["admet"])
    for name in ("aspirin", "ibuprofen", "paracetamol"):
        assert not [flag for flag in flags_of(name) if flag.startswith("hERG")]


def test_a_known_mutagen_is_flagged_and_a_common_drug_is_not():
    assert any(flag.startswith("mutagenicity") for flag in flags_of("2-aminoanthracene"))
    assert flags_of("ibuprofen") == []


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk.endpoint)
def test_a_flag_starts_beyond_its_limit_and_not_at_it(risk):
    quiet = {**dict.fromkeys(ENDPOINTS, 0.0), "HIA_Hou": 1.0}
    beyond = risk.limit + (0.01 if risk.sign == ">" else -0.01)
    assert flags(quiet) == flags({**quiet, risk.endpoint: risk.limit}) == []
    ((en, zh),) = flags({**quiet, risk.endpoint: beyond})
    assert en.startswith(f"{risk.en}: ")
    assert zh.startswith(risk.zh)
    assert f"{risk.sign} {risk.limit:g}" in en


def test_the_table_says_units_places_and_how_far_to_trust_it():
    rows = {row["en"]: row for row in table(RECORDED["aspirin"]["admet"], RECORDED["aspirin"]["admet_percentile"])}
    assert rows["Solubility"]["value"] == "-1.62 log mol/L"
    assert rows["Plasma protein binding"]["value"] == "63 %"
    assert rows["Half-life"]["value"] == "< 0 h"  # that is what the model predicts, and no half-life can be
    assert "no better than a guess" in rows["Half-life"]["quality"]
    assert all(row["zh"] and row["quality"] and 0 <= int(row["percentile"]) <= 100 for row in rows.values())


@pytest.mark.skipif(HERE, reason="the extra is installed")
def test_without_the_extra_there_is_one_clear_error():
    with pytest.raises(InvalidRequest, match=r"admet = True: not installed: .*admet-ai.*pip install 'ai4s\[admet\]'"):
        installed()


def test_a_run_that_began_with_other_releases_is_not_mixed(monkeypatch):
    monkeypatch.setattr(admet, "installed", lambda: AdmetSettings(admet_ai="2.0.1", chemprop="2.2.4", torch="2.13.0"))
    with pytest.raises(ValueError, match="where the run began"):
        Admet(AdmetSettings(admet_ai="2.0.0", chemprop="2.2.4", torch="2.13.0"))


@needs_admet
def test_the_models_answer_in_a_child_as_recorded():
    child = Child(6 * 2**30)
    try:
        child.open(Admet, installed())
        for one in RECORDED.values():
            answer = child.call({"smiles": one["smiles"]}, 60)
            assert isinstance(answer, Answer)
            assert answer.result["outcome"] is Outcome.ok
            assert answer.result["admet"] == pytest.approx(one["admet"], abs=1e-3, rel=1e-3)
            assert answer.result["admet_percentile"] == pytest.approx(one["admet_percentile"], abs=0.2)
        bad = child.call({"smiles": "C1CC"}, 60)
        assert isinstance(bad, Answer)
        assert bad.result["outcome"] is Outcome.bad_smiles
        assert child.starts == 1
    finally:
        child.close()
