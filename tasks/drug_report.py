"""What a screen delivers: tables, poses, the report page, and the same as Prefect artifacts."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup
from prefect.artifacts import create_image_artifact

from domains.drug import admet, figures, hits
from domains.drug.diagram import diagram
from domains.drug.engines import ENGINES
from domains.drug.library import Library
from domains.drug.outcomes import MEANINGS
from domains.drug.receptors import Receptor
from domains.drug.refine import dynamics
from domains.drug.request import ScreeningRequest
from domains.drug.view3d import assets, viewer_html
from tasks.artifacts import publish
from tasks.figures import in_page
from tasks.learning import Acquired
from tasks.learning_report import Wording
from tasks.learning_report import section as learning_section
from tasks.report import Findings, Section, Tile, environment, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Source
from tasks.store import write_atomic
from tasks.words import Text

GRID_HITS = 8
VIEWED_HITS = 12
NUMBERS = Text(
    "Residues carry the numbers of the receptor's file (receptor.pdbqt); in some of dockstring's receptors those are not the "
    "numbers of the literature.",
    "残基编号取自受体文件（receptor.pdbqt）；dockstring 的部分受体编号与文献编号不同。",
)
LEARNING = Wording(Text("candidates", "候选"), Text("docked", "对接"), "Vina score, kcal/mol")


def deliver(
    run: Run,
    library: Library,
    receptor: Receptor,
    request: ScreeningRequest,
    docked: Source,
    top: Sequence[dict[str, Any]],
    search: Acquired | None,
) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    ranked = hits.rank(docked.tables(hits.RANKED.names), hits.RANKED)
    root = run.store.root
    write_outcomes(run.store, run.stages)
    _write_scores(run, ranked)
    write_atomic(root / "hits.csv", hits.as_csv(top))
    write_atomic(root / "hits.sdf", hits.as_sdf(top).encode())
    findings = _findings(run, library, receptor, request, ranked, top, search)
    report = write_report(run, findings)
    _publish(run, receptor, top, report, findings.answer)
    return {
        "run": run.store.name,
        "folder": str(root),
        "report": report,
        "screened": run.stages[0].rows,
        "docked": len(ranked),
        "hits": [
            {
                "place": hit["place"],
                "name": hits.title(hit),
                "score": round(hit["score"], 3),
                "rank": hit["rank"],
                "smiles": hit["smiles"],
            }
            for hit in top
        ],
    }


def _coarse_scores(run: Run) -> np.ndarray:
    stages = [stage.name for stage in run.stages if stage.name.startswith("dock-coarse")]
    scores = [table["score"].to_numpy() for name in stages for table in run.store.stage(name).tables(["score"])]
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
    search: Acquired | None,
) -> Findings:
    screened = run.stages[0].rows
    figure = figures.scores(ranked["score"].to_numpy(), _coarse_scores(run), ranked["heavy_atoms"].to_numpy())
    sections = [Section("Top hits", "最佳命中", _cards(top))]
    if top:
        sections.append(Section("Poses in the pocket", "口袋中的构象", _poses(receptor, top)))
    if search is not None:
        sections.append(learning_section(search, LEARNING))
    sections.append(Section("Scores", "分数分布", in_page(figure), first=False))
    return Findings(
        heading=Text(f"Drug screen against {receptor.name}", f"{receptor.name} 靶点虚拟筛选"),
        answer=_answer(receptor, screened, len(ranked), top),
        notes=_notes(request),
        tiles=[
            Tile(f"{screened:,}", "molecules screened", "筛选分子数"),
            Tile(f"{len(ranked):,}", "docked at full settings", "精对接分子数"),
        ],
        sections=sections,
        meanings={name: Text(*words) for name, words in MEANINGS.items()},
        inputs=_inputs(library, receptor, request, screened),
    )


def _notes(request: ScreeningRequest) -> list[Text]:
    notes = [
        Text(
            "Docking scores are estimates that rank molecules; they are not measured affinities. Look at the poses, then test.",
            "对接分数只用于排序，不是实测亲和力。请先查看构象，再做实验验证。",
        )
    ]
    if not request.admet:
        notes.append(Text("ADMET was not computed: ask for it with --admet.", "未计算 ADMET：可用 --admet 开启。"))
    if request.refine:
        why, why_zh = dynamics()
        notes.append(Text(f"Molecular dynamics was not run: {why}.", f"未运行分子动力学：{why_zh}。"))
    return notes


def _inputs(library: Library, receptor: Receptor, request: ScreeningRequest, screened: int) -> list[tuple[Text, str]]:
    box = " × ".join(f"{edge:g}" for edge in receptor.size)
    search = request.search
    return [
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
            f"{ENGINES[request.engine].title}, exhaustiveness {search.exhaustiveness}, {search.n_poses} poses, seed {request.seed}",
        ),
    ]


def _cards(top: Sequence[dict[str, Any]]) -> Markup:
    """A card for each hit: what it is, why it is here, what speaks against it, what it touches."""
    drawn = [
        {
            **hit,
            "title": hits.title(hit),
            "picture": Markup(hits.picture(hit["smiles"])),
            "why": list(zip(hit["reasons"], hit["reasons_zh"], strict=True)),
            "risks": list(zip(hit.get("admet_flags", ()), hit.get("admet_flags_zh", ()), strict=True)),
            "failed": hit.get("failed_checks"),
            "consensus": hit.get("consensus"),
            "moved": hit.get("moved"),
            "properties": admet.table(hit["admet"], hit["admet_percentile"]) if "admet" in hit else [],
            "touches": Markup(diagram(hits.posed(hit), hit["interactions"])) if hit.get("interactions") else "",
        }
        for hit in top
    ]
    return Markup(environment("domains.drug").get_template("hits.html.j2").render(hits=drawn))


def _poses(receptor: Receptor, top: Sequence[dict[str, Any]]) -> Markup:
    shown = top[:VIEWED_HITS]
    view = viewer_html(
        receptor.path.read_text(),
        [hits.posed(hit) for hit in shown],
        [f"{hit['place']} {hits.title(hit)}" for hit in shown],
        [hit.get("interactions") or [] for hit in shown],
    )
    note = Markup('<p class="soft small"><span lang="en">{}</span><span lang="zh">{}</span></p>').format(*NUMBERS)
    return Markup(assets() + view) + note


def _answer(receptor: Receptor, screened: int, docked: int, top: Sequence[Mapping[str, Any]]) -> Text:
    if not top:
        return Text(
            f"None of {screened:,} molecules could be docked into {receptor.name}; the table below says why.",
            f"{screened:,} 个分子均未能对接到 {receptor.name}，原因见下表。",
        )
    best = min(top, key=lambda hit: float(hit["score"]))
    worst = max(hit["score"] for hit in top)
    name, kinds = f"“{hits.title(best)}”", len({hit["cluster"] for hit in top})
    return Text(
        f"{name} scores best of {screened:,} molecules against {receptor.name}: {best['score']:.2f} kcal/mol. "
        f"The {len(top)} hits below, of {kinds} different kinds, reach {worst:.2f} or better; {docked:,} were docked at full settings.",
        f"在 {screened:,} 个分子中，{name} 对 {receptor.name} 得分最佳：{best['score']:.2f} kcal/mol。"
        f"下列 {len(top)} 个命中（{kinds} 类不同结构）均达到 {worst:.2f} 或更优；共精对接 {docked:,} 个分子。",
    )


def _publish(run: Run, receptor: Receptor, top: Sequence[Mapping[str, Any]], report: str, answer: Text) -> None:
    table = [
        {
            "place": hit["place"],
            "name": hits.title(hit),
            "score (kcal/mol)": round(hit["score"], 2),
            "why": "; ".join(hit["reasons"]),
            "smiles": hit["smiles"],
        }
        for hit in top
    ]
    publish(run, answer, report, table, "hits", f"Top hits against {receptor.name}")
    if top:
        image = base64.b64encode(hits.grid(top[:GRID_HITS]).encode()).decode()
        create_image_artifact(
            key=f"{run.pipeline}-structures",
            image_url=f"data:image/svg+xml;base64,{image}",
            description="Top hits in 2D",
        )
