"""Tables as CSV, for people and their spreadsheets."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv


def as_csv(rows: pa.Table | Sequence[Mapping[str, Any]], columns: Mapping[str, pa.DataType] | None = None) -> bytes:
    """A table, or rows of which some may lack a column; ``columns`` chooses and types them. Lists are joined by "; "."""
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(rows if isinstance(rows, pa.Table) else _table(rows, columns), sink)
    return bytes(sink.getvalue())


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, pa.DataType] | None) -> pa.Table:
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    cells = {name: [written(row.get(name)) for row in rows] for name in names}
    return pa.table(cells, schema=pa.schema(list(columns.items())) if columns else None)


def written(value: object) -> object:
    """A value as one cell."""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else value
