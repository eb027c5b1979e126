"""The stages of a climate emulation as Prefect tasks; the members are those of an ensemble (tasks/climate.py)."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.climate.emulate_check import ClimateEmulation
from domains.climate.emulate_engine import CURVE, OUTPUT, EmulationSettings, Emulator
from tasks import climate_emulation_report
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage
from tasks.store import write_atomic

MEMBERS = "members.parquet"
LIMIT_S = 900.0


@task(name="surrogates", cache_policy=NO_CACHE)
def surrogates_run(run: Run, asked: ClimateEmulation, members: Survivors) -> Survivors:
    """A surrogate of every figure, told of all members that it was not trained on."""
    names = [*asked.ensemble.varied, *asked.figures, CURVE]
    tables = list(members.tables(["id", *dict.fromkeys(names)]))
    found = pa.concat_tables(tables).sort_by("id") if tables else pa.table({"id": pa.array([], pa.int64())})
    sink = pa.BufferOutputStream()
    pq.write_table(found, sink, compression="zstd")
    data = bytes(sink.getvalue())
    write_atomic(run.store.root / MEMBERS, data)
    settings = EmulationSettings(
        members=run.store.root / MEMBERS,
        sha256=hashlib.sha256(data).hexdigest(),
        varied=tuple(asked.ensemble.varied),
        training=asked.request.training,
        seed=asked.request.seed,
    )
    stage = Stage(
        "surrogates",
        "Surrogates",
        "代理模型",
        Emulator,
        settings,
        version="1",
        reads=("name",),
        output=OUTPUT,
        cost=asked.surrogate_s,
        limit_s=LIMIT_S,
        annotates=True,
    )
    return run_stage(run, stage, Rows(asked.rows))


deliver = task(name="deliver", cache_policy=NO_CACHE)(climate_emulation_report.deliver)
