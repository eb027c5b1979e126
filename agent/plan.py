"""A plan: what a request will do as a graph of stages, frozen, and the same for the same intent."""

import hashlib
import json
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from agent.models.schema import Words
from domains.model import Frozen

How = Literal["said", "default", "changed"]


class Stage(Frozen):
    """A step: what it takes and gives, what must be done before it, its rows, and the chip-seconds a reference core needs."""

    name: str
    key: str = Field(description="What its cost is learned under: stages of one kind share it")
    title: Words
    takes: tuple[str, ...] = ()
    gives: str
    after: tuple[str, ...] = ()
    rows: int = Field(ge=0)
    chip_s: float = Field(ge=0)


class ModelUse(Frozen):
    """A model or engine of the catalogue, and the field of the request that names it."""

    field: str
    id: str
    task: str


class Stated(Frozen):
    """A setting that is said with the plan: from the sentence, taken as a default, or changed by a person."""

    field: str
    title: Words
    value: str
    how: How
    note: Words | None = None


class Problem(Frozen):
    """Why a plan cannot run as it stands, and the field or bound that would have to change."""

    field: str
    words: Words


class Bounds(Frozen):
    """What a request allows or asks of the hub; None is no bound."""

    chips: int | None = None
    kind: str | None = None
    supernodes: int | None = None
    deadline_h: float | None = None
    budget_chip_h: float | None = None
    precision: str | None = None


class Plan(Frozen):
    """The validated request of a pipeline, with what it does.

    The hash covers what decides the work: pipeline, request, stages, models, bounds; not where it runs or what it is
    expected to cost, which is learned.
    """

    intent: str
    pipeline: str
    title: Words
    request: dict[str, Any]
    stages: tuple[Stage, ...] = Field(min_length=1)
    models: tuple[ModelUse, ...] = ()
    stated: tuple[Stated, ...] = ()
    unused: tuple[str, ...] = Field((), description="What the sentence says and the pipeline has no use for")
    bounds: Bounds = Bounds()
    problems: tuple[Problem, ...] = ()

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        names = [stage.name for stage in self.stages]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"stages: {', '.join(twice)} stand twice")
        if unknown := sorted({before for stage in self.stages for before in stage.after} - set(names)):
            raise ValueError(f"stages: unknown stages {', '.join(unknown)} in after")
        try:
            TopologicalSorter({stage.name: stage.after for stage in self.stages}).prepare()
        except CycleError as error:
            raise ValueError(f"stages: they wait for each other: {' > '.join(error.args[1])}") from None
        by_name = {stage.name: stage for stage in self.stages}
        for stage in self.stages:
            given = {by_name[before].gives for before in stage.after}
            if missing := [kind for kind in stage.takes if kind not in given]:
                raise ValueError(f"stages: {stage.name} takes {', '.join(missing)}, which nothing before it gives")
        return self

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of what decides the work."""
        content = self.model_dump(mode="json", include={"pipeline", "request", "stages", "models", "bounds"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def chip_s(self) -> float:
        """Chip-seconds of all stages, before anything is learned."""
        return sum(stage.chip_s for stage in self.stages)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the hash."""
        return {"hash": self.hash, **self.model_dump(mode="json")}


class NoPlan(Frozen):
    """Why nothing can be planned for a task, and what could be done instead."""

    intent: str
    reason: Words
    instead: tuple[Words, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self.model_dump(mode="json")
