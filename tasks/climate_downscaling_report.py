"""What a climate downscaling delivers: the fine days, indices, scores, the report page, artifacts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup

from domains.climate import downscale_store, store
from domains.climate.downscale import INDICES, MEASURES, METHODS, VARIABLES
from domains.climate.downscale_blocks import MEANINGS, MEANS, SCORES
from domains.climate.downscale_check import ClimateDownscaling
from domains.climate.maps import maps
from domains.climate.outcomes import MEANINGS as ENDS
from domains.climate.regrid import LatLon
from domains.csv_table import as_csv
from tasks.artifacts import publish
from tasks.figures import in_page
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic
from tasks.words import Text

STORE, SUMMARY, SCORES_TABLE = "downscaled.zarr", "summary.nc", "scores.csv"
PLACE = ["south", "north", "west", "east"]
TITLES = {
    "interpolation": Text("interpolation only", "仅插值"),
    "mean": Text("interpolation and mean correction", "插值加均值订正"),
    "qdm": Text("interpolation and quantile delta mapping", "插值加分位数增量映射"),
}
MEASURED = {
    "mean": Text("mean", "均值"),
    "quantiles": Text("quantiles, 5 to 95 %", "5–95% 分位数"),
    "maximum": Text("mean annual maximum", "年最大值均值"),
}


def deliver(run: Run, asked: ClimateDownscaling, source: Survivors) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    root = run.store.root
    write_outcomes(run.store, run.stages)
    found = None
    if source.rows:
        downscale_store.write_days(asked, _blocks(source, ["days"]), root / STORE, run.store.name)
        store.check(root / STORE)
        small = ["indices", *SCORES, *(f"{name}_mean" for name in MEANS)]
        found = downscale_store.summary(asked, _blocks(source, small), run.store.name)
        store.export_netcdf(found, root / SUMMARY)
    page = Page(run, asked, found)
    write_atomic(root / SCORES_TABLE, as_csv(page.scores))
    report = write_report(run, page.findings())
    publish(run, page.answer(), report, page.scores, "scores", "Errors in the years held out")
    return {
        "run": run.store.name,
        "folder": str(root),
        "report": report,
        "blocks": source.rows,
        "synthetic": asked.request.synthetic,
        "scores": page.scores,
    }


def _blocks(source: Survivors, columns: list[str]) -> Iterator[dict[str, Any]]:
    """The blocks one at a time, arrays as NumPy's."""
    for table in source.tables([*PLACE, *columns]):
        for at in range(len(table)):
            yield {name: table[name][at].as_py() for name in PLACE} | {
                name: table[name][at].values.to_numpy() for name in columns
            }


