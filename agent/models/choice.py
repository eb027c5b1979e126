"""What is asked of a model, and what the answer says: which models fit, why, and why the others do not."""

from collections import Counter
from typing import Any, Self

from pydantic import Field, model_validator

from agent.models.licences import commercial, parts
from agent.models.place import Placement, Rule
from agent.models.schema import Model, Precision, Words
from agent.models.tasks import Metric
from domains.model import Frozen

USE = {
    "yes": Words(en="commercial use allowed", zh="可商用"),
    "conditions": Words(en="commercial use under conditions", zh="有条件商用"),
    "no": Words(en="no commercial use", zh="不可商用"),
    "unknown": Words(en="terms not known", zh="条款未知"),
}


class Wish(Frozen):
    """What a model must meet. A budget is in chip-hours for a number of units of the task's work."""

    task: str
    licence: str | None = None
    precision: Precision | None = None
    chip: str | None = None
    most_parameters: float | None = Field(None, gt=0)
    most_chips: int | None = Field(None, ge=1)
    context: int | None = Field(None, ge=1)
    batch: int = Field(1, ge=1)
    ready: bool = False
    budget_chip_h: float | None = Field(None, gt=0)
    units: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _budget_of_some_work(self) -> Self:
        if (self.budget_chip_h is None) != (self.units is None):
            raise ValueError(
                "budget_chip_h and units: a budget needs the units of work that it is for, and these a budget"
            )
        return self


class Cost(Frozen):
    """Chip-seconds for one unit of the task's work, and how that is known."""

    chip_s: float
    basis: str


class Choice(Frozen):
    """A model that fits; ``efficient`` where no better one needs fewer chips."""

    model: Model
    placement: Placement
    quality: float | None
    metric: Metric | None
    cost: Cost | None
    state: str
    efficient: bool = False

    @property
    def why(self) -> tuple[Words, ...]:
        """The reasons in both languages: licence, place, support, quality, cost."""
        return (
            _allowed(self.model),
            _placed(self.placement),
            _supported(self.placement),
            _good(self),
            *_cost(self.cost),
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.model.id,
            "name": self.model.name,
            "chip": self.placement.chip.kind,
            "chips": self.placement.chips,
            "precision": self.placement.precision,
            "need_gib": round(self.placement.need_gib, 3),
            "need_basis": self.placement.basis,
            "support": self.placement.support,
            "metric": self.metric.name if self.metric and self.quality is not None else None,
            "quality": self.quality,
            "cost": self.cost.model_dump() if self.cost else None,
            "licence": self.model.licence.model_dump(),
            "state": self.state,
            "efficient": self.efficient,
            "why": [words.model_dump() for words in self.why],
        }


class Excluded(Frozen):
    """A model that does not meet the wish, and why."""

    id: str
    rule: Rule
    reason: Words


class Selection(Frozen):
    """All models of a catalogue: those that fit, best first, and the others."""

    wish: Wish
    chosen: tuple[Choice, ...]
    excluded: tuple[Excluded, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many models each rule excluded, in the order of the rules."""
        found = Counter(one.rule for one in self.excluded)
        return {rule.value: found[rule] for rule in Rule if found[rule]}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "wish": self.wish.model_dump(exclude_defaults=True),
            "chosen": [one.as_dict() for one in self.chosen],
            "excluded": [one.model_dump(mode="json") for one in self.excluded],
            "counts": self.counts,
        }


def _allowed(model: Model) -> Words:
    named, use = " + ".join(parts(model.licence)), USE[commercial(model.licence)]
    return Words(en=f"{named}: {use.en}", zh=f"{named}：{use.zh}")


def _placed(placed: Placement) -> Words:
    kind, memory, each = placed.chip.kind, f"{placed.chip.memory_gib:g} GiB", f"{placed.need_gib:,.1f} GiB"
    return Words(
        en=f"{placed.chips} x {kind}, {each} ({placed.basis}) of {memory} each, {placed.precision}",
        zh=f"{placed.chips} × {kind}，每张占 {each}（{placed.basis}），共 {memory}，{placed.precision}",
    )


def _supported(placed: Placement) -> Words:
    kind, backend = placed.chip.kind, placed.chip.backend
    if placed.support == "assumed":
        return Words(
            en=f"assumed to run on {kind}: the hub file does not say whose GPU it is",
            zh=f"假定可在 {kind} 上运行：集群文件未说明其 GPU 厂商",
        )
    if placed.support == "host":
        return Words(en=f"a program for CPUs: runs on the host of {kind}", zh=f"CPU 程序：在 {kind} 的主机上运行")
    return Words(en=f"runs on {backend}: {placed.support}", zh=f"{backend} 支持依据：{placed.support}")


def _good(one: Choice) -> Words:
    if one.metric is None or one.quality is None:
        return Words(en="no benchmark figure that its peers have too", zh="没有可与同类比较的评测成绩")
    title = one.metric.title
    return Words(en=f"{title.en}: {one.quality:,.4g}", zh=f"{title.zh}：{one.quality:,.4g}")


def _cost(cost: Cost | None) -> tuple[Words, ...]:
    if cost is None:
        return ()
    figure = f"{cost.chip_s:,.3g}"
    return (Words(en=f"{figure} chip-seconds a unit, {cost.basis}", zh=f"每单位 {figure} 卡秒（{cost.basis}）"),)
