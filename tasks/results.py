"""The tables a run delivers: where every candidate ended. Only what the request decides, so reruns are bit-identical."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.outcomes import OK, StageSummary
from tasks.store import RunStore, write_atomic

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("stage", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
    ]
)


def write_outcomes(store: RunStore, stages: Sequence[StageSummary]) -> Path:
    """Write outcomes.parquet: each candidate once, with the stage it ended in; stage by stage, then by id."""
    path = store.root / "outcomes.parquet"
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        counted = [stage for stage in stages if not stage.annotates]
        for stage in counted:
            writer.write_table(_ended(store, stage, last=stage is counted[-1]))
    write_atomic(path, bytes(sink.getvalue()))
    return path


def _ended(store: RunStore, stage: StageSummary, *, last: bool) -> pa.Table:
    parts = []
    for table in store.stage(stage.name).tables(["id", "name", "outcome", "reason"], only_ok=False):
        kept = table if last else table.filter(pc.not_equal(table["outcome"], OK))
        parts.append(kept.add_column(2, "stage", pa.array([stage.name] * len(kept), pa.string())))
    return pa.concat_tables([SCHEMA.empty_table(), *(part.cast(SCHEMA) for part in parts)]).sort_by("id")
