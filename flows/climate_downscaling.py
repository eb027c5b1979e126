"""Climate downscaling: a coarse model's days to a fine grid of observations, and how far to trust them."""

from typing import Any

from prefect import flow

from domains.climate.downscale_check import check
from domains.climate.downscale_request import ClimateDownscalingRequest
from tasks import climate_downscaling as downscaling
from tasks.run import open_run

PIPELINE = "climate-downscaling"


@flow(
    name=PIPELINE,
    flow_run_name="climate-downscaling-{request.subject}-{request.variable}",
    description="Bring a coarse climate model to a fine grid of observations, and score it on years held out.",
)
def climate_downscaling(request: ClimateDownscalingRequest = ClimateDownscalingRequest()) -> dict[str, Any]:
    """Bring a coarse climate model to a fine grid of observations, and score it on years held out.

    The fine grid is cut into blocks. In each, the model is interpolated and then corrected month by month with quantile delta
    mapping; beside it stand interpolation alone and a correction of the mean. All three are scored on years that none was
    trained on. Leaves the fine days as a CF Zarr store, indices of every year, errors of every cell.

    Args:
        request: The model, the observations, the variable, and how many years are held out. 模式、观测、变量与留出年数。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    asked = check(request)
    with open_run(PIPELINE, request, asked) as run:
        return downscaling.deliver(run, asked, downscaling.blocks_run(run, asked))
