"""A person's word at the terminal: the plan is shown, changed as wanted, and approved or not."""

from typing import Any

import click
from rich.console import Console
from rich.markdown import Markdown

from agent.plan import Plan
from agent.plan_words import proposal_markdown
from agent.proposal import Ground, Proposal
from agent.settings import at
from domains.errors import InvalidRequest, closest
from domains.fields import leaves
from domains.templates import pipeline
from flows.proposing import changed, verified, within
from flows.requests import parsed

YES = ("y", "yes", "是", "好", "运行")


def change(text: str, pipeline_name: str) -> tuple[str, Any]:
    """``field=value`` as a field of a pipeline's request and its value; raises InvalidRequest."""
    path, mark, value = (part.strip() for part in text.partition("="))
    fields = dict(leaves(pipeline(pipeline_name).request))
    if not mark or path not in fields:
        raise InvalidRequest("set", text, "is no FIELD=VALUE of the plan", ", ".join(closest(path, fields) or fields))
    return path, parsed(path, value, fields[path])


def changes_of(plan: Plan) -> dict[str, Any]:
    """What a person has changed in a plan so far."""
    return {one.field: at(plan.request, one.field) for one in plan.stated if one.how == "changed"}


def approved(proposal: Proposal, on: Ground, limit: float | None, *, chinese: bool) -> Proposal | None:
    """The proposal as it is to be run; None: it is not. With a limit nobody is asked."""
    if proposal.task.slots.dry_run:
        tell("按您的要求不运行。" if chinese else "Nothing is run, as you asked.")
        return None
    with Console(stderr=True).status("检查输入 ..." if chinese else "Checking the inputs ..."):
        proposal = verified(proposal)
    if limit is None:
        return _asked(proposal, on, chinese)
    if not proposal.can_run:
        _refused(proposal, chinese)
        return None
    if within(proposal.estimate, limit):
        return proposal
    most = proposal.estimate.chip_h.high if proposal.estimate else float("nan")
    tell(
        f"估计上限 {most:,.3g} 卡时，超过 --limit {limit:g}：未运行。"
        if chinese
        else f"Up to {most:,.3g} chip-hours are estimated, more than --limit {limit:g}: not run."
    )
    return None


def _asked(proposal: Proposal, on: Ground, chinese: bool) -> Proposal | None:
    """Ask until there is a yes or a no; FIELD=VALUE changes the plan."""
    question = "运行吗？y 运行，n 不运行，或 字段=值 修改" if chinese else "Run it? y, n, or FIELD=VALUE to change"
    _refused(proposal, chinese)
    while True:
        word = click.prompt(question, default="n", err=True).strip()
        if "=" in word and proposal.plan:
            try:
                path, value = change(word, proposal.plan.pipeline)
                proposal = verified(changed(proposal, {**changes_of(proposal.plan), path: value}, on))
            except InvalidRequest as error:
                tell(f"error: {error}", bad=True)
            else:
                Console(stderr=True).print(Markdown(proposal_markdown(proposal, chinese=chinese)))
        elif word.lower() not in YES:
            tell("未运行。" if chinese else "Not run.")
            return None
        elif proposal.can_run:
            return proposal
        else:
            _refused(proposal, chinese)


def _refused(proposal: Proposal, chinese: bool) -> None:
    for one in proposal.problems:
        tell(one.words.zh if chinese else one.words.en, bad=True)


def tell(text: str, *, bad: bool = False) -> None:
    """A line for the person; results alone go to standard output."""
    click.secho(text, fg="red" if bad else None, err=True)
