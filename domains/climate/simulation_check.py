"""What must hold before a simulation starts, its time steps, and about what it will take."""

import math
from dataclasses import dataclass
from functools import cached_property

from domains.climate import run
from domains.climate.cases import Case, case
from domains.climate.grid import LEAST_SIDE, Tiling
from domains.climate.simulation_request import ClimateSimulationRequest
from domains.request import PlannedStage

CELL_STEPS = 9e6  # a second of one core
START_S = 8.0  # of the workers' groups: numba is imported, recipes are made
FIELDS = 5  # kept in single precision
BYTES_A_CELL = 600  # of a worker's memory
STATE_BYTES = 32  # of a cell in a checkpoint
COARSER = (2, 4)  # times, of the runs that show how fast the error falls


@dataclass(frozen=True)
class ClimateSimulation:
    """A request that can run."""

    request: ClimateSimulationRequest

    @property
    def label(self) -> str:
        """Goes into the run's name."""
        return f"{self.request.case}-{self.request.resolution}"

    @property
    def facts(self) -> dict[str, str]:
        """The request refers to nothing outside itself."""
        return {}

    @property
    def summary(self) -> str:
        """One line for people."""
        asked = self.request
        return (
            f"Running {asked.case} at {asked.resolution} for {asked.length:g} days: {6 * asked.cells**2:,} cells in "
            f"{self.tiling.count} tiles, {self.steps * self.chunks:,} steps of {self.chunk_s / self.steps:.4g} s"
        )

    @cached_property
    def case(self) -> Case:
        """The flow."""
        return case(self.request.case)

    @cached_property
    def tiling(self) -> Tiling:
        """The sphere as it is cut."""
        return self.request.tiling()

    @property
    def chunk_s(self) -> float:
        """Simulated seconds from one checkpoint to the next."""
        return 3600.0 * self.request.interval

    @property
    def chunks(self) -> int:
        """How many of them."""
        return self.request.records - 1

    @cached_property
    def steps(self) -> int:
        """Steps of a chunk, as long as nothing blows up."""
        most = self.request.step or run.longest_step(self.case, self.tiling.cells)
        return math.ceil(self.chunk_s / most * (1 - 1e-12))

    @property
    def coarser(self) -> list[int]:
        """Resolutions that are run beside it, where the exact solution is known and moves: for the order of convergence."""
        if not self.case.steady or self.request.case == "rest":
            return []
        return [self.tiling.cells // times for times in COARSER if self.tiling.cells // times >= LEAST_SIDE]

    @property
    def disk_bytes(self) -> int:
        """About what it leaves on disk at most: fields, their copy over longitude and latitude, checkpoints."""
        cells = 6 * self.tiling.cells**2
        return cells * (2 * 4 * FIELDS * self.request.records + 2 * STATE_BYTES)

    def plan(self) -> list[PlannedStage]:
        """The stages and about what they take; good to a factor of two."""
        rows = self.request.records * self.tiling.count
        stages = [PlannedStage("simulate", rows, START_S + self.seconds(self.tiling.cells))]
        if self.coarser:
            seconds = sum(START_S / 2 + self.seconds(cells) for cells in self.coarser)
            stages.append(PlannedStage("converge", len(self.coarser), seconds))
        return stages

    def seconds(self, cells: int) -> float:
        """About what a resolution takes of one core: work falls with its cube, as cells are fewer and steps longer."""
        steps = self.steps * self.chunks * cells / self.tiling.cells
        return 6 * cells**2 * steps / CELL_STEPS


def check(request: ClimateSimulationRequest) -> ClimateSimulation:
    """The simulation of a request; raises InvalidRequest where its time step is certain to blow up."""
    found = ClimateSimulation(request)
    if request.step:
        run.refuse_hopeless(found.case, found.tiling.cells, found.chunk_s / found.steps)
    return found
