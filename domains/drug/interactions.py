"""What a docked pose touches: interactions by ProLIF, or contacts by distance where chemistry is not known.

The receptor's hydrogens and bond orders are rebuilt around each pose (``pocket.cut``), as a docking receptor has polar
hydrogens at most. Each interaction names its atoms, so that pictures can draw it.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from rdkit import Chem, RDLogger

from domains.drug import pocket, protein
from domains.drug.hits import placed
from domains.drug.outcomes import Outcome
from domains.drug.poses import ReceptorSettings, receptor_residues

PROLIF, DISTANCE = "prolif", "distance"
CONTACT = "Contact"
# What ProLIF finds, without VdWContact: that one comes with nearly every residue of a pocket.
KINDS = (
    "HBDonor", "HBAcceptor", "Anionic", "Cationic", "PiStacking", "CationPi", "PiCation", "XBDonor", "XBAcceptor",
    "MetalDonor", "MetalAcceptor", "Hydrophobic",
)  # fmt: skip
# Å around the ligand whose residues are rebuilt; ProLIF itself looks at 6.
REBUILT = 8.0
# Å between heavy atoms that count as a contact where only distances are known.
TOUCHING = 4.0

PREPARED = "prepared"

INTERACTION = pa.struct(
    [
        ("residue", pa.string()),  # such as GLU166.A
        ("kind", pa.string()),  # of KINDS as the ligand sees it (HBDonor: the ligand donates), or Contact
        ("distance", pa.float32()),  # Å
        ("ligand_atoms", pa.list_(pa.int32())),  # heavy atoms, numbered as in ``hits.posed``
        ("receptor_atoms", pa.list_(pa.string())),  # names of heavy atoms
    ]
)
OUTPUT = pa.schema([("interactions", pa.list_(INTERACTION)), ("interactions_by", pa.string())])


class Interactions:
    """Interactions of the pose of ``row`` (mol, atom_map, pose) with a receptor."""

    def __init__(self, settings: ReceptorSettings) -> None:
        RDLogger.DisableLog("rdApp.*")  # its own process: nobody else reads RDKit's log there
        with warnings.catch_warnings(record=True):  # MDAnalysis's own, while it loads
            import prolif

        self.prolif = prolif
        self.fingerprint = prolif.Fingerprint(list(KINDS))
        self.residues = receptor_residues(settings.path, settings.receptor_sha256)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Interactions of one pose, and how they were found."""
        mol = with_hydrogens(row)
        around = mol.GetConformer().GetPositions()
        try:
            site = pocket.cut(self.residues, around, REBUILT)
        except ValueError:  # no amino acid there, or atoms that make no valid molecule
            found, by = contacts(mol, protein.near(self.residues, around, TOUCHING)), DISTANCE
        else:
            found, by = [*self._by_prolif(mol, site), *contacts(mol, site.omitted)], PROLIF
        found.sort(key=lambda one: (_order(one["kind"]), one["residue"], one["distance"]))
        return {"outcome": Outcome.ok, "interactions": found, "interactions_by": by}

    def _by_prolif(self, mol: Chem.Mol, site: pocket.Pocket) -> list[dict[str, Any]]:
        ligand = self.prolif.Molecule.from_rdkit(mol)
        receptor = self.prolif.Molecule.from_rdkit(site.mol)
        seen = self.fingerprint.generate(ligand, receptor, residues="all", metadata=True)
        return [
            {
                "residue": site.residues[residue.number - 1].label,
                "kind": kind,
                "distance": float(one["distance"]),
                "ligand_atoms": _heavy(mol, one["parent_indices"]["ligand"]),
                "receptor_atoms": [
                    site.mol.GetAtomWithIdx(at).GetPDBResidueInfo().GetName().strip()
                    for at in _heavy(site.mol, one["parent_indices"]["protein"])
                ],
            }
            for (_, residue), kinds in seen.items()
            for kind, ones in kinds.items()
            for one in ones
        ]


def _order(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _heavy(mol: Chem.Mol, indices: tuple[int, ...]) -> list[int]:
    return [int(at) for at in indices if mol.GetAtomWithIdx(int(at)).GetAtomicNum() > 1]


def with_hydrogens(row: Mapping[str, Any]) -> Chem.Mol:
    """The docked molecule, heavy atoms first, with polar hydrogens as docked and the others placed again.

    Atoms that were docked keep their number in ``row["mol"]`` as the property PREPARED.
    Docking moves polar hydrogens only; the others still stand where the free conformer had them.
    """
    mol, docked = placed(row), set(row["atom_map"])
    for atom in mol.GetAtoms():
        atom.SetIntProp(PREPARED, atom.GetIdx())
        atom.SetAtomMapNum(int(atom.GetIdx() in docked))
    made = Chem.RemoveHs(mol, _all_but_mapped())
    for atom in made.GetAtoms():
        atom.SetAtomMapNum(0)
    heavy_first = sorted(range(made.GetNumAtoms()), key=lambda at: made.GetAtomWithIdx(at).GetAtomicNum() == 1)
    return Chem.AddHs(Chem.RenumberAtoms(made, heavy_first), addCoords=True)


def _all_but_mapped() -> Chem.RemoveHsParameters:
    """RDKit's own removal: it keeps the count of a chiral centre's hydrogens, which taking out atoms does not."""
    chosen = Chem.RemoveHsParameters()
    chosen.removeMapped = False
    chosen.removeIsotopes = chosen.removeDefiningBondStereo = True
    return chosen


def contacts(mol: Chem.Mol, residues: Iterable[protein.Residue]) -> list[dict[str, Any]]:
    """The closest pair of heavy atoms with each of these residues, where it is within TOUCHING."""
    heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    ligand = mol.GetConformer().GetPositions()[heavy]
    found: list[dict[str, Any]] = []
    for residue in residues:
        apart = np.linalg.norm(ligand[:, None] - residue.at(*residue.heavy)[None], axis=-1)
        if apart.size and apart.min() <= TOUCHING:
            one, other = np.unravel_index(int(apart.argmin()), apart.shape)
            found.append(
                {
                    "residue": residue.label,
                    "kind": CONTACT,
                    "distance": float(apart.min()),
                    "ligand_atoms": [heavy[int(one)]],
                    "receptor_atoms": [residue.heavy[int(other)]],
                }
            )
    return found
