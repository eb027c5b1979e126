"""Climate emulation: a surrogate of a climate ensemble, judged by members that it never saw."""

from typing import Any

from prefect import flow

from domains.climate.emulate_check import check
from domains.climate.emulate_request import ClimateEmulationRequest
from tasks import climate
from tasks import climate_emulation as emulation
from tasks.run import open_run

PIPELINE = "climate-emulation"


@flow(
    name=PIPELINE,
    flow_run_name="climate-emulation-{request.model}-{request.training}",
    description="Train a surrogate of a climate ensemble and judge it by members that it never saw.",
)
def climate_emulation(request: ClimateEmulationRequest = ClimateEmulationRequest()) -> dict[str, Any]:
    """Train a surrogate of a climate ensemble and judge it by members that it never saw.

    Members of an energy-balance model are run over the parameters' distributions. A surrogate learns each of their figures,
    and the curve of their warming, from a part of them, and tells all others with a spread. Its errors stand beside those of the
    mean and of a linear regression, its spread beside how often the truth lies in it, its time beside the model's.

    Args:
        request: The ensemble, and how many members it learns from. 集合设置与训练成员数。

    Raises:
        InvalidRequest: before anything starts, when the request cannot run.
    """
    asked = check(request)
    with open_run(PIPELINE, request, asked) as run:
        members = climate.members_run(run, asked.ensemble)
        return emulation.deliver(run, asked, members, emulation.surrogates_run(run, asked, members))
