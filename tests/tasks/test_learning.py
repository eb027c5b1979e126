"""Searches on a real cluster: what is chosen, counted, kept, and gone on with after a kill."""

import contextlib
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from domains.learning.committee import Committee
from domains.learning.figures import curve
from domains.learning.settings import Learning
from tasks.learning import STAGE, learn
from tasks.results import write_outcomes
from tasks.shard import Stage
from tasks.stage import run_stage, run_stage_here
from tasks.store import Refused
from tests import engines

ROUNDS = Learning(budget=100, round_size=25)
POOL = 400


class ByValue:
    """A surrogate that sees one number of a candidate."""

    columns = ("value",)

    def __init__(self):
        self.committee = Committee(0, ridge=1.0)

    def fit(self, features, scores):
        self.committee.fit(_matrix(features), scores)

    def predict(self, features):
        return self.committee.predict(_matrix(features))


def _matrix(features):
    value = features["value"].to_numpy().astype(float)
    return np.stack([value, value**2], axis=1) / (10, 10 * POOL)


class Candidates:
    """A pool whose special values, which make the engine die and hang, are left out unless wanted."""

    def __init__(self, rows, first=100):
        self.rows, self.first = rows, first

    def tables(self, columns):
        for start in range(0, self.rows, 150):
            ids = list(range(start, min(start + 150, self.rows)))
            yield pa.table({"id": ids, "name": [f"n{i}" for i in ids], "value": [self.first + i for i in ids]}).select(
                columns
            )


def compute(run, number, source, function=engines.Doubler, delay_s=0.01, limit_s=60.0):
    stage = Stage(
        f"compute-r{number}", "Compute", "计算", function, engines.Settings(delay_s=delay_s), version="1",
        reads=("value",), output=engines.OUTPUT, cost=0.2, attempts=1, limit_s=limit_s,
    )  # fmt: skip
    return run_stage(run, stage, source)


def search(run, settings=ROUNDS, pool=None, version="1", **options):
    return learn(
        run, settings, pool or Candidates(POOL), ByValue(),
        lambda number, source: compute(run, number, source, **options), seed=5, version=version, score="double",
    )  # fmt: skip


def rows_of(run, stage):
    files = sorted((run.store.root / stage).glob("shard-*.parquet"))
    return ds.dataset(files).to_table().sort_by("id").to_pylist()


def chosen_in(run, number):
    return pq.read_table(run.store.root / STAGE / f"round-{number:02d}.parquet")["id"].to_pylist()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, pod):
    from tasks.progress import RunProgress
    from tasks.run import Run
    from tasks.store import RunStore

    store = RunStore(tmp_path_factory.mktemp("unbroken") / "search").open({})
    run = Run("test", None, store, [pod], RunProgress())
    yield run, search(run)
    store.close()


def test_the_funnel_adds_up_in_the_order_it_is_read(unbroken):
    run, acquired = unbroken
    assert [stage.name for stage in run.stages] == [STAGE, *(f"compute-r{number}" for number in (1, 2, 3, 4))]
    first, *rounds = run.stages
    assert first.outcomes == {"ok": 100, "not_selected": 300}
    assert sum(stage.rows for stage in rounds) == 100
    assert acquired.stop == "budget"
    assert acquired.survivors.rows == 100
    ids = [i for table in acquired.survivors.tables(["id", "double"]) for i in table["id"].to_pylist()]
    assert sorted(ids) == sorted(i for number in (1, 2, 3, 4) for i in chosen_in(run, number))
    assert len(set(ids)) == 100
    assert [one.total for one in acquired.rounds] == [25, 50, 75, 100]
    assert acquired.rounds[1].best == 200  # the lowest value there is
    assert all(one.evaluating_s > 0 for one in acquired.rounds)


def test_every_candidate_that_was_not_chosen_says_what_was_predicted(unbroken):
    run, _ = unbroken
    rows = rows_of(run, STAGE)
    assert [row["id"] for row in rows] == list(range(POOL))
    left = [row for row in rows if row["outcome"] == "not_selected"]
    assert len(left) == 300
    for row in left:
        _, mean, _, spread, *_ = row["reason"].replace(",", "").split()
        assert row["reason"] == f"predicted {mean} ± {spread}, not among those worth computing"
        assert float(spread) > 0
    means = [float(row["reason"].split()[1]) for row in left]
    assert np.corrcoef(means, [2 * (row["id"] + 100) for row in left])[0, 1] > 0.9
    assert all(row["reason"] is None for row in rows if row["outcome"] == "ok")


