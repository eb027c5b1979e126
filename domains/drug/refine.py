"""Relax a docked pose together with the side chains around it: MMFF94s on the pocket cut out of the receptor, on a CPU.

The pocket is closed by its neighbours' backbone, which stands still; the ligand, side-chain atoms near it and hydrogens
near it move. What comes out is a pose with fewer clashes. Its energies are MMFF94s's with a dielectric of 4 r instead of a
solvent: relative, for poses of one ligand in one pocket, and not affinities. The complex's energy less that of its parts, as
they stand, is the interaction energy; neither part is relaxed alone.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from rdkit import Chem, RDLogger
from rdkit.Chem import rdForceFieldHelpers

from domains.drug.interactions import PREPARED, with_hydrogens
from domains.drug.outcomes import Outcome
from domains.drug.pocket import Pocket, cut
from domains.drug.poses import ReceptorSettings, receptor_residues

OUTPUT = pa.schema(
    [
        ("refined", pa.list_(pa.float32())),  # x, y, z (Å) in the order of atom_map, as a pose
        ("moved", pa.float64()),  # RMSD (Å) of the ligand's heavy atoms to the docked pose
        ("clashes_before", pa.int32()),
        ("clashes_after", pa.int32()),
        ("energy_drop", pa.float64()),  # kcal/mol by which the complex came down
        ("interaction_energy", pa.float64()),  # kcal/mol
        ("converged", pa.bool_()),  # seldom: STEPS are for the clashes, which go first
    ]
)
POCKET, FREE = 6.0, 5.0  # Å around the ligand: residues taken, atoms that may move
NONBONDED = 8.0  # Å
# Imatinib in ABL1 (964 atoms) comes down by 182 kcal/mol in 100 steps and 9 CPU s; 250 steps take twice the time for a few more.
STEPS = 100
# A relaxation that carries the ligand further than this (Å) found another pose, not this one's relaxed form.
MOST_MOVED = 2.5
# Heavy atoms closer than this share of their van der Waals radii clash: PoseBusters' limit.
CLASH = 0.75
BACKBONE = {"N", "CA", "C", "O", "OXT"}
GPU_PLATFORMS = ("CUDA", "HIP", "OpenCL")


class Refine:
    """Relaxes the pose of ``row`` (mol, atom_map, pose) in its pocket."""

    def __init__(self, settings: ReceptorSettings) -> None:
        RDLogger.DisableLog("rdApp.*")  # its own process: nobody else reads RDKit's log there
        self.residues = receptor_residues(settings.path, settings.receptor_sha256)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Relax one pose."""
        ligand = with_hydrogens(row)
        try:
            site = cut(self.residues, ligand.GetConformer().GetPositions(), POCKET)
        except ValueError as error:  # no amino acid there, or atoms that make no valid molecule
            return {"outcome": Outcome.no_force_field, "reason": str(error)[:200]}
        problem = _unknown(ligand, site)
        if problem:
            return {"outcome": Outcome.no_force_field, "reason": problem}
        started = time.perf_counter()
        made = _relaxed(row, ligand, site.mol)
        return {**made, "engine_s": time.perf_counter() - started}


def _unknown(ligand: Chem.Mol, site: Pocket) -> str:
    """What the force field does not know; empty where it knows all."""
    if site.omitted:
        return f"the pocket holds {', '.join(residue.label for residue in site.omitted)}"
    parts = (("ligand", ligand), ("pocket", site.mol))
    unknown = [name for name, mol in parts if not rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol)]
    return f"MMFF94 has no type for an atom of the {unknown[0]}" if unknown else ""


def _relaxed(row: Mapping[str, Any], ligand: Chem.Mol, pocket: Chem.Mol) -> dict[str, Any]:
    """Minimise, and judge what came out."""
    atoms, docked = ligand.GetNumAtoms(), Chem.CombineMols(ligand, pocket)
    complex_ = Chem.Mol(docked)
    Chem.SanitizeMol(complex_)
    before, after, converged = _minimise(complex_, _fixed(ligand, pocket))
    old, new = (mol.GetConformer().GetPositions()[_heavy(ligand)] for mol in (docked, complex_))
    moved = float(np.sqrt(((new - old) ** 2).sum(axis=1).mean()))
    if not np.isfinite([before, after]).all() or moved > MOST_MOVED or after > before:
        reason = f"energy {before:.4g} to {after:.4g} kcal/mol, ligand moved {moved:.1f} Å"
        return {"outcome": Outcome.implausible, "reason": reason}
    return {
        "outcome": Outcome.ok,
        "refined": _pose(row, ligand, complex_.GetConformer().GetPositions()),
        "moved": moved,
        "clashes_before": clashes(docked, atoms),
        "clashes_after": clashes(complex_, atoms),
        "energy_drop": before - after,
        "interaction_energy": _interaction(complex_, ligand, pocket),
        "converged": converged,
    }


