"""What a template's own stage said of the candidates: a table in the run's folder, and its first rows in the report."""

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from domains.csv_table import as_csv
from tasks.expansion import STRIDE
from tasks.own import NAME
from tasks.run import Run
from tasks.store import write_atomic

TABLE = "own.csv"
SHOWN = 20


def own_table(run: Run) -> Markup:
    """Write own.csv, a line for each row that the stage saw, and show those whose candidates came furthest."""
    assert run.own is not None
    columns = ["id", "name", *(name for name, _ in run.own.settings.adds), "outcome", "reason"]
    stages = [stage.name for stage in run.stages if stage.name.split("-")[0] == NAME]
    parts = [part for name in stages for part in run.store.stage(name).tables(columns, only_ok=False)]
    if not parts:
        return Markup("<p>-</p>")
    table = pa.concat_tables(parts).sort_by("id")
    write_atomic(run.store.root / TABLE, as_csv(table))
    last = np.isin(table["id"].to_numpy(), _reached(run))
    order = np.argsort(~last, kind="stable")[:SHOWN]
    return _drawn(table.take(pa.array(order)).to_pylist(), columns[1:])


def _reached(run: Run) -> np.ndarray:
    """The ids of what came to the end, and of the rows they were made of."""
    last = [stage.name for stage in run.stages if not stage.annotates][-1]
    ids = np.concatenate(
        [np.empty(0, np.int64), *(part["id"].to_numpy() for part in run.store.stage(last).tables(["id"]))]
    )
    return np.concatenate([ids, ids % STRIDE])


def _drawn(rows: list[dict[str, object]], columns: list[str]) -> Markup:
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in columns)
    lines = [
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(_cell(row[name])) for name in columns)
        )
        for row in rows
    ]
    body = Markup("").join(lines)
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, body
    )


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
