"""The end of the drug funnel: the finalists are looked at closely, and the hits are chosen among them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from domains import selection
from domains.drug import admet, hits, interactions, poses, refine
from domains.drug.filters import PROPERTIES
from domains.drug.outcomes import Outcome
from domains.drug.plan import CHECK_S, REFINE_S
from domains.drug.receptors import Receptor
from domains.drug.request import ScreeningRequest
from domains.drug.shortlist import ShortlistSettings, shortlist
from domains.selection import marked
from tasks import drug_report
from tasks.drug import NOTHING, dock_stage
from tasks.provenance import package_version
from tasks.run import Run
from tasks.shard import Stage
from tasks.stage import Rows, Source, Survivors, run_stage, run_stage_here

Hits = list[dict[str, Any]]
POSE = ("mol", "atom_map", "pose")


@task(name="finalists", cache_policy=NO_CACHE)
def finalists(
    run: Run, docked: Source, ligands: Source, candidates: Survivors, request: ScreeningRequest
) -> tuple[Hits, Survivors]:
    """The best full scores, each with all that earlier stages know of it; best first."""
    best = selection.best_of(docked.tables, request.finalists)
    settings = selection.SelectSettings(most=request.finalists)
    stage = Stage(
        "finalists",
        "Finalists",
        "入围",
        best,
        settings,
        version="1",
        reads=("score",),
        carries=("name", "score"),
        output=NOTHING,
        cost=1e-6,
    )
    chosen = run_stage_here(run, stage, docked)
    state = ["parent_id"] if request.states else []
    extra = ["poses"] if request.search.n_poses > 1 else []
    scores = hits.gather(docked.tables(["id", "score", "scores", "pose", *extra, *state]), best.ids.tolist())
    ranked = sorted(scores.values(), key=lambda hit: (hit["score"], hit["id"]))
    parents = [hit.get("parent_id", hit["id"]) for hit in ranked]
    molecules = hits.gather(candidates.tables(["id", "name", "smiles", *PROPERTIES, "alerts"]), parents)
    drawn = ["smiles", "state", "charge"] if request.states else []
    shapes = hits.gather(
        ligands.tables(["id", "mol", "atom_map", "pdbqt", "heavy_atoms", "torsions", *drawn]), best.ids.tolist()
    )
    return hits.join(ranked, molecules, shapes), chosen


def _beside(run: Run, stage: Stage, rows: Hits) -> dict[int, dict[str, Any]]:
    """Run a stage that says more of these rows; what it says, by id."""
    columns = ["id", "name", *stage.columns]
    table = pa.Table.from_pylist([{name: row[name] for name in dict.fromkeys(columns)} for row in rows])
    survivors = run_stage(run, replace(stage, annotates=True), Rows(table))
    return survivors.by_id(stage.output.names)


@task(name="other-seeds", cache_policy=NO_CACHE)
def docked_again(run: Run, rows: Hits, receptor: Receptor, request: ScreeningRequest) -> Hits:
    """Dock each finalist with other seeds: how far its scores spread, and how often the same pose comes back."""
    if request.seeds == 1:
        return rows
    names = [(f"dock-seed-{n}", f"Full dock, seed {n}", f"精对接，种子 {n}") for n in range(2, request.seeds + 1)]
    docks = [
        _beside(run, dock_stage(run, *name, receptor, request, request.search, request.seed + n), rows)
        for n, name in enumerate(names, 1)
    ]
    return [_agreed(row, [dock[row["id"]] for dock in docks if row["id"] in dock]) for row in rows]


def _agreed(row: dict[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    docks = [{"poses": one.get("poses") or [one["pose"]], "scores": one["scores"]} for one in (row, *others)]
    found = poses.consensus(row, docks)
    spread = float(np.std([one["scores"][0] for one in docks], ddof=1)) if others else None
    return {**row, "spread": spread, "consensus": found}


@task(name="check-poses", cache_policy=NO_CACHE)
def checked(run: Run, rows: Hits, receptor: Receptor) -> Hits:
    """PoseBusters' checks of each pose, and what it touches."""
    settings = poses.ReceptorSettings(receptor_sha256=receptor.sha256, path=receptor.path)
    busted = Stage(
        "check-poses",
        "Pose checks",
        "构象检查",
        poses.CheckPose,
        settings,
        version=f"1; posebusters {package_version('posebusters')}",
        reads=POSE,
        output=poses.OUTPUT,
        cost=CHECK_S / 2,
    )
    touching = Stage(
        "interactions",
        "Interactions",
        "相互作用",
        interactions.Interactions,
        settings,
        version=f"2; prolif {package_version('prolif')}",
        reads=POSE,
        output=interactions.OUTPUT,
        cost=CHECK_S / 2,
    )
    for stage in (busted, touching):
        told = _beside(run, stage, rows)
        rows = [{**row, **told.get(row["id"], {})} for row in rows]
    return rows


