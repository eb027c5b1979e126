"""Questions about plans, runs and results, answered from what the run store holds."""

import json
from typing import Any

from agent import answers
from agent.intent import guess_among
from agent.models.schema import Words
from agent.pipelines import route
from agent.plan import Plan
from agent.planner import plan_of
from agent.proposal import Ground, costed
from agent.relevance import relevant
from agent.resource import read_data
from agent.slots.extract import extract
from agent.task import Task
from agent.text import normalise
from domains.templates import PIPELINES
from flows.measured import facts, runs_folder
from flows.proposing import LAST
from flows.runs import list_runs

NOTHING = Words(en="Nothing was planned or run here yet.", zh="此处还没有计划或运行。")


def answer(text: str, task: Task, on: Ground) -> Words:
    """The answer to a question."""
    if task.intent == "ops.cost_estimate":
        return _cost(text, on)
    if task.intent in ("ops.explain_model", "ops.what_if"):
        plan = last_plan()
        if plan is None:
            return NOTHING
        return answers.why_models(plan, on) if task.intent == "ops.explain_model" else answers.what_if(text, plan, on)
    run = _run(task)
    if task.intent in ("ops.status", "ops.explain_result"):
        if run is None:
            return NOTHING
        known = facts(run)
        return (
            answers.how_is(known, on.calibration, on.machine)
            if task.intent == "ops.status"
            else answers.explain_result(known)
        )
    said = read_data("answers").get(task.intent)
    if said is None:
        return Words(en="There is no answer to this yet.", zh="目前无法回答这个问题。")
    en, zh = (one.replace("{run}", run or "RUN") for one in said)
    if task.intent == "ops.list_templates":
        en += "".join(f"\n- {one.name}: {one.title}" for one in PIPELINES.values())
        zh += "".join(f"\n- {one.name}：{one.title_zh}" for one in PIPELINES.values())
    return Words(en=en, zh=zh)


def _run(task: Task) -> str | None:
    """The run that is named, else the one that wrote last; None where there is none."""
    names = [row["run"] for row in list_runs()]
    named = task.slots.run_id
    if named:
        return next((name for name in names if named in name), None)
    root = runs_folder()
    return max(
        names,
        key=lambda name: (
            (root / name / "provenance.json").stat().st_mtime if (root / name / "provenance.json").exists() else 0.0
        ),
        default=None,
    )


def last_plan() -> Plan | None:
    """The plan that was shown last."""
    path = runs_folder() / LAST
    if not path.exists():
        return None
    noted: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["plan"]
    return Plan.model_validate({name: value for name, value in noted.items() if name != "hash"})


def _cost(text: str, on: Ground) -> Words:
    """What the work that a question is about would cost: as if it had been asked for."""
    plain = normalise(text)
    intent = guess_among(plain, lambda one: route(one) is not None)
    if intent is None:
        names = ", ".join(PIPELINES)
        return Words(
            en=f"Say what should be computed; there are pipelines for {names}.",
            zh=f"请说明要计算什么；现有流程：{names}。",
        )
    slots = relevant(extract(plain).slots, intent)
    task = Task(action="plan", intent=intent, domain=intent.split(".")[0], slots=slots)
    plan = plan_of(task)
    if not isinstance(plan, Plan):
        return plan.reason
    cost = costed(task, plan, on).estimate
    return answers.what_it_costs(plan, cost) if cost else plan.title
