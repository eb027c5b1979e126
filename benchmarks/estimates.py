"""Estimates: the time that the agent predicts against what small runs of three fields take, before and after one run.

Chips are held longer where others use the machine: that time is shown, and what is judged is CPU time.
"""

import argparse
import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.bench import Row, main, scratch

TARGET = "<= 2"


class Case(NamedTuple):
    """A sentence, with a small run to learn from and another to be predicted."""

    sentence: str
    learn: Mapping[str, Any]
    judged: Mapping[str, Any]
    quick: bool = False


SCREEN = {"top": 3, "redock": 5, "search.exhaustiveness": 1, "check_poses": False}
TRIAL = {"elements": ["Al", "Cu"], "potential": "emt", "alloys": True, "second": None}
CASES = (
    Case(
        "Dock 40 molecules to EGFR",
        {**SCREEN, "sample": 10},
        {**SCREEN, "sample": 25, "redock": 10},
        quick=True,
    ),
    Case(
        "How does E166V change ligand binding to the SARS-CoV-2 main protease?",
        {"seeds": 1, "search.exhaustiveness": 2},
        {"seeds": 3, "search.exhaustiveness": 4},
    ),
    Case(
        "Find stable alloys of aluminium and copper",
        {**TRIAL, "n": 40, "phonons": 1, "top": 2},
        {**TRIAL, "n": 120, "phonons": 2, "top": 4},
    ),
    Case(
        "Find stable Li-Fe-O compounds",
        {"n": 20, "second": None, "phonons": 0, "top": 2},
        {"n": 60, "second": None, "phonons": 0, "top": 4},
    ),
    Case("How uncertain is climate sensitivity?", {"members": 500}, {"members": 4000}, quick=True),
)


def rows_of(case: Case) -> list[Row]:
    """Run and learn; predict a run of another size, run it, compare."""
    from agent.calibration import Calibration, Ran
    from agent.estimate import Range, estimate
    from agent.plan import Plan
    from agent.planner import plan_of
    from agent.read import read
    from flows.measured import measure, runs_folder
    from flows.proposing import ground, request_of

    def planned(changes: Mapping[str, Any]) -> Plan:
        plan = plan_of(read(case.sentence).tasks[0], changes)
        assert isinstance(plan, Plan), plan.reason.en
        return plan

    def predicted(plan: Plan, *known: Ran) -> Range:
        on = ground("laptop")
        return estimate(plan, on.hub, Calibration(runs=known), on.machine).chip_h.scaled(3600)

    def taken(plan: Plan) -> tuple[Ran, Ran]:
        """CPU time and chip time."""
        _, request = request_of(plan, "laptop")
        module = plan.pipeline.replace("-", "_")
        result = getattr(importlib.import_module(f"flows.{module}"), module)(request)
        cpu, held = (measure(runs_folder() / result["run"], cpu=cpu) for cpu in (True, False))
        assert cpu is not None
        assert held is not None
        return cpu, held

    learned_cpu, learned_held = taken(planned(case.learn))
    plan = planned(case.judged)
    cpu, held = taken(plan)
    name = f"{plan.pipeline} ({plan.request['potential']})" if "potential" in plan.request else plan.pipeline
    by_figures, by_cpu, by_held = predicted(plan), predicted(plan, learned_cpu), predicted(plan, learned_held)
    return [
        Row(
            f"{name}: CPU time, by the pipeline's figures",
            _off(by_figures.expected, cpu),
            "x",
            note=_said(by_figures, cpu),
        ),
        Row.judged(f"{name}: CPU time, after one run", _off(by_cpu.expected, cpu), "x", TARGET, _said(by_cpu, cpu)),
        Row(f"{name}: chip time, after one run", _off(by_held.expected, held), "x", note=_said(by_held, held)),
    ]


def _off(expected: float, found: Any) -> float:
    """By what factor a prediction is off; 1 is right."""
    return math.exp(abs(math.log(expected / found.totals[1])))


def _said(found: Any, taken: Any) -> str:
    seconds = taken.totals[1]
    within = "within" if found.low <= seconds <= found.high else "outside"
    return (
        f"predicted {found.expected:,.1f} s, measured {seconds:,.1f} s, {within} {found.low:,.1f} to {found.high:,.1f}"
    )


def measure_all(arguments: argparse.Namespace) -> Sequence[Row]:
    with scratch():
        return [row for case in CASES if case.quick or not arguments.quick for row in rows_of(case)]


if __name__ == "__main__":
    main(measure_all, __doc__)
