"""Standardise, deduplicate, filter, select."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.drug.filters import FilterSettings, drug_like
from domains.drug.outcomes import Outcome
from domains.drug.request import PropertyWindow
from domains.drug.standardise import StandardiseSettings, accept, duplicates, standardise
from domains.model import Frozen
from domains.selection import SelectSettings, best_of


def standardised(*structures):
    batch = pa.table({"id": range(len(structures)), "structure": list(structures)})
    return standardise(batch, StandardiseSettings()).to_pylist()


@pytest.mark.parametrize(
    ("structure", "smiles"),
    [
        ("CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "CC(=O)Oc1ccccc1C(=O)O"),
        ("C[NH3+].[Cl-]", "CN"),
        ("OC(=O)c1ccccc1", "O=C(O)c1ccccc1"),
        ("C[N+](C)(C)C", "C[N+](C)(C)C"),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O"),
    ],
)
def test_one_neutral_parent(structure, smiles):
    (row,) = standardised(structure)
    assert row["outcome"] == "ok"
    assert row["smiles"] == smiles
    assert len(row["inchikey"]) == 27


@pytest.mark.parametrize(
    ("structure", "outcome"),
    [
        ("C1CC", Outcome.bad_smiles),
        ("not a molecule", Outcome.bad_smiles),
        ("", Outcome.bad_smiles),
        ("[H][H]", Outcome.bad_smiles),
        ("C" * 5000, Outcome.too_large),
        ("C" * 300, Outcome.too_large),
        ("C" * 401, Outcome.too_large),
        ("x\n\nM  END\n", Outcome.bad_smiles),
        ("c1ccccc1C(C)(C)(C)(C)C", Outcome.bad_smiles),
    ],
)
def test_a_bad_molecule_is_a_row_with_a_reason(structure, outcome):
    good, bad = standardised("CCO", structure)
    assert good["outcome"] == "ok"
    assert bad["outcome"] == outcome
    assert bad["reason"]


@given(st.lists(st.text(alphabet="CNOc1()=#[]+-.\n\x00é ", max_size=30), max_size=8))
def test_no_text_can_stop_a_batch(structures):
    rows = standardised(*structures) if structures else []
    assert [row["id"] for row in rows] == list(range(len(structures)))
    assert all(row["outcome"] in set(Outcome) for row in rows)


def test_standardising_twice_changes_nothing():
    once = [row["smiles"] for row in standardised("OC(=O)CC([O-])=O.[K+]", "c1cc2ccccc2[nH]1", "CC(C)[NH2+]C.O")]
    assert [row["smiles"] for row in standardised(*once)] == once


def test_a_reader_problem_ends_as_unreadable():
    batch = pa.table(
        {"id": [4, 5], "name": ["a", "b"], "structure": ["C", ""], "problem": pa.array([None, "torn"], pa.string())}
    )
    assert accept(batch, Frozen())["outcome"].to_pylist() == ["ok", "unreadable"]


keys = st.lists(st.sampled_from([f"KEY{n:024d}" for n in range(8)]), max_size=60)


@given(keys, st.integers(1, 5), st.randoms(use_true_random=False))
def test_duplicates_are_what_a_dictionary_finds(values, bucket_rows, random):
    rows = list(enumerate(values))
    random.shuffle(rows)

    def source(columns):
        for at in range(0, len(rows), 7):
            part = rows[at : at + 7]
            yield pa.table({"id": [n for n, _ in part], "inchikey": [k for _, k in part]}).select(columns)

    marks = duplicates(source, len(rows), bucket_rows)
    first: dict[str, int] = {}
    expected = {}
    for number, key in sorted(rows):
        expected[number] = None if key not in first else f"same molecule as row {first[key]}"
        first.setdefault(key, number)
    if rows:
        batch = pa.table({"id": [n for n, _ in rows], "name": [""] * len(rows)})
        made = marks(batch, Frozen()).to_pylist()
        assert {row["id"]: row["reason"] for row in made} == expected
        assert all((row["outcome"] == "duplicate") == (row["reason"] is not None) for row in made)


def filtered(settings, *smiles):
    return drug_like(pa.table({"id": range(len(smiles)), "smiles": list(smiles)}), settings).to_pylist()


def test_the_window_filters_and_names_the_property():
    ok, small, greasy = filtered(FilterSettings(), "CC(=O)Oc1ccccc1C(=O)O", "CCO", "C" * 30)
    assert ok["outcome"] == "ok"
    assert ok["molecular_weight"] == pytest.approx(180.16, abs=0.01)
    assert small["reason"] == "molecular_weight 46.07 is outside 100 to 600"
    assert greasy["reason"].startswith("logp ")


def test_alerts_flag_and_filter_only_when_excluded():
    quinone = "O=C1C=CC(=O)c2ccccc12"
    (flagged,) = filtered(FilterSettings(), quinone)
    assert flagged["outcome"] == "ok"
    assert any(alert.startswith("PAINS: quinone") for alert in flagged["alerts"])
    (out,) = filtered(FilterSettings(exclude_alerts=("PAINS",)), quinone)
    assert out["outcome"] == "filtered"
    assert out["reason"].startswith("excluded alert PAINS")


def test_a_window_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match="logp: the lower limit 5 is above the upper limit 1"):
        PropertyWindow(logp=(5, 1))


@given(st.lists(st.integers(-5, 0), max_size=40), st.integers(1, 10))
def test_the_best_go_on_and_ties_go_to_the_lower_id(scores, most):
    def source(columns):
        yield pa.table({"id": range(len(scores)), "score": pa.array(scores, pa.float64())}).select(columns)

    marks = best_of(source, most)
    batch = pa.table({"id": pa.array(range(len(scores)), pa.int64()), "score": pa.array(scores, pa.float64())})
    chosen = [row["id"] for row in marks(batch, SelectSettings(most=most)).to_pylist() if row["outcome"] == "ok"]
    assert chosen == sorted(number for _, number in sorted((s, n) for n, s in enumerate(scores))[:most])
