"""The models that can do a task on a hub: every other one excluded with its reason, the rest by quality, then cost."""

from collections.abc import Iterable, Sequence
from typing import Any

from agent.models.chips import Chip
from agent.models.choice import Choice, Cost, Excluded, Selection, Wish
from agent.models.licences import COMMERCIAL_OK, commercial, licence_named, parts
from agent.models.place import Placement, Refusal, Rule, place, refuse
from agent.models.quality import quality
from agent.models.schema import BYTES, Model
from agent.models.state import READY, state
from agent.models.tasks import Task, tasks_for
from domains.errors import InvalidRequest, closest

DECODING_SHARE = 0.6  # of the memory bandwidth that decoding reaches
ORDER = ("tested", "stated", "derived", "assumed", "host")
TOKENS = 1000  # the unit of work of a language model


def select(models: Iterable[Model], wish: Wish, chips: Sequence[Chip]) -> Selection:
    """Choose among models for a task on chips; the same input always gives the same answer.

    Raises:
        InvalidRequest: the task, the licence or the kind of chip is unknown.
    """
    tasks = tasks_for(wish.task)
    wanted = wish if wish.licence is None else wish.model_copy(update={"licence": licence_named(wish.licence)})
    usable = _chips(wanted, chips)
    chosen: list[Choice] = []
    excluded: list[Excluded] = []
    for model in models:
        found = _judge(model, wanted, usable, tasks)
        if isinstance(found, Refusal):
            excluded.append(Excluded(id=model.id, rule=found.rule, reason=found.reason))
        else:
            chosen.append(found)
    return Selection(wish=wish, chosen=_ranked(chosen), excluded=tuple(sorted(excluded, key=lambda one: one.id)))


def _chips(wish: Wish, chips: Sequence[Chip]) -> list[Chip]:
    if wish.chip is None:
        return list(chips)
    named = wish.chip.casefold()
    found = [one for one in chips if named in (one.kind.casefold(), one.device, one.backend)]
    if not found:
        names = [name for one in chips for name in (one.kind, one.backend or one.device)]
        near = closest(wish.chip, names)
        raise InvalidRequest(
            "chip",
            wish.chip,
            "the hub has no such chip" + (f", closest: {', '.join(near)}" if near else ""),
            ", ".join(dict.fromkeys(names)),
        )
    return found


def _judge(model: Model, wish: Wish, chips: Sequence[Chip], tasks: Sequence[Task]) -> Choice | Refusal:
    task = next((one for one in tasks if one.id in model.tasks), None)
    if task is None:
        return refuse(Rule.TASK, f"is for {', '.join(model.tasks)}", f"用途为 {'、'.join(model.tasks)}")
    refused = _licence(model, wish) or _size(model, wish)
    if refused:
        return refused
    now = state(model)
    if wish.ready and now != READY:
        return refuse(Rule.STATE, now, now)
    placed = _best_place(model, wish, chips)
    if isinstance(placed, Refusal):
        return placed
    cost = cost_of(model, placed)
    if refused := _budget(wish, cost):
        return refused
    figure = quality(model, task.metric.name) if task.metric else None
    return Choice(model=model, placement=placed, quality=figure, metric=task.metric, cost=cost, state=now)


def _licence(model: Model, wish: Wish) -> Refusal | None:
    named = " + ".join(parts(model.licence))
    if wish.licence == COMMERCIAL_OK:
        allowed = commercial(model.licence)
        said = {"no": "forbids commercial use", "unknown": "is not known", "conditions": "allows it under conditions"}
        zh = {"no": "禁止商用", "unknown": "商用条款未知", "conditions": "有条件允许商用"}
        return None if allowed == "yes" else refuse(Rule.LICENCE, f"{named} {said[allowed]}", f"{named} {zh[allowed]}")
    if wish.licence is None or wish.licence == model.licence.weights:
        return None
    return refuse(Rule.LICENCE, f"its licence is {named}", f"许可证为 {named}")


def _size(model: Model, wish: Wish) -> Refusal | None:
    if wish.most_parameters is not None:
        if model.parameters is None:
            return refuse(Rule.PARAMETERS, "its parameters are not known", "参数量未知")
        if model.parameters > wish.most_parameters:
            return refuse(
                Rule.PARAMETERS,
                f"has {model.parameters:,} parameters, more than {wish.most_parameters:,.0f}",
                f"参数量 {model.parameters:,}，超过 {wish.most_parameters:,.0f}",
            )
    if wish.context is not None and (model.context or 0) < wish.context:
        known = f"{model.context:,}" if model.context else "unknown"
        return refuse(
            Rule.CONTEXT,
            f"its context is {known}, less than {wish.context:,}",
            f"上下文 {known}，不足 {wish.context:,}",
        )
    return None


def _best_place(model: Model, wish: Wish, chips: Sequence[Chip]) -> Placement | Refusal:
    """The place with the fewest chips; else the refusal of the chip where the model came furthest."""
    found = [place(model, chip, wish.precision, wish.context, wish.batch, wish.most_chips) for chip in chips]
    placed = [one for one in found if isinstance(one, Placement)]
    if placed:
        return min(placed, key=lambda one: (one.chips, ORDER.index(one.support), one.chip.memory_gib, one.chip.kind))
    order = list(Rule)
    return max((one for one in found if isinstance(one, Refusal)), key=lambda one: order.index(one.rule))


def cost_of(model: Model, placed: Placement) -> Cost | None:
    """A measured speed on this kind of chip; for a language model what reading its weights takes at least."""
    for speed in model.speed:
        if speed.backend == placed.chip.backend:
            return Cost(chip_s=placed.chips * speed.seconds, basis=f"measured on {speed.chip}: {speed.source}")
    if model.domain == "general" and model.parameters and placed.chip.bandwidth_gbps:
        weights = (model.active_parameters or model.parameters) * BYTES[placed.precision]
        seconds = TOKENS * weights / (placed.chip.bandwidth_gbps * 1e9 * DECODING_SHARE)
        return Cost(chip_s=seconds, basis="estimated for one sequence from the memory bandwidth")
    return None


def _budget(wish: Wish, cost: Cost | None) -> Refusal | None:
    """A budget that cannot be shown to suffice does not."""
    if wish.budget_chip_h is None or wish.units is None:
        return None
    if cost is None:
        return refuse(Rule.BUDGET, "no speed is known for it on these chips", "在这些芯片上的速度未知，无法核对预算")
    hours = cost.chip_s * wish.units / 3600
    if hours <= wish.budget_chip_h:
        return None
    return refuse(
        Rule.BUDGET,
        f"takes {hours:,.3g} chip-hours, more than {wish.budget_chip_h:,g}",
        f"需 {hours:,.3g} 卡时，超过 {wish.budget_chip_h:,g}",
    )


def _ranked(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """By quality, models without a figure last; then chips, cost, what is ready here, memory and id."""

    def key(one: Choice) -> tuple[Any, ...]:
        up = one.metric is None or one.metric.higher_is_better
        quality = 0.0 if one.quality is None else -one.quality if up else one.quality
        cost = one.cost.chip_s if one.cost else float("inf")
        return (
            one.quality is None, quality, one.placement.chips, one.state != READY, cost, one.placement.need_gib, one.model.id
        )  # fmt: skip

    fewest, ranked = float("inf"), []
    for one in sorted(choices, key=key):
        efficient = one.quality is not None and one.placement.chips < fewest
        fewest = min(fewest, one.placement.chips)
        ranked.append(one.model_copy(update={"efficient": True}) if efficient else one)
    return tuple(ranked)
