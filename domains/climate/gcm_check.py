"""What must hold before a general circulation model starts, and about what it will take."""

from dataclasses import dataclass

import pyarrow as pa

from domains.climate import gcm
from domains.climate.gcm_request import ClimateGcmRequest
from domains.request import PlannedStage

COMPILE_S = {"T21": 50.0, "T31": 60.0}
DAY_S = {"T21": 0.5, "T31": 1.4}  # of a core


@dataclass(frozen=True)
class ClimateGcm:
    """A request that can run, and the version of the model."""

    request: ClimateGcmRequest
    jcm: str

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return f"{self.request.resolution}-{self.request.days}"

    @property
    def facts(self) -> dict[str, str]:
        """A run that began with one version does not go on with another."""
        return {"jcm": self.jcm}

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"Running jcm {self.jcm} at {self.request.resolution} for {self.request.days:,} days"

    @property
    def rows(self) -> pa.Table:
        """The one run."""
        return pa.table({"id": [0], "name": [f"{self.request.resolution}, {self.request.days} days"]})

    @property
    def seconds(self) -> float:
        """About what it takes of a core."""
        return COMPILE_S[self.request.resolution] + self.request.days * DAY_S[self.request.resolution]

    def plan(self) -> list[PlannedStage]:
        """The stage and about what it takes; good to a factor of two."""
        return [PlannedStage("gcm", 1, self.seconds)]


def check(request: ClimateGcmRequest) -> ClimateGcm:
    """Find the model; raises InvalidRequest that says ``needs jcm`` where it is not there."""
    return ClimateGcm(request, gcm.require())
