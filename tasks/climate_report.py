"""What a climate ensemble delivers: tables, the CF store, the report page, artifacts."""

from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from domains.climate import ebm, ensemble, ensemble_figures, members, store
from domains.climate.ensemble_check import ClimateEnsemble
from domains.climate.ensemble_request import PARAMETERS
from domains.climate.outcomes import MEANINGS
from domains.csv_table import as_csv
from tasks.artifacts import publish
from tasks.figures import in_page
from tasks.provenance import package_version
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic
from tasks.words import Text

STORE, NETCDF, TABLE, SUMMARY = "ensemble.zarr", "ensemble.nc", "members.csv", "sensitivity.csv"
CHUNKS = {"realization": 2_000}
VERSIONS = ("numpy", "scipy", "xarray", "zarr")
# Fewer members say nothing of quantiles.
FEWEST = 20


def deliver(run: Run, asked: ClimateEnsemble, source: Survivors) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    names = ["id", "name", *PARAMETERS, *members.OUTPUT.names]
    tables = list(source.tables(names))
    found = pa.concat_tables(tables).sort_by("id") if tables else None
    write_outcomes(run.store, run.stages)
    page = Page(run, asked, found)
    if found is not None:
        _write(run, asked, found)
    write_atomic(run.store.root / SUMMARY, as_csv(page.summary()))
    report = write_report(run, page.findings())
    publish(run, page.answer(), report, page.summary(), "sensitivity", "Quantiles of the members")
    return {
        "run": run.store.name,
        "folder": str(run.store.root),
        "report": report,
        "members": source.rows,
        "sensitivity": page.summary(),
    }


def _write(run: Run, asked: ClimateEnsemble, found: pa.Table) -> None:
    """The members as a table, and with their curves as Zarr and NetCDF; the store is verified before the run counts as done."""
    root = run.store.root
    write_atomic(root / TABLE, as_csv(found.drop_columns(["warming", "control", "doubled"])))
    versions = ", ".join(f"{name} {package_version(name)}" for name in VERSIONS)
    dataset = ensemble.dataset(asked, found, run.store.name, versions)
    store.write(dataset, root / STORE, CHUNKS)
    store.export_netcdf(dataset, root / NETCDF)
    store.check(root / STORE)


