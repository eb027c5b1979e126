"""Surrogates: better than what is trivial, honest about their spread, and blind to the members that judge them."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domains.climate.emulate import emulate
from domains.climate.emulate_check import check
from domains.climate.emulate_engine import CURVE, TOO_FEW, EmulationSettings, Emulator
from domains.climate.emulate_request import ClimateEmulationRequest
from domains.climate.members import MemberSettings, run_members
from domains.errors import InvalidRequest


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An ensemble of 300 on the disk, as a run leaves it, and its check."""
    asked = check(ClimateEmulationRequest(members=300, training=120, years=80))
    settings = MemberSettings(**asked.request.model_dump(include=set(MemberSettings.model_fields)))
    found = run_members(asked.ensemble.rows, settings)
    parameters = asked.ensemble.rows.select(asked.ensemble.varied)
    for name in ("ecs", "tcr", CURVE, "outcome"):
        parameters = parameters.append_column(name, found[name])
    kept = parameters.filter(pa.compute.equal(parameters["outcome"], "ok"))
    path = tmp_path_factory.mktemp("members") / "members.parquet"
    pq.write_table(kept, path)
    return asked, path


def emulator(made, **changed):
    asked, path = made
    given = {
        "members": path,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "varied": tuple(asked.ensemble.varied),
        "training": 120,
        "seed": 1,
    }
    return Emulator(EmulationSettings.model_validate({**given, **changed}))


@pytest.mark.parametrize("name", ["ecs", CURVE])
def test_it_is_better_than_a_linear_regression_and_honest(made, name):
    found = emulator(made)({"name": name})
    assert found["outcome"] == "ok"
    assert found["error_surrogate"] < found["error_linear"] / 2 < found["error_mean"] / 2
    assert 0.75 < found["coverage"] <= 1
    assert found["trained"] + found["unseen"] == pq.read_metadata(made[1]).num_rows
    assert len(found["truth"]) == len(found["told"]) == found["unseen"]
    assert found["member_s"] > 0


def test_the_same_seed_tells_the_same(made):
    one, other, third = (emulator(made, seed=seed)({"name": "tcr"}) for seed in (1, 1, 2))
    assert np.array_equal(one["told"], other["told"])
    assert not np.array_equal(one["truth"], third["truth"])


def test_what_members_that_judge_are_like_changes_nothing():
    rng = np.random.default_rng(4)
    x, training = rng.normal(size=(120, 3)), np.arange(120) < 80
    y = x[:, 0] ** 2 + x[:, 1]
    one = emulate(x, y, training, 1)
    other = emulate(x, np.where(training, y, 1e6), training, 1)
    assert np.array_equal(one.told["surrogate"], other.told["surrogate"])
    assert np.array_equal(one.spread, other.spread)


def test_too_few_members_end_with_their_reason(made):
    found = emulator(made, training=1_000)({"name": "ecs"})
    assert found["outcome"] == TOO_FEW
    assert "1000 to train on" in found["reason"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"members": 100, "training": 80}, "members = 100.*at least 120"),
        ({"parameters": {name: "1.5" if name == "feedback" else "0.3" for name in ()} | dict.fromkeys(
            ("feedback", "forcing", "diffusion", "outgoing", "ice_albedo", "ice_temperature", "mixed_layer", "deep_ocean", "exchange"), "0.5")},
         "nothing varies"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_clear_error(changed, said):
    with pytest.raises(InvalidRequest, match=said):
        check(ClimateEmulationRequest.model_validate(changed))
