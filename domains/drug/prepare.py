"""From SMILES to a 3D ligand in PDBQT: hydrogens, conformer, force-field relaxation, atom types."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from rdkit import Chem, RDLogger
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from domains.drug.outcomes import Outcome
from domains.model import Frozen

OUTPUT = pa.schema(
    [
        ("mol", pa.binary()),
        ("pdbqt", pa.string()),
        ("atom_map", pa.list_(pa.int32())),
        ("heavy_atoms", pa.int32()),
        ("torsions", pa.int32()),
    ]
)


class PrepareSettings(Frozen):
    """How conformers are made."""

    seed: int
    embed_attempts: int = 50
    relax_steps: int = 500


class Prepare:
    """Makes one conformer by ETKDGv3, relaxes it with MMFF94s (UFF where that has no types), and types it with Meeko.

    ``mol`` is the RDKit molecule with hydrogens and this conformer; ``atom_map[k]`` is the index in it of PDBQT atom k,
    so that a pose never has to be read back through PDBQT, which loses bond orders.
    """

    def __init__(self, settings: PrepareSettings) -> None:
        RDLogger.DisableLog("rdApp.*")  # its own process: nobody else reads RDKit's log there
        self.settings = settings
        # Imported here: it costs seconds and is needed in the engine's own process only.
        from meeko import MoleculePreparation, PDBQTWriterLegacy

        self.preparation, self.writer = MoleculePreparation(), PDBQTWriterLegacy

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Prepare the molecule of ``row["smiles"]``."""
        mol = Chem.AddHs(_heavy_first(Chem.MolFromSmiles(row["smiles"])))
        if not self._embed(mol):
            return {"outcome": Outcome.no_3d, "reason": f"no conformer in {self.settings.embed_attempts} attempts"}
        self._relax(mol)
        try:
            pdbqt, ok, message = self.writer.write_string(self.preparation.prepare(mol)[0], add_index_map=True)
        except (ValueError, RuntimeError, KeyError) as error:  # Se, Pt, As, Hg and other atoms without a type
            ok, message, pdbqt = False, str(error), ""
        if not ok:
            return {"outcome": Outcome.no_type, "reason": _untyped(mol, message)}
        return {
            "outcome": Outcome.ok,
            "mol": mol.ToBinary(Chem.PropertyPickleOptions.NoProps),
            "pdbqt": pdbqt,
            "atom_map": _atom_map(pdbqt),
            "heavy_atoms": mol.GetNumHeavyAtoms(),
            "torsions": int(pdbqt.rsplit("TORSDOF", 1)[1]),
        }

    def _embed(self, mol: Chem.Mol) -> bool:
        parameters = rdDistGeom.ETKDGv3()
        parameters.randomSeed = self.settings.seed
        parameters.maxIterations = self.settings.embed_attempts
        for random_coordinates in (False, True):
            parameters.useRandomCoords = random_coordinates
            if rdDistGeom.EmbedMolecule(mol, parameters) == 0:
                return True
        return False

    def _relax(self, mol: Chem.Mol) -> None:
        steps = self.settings.relax_steps
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.MMFFOptimizeMolecule(mol, mmffVariant="MMFF94s", maxIters=steps)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=steps)


def _heavy_first(mol: Chem.Mol) -> Chem.Mol:
    # RDKit keeps deuterium and the hydrogens of an imine's stereo as atoms of a SMILES; all that read poses count heavy atoms.
    order = sorted(range(mol.GetNumAtoms()), key=lambda at: mol.GetAtomWithIdx(at).GetAtomicNum() == 1)
    return Chem.RenumberAtoms(mol, order)


def _untyped(mol: Chem.Mol, message: str) -> str:
    numbers = {int(number) for number in re.findall(r"atom number (\d+) has None type", message)}
    symbols = sorted({mol.GetAtomWithIdx(number).GetSymbol() for number in numbers if number < mol.GetNumAtoms()})
    return f"no docking atom type for {', '.join(symbols)}" if symbols else message.splitlines()[0][:200]


def _atom_map(pdbqt: str) -> list[int]:
    """RDKit index of each PDBQT atom in order; -1 for the glue atoms that Meeko adds where it opens a macrocycle."""
    lines = pdbqt.splitlines()
    numbers = [int(n) for line in lines if line.startswith("REMARK INDEX MAP") for n in line.split()[3:]]
    index = dict(zip(numbers[1::2], numbers[0::2], strict=True))  # PDBQT serial -> RDKit index, both from 1
    return [index.get(int(line[6:11]), 0) - 1 for line in lines if line.startswith(("ATOM", "HETATM"))]


def cost(batch: pa.Table) -> np.ndarray:
    """Predicted seconds a molecule; embedding and relaxation grow with the square of its size. In: smiles."""
    characters = np.array([len(smiles) for smiles in batch["smiles"].to_pylist()], float)
    return 0.005 + 2e-5 * characters**2
