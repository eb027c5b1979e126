"""One molecule becomes several states, and the best of them stands for it again."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.drug import states
from domains.drug.outcomes import Outcome
from domains.model import Frozen
from tasks import expansion
from tasks.expansion import STRIDE, WORSE_STATE, Expanded, best_of_parent
from tasks.outcomes import ShardSummary, summarise
from tasks.results import write_outcomes
from tasks.shard import Stage
from tasks.stage import run_stage_here

MOLECULES = ["CC(O)C(O)C", "c1ccccc1", "CN1CCN(C)CC1", "C1CC", "CC=CC", "NCC(=O)O", "OCC1OC(O)C(O)C(O)C1O"]


class Molecules:
    rows = len(MOLECULES)

    def tables(self, columns):
        table = {"id": range(self.rows), "name": [f"m{i}" for i in range(self.rows)], "smiles": MOLECULES}
        yield pa.table(table).select(columns)


class Scored(Frozen):
    offset: float = 0.0


def scored(batch, settings):
    """Some score that depends on the state alone."""
    values = [settings.offset - sum(map(ord, smiles)) % 97 / 10 for smiles in batch["smiles"].to_pylist()]
    failed = [smiles == "C/C=C\\C" for smiles in batch["smiles"].to_pylist()]
    return pa.table(
        {
            "id": batch["id"],
            "score": values,
            "outcome": ["no_3d" if bad else "ok" for bad in failed],
            "reason": pa.array(["test" if bad else None for bad in failed], pa.string()),
        }
    )


def states_stage(cost_s=0.01):
    return Stage(
        "states", "States", "状态", states.states, states.StateSettings(), version="1", reads=("smiles",),
        output=states.OUTPUT, carries=("name",), cost=cost_s,
    )  # fmt: skip


def score_stage(name="score"):
    return Stage(
        name, "Score", "打分", scored, Scored(), version="1", reads=("smiles",),
        output=pa.schema([("score", pa.float64())]), carries=("name", "smiles", "parent_id", "state"), cost=0.01,
    )  # fmt: skip


def best_stage(marks):
    return Stage(
        "best-state", "Best state", "最优状态", marks, Frozen(), version="1", reads=("parent_id", "score"),
        output=pa.schema([]), carries=("name",), cost=1e-6,
    )  # fmt: skip


def all_rows(survivors, columns, **kwargs):
    return [row for table in survivors.store.tables(columns, **kwargs) for row in table.to_pylist()]


def test_states_become_rows_and_the_best_of_each_molecule_stays(make_run):
    run = make_run()
    made = run_stage_here(run, states_stage(), Molecules())
    lists = {row["id"]: row["states"] for row in all_rows(made, ["id", "states"])}
    expanded = Expanded(made, "states")
    assert (expanded.parents, expanded.rows) == (6, sum(map(len, lists.values())))
    docked = run_stage_here(run, score_stage(), expanded)
    rows = all_rows(docked, ["id", "parent_id", "name", "state", "smiles", "score", "key"], only_ok=False)
    assert len({row["id"] for row in rows}) == len({row["key"] for row in rows}) == len(rows) == expanded.rows
    for row in rows:
        state = lists[row["parent_id"]][row["id"] // STRIDE - 1]
        assert row["id"] % STRIDE == row["parent_id"]
        assert (row["smiles"], row["state"], row["name"]) == (state["smiles"], state["state"], f"m{row['parent_id']}")
    best = run_stage_here(run, best_stage(best_of_parent(docked.tables)), docked)
    assert best.summary.outcomes == {"ok": 6, WORSE_STATE: docked.rows - 6}
    good = [row for row in rows if row["smiles"] != "C/C=C\\C"]
    lowest = {
        one["parent_id"]: min(row["score"] for row in good if row["parent_id"] == one["parent_id"]) for one in good
    }
    kept = {row["id"] for row in all_rows(best, ["id"])}
    assert sorted(lowest.values()) == sorted(row["score"] for row in rows if row["id"] in kept)
    assert Outcome.worse_state == WORSE_STATE


def test_the_funnel_adds_up_with_the_rows_that_were_added(make_run):
    run = make_run()
    made = run_stage_here(run, states_stage(), Molecules())
    expanded = Expanded(made, "states")
    docked = run_stage_here(run, score_stage(), expanded)
    run_stage_here(run, best_stage(best_of_parent(docked.tables)), docked)
    table = pq.read_table(write_outcomes(run.store, run.stages))
    ended = Counter(table["outcome"].to_pylist())
    assert len(set(table["id"].to_pylist())) == len(table)
    assert len(table) == Molecules.rows + expanded.rows - expanded.parents
    assert ended == {"no_states": 1, "no_3d": 1, "ok": 6, WORSE_STATE: docked.rows - 6}


def test_a_summary_says_how_many_rows_were_made_of_how_many():
    shards = [ShardSummary("a", 5, {"ok": 4, "no_3d": 1}, 0, 0, 0, 0, 0, "")]
    assert summarise("dock", "Dock", "对接", 5, shards, 0, 0, parents=2).added == 3
    assert summarise("dock", "Dock", "对接", 5, shards, 0, 0).added == 0


def test_ids_are_the_same_after_a_resume_and_however_shards_are_cut(make_run):
    run = make_run()
    first = Expanded(run_stage_here(run, states_stage(), Molecules()), "states")
    before = sorted(row["id"] for table in first.tables(["id"]) for row in table.to_pylist())
    run_stage_here(run, score_stage(), first)
    resumed = Expanded(run_stage_here(run, states_stage(), Molecules()), "states")
    assert run_stage_here(run, score_stage(), resumed).summary.rows_before == first.rows
    cut_otherwise = Expanded(run_stage_here(run, states_stage(cost_s=60.0), Molecules()), "states")
    assert before == sorted(row["id"] for table in cut_otherwise.tables(["id"]) for row in table.to_pylist())


def test_the_state_and_not_the_molecule_decides_the_key(make_run):
    """Two molecules that come to one state have one key; two states of one molecule have two."""
    run = make_run()
    docked = run_stage_here(run, score_stage(), _Rows(["CC[NH3+]", "CC[NH3+]", "CCN"], [0, 1, 1]))
    one, same, other = (row["key"] for row in sorted(all_rows(docked, ["id", "key"]), key=lambda row: row["id"]))
    assert one == same != other


class _Rows:
    def __init__(self, smiles, parents):
        self.rows = len(smiles)
        self.table = pa.table(
            {"id": range(self.rows), "parent_id": parents, "name": smiles, "smiles": smiles, "state": smiles}
        )

    def tables(self, columns):
        yield self.table.select(columns)


def test_nothing_expands_to_nothing(make_run):
    class Bad(Molecules):
        rows = 1

        def tables(self, columns):
            yield pa.table({"id": [0], "name": ["x"], "smiles": ["C1CC"]}).select(columns)

    run = make_run()
    expanded = Expanded(run_stage_here(run, states_stage(), Bad()), "states")
    assert expanded.rows == 0
    docked = run_stage_here(run, score_stage(), expanded)
    assert run_stage_here(run, best_stage(best_of_parent(docked.tables)), docked).rows == 0


def test_an_id_that_is_a_states_own_cannot_be_a_parent():
    table = pa.table({"id": [STRIDE], "states": [[{"smiles": "C"}]]})
    with pytest.raises(ValueError, match="are taken"):
        expansion._entries(table, "states")


docks = st.lists(st.tuples(st.integers(0, 6), st.integers(-3, 0)), max_size=40)


@settings(deadline=None)
@given(docks, st.integers(1, 9), st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_best_of_each_parent_is_what_a_dictionary_finds(pairs, batch, gathered, random):
    rows = [(n * STRIDE + parent, parent, float(score)) for n, (parent, score) in enumerate(pairs, 1)]
    best = {}
    for number, parent, score in rows:
        best[parent] = min(best.get(parent, (np.inf, 0)), (score, number))
    random.shuffle(rows)
    tables = [_table(rows[at : at + batch]) for at in range(0, len(rows), batch)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expansion, "GATHERED", gathered)
        marks = best_of_parent(lambda columns: (table.select(columns) for table in tables))
    kept = {row["id"] for table in tables for row in marks(table, Frozen()).to_pylist() if row["outcome"] == "ok"}
    assert kept == {number for _, number in best.values()}
    for table in tables:
        for given_row, row in zip(table.to_pylist(), marks(table, Frozen()).to_pylist(), strict=True):
            better = f"scores {best[given_row['parent_id']][0]:.3f}"
            assert (row["reason"] is None) == (row["outcome"] == "ok")
            assert row["reason"] is None or row["reason"].endswith(better)


def _table(rows):
    ids, parents, scores = zip(*rows, strict=True)
    return pa.table({"id": ids, "parent_id": parents, "score": scores})
