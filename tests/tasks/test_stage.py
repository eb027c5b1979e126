import os
import random
import signal
import threading
import time

import psutil
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from cluster.launch import start
from tasks.child import Child, EngineFailed
from tasks.outcomes import ContractBroken
from tasks.results import write_outcomes
from tasks.shard import Stage
from tasks.stage import Narrowed, run_stage, run_stage_here
from tasks.store import Refused
from tests import engines


def batch_stage(name="double", function=engines.doubled, cost_s=0.01, **changes):
    settings = changes.pop("settings", engines.Settings())
    return Stage(
        name, name, name, function, settings, version="1", reads=("value",), output=engines.OUTPUT,
        cost=cost_s, **changes,
    )  # fmt: skip


def engine_stage(**changes):
    return batch_stage(function=engines.Doubler, **changes)


def rows_of(run, stage):
    files = sorted((run.store.root / stage).glob("shard-*.parquet"))
    return sorted(ds.dataset(files).to_table().to_pylist(), key=lambda row: row["id"])


def test_every_row_comes_out_once_with_its_outcome_and_key(make_run, numbers):
    run = make_run()
    result = run_stage(run, batch_stage(), numbers(2500))
    rows = rows_of(run, "double")
    assert [row["id"] for row in rows] == list(range(2500))
    assert all(row["double"] == 2 * row["id"] and row["name"] == f"n{row['id']}" for row in rows)
    assert result.rows == 2250
    assert result.summary.outcomes == {"ok": 2250, "filtered": 250}
    assert len({row["key"] for row in rows}) == 2500
    places = {shard.place for shard in result.summary.shards}
    assert places == {"sn0/host0/0", "sn1/host0/0"}


def test_a_batch_function_may_say_how_long_its_engine_took(make_run, numbers):
    result = run_stage(make_run(), batch_stage(function=engines.timed), numbers(500))
    assert result.summary.engine_s == pytest.approx(1.0)


def test_a_stage_reads_only_what_goes_on_and_can_look_back(make_run, numbers):
    run = make_run()
    first = run_stage(run, batch_stage("first", carries=("name", "value")), numbers(100))
    second = run_stage_here(run, batch_stage("second", carries=()), first)
    assert second.summary.rows == 90
    back = Narrowed(first, second)
    values = sorted(value for table in back.tables(["value"]) for value in table["value"].to_pylist())
    assert values == [value for value in range(100) if value % 10]
    assert back.rows == 90


def test_an_engine_loses_no_row_to_exits_hangs_kills_and_errors(make_run, tmp_path):
    class Some:
        rows = 6

        def tables(self, columns):
            values = [1, 13, 17, 19, 23, 2]
            table = {"id": range(6), "name": [str(v) for v in values], "value": values}
            yield pa.table(table).select(columns)

    run = make_run()
    stage = engine_stage(settings=engines.Settings(folder=str(tmp_path)), limit_s=3.0, cost_s=1e-3)
    result = run_stage(run, stage, Some())
    rows = rows_of(run, "double")
    assert [row["outcome"] for row in rows] == ["ok", "died", "timeout", "engine_error", "ok", "ok"]
    assert [row["attempts"] for row in rows] == [1, 3, 1, 1, 2, 1]
    assert rows[1]["reason"] == "the engine's process ended with exit code 3"
    assert rows[4]["double"] == 46
    assert result.summary.engine_s == pytest.approx(0.003)


def test_a_batch_that_kills_its_process_is_done_row_by_row(make_run, numbers):
    run = make_run()
    result = run_stage(run, batch_stage(function=engines.fragile, limit_s=60.0), numbers(16))
    rows = rows_of(run, "double")
    assert [row["outcome"] for row in rows if row["id"] == 13] == ["died"]
    assert result.summary.outcomes == {"ok": 13, "filtered": 2, "died": 1}


def test_a_function_that_loses_rows_breaks_its_contract(make_run, numbers):
    with pytest.raises(ContractBroken, match="20 rows went in and 19 came out"):
        run_stage(make_run(), batch_stage(function=engines.losing), numbers(20))


def test_an_engine_without_its_weights_stops_the_stage_with_the_reason(make_run, numbers):
    with pytest.raises(EngineFailed, match="no weights"):
        run_stage(make_run(), batch_stage(function=engines.Unbuildable), numbers(5))


def test_a_second_run_of_a_stage_computes_nothing(make_run, numbers):
    run = make_run()
    before = run_stage(run, batch_stage(), numbers(1000))
    stamps = {path: path.stat().st_mtime_ns for path in (run.store.root / "double").iterdir()}
    again = run_stage(run, batch_stage(), numbers(1000))
    assert again.summary.rows_before == 1000
    assert again.summary.outcomes == before.summary.outcomes
    assert {path: path.stat().st_mtime_ns for path in (run.store.root / "double").iterdir()} == stamps


