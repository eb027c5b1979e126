"""What a run of the general circulation model delivers: the CF store, global means, the report page, artifacts."""

import json
from typing import Any

import xarray as xr
from markupsafe import Markup

from domains.climate import gcm, gcm_figures, store
from domains.climate.gcm_check import ClimateGcm
from domains.climate.gcm_figures import SECONDS
from domains.climate.maps import maps
from domains.climate.outcomes import MEANINGS
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

STORE, MEANS = "gcm.zarr", "means.csv"
CHUNK_DAYS = 30
SPIN_UP = 60  # days left out of means; a third of a shorter run
# IPCC AR6 WG1 figure 7.2 for radiation; GPCP 2.3 for precipitation (Adler et al., Atmosphere 9, 138 (2018), table 3); the mean of the 20th
# century (NOAA) for temperature.
OBSERVED = {"rlut": "239 (237 to 242)", "rsnt": "240", "pr": "2.70", "tas": "287.1", "net": "0.7 (0.5 to 0.9)"}
TITLES = {
    "rlut": (Text("outgoing longwave radiation", "射出长波辐射"), "W m-2", 1.0),
    "rsnt": (Text("absorbed sunlight", "吸收太阳辐射"), "W m-2", 1.0),
    "pr": (Text("precipitation", "降水"), "mm day-1", SECONDS),
    "tas": (Text("near-surface air temperature", "近地面气温"), "K", 1.0),
}
NET = Text("net radiation at the top", "大气顶净辐射")


def deliver(run: Run, asked: ClimateGcm, source: Survivors, folder: str) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    root = run.store.root
    write_outcomes(run.store, run.stages)
    found = None
    if source.rows:
        request = asked.request
        made = gcm.dataset(
            root / folder,
            title=f"General circulation model, {request.resolution}, {request.days} days",
            history=f"climate-gcm, run {run.store.name}",
            comment=f"request: {json.dumps(request.identity(), sort_keys=True)}",
        )
        store.write(made, root / STORE, {"time": CHUNK_DAYS})
        found = store.read(root / STORE).load()
    page = Page(run, asked, found)
    write_atomic(root / MEANS, as_csv(page.means))
    report = write_report(run, page.findings())
    publish(run, page.answer(), report, page.means, "means", "Global means after spin-up")
    return {"run": run.store.name, "folder": str(root), "report": report, "runs": source.rows, "means": page.means}


