"""The stages of a climate downscaling as Prefect tasks."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.climate.downscale_blocks import OUTPUT, Block, BlockSettings
from domains.climate.downscale_check import ClimateDownscaling
from tasks import climate_downscaling_report
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage

LIMIT_S = 300.0
PLACE = ("south", "north", "west", "east")


@task(name="blocks", cache_policy=NO_CACHE)
def blocks_run(run: Run, asked: ClimateDownscaling) -> Survivors:
    """Every block's fine days, indices and errors."""
    request = asked.request
    settings = BlockSettings(
        model=request.model,
        observations=request.observations,
        fingerprints=asked.facts,
        variable=request.variable,
        seed=request.seed,
        training=asked.training,
        held_out=asked.held_out,
    )
    stage = Stage(
        "blocks",
        "Blocks of the grid",
        "空间分块",
        Block,
        settings,
        version="1",
        reads=PLACE,
        carries=("name", *PLACE),
        output=OUTPUT,
        cost=asked.cost,
        limit_s=LIMIT_S,
    )
    return run_stage(run, stage, Rows(asked.rows))


deliver = task(name="deliver", cache_policy=NO_CACHE)(climate_downscaling_report.deliver)
