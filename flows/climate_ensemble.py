"""Climate ensemble: many versions of a model to the distribution of its sensitivity, and which parameter it hangs on."""

from typing import Any

from prefect import flow

from domains.climate.ensemble_check import check
from domains.climate.ensemble_request import ClimateEnsembleRequest
from tasks import climate
from tasks.run import open_run

PIPELINE = "climate-ensemble"


@flow(
    name=PIPELINE,
    flow_run_name="climate-{request.model}-{request.members}",
    description="Perturb the parameters of a climate model and see how far its answer is known.",
)
def climate_ensemble(request: ClimateEnsembleRequest = ClimateEnsembleRequest()) -> dict[str, Any]:
    """Perturb the parameters of a climate model and see how far its answer is known.

    Members are spread over the parameters' distributions. Each finds its unperturbed climate, its steady climate at twice the
    CO2, and its warming in a scenario; what is no climate of ours ends with its reason. The rest gives the distribution of the
    sensitivity, the share of each parameter in it, and a CF store (Zarr and NetCDF) of all of it.

    Args:
        request: Which model, how many members, and what may differ between them. 哪个模式、多少成员、哪些参数可变。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    ensemble = check(request)
    with open_run(PIPELINE, request, ensemble) as run:
        return climate.deliver(run, ensemble, climate.members_run(run, ensemble))
