"""A receptor file as residues, and the pocket around a ligand as a molecule with bond orders and all hydrogens.

Docking needs atom types only; interactions, strain and pictures need chemistry. A prepared receptor has polar hydrogens at
most and residue names of many dialects (HID, CYX, NMA), so a residue is known by its atoms and not by its name, and its
protonation by the hydrogens it has.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdchem

AUTODOCK = {"A": "C", "HD": "H", "HS": "H", "NA": "N", "NS": "N", "OA": "O", "OS": "O", "SA": "S"}
IONS = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Mn": 2, "Fe": 2, "Co": 2, "Ni": 2, "Cu": 2, "Zn": 2, "Cl": -1}
CARBOXYL = {"ASP": ("CG", "OD1", "OD2"), "GLU": ("CD", "OE1", "OE2")}
# Longest bond between residues (Å): peptide C-N is 1.33, a disulfide 2.05.
PEPTIDE, DISULFIDE, TO_HYDROGEN = 2.0, 2.5, 1.35
SINGLE, DOUBLE = Chem.BondType.SINGLE, Chem.BondType.DOUBLE


@dataclass(frozen=True, eq=False)
class Residue:
    """Atoms of one residue: names, elements, coordinates (n, 3) in Å; ``kind`` is None where its chemistry is not known."""

    name: str
    number: int
    chain: str
    names: tuple[str, ...]
    elements: tuple[str, ...]
    xyz: np.ndarray

    @property
    def label(self) -> str:
        """Such as ``GLU166.A``."""
        return f"{self.name}{self.number}" + (f".{self.chain}" if self.chain else "")

    @property
    def heavy(self) -> tuple[str, ...]:
        """Names of its atoms without hydrogens."""
        return tuple(name for name, element in zip(self.names, self.elements, strict=True) if element != "H")

    @property
    def kind(self) -> str | None:
        """An amino acid, cap, HOH or ION; a side chain cut short counts as what it is named."""
        heavy = frozenset(self.heavy) - {"OXT"}
        if len(heavy) == 1 and self.elements[0] in IONS:
            return "ION"
        if len(self.heavy) == 1 and self.elements[self.names.index(self.heavy[0])] == "O":
            return "HOH"
        known = {frozenset(one.atoms): name for name, one in templates().items()}
        named = templates().get(self.name)
        short = named is not None and {"N", "CA", "C"} <= heavy <= frozenset(named.atoms)
        return known.get(heavy) or (self.name if short else None)

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


def read(text: str) -> list[Residue]:
    """Residues of a PDB or PDBQT text, in order; first model and first alternative location only."""
    found: dict[tuple[str, str, str, int], list[tuple[str, str, list[float]]]] = {}
    copies: dict[tuple[str, str, str], int] = {}
    for line in text.splitlines():
        if line.startswith("ENDMDL"):
            break
        if not line.startswith(("ATOM", "HETATM")) or line[16] not in " A":
            continue
        name, element = line[12:16].strip(), _element(line)
        key = (line[17:20].strip(), line[21].strip(), line[22:27].strip())
        copy = copies.setdefault(key, 0)
        if element != "H" and any(name == one[0] for one in found.get((*key, copy), [])):
            copies[key] = copy = copy + 1  # chains without a letter repeat their numbers
        place = [float(line[30:38]), float(line[38:46]), float(line[46:54])]
        found.setdefault((*key, copy), []).append((name, element, place))
    return [_residue(name, chain, number, atoms) for (name, chain, number, _), atoms in found.items()]


def _residue(name: str, chain: str, number: str, atoms: list[tuple[str, str, list[float]]]) -> Residue:
    names, elements, places = zip(*atoms, strict=True)
    digits = "".join(sign for sign in number if sign in "-0123456789")
    return Residue(name, int(digits or 0), chain, names, elements, np.array(places))


def _element(line: str) -> str:
    if "." in line[70:76]:  # a partial charge there: PDBQT, whose atom type follows
        kind = line[77:80].strip()
        return AUTODOCK.get(kind, kind.capitalize())
    return line[76:78].strip().capitalize() or line[12:14].strip(" 0123456789").capitalize()[:1]


@dataclass(frozen=True, eq=False)
class Pocket:
    """Residues around a ligand as one molecule; ``omitted`` have no known chemistry and are not in it.

    Where the chain leaves the pocket, the next residue's backbone closes it, so that no bond is left open.
    """

    mol: Chem.Mol
    residues: tuple[Residue, ...]
    omitted: tuple[Residue, ...]


def near(residues: Iterable[Residue], around: np.ndarray, within: float) -> list[Residue]:
    """Residues with an atom within this distance (Å) of one of these places (n, 3)."""
    low, high = around.min(axis=0) - within, around.max(axis=0) + within

    def reaches(xyz: np.ndarray) -> bool:
        xyz = xyz[((xyz >= low) & (xyz <= high)).all(axis=1)]
        apart = np.linalg.norm(xyz[:, None] - around[None], axis=-1)
        return bool(apart.size) and bool(apart.min() <= within)

    return [residue for residue in residues if reaches(residue.xyz)]


def pocket(residues: list[Residue], around: np.ndarray, within: float) -> Pocket:
    """The pocket around these places (n, 3) in Å; raises ValueError where none of its residues is known."""
    chosen = near(residues, around, within)
    known = [residue for residue in chosen if residue.kind]
    if not known:
        raise ValueError(f"no amino acid within {within:g} Å of the ligand")
    inside = {id(residue) for residue in known}
    parts: dict[int, tuple[Residue, set[str]]] = {id(residue): (residue, set(residue.names)) for residue in known}
    links = list(_peptides(residues))
    for before, after in links:
        if id(before) in inside and id(after) not in inside:
            parts.setdefault(id(after), (after, set()))[1].update({"N", "CA"})
        if id(after) in inside and id(before) not in inside:
            parts.setdefault(id(before), (before, set()))[1].update({"CA", "CH3", "C", "O"})
    builder = _Builder(any("H" in residue.elements for residue in residues))
    for residue, names in parts.values():
        builder.add(residue, names)
    builder.link([(before, after) for before, after in links if id(before) in parts and id(after) in parts])
    return Pocket(builder.mol(), tuple(known), tuple(residue for residue in chosen if not residue.kind))


def _peptides(residues: list[Residue]) -> Iterator[tuple[Residue, Residue]]:
    """Pairs of neighbours that a peptide bond joins."""
    ends = [(residue, residue.at("C")[0]) for residue in residues if residue.kind and "C" in residue.names]
    starts = [(residue, residue.at("N")[0]) for residue in residues if residue.kind and "N" in residue.names]
    if not ends or not starts:
        return
    from scipy.spatial import KDTree

    carbons, nitrogens = np.array([xyz for _, xyz in ends]), np.array([xyz for _, xyz in starts])
    distances, nearest = KDTree(nitrogens).query(carbons, distance_upper_bound=PEPTIDE)
    for (before, _), distance, at in zip(ends, distances, nearest, strict=True):
        if np.isfinite(distance) and starts[at][0] is not before:
            yield before, starts[at][0]


def bare(residues: Iterable[Residue]) -> Chem.Mol:
    """All heavy atoms as they stand, without bonds; what is not an amino acid carries PDB's mark of a hetero atom."""
    editable, places = Chem.RWMol(), []
    for residue in residues:
        name = "HOH" if residue.kind == "HOH" else residue.name
        for at, element in enumerate(residue.elements):
            if element != "H":
                atom = Chem.Atom(element)
                atom.SetNoImplicit(True)
                info = _info(f" {residue.names[at]:<3}"[:4], name, residue.number, residue.chain)
                info.SetIsHeteroAtom(residue.kind in (None, "HOH", "ION"))
                atom.SetMonomerInfo(info)
                editable.AddAtom(atom)
                places.append(residue.xyz[at])
    conformer = Chem.Conformer(len(places))
    conformer.SetPositions(np.array(places).reshape(-1, 3))
    editable.AddConformer(conformer)
    return editable.GetMol()


