"""An insertion electrode: energies of a host at each charge, and what follows: voltages, capacity, energy density, volume."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.materials import formula
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.elements import symbols
from domains.materials.orderings import divisible, orderings
from domains.materials.outcomes import Outcome
from domains.materials.potential import Identity
from domains.materials.relax import Relaxed, RelaxSettings, relax
from domains.model import Frozen

# The charge of each working ion, and the crystal of its metal (as ASE knows it).
IONS: Mapping[str, int] = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
FARADAY_MAH = 26_801.4  # mAh/mol
AVOGADRO = 0.602214076  # Å³ to cm³/mol
# No electrode works outside: F2/F- against Li+/Li is 5.9 V. Beyond stands a wrong structure or a wrong potential.
VOLTAGES = (-1.0, 6.5)
SAME = 1e-9

INPUT = pa.schema(
    [
        ("name", pa.string()),
        ("host", pa.string()),
        ("ion", pa.string()),
        ("ions", pa.int32()),  # of the cell when it is full; 0: the metal
        ("left", pa.int32()),
        *COLUMNS,  # of the full cell
    ]
)
OUTPUT = pa.schema(
    [
        ("formula", pa.string()),
        ("cell_energy", pa.float64()),  # eV a cell, of the lowest arrangement
        ("energy_per_atom", pa.float64()),  # eV
        ("volume", pa.float64()),  # Å³ a cell
        ("convention", pa.string()),
        ("tried", pa.int32()),  # arrangements relaxed
        ("spread", pa.float64()),  # eV a cell between the lowest and the highest of them
        ("moments", pa.list_(pa.float64())),  # µB, in the order of the atoms, where the potential has them
        *COLUMNS,  # relaxed
    ]
)


class StepSettings(Frozen):
    """What decides the energy of a host at one charge."""

    potential: Identity
    orderings: int = Field(
        3, ge=1, le=20, description="Arrangements of the ions left that are relaxed, by Ewald energy"
    )
    # Soft layered hosts need it: at 0.05 a volume is off by a tenth.
    relaxation: RelaxSettings = RelaxSettings(fmax=0.01, max_steps=300)


def steps(hosts: Mapping[str, Crystal], ion: str, count: int) -> pa.Table:
    """The rows of a run: the ion's metal, then each host from full to empty in ``count`` equal steps."""
    metal = Crystal.from_ase(_metal(ion))
    rows: list[dict[str, Any]] = [{"name": f"{ion} metal", "host": "", "ions": 0, "left": 0, **metal.row()}]
    for name, crystal in hosts.items():
        cell = divisible(crystal, symbols().index(ion), count)
        ions = int((cell.numbers == symbols().index(ion)).sum())
        rows += [
            {"name": f"{name} {ion} {left}/{ions}", "host": name, "ions": ions, "left": left, **cell.row()}
            for left in (ions - ions * step // count for step in range(count + 1))
        ]
    return pa.Table.from_pylist([{"ion": ion, **row} for row in rows], schema=INPUT)


def _metal(ion: str) -> Any:
    from ase.build import bulk

    return bulk(ion)


class Step:
    """Relaxes a host at one charge, in its likeliest arrangements of ions, and keeps the lowest. In: INPUT."""

    def __init__(self, settings: StepSettings) -> None:
        self.settings, self.potential = settings, settings.potential.load()

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Relax one row."""
        started = time.perf_counter()
        candidates = arrangements(row, self.settings.orderings)
        ended = relax(self.potential, candidates, self.settings.relaxation)
        fine = [one for one in ended if one.outcome is Outcome.ok and one.energy is not None]
        spent = {"engine_s": time.perf_counter() - started, "tried": len(ended)}
        if not fine:
            return {"outcome": ended[0].outcome, "reason": _why(ended), **spent}
        return {"outcome": Outcome.ok, "convention": self.potential.convention, **_lowest(fine), **spent}


def arrangements(row: Mapping[str, Any], most: int) -> list[Crystal]:
    """The crystals that a row stands for, the likeliest first; the metal is its own."""
    full = Crystal.from_row(row)
    if row["ions"] == 0:
        return [full]
    ion, charge = symbols().index(row["ion"]), IONS[row["ion"]]
    return [one.crystal for one in orderings(full, ion, charge, row["left"], most)]


def _lowest(fine: Sequence[Relaxed]) -> dict[str, Any]:
    energies = [one.energy for one in fine if one.energy is not None]
    best = fine[int(np.argmin(energies))]
    return {
        "formula": formula.name(Counter(symbols()[int(number)] for number in best.crystal.numbers)),
        "cell_energy": min(energies),
        "energy_per_atom": min(energies) / len(best.crystal),
        "spread": max(energies) - min(energies),
        "volume": best.crystal.volume,
        "moments": None if best.moments is None else best.moments.tolist(),
        **best.crystal.row(),
    }


def _why(ended: Sequence[Relaxed]) -> str:
    return f"none of {len(ended)} arrangements relaxed; the first: {ended[0].reason or 'no energy'}"


@dataclass(frozen=True)
class Plateau:
    """Between two charges, as fractions of the full cell's ions: from the fuller to the emptier, volts against the metal."""

    full: float
    empty: float
    voltage: float


@dataclass(frozen=True)
class Electrode:
    """What an electrode gives between the emptiest and the fullest charge that were computed.

    ``voltage`` V, mean; ``capacity`` mAh/g and ``energy_density`` Wh/kg of the full host; ``density`` Wh/l;
    ``volume_change`` percent on emptying; ``points`` (fraction of ions, formation energy in eV an ion site, on the hull).
    """

    host: str
    ion: str
    plateaus: tuple[Plateau, ...]
    points: tuple[tuple[float, float, bool], ...]
    voltage: float
    capacity: float
    energy_density: float
    density: float
    volume_change: float


def electrode(rows: Sequence[Mapping[str, Any]], metal: Mapping[str, Any]) -> Electrode:
    """The electrode of a host's rows that ended ok, with the row of the ion's metal.

    Raises:
        ValueError: energies of unlike conventions, fewer than two charges, or a voltage that no electrode has.
    """
    conventions = {row["convention"] for row in (*rows, metal)}
    if len(conventions) != 1:
        raise ValueError(f"energies of unlike conventions: {', '.join(sorted(conventions))}")
    if len({row["left"] for row in rows}) < 2:
        raise ValueError("fewer than two charges have an energy: there is no voltage")
    rows = sorted(rows, key=lambda row: row["left"])
    per_ion = metal["cell_energy"] / len(metal["numbers"])
    ions, charge = rows[-1]["ions"], IONS[rows[-1]["ion"]]
    left, energies = np.array([row["left"] for row in rows]), np.array([row["cell_energy"] for row in rows])
    kept = lower_hull(left, energies)
    volts = -(np.diff(energies[kept]) / np.diff(left[kept]) - per_ion) / charge
    low, high = VOLTAGES
    if not (np.isfinite(volts).all() and low <= volts.min() and volts.max() <= high):
        raise ValueError(f"{volts[np.abs(volts).argmax()]:.1f} V is no voltage of an electrode: {low:g} to {high:g} V")
    plateaus = [
        Plateau(float(left[one] / ions), float(left[other] / ions), float(volt))
        for other, one, volt in zip(kept[:-1], kept[1:], volts, strict=True)
    ]
    return Electrode(
        rows[0]["host"],
        rows[0]["ion"],
        tuple(reversed(plateaus)),
        tuple(
            zip(
                (left / ions).tolist(),
                _formation(left, energies, ions),
                np.isin(range(len(left)), kept).tolist(),
                strict=True,
            )
        ),
        **_figures(rows, float(-((energies[-1] - energies[0]) / (left[-1] - left[0]) - per_ion) / charge), charge),
    )


def lower_hull(left: np.ndarray, energies: np.ndarray) -> list[int]:
    """Indices of the charges, in rising order of ions, that do not fall apart into two others."""
    kept: list[int] = []
    for at in range(len(left)):
        while (
            len(kept) > 1 and _slope(left, energies, kept[-2], kept[-1]) >= _slope(left, energies, kept[-1], at) - SAME
        ):
            kept.pop()
        kept.append(at)
    return kept


def _slope(left: np.ndarray, energies: np.ndarray, one: int, other: int) -> float:
    return float((energies[other] - energies[one]) / (left[other] - left[one]))


def _formation(left: np.ndarray, energies: np.ndarray, ions: int) -> list[float]:
    """Energy against the mixture of the emptiest and the fullest, eV an ion site."""
    mixed = energies[0] + (energies[-1] - energies[0]) * (left - left[0]) / (left[-1] - left[0])
    return [float(one) for one in (energies - mixed) / ions]


def _figures(rows: Sequence[Mapping[str, Any]], voltage: float, charge: int) -> dict[str, float]:
    from ase.data import atomic_masses

    empty, full = rows[0], rows[-1]
    mass = float(atomic_masses[np.array(full["numbers"], int)].sum())  # g/mol of cells
    capacity = (full["left"] - empty["left"]) * charge * FARADAY_MAH / mass
    return {
        "voltage": voltage,
        "capacity": capacity,
        "energy_density": capacity * voltage,
        "density": capacity * voltage * mass / (full["volume"] * AVOGADRO),
        "volume_change": 100 * (empty["volume"] / full["volume"] - 1),
    }