def _heavy(mol: Chem.Mol) -> list[int]:
    return [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]


def _field(mol: Chem.Mol) -> Any:
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol, mmffVariant="MMFF94s")
    properties.SetMMFFDielectricModel(1)  # 4 r: the nearest there is to a solvent without one
    properties.SetMMFFDielectricConstant(4.0)
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
        mol, properties, nonBondedThresh=NONBONDED, ignoreInterfragInteractions=False
    )
    field.Initialize()
    return field


def _fixed(ligand: Chem.Mol, pocket: Chem.Mol) -> list[int]:
    """Atoms of the complex that stand still: backbone, and all that is far from the ligand."""
    from scipy.spatial import KDTree

    reach = KDTree(ligand.GetConformer().GetPositions()[_heavy(ligand)])
    far = reach.query(pocket.GetConformer().GetPositions())[0] > FREE
    still = []
    for atom in pocket.GetAtoms():
        backbone = atom.GetAtomicNum() > 1 and atom.GetPDBResidueInfo().GetName().strip() in BACKBONE
        if far[atom.GetIdx()] or backbone:
            still.append(ligand.GetNumAtoms() + atom.GetIdx())
    return still


def _minimise(mol: Chem.Mol, fixed: list[int]) -> tuple[float, float, bool]:
    """Energies (kcal/mol) before and after, and whether it converged; moves the molecule's conformer."""
    field = _field(mol)
    for index in fixed:
        field.AddFixedPoint(index)
    before = float(field.CalcEnergy())
    more_needed = field.Minimize(maxIts=STEPS, forceTol=1e-2, energyTol=1e-4)
    return before, float(field.CalcEnergy()), not more_needed


def _interaction(complex_: Chem.Mol, ligand: Chem.Mol, pocket: Chem.Mol) -> float:
    xyz, atoms = complex_.GetConformer().GetPositions(), ligand.GetNumAtoms()
    parts = []
    for mol, places in ((ligand, xyz[:atoms]), (pocket, xyz[atoms:])):
        alone = Chem.Mol(mol)
        alone.GetConformer().SetPositions(places)
        parts.append(float(_field(alone).CalcEnergy()))
    return float(_field(complex_).CalcEnergy()) - sum(parts)


def _pose(row: Mapping[str, Any], ligand: Chem.Mol, xyz: np.ndarray) -> list[float]:
    """Coordinates in the order of atom_map; glue atoms of an opened macrocycle stay where they were docked."""
    pose = np.array(row["pose"], np.float32).reshape(-1, 3)
    now = {atom.GetIntProp(PREPARED): atom.GetIdx() for atom in ligand.GetAtoms() if atom.HasProp(PREPARED)}
    for at, index in enumerate(row["atom_map"]):
        if index >= 0:
            pose[at] = xyz[now[index]]
    return [float(value) for value in pose.ravel()]


def clashes(complex_: Chem.Mol, ligand_atoms: int) -> int:
    """Pairs of heavy atoms, one of the ligand (the first atoms) and one of the pocket, that are too close."""
    table, heavy = Chem.GetPeriodicTable(), _heavy(complex_)
    radii = np.array([table.GetRvdw(complex_.GetAtomWithIdx(at).GetAtomicNum()) for at in heavy])
    xyz = complex_.GetConformer().GetPositions()[heavy]
    mine = np.array(heavy) < ligand_atoms
    apart = np.linalg.norm(xyz[mine][:, None] - xyz[~mine][None], axis=-1)
    return int((apart < CLASH * (radii[mine][:, None] + radii[~mine][None])).sum())


def dynamics() -> tuple[str, str]:
    """Why molecular dynamics of the complex was not run, in English and Chinese.

    A CPU core makes 0.25 ns a day of it, and no ligand force field for OpenMM is among this project's packages.
    """
    from openmm import Platform

    found = [Platform.getPlatform(at).getName() for at in range(Platform.getNumPlatforms())]
    gpu = [name for name in found if name in GPU_PLATFORMS]
    if not gpu:
        return "OpenMM finds no GPU platform here", "此处 OpenMM 未找到 GPU 平台"
    return f"{gpu[0]} is there, but no force field for ligands", f"已有 {gpu[0]}，但缺少配体力场"