@task(name="admet", cache_policy=NO_CACHE)
def with_admet(run: Run, rows: Hits) -> Hits:
    """Predicted ADMET of each finalist's neutral molecule."""
    settings = admet.installed()
    stage = Stage(
        "admet",
        "ADMET",
        "ADMET 预测",
        admet.Admet,
        settings,
        version=f"1; admet-ai {settings.admet_ai}",
        reads=("smiles",),
        output=admet.OUTPUT,
        cost=admet.SECONDS,
    )
    told = _beside(run, stage, [{**row, "smiles": row.get("parent_smiles", row["smiles"])} for row in rows])
    return [{**row, **_risks(told.get(row["id"], {}))} for row in rows]


def _risks(told: Mapping[str, Any]) -> dict[str, Any]:
    if not told:
        return {}
    found = admet.flags(told["admet"])
    return {
        **told,
        "risks": len(found),
        "admet_flags": [en for en, _ in found],
        "admet_flags_zh": [zh for _, zh in found],
    }


@task(name="shortlist", cache_policy=NO_CACHE)
def listed(run: Run, rows: Hits, source: Survivors, request: ScreeningRequest) -> Hits:
    """The hits: the best of each kind first, each with the reason why it is on the list."""
    settings = ShortlistSettings(size=request.top, pool=max(1, request.finalists))
    top = shortlist(rows, settings)
    stage = Stage(
        "shortlist",
        "Choose the hits",
        "选定命中",
        MarkListed(top, rows),
        settings,
        version="1",
        reads=("score",),
        output=NOTHING,
        cost=1e-6,
    )
    run_stage_here(run, stage, source)
    return top


class MarkListed:
    """The batch function of the shortlist stage: a finalist that is no hit is ``not_listed``."""

    def __init__(self, top: Hits, rows: Hits) -> None:
        self.listed = {hit["id"] for hit in top}
        self.rank = {hit["id"]: hit["rank"] for hit in rows}

    def __call__(self, batch: pa.Table, settings: ShortlistSettings) -> pa.Table:
        """Mark each row of a batch. In: id."""
        ids = batch["id"].to_pylist()
        why = "the {} hits are better in something, or of more different kinds; this one is number {} by score"
        reasons = [None if one in self.listed else why.format(settings.size, self.rank[one]) for one in ids]
        outcomes = [Outcome.ok if one in self.listed else Outcome.not_listed for one in ids]
        return marked(batch, outcomes, reasons)


@task(name="refine", cache_policy=NO_CACHE)
def refined(run: Run, rows: Hits, receptor: Receptor) -> Hits:
    """Each hit relaxed in its pocket; the docked pose stays the pose."""
    stage = Stage(
        "refine",
        "Pocket minimisation",
        "口袋内最小化",
        refine.Refine,
        poses.ReceptorSettings(receptor_sha256=receptor.sha256, path=receptor.path),
        version=f"2; rdkit {package_version('rdkit')}",
        reads=POSE,
        output=refine.OUTPUT,
        cost=REFINE_S,
    )
    told = _beside(run, stage, rows)
    return [{**row, **told.get(row["id"], {})} for row in rows]


deliver = task(name="deliver", cache_policy=NO_CACHE)(drug_report.deliver)
