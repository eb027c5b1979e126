import pytest

from agent.answers import chips_meant, explain_result, how_is, what_if, what_it_costs, why_models
from agent.calibration import Calibration
from agent.facts import RunFacts, StageAhead, StageDone
from agent.models.schema import Words
from agent.planner import plan_of
from agent.proposal import Ground, costed
from agent.read import read
from cluster.hubfile import load

LAPTOP, HUB = Ground(hub=load("two-supernodes")), Ground(hub=load("zhengzhou-60k"))
TASK = read("Dock 4000 molecules to EGFR, top 50").tasks[0]
PLAN = plan_of(TASK)


def facts(**changes):
    stages = [(stage.name, stage.rows, stage.chip_s) for stage in PLAN.stages]
    content = {
        "run": "screen-1",
        "pipeline": PLAN.pipeline,
        "state": "running",
        "request": PLAN.request,
        "planned": tuple(StageAhead(name=name, rows=rows, chip_s=chip_s) for name, rows, chip_s in stages),
        "done": (
            StageDone(name="library", rows=4000, outcomes={"ok": 4000}, chip_s=0.0),
            StageDone(name="standardise", rows=4000, outcomes={"ok": 3900, "bad_smiles": 100}, chip_s=6.0),
        ),
        "worked_s": 30.0,
        "chips": 2,
        **changes,
    }
    return RunFacts(**content)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("why this model?", "ops.explain_model"),
        ("why did you choose Vina and not another engine", "ops.explain_model"),
        ("为什么选这个模型", "ops.explain_model"),
        ("what if I had half the chips", "ops.what_if"),
        ("what if it ran on 64 cards?", "ops.what_if"),
        ("如果只有一半的卡呢", "ops.what_if"),
        ("how is my run", "ops.status"),
        ("我的任务跑得怎么样了", "ops.status"),
        ("explain the result", "ops.explain_result"),
        ("what do these results mean?", "ops.explain_result"),
        ("解释一下结果", "ops.explain_result"),
    ],
)
def test_questions_are_told_from_work(text, intent):
    found = read(text)
    assert (found.action, found.intent) == ("answer", intent)


@pytest.mark.parametrize(
    ("text", "chips"),
    [
        ("what if I had half the chips", 50),
        ("如果卡翻倍呢", 200),
        ("what if I had 8 chips", 8),
        ("四分之一的卡", 25),
        ("what if", None),
    ],
)
def test_the_chips_that_a_question_supposes(text, chips):
    assert chips_meant(text, 100) == chips


def test_why_this_model_names_what_speaks_for_it():
    words = why_models(PLAN, LAPTOP)
    assert "AutoDock Vina" in words.en
    assert "Apache-2.0" in words.en
    assert "可商用" in words.zh


def test_half_the_chips_are_compared_with_all():
    words = what_if("what if I had half the chips", PLAN, HUB)
    assert "instead of" in words.en
    assert "zhengzhou-60k" in words.en
    assert "times as long" in words.en


def test_chips_that_are_not_there_are_said():
    said = what_if("what if I had 64 chips", PLAN, LAPTOP).en
    assert "has 2 chips, not 64" in said
    assert "With 64 chips instead of 2" in said
    assert "How many chips" in what_if("what if", PLAN, LAPTOP).en


def test_more_chips_say_what_they_cannot_hasten():
    assert "one chip at a time" in what_if("what if I had 16 chips", PLAN, Ground(hub=load("cloudmatrix384"))).en or (
        "one chip at a time" in what_if("what if I had twice the chips", PLAN, HUB).en
    )


def test_a_run_that_runs_says_how_far_it_is():
    words = how_is(facts(), Calibration(), "m")
    assert "is running" in words.en
    assert f"2 of {len(PLAN.stages)}" in words.en
    assert "3,900 of 4,000 rows" in words.en
    assert "正在运行" in words.zh


def test_less_is_left_the_further_a_run_is():
    from agent.answers import left_s

    done = [
        StageDone(name=stage.name, rows=stage.rows, outcomes={"ok": stage.rows}, chip_s=1.0) for stage in PLAN.stages
    ]
    left = [left_s(facts(done=tuple(done[:count])), Calibration(), "m") for count in range(len(done) + 1)]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


def test_a_run_that_stopped_says_how_to_go_on():
    assert "ai4s resume screen-1" in how_is(facts(state="stopped"), Calibration(), "m").en


def test_a_finished_run_names_its_report():
    words = how_is(facts(state="finished", report="/runs/screen-1/report.html"), Calibration(), "m")
    assert "is finished" in words.en
    assert "/runs/screen-1/report.html" in words.zh


def test_a_result_is_explained_with_its_limits_and_losses():
    answer, note = Words(en="Three hits.", zh="三个命中。"), Words(en="Scores are no energies.", zh="分数不是能量。")
    words = explain_result(facts(state="finished", answer=answer, notes=(note,), sentence="dock it"))
    for part in ("You asked: dock it", "Three hits.", "100 bad_smiles (Standardise)", "Scores are no energies."):
        assert part in words.en
    assert "三个命中" in words.zh
    assert "no result yet" in explain_result(facts()).en


def test_a_question_of_cost_is_answered_by_the_plan():
    words = what_it_costs(PLAN, costed(TASK, PLAN, HUB).estimate)
    assert "4,000 rows" in words.en
    assert "chip-hours" in words.en
    assert "kWh" in words.en
    assert "卡时" in words.zh
