"""The surrogate for docking: what it sees of a molecule, and what it says of its score.

A molecule is the counts of its Morgan and atom-pair fragments and ten descriptors. Counts are kept as the few that are
not zero, three bytes each (about 0.6 kB a molecule, where 4,096 floats are 16 kB).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors
from scipy import sparse

from domains.drug.outcomes import Outcome
from domains.learning.committee import Committee
from domains.model import Frozen

BITS = 2048
NONZERO = np.dtype([("bit", "<u2"), ("count", "u1")])
# Counts enter as log(1 + count): the tenth CH2 says less than the first.
LOG_COUNT = np.log1p(np.arange(256)).astype(np.float32)
DESCRIPTORS: tuple[Callable[[Chem.Mol], float], ...] = (
    rdMolDescriptors.CalcExactMolWt,
    Chem.Mol.GetNumHeavyAtoms,
    rdMolDescriptors.CalcNumRotatableBonds,
    rdMolDescriptors.CalcTPSA,
    lambda mol: float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0]),
    rdMolDescriptors.CalcNumHBD,
    rdMolDescriptors.CalcNumHBA,
    rdMolDescriptors.CalcNumRings,
    rdMolDescriptors.CalcNumAromaticRings,
    rdMolDescriptors.CalcFractionCSP3,
)
OUTPUT = pa.schema([("fragments", pa.binary()), ("descriptors", pa.list_(pa.float32()))])
SCHEMA = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
# The penalty: on Enamine10k 30 and 50 find the same, 10 finds less (means of ten seeds).
RIDGE = 30.0
FEATURISE_S = 1e-3  # seconds a molecule on one core of 2026


def featurise(batch: pa.Table, settings: Frozen) -> pa.Table:
    """Compute what the surrogate sees of each molecule. In: id, smiles."""
    generators = (
        rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS),
        rdFingerprintGenerator.GetAtomPairGenerator(fpSize=BITS),
    )
    with rdBase.BlockLogs():
        rows = [
            {"id": number, **_features(smiles, generators)}
            for number, smiles in zip(batch["id"].to_pylist(), batch["smiles"].to_pylist(), strict=True)
        ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _features(smiles: str, generators: Sequence[Any]) -> dict[str, object]:
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return {"outcome": Outcome.bad_smiles, "reason": f"not a valid SMILES: {smiles[:60]}"}
    pairs = [
        (bit + BITS * number, min(count, 255))
        for number, generator in enumerate(generators)
        for bit, count in sorted(generator.GetCountFingerprint(mol).GetNonzeroElements().items())
    ]
    return {
        "fragments": np.array(pairs, NONZERO).tobytes(),
        "descriptors": [float(descriptor(mol)) for descriptor in DESCRIPTORS],
        "outcome": Outcome.ok,
    }


class ScoreSurrogate:
    """Predicts docking scores (kcal/mol) from the columns that ``featurise`` makes."""

    columns = tuple(OUTPUT.names)

    def __init__(self, seed: int) -> None:
        self.committee = Committee(seed, RIDGE)
        self.center, self.scale = np.zeros(len(DESCRIPTORS)), np.ones(len(DESCRIPTORS))

    def fit(self, features: pa.Table, scores: np.ndarray) -> None:
        """Train on the features and scores (n,) of the molecules docked so far."""
        values = _descriptors(features)
        spread = values.std(axis=0)
        self.center, self.scale = values.mean(axis=0), np.where(spread > 0, spread, 1.0)
        self.committee.fit(self._matrix(features), scores)

    def predict(self, features: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (n,) of the scores of these molecules."""
        return self.committee.predict(self._matrix(features))

    def _matrix(self, features: pa.Table) -> sparse.csr_matrix:
        """Sparse rows (n, 2 * BITS + 10), float32: log counts, then standardised descriptors."""
        packed = features["fragments"].to_pylist()
        nonzero = np.frombuffer(b"".join(packed), NONZERO)
        ends = np.cumsum([0, *(len(one) // NONZERO.itemsize for one in packed)])
        counts = sparse.csr_matrix(
            (LOG_COUNT[nonzero["count"]], nonzero["bit"].astype(np.int32), ends), shape=(len(packed), 2 * BITS)
        )
        values = (_descriptors(features) - self.center) / self.scale
        return sparse.hstack([counts, sparse.csr_matrix(values.astype(np.float32))], format="csr")


def _descriptors(features: pa.Table) -> np.ndarray:
    flat = features["descriptors"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, float).reshape(len(features), len(DESCRIPTORS))