class Page:
    """What the report says of a finished ensemble."""

    def __init__(self, run: Run, asked: ClimateEnsemble, found: pa.Table | None) -> None:
        self.run, self.asked, self.found = run, asked, found
        self.many = 0 if found is None else len(found)
        self.transient = found is not None and found["tcr"].null_count == 0
        self.figures = [name for name in ensemble.FIGURES if name != "tcr" or self.transient] if self.many else []

    def summary(self) -> list[dict[str, Any]]:
        """Each figure's quantiles."""
        rows = []
        for name in self.figures:
            spread = ensemble.quantiles(self._values(name))
            levels = {
                f"{100 * level:g}%": round(float(value), 4)
                for level, value in zip(ensemble.LEVELS, spread, strict=True)
            }
            rows.append({"figure": name, "unit": ensemble.FIGURES[name].unit, **levels})
        return rows

    def findings(self) -> Findings:
        """All of it."""
        total = len(self.asked.rows)
        return Findings(
            heading=Text(
                f"Climate sensitivity of {total:,} energy-balance models", f"{total:,} 个能量平衡模式的气候敏感度"
            ),
            answer=self.answer(),
            notes=self._notes(),
            tiles=[
                Tile(f"{total:,}", "members run", "运行成员数"),
                Tile(f"{self.many:,}", "with a climate like today's", "与当今气候相符的成员"),
            ],
            sections=self._sections() if self.many else [],
            meanings={name: Text(*words) for name, words in MEANINGS.items()},
            inputs=self._inputs(),
        )

    def answer(self) -> Text:
        """One sentence with what was found."""
        total = len(self.asked.rows)
        if not self.many:
            return Text(
                f"None of {total:,} members is a climate like today's; the table below says how each ended.",
                f"{total:,} 个成员中没有一个与当今气候相符；各成员的结局见下表。",
            )
        low, _, median, _, high = ensemble.quantiles(self._values("ecs"))
        en = f"Twice the CO2 warms the globe by {median:.1f} K in the end ({low:.1f} to {high:.1f} K, 5 to 95 % of {self.many:,} members)"
        zh = f"CO2 加倍最终使全球升温 {median:.1f} K（{self.many:,} 个成员的 5–95% 范围为 {low:.1f}–{high:.1f} K）"
        if self.transient:
            low, _, median, _, high = ensemble.quantiles(self._values("tcr"))
            en += f", and by {median:.1f} K ({low:.1f} to {high:.1f}) when it is reached at 1 % a year"
            zh += f"；按每年增加 1% 达到加倍时升温 {median:.1f} K（{low:.1f}–{high:.1f} K）"
        if shares := self._shares().get("ecs"):
            first = max(shares, key=lambda name: shares[name])
            en += f". Most of the spread comes from: {PARAMETERS[first].title.lower()}"
            zh += f"。差异主要来自：{PARAMETERS[first].title_zh}"
        return Text(f"{en}.", f"{zh}。")

    def _notes(self) -> list[Text]:
        notes = [
            Text(
                "A model of one dimension: what it knows of the sensitivity is what its parameters' distributions say, and what the "
                "ice adds. It has no weather, no seasons and no continents.",
                "一维模式：敏感度的分布由参数分布与冰反照率反馈决定；不含天气、季节与海陆分布。",
            )
        ]
        if 0 < self.many < FEWEST:
            notes.append(
                Text(f"Quantiles of {self.many} members say little.", f"仅 {self.many} 个成员，分位数意义有限。")
            )
        return notes

    def _sections(self) -> list[Section]:
        names = [name for name in ("ecs", "tcr") if name in self.figures]
        curves, latitude = self._curves("warming"), ebm.bands().latitude
        years = np.arange(curves.shape[1]) + 0.5
        found = [
            Section(
                "How much it warms",
                "升温幅度",
                in_page(ensemble_figures.sensitivities({one: self._values(one) for one in names})) + self._table(),
            ),
            Section(
                "Warming year by year",
                "逐年升温",
                in_page(ensemble_figures.warming(years, curves, self.asked.request.scenario)),
            ),
        ]
        if shares := self._shares():
            titles = {name: one.title for name, one in PARAMETERS.items()}
            words = {"ecs": "equilibrium sensitivity", "tcr": "transient response"}
            drawn = ensemble_figures.importance({words[name]: one for name, one in shares.items()}, titles)
            found.append(Section("Which parameter matters", "各参数的影响", in_page(drawn)))
        zonal = ensemble_figures.zonal(latitude, self._curves("control"), self._curves("doubled"))
        return [*found, Section("By latitude", "纬向分布", in_page(zonal))]

    def _table(self) -> Markup:
        levels = [f"{100 * level:g} %" for level in ensemble.LEVELS]
        head = Markup("").join(Markup("<th>{}</th>").format(one) for one in ("", "", *levels))
        rows = [_table_row(ensemble.FIGURES[name], ensemble.quantiles(self._values(name))) for name in self.figures]
        return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, Markup("").join(rows))

    def _shares(self) -> dict[str, dict[str, float]]:
        """Each parameter's share in the spread of the sensitivities; empty where members are too few."""
        if self.many < FEWEST:
            return {}
        varied = [name for name in self.asked.varied if self.asked.request.ice or not name.startswith("ice_")]
        names = [name for name in ("ecs", "tcr") if name in self.figures]
        shares = {name: ensemble.importance(self.found, varied, name) for name in names}
        return {name: one for name, one in shares.items() if one}

    def _values(self, name: str) -> np.ndarray:
        assert self.found is not None
        return np.asarray(self.found[name].to_numpy())

    def _curves(self, name: str) -> np.ndarray:
        assert self.found is not None
        return ensemble.stacked(self.found[name])

    def _inputs(self) -> list[tuple[Text, str]]:
        request = self.asked.request
        distributions = request.parameters.distributions()
        rows = [
            (Text("Model", "模式"), "diffusive energy-balance model, North (1975), with a deep ocean, Geoffroy et al. (2013)"),
            (Text("Scenario", "情景"), f"{request.scenario}, {request.years} years; {'with' if request.ice else 'without'} ice-albedo feedback; seed {request.seed}"),
        ]  # fmt: skip
        return rows + [
            (
                Text(one.title, one.title_zh),
                f"{distributions[name]} {'' if one.unit == '1' else one.unit}; default from {one.source}",
            )
            for name, one in PARAMETERS.items()
        ]


def _table_row(figure: ensemble.Figure, spread: np.ndarray) -> Markup:
    names = Markup('<span lang="en">{}</span><span lang="zh">{}</span>').format(figure.title, figure.title_zh)
    cells = Markup("").join(Markup("<td>{}</td>").format(f"{value:.2f}") for value in spread)
    unit = {"1": "", "degC": "°C", "degree": "°"}.get(figure.unit, figure.unit)
    return Markup("<tr><td>{}</td><td>{}</td>{}</tr>").format(names, unit, cells)
