"""The stages of a cathode run as Prefect tasks."""

from typing import Any

import numpy as np
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.materials import battery, migration, stability
from domains.materials.cathode_request import IMAGE_S, PATH_ATOMS, STEP_S, CathodeStudy
from domains.materials.check import HULL_S
from domains.materials.crystal import Crystal
from domains.materials.references import References
from tasks import materials_cathode_report
from tasks.materials import compared
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage

FACTS = ("name", "host", "ion", "ions", "left")
Row = dict[str, Any]


def numbered(table: pa.Table) -> pa.Table:
    """With ids from 0."""
    return table.add_column(0, "id", pa.array(np.arange(len(table))))


@task(name="steps", cache_policy=NO_CACHE)
def charged(run: Run, study: CathodeStudy) -> Survivors:
    """Each host at each charge, relaxed in its likeliest arrangements of ions, and the ion's metal."""
    table = numbered(study.steps())
    per_atom = STEP_S[study.request.potential] * study.request.orderings
    stage = Stage(
        "steps",
        "Energies at each charge",
        "各充电态能量",
        battery.Step,
        battery.StepSettings(potential=study.potential, orderings=study.request.orderings),
        version=f"1; spglib {package_version('spglib')}",
        reads=tuple(battery.INPUT.names[1:]),
        carries=FACTS,
        output=battery.OUTPUT,
        cost=lambda rows: per_atom * np.array([len(one) for one in rows["numbers"].to_pylist()], float),
        limit_s=3600.0,
    )
    return run_stage(run, stage, Rows(table))


@task(name="hull", cache_policy=NO_CACHE)
def above_hull(run: Run, study: CathodeStudy, steps: Survivors, references: References) -> dict[int, float]:
    """How far each charge is above the hull of known compounds, eV/atom, by id."""
    stage = Stage(
        "hull",
        "Hull",
        "凸包",
        stability.above_hull,
        stability.settings_of(references),
        version=f"1; scipy {package_version('scipy')}",
        reads=compared(references, study.potential),
        output=stability.OUTPUT,
        cost=HULL_S,
        annotates=True,
    )
    tables = run_stage(run, stage, steps).tables(["id", "e_above_hull"])
    return {row["id"]: row["e_above_hull"] for table in tables for row in table.to_pylist()}


@task(name="barriers", cache_policy=NO_CACHE)
def barriers(run: Run, study: CathodeStudy, steps: Survivors) -> list[Row]:
    """The barrier of each host's shortest hops, in the relaxed, full host."""
    full = {
        row["host"]: Crystal.from_row(row)
        for row in steps.ended((*FACTS, *battery.OUTPUT.names)).values()
        if _is_full(row)
    }
    table = numbered(migration.rows(full, study.ion, most=study.request.hops))
    if not len(table):
        return []
    request = study.request
    stage = Stage(
        "barriers",
        "Migration barriers",
        "迁移势垒",
        migration.Barrier,
        migration.BarrierSettings(potential=study.potential, images=request.images),
        version=f"1; ase {package_version('ase')}",
        reads=tuple(migration.INPUT.names[1:]),
        carries=("name", "host", "ion", "length", "dimensions", "equivalents"),
        output=migration.OUTPUT,
        cost=PATH_ATOMS * (request.images + 2) * IMAGE_S[request.potential],
        limit_s=7200.0,
        annotates=True,
    )
    columns = ("host", "ion", "length", "dimensions", "equivalents", *migration.OUTPUT.names)
    return list(run_stage(run, stage, Rows(table)).ended(columns).values())


def _is_full(row: Row) -> bool:
    return bool(row["outcome"] == "ok" and row["ions"] and row["left"] == row["ions"])


deliver = task(name="deliver", cache_policy=NO_CACHE)(materials_cathode_report.deliver)
