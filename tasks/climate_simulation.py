"""The stages of a climate simulation as Prefect tasks."""

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.climate.simulation_check import ClimateSimulation
from domains.climate.simulation_convergence import OUTPUT, ConvergenceSettings, run_coarser
from tasks import climate_simulation_report, climate_simulation_run
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage


@task(name="simulate", cache_policy=NO_CACHE)
def simulated(run: Run, asked: ClimateSimulation) -> climate_simulation_run.Simulated:
    """The flow, record by record, on all workers together."""
    return climate_simulation_run.simulate(run, asked)


@task(name="converge", cache_policy=NO_CACHE)
def converged(run: Run, asked: ClimateSimulation) -> Survivors:
    """The same case at coarser resolutions, each on one worker."""
    cells = asked.coarser
    rows = pa.table({"id": range(len(cells)), "name": [f"C{one}" for one in cells], "cells": cells})
    steps = asked.steps * asked.chunks
    settings = ConvergenceSettings(
        case=asked.request.case, days=asked.request.length, steps=steps, cells=asked.tiling.cells
    )
    stage = Stage(
        "converge",
        "Coarser runs",
        "较低分辨率",
        run_coarser,
        settings,
        version="1",
        reads=("cells",),
        carries=("name", "cells"),
        output=OUTPUT,
        cost=max(asked.seconds(one) for one in cells),
        annotates=True,
    )
    return run_stage(run, stage, Rows(rows))


deliver = task(name="deliver", cache_policy=NO_CACHE)(climate_simulation_report.deliver)
