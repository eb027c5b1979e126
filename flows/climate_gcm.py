"""Climate GCM: one run of a general circulation model, and the climate that it has."""

from typing import Any

from prefect import flow

from domains.climate.gcm_check import check
from domains.climate.gcm_request import ClimateGcmRequest
from tasks import climate_gcm as model
from tasks.run import open_run

PIPELINE = "climate-gcm"


@flow(
    name=PIPELINE,
    flow_run_name="climate-gcm-{request.resolution}-{request.days}",
    description="Run a general circulation model of the atmosphere and look at its climate.",
)
def climate_gcm(request: ClimateGcmRequest = ClimateGcmRequest()) -> dict[str, Any]:
    """Run a general circulation model of the atmosphere and look at its climate.

    The model is jcm, in an environment of its own (AI4S_JCM). It runs in chunks of days, each with a checkpoint that a killed run
    goes on from with the same bits. Leaves daily means as a CF Zarr store, global means beside what is observed, and a page of
    maps, zonal means and time series.

    Args:
        request: How many days, at which resolution. 积分天数与分辨率。

    Raises:
        InvalidRequest: before anything starts, when the model is not there.
    """
    asked = check(request)
    with open_run(PIPELINE, request, asked) as run:
        return model.deliver(run, asked, model.model_run(run, asked), model.CHUNKS)
