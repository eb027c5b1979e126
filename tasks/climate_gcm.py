"""The stages of a general circulation model's run as Prefect tasks."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.climate import gcm
from domains.climate.gcm_check import ClimateGcm
from tasks import climate_gcm_report
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage

CHUNKS = "chunks"
LIMIT_FACTOR = 20.0  # a loaded machine must not end a sound run


@task(name="gcm", cache_policy=NO_CACHE)
def model_run(run: Run, asked: ClimateGcm) -> Survivors:
    """The model, from where it has come to."""
    request = asked.request
    settings = gcm.GcmSettings(
        days=request.days,
        chunk_days=request.chunk_days,
        resolution=request.resolution,
        jcm=asked.jcm,
        folder=run.store.root / CHUNKS,
        python=gcm.interpreter(),
        limit_s=LIMIT_FACTOR * asked.seconds,
    )
    stage = Stage(
        "gcm",
        "General circulation model",
        "大气环流模式",
        gcm.Engine,
        settings,
        version="1",
        reads=("name",),
        output=gcm.OUTPUT,
        cost=asked.seconds,
        limit_s=2 * settings.limit_s,
        attempts=1,
    )
    return run_stage(run, stage, Rows(asked.rows))


deliver = task(name="deliver", cache_policy=NO_CACHE)(climate_gcm_report.deliver)
