"""Climate simulation: a standard flow of the atmosphere on a sphere in tiles, to fields, budgets and an animation."""

from typing import Any

from prefect import flow

from domains.climate.simulation_check import check
from domains.climate.simulation_request import ClimateSimulationRequest
from tasks import climate_simulation as climate
from tasks.run import open_run

PIPELINE = "climate-simulation"


@flow(
    name=PIPELINE,
    flow_run_name="climate-{request.case}-{request.resolution}",
    description="Run a standard flow of the atmosphere on a sphere cut into tiles.",
)
def climate_simulation(request: ClimateSimulationRequest = ClimateSimulationRequest()) -> dict[str, Any]:
    """Run a standard flow of the atmosphere on a sphere cut into tiles.

    Tiles stay on their workers, placed along the hub's tree, and send their borders to each other. After each output interval the
    flow's health is checked, fields are written, and a checkpoint; a flow that blows up goes back to the last one with half the
    step. Where the exact solution is known, the errors are told, and how fast they fall with the resolution.

    Args:
        request: Which case, how fine, how long.

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    simulation = check(request)
    with open_run(PIPELINE, request, simulation) as run:
        done = climate.simulated(run, simulation)
        coarser = climate.converged(run, simulation) if simulation.coarser else None
        return climate.deliver(run, simulation, done, coarser)
