"""What is served: the pipelines, ``ask`` and the templates of people, with their schedules, as Prefect deployments."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema

from domains.errors import InvalidRequest
from domains.templates import PIPELINES
from domains.user_templates import Template, folders, load
from flows.serving_schedules import ASK, Planned, Timed, checked_parameters, read_schedules, timing

POOL = "ai4s"
# A run that waits for a person's word must not keep a screen from starting: it waits in a line of its own.
ASK_QUEUE = "ask"
# The schedules of files are ours to change and to remove; those that people made on the page are not.
FROM_FILE = "file-"


@dataclass(frozen=True)
class Served:
    """One deployment: a flow under a name, with its parameters, schedules and how many of its runs go at once."""

    name: str
    flow: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schedules: Sequence[Timed] = ()
    limit: int | None = None
    description: str = ""
    tags: tuple[str, ...] = ()

    @property
    def entrypoint(self) -> str:
        """Where its flow is; by module, so that it can be pickled on workers."""
        module = self.flow.replace("-", "_")
        return f"flows.{module}:{module}"

    @property
    def queue(self) -> str:
        """The work queue of its runs."""
        return ASK_QUEUE if self.flow == ASK else "default"

    def load(self) -> Flow[..., Any]:
        """Import its flow."""
        module, _, name = self.entrypoint.partition(":")
        found: Flow[..., Any] = getattr(importlib.import_module(module), name)
        return found


def collect(templates: Path, schedules: Path | None = None) -> list[Served]:
    """Everything there is to serve: the pipelines, ask, the templates of a folder. Imports no flow; raises InvalidRequest."""
    found = {name: Served(name, name, tags=(name.split("-")[0],)) for name in PIPELINES}
    found[ASK] = Served(ASK, ASK, tags=(ASK,))
    for folder in folders(templates):
        one = of_template(load(folder))
        if one.name in found:
            raise InvalidRequest("template", str(folder), "is called like a pipeline", "a name of its own")
        found[one.name] = one
    flows = {name: one.flow for name, one in found.items()}
    for name, plan in read_schedules(schedules, flows).items() if schedules else ():
        found[name] = _planned(found[name], plan)
    return list(found.values())


def of_template(template: Template) -> Served:
    """A scientist's template as a deployment: its pipeline's flow with the template's request and schedule."""
    timed = [Timed(name="own", **template.schedule.model_dump())] if template.schedule else []
    request = {"request": dict(template.request)}
    tags = (template.pipeline.split("-")[0], "template")
    return Served(template.name, template.pipeline, request, timed, description=template.title, tags=tags)


def _planned(served: Served, plan: Planned) -> Served:
    """A deployment with what the schedules file says of it."""
    parameters = checked_parameters(served.flow, plan.parameters, served.parameters, f"{served.name}.parameters")
    timed = [_timed(served, one, parameters) for one in plan.schedules]
    return replace(
        served, parameters=parameters, schedules=[*served.schedules, *timed], limit=plan.limit or served.limit
    )


def _timed(served: Served, one: Timed, base: Mapping[str, Any]) -> Timed:
    """A schedule with its parameters in full; one without any takes the deployment's."""
    if not one.parameters:
        return one
    where = f"{served.name}.{one.name}.parameters"
    return one.model_copy(update={"parameters": checked_parameters(served.flow, one.parameters, base, where)})


def register(found: Sequence[Served]) -> list[str]:
    """Make the deployments on the server that the settings name; returns those that were new or changed."""
    with get_client(sync_client=True) as client:
        return [one.name for one in found if _register(client, one)]


def _register(client: SyncPrefectClient, served: Served) -> bool:
    """Make or change one deployment. Unchanged ones are not touched, as a change drops their scheduled runs."""
    flow = served.load()
    try:
        there: DeploymentResponse | None = client.read_deployment_by_name(f"{flow.name}/{served.name}")
    except ObjectNotFound:
        there = None
    wanted: dict[str, Any] = {
        "entrypoint": served.entrypoint,
        "parameters": dict(served.parameters),
        "description": served.description or flow.description or "",
        "tags": ["ai4s", *served.tags],
        "work_pool_name": POOL,
        "work_queue_name": served.queue,
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
    }
    schedules = [_schedule(one, there) for one in served.schedules]
    if there is not None and _same(there, wanted, schedules, served.limit):
        return False
    client.create_deployment(
        client.create_flow(flow),
        served.name,
        schedules=[*schedules, *_of_people(there)],
        concurrency_limit=served.limit,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        paused=there.paused if there else False,
        enforce_parameter_schema=True,
        **wanted,
    )
    return True


def _schedule(one: Timed, there: DeploymentResponse | None) -> DeploymentScheduleCreate:
    """A schedule of a file; one that a person has paused on the page stays paused."""
    slug = FROM_FILE + one.name
    known = {known.slug: known for known in there.schedules} if there else {}
    active = one.active and (slug not in known or known[slug].active)
    return DeploymentScheduleCreate(schedule=timing(one), active=active, slug=slug, parameters=one.parameters)


def _of_people(there: DeploymentResponse | None) -> list[DeploymentScheduleCreate]:
    """The schedules that people made on the page."""
    mine = [one for one in there.schedules if not (one.slug or "").startswith(FROM_FILE)] if there else []
    return [
        DeploymentScheduleCreate(
            schedule=one.schedule, active=one.active, slug=one.slug, parameters=one.parameters or {}
        )
        for one in mine
    ]


def _same(
    there: DeploymentResponse,
    wanted: Mapping[str, Any],
    schedules: Sequence[DeploymentScheduleCreate],
    limit: int | None,
) -> bool:
    plain = {name: value for name, value in wanted.items() if name != "tags"}
    of_file = {one.slug: one for one in there.schedules if (one.slug or "").startswith(FROM_FILE)}
    known_limit = there.global_concurrency_limit.limit if there.global_concurrency_limit else None
    return (
        all(getattr(there, name) == value for name, value in plain.items())
        and set(there.tags) == set(wanted["tags"])
        and known_limit == limit
        and of_file.keys() == {one.slug for one in schedules}
        and all(_same_schedule(of_file[one.slug], one) for one in schedules)
    )


def _same_schedule(there: Any, wanted: DeploymentScheduleCreate) -> bool:
    times = [one.schedule.model_dump(exclude={"anchor_date"}) for one in (there, wanted)]
    return times[0] == times[1] and (there.parameters or {}) == wanted.parameters and there.active == wanted.active
