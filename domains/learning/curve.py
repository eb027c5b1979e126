"""The learning curve: what each round of a search brought, and how good the predictions were that chose it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from domains.learning.estimate import Estimate


@dataclass(frozen=True)
class Round:
    """One point of the learning curve. Predictions are those made before the round: its scores were unknown to them."""

    number: int
    chosen: int
    evaluated: int
    total: int  # chosen up to here
    best: float | None
    predicted: np.ndarray
    computed: np.ndarray
    deciding_s: float
    evaluating_s: float
    estimate: Estimate | None = None

    @property
    def error(self) -> float | None:
        """Root mean square of predicted minus computed; None where nothing was predicted."""
        return float(np.sqrt(np.mean((self.predicted - self.computed) ** 2))) if len(self.predicted) else None

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's, between predicted and computed; None where either is the same for all."""
        if len(self.predicted) < 3 or not np.ptp(self.predicted) or not np.ptp(self.computed):
            return None
        from scipy.stats import spearmanr  # here: it takes long to import, and only a search needs it

        return float(spearmanr(self.predicted, self.computed).statistic)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, without the single predictions."""
        return {
            "round": self.number,
            "chosen": self.chosen,
            "evaluated": self.evaluated,
            "total": self.total,
            "best": self.best,
            "estimated_share_found": self.estimate.share if self.estimate else None,
            "error": self.error,
            "rank_correlation": self.rank_correlation,
            "deciding_s": round(self.deciding_s, 2),
            "evaluating_s": round(self.evaluating_s, 2),
        }