def _info(name: str, residue: str, number: int, chain: str) -> Chem.AtomPDBResidueInfo:
    return Chem.AtomPDBResidueInfo(name, 0, "", residue, number, chain, "", 1.0, 0.0, False)


class _Builder:
    """Puts residues together atom by atom."""

    def __init__(self, has_hydrogens: bool) -> None:
        self.has_hydrogens = has_hydrogens
        self.editable = Chem.RWMol()
        self.index: dict[tuple[int, str], int] = {}
        self.places: list[np.ndarray] = []
        self.sulfurs: list[int] = []

    def add(self, residue: Residue, names: set[str]) -> None:
        """Take a residue's atoms of these names, with their bonds and hydrogens."""
        kind = residue.kind
        heavy = [at for at, name in enumerate(residue.names) if residue.elements[at] != "H" and name in names]
        for at in heavy:
            self.index[id(residue), residue.names[at]] = self._atom(residue, at)
        if kind in ("ION", "HOH"):
            atom = self.editable.GetAtomWithIdx(len(self.places) - 1)
            atom.SetFormalCharge(IONS[residue.elements[heavy[0]]] if kind == "ION" else 0)
            atom.SetNoImplicit(kind == "ION")
        for one, other, order in (*templates()[kind].bonds, ("C", "OXT", SINGLE)) if kind in templates() else ():
            if (id(residue), one) in self.index and (id(residue), other) in self.index:
                self.editable.AddBond(self.index[id(residue), one], self.index[id(residue), other], order)
        self._hydrogens(residue, heavy)
        self._protonate(residue, kind)
        if kind == "CYS" and (id(residue), "SG") in self.index:
            self.sulfurs.append(self.index[id(residue), "SG"])

    def _atom(self, residue: Residue, at: int) -> int:
        atom = Chem.Atom(residue.elements[at])
        name = f" {residue.names[at]:<3}"[:4]
        atom.SetMonomerInfo(_info(name, residue.name, residue.number, residue.chain))
        self.places.append(residue.xyz[at])
        return int(self.editable.AddAtom(atom))

    def _hydrogens(self, residue: Residue, heavy: list[int]) -> None:
        for at, element in enumerate(residue.elements):
            if element != "H" or not heavy:
                continue
            apart = np.linalg.norm(residue.xyz[heavy] - residue.xyz[at], axis=1)
            if apart.min() <= TO_HYDROGEN:
                holder = self.index[id(residue), residue.names[heavy[int(apart.argmin())]]]
                self.editable.AddBond(holder, self._atom(residue, at), SINGLE)

    def _held(self, residue: Residue, name: str) -> int:
        """Hydrogens that an atom has."""
        atom = self.editable.GetAtomWithIdx(self.index[id(residue), name])
        return sum(other.GetAtomicNum() == 1 for other in atom.GetNeighbors())

    def _order(self, residue: Residue, one: str, other: str, order: rdchem.BondType) -> None:
        bond = self.editable.GetBondBetweenAtoms(self.index[id(residue), one], self.index[id(residue), other])
        bond.SetBondType(order)

    def _charge(self, residue: Residue, name: str, charge: int) -> None:
        self.editable.GetAtomWithIdx(self.index[id(residue), name]).SetFormalCharge(charge)

    def _protonate(self, residue: Residue, kind: str | None) -> None:
        """Place double bonds and charges so that they agree with the hydrogens; without any, as at pH 7."""
        has = [name for name in residue.heavy if (id(residue), name) in self.index]
        carbon, *oxygens = CARBOXYL.get(kind or "", ("C", "O", "OXT"))
        for group in {(carbon, *oxygens), ("C", "O", "OXT")}:
            if set(group) <= set(has):
                bare, other = sorted(group[1:], key=lambda name: self._held(residue, name))
                self._order(residue, group[0], bare, DOUBLE)
                self._order(residue, group[0], other, SINGLE)
                self._charge(residue, other, 0 if self._held(residue, other) else -1)
        for amide in {("CG", "OD1", "ND2"), ("CD", "OE1", "NE2")}:
            if kind in ("ASN", "GLN") and set(amide) <= set(has) and self._held(residue, amide[1]):
                self._order(residue, *amide[:2], SINGLE)  # an imidic acid: some prepared receptors have it
                self._order(residue, amide[0], amide[2], DOUBLE)
        if kind == "ARG" and {"CZ", "NE", "NH1", "NH2"} <= set(has):
            nitrogens = ("NH2", "NH1", "NE")
            double = min(nitrogens, key=lambda name: self._held(residue, name))
            for name in nitrogens:
                self._order(residue, "CZ", name, DOUBLE if name == double else SINGLE)
            self._charge(residue, double, 0 if self.has_hydrogens else 1)
        if kind == "LYS" and "NZ" in has:
            self._charge(residue, "NZ", 0 if self.has_hydrogens else 1)
        if kind == "HIS" and {"CG", "ND1", "CD2", "CE1", "NE2"} <= set(has):
            delta, epsilon = (self._held(residue, name) > 0 for name in ("ND1", "NE2"))
            self._order(residue, "CG", "CD2", DOUBLE)
            self._order(residue, "CG", "ND1", SINGLE)
            self._order(residue, "CE1", "NE2", DOUBLE if delta and not epsilon else SINGLE)
            self._order(residue, "ND1", "CE1", SINGLE if delta and not epsilon else DOUBLE)

    def link(self, peptides: list[tuple[Residue, Residue]]) -> None:
        """Join residues by peptide and disulfide bonds."""
        for before, after in peptides:
            if (id(before), "C") in self.index and (id(after), "N") in self.index:
                self.editable.AddBond(self.index[id(before), "C"], self.index[id(after), "N"], SINGLE)
        for at, one in enumerate(self.sulfurs):
            for other in self.sulfurs[:at]:
                if np.linalg.norm(self.places[one] - self.places[other]) < DISULFIDE:
                    self.editable.AddBond(one, other, SINGLE)

    def mol(self) -> Chem.Mol:
        """The molecule with the hydrogens that were missing placed."""
        conformer = Chem.Conformer(len(self.places))
        conformer.SetPositions(np.array(self.places))
        self.editable.AddConformer(conformer)
        for atom in self.editable.GetAtoms():
            bonds = sum(int(bond.GetBondTypeAsDouble()) for bond in atom.GetBonds())
            if (atom.GetSymbol(), bonds) in (("N", 4), ("O", 3)):
                atom.SetFormalCharge(1)
        mol = self.editable.GetMol()
        Chem.SanitizeMol(mol)
        full = Chem.AddHs(mol, addCoords=True)
        for atom in full.GetAtoms():
            if atom.GetIdx() >= len(self.places):  # not by addResidueInfo, which takes minutes here
                held = atom.GetNeighbors()[0].GetPDBResidueInfo()
                atom.SetMonomerInfo(_info(" H  ", held.GetResidueName(), held.GetResidueNumber(), held.GetChainId()))
        return full
