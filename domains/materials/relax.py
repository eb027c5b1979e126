"""Relaxation of many crystals at once: what has ended leaves the batch and the next takes its place.

With a free cell the nine numbers of the deformation F of the first cell are further coordinates: atoms move in the undeformed
frame, and dE/dF = V σ F^-T.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.materials import plausible
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.descent import CURVATURE, Descent
from domains.materials.outcomes import Outcome
from domains.materials.potential import Evaluation, Identity, Potential
from domains.materials.rows import crystals_of
from domains.model import Frozen

LARGEST_CHANGE = 2.0  # of the volume, either way: no phase of the same prototype is so far
STIFFNESS = 1.2  # eV/Å³, about 190 GPa: a cell as stiff as this moves as easily as an atom
OUTPUT = pa.schema(
    [
        *COLUMNS,
        ("volume", pa.float64()),  # Å³
        ("energy_per_atom", pa.float64()),  # eV
        ("convention", pa.string()),
        ("steps", pa.int32()),
        ("fmax", pa.float64()),  # eV/Å
        ("moments", pa.list_(pa.float64())),  # µB
    ]
)
SCHEMA = pa.schema(
    [("id", pa.int64()), *OUTPUT, ("engine_s", pa.float64()), ("outcome", pa.string()), ("reason", pa.string())]
)


class RelaxSettings(Frozen):
    """How far to relax."""

    fmax: float = Field(0.05, gt=0)  # eV/Å on every atom, and eV an atom on the cell
    max_steps: int = Field(200, ge=1)
    free_cell: bool = True


class RelaxStage(Frozen):
    """What decides the result of the stage besides the crystals."""

    potential: Identity
    relaxation: RelaxSettings = RelaxSettings()


@dataclass(frozen=True, eq=False)
class Relaxed:
    """How a relaxation ended: the last crystal, its energy (eV; None where it has none), the forces left (eV/Å), moments (µB)."""

    crystal: Crystal
    energy: float | None
    steps: int
    fmax: float | None
    moments: np.ndarray | None
    outcome: Outcome

    @property
    def reason(self) -> str | None:
        """In words, where it is not ok."""
        if self.outcome is Outcome.max_steps:
            return f"{self.fmax:.2f} eV/Å are left after {self.steps} steps"
        return None if self.outcome is Outcome.ok else f"at step {self.steps}"


@dataclass
class Flight:
    """A crystal on its way down."""

    index: int
    start: Crystal
    positions: np.ndarray  # Å, in the frame of the first cell
    descent: Descent = field(default_factory=Descent)
    deformation: np.ndarray = field(default_factory=lambda: np.eye(3))
    steps: int = 0

    @classmethod
    def of(cls, index: int, crystal: Crystal) -> Self:
        """At its start."""
        return cls(index, crystal, crystal.positions @ crystal.lattice)

    @property
    def crystal(self) -> Crystal:
        """As it is now."""
        lattice = self.start.lattice @ self.deformation.T
        return Crystal(lattice, self.positions @ np.linalg.inv(self.start.lattice), self.start.numbers)

    def advance(self, found: Evaluation, now: Crystal, free_cell: bool) -> None:
        """Take a step."""
        assert found.forces is not None
        assert found.stress is not None
        force = found.forces @ self.deformation
        if not free_cell:
            self.positions = self.positions + self.descent.step(force)
        else:
            # Å for each unit of deformation, so that the cell's curvature is like that of the atoms.
            scale = np.sqrt(self.start.volume * STIFFNESS / CURVATURE)
            on_cell = -now.volume * found.stress @ np.linalg.inv(self.deformation).T / scale
            move = self.descent.step(np.vstack([force, on_cell]))
            self.positions = self.positions + move[:-3]
            self.deformation = self.deformation + move[-3:] / scale
        self.steps += 1

    def ended(self, outcome: Outcome, now: Crystal, found: Evaluation, fmax: float | None) -> Relaxed:
        """Its result."""
        return Relaxed(now, found.energy, self.steps, fmax, found.moments, outcome)


def relax(potential: Potential, crystals: Sequence[Crystal], settings: RelaxSettings) -> list[Relaxed]:
    """Relax atoms, and the cell where it is free; one result each, in order, with the outcome that says how it ended."""
    problems = {at: problem for at, crystal in enumerate(crystals) if (problem := plausible.cell(crystal))}
    results = {at: Relaxed(crystals[at], None, 0, None, None, problem) for at, problem in problems.items()}
    waiting = deque((at, crystal) for at, crystal in enumerate(crystals) if at not in problems)
    flying: list[Flight] = []
    while waiting or flying:
        room = potential.atoms_in_flight - sum(len(one.start) for one in flying)
        while waiting and (not flying or len(waiting[0][1]) <= room):
            flying.append(Flight.of(*waiting.popleft()))
            room -= len(flying[-1].start)
        now = [one.crystal for one in flying]
        found = potential.evaluate(now, "forces")
        ends = [_ended_or_moved(*each, settings) for each in zip(flying, now, found, strict=True)]
        results |= {one.index: end for one, end in zip(flying, ends, strict=True) if end is not None}
        flying = [one for one, end in zip(flying, ends, strict=True) if end is None]
    return [results[at] for at in range(len(crystals))]


def _ended_or_moved(one: Flight, now: Crystal, found: Evaluation, settings: RelaxSettings) -> Relaxed | None:
    """Its result where it has ended; else it takes a step."""
    if found.energy is None:
        return one.ended(Outcome(found.problem), now, found, None)
    if not 1 / LARGEST_CHANGE <= now.volume / one.start.volume <= LARGEST_CHANGE:
        return one.ended(Outcome.volume_runaway, now, found, None)
    fmax = _largest(found, now, settings.free_cell)
    if fmax <= settings.fmax:
        return one.ended(Outcome.ok, now, found, fmax)
    if one.steps >= settings.max_steps:
        return one.ended(Outcome.max_steps, now, found, fmax)
    one.advance(found, now, settings.free_cell)
    return None


def _largest(found: Evaluation, now: Crystal, free_cell: bool) -> float:
    """The largest force on an atom, eV/Å; with a free cell also the largest row of V σ an atom, eV."""
    assert found.forces is not None
    assert found.stress is not None
    rows = [found.forces, found.stress * now.volume / len(now)] if free_cell else [found.forces]
    return float(np.linalg.norm(np.vstack(rows), axis=1).max())


def relax_rows(batch: pa.Table, settings: RelaxStage) -> pa.Table:
    """Relax every row's crystal. In: id and what :func:`rows.crystals_of` reads; out: as :data:`SCHEMA`."""
    potential = settings.potential.load()
    crystals, started = crystals_of(batch), time.perf_counter()
    ends = relax(potential, crystals, settings.relaxation)
    told = {"convention": potential.convention, "engine_s": (time.perf_counter() - started) / max(1, len(batch))}
    rows = zip(batch["id"].to_pylist(), ends, strict=True)
    made = [{"id": number, **told, **_row(end)} for number, end in rows]
    return pa.Table.from_pylist(made, schema=SCHEMA)


def _row(end: Relaxed) -> dict[str, Any]:
    verdict = {"outcome": end.outcome, "reason": end.reason, "steps": end.steps, "fmax": end.fmax}
    if end.outcome is not Outcome.ok or end.energy is None:
        return verdict
    moments = None if end.moments is None else end.moments.tolist()
    energy = end.energy / len(end.crystal)
    return {**verdict, **end.crystal.row(), "volume": end.crystal.volume, "energy_per_atom": energy, "moments": moments}