def test_a_lost_shard_is_all_that_is_computed_again(make_run, numbers):
    run = make_run()
    run_stage(run, batch_stage(), numbers(1000))
    files = sorted((run.store.root / "double").glob("shard-*.parquet"))
    whole = {path.name: path.read_bytes() for path in files}
    files[2].unlink()
    again = run_stage(run, batch_stage(), numbers(1000))
    assert again.summary.rows - again.summary.rows_before == pa.parquet.read_metadata(files[2]).num_rows
    assert {path.name for path in files} == set(whole)


def test_another_cut_of_the_same_rows_leaves_no_row_twice(make_run, numbers):
    """A newer version may predict other costs: its shards have other names and cover the same rows."""
    run = make_run()
    run_stage(run, batch_stage(cost_s=0.01), numbers(1000))
    old = set((run.store.root / "double").glob("shard-*.parquet"))
    result = run_stage(run, batch_stage(cost_s=0.02), numbers(1000))
    assert result.summary.rows == 1000
    assert [row["id"] for row in rows_of(run, "double")] == list(range(1000))
    assert not old & set((run.store.root / "double").glob("shard-*.parquet"))


def test_a_changed_stage_is_refused_on_resume(make_run, numbers):
    run = make_run()
    run_stage(run, batch_stage(), numbers(10))
    with pytest.raises(Refused, match="begun with other settings"):
        run_stage(run, batch_stage(settings=engines.Settings(delay_s=0.1)), numbers(10))


def test_one_and_two_workers_deliver_bit_identical_tables(make_run, numbers):
    two = make_run("two")
    run_stage(two, batch_stage(), numbers(3000))
    with start("laptop") as laptop:
        one = make_run("one", laptop)
        one.pods = [_Slots(laptop, 1)]
        run_stage(one, batch_stage(), numbers(3000))
    assert len(one.stages[0].shards) != 0
    assert write_outcomes(one.store, one.stages).read_bytes() == write_outcomes(two.store, two.stages).read_bytes()


class _Slots:
    """The same pod, used as if it had fewer slots: shards are cut differently."""

    def __init__(self, pod, slots):
        self.address, self.slots, self.topology = pod.address, slots, pod.topology


@pytest.mark.slow
def test_twenty_kills_of_workers_and_children_lose_and_repeat_nothing(make_run, numbers, tmp_path):
    """kill -9 at random moments, of workers and of engine children, while a stage runs."""
    quiet = make_run("quiet")
    stage = engine_stage(settings=engines.Settings(folder=str(tmp_path), delay_s=0.01), cost_s=0.05, attempts=50)
    source = lambda: numbers(1200)  # noqa: E731
    safe = _without_special_values(source())
    run_stage(quiet, stage, safe)
    with start("emulated:two-supernodes") as pod:
        run = make_run("killed", pod)
        killer = Killer(pod, kills=20, spared_s=2 * seconds_to_start(stage.settings))
        killer.start()
        result = run_stage(run, stage, safe)
        while not killer.done():
            # Fast machines finish before the last kill: go on with the same stage under another name.
            again = engine_stage(name=f"more{killer.kills}", settings=stage.settings, cost_s=0.05, attempts=50)
            result = run_stage(run, again, safe)
        killer.join()
    assert killer.kills >= 20
    assert result.summary.outcomes == {"ok": safe.rows}
    for name in [stage.name for stage in run.stages]:
        rows = rows_of(run, name)
        assert [(row["id"], row["double"]) for row in rows] == [
            (row["id"], row["double"]) for row in rows_of(quiet, "double")
        ]


def _without_special_values(source):
    class Plain:
        rows = source.rows - 4

        def tables(self, columns):
            for table in source.tables(["id", "name", "value"]):
                kept = table.filter(pa.compute.invert(pa.compute.is_in(table["value"], pa.array([13, 17, 19, 23]))))
                yield kept.select(columns)

    return Plain()


def seconds_to_start(settings):
    """What an engine's process needs here and now."""
    child, begun = Child(2**33), time.monotonic()
    child.open(engines.Doubler, settings)
    taken = time.monotonic() - begun
    child.close()
    return taken


class Killer(threading.Thread):
    """Kills a random worker or engine child every now and then.

    Young children are spared: an engine that is killed at its start over and over is one that cannot be built.
    """

    def __init__(self, pod, kills, spared_s):
        super().__init__(daemon=True)
        self.pod, self.wanted, self.kills, self.random = pod, kills, 0, random.Random(7)
        self.spared_s = spared_s

    def done(self):
        return self.kills >= self.wanted

    def run(self):
        while not self.done():
            time.sleep(self.random.uniform(0.2, 1.2))
            try:
                workers = [psutil.Process(pid) for pid in self.pod.worker_processes() if psutil.pid_exists(pid)]
                children = [child for worker in workers for child in worker.children() if self.may_die(child)]
                victims = children if children and self.random.random() < 0.6 else workers
                if victims:
                    os.kill(self.random.choice(victims).pid, signal.SIGKILL)
                    self.kills += 1
            except (ProcessLookupError, psutil.NoSuchProcess):
                pass

    def may_die(self, child):
        return "tasks.child" in child.cmdline() and time.time() - child.create_time() > self.spared_s