class Page:
    """What the report says of a finished downscaling."""

    def __init__(self, run: Run, asked: ClimateDownscaling, found: xr.Dataset | None) -> None:
        self.run, self.asked, self.found = run, asked, found
        self.variable = VARIABLES[asked.request.variable]
        self.unit = self.variable.unit
        self.scores = [] if found is None else [self._score(found, method) for method in METHODS]

    def _score(self, found: xr.Dataset, method: str) -> dict[str, Any]:
        """Mean errors over the area, in the variable's unit, and how much smaller than by interpolation alone."""

        def mean(name: str) -> float:
            field = found[name]
            return float(field.weighted(_area(field)).mean())

        row: dict[str, Any] = {"method": method, "unit": self.unit}
        for measure in MEASURES:
            error, trivial = mean(f"{measure}_{method}"), mean(f"{measure}_{METHODS[0]}")
            row[f"error_{measure}"] = round(error, 4)
            row[f"skill_{measure}"] = round(1 - error / trivial, 4) if trivial > 0 else 0.0
        return row

    def findings(self) -> Findings:
        """All of it."""
        held = self.asked.held_out
        observed = self.asked.pair.observed
        made_up = self.asked.request.synthetic
        return Findings(
            heading=Text(
                f"{'Synthetic demonstration: ' if made_up else ''}{self.variable.title}, downscaled to {observed.sizes['lat']} x {observed.sizes['lon']} cells",
                f"{'合成数据演示：' if made_up else ''}{self.variable.title_zh}降尺度至 {observed.sizes['lat']} × {observed.sizes['lon']} 格点",
            ),
            answer=self.answer(),
            notes=self._notes(),
            tiles=[
                Tile(f"{len(self.asked.training)}", "years of training", "训练年数"),
                Tile(
                    f"{len(held)}", f"years held out, {held[0]} to {held[-1]}", f"留出检验年数（{held[0]}–{held[-1]}）"
                ),
            ],
            sections=self._sections() if self.found is not None else [],
            meanings={name: Text(*words) for name, words in {**ENDS, **MEANINGS}.items()},
            inputs=self._inputs(),
        )

    def answer(self) -> Text:
        """One sentence with what was found."""
        if not self.scores:
            return Text("No block could be downscaled; the table below says why.", "没有区块完成降尺度；原因见下表。")
        raw, moved, mapped = (row["error_quantiles"] for row in self.scores)
        best = min(
            METHODS, key=lambda name: next(row["error_quantiles"] for row in self.scores if row["method"] == name)
        )
        en = (
            f"{'On made-up data: in' if self.asked.request.synthetic else 'In'} years it was not trained on, quantile delta mapping misses the observed quantiles by {mapped:.2f} {self.unit}; a mean "
            f"correction by {moved:.2f}, interpolation alone by {raw:.2f}"
        )
        zh = f"{'合成数据：' if self.asked.request.synthetic else ''}在未参与训练的年份，分位数增量映射的分位数误差为 {mapped:.2f} {self.unit}；均值订正 {moved:.2f}，仅插值 {raw:.2f}"
        if best != "qdm":
            en += f". The simpler way is the better one here: {TITLES[best].en}"
            zh += f"。此处更简单的方法更好：{TITLES[best].zh}"
        return Text(f"{en}.", f"{zh}。")

    def _notes(self) -> list[Text]:
        notes = []
        if self.asked.request.synthetic:
            notes.append(
                Text(
                    "SYNTHETIC: both the model and the observations are made up to show the method; nothing here was simulated or measured.",
                    "合成数据：模式与观测均为演示而构造，并非真实模拟或测量。",
                )
            )
        notes.append(
            Text(
                "A climate model's weather is not that of the day: errors compare means, quantiles and annual maxima of the same years. Finer detail "
                "than the observations hold is not made, and fields between cells are not physically consistent.",
                "气候模式的逐日天气与实况不对应：误差比较的是同期均值、分位数与年极值；不会产生观测之外的细节，格点间亦不保证物理一致。",
            )
        )
        return notes

    def _sections(self) -> list[Section]:
        assert self.found is not None
        grid = LatLon.around(self.found["lat"].values, self.found["lon"].values)
        titles = {"observed": "observed", "interpolated": "model, interpolated", "downscaled": "model, downscaled"}
        means = {title: (grid, self.found[f"{name}_mean"].values) for name, title in titles.items()}
        wrong = {TITLES[method].en: (grid, self.found[f"quantiles_{method}"].values) for method in METHODS[1:]}
        colours = "RdYlBu_r" if self.variable.additive else "YlGnBu"
        return [
            Section("Errors in the years held out", "留出年份的误差", self._table()),
            Section("Mean of the years held out", "留出年份均值", in_page(maps(means, self.unit, colours))),
            Section(
                "Where the corrections miss the quantiles",
                "订正后的分位数误差分布",
                in_page(maps(wrong, self.unit, "magma_r")),
            ),
            Section("Indices by year", "逐年指数", self._indices()),
        ]

    def _table(self) -> Markup:
        head = Markup("").join(
            Markup("<th>{}</th>").format(_both(MEASURED[one]) + Markup(f", {self.unit}")) for one in MEASURES
        )
        rows = []
        for score in self.scores:
            cells = Markup("").join(
                Markup("<td>{} ({:+.0%})</td>").format(f"{score[f'error_{one}']:.3f}", score[f"skill_{one}"])
                for one in MEASURES
            )
            rows.append(Markup("<tr><td>{}</td>{}</tr>").format(_both(TITLES[score["method"]]), cells))
        said = Text("In brackets: how much smaller than by interpolation alone.", "括号内为相对仅插值的误差减小比例。")
        table = Markup("<table><thead><tr><th></th>{}</tr></thead><tbody>{}</tbody></table><p>{}</p>")
        return table.format(head, Markup("").join(rows), _both(said))

    def _indices(self) -> Markup:
        """Area means of each index, first and last third of the model's years."""
        assert self.found is not None
        years = self.found["year"].values
        third = max(1, len(years) // 3)
        weights = _area(self.found)
        rows = []
        for name, index in INDICES[self.asked.request.variable].items():
            mean = self.found[name].weighted(weights).mean(("lat", "lon")).values
            ends = f"{mean[:third].mean():.1f}", f"{mean[-third:].mean():.1f}"
            rows.append(
                Markup("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
                    _both(Text(index.title, index.title_zh)), index.unit, *ends
                )
            )
        spans = f"{years[0]}–{years[third - 1]}", f"{years[-third]}–{years[-1]}"
        head = Markup("<thead><tr><th></th><th></th><th>{}</th><th>{}</th></tr></thead>").format(*spans)
        return Markup("<table>{}<tbody>{}</tbody></table>").format(head, Markup("").join(rows))

    def _inputs(self) -> list[tuple[Text, str]]:
        request, training = self.asked.request, self.asked.training
        rows = [
            (Text(words, words_zh), f"{getattr(request, side)}{f', sha256 {self.asked.facts[side][:12]}' if self.asked.facts[side] else ', made up, seed ' + str(request.seed)}")
            for side, words, words_zh in (("model", "Model", "模式"), ("observations", "Observations", "观测"))
        ]  # fmt: skip
        return [
            *rows,
            (Text("Trained on", "训练年份"), f"{training[0]} to {training[-1]}, each calendar month on its own"),
        ]


def _area(data: xr.Dataset | xr.DataArray) -> xr.DataArray:
    """Of cells by latitude, relative."""
    return data["lat"].copy(data=np.cos(np.radians(data["lat"].values)))


def _both(text: Text) -> Markup:
    return Markup('<span lang="en">{}</span><span lang="zh">{}</span>').format(*text)
