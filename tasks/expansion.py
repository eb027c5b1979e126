"""One row becomes several, and the best of them stands for it again.

A stage has one row out for each row in. A stage that makes several candidates of one therefore lists them in its row;
``Expanded`` reads that list as the rows of the next stage, and ``best_of_parent`` ends all but the best of each parent.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domains.model import Frozen
from tasks.stage import Survivors

WORSE_STATE = "worse_state"
# The n-th row made of row 17 has the id n * 10**12 + 17: unique in the run, the same whatever the shards, and readable.
STRIDE = 10**12


class Expanded:
    """The entries of a list column of a finished stage as rows: a Source whose ids are fresh and stable.

    The column holds structs. Each entry becomes a row with ``id``, ``parent_id``, the struct's fields, and the parent's
    other columns; a field has precedence over a parent's column of that name.
    """

    def __init__(self, survivors: Survivors, column: str) -> None:
        self.survivors, self.column, self.parents = survivors, column, survivors.rows
        self.rows, self.fields = 0, {"id", "parent_id"}
        for table in survivors.tables([column]):
            self.rows += pc.sum(pc.list_value_length(table[column])).as_py() or 0
            self.fields |= {field.name for field in table.schema.field(column).type.value_type}

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the given columns of the entries, parent by parent."""
        if not self.rows:
            return
        carried = [name for name in dict.fromkeys(columns) if name not in self.fields]
        for table in self.survivors.tables(["id", self.column, *carried]):
            yield _entries(table, self.column).select(columns)


def _entries(table: pa.Table, column: str) -> pa.Table:
    lists = table[column].combine_chunks()
    at = pc.list_parent_indices(lists).to_numpy()
    parents = table["id"].to_numpy()[at]
    if parents.max(initial=0) >= STRIDE:
        raise ValueError(f"ids from {STRIDE} on are taken for rows that are made of others")
    ends = np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
    number = np.arange(len(at)) - np.concatenate([[0], ends])[at] + 1  # its place in its own list, from 1
    made = {"id": number * STRIDE + parents, "parent_id": parents}
    flat = pc.list_flatten(lists)
    fields = {field.name: pc.struct_field(flat, field.name) for field in flat.type}
    carried = table.drop_columns(["id", column]).take(pa.array(at))
    return pa.table({**dict(zip(carried.column_names, carried.columns, strict=True)), **fields, **made})


BEST = np.dtype([("parent", "<i8"), ("score", "<f8"), ("id", "<i8")])
# Rows are gathered before they are reduced to one a parent: that many at first, then as many as there are parents.
GATHERED = 100_000


def best_of_parent(source: Callable[[list[str]], Iterator[pa.Table]]) -> "MarkWorse":
    """Find the row with the lowest score of each parent, ties by id. Streams: memory holds 24 bytes a parent, twice."""
    best, waiting = np.empty(0, BEST), 0
    gathered: list[np.ndarray] = []
    for table in source(["parent_id", "score", "id"]):
        rows = np.empty(len(table), BEST)
        rows["parent"], rows["score"], rows["id"] = (table[name].to_numpy() for name in ("parent_id", "score", "id"))
        gathered.append(rows)
        waiting += len(rows)
        if waiting > max(GATHERED, len(best)):
            best, gathered, waiting = _reduced([best, *gathered]), [], 0
    return MarkWorse(_reduced([best, *gathered]))


def _reduced(parts: list[np.ndarray]) -> np.ndarray:
    """The best row of each parent, by parent."""
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows["id"], rows["score"], rows["parent"]))]
    first = np.ones(len(rows), bool)
    first[1:] = rows["parent"][1:] != rows["parent"][:-1]
    return np.asarray(rows[first])


class MarkWorse:
    """The batch function of the stage after a dock: a row that is not the best of its parent is ``worse_state``."""

    def __init__(self, best: np.ndarray) -> None:
        self.best = best

    def __call__(self, batch: pa.Table, settings: Frozen) -> pa.Table:
        """Mark each row of a batch. In: id, parent_id, score."""
        best = self.best[np.searchsorted(self.best["parent"], batch["parent_id"].to_numpy())]
        kept = best["id"] == batch["id"].to_numpy()
        reasons = [
            None if stays else f"score {score:.3f}; another state of the same molecule scores {better:.3f}"
            for stays, score, better in zip(kept, batch["score"].to_pylist(), best["score"], strict=True)
        ]
        return pa.table(
            {
                "id": batch["id"],
                "outcome": pa.array(np.where(kept, "ok", WORSE_STATE), pa.string()),
                "reason": pa.array(reasons, pa.string()),
            }
        )
