"""What must hold before an emulation starts, the figures it emulates, and about what it will take."""

from dataclasses import dataclass

import pyarrow as pa

from domains.climate import ensemble_check
from domains.climate.emulate_engine import CURVE
from domains.climate.emulate_request import FEWEST, ClimateEmulationRequest
from domains.climate.ensemble import FIGURES
from domains.errors import InvalidRequest
from domains.request import PlannedStage

PROCESS_S = 2e-7  # times the cube of the members


@dataclass(frozen=True)
class ClimateEmulation:
    """A request that can run, with the ensemble that is emulated."""

    request: ClimateEmulationRequest
    ensemble: ensemble_check.ClimateEnsemble

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return f"{self.request.model}-{self.request.training}"

    @property
    def facts(self) -> dict[str, str]:
        """The request refers to nothing outside itself."""
        return {}

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"{self.ensemble.summary}; Gaussian processes learn from {self.request.training} of them"

    @property
    def figures(self) -> list[str]:
        """The model's figures that are emulated, besides the curve."""
        left = {"tcr"} if self.request.scenario != "1pctCO2" else set()
        return [name for name in FIGURES if name not in left | (set() if self.request.ice else {"ice_edge"})]

    @property
    def rows(self) -> pa.Table:
        """A row for each surrogate."""
        names = [*self.figures, CURVE]
        return pa.table({"id": list(range(len(names))), "name": names})

    @property
    def surrogate_s(self) -> float:
        """About what a surrogate takes of a core."""
        return 1.0 + PROCESS_S * self.request.training**3

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take; good to a factor of two or three."""
        names = self.rows
        return [*self.ensemble.plan(), PlannedStage("surrogates", len(names), 4.0 + len(names) * self.surrogate_s)]


def check(request: ClimateEmulationRequest) -> ClimateEmulation:
    """Draw the members; raises InvalidRequest where they are too few, or where nothing varies."""
    if request.members < request.training + FEWEST:
        problem = f"fewer than {request.training} to train on and {FEWEST} to judge by"
        raise InvalidRequest(
            "members", request.members, problem, f"at least {request.training + FEWEST}; some of them end early"
        )
    found = ensemble_check.check(request)
    if not found.varied:
        raise InvalidRequest(
            "parameters", "all fixed", "nothing varies, so there is nothing to learn", "at least one distribution"
        )
    return ClimateEmulation(request, found)
