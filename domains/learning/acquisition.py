"""How worthwhile it is to compute a candidate, from what a surrogate says of it. Lower scores are better.

Each function takes the predicted mean and spread (n,), the best score so far and a random generator, and returns the
utility (n,): higher is chosen first. Forms as in Shahriari et al., Proc. IEEE 104 (2016) 148.
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtr

from domains.learning.settings import Acquisition

# Spreads below the mean that the confidence bound reaches down to.
BOUND = 1.0
SMALLEST_SPREAD = 1e-12

Utility = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]


def greedy(mean: np.ndarray, spread: np.ndarray, best: float, random: np.random.Generator) -> np.ndarray:
    """The best predictions."""
    return -mean


def ucb(mean: np.ndarray, spread: np.ndarray, best: float, random: np.random.Generator) -> np.ndarray:
    """The best that may be hoped for: the lower confidence bound, as lower is better."""
    return np.asarray(BOUND * spread - mean)


def ei(mean: np.ndarray, spread: np.ndarray, best: float, random: np.random.Generator) -> np.ndarray:
    """By how much the best score is expected to improve."""
    gain = best - mean
    # Beyond 40 spreads the chance is 0 or 1 in floating point, and a spread of zero needs no case of its own.
    z = np.clip(gain / np.maximum(spread, SMALLEST_SPREAD), -40, 40)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.maximum(gain * ndtr(z) + spread * density, 0.0))


def thompson(mean: np.ndarray, spread: np.ndarray, best: float, random: np.random.Generator) -> np.ndarray:
    """One draw for each candidate, as if predictions were independent of each other."""
    return -(mean + spread * random.standard_normal(len(mean)))


ACQUISITIONS: Mapping[Acquisition, Utility] = {"greedy": greedy, "ucb": ucb, "ei": ei, "thompson": thompson}


def highest(utility: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    """Positions of the ``count`` highest utilities, ties by id."""
    return np.lexsort((ids, -utility))[:count]
