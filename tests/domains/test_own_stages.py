"""A stage of one's own keeps its contract, or says what it broke."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.errors import InvalidRequest
from domains.own_stages import OwnSettings, alike, apply, check_source, columns_added, place, places
from domains.templates import PIPELINES

ENDING = """
import pyarrow.compute as pc

def stage(batch):
    ends = pc.greater(batch["value"], 0.5)
    batch = batch.append_column("half", pc.divide(batch["value"], 2.0))
    batch = batch.append_column("outcome", pc.if_else(ends, "large", "ok"))
    return batch.append_column("reason", pc.if_else(ends, "above 0.5", None))
"""


def rows(values):
    return pa.table({"id": range(len(values)), "name": [f"n{one}" for one in values], "value": values})


def applied(source):
    batch = rows([0.1, 0.9])
    return apply(batch.append_column("key", pa.array(["k"] * len(batch))), OwnSettings.of("filter", source))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 30))
def test_every_row_comes_back_once_however_the_batch_is_cut(values, at):
    settings = OwnSettings.of("filter", ENDING).model_copy(update={"adds": (("half", "double"),)})
    batch = rows(values)
    whole = apply(batch, settings)
    assert whole["id"].to_pylist() == list(range(len(values)))
    assert whole["outcome"].to_pylist() == ["large" if value > 0.5 else "ok" for value in values]
    assert all(row["reason"] for row in whole.to_pylist() if row["outcome"] != "ok")
    parts = [apply(part, settings) for part in (batch.slice(0, at), batch.slice(at)) if len(part)]
    assert alike(whole, pa.concat_tables(parts))


def test_what_it_adds_is_known_by_name_and_type():
    made = applied(ENDING)
    assert made.column_names == ["id", "half", "outcome", "reason"]
    assert columns_added(made) == (("half", "double"),)


def test_a_stage_that_says_nothing_of_outcomes_ends_no_row():
    made = applied("def stage(batch):\n    return batch")
    assert made["outcome"].to_pylist() == ["ok", "ok"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("batch.slice(1)", "it dropped rows: 2 went in and 1 came out"),
        ("pa.concat_tables([batch, batch])", "it doubled rows: 2 went in and 4 came out"),
        ("batch.take([1, 0])", "changed the order"),
        ("batch.drop_columns(['id'])", "lost the column id"),
        ("batch.drop_columns(['name'])", "changed or lost the column name"),
        ("batch.set_column(2, 'value', pa.array([1.0, 2.0]))", "changed or lost the column value"),
        ("batch.append_column('outcome', pa.array(['ok', 'bad']))", "ends as 'bad' without a reason"),
        ("batch.append_column('outcome', pa.array(['ok', 'Too Big']))", "outcome 'Too Big' is no name"),
        ("batch.append_column('outcome', pa.array(['ok', None]))", "outcome None is no name"),
        ("batch.to_pydict()", "it gave a dict and no pyarrow table"),
        ("None", "it gave a NoneType and no pyarrow table"),
    ],
)
def test_a_broken_contract_is_named(body, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        applied(f"import pyarrow as pa\ndef stage(batch):\n    return {body}\n")


def test_a_column_that_cannot_be_kept_is_named():
    source = "import pyarrow as pa\ndef stage(batch):\n    return batch.append_column('pairs', pa.array([[1], [2]]))"
    with pytest.raises(ValueError, match="the column pairs is of type list"):
        columns_added(applied(source))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def stage(batch)\n    return batch", "line 1 is no Python"),
        ("def other(batch):\n    return batch", "has no function 'stage'"),
        ("def stage():\n    return None", "stage() does not take one batch"),
        ("def stage(batch, settings):\n    return batch", "stage(batch, settings) does not take one batch"),
        ("def stage(batch, *, limit):\n    return batch", "stage(batch, limit) does not take one batch"),
        ("stage = 3", "has no function 'stage'"),
        ("x = '\0'", "is no Python"),
    ],
)
def test_a_wrong_file_is_refused_without_running_it(source, problem):
    with pytest.raises(InvalidRequest, match=re.escape(problem)):
        check_source(source, "stage.py")


def test_an_unknown_place_names_the_places():
    with pytest.raises(InvalidRequest, match="closest: filter. Valid: filter, prepare, dock"):
        place("drug-screening", "filtre")
    with pytest.raises(InvalidRequest, match="materials-cathode offers no place for a stage of your own"):
        place("materials-cathode", "steps")


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_with_places_can_be_asked_for_a_stage_and_no_other(name):
    assert bool(places(name)) == ("own_stage" in PIPELINES[name].request.model_fields)
    for after, example in places(name).items():
        assert {"id", "name"} <= {*example.column_names}, after
        assert len(example) > 1
