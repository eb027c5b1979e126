"""A sentence asked on the Prefect page: read, planned, shown as an artifact, approved in a form, run."""

import importlib
import itertools
from collections.abc import Iterator
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.input.run_input import keyset_from_base_key
from pydantic import Field, create_model

from agent.plan import NoPlan
from agent.plan_words import as_markdown, proposal_markdown
from agent.planner import plan_of
from agent.proposal import Ground, Proposal, Proposed, costed, propose
from agent.wording import durations, span
from domains.request import Profile
from flows.answering import answer
from flows.proposing import ground, note, reader, remember, request_of, verified, within

WAIT_S = 24 * 3600
POLL_S = 2

Sentence = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4000,
        title="Request / 请求",
        description="What is to be computed, or a question about a run, in English or Chinese. 用中文或英文写出要计算的内容，或关于运行的问题。",
    ),
]
Limit = Annotated[
    float,
    Field(
        ge=0,
        title="Runs without approval / 免批准上限",
        description="Chip-hours: a plan whose upper estimate is within this runs at once; 0: every plan waits for you. "
        "卡时：估计上限在此以内的计划直接运行；0 表示每个计划都等待批准。",
    ),
]


@flow(
    name="ask",
    flow_run_name="ask",
    description="Ask for a computation in English or Chinese; approve its plan; get the report.",
)
def ask(
    sentence: Sentence = "Simulate protein-ligand interactions for COVID variants",
    profile: Profile = "",
    limit: Limit = 0,
) -> dict[str, Any]:
    """Ask for a computation in English or Chinese; approve its plan; get the report.

    The sentence is read into typed values, these fill the request of a pipeline, and that says what it will do. The plan is an
    artifact of this run. The run pauses with a form in which the request may be changed; then the pipeline's own flow runs.

    Args:
        sentence: What is to be computed, or a question about a run. 用中文或英文写出要计算的内容，或关于运行的问题。
        profile: Where to run. 运行位置；留空使用默认配置。
        limit: Chip-hours up to which nobody is asked. 卡时：估计不超过此值时无需批准；0 表示总要批准。
    """
    on = ground(profile)
    found = propose(sentence, on, reader=reader())
    _publish(found, as_markdown(found))
    if found.held:
        return {"action": "held", "said": found.reading.question or f"held for {found.reading.reviewer}", "results": []}
    if found.reading.action == "answer":
        words = answer(sentence, found.reading, on)
        return {"action": "answer", "said": words.zh if found.chinese else words.en, "results": []}
    asked = itertools.count(1)
    results = [result for one in found.proposals if (result := _carried_out(found, one, on, profile, limit, asked))]
    return {"action": found.reading.action, "said": found.reading.question, "results": results}


def _carried_out(
    found: Proposed, proposal: Proposal, on: Ground, profile: str, limit: float, asked: Iterator[int]
) -> dict[str, Any] | None:
    """Approve one task and run its pipeline; None where it is not run."""
    if proposal.plan is None or proposal.task.slots.dry_run:
        return None
    proposal = verified(proposal)
    by = f"the limit of {limit:g} chip-hours"
    while not (proposal.can_run and limit and within(proposal.estimate, limit)):
        chosen = _form(found, proposal, on, asked)
        if chosen is None:
            return None
        proposal, by = chosen, "on the Prefect page"
        if proposal.can_run:
            break
    remember(found, proposal)
    request = note(found, proposal, profile, by)
    assert proposal.plan is not None
    module = proposal.plan.pipeline.replace("-", "_")
    run = getattr(importlib.import_module(f"flows.{module}"), module)
    result: dict[str, Any] = run(request)
    return result


def _form(found: Proposed, proposal: Proposal, on: Ground, asked: Iterator[int]) -> Proposal | None:
    """Pause with the plan and its request in a form; the proposal of what comes back, None where it is not to run."""
    assert proposal.plan is not None
    pipeline, request = request_of(proposal.plan)
    form: Any = create_model(
        "Approval",
        __base__=RunInput,
        run=(bool, Field(True, title="Run it / 运行", description=_in_short(proposal, found.chinese))),
        request=(pipeline.request, Field(request, title="Request / 请求")),
    )
    words = proposal_markdown(proposal, chinese=found.chinese)
    given: Any = _asked(form.with_initial_data(description=words), f"plan-{next(asked)}")
    if not given.run:
        return None
    changes = {name: value for name, value in given.request.identity().items() if value != proposal.plan.request[name]}
    plan = plan_of(proposal.task, changes) if changes else proposal.plan
    assert not isinstance(plan, NoPlan)
    changed = verified(costed(proposal.task, plan, on))
    if changes:
        _publish(found, proposal_markdown(changed, chinese=found.chinese))
    return changed


def _in_short(proposal: Proposal, chinese: bool) -> str:
    """The plan in a few words: Prefect's dialog hides the description of a form as long as a request."""
    plan, cost = proposal.plan, proposal.estimate
    assert plan is not None
    parts = [plan.pipeline, *(f"{one.field} = {one.value}" for one in plan.stated if one.how != "default")]
    if cost:
        hours = span(cost.chip_h, "chip-hours", "卡时")
        wall = durations(cost.wall_s)
        parts += [f"{cost.chips:,} {'芯片' if chinese else 'chips'} ({cost.hub})"]
        parts += [hours.zh if chinese else hours.en, wall.zh if chinese else wall.en]
    return f"{'; '.join(parts)}. The whole plan 完整计划: Artifacts > plan. Off: nothing is run. 关闭则不运行。"


def _asked(form: Any, key: str) -> Any:
    """Pause with a form; what a person has given stands when the run, having lost its process, comes here again."""
    given = pause_flow_run(wait_for_input=form, timeout=WAIT_S, poll_interval=POLL_S, key=key)
    return given if given is not None else form.load(keyset_from_base_key(f"paused-{key}"))


def _publish(found: Proposed, words: str) -> None:
    create_markdown_artifact(key="plan", markdown=words, description=found.text[:200])
