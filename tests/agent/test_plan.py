import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.models.schema import Words
from agent.plan import Bounds, Plan, Stage
from agent.stages import graph, key_of
from domains.request import PlannedStage
from domains.templates import PIPELINES

TITLE = Words(en="a", zh="一")


def stage(name, after=(), takes=(), gives=None, chip_s=1.0):
    return Stage(name=name, key=name, title=TITLE, takes=takes, gives=gives or name, after=after, rows=1, chip_s=chip_s)


def plan(*stages, **changes):
    return Plan(
        **{"intent": "drug.x", "pipeline": "p", "title": TITLE, "request": {"a": 1}, "stages": stages, **changes}
    )


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((stage("a", after=("b",)), stage("b", after=("a",))), "wait for each other"),
        ((stage("a", after=("c",)),), "unknown stages c"),
        ((stage("a"), stage("a")), "a stand twice"),
        ((stage("a"), stage("b", takes=("poses",), after=("a",))), "b takes poses, which nothing before it gives"),
        ((stage("a", gives="poses"), stage("b", takes=("poses",))), "b takes poses, which nothing before it gives"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_none(stages, message):
    with pytest.raises(ValidationError, match=message):
        plan(*stages)


def test_a_plan_cannot_be_changed():
    made = plan(stage("a"))
    with pytest.raises(ValidationError):
        made.request = {}


def test_the_hash_covers_the_work_and_nothing_else():
    made = plan(stage("a"))
    assert made.hash == plan(stage("a")).hash == plan(stage("a"), unused=("x",), intent="other").hash
    others = [
        plan(stage("a", chip_s=2)),
        plan(stage("a"), request={"a": 2}),
        plan(stage("a"), bounds=Bounds(chips=2)),
        plan(stage("a"), pipeline="q"),
    ]
    assert len({made.hash, *(one.hash for one in others)}) == 5


def test_a_plan_survives_json():
    made = plan(stage("a"), stage("b", takes=("a",), after=("a",)))
    content = json.loads(json.dumps(made.as_dict()))
    assert content.pop("hash") == made.hash
    assert Plan.model_validate(content) == made


@pytest.mark.parametrize("name", ["drug-screening", "drug-variants"])
def test_every_stage_of_a_pipeline_is_described(name):
    found = PIPELINES[name]
    for planned in found.outline(found.request()).stages:
        made = graph(name, [planned] if planned.name == "library" else found.outline(found.request()).stages)
        assert all(one.title.en != one.title.zh or one.title.en.isupper() for one in made)


def test_stages_wait_for_what_they_take():
    found = PIPELINES["drug-variants"]
    stages = {one.name: one for one in graph("drug-variants", found.outline(found.request()).stages)}
    assert set(stages["dock-e166v"].after) == {"prepare", "build"}
    assert stages["build"].after == ()
    assert set(stages["compare"].after) == {"build", "dock-wt", "dock-p132h", "dock-e166v", "reference"}
    assert stages["dock-e166v"].title.en == "Dock into E166V"
    assert key_of("drug-variants", "dock-e166v") == key_of("drug-variants", "dock-wt")


@pytest.mark.parametrize(
    "changes",
    [
        {"coarse": False},
        {"states": None},
        {"states": None, "coarse": False, "check_poses": False, "admet": True},
        {"seeds": 3, "refine": True},
        {"learning": {}},
        {"learning": {}, "states": None},
    ],
)
def test_a_screen_is_a_graph_whatever_is_left_out(changes):
    found = PIPELINES["drug-screening"]
    planned = found.outline(found.request.model_validate(changes)).stages
    made = graph("drug-screening", planned)
    assert [one.name for one in made] == [one.name for one in planned]
    assert all(one.after for one in made[1:])
    Plan(intent="i", pipeline="p", title=TITLE, request={}, stages=made)


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=6, unique=True))
def test_stages_that_nobody_described_follow_one_another(names):
    made = graph("not-described", [PlannedStage(name, 1, 1.0) for name in names])
    assert [one.after for one in made] == [(), *((before,) for before in names[:-1])]
    Plan(intent="i", pipeline="p", title=TITLE, request={}, stages=made)
