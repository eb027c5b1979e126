"""What a simulation delivers: the verified CF store, NetCDF, the series of sums, an animation, the report page."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import xarray as xr
from markupsafe import Markup
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from domains.climate import simulation_figures as figures
from domains.climate import simulation_store, store
from domains.climate.checkpoint import Halved
from domains.climate.simulation import Whole
from domains.climate.simulation_check import ClimateSimulation
from domains.climate.simulation_regular import regular
from domains.climate.spectrum import kinetic_energy
from tasks.climate_simulation_cost import cost_section
from tasks.climate_simulation_run import FIELDS, Simulated, series
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic
from tasks.words import Text

NETCDF, TABLE, ANIMATION = "simulation.nc", "budgets.csv", "animation.gif"
SHOWN = 6  # maps
BOX = {"galewsky": (10.0, 80.0)}  # latitudes that the last map shows
TITLES = {
    "galewsky": Text("A jet that breaks up into eddies", "不稳定急流的破碎"),
    "williamson-2": Text("A steady flow, with its errors", "定常纬向流及其误差"),
    "williamson-5": Text("A flow over a mountain", "过山气流"),
    "williamson-6": Text("A Rossby-Haurwitz wave", "Rossby-Haurwitz 波"),
    "rest": Text("A lake at rest over a mountain", "山地上的静止湖"),
}


def deliver(run: Run, asked: ClimateSimulation, done: Simulated, coarser: Survivors | None) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    root, held = run.store.root, series(done.records)
    simulation_store.finish(root / FIELDS, held)  # verified: what follows is made of it
    write_outcomes(run.store, run.stages)
    data = store.read(root / FIELDS).load()
    store.export_netcdf(regular(data), root / NETCDF)
    page = Page(run, asked, held, data, _errors(coarser), done.halved)
    write_atomic(root / TABLE, _csv(page.table()))
    write_atomic(root / ANIMATION, page.moving)
    report = write_report(run, page.findings(cost_section(asked, done.records)))
    _publish(run, page, report)
    return {
        "run": run.store.name,
        "folder": str(root),
        "report": report,
        "days": asked.request.length,
        "budgets": _readable(page.table()),
    }


def _readable(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Days and speeds as they are, changes and errors, which are tiny, with an exponent."""
    plain = ("day", "fastest_m_s")
    return [
        {name.replace("_", " "): value if name in plain else f"{value:.1e}" for name, value in row.items()}
        for row in rows
    ]