class Page:
    """What the report says of a finished run."""

    def __init__(self, run: Run, asked: ClimateGcm, found: xr.Dataset | None) -> None:
        self.run, self.asked, self.found = run, asked, found
        self.spin_up = min(SPIN_UP, asked.request.days // 3)
        self.settled = None if found is None else found.isel(time=slice(self.spin_up, None))
        self.means = [] if self.settled is None else self._means(self.settled)

    def _means(self, settled: xr.Dataset) -> list[dict[str, Any]]:
        values = {
            name: float(gcm.global_mean(settled[name]).mean()) * factor for name, (_, _, factor) in TITLES.items()
        }
        rows = [
            {"quantity": name, "unit": unit, "mean": round(values[name], 3), "observed": OBSERVED[name]}
            for name, (_, unit, _) in TITLES.items()
        ]
        net = round(values["rsnt"] - values["rlut"], 3)
        return [*rows, {"quantity": "net", "unit": "W m-2", "mean": net, "observed": OBSERVED["net"]}]

    def findings(self) -> Findings:
        """All of it."""
        request = self.asked.request
        return Findings(
            heading=Text(
                f"{request.days:,} days of a general circulation model at {request.resolution}",
                f"{request.resolution} 大气环流模式积分 {request.days:,} 天",
            ),
            answer=self.answer(),
            notes=self._notes(),
            tiles=[
                Tile(f"{request.days:,}", "days simulated", "模拟天数"),
                Tile(f"{request.days - self.spin_up:,}", "of them in the means, after spin-up", "计入平均的天数（起转后）"),
            ],
            sections=self._sections() if self.settled is not None else [],
            meanings={name: Text(*words) for name, words in MEANINGS.items()},
            inputs=[
                (Text("Model", "模式"), f"jcm {self.asked.jcm}, SPEEDY physics, {request.resolution}, 8 levels, sea surface and ice prescribed from its package"),
                (Text("Checkpoints", "检查点"), f"every {request.chunk_days} days"),
            ],
        )  # fmt: skip

    def answer(self) -> Text:
        """One sentence with what was found."""
        if not self.means:
            return Text("The model did not reach its end; the table below says why.", "模式未能完成积分；原因见下表。")
        mean = {row["quantity"]: row["mean"] for row in self.means}
        return Text(
            f"The planet sends out {mean['rlut']:.1f} W/m² of longwave and takes up {mean['rsnt']:.1f} W/m² of sunlight, at {mean['pr']:.2f} mm of rain a day "
            f"and {mean['tas']:.1f} K near the surface.",
            f"行星射出长波 {mean['rlut']:.1f} W/m²，吸收太阳辐射 {mean['rsnt']:.1f} W/m²，日降水 {mean['pr']:.2f} mm，近地面气温 {mean['tas']:.1f} K。",
        )

    def _notes(self) -> list[Text]:
        notes = [
            Text(
                "A fast model of intermediate complexity: 8 levels, simple physics, sea surface temperatures and ice prescribed. It has a believable "
                "general circulation, and no climate change of its own.",
                "中等复杂度快速模式：8 层、简化物理、给定海温与海冰；环流可信，但不产生自身的气候变化。",
            )
        ]
        if self.asked.request.days < 2 * SPIN_UP:
            notes.append(
                Text(
                    f"Too short: it has not settled within {SPIN_UP} days, and these means are not its climate.",
                    f"积分过短：起转约需 {SPIN_UP} 天，以上平均值并非其气候态。",
                )
            )
        elif self.asked.request.days < 365 + SPIN_UP:
            notes.append(
                Text(
                    "Less than a year after spin-up: the means hold the season of the days that were run.",
                    "起转后不足一年：平均值带有所积分日期的季节性。",
                )
            )
        return notes

    def _sections(self) -> list[Section]:
        assert self.found is not None
        assert self.settled is not None
        grid = LatLon.around(self.settled["lat"].values, self.settled["lon"].values)
        mean = self.settled.mean("time")
        pictures = Markup("").join(
            in_page(maps({TITLES[name][0].en: (grid, mean[name].values * TITLES[name][2])}, TITLES[name][1], colours))
            for name, colours in (("tas", "Spectral_r"), ("pr", "YlGnBu"), ("rlut", "magma"))
        )
        return [
            Section("Global means", "全球平均", self._table()),
            Section("Day by day", "逐日序列", in_page(gcm_figures.series(self.found))),
            Section("Climatology", "气候平均", pictures),
            Section("By latitude and height", "纬向平均", in_page(gcm_figures.zonal(self.settled))),
        ]

    def _table(self) -> Markup:
        names = {**{name: words for name, (words, _, _) in TITLES.items()}, "net": NET}
        titles = (
            Text("", ""),
            Text("unit", "单位"),
            Text("this run", "本次"),
            Text("observed (AR6, GPCP, NOAA)", "观测（AR6、GPCP、NOAA）"),
        )
        head = Markup("").join(Markup("<th>{}</th>").format(_both(one)) for one in titles)
        rows = Markup("").join(
            Markup("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
                _both(names[row["quantity"]]), row["unit"], f"{row['mean']:.2f}", row["observed"]
            )
            for row in self.means
        )
        return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, rows)


def _both(text: Text) -> Markup:
    return Markup('<span lang="en">{}</span><span lang="zh">{}</span>').format(*text)
