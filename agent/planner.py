"""From what was understood to a plan: slots become a pipeline's request, which says what it does. No state, no clock, no chance."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.catalogue import OUT_OF_SCOPE, templates
from agent.fields import READERS
from agent.models.curated import curated
from agent.models.schema import Words
from agent.pipelines import Route, bounds, instead, no_pipeline, route
from agent.plan import Bounds, ModelUse, NoPlan, Plan, Problem, Stated
from agent.questions import missing
from agent.settings import at, checked, put, shown, title
from agent.slots.model import Slots
from agent.stages import graph
from agent.task import UNSURE, Task
from domains.errors import InvalidRequest
from domains.templates import PIPELINES, Pipeline, Planned

Changes = Mapping[str, Any]


def can_be_planned(task: Task) -> bool:
    """Whether a task is one to plan: understood, or open only where there are defaults, which the plan then says.

    What is open matters not where there is no pipeline: that is said first.
    """
    if task.action not in ("plan", "clarify") or task.intent not in templates() or task.intent.startswith(OUT_OF_SCOPE):
        return False
    if task.action == "plan" or route(task.intent) is None:
        return True
    sure = task.confidence >= UNSURE or bool(task.because)
    known = task.slots.model_dump(exclude_defaults=True)
    return sure and all(need.has_default for need in missing(templates()[task.intent], known))


def plan_of(task: Task, changes: Changes | None = None) -> Plan | NoPlan:
    """The plan of a task with a person's changes to its request.

    Raises:
        InvalidRequest: a change names no field, or a value that does not fit.
    """
    found = route(task.intent)
    if found is None:
        return NoPlan(intent=task.intent, reason=no_pipeline(task.intent), instead=instead(task.intent))
    filled = _Filled(found, PIPELINES[found.pipeline], task.slots)
    if not changes:
        try:
            return filled.plan(task.intent, {})
        except InvalidRequest as error:
            said = str(error)
            return NoPlan(intent=task.intent, reason=Words(en=said, zh=said))
    return filled.plan(task.intent, changes)


class _Filled:
    """A request on its way: what the sentence says, what follows from it, and what is taken for the rest."""

    def __init__(self, way: Route, pipeline: Pipeline, slots: Slots) -> None:
        self.way, self.pipeline, self.slots = way, pipeline, slots
        self.said: dict[str, Any] = {}
        self.also: dict[str, Any] = {}
        self.notes: dict[str, Words] = {}
        self.problems: dict[str, Words] = {}
        given = {name: value for name in Slots.model_fields if (value := getattr(slots, name)) is not None}
        self.unused = tuple(name for name in given if name not in {*way.slots, *way.meant, *bounds()})
        for slot, spec in way.slots.items():
            if slot in given:
                self._take(spec, given[slot])
        self.problems = {field: words for field, words in self.problems.items() if field not in self.said}

    def _take(self, spec: str, given: Any) -> None:
        field, _, reader = spec.partition(":")
        found = READERS[reader](given, self.pipeline, field)
        if found.note:
            self.notes[field] = found.note
        if found.problem:
            self.problems[field] = found.problem
        if found.value is None:
            return
        inner = found.value if isinstance(found.value, Mapping) else {"": found.value}
        for name, value in inner.items():
            self.said.setdefault(f"{field}.{name}" if name else field, value)
        self.also |= found.also

    def plan(self, intent: str, changes: Changes) -> Plan:
        """The plan with a person's changes; raises InvalidRequest."""
        content: dict[str, Any] = {}
        for source in (self.way.laptop, self.also, self.said, changes):
            for path, value in source.items():
                put(content, path, value)
        request = checked(self.pipeline.request, content)
        values: dict[str, Any] = request.identity()  # type: ignore[attr-defined]
        stages, unfit = _outline(self.pipeline, request)
        problems = [Problem(field=field, words=words) for field, words in self.problems.items() if field not in changes]
        if unfit:
            problems.append(Problem(field=unfit.field, words=Words(en=str(unfit), zh=str(unfit))))
        return Plan(
            intent=intent,
            pipeline=self.pipeline.name,
            title=Words(en=self.pipeline.title, zh=self.pipeline.title_zh),
            request=values,
            stages=graph(self.pipeline.name, stages),
            models=_models(self.way, values),
            stated=self._stated(values, changes),
            unused=self.unused,
            bounds=_bounds(self.slots),
            problems=tuple(problems),
        )

    def _stated(self, values: Mapping[str, Any], changes: Changes) -> tuple[Stated, ...]:
        found = []
        for path in dict.fromkeys((*self.way.shows, *self.said, *changes)):
            how = "changed" if path in changes else "said" if path in self.said else "default"
            note = {"changed": None, "said": self.notes.get(path), "default": self.way.remarks.get(path)}[how]
            words = title(self.pipeline.request, path)
            found.append(Stated(field=path, title=words, value=shown(at(values, path)), how=how, note=note))
        return tuple(found)


def _outline(pipeline: Pipeline, request: Any) -> tuple[Sequence[Planned], InvalidRequest | None]:
    """The stages by the pipeline's outline or by its check, and what is known not to fit."""
    if pipeline.outline:
        outline = pipeline.outline(request)
        return outline.stages, outline.problem
    return pipeline.check(request).plan(), None


def _models(way: Route, values: Mapping[str, Any]) -> tuple[ModelUse, ...]:
    """The models of the catalogue behind the engines that a request names."""
    by_engine = {one.engine: one.id for one in curated() if one.engine}
    found = []
    for field, spec in way.models.items():
        task, _, fixed = spec.partition("=")
        engine = fixed or at(values, field)
        if engine in by_engine:
            found.append(ModelUse(field=field, id=by_engine[engine], task=task))
    return tuple(found)


def _bounds(slots: Slots) -> Bounds:
    chips = slots.chips
    return Bounds(
        chips=chips.count if chips else None,
        kind=chips.kind if chips else None,
        supernodes=slots.supernodes,
        deadline_h=slots.deadline_h,
        budget_chip_h=slots.budget.value if slots.budget else None,
        precision=slots.precision,
    )
