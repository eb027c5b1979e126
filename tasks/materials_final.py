"""The end of a materials screen: the candidates near the hull are looked at closely, and the list is chosen among them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains.materials import shortlist, stability
from domains.materials.check import MaterialsSearch
from domains.materials.outcomes import Outcome
from domains.model import Frozen
from domains.selection import marked
from tasks import materials_report
from tasks.materials import CRYSTAL, NAMED, NOTHING, judged_again, phonon_stage
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Survivors, run_stage, run_stage_here

Ranked = list[dict[str, Any]]
RELAXED = (
    "id", *NAMED, *CRYSTAL, "volume", "energy_per_atom", "steps", "moments", *stability.OUTPUT.names,
)  # fmt: skip


@task(name="rank", cache_policy=NO_CACHE)
def ranked(run: Run, search: MaterialsSearch, stable: Survivors, pool: Survivors) -> Ranked:
    """The candidates near the hull, each with all that earlier stages and the second potential say of it; best first."""
    rows = [row for table in stable.tables(list(RELAXED)) for row in table.to_pylist()]
    second = judged_again(run, search, stable) if search.second and rows else {}
    ids = {row["id"] for row in rows}
    columns = ["id", "atoms", "volume", "formation_energy", "e_above_hull"]
    evaluated = {
        row["id"]: {**row, "volume_atom": row["volume"] / row["atoms"]}
        for table in pool.tables(columns)
        for row in table.to_pylist()
        if row["id"] in ids
    }
    return shortlist.ranked(rows, evaluated, second)


@task(name="phonons", cache_policy=NO_CACHE)
def with_phonons(run: Run, search: MaterialsSearch, rows: Ranked) -> Ranked:
    """The best of them with their phonons; how these ended stands in ``outcome`` and ``reason``."""
    first = rows[: search.request.phonons]
    if search.phonons is None or not first:
        return rows
    stage = replace(phonon_stage(search.phonons), annotates=True)  # the list says who ends by them
    table = pa.Table.from_pylist([{name: row[name] for name in stage.columns} for row in first])
    found = run_stage(run, stage, Rows(table)).ended(stage.output.names)
    return [{**row, "phonons": found.get(row["id"])} for row in rows]


@task(name="list", cache_policy=NO_CACHE)
def chosen(run: Run, search: MaterialsSearch, stable: Survivors, rows: Ranked) -> Ranked:
    """The list; what is not on it ends with the reason."""
    verdicts: dict[int, tuple[Outcome, str | None]] = {}
    listed: Ranked = []
    for row in rows:
        verdicts[row["id"]] = shortlist.verdict(row, search.request.top, len(listed))
        if verdicts[row["id"]][0] is Outcome.ok:
            listed.append({**row, "rank": len(listed) + 1})
    stage = Stage(
        "list",
        "Choose the list",
        "选定列表",
        MarkListed(verdicts),
        ListSettings(top=search.request.top),
        version="1",
        reads=("e_above_hull",),
        carries=NAMED,
        output=NOTHING,
        cost=1e-6,
    )
    run_stage_here(run, stage, stable)
    return listed


class ListSettings(Frozen):
    """How many are listed."""

    top: int


class MarkListed:
    """The batch function of the last stage: each row's verdict by id."""

    def __init__(self, verdicts: Mapping[int, tuple[Outcome, str | None]]) -> None:
        self.verdicts = verdicts

    def __call__(self, batch: pa.Table, settings: ListSettings) -> pa.Table:
        """Mark each row of a batch. In: id."""
        found = [self.verdicts[number] for number in batch["id"].to_pylist()]
        return marked(batch, [outcome for outcome, _ in found], [reason for _, reason in found])


deliver = task(name="deliver", cache_policy=NO_CACHE)(materials_report.deliver)
