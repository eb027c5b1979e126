"""Receptor variants: mutations put on every chain, missing atoms added, what was invented relaxed, typed for docking.

PDBFixer and OpenMM; the backbone and all that lies further from a mutation than RELAXED_WITHIN keeps its place,
so that all variants of a structure stay in one frame.
"""

import hashlib
import io
import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from domains.drug import pdbqt, structure
from domains.drug.mutations import AMINO_ACIDS, Mutation, parse
from domains.drug.outcomes import Outcome
from domains.model import Frozen

VERSION = "2"  # raise it when receptors come out otherwise: it is part of their identity
RELAXED_WITHIN = 5.0  # Å from a mutated residue
TOLERANCE = 10.0  # kJ/mol/nm
# kJ/mol/nm² (5 kcal/mol/Å²) that hold heavy atoms where the crystal has them: without water and ligand, side chains that line
# an open pocket fold into it (Gln189 of Mpro by 2 Å beside L50F).
HOLD = 2000.0
BACKBONE = {"N", "CA", "C", "O"}
# Forms that a target may name for a residue whose protonation is known, and the residue each belongs to.
FORMS = {"HID": "HIS", "HIE": "HIS", "HIP": "HIS", "ASH": "ASP", "GLH": "GLU", "CYX": "CYS"}
FORCE_FIELD = "amber14-all.xml"

OUTPUT = pa.schema(
    [
        ("pdb", pa.string()),
        ("pdbqt", pa.string()),
        ("sha256", pa.string()),
        ("writer", pa.string()),
        ("writer_reason", pa.string()),
        ("rebuilt", pa.list_(pa.string())),
        ("moved", pa.int32()),
        ("energy_before", pa.float64()),
        ("energy_after", pa.float64()),
        ("contact", pa.float64()),
    ]
)


class BuildSettings(Frozen):
    """What decides a receptor besides its mutations; the path does not, the checksum does."""

    structure_sha256: str
    path: Path = Field(exclude=True)
    chains: tuple[str, ...]
    protonation: Mapping[int, str] = Field({})  # residue number -> one of FORMS, on every chain
    ph: float = 7.4
    seed: int = 1
    steps: int = 200


@dataclass(frozen=True)
class Repaired:
    """A complete protein: OpenMM topology, positions (n, 3) in nm, which atoms are in the file, residues that were not whole."""

    topology: Any
    xyz: np.ndarray
    known: frozenset[int]
    rebuilt: list[str]


class Build:
    """Builds one variant: ``row["mutations"]`` is how it is written (``WT``, ``E166V+L50F``).

    ``energy_before`` and ``energy_after`` (kJ/mol) are of the relaxation only; ``contact`` is the shortest distance (Å) between
    a heavy atom of a mutated side chain and one of another residue.
    """

    def __init__(self, settings: BuildSettings) -> None:
        text = settings.path.read_bytes()
        if hashlib.sha256(text).hexdigest() != settings.structure_sha256:
            raise ValueError(f"{settings.path} is not the structure that the run began with: its checksum differs")
        self.settings = settings
        model = structure.assembly(text.decode(), settings.chains)
        self.protein = structure.protein(model, settings.chains)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Repair, relax and type the variant."""
        variant = parse(row["mutations"])
        repaired = repair(self.protein, variant.mutations, self.settings)
        relaxed = relax(repaired, variant.numbers, self.settings.steps)
        if not math.isfinite(relaxed["energy_after"]):
            return {"outcome": Outcome.engine_error, "reason": "the relaxation ended without a finite energy"}
        typed = pdbqt.rigid_receptor(relaxed["pdb"])
        return {
            "outcome": Outcome.ok,
            **relaxed,
            "pdbqt": typed.pdbqt,
            "sha256": hashlib.sha256(typed.pdbqt.encode()).hexdigest(),
            "writer": typed.writer,
            "writer_reason": typed.reason,
            "rebuilt": repaired.rebuilt,
        }


def _platform() -> Any:
    """One thread, forces summed in a fixed order: so that a structure comes out the same again on the same machine."""
    from openmm import Platform

    platform = Platform.getPlatformByName("CPU")
    platform.setPropertyDefaultValue("Threads", "1")
    platform.setPropertyDefaultValue("DeterministicForces", "true")
    return platform


def repair(protein: str, mutations: Sequence[Mutation], settings: BuildSettings) -> Repaired:
    """Put the mutations on every chain that has the residue, add missing heavy atoms and all hydrogens; loops are not modelled."""
    from openmm import unit
    from pdbfixer import PDBFixer

    random.seed(settings.seed)  # OpenMM draws the first places of hydrogens from it
    fixer = PDBFixer(pdbfile=io.StringIO(protein), platform=_platform())
    for chain in fixer.topology.chains():
        numbers = {residue.id for residue in chain.residues()}
        ours = [_as_pdbfixer_says(one) for one in mutations if str(one.number) in numbers]
        if ours:
            fixer.applyMutations(ours, chain.id)
    fixer.missingResidues = {}
    fixer.findNonstandardResidues()
    fixer.replaceNonstandardResidues()
    fixer.findMissingAtoms()
    rebuilt = [f"{residue.name}{residue.id}.{residue.chain.id}" for residue in fixer.missingAtoms]
    known = {_address(atom) for atom in fixer.topology.atoms()}
    fixer.addMissingAtoms(seed=settings.seed)
    _add_hydrogens(fixer, settings)
    kept = frozenset(atom.index for atom in fixer.topology.atoms() if _address(atom) in known)
    return Repaired(fixer.topology, np.array(fixer.positions.value_in_unit(unit.nanometer)), kept, sorted(rebuilt))


def _add_hydrogens(fixer: Any, settings: BuildSettings) -> None:
    """By the usual pKa at this pH, except where the settings name a residue's form; histidines by their neighbours."""
    from openmm.app import Modeller

    modeller = Modeller(fixer.topology, fixer.positions)
    forms = [
        form if form and FORMS[form] == residue.name else None
        for residue in fixer.topology.residues()
        for form in [settings.protonation.get(int(residue.id))]
    ]
    modeller.addHydrogens(pH=settings.ph, variants=forms, platform=_platform())
    fixer.topology, fixer.positions = modeller.topology, modeller.positions


