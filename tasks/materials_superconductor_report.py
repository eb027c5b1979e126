"""What a superconductor run delivers: a table, structures, inputs for ph.x, the report page, and Prefect artifacts."""

from collections.abc import Mapping, Sequence
from typing import Any

from domains.csv_table import as_csv
from domains.materials import cards, export, phonons, tc_surrogate
from domains.materials.conductors import CONDUCTORS
from domains.materials.crystal import Crystal
from domains.materials.outcomes import MEANINGS
from domains.materials.superconductor_card import folder, superconductor
from domains.materials.superconductor_request import SuperconductorStudy
from tasks.artifacts import publish
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.stage import Survivors
from tasks.store import write_atomic
from tasks.words import Text

Row = dict[str, Any]
Told = Mapping[int, Row]


def deliver(
    run: Run, study: SuperconductorStudy, chosen: Survivors, predictions: Told, tested: Survivors, couplings: Told
) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    columns = ["id", "name", "formula", "rank_by", "lattice", "positions", "numbers"]
    rows = [row for table in chosen.tables(columns) for row in table.to_pylist()]
    found = tested.ended(phonons.OUTPUT.names)
    told = [
        {
            **row,
            "phonons": found[row["id"]],
            "prediction": predictions.get(row["id"]),
            "coupling": couplings.get(row["id"]),
        }
        for row in rows
    ]
    ranked = [{**row, "rank": number} for number, row in enumerate(sorted(told, key=_order), 1)]
    listed = ranked[: study.request.top]
    shown = [superconductor(row, study.phonons.name, study.request.mu_star) for row in listed]
    write_outcomes(run.store, run.stages)
    table = [_brief(row, one) for row, one in zip(listed, shown, strict=True)]
    write_atomic(run.store.root / "superconductors.csv", as_csv(table))
    _write_files(run, listed, shown)
    answer = _answer(shown)
    report = write_report(run, _findings(run, study, shown, answer))
    publish(run, answer, report, table, "materials", "Superconductors")
    return {"run": run.store.name, "folder": str(run.store.root), "report": report, "materials": table}


def _order(row: Row) -> tuple[bool, bool, float, int]:
    """Computed couplings first, the highest Tc first; then stable lattices, as predicted."""
    coupling = row["coupling"]
    computed = bool(coupling and coupling["outcome"] == "ok")
    by = -coupling["tc_high"] if coupling and computed else row["rank_by"]
    return not computed, row["phonons"]["outcome"] != "ok", by, row["id"]


def _brief(row: Row, one: cards.Superconductor) -> dict[str, Any]:
    known, coupled = CONDUCTORS.get(row["name"]), one["coupled"]
    return {
        "material": row["name"],
        "lattice": row["phonons"]["outcome"],
        "lowest mode (THz)": None if one["lowest"] is None else round(one["lowest"], 2),
        "coupling": row["coupling"]["outcome"] if row["coupling"] else "-",
        "lambda": None if coupled is None else round(coupled["strength"], 2),
        "Tc computed (K)": None if coupled is None else f"{coupled['tc'][0]:.1f} to {coupled['tc'][1]:.1f}",
        "Tc predicted (K)": None if one["predicted"] is None else round(one["predicted"], 1),
        "Tc measured (K)": known.kelvin if known else None,
    }


def _write_files(run: Run, rows: Sequence[Row], shown: Sequence[cards.Superconductor]) -> None:
    (run.store.root / "structures").mkdir(exist_ok=True)
    for row, one in zip(rows, shown, strict=True):
        write_atomic(run.store.root / one["file"], export.cif(Crystal.from_row(row), [one["formula"]]).encode())
        if one["inputs"]:
            inside = run.store.root / "inputs" / folder(row)
            inside.mkdir(parents=True, exist_ok=True)
            for name, text in row["coupling"]["inputs"]:
                write_atomic(inside / name, text.encode())


def _answer(shown: Sequence[cards.Superconductor]) -> Text:
    stable = [one for one in shown if one["stable"]]
    computed = [one for one in stable if one["coupled"]]
    if computed:
        best = computed[0]
        assert best["coupled"] is not None
        low, high = best["coupled"]["tc"]
        return Text(
            f"{best['formula']} has the highest computed Tc: {low:.1f} to {high:.1f} K, from its electron-phonon coupling "
            f"(lambda {best['coupled']['strength']:.2f}).",
            f"{best['formula']} 的计算 Tc 最高：{low:.1f} 至 {high:.1f} K，由电声耦合得到（λ = {best['coupled']['strength']:.2f}）。",
        )
    names = ", ".join(one["formula"] for one in stable[:5]) or "none"
    return Text(
        f"{len(stable)} of {len(shown)} lattices are stable: {names}. No Tc was computed: that needs electron-phonon coupling, "
        "for which inputs are written.",
        f"{len(shown)} 个晶格中有 {len(stable)} 个稳定：{names}。未计算 Tc：这需要电声耦合计算，已写出其输入文件。",
    )


def _findings(run: Run, study: SuperconductorStudy, shown: Sequence[cards.Superconductor], answer: Text) -> Findings:
    trust = None
    if study.surrogate:
        path = tc_surrogate.path()
        assert path is not None
        found = tc_surrogate.trust(tc_surrogate.measured(path), study.surrogate.seed)
        trust = cards.Surrogate(
            compositions=found.compositions,
            systems=found.systems,
            r2=found.r2,
            mae=found.mae,
            r2_random=found.r2_random,
        )
    notes = [
        Text(
            "Tc stands only where electron-phonon coupling was computed; a frequency or a prediction is not a Tc.",
            "只有计算了电声耦合才给出 Tc；频率或预测值都不是 Tc。",
        )
    ]
    if study.without_surrogate:
        notes.append(
            Text(
                f"Prediction from measured Tc: {study.without_surrogate}.",
                f"由实测 Tc 预测：{study.without_surrogate}。",
            )
        )
    return Findings(
        heading=Text("Superconductors: lattices and coupling", "超导材料：晶格与电声耦合"),
        answer=answer,
        notes=notes,
        tiles=[
            Tile(f"{run.stages[0].rows:,}", "materials", "材料数"),
            Tile(f"{sum(bool(one['stable']) for one in shown)}", "with stable lattices", "晶格稳定"),
            Tile(f"{sum(one['coupled'] is not None for one in shown)}", "with computed coupling", "已计算电声耦合"),
        ],
        sections=[Section(*part) for part in cards.superconductors(shown, trust)],
        meanings={name: Text(*words) for name, words in MEANINGS.items()},
        inputs=[
            (
                Text("Materials", "材料"),
                "; ".join(f"{name}: {one.source}" for name, one in list(study.materials.items())[:12]),
            ),
            (Text("Phonons by", "声子势函数"), f"{study.phonons.name} {study.phonons.version}"),
        ],
    )
