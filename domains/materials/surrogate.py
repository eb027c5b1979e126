"""The surrogate for materials: what it sees of a candidate, and what it says of an energy that is dear to compute.

It sees the composition and the energies that are known already, such as those of a scan: a cheap potential's energy carries
the structure, which a composition does not. On composition alone a search over structures finds little.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from domains.learning.committee import Committee
from domains.materials import composition
from domains.materials.outcomes import Outcome
from domains.model import Frozen

OUTPUT = pa.schema([("features", pa.list_(pa.float32(), len(composition.NAMES)))])
# The penalty: of 3, 10 and 30 the best on public perovskites (benchmarks.dft_saved), where 100 extremely randomised trees
# needed a quarter more calculations. Fractions of single elements as further features did not help.
RIDGE = 3.0
FEATURISE_S = 2e-5  # seconds a candidate on one core of 2026


def featurise(batch: pa.Table, settings: Frozen) -> pa.Table:
    """Compute what the surrogate sees of each composition. In: id, formula."""
    found = composition.features(batch["formula"].to_pylist())
    return pa.table(
        {
            "id": batch["id"],
            "features": pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), len(composition.NAMES)),
            "outcome": pa.array([Outcome.ok.value] * len(batch), pa.string()),
            "reason": pa.nulls(len(batch), pa.string()),
        }
    )


class EnergySurrogate:
    """Predicts an energy (eV/atom) from the composition and from columns of energies that are known of every candidate."""

    def __init__(self, seed: int, energies: Sequence[str] = ("formation_energy",)) -> None:
        """``energies``: names of the columns; empty for the composition alone."""
        self.energies = tuple(energies)
        self.committee = Committee(seed, RIDGE)
        self.center, self.scale = np.zeros(1), np.ones(1)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return (*OUTPUT.names, *self.energies)

    def fit(self, features: pa.Table, scores: np.ndarray) -> None:
        """Train on the features and the energies (n,) computed so far."""
        values = self._matrix(features)
        spread = values.std(axis=0)
        self.center, self.scale = values.mean(axis=0), np.where(spread > 0, spread, 1.0)
        self.committee.fit(self._scaled(values), scores)

    def predict(self, features: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (n,) of the energies of these candidates."""
        return self.committee.predict(self._scaled(self._matrix(features)))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return (values - self.center) / self.scale

    def _matrix(self, features: pa.Table) -> np.ndarray:
        """(n, features and energies)."""
        flat = features["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        parts = np.asarray(flat, float).reshape(len(features), len(composition.NAMES))
        return np.column_stack([parts, *(features[name].to_numpy() for name in self.energies)])
