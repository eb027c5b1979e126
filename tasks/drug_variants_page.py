"""The page of a variants run: which poses come back, what they touch, the structures, and what all this cannot say."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from domains.drug import hits, panel, panel_figures, protein
from domains.drug.mutations import WILD_TYPE, Variant
from domains.drug.outcomes import MEANINGS
from domains.drug.variants import FEWEST_SEEDS, Panel
from domains.drug.view3d import assets, viewer_html
from tasks.report import Findings, Section, Tile, environment
from tasks.words import Text

# Exhaustiveness from which the crystal ligand of Mpro came back with every seed.
THOROUGH = 8
MOST_FIGURES, MOST_VIEWS, MOST_CARDS, MOST_ROWS = 6, 3, 24, 200
Receptors = Mapping[str, Mapping[str, Any]]


def score_range(low: float | None, high: float | None) -> str:
    """Scores in kcal/mol; empty where there are none."""
    return "" if low is None or high is None else f"{low:.1f} … {high:.1f}"


class Page:
    """The parts of the page; ``findings`` puts them together."""

    def __init__(
        self,
        asked: Panel,
        ligands: Sequence[Mapping[str, Any]],
        built: Sequence[Variant],
        receptors: Receptors,
        found: panel.Cells,
    ) -> None:
        self.asked, self.ligands, self.built, self.receptors, self.found = asked, ligands, built, receptors, found
        self.seeds = asked.request.seeds
        target = asked.target
        self.html: Any = (
            environment("domains.drug")
            .get_template("panel.html.j2")
            .make_module(
                {
                    "by": " + ".join(
                        sorted({dock["interactions_by"] for cell in found.values() for dock in cell.docks})
                    )
                    or "–",
                    "views": self._views(),
                    "assets": Markup(assets()),
                    "assembly": target.assembly,
                    "numbering": target.numbering,
                    "notes": target.notes,
                    "protonation": target.protonation,
                }
            )
        )

    def findings(self) -> Findings:
        """All that the page says."""
        target, request = self.asked.target, self.asked.request
        mutants = [variant for variant in self.built if variant.mutations]
        return Findings(
            heading=Text(f"Variants of {target.title}", f"{target.title_zh}变体"),
            answer=self.answer(),
            notes=[
                Text(
                    "A pose that does not come back is a hint of lost binding, not a measured resistance. No score here is a binding energy, and none is compared between variants.",
                    "构象不再出现只是结合减弱的提示，并非实测耐药性。此处分数均不是结合能，也不在变体间比较。",
                ),
                *self._short_search(),
            ],
            tiles=[
                Tile(f"{len(self.ligands):,}", "ligands compared", "比较的配体数"),
                Tile(f"{len(mutants):,}", "mutants besides the wild type", "野生型以外的变体数"),
                Tile(f"{self.seeds}", "docks of each ligand in each variant", "每个配体—变体组合的对接次数"),
            ],
            sections=self._sections(),
            meanings={name: Text(*words) for name, words in MEANINGS.items()},
            inputs=self._inputs(request.search.exhaustiveness),
        )

    def answer(self) -> Text:
        """Which variants keep the poses, in a sentence; the control's own line first where there is one."""
        if not self.ligands:
            return Text("No ligand could be docked; the table below says why.", "没有配体能够对接，原因见下表。")
        control = next((one for one in self.ligands if one["reference_kind"] == "crystal"), None)
        parts = [] if control is None else [self._said_of_control(control)]
        if len(self.ligands) > (control is not None):
            parts.append(self._said_of_settled())
        return Text(" ".join(one.en for one in parts), "".join(one.zh for one in parts))

    def _said_of_control(self, control: Mapping[str, Any]) -> Text:
        cells = [(variant.name, self.found.get((control["id"], variant.name), panel.Cell())) for variant in self.built]
        said = ", ".join(f"{name} {cell.conserved} of {len(cell.docks)}" for name, cell in cells)
        zh = "，".join(f"{name} {cell.conserved}/{len(cell.docks)}" for name, cell in cells)
        return Text(
            f"{control['name']} comes back to its crystal pose, in docks: {said}.",
            f"{control['name']} 回到晶体构象的对接次数：{zh}。",
        )

    def _said_of_settled(self) -> Text:
        """Of the ligands whose wild-type pose can be told: in how many it comes back in more than half of a variant's docks."""
        settled = [one for one in self.ligands if panel.settled(one)]
        mutants = [variant for variant in self.built if variant.mutations]
        few = Text(
            f"{len(settled)} of {len(self.ligands)} ligands have a pose that every wild-type dock finds",
            f"{len(self.ligands)} 个配体中，{len(settled)} 个的构象在每次野生型对接中都出现",
        )
        if not settled or not mutants:
            return Text(f"{few.en}.", f"{few.zh}。")
        shares = {
            variant.name: [self.found.get((one["id"], variant.name), panel.Cell()).share or 0 for one in settled]
            for variant in mutants
        }
        kept = {name: sum(share > 0.5 for share in found) for name, found in shares.items()}
        return Text(
            f"{few.en}; of these, it comes back in more than half of the docks: "
            + ", ".join(f"{name} {number}" for name, number in kept.items())
            + ".",
            f"{few.zh}；其中在多数对接中仍出现的配体数："
            + "，".join(f"{name} {number}" for name, number in kept.items())
            + "。",
        )

    def _sections(self) -> list[Section]:
        names = [variant.name for variant in self.built]
        return [
            Section(
                "Does the pose come back?",
                "构象是否保持？",
                Markup(self.html.conservation(self._rows(), names, self.seeds)),
            ),
            Section(
                "Interactions at the mutated residues",
                "突变残基处的相互作用",
                Markup(self.html.mutated(self._changes())),
            ),
            Section("Interactions by residue", "各残基相互作用", Markup(self.html.heat(self._figures()))),
            Section("Poses", "构象", Markup(self.html.cards(self._cards()))),
            Section("Structures", "结构", Markup(self.html.structures(self._structures(), self._failed()))),
            Section("Limits", "局限", Markup(self.html.limits(self._limits()))),
        ]

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for ligand in self.ligands[:MOST_ROWS]:
            cells = [self.found.get((ligand["id"], variant.name), panel.Cell()) for variant in self.built]
            rows.append({**ligand, "settled": panel.settled(ligand), "cells": [_cell(cell) for cell in cells]})
        return rows

    def _changes(self) -> list[dict[str, Any]]:
        rows = []
        for ligand in self.ligands[:MOST_ROWS]:
            for variant in self.built:
                for change in panel.changes(self.found, ligand["id"], variant, self.asked.target.chains):
                    rows.append(
                        {
                            "ligand": ligand["name"],
                            "variant": variant.name,
                            "residue": change.residue,
                            "before": _counts(change.before),
                            "after": _counts(change.after),
                            "lost": ", ".join(change.lost),
                        }
                    )
        return rows

    def _figures(self) -> list[dict[str, Any]]:
        wild = self.receptors.get(WILD_TYPE)
        names = {panel.place(one.label): one.label for one in protein.read(wild["pdb"])} if wild else {}
        figures = []
        for ligand in self.ligands[:MOST_FIGURES]:
            rows = {variant.name: self.found.get((ligand["id"], variant.name), panel.Cell()) for variant in self.built}
            svg = panel_figures.interactions(rows, self.built, names)
            if svg:
                figures.append({"name": ligand["name"], "svg": Markup(svg)})
        return figures

    def _cards(self) -> list[dict[str, Any]]:
        return [{**one, "picture": Markup(hits.picture(one["smiles"]))} for one in self.ligands[:MOST_CARDS]]

    def _views(self) -> list[dict[str, Any]]:
        """In each variant's own pocket: the nearest pose with its interactions, and the reference pose."""
        views = []
        for ligand in self.ligands[:MOST_VIEWS]:
            for variant in self.built:
                dock = self.found.get((ligand["id"], variant.name), panel.Cell()).nearest
                if dock is not None:
                    views.append(
                        {"name": f"{ligand['name']}, {variant.name}", "html": self._view(ligand, variant, dock)}
                    )
        return views

    def _view(self, ligand: Mapping[str, Any], variant: Variant, dock: Mapping[str, Any]) -> Markup:
        poses = [panel.at_dock(ligand, dock), panel.at_reference(ligand)]
        names = [
            f"seed {dock['seed']}, pose {dock['nearest_rank']}: {dock['nearest_rmsd']:.1f} Å",
            ligand["reference_kind"],
        ]
        pdb = self.receptors[variant.name]["pdb"]
        return Markup(viewer_html(pdb, poses, names, [dock["interactions"], []]))

    def _structures(self) -> list[dict[str, Any]]:
        chains = ", ".join(self.asked.target.chains)
        return [{**self.receptors[one.name], "chains": chains if one.mutations else "–"} for one in self.built]

    def _failed(self) -> list[str]:
        return [one.name for one in self.asked.variants if one.name not in self.receptors]

    def _limits(self) -> list[Text]:
        limits = [
            Text(
                "One structure, held rigid but for the side chains named above: a mutation that moves the backbone, the dimer or a loop is not seen. A new side chain stands in one rotamer, relaxed without a ligand: beside the site it can block a pose that it would make room for.",
                "只用一个结构，除上述侧链外均固定：突变引起的主链、二聚体或环区变化无法体现。新侧链只取一种旋转异构体，且在无配体时弛豫：位于口袋边缘时可能挡住本可容纳的构象。",
            ),
            Text(
                f"{self.seeds} docks of each pair: a share is known to about one dock in {self.seeds}, and two poses of nearly equal score make which comes first a matter of chance.",
                f"每个组合对接 {self.seeds} 次：比例的分辨率约为 1/{self.seeds}，分数几乎相等的构象孰先孰后带有偶然性。",
            ),
            Text(
                "No free energies: docking scores are not compared between variants, and no resistance factor follows from this page.",
                "不含自由能：不比较变体间的对接分数，也不能由本页推出耐药倍数。",
            ),
            Text(
                "Crystal waters and ions are left out; histidines are protonated by their neighbours unless the target's entry names a form; ligands are docked neutral and in one tautomer.",
                "不含结晶水与离子；除靶点条目另有指定外，组氨酸按周围环境质子化；配体以中性单一互变异构体对接。",
            ),
        ]
        if any(one["reference_kind"] != "crystal" for one in self.ligands):
            limits.append(
                Text(
                    "Where no crystal pose is known, the reference is one of the wild-type docks, which so counts for the wild type: a row is read only where all wild-type docks agree, and a difference of one dock is nothing.",
                    "没有晶体构象时，参考构象取自某次野生型对接，因而偏向野生型：只有全部野生型对接一致的行才有意义，一次对接之差不说明问题。",
                )
            )
        if self.seeds < FEWEST_SEEDS:
            limits.append(Text("Fewer than 3 seeds: the shares say little.", "种子数少于 3：比例意义不大。"))
        if any(one["warheads"] for one in self.ligands):
            limits.append(
                Text(
                    "Ligands marked “non-covalent approximation” can form a bond with the protein; they are docked as they are before it.",
                    "标注“非共价近似”的配体可与蛋白成共价键；此处只对接成键前的状态。",
                )
            )
        return limits

    def _short_search(self) -> list[Text]:
        search = self.asked.request.search
        if search.exhaustiveness >= THOROUGH and not search.max_evals:
            return []
        return [
            Text(
                f"A short search (exhaustiveness {search.exhaustiveness}): it misses poses by chance, in any variant. Take {THOROUGH} or more before reading differences.",
                f"搜索较短（exhaustiveness {search.exhaustiveness}）：任何变体都会偶然漏掉构象，比较差异前请用 {THOROUGH} 或更高。",
            )
        ]

    def _inputs(self, exhaustiveness: int) -> list[tuple[Text, str]]:
        asked, target = self.asked, self.asked.target
        library = asked.library
        center, size = (", ".join(f"{x:g}" for x in one) for one in asked.box)
        seeds = asked.request.docking_seeds
        given = (
            f"{library.name}, {library.rows:,} records, SHA-256 {library.sha256[:16]}…"
            if library
            else "reference ligand only"
        )
        return [
            (Text("Structure", "结构"), f"{target.file}, {target.source}, SHA-256 {target.sha256[:16]}…"),
            (Text("Box", "对接盒"), f"{size} Å at {center}"),
            (Text("Ligands", "配体"), given),
            (
                Text("Search", "搜索设置"),
                f"AutoDock Vina, exhaustiveness {exhaustiveness}, seeds {seeds[0]} to {seeds[-1]}",
            ),
        ]


def _cell(cell: panel.Cell) -> dict[str, Any]:
    near = cell.nearest
    share = cell.share
    return {
        "docked": len(cell.docks),
        "conserved": cell.conserved,
        "nearest": near["nearest_rmsd"] if near else None,
        "scores": score_range(*(cell.scores or (None, None))),
        "colour": "transparent" if share is None else f"rgba(15,118,110,{0.05 + 0.3 * share:.2f})",
    }


def _counts(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
