"""The work pool of a site, its queues, and how it starts a run.

A worker and a pool rather than Prefect's ``serve``: deployments and their schedules stay on the server while the worker is
down, runs wait in the pool and none is skipped, workers of other machines may join, and a pool's queue limits what runs.
"""

import sys
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from flows.serve import ASK_QUEUE, POOL

# Sentences wait for people, not for chips.
ASKED_AT_ONCE = 20


def make_pool(client: SyncPrefectClient, runs_at_once: int) -> None:
    """Make the pool and its queues, or bring them up to date."""
    wanted = WorkPoolCreate(
        name=POOL, type="process", description="Runs of the pipelines on this machine.", base_job_template=_template()
    )
    try:
        client.create_work_pool(wanted)
    except ObjectAlreadyExists:  # it may be paused, and stays so
        client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=_template()))
    for name, limit in (("default", runs_at_once), (ASK_QUEUE, ASKED_AT_ONCE)):
        try:
            client.create_work_queue(name, work_pool_name=POOL, concurrency_limit=limit)
        except ObjectAlreadyExists:
            queue = client.read_work_queue_by_name(name, POOL)
            client.update_work_queue(queue.id, concurrency_limit=limit)


def _template() -> dict[str, Any]:
    """Prefect's own for processes, with our way to start a run."""
    template: dict[str, Any] = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["command"]["default"] = f"{sys.executable} -m flows.serving_run"
    return template
