"""The end of a materials screen: what is listed, why, and what speaks against each."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from domains.materials.cards import Card, Energy, Words
from domains.materials.crystal import Crystal
from domains.materials.export import file_name
from domains.materials.outcomes import MEANINGS, Outcome
from domains.materials.phonons import NUMERICAL
from domains.materials.pictures import picture
from domains.materials.potential import Identity
from domains.materials.references import References
from domains.materials.symmetry import symmetry
from domains.model import Frozen
from domains.selection import marked

# eV/atom. CHGNet's and SevenNet's mean errors are 0.06 and less: nearer than this nothing is decided.
UNDECIDED = 0.03
DISAGREE = 0.08
# Of the volume an atom had as evaluated: a larger change is another structure.
MOVED = 0.15
# µB an atom, on the mean: the energy of another order of the moments was not looked at.
MAGNETIC = 0.3

Row = dict[str, Any]
Told = Mapping[int, Mapping[str, Any]]


class StableSettings(Frozen):
    """How far above the hull a candidate may be, eV/atom."""

    limit: float


def near_hull(batch: pa.Table, settings: StableSettings) -> pa.Table:
    """Mark what is too far above the hull as ``unstable``. In: id, e_above_hull."""
    heights = batch["e_above_hull"].to_pylist()
    near = [height <= settings.limit for height in heights]
    far = "{:.0f} meV/atom above the hull, more than {:g}"
    reasons = [
        None if one else far.format(1000 * height, 1000 * settings.limit)
        for one, height in zip(near, heights, strict=True)
    ]
    outcomes = [Outcome.ok if one else Outcome.unstable for one in near]
    return marked(batch, outcomes, reasons)


def judged_by(row: Mapping[str, Any]) -> float:
    """eV/atom above the hull by the second potential where it was asked, else by the first: what candidates are ranked by."""
    second = row.get("second")
    return float(second["e_above_hull"] if second else row["e_above_hull"])


def ranked(stable: Sequence[Mapping[str, Any]], evaluated: Told, second: Told) -> list[Row]:
    """The relaxed candidates near the hull with all that is known of each, the lowest above the hull first."""
    rows = [{**row, "evaluated": evaluated[row["id"]], "second": second.get(row["id"])} for row in stable]
    rows.sort(key=lambda row: (judged_by(row), row["id"]))
    return [{**row, "rank": number} for number, row in enumerate(rows, 1)]


def verdict(row: Mapping[str, Any], top: int, listed: int) -> tuple[Outcome, str | None]:
    """Whether a ranked candidate is listed, ``listed`` others being so already."""
    found = row.get("phonons")
    if found and found["outcome"] == Outcome.imaginary_modes:
        return Outcome.imaginary_modes, found["reason"]
    if listed >= top:
        return Outcome.not_listed, f"number {row['rank']} above the hull; {top} are listed"
    return Outcome.ok, None


def reasons(row: Mapping[str, Any], references: References) -> list[Words]:
    """Why a candidate is listed."""
    height, found = 1000 * judged_by(row), []
    if not references.compounds:
        found.append(("below its elements; compounds were not compared", "低于其单质；未与化合物比较"))
    elif height <= 0:
        found.append(
            (
                f"{-height:.0f} meV/atom below the hull of the known compounds",
                f"低于已知化合物凸包 {-height:.0f} meV/原子",
            )
        )
    else:
        found.append(
            (
                f"{height:.0f} meV/atom above the hull of the known compounds",
                f"高于已知化合物凸包 {height:.0f} meV/原子",
            )
        )
    if row["products"] and row["new"]:
        found.append((f"competes with {row['products']}", f"竞争相：{row['products']}"))
    if references.compounds:
        found.append(
            ("no compound of this formula is among the references", "参考数据中没有该化学式的化合物")
            if row["new"]
            else (
                "a compound of this formula is known; this structure may be another one",
                "该化学式已有已知化合物；此结构可能不同",
            )
        )
    second = row.get("second")
    if second and abs(second["e_above_hull"] - row["e_above_hull"]) <= DISAGREE:
        found.append(("both potentials agree on it", "两种势函数结论一致"))
    phonons = row.get("phonons")
    if phonons and phonons["outcome"] == Outcome.ok:
        lowest = f"{phonons['lowest_thz']:.2f} THz"
        found.append((f"no imaginary modes (lowest {lowest})", f"无虚频（最低 {lowest}）"))
    return found


def doubts(row: Mapping[str, Any], references: References, second: Identity | None) -> list[Words]:
    """What speaks against a listed candidate."""
    found: list[Words] = []
    other, height = row.get("second"), judged_by(row)
    if second and not other:
        found.append((f"{second.name} could not judge it", f"{second.name} 未能评估"))
    if other and abs(gap := other["e_above_hull"] - row["e_above_hull"]) > DISAGREE:
        apart = f"{1000 * abs(gap):.0f} meV"
        found.append((f"the potentials are {apart}/atom apart", f"两种势函数相差 {apart}/原子"))
    if references.compounds and abs(height) < UNDECIDED:
        found.append(("nearer to the hull than the error of the energies", "与凸包的距离小于能量误差"))
    change = row["volume"] / row["atoms"] / row["evaluated"]["volume_atom"] - 1
    if abs(change) > MOVED:
        found.append(
            (f"volume changed by {100 * change:+.0f} % in relaxation", f"弛豫中体积变化 {100 * change:+.0f} %")
        )
    moments = row.get("moments")
    if moments and sum(map(abs, moments)) / len(moments) > MAGNETIC:
        found.append(("magnetic: only one order of the moments was considered", "磁性材料：仅考虑一种磁序"))
    phonons = row.get("phonons")
    if phonons is None:
        found.append(("phonons were not computed", "未计算声子"))
    elif phonons["outcome"] != Outcome.ok:
        en, zh = MEANINGS[phonons["outcome"]]
        found.append((f"phonons failed: {en} ({phonons['reason']})", f"声子计算失败：{zh}（{phonons['reason']}）"))
    elif phonons["lowest_thz"] < NUMERICAL / 2:
        found.append(("a mode near zero frequency", "存在接近零频的模式"))
    if not references.compounds:
        found.append(references.note)
    return found


def card(row: Mapping[str, Any], references: References, first: Identity, second: Identity | None) -> Card:
    """What the report shows of a listed candidate."""
    crystal = Crystal.from_row(row)
    group = symmetry(crystal)
    prototype = row["name"].split(" ", 1)[-1]
    energies: list[Energy] = [
        _energy("evaluated", first, row["evaluated"]),
        _energy("relaxed", first, row),
        *([_energy("reranked", second, row["second"])] if second and row.get("second") else []),
    ]
    return Card(
        rank=row["rank"],
        formula=row["formula"],
        prototype=prototype,
        space_group=group.symbol,
        space_group_number=group.number,
        atoms=len(crystal),
        volume=crystal.volume / len(crystal),
        energies=energies,
        e_hull=judged_by(row),
        reference=references.note,
        reasons=reasons(row, references),
        doubts=doubts(row, references, second),
        picture=picture(crystal),
        file=f"structures/{file_name(row['rank'], row['formula'], prototype)}",
    )


def _energy(how: Any, potential: Identity, told: Mapping[str, Any]) -> Energy:
    return Energy(
        how=how,
        potential=f"{potential.name} {potential.version.split(',')[0]}",
        convention=str(potential.convention),
        formation=told["formation_energy"],
        e_hull=told["e_above_hull"],
    )


def table_row(shown: Card, row: Mapping[str, Any], first: Identity, second: Identity | None) -> Row:
    """The same as a row of ``candidates.csv``."""
    other = row.get("second")
    return {
        **shown,
        "id": row["id"],
        "evaluated_formation_energy": row["evaluated"]["formation_energy"],
        "relaxed_formation_energy": row["formation_energy"],
        "potential": first.name,
        "convention": str(first.convention),
        "reranked_formation_energy": other["formation_energy"] if other else None,
        "second_potential": second.name if second else None,
        "second_convention": str(second.convention) if second else None,
        "reference": shown["reference"][0],
        "outcome": "ok",
        "doubts": [en for en, _ in shown["doubts"]],
        "doubts_zh": [zh for _, zh in shown["doubts"]],
        "reasons": [en for en, _ in shown["reasons"]],
        "reasons_zh": [zh for _, zh in shown["reasons"]],
    }