def test_a_later_stage_ends_every_candidate_once(unbroken, tmp_path):
    run, acquired = unbroken
    stages = list(run.stages)
    last = Stage(
        "last",
        "Last",
        "最后",
        engines.doubled,
        engines.Settings(),
        version="1",
        reads=("double",),
        output=pa.schema([]),
    )
    run_stage_here(run, replace(last, function=_pass), acquired.survivors)
    outcomes = pq.read_table(write_outcomes(run.store, run.stages))
    assert sorted(outcomes["id"].to_pylist()) == list(range(POOL))
    run.stages[:] = stages


def _pass(batch, settings):
    outcomes = pa.array(["ok"] * len(batch))
    return pa.table({"id": batch["id"], "outcome": outcomes, "reason": pa.nulls(len(batch), pa.string())})


def test_a_search_killed_in_round_two_goes_on_with_the_same_choices(unbroken, make_run, tmp_path):
    reference, whole = unbroken
    root = tmp_path / "killed"
    script = Path(__file__).parent / "killed_search.py"
    process = subprocess.Popen([sys.executable, script, root], start_new_session=True)
    try:
        assert process.wait(timeout=200) == -signal.SIGKILL
    finally:
        with contextlib.suppress(ProcessLookupError):  # its workers would notice only after a while
            os.killpg(process.pid, signal.SIGKILL)
    assert sorted(path.name for path in (root / STAGE).glob("round-*")) == ["round-01.parquet", "round-02.parquet"]
    done = {path: path.stat().st_mtime_ns for path in root.glob("compute-*/shard-*.parquet")}
    assert any("compute-r2" in str(path) for path in done)
    assert not list((root / STAGE).glob("shard-*"))

    run = make_run("killed")
    acquired = search(run)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert [chosen_in(run, number) for number in (1, 2, 3, 4)] == [
        chosen_in(reference, number) for number in (1, 2, 3, 4)
    ]
    first, second = run.stages[1:3]
    assert first.rows_before == first.rows
    assert 0 < second.rows_before < second.rows
    everything = [row["id"] for number in (1, 2, 3, 4) for row in rows_of(run, f"compute-r{number}")]
    assert len(everything) == len(set(everything)) == 100
    assert [one.best for one in acquired.rounds] == [one.best for one in whole.rounds]
    assert [one.error for one in acquired.rounds] == [one.error for one in whole.rounds]
    assert rows_of(run, STAGE) == rows_of(reference, STAGE)


def test_a_finished_search_is_read_back_and_computes_nothing(make_run):
    settings = Learning(budget=40, round_size=20)
    run = make_run()
    before = search(run, settings)
    stamps = {path: path.stat().st_mtime_ns for path in run.store.root.rglob("*.parquet")}
    run.stages.clear()
    after = search(run, settings)
    assert {path: path.stat().st_mtime_ns for path in run.store.root.rglob("*.parquet")} == stamps
    assert [one.as_dict() for one in after.rounds] == [one.as_dict() for one in before.rounds]
    assert all(stage.rows_before == stage.rows for stage in run.stages)
    with pytest.raises(Refused, match="other settings or versions"):
        search(run, settings, version="2")
    (run.store.root / STAGE / "round-02.parquet").write_bytes(b"torn")
    with pytest.raises(Refused, match="damaged"):
        search(run, settings)


def test_candidates_that_kill_hang_or_break_the_engine_are_counted_and_not_learned_from(make_run):
    run = make_run()
    acquired = search(run, Learning(budget=1, round_size=0.5), Candidates(24, first=1), delay_s=0, limit_s=3.0)
    assert acquired.stop == "exhausted"
    outcomes = {row["id"] + 1: row["outcome"] for number in (1, 2) for row in rows_of(run, f"compute-r{number}")}
    assert len(outcomes) == 24
    assert [outcomes[value] for value in (13, 17, 19, 23)] == ["died", "timeout", "engine_error", "ok"] or (
        outcomes[23] == "died"
    )
    assert acquired.survivors.rows == sum(outcome == "ok" for outcome in outcomes.values())
    assert run.stages[0].outcomes == {"ok": 24}


def test_a_pool_smaller_than_a_round_is_one_round(make_run):
    run = make_run()
    acquired = search(run, ROUNDS, Candidates(7), function=engines.doubled)
    assert [one.chosen for one in acquired.rounds] == [7]
    assert acquired.stop == "exhausted"
    assert run.stages[0].outcomes == {"ok": 7}


def test_nothing_left_by_the_stages_before_is_an_empty_search(make_run):
    run = make_run()
    acquired = search(run, ROUNDS, Candidates(0))
    assert acquired.survivors.rows == 0
    assert acquired.rounds == []
    ET.fromstring(curve(acquired.rounds, acquired.pool, "score"))
