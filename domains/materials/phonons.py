"""Phonons of a crystal by finite displacements (phonopy) with SevenNet: dynamical stability, Debye temperature, a band structure.

CHGNet is refused: it is trained on relaxations, its curvatures are far too soft, and its aluminium vibrates at half of the
measured frequencies. SevenNet l3i5 is soft as well, by up to a fifth, which shifts frequencies and changes no sign.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.errors import InvalidRequest
from domains.materials.crystal import Crystal
from domains.materials.hops import reduced
from domains.materials.outcomes import Outcome
from domains.materials.potential import Identity, Potential
from domains.materials.relax import RelaxSettings, relax
from domains.materials.symmetry import quiet
from domains.model import Frozen

SUITABLE: Mapping[str, str] = {
    "sevennet-l3i5": "frequencies up to a fifth too low",
    "emt": "a test potential for seven fcc metals",
}
REFUSED = (
    "its phonons are far too soft (aluminium at half of the measured frequencies): they would call stable what is not"
)
DISPLACEMENT = 0.02  # Å
SYMMETRY = 1e-3  # Å; after a tight relaxation
# THz; finite displacements and a finite supercell leave this much below zero in stable crystals.
NUMERICAL = -0.15
ALIKE = 0.01  # of a repetition: edges of a relaxed cell may differ by as much
MESH, COARSE_MESH = 40.0, 15.0  # Å: q points along each axis times the length of the cell
THZ_K = 47.9924307  # K, h/k
OUTPUT = pa.schema(
    [
        ("atoms", pa.int32()),  # of the supercell
        ("lowest_thz", pa.float64()),  # of the mesh; below zero: imaginary
        ("highest_thz", pa.float64()),
        ("debye_k", pa.float64()),  # of the parabola fitted to the lowest quarter of the density of states
        ("omega_log_unweighted_k", pa.float64()),  # see unweighted_omega_log
        ("dos_thz", pa.list_(pa.float64())),
        ("dos", pa.list_(pa.float64())),  # states per THz and primitive cell
        ("dos_elements", pa.list_(pa.string())),
        ("dos_parts", pa.list_(pa.list_(pa.float64()))),  # of each element
        ("band_at", pa.list_(pa.float64())),  # along the path, 1/Å
        ("bands_thz", pa.list_(pa.list_(pa.float64()))),  # a list for each point
        ("band_ticks", pa.list_(pa.float64())),
        ("band_labels", pa.list_(pa.string())),
    ]
)


class PhononSettings(Frozen):
    """What decides the phonons of a crystal."""

    potential: Identity
    length: float = Field(10.0, ge=4, le=30, description="Shortest edge of the supercell, Å")
    most_atoms: int = Field(200, ge=2, le=1000, description="Atoms of the supercell, if the length asks for more")
    fmax: float = Field(0.005, gt=0, le=0.1, description="Largest force left when the crystal is relaxed first, eV/Å")
    steps: int = Field(300, ge=1, le=2000)


def suitable(name: str) -> None:
    """Raises InvalidRequest for a potential whose phonons are wrong."""
    if name not in SUITABLE:
        raise InvalidRequest(
            "phonon_potential",
            name,
            REFUSED if name == "chgnet" else "not known to be fit for phonons",
            ", ".join(SUITABLE),
        )


class Phonons:
    """Relaxes the crystal of a row tightly and computes its phonons; a lattice with imaginary modes ends there."""

    def __init__(self, settings: PhononSettings) -> None:
        suitable(settings.potential.name)
        self.settings, self.potential = settings, settings.potential.load()

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """In: the columns of a crystal."""
        started = time.perf_counter()
        tight = RelaxSettings(fmax=self.settings.fmax, max_steps=self.settings.steps)
        (relaxed,) = relax(self.potential, [Crystal.from_row(row)], tight)
        if relaxed.outcome is not Outcome.ok:
            return {"outcome": relaxed.outcome, "reason": relaxed.reason}
        found = phonons(self.potential, reduced(primitive(relaxed.crystal)), self.settings)
        return {**found, "engine_s": time.perf_counter() - started}


def phonons(potential: Potential, crystal: Crystal, settings: PhononSettings) -> dict[str, Any]:
    """Phonons of a relaxed crystal: outcome and columns."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    unit = PhonopyAtoms(numbers=crystal.numbers.tolist(), cell=crystal.lattice, scaled_positions=crystal.positions)
    most = settings.most_atoms
    with quiet():
        while True:
            times = repeats(crystal, settings.length, most)
            lattice = Phonopy(unit, times, primitive_matrix="P", symprec=SYMMETRY)
            lattice.generate_displacements(distance=DISPLACEMENT)
            displaced = [_crystal(one) for one in lattice.supercells_with_displacements]
            found = potential.evaluate(displaced, "forces")
            problem, atoms = next((one.problem for one in found if one.problem), ""), len(displaced[0])
            if problem != Outcome.out_of_memory or atoms == len(crystal):
                break
            most = atoms - 1  # the next smaller supercell
        if problem:
            return {"outcome": problem, "reason": f"a displaced supercell of {atoms} atoms"}
        lattice.forces = np.array([one.forces for one in found])
        lattice.produce_force_constants()
        lattice.symmetrize_force_constants()
        columns = {"atoms": atoms, **_spectrum(lattice), **_bands(lattice)}
    if columns["lowest_thz"] < NUMERICAL:
        reason = f"lowest mode at {-columns['lowest_thz']:.2f}i THz"
        return {"outcome": Outcome.imaginary_modes, "reason": reason, **columns}
    return {"outcome": Outcome.ok, **columns}


