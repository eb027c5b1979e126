"""``ai4s ask``: a sentence, its plan, a person's word and the run, for each of its tasks."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from domains.errors import InvalidRequest
from flows.terminal import user_errors

if TYPE_CHECKING:
    from agent.proposal import Ground, Proposed


@click.command()
@click.argument("text")
@click.option("--yes", is_flag=True, help="Run without asking, where even the upper estimate is within the limit.")
@click.option(
    "--limit",
    type=click.FloatRange(0, min_open=True),
    metavar="CHIP_HOURS",
    help="What --yes may take at most; default: 1.",
)
@click.option("--profile", default="", help="Where to run; default: the configured place.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change the plan; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def ask(text: str, yes: bool, limit: float | None, profile: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Ask for a computation in English or Chinese: see the plan, change it, approve it, get the report.

    Questions are answered too: how much would it cost, why this model, what if I had half the chips, how is my run, explain
    the result.
    """
    with user_errors():
        from flows.proposing import LIMIT_CHIP_H

        found, on = _proposed(text, profile, settings)
        if found.held or not any(one.plan or one.none for one in found.proposals):
            click.echo(_said(found, on))
            sys.exit(0 if _is_question(found) else 1)
        _show(found)
        most = (limit or LIMIT_CHIP_H) if yes else None
        results = list(_run(found, on, most, profile))
    if as_json:
        click.echo(json.dumps(results, indent=2, ensure_ascii=False))
    sys.exit(0 if results else 1)


def _proposed(text: str, profile: str, settings: tuple[str, ...]) -> "tuple[Proposed, Ground]":
    from flows.reading import proposed

    found, on = proposed(text, profile=profile)
    if not settings:
        return found, on
    from agent.proposal import propose
    from flows.approving import change

    first = next((one.plan for one in found.proposals if one.plan), None)
    if first is None:
        raise InvalidRequest("set", settings[0], "there is no plan to change", "a request that can be planned")
    changes = dict(change(one, first.pipeline) for one in settings)
    return propose(text, on, changes, lambda _: found.reading), on


def _is_question(found: "Proposed") -> bool:
    return found.reading.action == "answer" and not found.held


def _said(found: "Proposed", on: "Ground") -> str:
    """What is said where there is nothing to run: held, an answer, a question back, a refusal."""
    from flows.answering import answer

    reading, chinese = found.reading, found.chinese
    if reading.decision == "hold":
        who = reading.reviewer
        return (
            f"此请求需由 {who} 审核，不会运行。"
            if chinese
            else f"This request is held for {who} to review; nothing runs."
        )
    if _is_question(found):
        words = answer(found.text, reading, on)
        return words.zh if chinese else words.en
    from agent.plan_words import helped

    return "\n".join(filter(None, (reading.question, helped(found))))


def _show(found: "Proposed") -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    from agent.plan_words import as_markdown

    Console(stderr=True).print(Markdown(as_markdown(found)))


def _run(found: "Proposed", on: "Ground", limit: float | None, profile: str) -> Iterator[dict[str, Any]]:
    """Approve and run the tasks in their order; the results of those that ran."""
    from domains.templates import pipeline
    from flows.approving import approved
    from flows.launch import execute
    from flows.proposing import note, remember

    for proposal in found.proposals:
        if proposal.plan is None:
            continue
        remember(found, proposal)
        final = approved(proposal, on, limit, chinese=found.chinese)
        if final is None or final.plan is None:
            continue
        remember(found, final)
        request = note(found, final, profile, "at the terminal" if limit is None else f"--yes, --limit {limit:g}")
        result = execute(pipeline(final.plan.pipeline), request)
        _tell(result, chinese=found.chinese)
        yield result


def _tell(result: dict[str, Any], *, chinese: bool) -> None:
    """The answer, what it took against what was predicted, and where the report is."""
    from flows.approving import tell
    from flows.measured import calibration, facts

    known = facts(result["run"])
    if known.answer:
        tell(known.answer.zh if chinese else known.answer.en)
    for one in calibration().runs:
        if one.run == result["run"]:
            predicted, taken = one.totals
            tell(
                f"预计 {predicted:,.0f} 芯片·秒，实测 {taken:,.0f}（本机核按 CPU 时间计）；以后的估计会据此修正。"
                if chinese
                else f"Planned {predicted:,.0f} chip-seconds, measured {taken:,.0f} (CPU time where chips are cores here); "
                "the next estimate learns from it."
            )
    tell(f"{'报告' if chinese else 'Report'}   {result['report']}")
