"""The table that leads from an intent to a registered pipeline: ``data/pipelines.yaml``."""

from functools import cache
from typing import Any

from pydantic import Field

from agent.catalogue import templates
from agent.models.schema import Words
from agent.models.tasks import tasks
from agent.resource import read_data
from domains.model import Frozen
from domains.templates import PIPELINES


class Route(Frozen):
    """How an intent is asked of a pipeline; see the table for what the fields mean."""

    pipeline: str
    slots: dict[str, str] = Field(default_factory=dict)
    laptop: dict[str, Any] = Field(default_factory=dict)
    shows: tuple[str, ...] = ()
    models: dict[str, str] = Field(default_factory=dict)
    meant: tuple[str, ...] = ()
    remarks: dict[str, Words] = Field(default_factory=dict)


@cache
def _routes() -> dict[str, Route]:
    return {intent: Route.model_validate(row) for intent, row in read_data("pipelines")["intents"].items()}


def route(intent: str) -> Route | None:
    """The route of an intent; None where no pipeline is registered for it."""
    found = _routes().get(intent)
    return found if found and found.pipeline in PIPELINES else None


def routes() -> dict[str, Route]:
    """The routes to registered pipelines, by intent."""
    return {intent: found for intent, found in _routes().items() if found.pipeline in PIPELINES}


def bounds() -> frozenset[str]:
    """Slots that bound a run and are no part of its request."""
    return frozenset(read_data("pipelines")["bounds"])


def no_pipeline(intent: str) -> Words:
    """What is said of an intent without a pipeline."""
    title = templates()[intent]
    return Words(
        en=f"There is no pipeline for {title.title} yet, so nothing would run.",
        zh=f"「{title.title_zh}」目前没有可运行的流程，因此不会执行任何计算。",
    )


def instead(intent: str) -> tuple[Words, ...]:
    """What can be done for an intent without a pipeline: pipelines of its field, models of the catalogue."""
    field = intent.split(".")[0]
    found = [
        Words(en=f"{one.title}: ai4s run {one.name}", zh=f"{one.title_zh}：ai4s run {one.name}")
        for one in PIPELINES.values()
        if one.name.split("-")[0] == field
    ]
    for task in tasks().values():
        if intent in task.templates:
            found.append(
                Words(
                    en=f"Models for {task.title.en}: ai4s models select --task {task.id}",
                    zh=f"可用于{task.title.zh}的模型：ai4s models select --task {task.id}",
                )
            )
    return tuple(found)
