"""The stages of a climate ensemble as Prefect tasks."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.climate import members
from domains.climate.ensemble_check import ClimateEnsemble
from domains.climate.ensemble_request import PARAMETERS
from tasks import climate_report
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage


@task(name="members", cache_policy=NO_CACHE)
def members_run(run: Run, ensemble: ClimateEnsemble) -> Survivors:
    """Every member's climate, sensitivity and warming."""
    settings = members.MemberSettings(**ensemble.request.model_dump(include=set(members.MemberSettings.model_fields)))
    stage = Stage(
        "members",
        "Members",
        "集合成员",
        members.run_members,
        settings,
        version="1",
        reads=tuple(PARAMETERS),
        carries=("name", *PARAMETERS),
        output=members.OUTPUT,
        cost=ensemble.seconds,
    )
    return run_stage(run, stage, Rows(ensemble.rows))


deliver = task(name="deliver", cache_policy=NO_CACHE)(climate_report.deliver)
