"""The engine of a downscaling: one block of the fine grid, all its days; it reads from the data only what the block needs."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from domains.climate import downscale
from domains.climate.downscale import MEASURES, METHODS, VARIABLES
from domains.climate.downscale_data import Pair, interpolated, opened
from domains.climate.outcomes import Outcome
from domains.model import Frozen

PERIOD = 30  # years after those held out that are ranked together
NO_OBSERVATIONS = "no_observations"
MEANINGS = {NO_OBSERVATIONS: ("no cell of the block has an observation every day", "区块内没有逐日观测完整的格点")}
CELLS = pa.list_(pa.float32())
SCORES = tuple(f"{measure}_{method}" for method in METHODS for measure in MEASURES)
MEANS = ("observed", "interpolated", "downscaled")
OUTPUT = pa.schema(
    [
        ("cells", pa.int64()),  # of the block, with observations
        ("days", CELLS),  # downscaled, (time, cells); NaN where there are no observations
        ("indices", CELLS),  # (indices, years, cells)
        *((name, CELLS) for name in SCORES),  # errors in the years held out, (cells,)
        *((f"{name}_mean", CELLS) for name in MEANS),  # in the years held out, (cells,)
    ]
)


class BlockSettings(Frozen):
    """What decides a block's result besides where it is."""

    model: str
    observations: str
    fingerprints: dict[str, str]
    variable: str
    seed: int
    training: tuple[int, ...]
    held_out: tuple[int, ...]


class Block:
    """Downscales blocks; both sides stay open."""

    def __init__(self, settings: BlockSettings) -> None:
        self.settings = settings
        self.pair: Pair = opened(settings.model, settings.observations, settings.variable, settings.seed)
        self.years, self.observed_years = self.pair.years
        self.months, self.observed_months = self.pair.months

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """One block: columns of OUTPUT, or that nothing was observed there."""
        started = time.perf_counter()
        return {**self._block(row), "engine_s": time.perf_counter() - started}

    def _block(self, row: Mapping[str, Any]) -> dict[str, Any]:
        rows, columns = slice(row["south"], row["north"]), slice(row["west"], row["east"])
        observed = self.pair.observed.isel(lat=rows, lon=columns)
        lat, lon = observed["lat"].values.astype(float), observed["lon"].values.astype(float)
        seen = observed.values.reshape(observed.sizes["time"], -1).astype(float)
        used = np.isin(self.observed_years, [*self.settings.training, *self.settings.held_out])
        whole = np.isfinite(seen[used]).all(axis=0)
        if not whole.any():
            return {"outcome": NO_OBSERVATIONS, "reason": f"none of {len(whole)} cells has a value every day"}
        raw = interpolated(self.pair.model, lat, lon)
        missing = ~np.isfinite(raw).all(axis=1)
        if missing.any():
            first = self.pair.model["time"].values[np.argmax(missing)]
            return {
                "outcome": Outcome.engine_error,
                "reason": f"the model lacks values on {missing.sum()} days, as {str(first)[:10]}",
            }
        return {"outcome": Outcome.ok, "reason": None, **self._downscaled(seen[:, whole], raw[:, whole], whole)}

    def _downscaled(self, seen: np.ndarray, raw: np.ndarray, whole: np.ndarray) -> dict[str, Any]:
        additive = VARIABLES[self.settings.variable].additive
        trained = np.isin(self.observed_years, self.settings.training)
        reference = seen[trained], self.observed_months[trained]
        training = np.isin(self.years, self.settings.training)

        def corrected(correct: downscale.Correction) -> np.ndarray:
            return downscale.by_month(correct, reference, (raw, self.months), training, self._periods(), additive)

        made = {
            "interpolation": raw,
            "mean": corrected(downscale.mean_correction),
            "qdm": corrected(downscale.quantile_delta_mapping),
        }
        mine, theirs = np.isin(self.years, self.settings.held_out), np.isin(self.observed_years, self.settings.held_out)
        scores = {
            f"{measure}_{method}": values
            for method, days in made.items()
            for measure, values in downscale.errors(
                days[mine], seen[theirs], self.years[mine], self.observed_years[theirs]
            ).items()
        }
        means = dict(zip(MEANS, (seen[theirs], raw[mine], made["qdm"][mine]), strict=True))
        fields = {**scores, **{f"{name}_mean": days.mean(axis=0) for name, days in means.items()}}
        fields |= {"days": made["qdm"], "indices": downscale.indices(self.settings.variable, made["qdm"], self.years)}
        return {"cells": int(whole.sum()), **{name: _spread(values, whole) for name, values in fields.items()}}

    def _periods(self) -> list[np.ndarray]:
        """Days of the model that are ranked together: before and in training, held out, and what is later."""
        last, held = self.settings.training[-1], self.settings.held_out
        periods = [self.years <= last, (self.years > last) & (self.years <= held[-1])]
        after = range(held[-1] + 1, int(self.years.max()) + 1, PERIOD)
        return periods + [(self.years >= year) & (self.years < year + PERIOD) for year in after]


def _spread(values: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """All cells of the block, NaN where there are no observations; flat."""
    made = np.full((*values.shape[:-1], len(whole)), np.nan, np.float32)
    made[..., whole] = values
    return made.ravel()
