"""The barrier of one hop: a vacancy in the full host, an ion that moves into it, and the minimum-energy path between.

Nudged elastic band with a climbing image (Henkelman, Uberuaga and Jonsson, J. Chem. Phys. 113, 9901, 2000), as ASE has it; all images
of a step are evaluated as one batch. The ion's way is kept as it is, never folded back into the cell: folded, a hop across a
boundary becomes one through the whole cell, of 2 eV where there are 0.2.
"""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.descent import Descent
from domains.materials.elements import symbols
from domains.materials.hops import dimensions, hops, reduced
from domains.materials.orderings import supercell
from domains.materials.outcomes import Outcome
from domains.materials.potential import Identity, Potential
from domains.materials.relax import RelaxSettings, relax
from domains.model import Frozen

INPUT = pa.schema(
    [
        ("name", pa.string()),
        ("host", pa.string()),
        ("ion", pa.string()),
        ("start", pa.int32()),  # sites of the crystal, and the cell of the end
        ("end", pa.int32()),
        ("image", pa.list_(pa.int32(), 3)),
        ("length", pa.float64()),  # Å
        ("equivalents", pa.int32()),  # hops a cell that are the same
        ("dimensions", pa.int32()),  # in which an ion gets through by these alone
        *COLUMNS,  # of the relaxed, full host, in its Niggli cell
    ]
)
OUTPUT = pa.schema(
    [
        ("barrier", pa.float64()),  # eV, from the start
        ("back", pa.float64()),  # eV, from the end
        ("profile", pa.list_(pa.float64())),  # eV of each image against the start
        ("path", pa.list_(pa.float64())),  # x, y, z of the ion in each image, Å
        ("along", pa.list_(pa.float64())),  # Å, of all atoms together, from the start to each image
        ("atoms", pa.int32()),
        ("force_left", pa.float64()),  # eV/Å
    ]
)
# An ion that relaxes further than this share of its hop away from an end was never at rest there.
STAYS = 0.35
OTHERS_MOVE = 1.5  # Å, at most, between the ends
# Above it an ion does not move at all in a battery's life; a path that asks for more is not the one that is taken.
MOST_BARRIER = 5.0
SPRING = 1.0  # eV/Å²
# Of fmax, at the ends: what is left to relax in a hundred soft atoms there is missing in the barrier.
ENDS = 0.2
ALONG = 0.5  # Å; less is no direction of a hop


class BarrierSettings(Frozen):
    """What decides the barrier of a hop."""

    potential: Identity
    images: int = Field(5, ge=1, le=15, description="Between the ends")
    length: float = Field(
        8.0, ge=4, le=20, description="Edges wanted of the supercell, Å: how far the ion is from its images"
    )
    # LiFePO4: 0.29 eV in 1 x 1 x 2 (55 atoms), 0.18 in 1 x 2 x 1, 0.15 in 1 x 2 x 2 (111): the direction of the hop matters most.
    most_atoms: int = Field(
        80, ge=2, le=400, description="Of the supercell; the edge along the hop is lengthened first"
    )
    # LiFePO4 in a cell of 55 atoms: 0.278 eV at 0.1, 0.288 at 0.05, 0.291 at 0.03.
    fmax: float = Field(0.05, gt=0, le=0.5, description="Largest force left, eV/Å")
    max_steps: int = Field(200, ge=1, le=2000)


def rows(hosts: Mapping[str, Crystal], ion: str, longest: float = 5.0, most: int = 3) -> pa.Table:
    """The rows of a run, in the hosts' Niggli cells: the ``most`` shortest distinct hops of each relaxed host, up to ``longest`` Å."""
    made: list[dict[str, Any]] = []
    for name, given in hosts.items():
        crystal = reduced(given)
        for number, hop in enumerate(hops(crystal, symbols().index(ion), longest)[:most], 1):
            start, end, *image = hop.edges[0]
            facts = {"start": start, "end": end, "image": image, "length": hop.length, "equivalents": len(hop.edges)}
            label = {"name": f"{name} {ion} hop {number}", "host": name, "ion": ion, "dimensions": dimensions([hop])}
            made.append({**label, **facts, **crystal.row()})
    return pa.Table.from_pylist(made, schema=INPUT)


