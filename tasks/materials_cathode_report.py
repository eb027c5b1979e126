"""What a cathode run delivers: a table, structures, the report page, and the same as Prefect artifacts."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from domains.csv_table import as_csv
from domains.materials import cards, export
from domains.materials.battery import electrode
from domains.materials.cathode_card import cathode
from domains.materials.cathode_request import CathodeStudy
from domains.materials.crystal import Crystal
from domains.materials.outcomes import MEANINGS
from domains.materials.references import References
from tasks.artifacts import publish
from tasks.report import Findings, Section, Tile, write_report
from tasks.results import write_outcomes
from tasks.run import Run
from tasks.store import write_atomic
from tasks.words import Text

MOST_SHOWN = 12
Row = Mapping[str, Any]


def deliver(
    run: Run,
    study: CathodeStudy,
    references: References,
    rows: Sequence[Row],
    heights: Mapping[int, float],
    hops: Sequence[Row],
) -> dict[str, Any]:
    """Write everything into the run's folder and publish the artifacts; returns what the flow's caller sees."""
    found, failed = _cathodes(study, references, rows, heights, hops)
    table = [*(_brief(one) for one in found), *({"host": name, "why not": why} for name, why in failed.items())]
    write_outcomes(run.store, run.stages)
    write_atomic(run.store.root / "cathodes.csv", as_csv(table))
    _write_structures(run, rows, found)
    answer = _answer(found, failed)
    report = write_report(run, _findings(run, study, references, found, failed, answer))
    publish(run, answer, report, table, "cathodes", "Cathodes")
    return {"run": run.store.name, "folder": str(run.store.root), "report": report, "cathodes": table}


def _cathodes(
    study: CathodeStudy,
    references: References,
    rows: Sequence[Row],
    heights: Mapping[int, float],
    hops: Sequence[Row],
) -> tuple[list[cards.Cathode], dict[str, str]]:
    """A card for each host that has a voltage; why not, of the others."""
    metal = next(row for row in rows if not row["ions"])
    found: list[cards.Cathode] = []
    failed: dict[str, str] = {}
    for name, host in study.hosts.items():
        charges = [row for row in rows if row["host"] == name and row["outcome"] == "ok"]
        mine = [hop for hop in hops if hop["host"] == name]
        try:
            if metal["outcome"] != "ok":
                raise ValueError(f"{metal['name']}: {metal['outcome']}")
            made = electrode(charges, metal)
        except ValueError as error:
            failed[name] = str(error)
            continue
        found.append(cathode(made, charges, heights, mine, study.potential, references, host.source))
    return found, failed


def _brief(one: cards.Cathode) -> dict[str, Any]:
    barrier = one["barrier"]
    return {
        "host": one["host"],
        "ion": one["ion"],
        "voltage (V)": round(one["mean_volts"], 2),
        "measured (V)": one["measured_volts"],
        "capacity (mAh/g)": round(one["capacity"], 1),
        "energy (Wh/kg)": round(one["energy_density"]),
        "volume change (%)": round(one["volume_change"], 1),
        "barrier (eV)": None if barrier is None else round(barrier["forward"], 3),
        "why not": None,
    }


def _write_structures(run: Run, rows: Sequence[Row], found: Sequence[cards.Cathode]) -> None:
    """A CIF of every charge that was relaxed."""
    (run.store.root / "structures").mkdir(exist_ok=True)
    for row in rows:
        if row["outcome"] == "ok" and row["ions"]:
            name = export.file_name(row["id"], row["host"], row["formula"])
            remark = f"{row['formula']}, {row['left']} of {row['ions']} {row['ion']} left; run {run.store.name}"
            write_atomic(run.store.root / "structures" / name, export.cif(Crystal.from_row(row), [remark]).encode())


def _answer(found: Sequence[cards.Cathode], failed: Mapping[str, str]) -> Text:
    en, zh = [], []
    for one in found[:3]:
        near = f" ({one['measured_volts']:.2f} V measured)" if one["measured_volts"] else ""
        near_zh = f"（实验 {one['measured_volts']:.2f} V）" if one["measured_volts"] else ""
        hop = f", and {one['ion']} hops over {one['barrier']['forward']:.2f} eV" if one["barrier"] else ""
        hop_zh = f"，迁移势垒 {one['barrier']['forward']:.2f} eV" if one["barrier"] else ""
        en.append(
            f"{one['host']} gives {one['mean_volts']:.2f} V against {one['ion']}{near} and {one['capacity']:.0f} mAh/g; its volume "
            f"changes by {one['volume_change']:+.1f} %{hop}."
        )
        zh.append(
            f"{one['host']} 对 {one['ion']} 电压 {one['mean_volts']:.2f} V{near_zh}，容量 {one['capacity']:.0f} mAh/g，"
            f"体积变化 {one['volume_change']:+.1f} %{hop_zh}。"
        )
    for name, why in list(failed.items())[:3]:
        en.append(f"{name} has no voltage: {why}.")
        zh.append(f"{name} 无法得到电压：{why}。")
    return Text(" ".join(en), "".join(zh))


def _findings(
    run: Run,
    study: CathodeStudy,
    references: References,
    found: Sequence[cards.Cathode],
    failed: Mapping[str, str],
    answer: Text,
) -> Findings:
    names = ", ".join(study.hosts)
    head = "" if len(study.hosts) == 1 else "{}: "
    sections = [
        Section(f"{head.format(one['host'])}{en}", f"{head.format(one['host'])}{zh}", html)
        for one in found[:MOST_SHOWN]
        for en, zh, html in cards.cathode(one)
    ]
    if len(found) > 1:
        sections.insert(0, Section("All hosts", "全部宿主", _table([_brief(one) for one in found])))
    return Findings(
        heading=Text(f"Cathodes: {names}", f"正极材料：{names}"),
        answer=answer,
        notes=[
            Text(
                "Voltages and barriers are a neural potential's, trained on density-functional energies; they are not measured.",
                "电压与势垒来自在密度泛函能量上训练的神经网络势，并非实测。",
            )
        ],
        tiles=[
            Tile(f"{len(found)}", "hosts with a voltage", "得到电压的宿主数"),
            Tile(f"{run.stages[0].ok}", "charges relaxed", "弛豫的充电态数"),
        ],
        sections=sections,
        meanings={name: Text(*words) for name, words in MEANINGS.items()},
        inputs=[
            (Text("Hosts", "宿主"), "; ".join(f"{name}: {one.source}" for name, one in study.hosts.items())),
            (
                Text("Potential", "势函数"),
                f"{study.potential.name} {study.potential.version}, {study.potential.convention}, weights SHA-256 "
                f"{study.potential.weights_sha256[:16]}…",
            ),
            (Text("References", "参考能量"), f"{references.name}, SHA-256 {references.sha256[:16]}…"),
        ],
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> Markup:
    names = [name for name in rows[0] if name != "why not"]
    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in names)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format("–" if row[name] is None else row[name]) for name in names)
        )
        for row in rows
    )
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, body
    )
