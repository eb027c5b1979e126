"""What a parameter may be over an ensemble: a number, or a distribution as people write it, such as ``normal(1.5, 0.4)``."""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WRITTEN = "a number, normal(mean, sd), uniform(low, high) or lognormal(median, sd of the logarithm)"
KINDS = ("normal", "uniform", "lognormal")
CALL = re.compile(r"(\w+)\(([^,()]+),([^,()]+)\)")


@dataclass(frozen=True)
class Distribution:
    """A distribution by its kind and its two numbers; ``fixed`` has the same number twice."""

    kind: str
    first: float
    second: float

    @classmethod
    def parse(cls, text: str) -> "Distribution":
        """Read a distribution; raises ValueError that says what is valid."""
        plain = re.sub(r"\s+", "", text)
        call = CALL.fullmatch(plain)
        kind, numbers = (call[1], call.groups()[1:]) if call else ("fixed", (plain, plain))
        try:
            first, second = map(float, numbers)
        except ValueError:
            raise ValueError(f"cannot be read. Valid: {WRITTEN}") from None
        if kind not in (*KINDS, "fixed"):
            raise ValueError(f"unknown distribution {kind!r}. Valid: {WRITTEN}")
        found = cls(kind, first, second)
        if problem := found._problem():
            raise ValueError(f"{problem}. Valid: {WRITTEN}")
        return found

    def _problem(self) -> str:
        if not (math.isfinite(self.first) and math.isfinite(self.second)):
            return "not a finite number"
        if self.kind == "uniform" and self.first >= self.second:
            return "the low end is not below the high end"
        if self.kind in ("normal", "lognormal") and self.second <= 0:
            return "the spread is not above zero"
        return "the median is not above zero" if self.kind == "lognormal" and self.first <= 0 else ""

    @property
    def varies(self) -> bool:
        """Whether members differ in it."""
        return self.kind != "fixed"

    def quantile(self, share: "np.ndarray") -> "np.ndarray":
        """Values below which these shares (n,) of the distribution lie."""
        import numpy as np
        from scipy.special import ndtri

        if self.kind == "normal":
            return np.asarray(self.first + self.second * ndtri(share))
        if self.kind == "lognormal":
            return np.asarray(self.first * np.exp(self.second * ndtri(share)))
        return np.asarray(self.first + (self.second - self.first) * share)

    def __str__(self) -> str:
        return f"{self.kind}({self.first:g}, {self.second:g})" if self.varies else f"{self.first:g}"
