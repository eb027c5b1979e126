"""Measured critical temperatures learnt from composition: it orders candidates, and what it says is a prediction, not a Tc.

Trained on the SuperCon compositions of Stanev et al., npj Comput. Mater. 4, 29 (2018), where a person has put that file into the folder of
the public data: it carries no licence, so it is neither shipped nor downloaded. Each chemical system is judged by models that saw
none of its compounds; by a random split a doped copy of every test compound is in the training set and the fit looks better.
"""

import csv
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from domains.errors import InvalidRequest
from domains.materials import composition
from domains.materials.outcomes import Outcome
from domains.model import Frozen

FILE = "materials/Supercon_data.csv"
SOURCE = "github.com/vstanev1/Supercon"
FOLDS, TREES, LEAF = 5, 50, 2
OUTPUT = pa.schema([("predicted_k", pa.float64()), ("predicted_error_k", pa.float64())])
SCHEMA = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])


@dataclass(frozen=True, eq=False)
class Measured:
    """Compositions (n) with their highest measured Tc (n,), K, and the chemical system of each as a number (n,)."""

    formulas: Sequence[str]
    kelvin: np.ndarray
    systems: np.ndarray


@dataclass(frozen=True)
class Trust:
    """How well systems are predicted that the model did not see, and the same by a random split, which flatters."""

    compositions: int
    systems: int
    r2: float
    mae: float  # K
    r2_random: float
    mae_random: float


class SurrogateSettings(Frozen):
    """What decides a prediction besides the formula."""

    data_sha256: str
    seed: int


def path() -> Path | None:
    """Where the measured data are: in the folder AI4S_DATA, or nowhere."""
    folder = os.environ.get("AI4S_DATA")
    found = Path(folder, FILE) if folder else None
    return found if found and found.is_file() else None


def missing() -> str:
    """Empty where the data are here; else what to do."""
    return "" if path() else f"not available: no measured Tc to learn from; put {SOURCE}'s file to AI4S_DATA/{FILE}"


@cache
def sha256() -> str:
    """The checksum of the data; raises InvalidRequest where there are none."""
    return hashlib.sha256(_path().read_bytes()).hexdigest()


def _path() -> Path:
    found = path()
    if found is None:
        raise InvalidRequest("surrogate", True, missing(), "off (false), or the file of measured Tc")
    return found


def measured(file: Path) -> Measured:
    """Read names and Tc; lines without a formula or a temperature are left out, of the same composition the highest Tc stays."""
    best: dict[str, float] = {}
    with file.open(newline="") as lines:
        for line in csv.DictReader(lines):
            try:
                kelvin, name = float(line["Tc"]), line["name"].strip()
                composition.amounts(name)
            except (InvalidRequest, KeyError, TypeError, ValueError):
                continue
            if 0 <= kelvin < 300:
                best[name] = max(kelvin, best.get(name, 0.0))
    systems: dict[frozenset[str], int] = {}
    numbers = [systems.setdefault(frozenset(composition.amounts(name)), len(systems)) for name in best]
    return Measured(list(best), np.array(list(best.values())), np.array(numbers, int))


class TcSurrogate:
    """Extremely randomised trees on composition; the spread of the trees says how unsure they are."""

    def __init__(self, seed: int) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self.model = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, max_features=0.3, random_state=seed, n_jobs=1)

    def fit(self, features: np.ndarray, kelvin: np.ndarray) -> None:
        """Train on features (n, f) and Tc (n,), K."""
        self.model.fit(features, kelvin)

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prediction and spread (n,), K."""
        each = np.array([tree.predict(features) for tree in self.model.estimators_])
        return each.mean(axis=0), each.std(axis=0)


def trust(data: Measured, seed: int) -> Trust:
    """Judge the surrogate by five folds of whole chemical systems, and by five random ones."""
    from sklearn.metrics import mean_absolute_error, r2_score
    from sklearn.model_selection import GroupKFold, KFold

    features = composition.features(data.formulas)
    scores = []
    whole = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(features, groups=data.systems)
    random = KFold(FOLDS, shuffle=True, random_state=seed).split(features)
    for split in (whole, random):
        predicted = np.empty(len(data.kelvin))
        for train, test in split:
            surrogate = TcSurrogate(seed)
            surrogate.fit(features[train], data.kelvin[train])
            predicted[test] = surrogate.predict(features[test])[0]
        scores += [float(r2_score(data.kelvin, predicted)), float(mean_absolute_error(data.kelvin, predicted))]
    return Trust(len(data.kelvin), len(set(data.systems.tolist())), *scores)


@cache
def _trained(settings: SurrogateSettings) -> TcSurrogate:
    if sha256() != settings.data_sha256:
        raise ValueError(f"{_path()} is not the file that the run began with: its checksum differs")
    data, surrogate = measured(_path()), TcSurrogate(settings.seed)
    surrogate.fit(composition.features(data.formulas), data.kelvin)
    return surrogate


def predict_rows(batch: pa.Table, settings: SurrogateSettings) -> pa.Table:
    """Predict each formula. In: id, formula."""
    mean, spread = _trained(settings).predict(composition.features(batch["formula"].to_pylist()))
    return pa.table(
        {
            "id": batch["id"],
            "predicted_k": mean,
            "predicted_error_k": spread,
            "outcome": pa.array([Outcome.ok] * len(batch), pa.string()),
            "reason": pa.nulls(len(batch), pa.string()),
        },
        schema=SCHEMA,
    )
