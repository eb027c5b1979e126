"""The engine of an emulation: one figure of the ensemble, learned from a part of its members, told of all others."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from domains.climate.emulate import METHODS, emulate
from domains.climate.emulate_request import FEWEST
from domains.climate.ensemble import stacked
from domains.climate.outcomes import Outcome
from domains.model import Frozen

TOO_FEW = "too_few_members"
MEANINGS = {TOO_FEW: ("too few members with a climate like today's", "有效成员过少")}
CURVE = "warming"
VALUES = pa.list_(pa.float64())
OUTPUT = pa.schema(
    [
        ("trained", pa.int64()),
        ("unseen", pa.int64()),
        *((f"error_{name}", pa.float64()) for name in METHODS),  # root mean square over the unseen, the figure's unit
        ("coverage", pa.float64()),  # share of unseen truths inside the central 90 % of what is told
        ("training_s", pa.float64()),  # CPU
        ("member_s", pa.float64()),  # CPU of telling a member
        ("truth", VALUES),  # of the unseen; of a curve its last year
        ("told", VALUES),
        ("spread", VALUES),
    ]
)


class EmulationSettings(Frozen):
    """What decides a surrogate besides the figure it is of."""

    members: Path = Field(exclude=True)  # Parquet: a row a member, parameters and figures
    sha256: str  # of it
    varied: tuple[str, ...]
    training: int
    seed: int


class Emulator:
    """Learns figures from members on a disk."""

    def __init__(self, settings: EmulationSettings) -> None:
        self.settings = settings
        self.members = pq.read_table(settings.members)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """One figure: columns of OUTPUT, or that there is too little to learn from."""
        started = time.perf_counter()
        return {**self._figure(row["name"]), "engine_s": time.perf_counter() - started}

    def _figure(self, name: str) -> dict[str, Any]:
        many, wanted = len(self.members), self.settings.training
        if many < wanted + FEWEST:
            return {
                "outcome": TOO_FEW,
                "reason": f"{many} members; {wanted} to train on and {FEWEST} to judge by are needed",
            }
        training = np.zeros(many, bool)
        training[np.random.default_rng(self.settings.seed).permutation(many)[:wanted]] = True
        column = self.members[name]
        y = stacked(column) if name == CURVE else column.to_numpy()
        x = np.stack([self.members[one].to_numpy() for one in self.settings.varied], axis=1)
        found = emulate(x, y, training, self.settings.seed)
        last = {"truth": found.truth[:, -1], "told": found.told["surrogate"][:, -1], "spread": found.spread[:, -1]}
        return {
            "outcome": Outcome.ok,
            "reason": None,
            "trained": wanted,
            "unseen": many - wanted,
            **{f"error_{method}": error for method, error in found.errors().items()},
            "coverage": found.coverage,
            "training_s": found.training_s,
            "member_s": found.member_s,
            **last,
        }
