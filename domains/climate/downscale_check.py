"""What must hold before a downscaling starts, the blocks of space it is done in, and about what it will take."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa

from domains.climate.downscale_data import Pair, fingerprint, opened
from domains.climate.downscale_request import ClimateDownscalingRequest
from domains.climate.regrid import LatLon
from domains.errors import InvalidRequest
from domains.request import PlannedStage

FEWEST_YEARS = 5  # of training: quantiles of a month from fewer than 150 days are noise
BLOCK_BYTES = 16 * 2**20  # of a block's days as the worker holds them, each of several times
START_S, DAY_S = 5.0, 6e-6  # of a worker's child; a day of a cell


@dataclass(frozen=True, eq=False)
class ClimateDownscaling:
    """A request that can run, with its data (not read yet) and years."""

    request: ClimateDownscalingRequest
    pair: Pair
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    facts: dict[str, str]

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return f"{self.request.subject}-{self.request.variable}"

    @property
    def summary(self) -> str:
        """One line for people."""
        cells = self.pair.observed.sizes["lat"] * self.pair.observed.sizes["lon"]
        days = self.pair.model.sizes["time"]
        return f"Bringing {days:,} days of {self.request.variable} to {cells:,} cells, trained on {len(self.training)} years"

    @property
    def side(self) -> int:
        """Cells along a block's side."""
        days = max(self.pair.model.sizes["time"], self.pair.observed.sizes["time"])
        return max(1, int(np.sqrt(BLOCK_BYTES / 8 / days)))

    @cached_property
    def rows(self) -> pa.Table:
        """A row for each block of the fine grid: where it begins and ends."""
        lat, lon = (self.pair.observed[axis].values for axis in ("lat", "lon"))
        blocks = [
            (south, min(south + self.side, len(lat)), west, min(west + self.side, len(lon)))
            for south in range(0, len(lat), self.side)
            for west in range(0, len(lon), self.side)
        ]
        names = [f"{lat[s]:.2f} to {lat[n - 1]:.2f} N, {lon[w]:.2f} to {lon[e - 1]:.2f} E" for s, n, w, e in blocks]
        edges = dict(zip(("south", "north", "west", "east"), np.array(blocks).T, strict=True))
        return pa.table({"id": np.arange(len(blocks)), "name": names, **edges})

    @property
    def cost(self) -> Callable[[pa.Table], np.ndarray]:
        """About the seconds that each block takes of a core. It goes to the workers, so it holds no data."""
        return partial(seconds, days=self.pair.model.sizes["time"])

    def plan(self) -> list[PlannedStage]:
        """The stage and about what it takes; good to a factor of two."""
        return [PlannedStage("blocks", len(self.rows), START_S + float(self.cost(self.rows).sum()))]


def seconds(rows: pa.Table, days: int) -> np.ndarray:
    """About what each block takes of a core."""
    south, north, west, east = (rows[name].to_numpy() for name in ("south", "north", "west", "east"))
    return np.asarray((north - south) * (east - west) * days * DAY_S)


def check(request: ClimateDownscalingRequest) -> ClimateDownscaling:
    """Open both sides and choose the years; raises InvalidRequest where they do not fit each other."""
    pair = opened(request.model, request.observations, request.variable, request.seed)
    _covered(pair)
    mine, theirs = (_whole(years) for years in pair.years)
    common = sorted(mine & theirs)
    if len(common) < FEWEST_YEARS + 1:
        spans = [f"{min(one)} to {max(one)}" if one else "none" for one in (mine, theirs)]
        problem = f"{len(common)} whole years in common (model: {spans[0]}; observations: {spans[1]})"
        raise InvalidRequest("observations", request.observations, problem, f"at least {FEWEST_YEARS + 1}")
    if len(common) - request.held_out < FEWEST_YEARS:
        left = len(common) - request.held_out
        raise InvalidRequest(
            "held_out", request.held_out, f"leaves {left} years to train on", f"1 to {len(common) - FEWEST_YEARS}"
        )
    facts = {side: fingerprint(getattr(request, side)) for side in ("model", "observations")}
    return ClimateDownscaling(
        request, pair, tuple(common[: -request.held_out]), tuple(common[-request.held_out :]), facts
    )


def _whole(years: np.ndarray) -> set[int]:
    """Years with at least 360 days of data."""
    found, days = np.unique(years, return_counts=True)
    return {int(year) for year, count in zip(found, days, strict=True) if count >= 360}


def _covered(pair: Pair) -> None:
    """Refuse observations that the model's grid does not reach."""
    coarse, fine = (
        LatLon.around(one["lat"].values.astype(float), one["lon"].values.astype(float))
        for one in (pair.model, pair.observed)
    )
    lat, lon = fine.centres
    inside = (lat >= coarse.latitude[0]) & (lat <= coarse.latitude[-1])
    turned = coarse.longitude[0] + np.mod(lon - coarse.longitude[0], 360)
    if not inside.all() or (turned > coarse.longitude[-1] + 1e-6).any():
        raise InvalidRequest(
            "observations", f"{lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E", "reach beyond the model's grid",
            f"within {coarse.latitude[0]:g} to {coarse.latitude[-1]:g} N, {coarse.longitude[0]:g} to {coarse.longitude[-1]:g} E",
        )  # fmt: skip
