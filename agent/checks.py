"""What a plan must meet on a hub before it may run: chips that are there, models that fit, budget and deadline."""

from collections.abc import Iterator

from agent.estimate import Estimate
from agent.models.chips import chips_of
from agent.models.curated import curated
from agent.models.place import Placement, place
from agent.models.schema import Words
from agent.placement import kinds_named
from agent.plan import Bounds, Plan, Problem
from cluster.topology import Topology
from domains.errors import InvalidRequest


def problems(plan: Plan, hub: Topology, estimate: Estimate | None) -> tuple[Problem, ...]:
    """All that keeps a plan from running on a hub; none: it may be approved."""
    return (
        *plan.problems,
        *_chips(plan.bounds, hub),
        *_models(plan, hub),
        *(_limits(plan, estimate) if estimate else ()),
    )


def _chips(bounds: Bounds, hub: Topology) -> Iterator[Problem]:
    if bounds.chips and bounds.chips > hub.chips:
        yield _problem(
            "chips",
            f"{bounds.chips:,} chips are asked for, and {hub.name} has {hub.chips:,}",
            f"要求 {bounds.chips:,} 张卡，而 {hub.name} 只有 {hub.chips:,} 张",
        )
    if bounds.kind:
        try:
            kinds_named(hub, bounds.kind)
        except InvalidRequest:
            names = ", ".join(hub.kinds)
            yield _problem(
                "chips",
                f"{bounds.kind} is asked for, and {hub.name} has {names}",
                f"要求 {bounds.kind}，而 {hub.name} 仅有 {names}",
            )


def _models(plan: Plan, hub: Topology) -> Iterator[Problem]:
    chips = chips_of(hub)
    by_id = {one.id: one for one in curated()}
    for use in plan.models:
        found = [place(by_id[use.id], chip) for chip in chips]
        if not any(isinstance(one, Placement) for one in found):
            reason = next(one.reason for one in found if not isinstance(one, Placement))
            yield Problem(field=use.field or use.task, words=reason)


def _limits(plan: Plan, estimate: Estimate) -> Iterator[Problem]:
    bounds, hours, wall_h = plan.bounds, estimate.chip_h, estimate.wall_s.scaled(1 / 3600)
    if bounds.budget_chip_h is not None and hours.expected > bounds.budget_chip_h:
        yield _problem(
            "budget",
            f"about {hours.expected:,.3g} chip-hours are needed, and the budget is {bounds.budget_chip_h:,g}",
            f"约需 {hours.expected:,.3g} 卡时，超出预算 {bounds.budget_chip_h:,g}",
        )
    if bounds.deadline_h is not None and wall_h.expected > bounds.deadline_h:
        yield _problem(
            "deadline",
            f"it would take about {wall_h.expected:,.3g} h, and {bounds.deadline_h:,g} h are left",
            f"约需 {wall_h.expected:,.3g} 小时，超出时限 {bounds.deadline_h:,g} 小时",
        )


def _problem(field: str, en: str, zh: str) -> Problem:
    return Problem(field=field, words=Words(en=en, zh=zh))
