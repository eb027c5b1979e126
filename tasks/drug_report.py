"""What a screen delivers: tables, poses, the report page, and the same as Prefect artifacts."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from domains.drug import figures, hits
from domains.drug.filters import PROPERTIES
from domains.drug.library import Library
from domains.drug.outcomes import MEANINGS
from domains.drug.receptors import Receptor
from domains.drug.request import ScreeningRequest
from tasks.report import Findings, Section, Tile, environment, funnel, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic
from tasks.words import Text

GRID_HITS = 8


def deliver(
    run: Run,
    library: Library,
    receptor: Receptor,
    request: ScreeningRequest,
    candidates: Survivors,
    ligands: Survivors,
    docked: Survivors,
) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    ranked = hits.rank(docked.tables(hits.RANKED.names), hits.RANKED)
    ids = ranked["id"][: request.top].to_pylist()
    best = hits.gather(docked.tables(["id", "score", "pose"]), ids)
    molecules = hits.gather(candidates.tables(["id", "name", "smiles", *PROPERTIES, "alerts"]), ids)
    shapes = hits.gather(ligands.tables(["id", "mol", "atom_map", "heavy_atoms"]), ids)
    top = hits.join([best[number] for number in ids], molecules, shapes)
    root = run.store.root
    write_outcomes(run.store, run.stages)
    _write_scores(run, ranked)
    write_atomic(root / "hits.csv", hits.as_csv(top))
    write_atomic(root / "hits.sdf", hits.as_sdf(top).encode())
    report = write_report(run, _findings(run, library, receptor, request, ranked, top))
    _publish(run, receptor, top, report)
    return {
        "run": run.store.name,
        "folder": str(root),
        "report": report,
        "screened": run.stages[0].rows,
        "docked": len(ranked),
        "hits": [
            {"rank": hit["rank"], "name": hit["name"], "score": round(hit["score"], 3), "smiles": hit["smiles"]}
            for hit in top
        ],
    }


def _coarse_scores(run: Run) -> np.ndarray:
    scores = [table["score"].to_numpy() for table in run.store.stage("dock-coarse").tables(["score"])]
    return np.concatenate([np.empty(0), *scores])


def _write_scores(run: Run, ranked: pa.Table) -> None:
    """Every score of the full dock: id, name, score; best first."""
    sink = pa.BufferOutputStream()
    pq.write_table(ranked.select(["id", "name", "score"]), sink, compression="zstd")
    write_atomic(run.store.root / "scores.parquet", bytes(sink.getvalue()))


def _findings(
    run: Run,
    library: Library,
    receptor: Receptor,
    request: ScreeningRequest,
    ranked: pa.Table,
    top: Sequence[dict[str, Any]],
) -> Findings:
    screened = run.stages[0].rows
    figure = figures.scores(ranked["score"].to_numpy(), _coarse_scores(run), ranked["heavy_atoms"].to_numpy())
    cards = (
        environment("domains.drug")
        .get_template("hits.html.j2")
        .render(hits=[{**hit, "picture": Markup(hits.picture(hit["smiles"]))} for hit in top])
    )
    box = " × ".join(f"{edge:g}" for edge in receptor.size)
    search = request.search
    return Findings(
        heading=Text(f"Drug screen against {receptor.name}", f"{receptor.name} 靶点虚拟筛选"),
        answer=_answer(receptor, screened, len(ranked), top),
        notes=[
            Text(
                "Docking scores are estimates that rank molecules; they are not measured affinities. Look at the poses, then test.",
                "对接分数只用于排序，不是实测亲和力。请先查看构象，再做实验验证。",
            )
        ],
        tiles=[
            Tile(f"{screened:,}", "molecules screened", "筛选分子数"),
            Tile(f"{len(ranked):,}", "docked at full settings", "精对接分子数"),
        ],
        sections=[
            Section("Top hits", "最佳命中", Markup(cards)),
            Section("Scores", "分数分布", Markup("<figure>{}</figure>").format(Markup(figure)), first=False),
        ],
        meanings={name: Text(*words) for name, words in MEANINGS.items()},
        inputs=[
            (
                Text("Library", "分子库"),
                f"{library.name}, {screened:,} of {library.rows:,} records, SHA-256 {library.sha256[:16]}…",
            ),
            (
                Text("Receptor", "受体"),
                f"{receptor.name}, box {box} Å at {', '.join(f'{x:g}' for x in receptor.center)}, SHA-256 {receptor.sha256[:16]}…",
            ),
            (
                Text("Search", "搜索设置"),
                f"AutoDock Vina, exhaustiveness {search.exhaustiveness}, {search.n_poses} poses, seed {request.seed}",
            ),
        ],
    )


def _answer(receptor: Receptor, screened: int, docked: int, top: Sequence[Mapping[str, Any]]) -> Text:
    if not top:
        return Text(
            f"None of {screened:,} molecules could be docked into {receptor.name}; the table below says why.",
            f"{screened:,} 个分子均未能对接到 {receptor.name}，原因见下表。",
        )
    best = top[0]
    name = f"“{best['name']}”" if best["name"] else f"row {best['id']}"
    return Text(
        f"{name} scores best of {screened:,} molecules against {receptor.name}: {best['score']:.2f} kcal/mol. "
        f"The {len(top)} hits below reach {top[-1]['score']:.2f} or better; {docked:,} were docked at full settings.",
        f"在 {screened:,} 个分子中，{name} 对 {receptor.name} 得分最佳：{best['score']:.2f} kcal/mol。"
        f"下列 {len(top)} 个命中均达到 {top[-1]['score']:.2f} 或更优；共精对接 {docked:,} 个分子。",
    )


def _publish(run: Run, receptor: Receptor, top: Sequence[Mapping[str, Any]], report: str) -> None:
    key = run.pipeline
    lines = [f"| {row['stage']} | {row['in']:,} | {row['ok']:,} | {row['chip_s']:,} |" for row in funnel(run.stages)]
    create_markdown_artifact(
        key=f"{key}-summary",
        description=f"Funnel of {run.store.name}",
        markdown="\n".join(
            [
                f"# Screen against {receptor.name}",
                f"Report: `{report}`",
                "",
                "| stage | in | go on | chip-seconds |",
                "|---|---|---|---|",
                *lines,
            ]
        ),
    )
    table = [
        {"rank": hit["rank"], "name": hit["name"], "score (kcal/mol)": round(hit["score"], 2), "smiles": hit["smiles"]}
        for hit in top
    ]
    create_table_artifact(key=f"{key}-hits", table=table, description=f"Top hits against {receptor.name}")
    if top:
        image = base64.b64encode(hits.grid(top[:GRID_HITS]).encode()).decode()
        create_image_artifact(
            key=f"{key}-structures", image_url=f"data:image/svg+xml;base64,{image}", description="Top hits in 2D"
        )
