"""How many of the best candidates are found, as far as a surrogate can tell: an estimate, never a count."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

HALVINGS = 50


@dataclass(frozen=True)
class Estimate:
    """Where the top ends, how many of it are found, and how many are expected among those not computed."""

    threshold: float
    found: float
    remaining: float

    @property
    def share(self) -> float:
        """The part of the top that is found."""
        return self.found / (self.found + self.remaining)


def estimate(scores: np.ndarray, mean: np.ndarray, spread: np.ndarray, top: int) -> Estimate:
    """Find the score below which ``top`` candidates lie, and on which side of the search they are.

    Lower is better. A computed candidate counts whole, another by the chance that its score, taken as normal with the
    predicted mean and spread, is below: the predictions alone would miss that the rare very good ones are predicted
    too cautiously. Both arrays of predictions are (n,), as many as were not computed.
    """
    spread = np.maximum(spread, 1e-9)
    every = np.concatenate([scores, mean])
    reach = 8 * spread.max(initial=0.0)
    low, high = every.min() - reach, every.max() + reach
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = (scores <= middle).sum() + ndtr((middle - mean) / spread).sum()
        low, high = (middle, high) if below < top else (low, middle)
    found = int((scores <= high).sum())
    return Estimate(float(high), found, float(ndtr((high - mean) / spread).sum()))
