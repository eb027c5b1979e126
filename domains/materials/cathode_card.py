"""What a cathode run says of one host: the electrode, its ends, its barrier, and what speaks against the numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from domains.materials import formula
from domains.materials.battery import Electrode
from domains.materials.cards import Barrier, Cathode, End, Step, Words
from domains.materials.crystal import Crystal
from domains.materials.elements import symbols
from domains.materials.export import file_name
from domains.materials.figures import barrier as barrier_figure
from domains.materials.figures import voltage_curve
from domains.materials.hosts import HOSTS
from domains.materials.pictures import picture
from domains.materials.potential import Identity
from domains.materials.references import References
from domains.materials.symmetry import symmetry

# On eight known cathodes CHGNet is 0.27 V off on the mean.
USUAL_ERROR = 0.27
SWELLS = 8.0  # %: more cracks the grains of a cathode within some hundred charges
METASTABLE = 0.1  # eV/atom
Row = Mapping[str, Any]


def cathode(
    found: Electrode,
    rows: Sequence[Row],
    heights: Mapping[int, float],
    barriers: Sequence[Row],
    potential: Identity,
    references: References,
    source: str,
) -> Cathode:
    """The card of a host: ``rows`` are its charges, ``heights`` those of them above the hull, ``barriers`` its hops."""
    rows = sorted(rows, key=lambda row: -row["left"])
    known = HOSTS.get(found.host)
    capacities = [0.0, *((1 - one.empty) * found.capacity for one in found.plateaus)]
    volts = [one.voltage for one in found.plateaus]
    measured = known.volts if known and known.ion == found.ion else None
    best = _lowest(barriers)
    return Cathode(
        host=found.host,
        ion=found.ion,
        potential=f"{potential.name} {potential.version.split(',')[0]}",
        convention=str(potential.convention),
        steps=_steps(found, rows),
        mean_volts=found.voltage,
        measured_volts=measured,
        measured_source=f"the usual mean voltage, rounded; structure from {source}",
        capacity=found.capacity,
        energy_density=found.energy_density,
        volume_change=found.volume_change,
        curve=voltage_curve(capacities, volts, found.ion, measured),
        ends=[_end(row, heights.get(row["id"]), references) for row in (rows[0], rows[-1])],
        barrier=_barrier(best, found.ion) if best else None,
        no_barrier=("", "") if best else _no_barrier(barriers),
        doubts=_doubts(found, rows, heights, best),
    )


def _lowest(barriers: Sequence[Row]) -> Row | None:
    """The easiest hop by which the ion gets through the crystal, else the easiest of all."""
    fine = [one for one in barriers if one["outcome"] == "ok"]
    through = [one for one in fine if one["dimensions"]] or fine
    return min(through, key=lambda one: max(one["barrier"], one["back"]), default=None)


def _steps(found: Electrode, rows: Sequence[Row]) -> list[Step]:
    by_share = {row["left"] / row["ions"]: row for row in rows}
    full = rows[0]["volume"]
    return [
        Step(
            start=by_share[one.full]["formula"],
            end=by_share[one.empty]["formula"],
            capacities=((1 - one.full) * found.capacity, (1 - one.empty) * found.capacity),
            volts=one.voltage,
            volume_change=100 * (by_share[one.empty]["volume"] / full - 1),
        )
        for one in found.plateaus
    ]


def _end(row: Row, height: float | None, references: References) -> End:
    crystal = Crystal.from_row(row)
    group = symmetry(crystal)
    counts = Counter(symbols()[int(number)] for number in crystal.numbers)
    units = sum(counts.values()) / sum(formula.reduced(counts).values())
    return End(
        formula=row["formula"],
        space_group=group.symbol,
        volume=row["volume"] / units,
        e_hull=height,
        reference=references.note,
        picture=picture(crystal),
        file=f"structures/{file_name(row['id'], row['host'], row['formula'])}",
    )


def _barrier(row: Row, ion: str) -> Barrier:
    return Barrier(
        forward=row["barrier"],
        backward=row["back"],
        distance=row["length"],
        images=len(row["profile"]) - 2,
        atoms=row["atoms"],
        converged=True,
        figure=barrier_figure(row["along"], row["profile"], ion),
    )


def _no_barrier(barriers: Sequence[Row]) -> Words:
    if not barriers:
        return ("not asked for, or the ion has no hop within 5 Å", "未要求计算，或 5 Å 内没有可跃迁的位点")
    first = barriers[0]
    return (f"{first['outcome']}: {first['reason']}", f"{first['outcome']}：{first['reason']}")


def _doubts(found: Electrode, rows: Sequence[Row], heights: Mapping[int, float], barrier: Row | None) -> list[Words]:
    said: list[Words] = [
        (
            f"voltages of such potentials are {USUAL_ERROR} V off on the mean",
            f"此类势函数的电压平均误差约 {USUAL_ERROR} V",
        )
    ]
    if barrier:
        said.append(
            (
                f"the barrier is of one cell of {barrier['atoms']} atoms; that of LiFePO4 was 0.15 to 0.29 eV in three cells",
                f"势垒取自 {barrier['atoms']} 个原子的单一超胞；LiFePO4 在三种超胞中为 0.15 至 0.29 eV",
            )
        )
    if abs(found.volume_change) > SWELLS:
        said.append(
            (
                f"volume changes by {found.volume_change:+.0f} %: grains crack",
                f"体积变化 {found.volume_change:+.0f} %：颗粒易开裂",
            )
        )
    for row, en, zh in ((rows[0], "full", "满嵌"), (rows[-1], "empty", "脱嵌")):
        height = heights.get(row["id"])
        if height is not None and height > METASTABLE:
            far = f"{1000 * height:.0f} meV"
            said.append((f"the {en} host is {far}/atom above the hull", f"{zh}结构高于凸包 {far}/原子"))
    return said