class Barrier:
    """Finds the barrier of the hop of a row. In: INPUT."""

    def __init__(self, settings: BarrierSettings) -> None:
        self.settings, self.potential = settings, settings.potential.load()

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Relax the two ends at the host's cell, then the path."""
        started = time.perf_counter()
        start, end, moving = ends(row, self.settings.length, self.settings.most_atoms)
        settled = relax(self.potential, [start, end], self._relaxation)
        for name, one in zip(("start", "end"), settled, strict=True):
            if one.outcome is not Outcome.ok:
                return {"outcome": one.outcome, "reason": f"the {name} of the hop: {one.reason or 'no energy'}"}
        if problem := strayed([start, end], [one.crystal for one in settled], moving):
            return {"outcome": Outcome.no_path, "reason": problem}
        found = path(
            self.potential, [(one.crystal, float(one.energy or 0.0)) for one in settled], moving, self.settings
        )
        return {**found, "atoms": len(start), "engine_s": time.perf_counter() - started}

    @property
    def _relaxation(self) -> RelaxSettings:
        return RelaxSettings(fmax=ENDS * self.settings.fmax, max_steps=2 * self.settings.max_steps, free_cell=False)


def ends(row: Mapping[str, Any], length: float, most_atoms: int) -> tuple[Crystal, Crystal, int]:
    """The supercell with a vacancy where the ion goes to, the same with the ion there and unfolded, and the ion's index."""
    unit = Crystal.from_row(row)
    step = unit.positions[row["end"]] + np.array(row["image"]) - unit.positions[row["start"]]
    times = repeats(unit, step, length, most_atoms)
    cell, copies = supercell(unit, times), int(np.prod(times))
    image = np.array(row["image"])
    place = np.ravel_multi_index(tuple(image % times), times)
    moving, vacant = row["start"] * copies, row["end"] * copies + int(place)
    if moving == vacant:
        raise ValueError(f"the supercell of {len(cell)} atoms is too small: the ion would hop into itself")
    there = cell.positions.copy()
    there[moving] += step / times
    keep = np.arange(len(cell)) != vacant
    numbers = cell.numbers[keep]
    return (
        Crystal(cell.lattice, cell.positions[keep], numbers),
        Crystal(cell.lattice, there[keep], numbers),
        moving - int(vacant < moving),
    )


def repeats(crystal: Crystal, step: np.ndarray, length: float, most_atoms: int) -> tuple[int, int, int]:
    """How often each lattice vector is repeated for edges of ``length`` Å, as far as the atoms allow: first along ``step`` (fractional)."""
    edges = np.linalg.norm(crystal.lattice, axis=1)
    along = np.abs(step) * edges > ALONG
    times = np.ones(3, int)
    for axes in (along, ~along):
        while (axes & (edges * times < length)).any():
            longer = times.copy()
            longer[np.where(axes, edges * times, np.inf).argmin()] += 1
            if longer.prod() * len(crystal) > most_atoms:
                break
            times = longer
    first, second, third = (int(one) for one in times)
    return first, second, third


def strayed(before: Sequence[Crystal], after: Sequence[Crystal], moving: int) -> str:
    """Empty where the relaxed ends are those of the hop; else what happened."""
    (start, end), lattice = before, before[0].lattice
    hop = float(np.linalg.norm((end.positions - start.positions)[moving] @ lattice))
    for name, one, other in zip(("start", "end"), before, after, strict=True):
        away = float(np.linalg.norm((other.positions - one.positions)[moving] @ lattice))
        if away > STAYS * hop:
            return f"the ion left the {name} of its hop of {hop:.2f} Å by {away:.2f} Å"
    moved = np.linalg.norm((after[1].positions - after[0].positions) @ lattice, axis=1)
    moved[moving] = 0.0
    return f"another atom moves by {moved.max():.2f} Å" if moved.max() > OTHERS_MOVE else ""


class _NoEnergy(Exception):
    """An image that the potential cannot evaluate."""


