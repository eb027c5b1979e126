"""What the surrogate sees of a molecule, and what it learns."""

import csv
import gzip

import numpy as np
import pyarrow as pa
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from scipy.stats import spearmanr

from domains.drug.library import open_library
from domains.drug.outcomes import Outcome
from domains.drug.surrogate import BITS, DESCRIPTORS, NONZERO, OUTPUT, ScoreSurrogate, featurise
from domains.model import Frozen
from tests.public_data import public_data

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "C", "CCCCCCCCCCCCCCCCCCCCCCCCCC", "Cn1cnc2c1c(=O)n(C)c(=O)n2C"]


def features(smiles, start=0):
    ids = range(start, start + len(smiles))
    return featurise(pa.table({"id": ids, "smiles": smiles}), Frozen())


def test_fragments_are_the_counts_of_both_fingerprints():
    table = features(SMILES)
    matrix = ScoreSurrogate(0)._matrix(table)
    assert matrix.shape == (4, 2 * BITS + len(DESCRIPTORS))
    for row, smiles in enumerate(SMILES):
        mol = Chem.MolFromSmiles(smiles)
        expected = [
            generator.GetCountFingerprintAsNumPy(mol)
            for generator in (
                rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS),
                rdFingerprintGenerator.GetAtomPairGenerator(fpSize=BITS),
            )
        ]
        dense = matrix[row].toarray()[0, : 2 * BITS]
        assert np.allclose(dense, np.log1p(np.concatenate(expected).astype(float)), atol=1e-6)


def test_every_molecule_is_a_row_also_one_that_cannot_be_read():
    table = features(["C1CC", *SMILES])
    assert table["outcome"].to_pylist() == [Outcome.bad_smiles, *[Outcome.ok] * 4]
    assert table["reason"][0].as_py() == "not a valid SMILES: C1CC"
    assert table["fragments"][0].as_py() is None
    assert set(OUTPUT.names) <= set(table.column_names)


def test_a_molecule_costs_little_memory():
    smiles = [row for table in open_library("nci-5k").tables(300, 1) for row in table["structure"].to_pylist()]
    table = features(smiles)
    assert table.select(OUTPUT.names).nbytes / len(table) < 1000
    assert len(table["fragments"][0].as_py()) % NONZERO.itemsize == 0


def test_predictions_do_not_depend_on_who_else_is_asked_or_on_slices():
    smiles = [row for table in open_library("nci-5k").tables(260, 1) for row in table["structure"].to_pylist()]
    table = features(smiles)
    table = table.filter(pa.compute.equal(table["outcome"], "ok"))
    scores = -0.1 * np.array([values[1] for values in table["descriptors"].to_pylist()])
    surrogate, again = ScoreSurrogate(1), ScoreSurrogate(1)
    surrogate.fit(table.slice(0, 120), scores[:120])
    again.fit(table.slice(0, 120), scores[:120])
    mean, spread = surrogate.predict(table.slice(120))
    for other, model in ((table.slice(150, 20), surrogate), (table.slice(150, 20), again)):
        part, part_spread = model.predict(other)
        assert (part == mean[30:50]).all()
        assert (part_spread == spread[30:50]).all()
    assert spearmanr(mean, scores[120:]).statistic > 0.9


@pytest.fixture(scope="module")
def recorded():
    """A thousand molecules with recorded docking scores, drawn at random: the file is nearly sorted."""
    with gzip.open(public_data("drug/Enamine10k_scores_data.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    drawn = np.random.default_rng(0).choice(len(rows), 1000, replace=False)
    return [rows[i]["smiles"] for i in drawn], np.array([float(rows[i]["score"]) for i in drawn])


def test_recorded_docking_scores_are_predicted_better_than_by_their_mean(recorded):
    smiles, scores = recorded
    table = features(smiles)
    surrogate = ScoreSurrogate(0)
    surrogate.fit(table.slice(0, 500), scores[:500])
    mean, spread = surrogate.predict(table.slice(500))
    error = np.sqrt(np.mean((mean - scores[500:]) ** 2))
    assert error < 0.75 * scores[500:].std()
    assert 0.75 < np.sqrt(np.mean(spread**2)) / error < 1.35
    assert 0.9 < np.mean(np.abs(mean - scores[500:]) < 2 * spread) <= 1