def repeats(crystal: Crystal, length: float, most_atoms: int) -> list[int]:
    """How often each lattice vector is repeated for the wanted length, or for the greatest one within the atoms that are allowed.

    Edges of the same length are repeated alike: the supercell keeps the crystal's symmetry.
    """
    edges = np.linalg.norm(crystal.lattice, axis=1)
    while True:
        times = np.maximum(1, np.ceil(length / edges - ALIKE)).astype(int)
        if times.prod() * len(crystal) <= most_atoms or times.max() == 1:
            return [int(one) for one in times]
        length = float((edges * (times - 1)).max())  # the next shorter at which an edge is repeated once less


def primitive(crystal: Crystal) -> Crystal:
    """The smallest cell of the crystal; as it is where it has no symmetry that can be found."""
    import spglib

    with quiet():
        found = spglib.find_primitive((crystal.lattice, crystal.positions, crystal.numbers), symprec=SYMMETRY)
    return Crystal(found[0], found[1], found[2].astype(np.uint8)) if found else crystal


def _crystal(atoms: Any) -> Crystal:
    return Crystal(np.array(atoms.cell), np.array(atoms.scaled_positions), np.array(atoms.numbers, np.uint8))


def _spectrum(lattice: Any) -> dict[str, Any]:
    mesh = lattice.run_mesh(MESH)
    frequencies, weights = np.array(mesh.frequencies), np.array(mesh.weights)
    total = lattice.run_total_dos()
    points, density = np.array(total.frequency_points), np.array(total.dos)
    elements, shares = _shares(lattice, points)
    return {
        "lowest_thz": float(frequencies.min()),
        "highest_thz": float(frequencies.max()),
        "debye_k": debye_temperature(points, density, len(lattice.primitive)),
        "omega_log_unweighted_k": unweighted_omega_log(frequencies, weights),
        "dos_thz": points.tolist(),
        "dos": density.tolist(),
        "dos_elements": elements,
        "dos_parts": (shares * density).tolist(),
    }


def _shares(lattice: Any, points: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Elements, and the share (k, n) of each in the density of states at these frequencies (n,): on a coarser mesh, as eigenvectors are costly."""
    names = np.array(lattice.primitive.symbols)
    elements = list(dict.fromkeys(lattice.primitive.symbols))
    if len(elements) == 1:
        return elements, np.ones((1, len(points)))
    lattice.run_mesh(COARSE_MESH, with_eigenvectors=True, is_mesh_symmetry=False)
    found = lattice.run_projected_dos(sigma=(points[-1] - points[0]) / 50, freq_min=points[0], freq_max=points[-1])
    atoms = np.array(found.projected_dos)
    parts = np.array([atoms[names == one].sum(axis=0) for one in elements])
    parts = np.array([np.interp(points, found.frequency_points, one) for one in parts])
    return elements, parts / np.maximum(parts.sum(axis=0), 1e-12)


def debye_temperature(points: np.ndarray, density: np.ndarray, atoms: int) -> float | None:
    """K, of the parabola that fits the lowest quarter of the density of states; ``points`` in THz, ``density`` per THz and cell."""
    low = (points > 0) & (points < points.max() / 4)
    curvature = float((density[low] * points[low] ** 2).sum() / (points[low] ** 4).sum()) if low.any() else 0.0
    return THZ_K * (9 * atoms / curvature) ** (1 / 3) if curvature > 0 else None


def unweighted_omega_log(frequencies: np.ndarray, weights: np.ndarray) -> float | None:
    """K: the logarithmic mean frequency as if every mode coupled alike. It ranks lattices by stiffness and is no part of a Tc.

    ``frequencies`` (q, modes) in THz, ``weights`` (q,). Allen and Dynes weigh by the coupling, which is not known here.
    """
    if frequencies.min() < NUMERICAL:
        return None
    kept = frequencies > abs(NUMERICAL)
    weight = np.where(kept, weights[:, None], 0) / np.where(kept, frequencies, 1.0)
    return float(THZ_K * np.exp((weight * np.log(np.where(kept, frequencies, 1.0))).sum() / weight.sum()))


def _bands(lattice: Any) -> dict[str, Any]:
    from ase.cell import Cell

    path = Cell(lattice.primitive.cell).bandpath(npoints=120)
    lattice.run_band_structure([path.kpts])
    at, ticks, labels = path.get_linear_kpoint_axis()
    return {
        "band_at": at.tolist(),
        "bands_thz": np.array(lattice.band_structure.frequencies[0]).tolist(),
        "band_ticks": ticks.tolist(),
        "band_labels": list(labels),
    }
