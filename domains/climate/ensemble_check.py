"""What must hold before an ensemble starts, its members, and about what it will take."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.stats import qmc

from domains.climate import ebm
from domains.climate.ensemble_request import ClimateEnsembleRequest
from domains.errors import InvalidRequest
from domains.request import PlannedStage

START_S = 4.0  # of a worker's child: it imports SciPy
EQUILIBRIA_S, YEAR_S = 5e-4, 1.3e-5  # a member, one core


@dataclass(frozen=True)
class ClimateEnsemble:
    """A request that can run, with its members."""

    request: ClimateEnsembleRequest
    rows: pa.Table

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return f"{self.request.model}-{self.request.members}"

    @property
    def facts(self) -> dict[str, str]:
        """The request refers to nothing outside itself."""
        return {}

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"Running {len(self.rows):,} members of {self.request.model} for {self.request.years} years of {self.request.scenario}"

    @property
    def varied(self) -> list[str]:
        """The parameters in which members differ."""
        return [name for name, one in self.request.parameters.distributions().items() if one.varies]

    @property
    def seconds(self) -> float:
        """About what a member takes of a core."""
        return EQUILIBRIA_S + YEAR_S * self.request.years

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take; good to a factor of two."""
        return [PlannedStage("members", len(self.rows), START_S + len(self.rows) * self.seconds)]


def check(request: ClimateEnsembleRequest) -> ClimateEnsemble:
    """Draw the members; raises InvalidRequest where none of them could be a climate."""
    rows = members(request)
    p = parameters(rows)
    for name, bad, valid in (
        ("feedback", p.feedback <= 0, "above 0: the planet must cool to space as it warms"),
        ("albedo", (p.albedo <= 0) | (p.albedo >= 1), "between 0 and 1"),
        ("diffusion", p.diffusion < 0, "0 or more"),
        ("mixed_layer", p.mixed_layer <= 0, "above 0"),
        ("ice_albedo", request.ice & (p.ice_albedo <= p.albedo + ebm.ALBEDO_P2), "whiter than without ice, below 1"),
    ):
        if bad.all():
            given = getattr(request.parameters, name)
            raise InvalidRequest(f"parameters.{name}", given, "no member could be a climate", valid)
    return ClimateEnsemble(request, rows)


def members(request: ClimateEnsembleRequest) -> pa.Table:
    """One row a member: id, name, and a column for each parameter; a Latin hypercube over what varies."""
    distributions = request.parameters.distributions()
    varied = [name for name, one in distributions.items() if one.varies]
    shares = qmc.LatinHypercube(max(1, len(varied)), rng=request.seed).random(request.members)
    drawn = {name: distributions[name].quantile(shares[:, at]) for at, name in enumerate(varied)}
    columns = {name: drawn.get(name, np.full(request.members, one.first, float)) for name, one in distributions.items()}
    ids = np.arange(request.members)
    return pa.table({"id": ids, "name": [f"member {number}" for number in ids], **columns})


def parameters(rows: pa.Table) -> ebm.Parameters:
    """The model's parameters from the columns of their names."""
    return ebm.Parameters(*(rows[name].to_numpy() for name in ebm.Parameters.__dataclass_fields__))