def _as_pdbfixer_says(mutation: Mutation) -> str:
    return f"{AMINO_ACIDS[mutation.wild]}-{mutation.number}-{AMINO_ACIDS[mutation.mutant]}"


def _address(atom: Any) -> tuple[str, str, str, str]:
    return atom.residue.chain.id, atom.residue.id, atom.residue.name, atom.name


def _movable(repaired: Repaired, numbers: Collection[int]) -> set[int]:
    """Atoms that were not in the file, and side chains within RELAXED_WITHIN of a mutated residue."""
    atoms = list(repaired.topology.atoms())
    moving = {atom.index for atom in atoms} - repaired.known
    mutated = [atom.index for atom in atoms if atom.residue.id in set(map(str, numbers))]
    if mutated:
        square = ((repaired.xyz[:, None] - repaired.xyz[None, mutated]) ** 2).sum(-1).min(1)
        near = {atoms[i].residue.index for i in np.flatnonzero(square < (RELAXED_WITHIN / 10) ** 2)}
        moving |= {atom.index for atom in atoms if atom.residue.index in near and atom.name not in BACKBONE}
    return moving


def relax(repaired: Repaired, numbers: Collection[int], steps: int) -> dict[str, Any]:
    """Minimise with amber14, all other atoms fixed: the protein as PDB text and the energies (kJ/mol)."""
    import openmm
    from openmm import app, unit

    force_field = app.ForceField(FORCE_FIELD)
    system = force_field.createSystem(
        repaired.topology, nonbondedMethod=app.CutoffNonPeriodic, nonbondedCutoff=1.0 * unit.nanometer
    )
    moving = _movable(repaired, numbers)
    system.addForce(_hold(repaired, moving))
    for index in set(range(system.getNumParticles())) - moving:
        system.setParticleMass(index, 0.0)
    for index in reversed(range(system.getNumConstraints())):  # a constraint may not end at an atom that is held
        system.removeConstraint(index)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), _platform())
    context.setPositions(repaired.xyz)
    before = _energy(context)
    openmm.LocalEnergyMinimizer.minimize(context, TOLERANCE, steps)
    positions = context.getState(getPositions=True).getPositions(asNumpy=True)
    text = io.StringIO()
    app.PDBFile.writeFile(repaired.topology, positions, text, keepIds=True)
    return {
        # The first lines name the program and the day.
        "pdb": "".join(line for line in text.getvalue().splitlines(True) if not line.startswith("REMARK")),
        "energy_before": before,
        "energy_after": _energy(context),
        "moved": len(moving),
        "contact": _closest(repaired.topology, positions.value_in_unit(unit.angstrom), numbers),
    }


def _hold(repaired: Repaired, moving: Collection[int]) -> Any:
    """Springs on the atoms of the file that may move."""
    import openmm

    force = openmm.CustomExternalForce("0.5*k*((x-x0)^2+(y-y0)^2+(z-z0)^2)")
    force.addGlobalParameter("k", HOLD)
    for name in ("x0", "y0", "z0"):
        force.addPerParticleParameter(name)
    for index in sorted(repaired.known & set(moving)):
        force.addParticle(index, repaired.xyz[index].tolist())
    return force


def _energy(context: Any) -> float:
    from openmm import unit

    energy = context.getState(getEnergy=True).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))


def _closest(topology: Any, xyz: np.ndarray, numbers: Collection[int]) -> float | None:
    """Shortest distance (Å) of heavy atoms between mutated side chains and other residues; None where there are none."""
    heavy = [atom for atom in topology.atoms() if atom.element.symbol != "H"]
    mutated = set(map(str, numbers))
    side = [atom for atom in heavy if atom.residue.id in mutated and atom.name not in BACKBONE]
    distances = [
        np.linalg.norm(xyz[[other.index for other in heavy if other.residue is not atom.residue]] - xyz[atom.index], axis=1).min()
        for atom in side
    ]  # fmt: skip
    return float(min(distances)) if distances else None