@cache
def _band_class() -> type:
    """ASE's band with all images evaluated at once; made on demand, so that ASE is imported where it is needed."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.mep import NEB

    class Band(NEB):  # type: ignore[misc]
        def __init__(self, images: Sequence[Any], potential: Potential) -> None:
            # The highest image climbs from the start: the path of interatomic distances is close, and it takes half the steps.
            super().__init__(images, k=SPRING, climb=True, method="improvedtangent")
            self.potential = potential

        def get_forces(self) -> np.ndarray:
            inner = self.images[1:-1]
            for image, found in zip(
                inner, self.potential.evaluate([_crystal(one) for one in inner], "forces"), strict=True
            ):
                if found.energy is None:
                    raise _NoEnergy(found.problem)
                image.calc = SinglePointCalculator(image, energy=found.energy, forces=found.forces)
            forces: np.ndarray = super().get_forces()
            return forces

    return Band


def _crystal(atoms: Any) -> Crystal:
    return Crystal(np.array(atoms.cell), atoms.get_scaled_positions(wrap=False), atoms.numbers.astype(np.uint8))


def path(
    potential: Potential, settled: Sequence[tuple[Crystal, float]], moving: int, settings: BarrierSettings
) -> dict[str, Any]:
    """The path between two relaxed ends (crystal, energy): outcome and columns."""
    images = _images(settled, settings.images)
    band = _band_class()(images, potential)
    try:
        force = _descend(band, settings)
    except _NoEnergy as error:
        return {"outcome": Outcome(str(error)), "reason": "an image of the path"}
    energies = np.array([image.get_potential_energy() for image in images])
    profile, places = energies - energies[0], np.array([image.positions for image in images])
    columns = {
        "barrier": float(profile.max()),
        "back": float(profile.max() - profile[-1]),
        "profile": profile.tolist(),
        "path": places[:, moving].ravel().tolist(),
        "along": np.cumsum([0.0, *np.linalg.norm(np.diff(places, axis=0), axis=(1, 2))]).tolist(),
        "force_left": force,
    }
    if force > settings.fmax:
        reason = f"{force:.2f} eV/Å are left after {settings.max_steps} steps"
        return {"outcome": Outcome.max_steps, "reason": reason, **columns}
    if not profile.max() < MOST_BARRIER:
        return {"outcome": Outcome.implausible, "reason": f"a barrier of {profile.max():.1f} eV", **columns}
    return {"outcome": Outcome.ok, **columns}


def _descend(band: Any, settings: BarrierSettings) -> float:
    """Move the images until no force of the band is above the limit, or the steps are used up; the largest that is left, eV/Å.

    Each image is minimised by itself, on the band's forces: on LiFePO4 16 steps, where ASE's FIRE takes 36.
    """
    images = [Descent() for _ in range(settings.images)]
    for step in range(settings.max_steps + 1):
        forces = band.get_forces().reshape(settings.images, -1, 3)
        largest = float(np.linalg.norm(forces, axis=2).max())
        if largest <= settings.fmax or step == settings.max_steps:
            break
        moves = [one.step(force) for one, force in zip(images, forces, strict=True)]
        band.set_positions(band.get_positions() + np.concatenate(moves))
    return largest


def _images(settled: Sequence[tuple[Crystal, float]], count: int) -> list[Any]:
    """Ends and ``count`` images between them, on the path of interatomic distances (IDPP)."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.mep import NEB, idpp_interpolate

    (start, _), (end, _) = settled
    cell = start.lattice
    images = [start.to_ase() for _ in range(count + 2)]
    for image, share in zip(images, np.linspace(0, 1, count + 2), strict=True):
        image.positions = ((1 - share) * start.positions + share * end.positions) @ cell
    # Its interpolation would fold the ion back into the cell; only distances within an image may be folded.
    idpp_interpolate(NEB(images, method="improvedtangent"), traj=None, log=None, mic=True, steps=50)
    for image, (_, energy) in ((images[0], settled[0]), (images[-1], settled[1])):
        image.calc = SinglePointCalculator(image, energy=energy, forces=np.zeros((len(image), 3)))
    return images
