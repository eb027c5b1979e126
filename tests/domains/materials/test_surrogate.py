"""Features of compositions and the surrogate, in the real loop."""

import csv
import gzip

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.errors import InvalidRequest
from domains.learning.loop import Evaluated, Search, run
from domains.learning.settings import Learning
from domains.materials import composition, formula
from domains.materials.elements import elements
from domains.materials.surrogate import EnergySurrogate, featurise
from domains.model import Frozen
from tests.public_data import public_data

counts = st.dictionaries(st.sampled_from(sorted(elements())), st.integers(1, 9), min_size=1, max_size=5)


@given(counts)
def test_amounts_are_read_in_any_spelling(counts):
    assert composition.amounts(formula.name(counts)) == formula.reduced(counts)
    halved = "".join(f"({symbol}{number / 2:g})2" for symbol, number in counts.items())
    assert composition.amounts(halved) == pytest.approx(counts)


def test_amounts_need_not_be_whole():
    assert composition.amounts("La1.85Sr0.15CuO4") == {"La": 1.85, "Sr": 0.15, "Cu": 1, "O": 4}
    assert composition.amounts("Ba(Fe.9Co.1)2As2")["Fe"] == pytest.approx(1.8)


@pytest.mark.parametrize("text", ["", "Xx2", "Li)2", "(Li", "li", "Li2O-", "Li 2", "O0"])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(InvalidRequest, match=r"formula = .*not a chemical formula"):
        composition.amounts(text)


@given(st.lists(counts, min_size=1, max_size=5))
def test_features_depend_on_the_composition_alone(drawn):
    names = [formula.name(one) for one in drawn]
    made = composition.features(names)
    assert made.shape == (len(names), len(composition.NAMES))
    assert np.isfinite(made).all()
    twice = ["".join(f"{s}{2 * n}" for s, n in reversed(one.items())) for one in drawn]
    np.testing.assert_allclose(composition.features(twice), made, rtol=1e-4, atol=1e-4)
    # Neighbours in a batch have no influence.
    np.testing.assert_allclose(composition.features(names[:1]), made[:1], rtol=1e-5, atol=1e-5)


def test_features_are_what_they_are_called():
    made = dict(zip(composition.NAMES, composition.features(["Fe2O3"])[0].tolist(), strict=True))
    assert made["mean Z"] == pytest.approx(0.4 * 26 + 0.6 * 8)
    assert made["least X"] == pytest.approx(1.83)
    assert made["of the most electronegative Z"] == 8
    assert made["deviation group"] == pytest.approx(2 * 0.4 * 0.6 * 8)
    assert made["elements"] == 2
    assert made["largest fraction"] == pytest.approx(0.6)


def labelled(count):
    """Public formation energies, and a rough knowledge of each as a cheap potential would have."""
    with gzip.open(public_data("materials/mp_formation_energies.csv.gz"), "rt") as file:
        rows = [(row["formula"], float(row["target"])) for row in csv.DictReader(file)]
    rows = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))[:count]]
    energies = np.array([energy for _, energy in rows])
    known = energies + np.random.default_rng(2).normal(scale=0.3, size=count)
    table = featurise(pa.table({"id": range(count), "formula": [name for name, _ in rows]}), Frozen())
    return table.append_column("formation_energy", pa.array(known)), energies


def systems(names):
    return np.unique([",".join(sorted(composition.amounts(name))) for name in names], return_inverse=True)[1]


def test_predictions_beat_what_was_known_on_unseen_chemical_systems():
    table, energies = labelled(1500)
    with gzip.open(public_data("materials/mp_formation_energies.csv.gz"), "rt") as file:
        every = [row["formula"] for row in csv.DictReader(file)]
    names = [every[i] for i in np.random.default_rng(1).permutation(len(every))[:1500]]
    unseen = systems(names) % 4 == 0
    surrogate = EnergySurrogate(0)
    surrogate.fit(table.filter(pa.array(~unseen)), energies[~unseen])
    mean, spread = surrogate.predict(table.filter(pa.array(unseen)))
    error = mean - energies[unseen]
    known = table["formation_energy"].to_numpy()[unseen] - energies[unseen]
    assert np.sqrt(np.mean(error**2)) < 0.85 * np.sqrt(np.mean(known**2))
    # The spread says how large errors are.
    assert 0.6 < np.sqrt(np.mean((error / spread) ** 2)) < 1.6


class Pool:
    def __init__(self, table):
        self.table = table

    def tables(self, columns):
        for start in range(0, len(self.table), 300):
            yield self.table.slice(start, 300).select(columns)


def test_a_search_finds_most_of_the_lowest_at_a_seventh_of_the_cost():
    table, energies = labelled(1000)
    asked = []

    def evaluate(number, ids):
        asked.extend(ids.tolist())
        return Evaluated(ids, energies[ids], 0.0)

    settings = Learning(budget=0.15, round_size=25, acquisition="ucb", enough=1.0)
    run(Search(Pool(table), EnergySurrogate(0), settings, 0), evaluate)
    top = set(np.argsort(energies)[:20].tolist())
    assert len(asked) == 150
    assert len(top & set(asked)) >= 15


def test_composition_alone_needs_no_energies():
    table, energies = labelled(200)
    surrogate = EnergySurrogate(0, energies=())
    assert surrogate.columns == ("features",)
    surrogate.fit(table.drop_columns(["formation_energy"]), energies)
    mean, spread = surrogate.predict(table)
    assert mean.shape == spread.shape == (200,)
    assert np.corrcoef(mean, energies)[0, 1] > 0.8