def _errors(coarser: Survivors | None) -> dict[int, float]:
    """l2 of depth at the end by cells along a panel's side."""
    if coarser is None:
        return {}
    return {row["cells"]: row["l2"] for table in coarser.tables(["cells", "l2"]) for row in table.to_pylist()}


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pa_csv.write_csv(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


class Page:
    """What the report says of a finished simulation."""

    def __init__(
        self,
        run: Run,
        asked: ClimateSimulation,
        held: Sequence[Whole],
        data: xr.Dataset,
        coarser: dict[int, float],
        halved: Sequence[Halved],
    ) -> None:
        self.run, self.asked, self.held, self.data, self.coarser, self.halved = run, asked, held, data, coarser, halved
        self.view = figures.VIEWS[asked.request.case]
        self.days = [record * asked.request.interval / 24 for record in range(len(held))]
        self.moving = figures.animation(self.view, self.days, self._field(self.view.field))

    def table(self) -> list[dict[str, Any]]:
        """The sums of every time."""
        start, rows = self.held[0].budget, []
        for day, one in zip(self.days, self.held, strict=True):
            row = {
                "day": day,
                "mass_change": one.budget.mass / start.mass - 1,
                "energy_change": one.budget.energy / start.energy - 1,
                "enstrophy_change": one.budget.enstrophy / start.enstrophy - 1,
                "fastest_m_s": one.fastest,
            }
            rows.append(row | ({"l2_depth": one.norms.l2, "max_depth": one.norms.greatest} if one.norms else {}))
        return rows

    def findings(self, cost: Section) -> Findings:
        """All of it."""
        asked, title = self.asked, TITLES[self.asked.request.case]
        about = f"{asked.request.resolution}, {asked.request.length:g}"
        steps = asked.steps * asked.chunks
        return Findings(
            heading=Text(f"{title.en}: {about} days", f"{title.zh}：{about} 天"),
            answer=self.answer(),
            notes=[_noted(one, asked) for one in self.halved],
            tiles=[
                Tile(f"{6 * asked.tiling.cells**2:,}", "cells", "网格单元"),
                Tile(f"{asked.tiling.count}", "tiles", "分块"),
                Tile(f"{steps:,}", f"steps of {asked.chunk_s / asked.steps:.4g} s", f"步，步长 {asked.chunk_s / asked.steps:.4g} 秒"),
            ],
            sections=[*self._sections(), cost],
            meanings={},
            inputs=[
                (Text("Case", "算例"), f"{asked.case.name}: {REFERENCE[asked.request.case]}"),
                (Text("Scheme", "格式"), simulation_store.SOURCE),
                (Text("Output", "输出"), f"every {asked.request.interval} h, {len(self.held)} times"),
            ],
        )  # fmt: skip

    def answer(self) -> Text:
        """What was found, in a sentence or two."""
        start, end, days = self.held[0].budget, self.held[-1], f"{self.asked.request.length:g}"
        mass, energy = end.budget.mass / start.mass - 1, end.budget.energy / start.energy - 1
        kept = Text(
            f"Mass changed by {mass:+.0e} of itself and energy by {energy:+.0e}.",
            f"质量相对变化 {mass:+.0e}，能量相对变化 {energy:+.0e}。",
        )
        if self.asked.request.case == "rest":
            said = Text(
                f"After {days} days nothing moves faster than {end.fastest:.1e} m/s: the lake stays at rest.",
                f"{days} 天后最大流速为 {end.fastest:.1e} 米/秒：湖面保持静止。",
            )
        elif end.norms is not None:
            said = Text(
                f"After {days} days the relative error of depth is {end.norms.l2:.1e} (l2), {end.norms.greatest:.1e} at most.",
                f"{days} 天后深度的相对误差为 {end.norms.l2:.1e}（l2），最大 {end.norms.greatest:.1e}。",
            )
        else:
            said = self._eddies(days)
        return Text(f"{said.en} {kept.en}", f"{said.zh}{kept.zh}")

    def _eddies(self, days: str) -> Text:
        """How far the flow has left its zonal mean, and how strong its vortices are."""
        first, last = (self._zonal_share(record) for record in (0, -1))
        most = np.abs(1e5 * self.data["vo"].values[-1]).max()
        return Text(
            f"On day {days} eddies hold {last:.0%} of the variance of vorticity, against {first:.0%} at the start; it reaches "
            f"{most:.1f} × 10⁻⁵ s⁻¹.",
            f"第 {days} 天，涡旋占涡度方差的 {last:.0%}（初始为 {first:.0%}），涡度最大 {most:.1f} × 10⁻⁵ s⁻¹。",
        )

    def _zonal_share(self, record: int) -> float:
        """The share of the variance of vorticity that is not in its zonal mean."""
        vorticity, sine = figures.on_rows(self.data["vo"].values[record])
        weight = np.sqrt(1 - sine**2)
        zonal = vorticity.mean(axis=1)
        return float(1 - np.sum(zonal**2 * weight) / np.sum((vorticity**2).mean(axis=1) * weight))

    def _sections(self) -> list[Section]:
        vorticity, height = self._field("vo"), self._field("zg")
        shown = np.unique(np.linspace(0, len(self.days) - 1, SHOWN).round().astype(int))
        maps = figures.maps(self.view, [self.days[one] for one in shown], self._field(self.view.field)[shown])
        last = figures.end(vorticity[-1], height[-1], BOX.get(self.asked.request.case, (-90.0, 90.0)), self.days[-1])
        moving = Markup('<figure><img alt="" width="{}" src="data:image/gif;base64,{}"></figure>').format(
            figures.GLOBE, base64.b64encode(self.moving).decode()
        )
        found = [
            Section("How it goes", "演变过程", _figure(last) + moving),
            Section("Day by day", "逐日分布", _figure(maps)),
            Section("What is conserved", "守恒量", _figure(figures.budgets(self.days, self.held))),
        ]
        if self.held[0].norms and self.asked.request.case != "rest":
            drawn = figures.errors(self.days, self.held, self.coarser, self.asked.tiling.cells)
            found.append(Section("Errors against the exact solution", "与精确解的误差", _figure(drawn)))
        return [*found, self._spectrum()]

    def _spectrum(self) -> Section:
        times = dict.fromkeys((0, len(self.days) // 2, len(self.days) - 1))
        fields = {one: (self.data["vo"].values[one], self.data["div"].values[one]) for one in times}
        energy = {f"day {self.days[one]:g}": kinetic_energy(*found) for one, found in fields.items()}
        return Section(
            "Spectrum of kinetic energy", "动能谱", _figure(figures.spectra(energy, self.asked.tiling.cells))
        )

    def _field(self, name: str) -> np.ndarray:
        return np.asarray(self.data[name].values)


REFERENCE = {
    "galewsky": "Galewsky, Scott and Polvani, Tellus 56A, 429 (2004)",
    **dict.fromkeys(
        ("williamson-2", "williamson-5", "williamson-6"), "Williamson et al., J. Comput. Phys. 102, 211 (1992)"
    ),
    "rest": "the mountain of case 5 of Williamson et al. (1992) under water at rest",
}


def _noted(one: Halved, asked: ClimateSimulation) -> Text:
    day = one.chunk * asked.request.interval / 24
    return Text(
        f"The {asked.request.interval} h before day {day:g} were begun again with steps of {one.dt / 2:.4g} s: with {one.dt:.4g} s, {one.reason}.",
        f"第 {day:g} 天之前的 {asked.request.interval} 小时改用 {one.dt / 2:.4g} 秒步长重算：步长 {one.dt:.4g} 秒时计算失稳（{one.reason}）。",
    )


def _figure(svg: str) -> Markup:
    return Markup("<figure>{}</figure>").format(Markup(svg))


def _publish(run: Run, page: Page, report: str) -> None:
    answer = page.answer()
    create_markdown_artifact(
        key=f"{run.pipeline}-summary",
        markdown=f"{answer.en}\n\n{answer.zh}\n\nReport: `{report}`",
        description=f"Answer of {run.store.name}",
    )
    create_table_artifact(
        key=f"{run.pipeline}-budgets", table=_readable(page.table()), description="Sums over the sphere"
    )
