"""A receptor file, PDB or PDBQT, as residues whose chemistry is known.

Prepared receptors write residue names in many dialects (HID, CYX, NMA), so a residue is known by its atoms and not by its
name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdchem

AUTODOCK = {"A": "C", "HD": "H", "HS": "H", "NA": "N", "NS": "N", "OA": "O", "OS": "O", "SA": "S"}
# Charges that these ions have in most proteins.
IONS = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Mn": 2, "Fe": 2, "Co": 2, "Ni": 2, "Cu": 2, "Zn": 2, "Cl": -1}
SINGLE, DOUBLE = Chem.BondType.SINGLE, Chem.BondType.DOUBLE


@dataclass(frozen=True, eq=False)
class Residue:
    """Atoms of one residue: names, elements, coordinates (n, 3) in Å; ``kind`` is None where its chemistry is not known.

    ``number`` keeps its insertion code: thrombin has a Tyr60A beside residue 60.
    """

    name: str
    number: str
    chain: str
    names: tuple[str, ...]
    elements: tuple[str, ...]
    xyz: np.ndarray

    @property
    def label(self) -> str:
        """Such as ``GLU166.A``."""
        return f"{self.name}{self.number}" + (f".{self.chain}" if self.chain else "")

    @cached_property
    def heavy(self) -> tuple[str, ...]:
        """Names of its atoms without hydrogens."""
        return tuple(name for name, element in zip(self.names, self.elements, strict=True) if element != "H")

    @cached_property
    def kind(self) -> str | None:
        """An amino acid, cap, HOH or ION; a side chain cut short counts as what it is named."""
        if len(self.heavy) == 1:
            element = self.elements[self.names.index(self.heavy[0])]
            return "ION" if element in IONS else "HOH" if element == "O" else None
        heavy = frozenset(self.heavy) - {"OXT"}
        named = templates().get(self.name)
        short = named is not None and {"N", "CA", "C"} <= heavy <= frozenset(named.atoms)
        return _by_atoms().get(heavy) or (self.name if short else None)

    def at(self, *names: str) -> np.ndarray:
        """Where the atoms of these names are (n, 3)."""
        return np.asarray(self.xyz[[self.names.index(name) for name in names]])


@dataclass(frozen=True)
class Template:
    """Atoms of a residue and the bonds between them with their orders."""

    atoms: tuple[str, ...]
    bonds: tuple[tuple[str, str, rdchem.BondType], ...]


@cache
def templates() -> dict[str, Template]:
    """The twenty amino acids as RDKit knows them, and the two caps of cut chains."""
    sequence = Chem.MolFromSequence("ARNDCQEGHILKMFPSTWYVG")
    Chem.Kekulize(sequence, clearAromaticFlags=True)
    made = {
        "ACE": Template(("CH3", "C", "O"), (("CH3", "C", SINGLE), ("C", "O", DOUBLE))),
        "NMA": Template(("N", "CA"), (("N", "CA", SINGLE),)),
    }
    by_number: dict[int, list[rdchem.Atom]] = {}
    for atom in sequence.GetAtoms():
        by_number.setdefault(atom.GetPDBResidueInfo().GetResidueNumber(), []).append(atom)
    for atoms in by_number.values():
        name = atoms[0].GetPDBResidueInfo().GetResidueName().strip()
        # RDKit 2026.9 hangs the last carbon of isoleucine on CG2; in every PDB file it is on CG1.
        swapped = {"CG1": "CG2", "CG2": "CG1"} if name == "ILE" else {}
        given = {atom.GetIdx(): atom.GetPDBResidueInfo().GetName().strip() for atom in atoms}
        names = {at: swapped.get(one, one) for at, one in given.items()}
        bonds = {bond.GetIdx(): bond for atom in atoms for bond in atom.GetBonds()}.values()
        ends = [(names.get(b.GetBeginAtomIdx(), ""), names.get(b.GetEndAtomIdx(), ""), b.GetBondType()) for b in bonds]
        made.setdefault(name, Template(tuple(names.values()), tuple(end for end in ends if end[0] and end[1])))
    return made


@cache
def _by_atoms() -> dict[frozenset[str], str]:
    return {frozenset(one.atoms): name for name, one in templates().items()}


def read(text: str) -> list[Residue]:
    """Residues of a PDB or PDBQT text, in order: the first model, and of each residue one alternative location.

    That is the one that comes first, which is the fullest one in files of the PDB archive; atoms without a mark belong to all.
    """
    found: dict[tuple[str, str, str, int], list[tuple[str, str, list[float]]]] = {}
    copies: dict[tuple[str, str, str], int] = {}
    locations: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        if line.startswith("ENDMDL"):
            break
        if not line.startswith(("ATOM", "HETATM")):
            continue
        name, element = line[12:16].strip(), _element(line)
        key = (line[17:20].strip(), line[21].strip(), line[22:27].strip())
        if line[16] != " " and locations.setdefault(key[1:], line[16]) != line[16]:
            continue
        copy = copies.setdefault(key, 0)
        if element != "H" and any(name == one[0] for one in found.get((*key, copy), [])):
            copies[key] = copy = copy + 1  # chains without a letter repeat their numbers
        place = [float(line[30:38]), float(line[38:46]), float(line[46:54])]
        found.setdefault((*key, copy), []).append((name, element, place))
    return [_residue(name, chain, number, atoms) for (name, chain, number, _), atoms in found.items()]


def _residue(name: str, chain: str, number: str, atoms: list[tuple[str, str, list[float]]]) -> Residue:
    names, elements, places = zip(*atoms, strict=True)
    return Residue(name, number, chain, names, elements, np.array(places))


def _element(line: str) -> str:
    if "." in line[70:76]:  # a partial charge there: PDBQT, whose atom type follows
        kind = line[77:80].strip()
        return AUTODOCK.get(kind, kind.capitalize())
    written, first = line[76:78].strip().capitalize(), line[12:14].strip(" 0123456789").capitalize()
    # A file without elements: "CA" in columns 13 and 14 is calcium, in 14 and 15 a carbon; hydrogens such as HG11 use all four.
    return written or (first if line.startswith("HETATM") and first in IONS else first[:1])


def near(residues: Iterable[Residue], around: np.ndarray, within: float) -> list[Residue]:
    """Residues with an atom within this distance (Å) of one of these places (n, 3)."""
    low, high = around.min(axis=0) - within, around.max(axis=0) + within

    def reaches(xyz: np.ndarray) -> bool:
        xyz = xyz[((xyz >= low) & (xyz <= high)).all(axis=1)]
        apart = np.linalg.norm(xyz[:, None] - around[None], axis=-1)
        return bool(apart.size) and bool(apart.min() <= within)

    return [residue for residue in residues if reaches(residue.xyz)]
