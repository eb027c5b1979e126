"""A sentence as it would be carried out: for each of its tasks a plan with its cost and what keeps it from running."""

from collections.abc import Callable, Mapping
from typing import Any

from agent.calibration import Calibration
from agent.checks import problems
from agent.estimate import Estimate, estimate
from agent.models.schema import Words
from agent.placement import kinds_named
from agent.plan import NoPlan, Plan, Problem
from agent.planner import can_be_planned, plan_of
from agent.read import Reading, read
from agent.task import Task
from agent.text import is_chinese, normalise
from agent.verdict import Decision
from cluster.topology import Topology
from domains.errors import InvalidRequest
from domains.model import Frozen


class Proposal(Frozen):
    """One task: its plan and cost, or why there is none."""

    task: Task
    plan: Plan | None = None
    none: NoPlan | None = None
    estimate: Estimate | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def can_run(self) -> bool:
        """Whether it may be approved."""
        return self.plan is not None and not self.problems and not self.task.slots.dry_run

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the plan, or why there is none."""
        if self.plan is None:
            return {"plan": None, "none": self.none.as_dict() if self.none else None}
        return {
            "plan": self.plan.as_dict(),
            "estimate": self.estimate.model_dump(mode="json") if self.estimate else None,
            "problems": [one.model_dump() for one in self.problems],
            "can_run": self.can_run,
        }


class Proposed(Frozen):
    """All that follows from a sentence."""

    text: str
    chinese: bool
    reading: Reading
    proposals: tuple[Proposal, ...]

    @property
    def held(self) -> bool:
        """Whether it must not run: refused, or held for a reviewer."""
        return self.reading.decision is not Decision.ALLOW


class Ground(Frozen):
    """What estimates stand on: the hub, what was measured, and the machine it was measured on."""

    hub: Topology
    calibration: Calibration = Calibration()
    machine: str = ""
    busy: bool = False


def propose(
    text: str, ground: Ground, changes: Mapping[str, Any] | None = None, reader: Callable[[str], Reading] = read
) -> Proposed:
    """Read a sentence and plan its tasks, in their order; changes are of the first task that has a plan.

    Raises:
        InvalidRequest: a change names no field, or a value that does not fit.
    """
    reading = reader(text)
    found: list[Proposal] = []
    left = dict(changes or {})
    for task in reading.tasks or (reading,):
        proposal = _propose(task, ground, left, refused=reading.decision is Decision.REFUSE)
        found.append(proposal)
        left = {} if proposal.plan else left
    return Proposed(text=text, chinese=is_chinese(normalise(text)), reading=reading, proposals=tuple(found))


def _propose(task: Task, ground: Ground, changes: Mapping[str, Any], *, refused: bool) -> Proposal:
    if refused or not can_be_planned(task):
        return Proposal(task=task)
    plan = plan_of(task, changes)
    if isinstance(plan, NoPlan):
        return Proposal(task=task, none=plan)
    return costed(task, plan, ground)


def costed(task: Task, plan: Plan, ground: Ground) -> Proposal:
    """A plan with its cost and its problems on a hub."""
    cost = None
    if _kinds_are_there(plan, ground.hub):
        cost = estimate(plan, ground.hub, ground.calibration, ground.machine, busy=ground.busy)
    return Proposal(task=task, plan=plan, estimate=cost, problems=problems(plan, ground.hub, cost))


def _kinds_are_there(plan: Plan, hub: Topology) -> bool:
    try:
        return plan.bounds.kind is None or bool(kinds_named(hub, plan.bounds.kind))
    except InvalidRequest:
        return False


def checked_problem(error: InvalidRequest) -> Problem:
    """A pipeline's own objection as a problem of the plan."""
    return Problem(field=error.field, words=Words(en=str(error), zh=str(error)))
