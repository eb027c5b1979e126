"""The schedules file: when what is run, with which parameters, and how many of its runs at once.

drug-screening:                  # a pipeline, a template, or ask
  limit: 1                       # runs of it at the same time; the others wait
  schedules:
    - name: nightly
      cron: "0 2 * * *"          # or: interval: 6h
      timezone: Asia/Shanghai
      parameters: {target: EGFR, sample: 1000}
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, model_validator

from domains.errors import InvalidRequest, closest
from domains.fields import explain
from domains.model import Frozen
from domains.schedule import Schedule
from domains.templates import PIPELINES

ASK = "ask"
ASK_PARAMETERS = ("sentence", "profile", "limit")
# Intervals are counted from here, so that a restart does not move them.
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


class Timed(Schedule):
    """A schedule of a deployment: its name, and the parameters that differ from the deployment's own."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    parameters: dict[str, Any] = Field({})
    active: bool = True


class Planned(Frozen):
    """What the schedules file says of one deployment."""

    limit: Annotated[int, Field(ge=1)] | None = None
    parameters: dict[str, Any] = Field({})
    schedules: list[Timed] = Field([])

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.schedules]
        if len({*names}) < len(names):
            raise ValueError("two schedules have the same name")
        return self


def timing(schedule: Schedule) -> Any:
    """A schedule as Prefect's."""
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    if schedule.seconds is None:
        return CronSchedule(cron=schedule.cron or "", timezone=schedule.timezone)
    anchor = ANCHOR.astimezone(ZoneInfo(schedule.timezone))
    return IntervalSchedule(
        interval=timedelta(seconds=schedule.seconds), anchor_date=anchor, timezone=schedule.timezone
    )


def read_schedules(path: Path, flows: Mapping[str, str]) -> dict[str, Planned]:
    """What is planned for each deployment by its name; raises InvalidRequest with the field and what is valid."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequest("schedules", str(path), " ".join(str(error).split()), "a YAML file") from None
    if not isinstance(content, dict):
        raise InvalidRequest("schedules", str(path), "is no mapping of deployments", ", ".join(flows))
    return {str(name): _read(path, str(name), plan, flows) for name, plan in content.items()}


def _read(path: Path, name: str, plan: Any, flows: Mapping[str, str]) -> Planned:
    if name not in flows:
        near = closest(name, flows)
        problem = "is nothing that is served" + (f", closest: {', '.join(near)}" if near else "")
        raise InvalidRequest(f"schedules file {path}", name, problem, ", ".join(flows))
    try:
        return Planned.model_validate(plan or {})
    except ValidationError as error:
        raise InvalidRequest("schedules", str(path), f"{name}: " + "; ".join(explain(error, Planned))) from None


def checked_parameters(flow: str, given: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A flow's parameters as its deployment takes them: a request in full, so that its form is filled."""
    if not given:
        return dict(base)
    if flow == ASK:
        unknown = [name for name in given if name not in ASK_PARAMETERS]
        if unknown:
            raise InvalidRequest(where, unknown[0], "is no parameter of ask", ", ".join(ASK_PARAMETERS))
        return {**base, **given}
    model = PIPELINES[flow].request
    try:
        request = model.model_validate({**base.get("request", {}), **given})
    except ValidationError as error:
        raise InvalidRequest(where, dict(given), "; ".join(explain(error, model))) from None
    return {"request": request.model_dump(mode="json")}
