"""What a climate emulation delivers: scores of each surrogate, what was told of whom, the report page, artifacts."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from domains.climate import emulate_figures
from domains.climate.emulate import METHODS, STATED
from domains.climate.emulate_check import ClimateEmulation
from domains.climate.emulate_engine import CURVE, MEANINGS, OUTPUT
from domains.climate.ensemble import FIGURES, Figure
from domains.climate.outcomes import MEANINGS as ENDS
from domains.csv_table import as_csv
from tasks.artifacts import publish
from tasks.figures import in_page
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic
from tasks.words import Text

SCORES, TOLD = "scores.csv", "told.parquet"
PER_MEMBER = ("truth", "told", "spread")
WARMING = Figure("warming of the global mean, year by year", "全球平均升温曲线", "K")


def deliver(run: Run, asked: ClimateEmulation, members: Survivors, surrogates: Survivors) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    write_outcomes(run.store, run.stages)
    tables = list(surrogates.tables(["id", "name", *OUTPUT.names]))
    found = pa.concat_tables(tables).sort_by("id") if tables else None
    page = Page(run, asked, members, found)
    if found is not None:
        sink = pa.BufferOutputStream()
        pq.write_table(found.select(["name", *PER_MEMBER]), sink, compression="zstd")
        write_atomic(run.store.root / TOLD, bytes(sink.getvalue()))
    write_atomic(run.store.root / SCORES, as_csv(page.scores))
    report = write_report(run, page.findings())
    publish(run, page.answer(), report, page.scores, "scores", "Errors on members never seen")
    return {
        "run": run.store.name,
        "folder": str(run.store.root),
        "report": report,
        "members": members.rows,
        "scores": page.scores,
        "model_s": page.model_s,
        "surrogate_s": page.surrogate_s,
    }


class Page:
    """What the report says of a finished emulation."""

    def __init__(self, run: Run, asked: ClimateEmulation, members: Survivors, found: pa.Table | None) -> None:
        self.run, self.asked, self.members = run, asked, members
        self.rows: list[dict[str, Any]] = [] if found is None else found.to_pylist()
        self.scores = [self._score(row) for row in self.rows]

    def _score(self, row: dict[str, Any]) -> dict[str, Any]:
        trivial = min(row["error_mean"], row["error_linear"])
        return {
            "figure": row["name"],
            "unit": _known(row["name"]).unit,
            "trained": row["trained"],
            "unseen": row["unseen"],
            **{f"error_{name}": float(f"{row[f'error_{name}']:.4g}") for name in METHODS},
            "better_than_trivial": round(trivial / row["error_surrogate"], 2) if row["error_surrogate"] > 0 else None,
            "coverage_90": round(row["coverage"], 4),
        }

    @property
    def model_s(self) -> float:
        """CPU seconds of the model for a member, as measured in this run."""
        shards = next(stage for stage in self.run.stages if stage.name == "members").shards
        return sum(one.cpu_s for one in shards) / max(1, sum(one.rows for one in shards))

    @property
    def surrogate_s(self) -> float:
        """CPU seconds of all surrogates together for a member."""
        return float(sum(row["member_s"] for row in self.rows))

    def findings(self) -> Findings:
        """All of it."""
        return Findings(
            heading=Text(
                f"A surrogate of {len(self.asked.ensemble.rows):,} energy-balance models",
                f"{len(self.asked.ensemble.rows):,} 个能量平衡模式的代理模型",
            ),
            answer=self.answer(),
            notes=self._notes(),
            tiles=[
                Tile(f"{self.asked.request.training:,}", "members to train on", "训练成员数"),
                Tile(
                    f"{self.rows[0]['unseen'] if self.rows else 0:,}", "members never seen, to judge by", "检验成员数"
                ),
            ],
            sections=self._sections() if self.rows else [],
            meanings={name: Text(*words) for name, words in {**ENDS, **MEANINGS}.items()},
            inputs=self._inputs(),
        )

    def answer(self) -> Text:
        """One sentence with what was found."""
        first = next((row for row in self.scores if row["figure"] == "ecs"), None)
        if first is None:
            return Text("No surrogate could be trained; the table below says why.", "未能训练代理模型；原因见下表。")
        en = (
            f"On {first['unseen']:,} members it never saw, the surrogate misses the equilibrium sensitivity by {first['error_surrogate']:.3g} K "
            f"(root mean square); a linear regression by {first['error_linear']:.3g} K, the mean by {first['error_mean']:.3g} K. "
            f"Its 90 % range holds {100 * first['coverage_90']:.0f} % of them"
        )
        zh = (
            f"对 {first['unseen']:,} 个未见成员，代理模型的平衡敏感度均方根误差为 {first['error_surrogate']:.3g} K；线性回归 {first['error_linear']:.3g} K，"
            f"均值 {first['error_mean']:.3g} K。其 90% 区间覆盖 {100 * first['coverage_90']:.0f}%"
        )
        return Text(f"{en}.", f"{zh}。")

    def _notes(self) -> list[Text]:
        notes = [
            Text(
                "Only members with a climate like today's are emulated: the surrogate does not tell which parameters have none. "
                "It holds for parameters inside the distributions it was trained on.",
                "仅模拟气候与当今相符的成员，代理模型不判断参数是否有效；只适用于训练分布范围内的参数。",
            )
        ]
        if self.rows and self.surrogate_s >= self.model_s:
            notes.append(
                Text(
                    "The model itself is faster than the surrogate here: it pays only for models that take longer.",
                    "此处模式本身比代理模型更快：代理模型只对更耗时的模式有意义。",
                )
            )
        return notes

    def _sections(self) -> list[Section]:
        shown = [row for row in self.rows if row["name"] in ("ecs", "tcr", CURVE)]
        titles = {
            "ecs": "equilibrium sensitivity, K",
            "tcr": "transient response, K",
            CURVE: "warming in the last year, K",
        }
        drawn = {titles[row["name"]]: tuple(_array(row[name]) for name in PER_MEMBER) for row in shown}
        names = [_known(row["name"]).title.split(":")[0] for row in self.rows]
        errors = {method: [row[f"error_{method}"] for row in self.rows] for method in METHODS}
        return [
            Section("What it tells of members never seen", "未见成员的预测", in_page(emulate_figures.told_and_true(drawn)) + self._table()),
            Section("Beside what is trivial", "与平凡基线比较", in_page(emulate_figures.errors(names, errors))),
            Section("Time", "耗时", self._time()),
        ]  # fmt: skip

    def _table(self) -> Markup:
        columns = (
            Text("unit", "单位"), Text("error: mean", "误差：均值"), Text("error: linear", "误差：线性"), Text("error: surrogate", "误差：代理"),
            Text(f"truths inside the {100 * STATED:.0f} % range", f"{100 * STATED:.0f}% 区间覆盖率"),
        )  # fmt: skip
        head = Markup("").join(Markup("<th>{}</th>").format(_both(one)) for one in (Text("", ""), *columns))
        rows = []
        for score in self.scores:
            known = _known(score["figure"])
            values = [
                known.unit,
                *(f"{score[f'error_{name}']:.3g}" for name in METHODS),
                f"{100 * score['coverage_90']:.0f} %",
            ]
            cells = Markup("").join(Markup("<td>{}</td>").format(one) for one in values)
            rows.append(Markup("<tr><td>{}</td>{}</tr>").format(_both(Text(known.title, known.title_zh)), cells))
        return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, Markup("").join(rows))

    def _time(self) -> Markup:
        trained = sum(row["training_s"] for row in self.rows)
        saved = self.model_s - self.surrogate_s
        spent = trained + self.asked.request.training * self.model_s
        even = Text(f"{spent / saved:,.0f}", f"{spent / saved:,.0f}") if saved > 0 else Text("never", "无法回本")
        rows = (
            (Text("the model, a member", "模式（每成员）"), f"{1e3 * self.model_s:.3g} ms CPU"),
            (
                Text("the surrogate, a member, all figures", "代理模型（每成员，全部量）"),
                f"{1e3 * self.surrogate_s:.3g} ms CPU",
            ),
            (Text("faster by", "加速比"), f"{self.model_s / self.surrogate_s:.3g} x"),
            (Text("training, once", "训练（一次）"), f"{trained:.3g} s CPU"),
            (Text("members from which on it saves time", "开始节省时间的成员数"), _both(even)),
        )
        cells = Markup("").join(
            Markup("<tr><td>{}</td><td>{}</td></tr>").format(_both(name), value) for name, value in rows
        )
        return Markup("<table><tbody>{}</tbody></table>").format(cells)

    def _inputs(self) -> list[tuple[Text, str]]:
        request = self.asked.request
        return [
            (Text("Model", "模式"), "diffusive energy-balance model (see climate-ensemble)"),
            (
                Text("Surrogate", "代理模型"),
                f"a Gaussian process for each figure, {request.training} members, seed {request.seed}",
            ),
            (Text("Varied", "变动参数"), ", ".join(self.asked.ensemble.varied)),
            (Text("Scenario", "情景"), f"{request.scenario}, {request.years} years"),
        ]


def _known(name: str) -> Figure:
    return WARMING if name == CURVE else FIGURES[name]


def _array(values: list[float]) -> Any:
    return pa.array(values).to_numpy()


def _both(text: Text) -> Markup:
    return Markup('<span lang="en">{}</span><span lang="zh">{}</span>').format(*text)
