"""A surrogate's inside: a committee of ridge regressions and boosted trees, each trained without one part of the rows."""

from typing import Any

import numpy as np

PARTS = 4
TREES: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "feature_fraction": 0.2,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    # One thread and a fixed way of summing: the same trees on any machine, however many cores it has.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
NUMBER_OF_TREES = 120


class Committee:
    """Mean and spread from members of two kinds that fail differently: linear ones extrapolate, trees never do.

    Rows are cut into PARTS at random; a member of each kind is trained on all rows but one part. Its error on the part
    that it has not seen sets the size of the spread: half of that variance is the same for every candidate, the other
    half goes where the two kinds disagree, so that over unseen rows the spread is on average as large as the error.
    """

    def __init__(self, seed: int, ridge: float) -> None:
        """``ridge`` is the strength of the linear members' penalty: the more features there are, the more of it."""
        self.seed, self.ridge = seed, ridge
        self.members: list[tuple[Any, Any]] = []
        self.error, self.disagreement = 0.0, 0.0

    def fit(self, x: Any, y: np.ndarray) -> None:
        """Train on features (n, d) and scores (n,); n at least 2 * PARTS.

        Features are dense, or sparse with rows that can be taken; their columns vary by about one, as a ridge asks.
        """
        from threadpoolctl import threadpool_limits

        part = np.random.default_rng(self.seed).permutation(len(y)) % PARTS
        errors, apart = np.empty(len(y)), np.empty(len(y))
        with threadpool_limits(1):
            self.members = [self._pair(x[part != out], y[part != out], out) for out in range(PARTS)]
            for out, pair in enumerate(self.members):
                unseen = part == out
                linear, trees = _both(pair, x[unseen])
                errors[unseen], apart[unseen] = y[unseen] - (linear + trees) / 2, (linear - trees) / 2
        self.error, self.disagreement = float(np.mean(errors**2)), float(np.mean(apart**2))

    def predict(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (n,) of the scores of candidates with these features."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            both = np.array([_both(pair, x) for pair in self.members])  # (PARTS, 2, n)
        apart = np.mean((both[:, 0] - both[:, 1]) ** 2, axis=0) / 4
        relative = apart / self.disagreement if self.disagreement > 0 else np.ones(both.shape[2])
        return both.mean(axis=(0, 1)), np.sqrt(self.error * (1 + relative) / 2)

    def _pair(self, x: Any, y: np.ndarray, member: int) -> tuple[Any, Any]:
        # Here: importing both takes a second, which only a search should pay.
        import lightgbm
        from sklearn.linear_model import Ridge

        data = lightgbm.Dataset(x, y, params={"verbosity": -1})
        trees = lightgbm.train({**TREES, "seed": self.seed + member}, data, NUMBER_OF_TREES)
        return Ridge(alpha=self.ridge).fit(x, y), trees


def _both(pair: tuple[Any, Any], x: Any) -> tuple[np.ndarray, np.ndarray]:
    linear, trees = pair
    return linear.predict(x).astype(float), trees.predict(x, num_threads=1)
