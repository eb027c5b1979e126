"""Where a pipeline lets a template put a stage of its own, and what such a stage sees there.

A stage of one's own is a function ``stage(batch: pyarrow.Table) -> pyarrow.Table``. It gets the rows that the stage before
it let go on: ``id``, ``name`` and the columns listed in ``own_stages.yaml``. It gives back the same rows in the same order
with columns added. A row whose ``outcome`` it sets to something other than ``ok`` ends there, for the ``reason`` given.
"""

import ast
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import Field

from domains.errors import InvalidRequest, closest
from domains.model import Frozen

FUNCTION = "stage"
VERDICT = ("outcome", "reason")
OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,39}")
PLAIN = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string)

Function = Callable[[pa.Table], pa.Table]


class OwnSettings(Frozen):
    """A function by its source: it travels with the work, so that a worker needs no file of its author's."""

    after: str
    source: str = Field(exclude=True)
    sha256: str
    adds: tuple[tuple[str, str], ...] = ()  # name and type of each column that it adds

    @classmethod
    def of(cls, after: str, source: str) -> "OwnSettings":
        """Of a source whose columns are not known yet."""
        return cls(after=after, source=source, sha256=hashlib.sha256(source.encode()).hexdigest())


@cache
def places(pipeline: str) -> Mapping[str, pa.Table]:
    """The stages of a pipeline that one's own may follow, each with a few rows such as it lets go on; none where it cannot."""
    listed = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).get(pipeline, {})
    return {after: _example(columns) for after, columns in listed.items()}


def _example(columns: Mapping[str, Any]) -> pa.Table:
    arrays = {name: pa.array(values, pa.type_for_alias(kind)) for name, (kind, values) in columns.items()}
    ids = pa.array(range(len(next(iter(arrays.values())))), pa.int64())
    return pa.table({"id": ids, **arrays})


def place(pipeline: str, after: str) -> pa.Table:
    """The example rows after a stage; raises InvalidRequest with the stages that may be followed."""
    found = places(pipeline)
    if not found:
        raise InvalidRequest(
            "stage.after", after, f"{pipeline} offers no place for a stage of your own", "a template without 'stage'"
        )
    if after not in found:
        near = closest(after, found)
        raise InvalidRequest(
            "stage.after",
            after,
            f"unknown stage of {pipeline}" + (f", closest: {', '.join(near)}" if near else ""),
            ", ".join(found),
        )
    return found[after]


def check_source(source: str, path: str) -> None:
    """See that a file holds ``def stage(batch)``, without running it; raises InvalidRequest."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InvalidRequest("stage file", path, f"line {error.lineno} is no Python: {error.msg}") from None
    except ValueError as error:  # a null byte
        raise InvalidRequest("stage file", path, f"is no Python: {error}") from None
    found = next((one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == FUNCTION), None)
    valid = f"def {FUNCTION}(batch: pa.Table) -> pa.Table"
    if found is None:
        raise InvalidRequest("stage file", path, f"has no function '{FUNCTION}'", valid)
    given = found.args
    required = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    others = [one for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    if required != 1 or others:
        names = ", ".join(one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))
        raise InvalidRequest("stage file", path, f"{FUNCTION}({names}) does not take one batch", valid)


@cache
def _function(source: str) -> Function:
    module: dict[str, Any] = {"__name__": "own_stage"}
    exec(compile(source, "stage.py", "exec"), module)
    function: Function = module[FUNCTION]
    return function


def apply(batch: pa.Table, settings: OwnSettings) -> pa.Table:
    """Run the function on a batch; raises ValueError where it does not keep its contract. In: as in ``places``."""
    given = batch.drop_columns([name for name in ("key",) if name in batch.column_names])
    made = _judged(_checked(_function(settings.source)(given), given))
    added = [name for name in made.column_names if name not in (*given.column_names, *VERDICT)]
    wanted = [name for name, _ in settings.adds] or added
    if settings.adds and added != wanted:
        raise ValueError(f"it added {', '.join(added) or 'nothing'} here, and {', '.join(wanted)} when it was tried")
    table = made.select(["id", *wanted, *VERDICT])
    for name, kind in settings.adds:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.type_for_alias(kind)))
    return table


def _checked(made: Any, given: pa.Table) -> pa.Table:
    """What came back, if it is the rows that went in, in their order, with nothing changed."""
    if not isinstance(made, pa.Table):
        raise ValueError(f"it gave a {type(made).__name__} and no pyarrow table")
    if "id" not in made.column_names:
        raise ValueError("it lost the column id")
    before, after = given["id"].to_pylist(), made["id"].to_pylist()
    if len(after) != len(before):
        done = "doubled" if len(after) > len(before) else "dropped"
        raise ValueError(
            f"it {done} rows: {len(before)} went in and {len(after)} came out; a row ends by its outcome, and stays in the table"
        )
    if after != before:
        raise ValueError("it changed the order of the rows, or their ids")
    for name in given.column_names:
        if name not in made.column_names or not _same(made[name], given[name]):
            raise ValueError(f"it changed or lost the column {name}: it may only add columns")
    return made


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    return bool(one.combine_chunks().equals(other.combine_chunks()))


def _judged(made: pa.Table) -> pa.Table:
    """With an outcome and a reason for each row: ok where the function says nothing."""
    many = len(made)
    if "outcome" not in made.column_names:
        made = made.append_column("outcome", pa.array(["ok"] * many, pa.string()))
    if "reason" not in made.column_names:
        made = made.append_column("reason", pa.nulls(many, pa.string()))
    for name in VERDICT:
        made = made.set_column(made.column_names.index(name), name, made[name].cast(pa.string()))
    for outcome, reason in zip(made["outcome"].to_pylist(), made["reason"].to_pylist(), strict=True):
        if outcome is None or not OUTCOME.fullmatch(outcome):
            raise ValueError(f"outcome {outcome!r} is no name: small letters, digits and _")
        if outcome != "ok" and not reason:
            raise ValueError(f"a row ends as {outcome!r} without a reason")
    return made


def columns_added(made: pa.Table) -> tuple[tuple[str, str], ...]:
    """Name and type of each column of a tried batch that the function added; raises ValueError where a type cannot be kept."""
    found = []
    for field in made.schema:
        if field.name in ("id", *VERDICT):
            continue
        if not any(kind(field.type) for kind in PLAIN):
            raise ValueError(
                f"the column {field.name} is of type {field.type}: a number, a text or true and false can be kept"
            )
        found.append((field.name, str(field.type)))
    return tuple(found)


def alike(whole: pa.Table, rows: pa.Table) -> bool:
    """Whether rows computed alone are those computed together; NaN is like NaN."""
    return all(_same_values(whole[name], rows[name].cast(whole[name].type)) for name in whole.column_names)


def _same_values(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if pa.types.is_floating(one.type):
        one, other = (pc.if_else(pc.is_nan(column), None, column) for column in (one, other))
    return _same(one, other)
