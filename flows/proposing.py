"""What the terminal and the Prefect page share: ground for estimates, checks before approval, and what is noted of it."""

from collections.abc import Callable
from typing import Any

from agent.estimate import Estimate
from agent.plan import NoPlan, Plan
from agent.planner import Changes, plan_of
from agent.proposal import Ground, Proposal, Proposed, checked_problem, costed
from agent.read import Reading, read
from cluster.launch import resolve
from domains.errors import InvalidRequest
from domains.templates import Pipeline, pipeline
from flows.measured import calibration, runs_folder, this_machine
from tasks.asked import ASKED
from tasks.run import open_store
from tasks.settings import Settings
from tasks.store import write_json

LAST = "last-plan.json"
LIMIT_CHIP_H = 1.0  # what runs without a person's word, unless another limit is given


def ground(profile: str = "", hub: str = "") -> Ground:
    """The hub of a profile, or a named one to estimate for, with what was measured here."""
    from cluster.hubfile import load

    where = profile or Settings().profile
    topology = load(hub) if hub else max(map(resolve, where.split("+")), key=lambda one: one.chips)
    return Ground(hub=topology, calibration=calibration(), machine=this_machine(), busy=bool(hub))


def reader() -> Callable[[str], Reading]:
    """The offline rules, with a language model's help where one is set up."""
    settings = Settings()
    if not settings.llm_url:
        return read
    from agent.assisted import read_with
    from agent.language_model import endpoint

    url, name, key = settings.llm_url, settings.llm_model, settings.llm_key.get_secret_value()
    return lambda text: read_with(text, name, lambda: endpoint(url, name, key))


def request_of(plan: Plan, profile: str = "") -> tuple[Pipeline, Any]:
    """The pipeline of a plan and its request, to be run at a profile."""
    found = pipeline(plan.pipeline)
    return found, found.request.model_validate({**plan.request, "profile": profile})


def changed(proposal: Proposal, changes: Changes, on: Ground) -> Proposal:
    """The same task with a person's changes; raises InvalidRequest where one does not fit."""
    plan = plan_of(proposal.task, changes)
    assert not isinstance(plan, NoPlan)  # there was a plan already
    return costed(proposal.task, plan, on)


def verified(proposal: Proposal) -> Proposal:
    """The proposal with the pipeline's own check: files are there and fit. It may build what the run needs."""
    if proposal.plan is None or not proposal.can_run:
        return proposal
    found, request = request_of(proposal.plan)
    try:
        found.check(request)
    except InvalidRequest as error:
        return proposal.model_copy(update={"problems": (checked_problem(error),)})
    return proposal


def within(cost: Estimate | None, limit: float) -> bool:
    """Whether even the upper end of an estimate stays within a limit of chip-hours."""
    return cost is not None and cost.chip_h.high <= limit


def note(proposed: Proposed, proposal: Proposal, profile: str, by: str) -> Any:
    """Write into the run's folder what was asked, planned and approved, for its report; returns the request."""
    assert proposal.plan is not None
    found, request = request_of(proposal.plan, profile)
    store = open_store(found.name, request, found.check(request))
    try:
        write_json(store.root / ASKED, _noted(proposed, proposal, by))
    finally:
        store.close()
    return request


def remember(proposed: Proposed, proposal: Proposal) -> None:
    """Keep the last plan, run or not: questions may follow it."""
    folder = runs_folder()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / LAST, _noted(proposed, proposal, ""))


def _noted(proposed: Proposed, proposal: Proposal, by: str) -> dict[str, Any]:
    assert proposal.plan is not None
    return {
        "text": proposed.text,
        "chinese": proposed.chinese,
        "approved": by,
        "reading": proposed.reading.as_dict(),
        "plan": proposal.plan.as_dict(),
        "estimate": proposal.estimate.model_dump(mode="json") if proposal.estimate else None,
    }
