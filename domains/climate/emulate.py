"""Gaussian processes of a model's figures over its parameters, the trivial ones beside them, and how wrong each is on unseen members.

Parameters come in as they are and are standardised; a curve is emulated as the weights of its leading patterns, which are found in
the members trained on.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

STATED = 0.9  # the central share that the stated spread should hold
PATTERNS = 3  # of a curve
METHODS = ("mean", "linear", "surrogate")


class GaussianProcess:
    """Scikit-learn's, with a length for each parameter and noise of its own; predictions are (n,) with standard deviations (n,)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Standardised features (n, d) and a figure (n,)."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        lengths = np.full(x.shape[1], 3.0)
        kernel = ConstantKernel(1.0, (1e-3, 1e6)) * RBF(lengths, (0.1, 1e5)) + WhiteKernel(1e-4, (1e-9, 1.0))
        self.process = GaussianProcessRegressor(
            kernel, normalize_y=True, n_restarts_optimizer=0, random_state=self.seed
        )
        _quietly(lambda: self.process.fit(x, y))

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of features (n, d)."""
        mean, spread = self.process.predict(x, return_std=True)
        return np.asarray(mean), np.asarray(spread)


def _quietly(run: Any) -> None:
    """A length at its bound is a parameter without effect, not a fault."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        run()


@dataclass(frozen=True)
class Emulated:
    """What a figure's surrogate says of members never seen, beside the truth; arrays are (members, length of the figure)."""

    truth: np.ndarray
    told: dict[str, np.ndarray]  # by METHODS
    spread: np.ndarray
    training_s: float  # CPU
    member_s: float  # CPU of telling one

    def errors(self) -> dict[str, float]:
        """Root mean square over members (and the curve) of each method, in the figure's unit."""
        return {name: float(np.sqrt(np.mean((told - self.truth) ** 2))) for name, told in self.told.items()}

    @property
    def coverage(self) -> float:
        """The share of unseen truths inside the central STATED of what is told: near STATED where the spread is honest."""
        reach = ndtri((1 + STATED) / 2) * self.spread
        return float(np.mean(np.abs(self.told["surrogate"] - self.truth) <= reach))


def emulate(x: np.ndarray, y: np.ndarray, training: np.ndarray, seed: int) -> Emulated:
    """Train on the members marked (n,) and tell the others; parameters (n, d), a figure (n,) or a curve (n, length)."""
    curve = y.reshape(len(y), -1).astype(float)
    scale = x[training].std(axis=0)
    features = (x - x[training].mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    seen, unseen = features[training], features[~training]
    mean, patterns = _patterns(curve[training])
    weights = (curve[training] - mean) @ patterns.T
    began = time.process_time()
    parts = [GaussianProcess(seed) for _ in patterns]
    for at, one in enumerate(parts):
        one.fit(seen, weights[:, at])
    trained = time.process_time()
    told = [one.predict(unseen) for one in parts]
    spent = time.process_time() - trained
    centre, spread = (np.stack([one[which] for one in told], axis=1) for which in range(2))
    # What the patterns leave out belongs to the spread as well.
    rest = (curve[training] - mean - weights @ patterns).var(axis=0)
    line, *_ = np.linalg.lstsq(_with_constant(seen), curve[training], rcond=None)
    return Emulated(
        truth=curve[~training],
        told={
            "mean": np.broadcast_to(mean, (len(unseen), curve.shape[1])),
            "linear": _with_constant(unseen) @ line,
            "surrogate": mean + centre @ patterns,
        },
        spread=np.sqrt(spread**2 @ patterns**2 + rest),
        training_s=trained - began,
        member_s=spent / len(unseen),
    )


def _patterns(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (length,) and the leading patterns (patterns, length) of curves."""
    mean = curve.mean(axis=0)
    _, _, patterns = np.linalg.svd(curve - mean, full_matrices=False)
    return mean, patterns[:PATTERNS]


def _with_constant(x: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(x)), x])
