"""ABL1 with imatinib as in the crystal (1IEP), as a stage would hand it over; tests skip where the data is not."""

import gzip
import hashlib

from rdkit import Chem

from domains.drug.pdbqt import by_meeko
from domains.drug.poses import ReceptorSettings
from domains.drug.vina import DockSettings
from tests.public_data import public_data

RECEPTOR, LIGAND = "drug/1iep_receptorH.pdb.gz", "drug/1iep_ligand.sdf"


def receptor_pdb():
    """The receptor with all its hydrogens; the file has one atom out of place, which comes home here."""
    atoms = [
        line for line in gzip.decompress(public_data(RECEPTOR).read_bytes()).decode().splitlines() if line[:4] == "ATOM"
    ]
    atoms.sort(key=lambda line: (line[21], int(line[22:26])))
    return "\n".join([*atoms, "END", ""])


def crystal():
    """Imatinib in the crystal, without hydrogens."""
    return Chem.RemoveHs(Chem.MolFromMolFile(str(public_data(LIGAND))))


def crystal_row():
    """The crystal's pose as a docked row: mol, atom_map and pose."""
    mol = Chem.MolFromMolFile(str(public_data(LIGAND)), removeHs=False)
    xyz = mol.GetConformer().GetPositions()
    return {
        "mol": mol.ToBinary(Chem.PropertyPickleOptions.NoProps),
        "atom_map": list(range(mol.GetNumAtoms())),
        "pose": xyz.ravel().tolist(),
    }


def shifted(row, by):
    """The same pose moved by x, y, z (Å)."""
    return {**row, "pose": [value + by[at % 3] for at, value in enumerate(row["pose"])]}


def receptor_settings(folder):
    """The receptor as a file, for the engines that read one."""
    path = folder / "abl1.pdb"
    path.write_text(receptor_pdb())
    return ReceptorSettings(receptor_sha256=hashlib.sha256(path.read_bytes()).hexdigest(), path=path)


def abl1_settings(folder, search):
    """Dock into 22 Å around the crystal's ligand."""
    path = folder / "abl1.pdbqt"
    path.write_text(by_meeko(receptor_pdb()))
    x, y, z = crystal().GetConformer().GetPositions().mean(axis=0).tolist()
    return DockSettings(
        receptor="abl1", receptor_sha256=hashlib.sha256(path.read_bytes()).hexdigest(), path=path,
        center=(x, y, z), size=(22.0, 22.0, 22.0), search=search, seed=42,
    )  # fmt: skip
