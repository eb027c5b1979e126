"""What a materials screen delivers: tables, structures, inputs for density-functional codes, the report page, artifacts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from domains.materials import cards, dft, export, figures, formula, shortlist, stability
from domains.materials.check import MaterialsSearch
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.elements import elements
from domains.materials.outcomes import MEANINGS
from tasks import learning_report
from tasks.artifacts import publish
from tasks.figures import in_page
from tasks.learning import Acquired
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Source
from tasks.store import write_atomic
from tasks.words import Text

MOST_HULLS = 3
NAMED_IN_HULL = 5
LEARNING = learning_report.Wording(
    Text("formulas", "化学式"), Text("relaxed", "弛豫"), "relaxed, eV/atom above the hull"
)
Ranked = Sequence[Mapping[str, Any]]


def deliver(
    run: Run,
    search: MaterialsSearch,
    pool: Source,
    relaxed: Source,
    ranked: Ranked,
    top: Ranked,
    acquired: Acquired | None,
) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    shown = [shortlist.card(row, search.references, search.potential, search.second) for row in top]
    rows = [shortlist.table_row(*both, search.potential, search.second) for both in zip(shown, top, strict=True)]
    write_outcomes(run.store, run.stages)
    _write_relaxed(run, relaxed)
    write_atomic(run.store.root / "candidates.csv", export.as_csv(rows))
    _write_structures(run, search, shown, top)
    page = Page(run, search, pool, relaxed, ranked, shown, acquired)
    report = write_report(run, page.findings())
    brief = [_brief(one) for one in shown]
    publish(run, page.answer(), report, brief, "candidates", "Listed candidates")
    return {
        "run": run.store.name,
        "folder": str(run.store.root),
        "report": report,
        "evaluated": pool.rows,
        "relaxed": relaxed.rows,
        "candidates": brief,
    }


def _brief(shown: cards.Card) -> dict[str, Any]:
    return {
        "rank": shown["rank"],
        "formula": shown["formula"],
        "prototype": shown["prototype"],
        "space group": shown["space_group"],
        "above hull (meV/atom)": None if shown["e_hull"] is None else round(1000 * shown["e_hull"]),
        "doubts": len(shown["doubts"]),
        "file": shown["file"],
    }


def _write_relaxed(run: Run, relaxed: Source) -> None:
    """Every relaxed candidate with its crystal and its place above the hull."""
    names = ["id", "formula", "prototype", *COLUMNS.names, "energy_per_atom", *stability.OUTPUT.names]
    tables = list(relaxed.tables(names))
    if tables:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.concat_tables(tables).sort_by("e_above_hull"), sink, compression="zstd")
        write_atomic(run.store.root / "relaxed.parquet", bytes(sink.getvalue()))


def _write_structures(run: Run, search: MaterialsSearch, shown: Sequence[cards.Card], top: Ranked) -> None:
    """A CIF of each listed candidate, and inputs that would check it."""
    for one, row in zip(shown, top, strict=True):
        crystal, path = Crystal.from_row(row), run.store.root / one["file"]
        remark = f"{one['formula']}, relaxed by {search.potential.name}; run {run.store.name}"
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, export.cif(crystal, [remark]).encode())
        for code, inputs in (("vasp", dft.vasp_inputs(crystal)), ("espresso", dft.espresso_inputs(crystal))):
            folder = run.store.root / "dft" / path.stem / code
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in inputs.items():
                write_atomic(folder / name, text.encode())


class Page:
    """What the report says of a finished screen."""

    def __init__(
        self,
        run: Run,
        search: MaterialsSearch,
        pool: Source,
        relaxed: Source,
        ranked: Ranked,
        shown: Sequence[cards.Card],
        acquired: Acquired | None,
    ) -> None:
        self.run, self.search, self.ranked, self.shown, self.acquired = run, search, ranked, shown, acquired
        columns = ["id", "formula", "formation_energy", "e_above_hull"]
        self.pool = _whole(pool, columns)
        self.relaxed = _whole(relaxed, columns)
        self.evaluated = next(stage for stage in run.stages if stage.name == "scan").ok

    def findings(self) -> Findings:
        """All of it."""
        counted = next(stage for stage in self.run.stages if stage.name == "scan")
        return Findings(
            heading=Text(
                f"Stable crystals of {'-'.join(self.search.request.elements)}",
                f"{'-'.join(self.search.request.elements)} 体系的稳定晶体",
            ),
            answer=self.answer(),
            notes=self._notes(),
            tiles=[
                Tile(f"{counted.rows:,}", "candidates evaluated at three volumes", "三体积评估的候选数"),
                Tile(f"{len(self.relaxed['id']):,}", "relaxed", "完成弛豫的候选数"),
                Tile(f"{len(self.ranked):,}", "near the hull", "接近凸包的候选数"),
            ],
            sections=self._sections(),
            meanings={name: Text(*words) for name, words in MEANINGS.items()},
            inputs=self._inputs(),
        )

    def answer(self) -> Text:
        """One sentence with what was found."""
        request, many = self.search.request, len(self.shown)
        if not many:
            return Text(
                f"None of {self.evaluated:,} evaluated candidates is within {1000 * request.hull_limit:g} meV/atom of the hull; "
                "the table below says where each ended.",
                f"在 {self.evaluated:,} 个已评估候选中，没有一个距凸包在 {1000 * request.hull_limit:g} meV/原子以内；去向见下表。",
            )
        best = self.shown[0]
        height = 1000 * (best["e_hull"] or 0.0)
        group = best["space_group"]
        return Text(
            f"{best['formula']} ({best['prototype']}, {group}) is the best of {self.evaluated:,} evaluated candidates: "
            f"{height:+.0f} meV/atom from the hull. {len(self.ranked):,} are within {1000 * request.hull_limit:g} meV/atom; "
            f"{many} are listed with structures, doubts, and inputs to check them{self._new.en}.",
            f"在 {self.evaluated:,} 个已评估候选中，{best['formula']}（{best['prototype']}，{group}）最优：距凸包 {height:+.0f} meV/原子。"
            f"{len(self.ranked):,} 个在 {1000 * request.hull_limit:g} meV/原子以内；列出 {many} 个，附结构、疑点及验证所需输入文件{self._new.zh}。",
        )

    @property
    def _new(self) -> Text:
        """How many listed formulas are new to the references; nothing where only elements are known."""
        if not self.search.references.compounds:
            return Text("", "")
        listed = {one["formula"] for one in self.shown}
        new = len({row["formula"] for row in self.ranked if row["new"] and row["formula"] in listed})
        return Text(f"; {new} of their formulas are not among the references", f"；其中 {new} 个化学式不在参考数据中")

    def _notes(self) -> list[Text]:
        return [
            Text(
                "Energies are a potential's, not a density-functional code's: they choose what to compute next. Evaluated and "
                "relaxed candidates are counted apart.",
                "能量来自势函数而非密度泛函计算，仅用于决定下一步计算对象。评估与弛豫的候选分别计数。",
            ),
            Text(f"Hull of {self.search.references.note[0]}.", f"凸包参考：{self.search.references.note[1]}。"),
        ]

    def _sections(self) -> list[Section]:
        table = figures.periodic_table(self._survivors(), "relaxed candidates near the hull")
        hulls = in_page(*self._hulls())
        found = [
            Section("Listed candidates", "候选列表", cards.cards(self.shown)),
            Section("Elements of what is near the hull", "接近凸包的候选所含元素", in_page(table)),
        ]
        if hulls:
            found.append(Section("Phase diagrams", "相图", hulls))
        found.append(Section("Evaluated and relaxed", "评估与弛豫", self._energies(), first=False))
        if self.acquired:
            found.append(learning_report.section(self.acquired, LEARNING))
        return found

    def _survivors(self) -> dict[int, float]:
        counts = Counter(symbol for row in self.ranked for symbol in formula.parse(row["formula"]))
        return {elements()[symbol].number: float(count) for symbol, count in counts.items()}

    def _energies(self) -> Markup:
        scanned = dict(zip(self.pool["id"].tolist(), self.pool["formation_energy"].tolist(), strict=True))
        both = [
            (scanned[number], energy)
            for number, energy in zip(
                self.relaxed["id"].tolist(), self.relaxed["formation_energy"].tolist(), strict=True
            )
        ]
        pairs = np.array(both).reshape(-1, 2)
        limit = self.search.request.hull_limit
        return in_page(
            figures.hull_distances(self.pool["e_above_hull"], self.relaxed["e_above_hull"], limit),
            figures.scan_against_relaxed(pairs[:, 0], pairs[:, 1], str(self.search.references.convention)),
        )

    def _hulls(self) -> list[str]:
        """The phase diagrams of the first listed candidates' systems, with all that was relaxed in each."""
        systems = dict.fromkeys(
            frozenset(counts) for one in self.shown if len(counts := formula.parse(one["formula"])) in (2, 3)
        )
        return [self._hull(sorted(system)) for system in list(systems)[:MOST_HULLS]]

    def _hull(self, system: Sequence[str]) -> str:
        settings = stability.settings_of(self.search.references)
        known = stability.hull_points(settings, system)
        listed = {one["formula"] for one in self.shown[:NAMED_IN_HULL]}
        inside = [
            (name, energy)
            for name, energy in zip(self.relaxed["formula"], self.relaxed["formation_energy"].tolist(), strict=True)
            if set(formula.parse(name)) <= set(system)
        ]
        compounds = [at for at, name in enumerate(known.names) if len(formula.parse(name)) > 1]
        names = [known.names[at] for at in compounds] + [name if name in listed else "" for name, _ in inside]
        counts: list[Mapping[str, float]] = [formula.parse(known.names[at]) for at in compounds]
        counts += [formula.parse(name) for name, _ in inside]
        energies = np.array([*known.energies[compounds], *(energy for _, energy in inside)], float)
        candidate = np.arange(len(names)) >= len(compounds)
        return figures.hull_plot(names, counts, energies, candidate, self.search.references.name)

    def _inputs(self) -> list[tuple[Text, str]]:
        request = self.search.request
        potentials = [self.search.potential, *([self.search.second] if self.search.second else [])]
        weights = "; ".join(
            f"{one.name} {one.version}, {one.convention}, weights SHA-256 {one.weights_sha256[:16]}…"
            for one in potentials
        )
        return [
            (
                Text("Candidates", "候选"),
                f"{len(self.search.rows):,} of {', '.join(request.elements)}: up to {request.most_elements} elements and "
                f"{request.most_atoms} atoms, {'alloys too' if request.alloys else 'charges balanced'}, seed {request.seed}",
            ),
            (Text("Potentials", "势函数"), weights),
            (
                Text("References", "参考能量"),
                f"{self.search.references.name}, {self.search.references.convention}, SHA-256 "
                f"{self.search.references.sha256[:16]}…",
            ),
        ]


def _whole(source: Source, columns: list[str]) -> dict[str, np.ndarray]:
    tables = list(source.tables(columns))
    if not tables:
        return {name: np.empty(0, object if name == "formula" else float) for name in columns}
    whole = pa.concat_tables(tables)
    return {name: whole[name].to_numpy() for name in columns}
