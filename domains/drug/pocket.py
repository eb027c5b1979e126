"""The pocket around a ligand as one molecule with bond orders and all hydrogens.

Docking needs atom types only; interactions and relaxation need chemistry. A prepared receptor has polar hydrogens at most:
those tell how each residue is protonated, and the others are placed here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdchem

from domains.drug.protein import DOUBLE, IONS, SINGLE, Residue, near, templates

CARBOXYL = {"ASP": ("CG", "OD1", "OD2"), "GLU": ("CD", "OE1", "OE2")}
# Å, the longest that counts as a bond: peptide C-N is 1.33, a disulfide 2.05, S-H 1.34.
PEPTIDE, DISULFIDE, TO_HYDROGEN = 2.0, 2.5, 1.5

# Atoms of a neighbour that close the pocket, by the one that its bond goes to.
CLOSING = {"N": {"N", "CA"}, "C": {"CA", "CH3", "C", "O"}, "SG": {"CB", "SG"}}

# Two residues and the names of their atoms that a bond joins.
Link = tuple[Residue, Residue, tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Pocket:
    """Residues around a ligand as one molecule; ``omitted`` have no known chemistry and are not in it.

    Where the chain leaves the pocket, the next residue's backbone closes it, so that no bond is left open; so does the other
    half of a disulfide. Atoms of the molecule carry as residue number the place, from 1, of their residue in ``residues``:
    numbers of a file repeat, and RDKit has no place for insertion codes that others read.
    """

    mol: Chem.Mol
    residues: tuple[Residue, ...]
    omitted: tuple[Residue, ...]


def cut(residues: list[Residue], around: np.ndarray, within: float) -> Pocket:
    """Cut out the pocket around these places (n, 3) in Å; raises ValueError where none of its residues is known."""
    chosen = near(residues, around, within)
    known = [residue for residue in chosen if residue.kind]
    if not known:
        raise ValueError(f"no amino acid within {within:g} Å of the ligand")
    inside = {id(residue) for residue in known}
    parts: dict[int, tuple[Residue, set[str]]] = {id(residue): (residue, set(residue.names)) for residue in known}
    links = [*_peptides(residues), *_disulfides(residues)]
    for one, other, (end, start) in links:
        for mine, theirs, atom in ((one, other, start), (other, one, end)):
            if id(mine) in inside and id(theirs) not in inside:
                parts.setdefault(id(theirs), (theirs, set()))[1].update(CLOSING[atom])
    builder = _Builder(any("H" in residue.elements for residue in residues))
    for residue, names in parts.values():
        builder.add(residue, names)
    builder.link(links)
    members = tuple(residue for residue, _ in parts.values())
    return Pocket(builder.mol(), members, tuple(residue for residue in chosen if not residue.kind))


def _disulfides(residues: list[Residue]) -> Iterator[Link]:
    """Pairs of cysteines that a disulfide joins."""
    sulfurs = [residue for residue in residues if residue.kind == "CYS" and "SG" in residue.names]
    for at, one in enumerate(sulfurs):
        for other in sulfurs[:at]:
            if np.linalg.norm(one.at("SG") - other.at("SG")) < DISULFIDE:
                yield one, other, ("SG", "SG")


def _peptides(residues: list[Residue]) -> Iterator[Link]:
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
            yield before, starts[at][0], ("C", "N")


def bare(residues: Iterable[Residue]) -> Chem.Mol:
    """All heavy atoms as they stand, without bonds; what is not an amino acid carries PDB's mark of a hetero atom."""
    editable, places = Chem.RWMol(), []
    for residue in residues:
        name = "HOH" if residue.kind == "HOH" else residue.name
        for at, element in enumerate(residue.elements):
            if element != "H":
                atom = Chem.Atom(element)
                atom.SetNoImplicit(True)
                info = _info(f" {residue.names[at]:<3}"[:4], name, 0)
                info.SetIsHeteroAtom(residue.kind in (None, "HOH", "ION"))
                atom.SetMonomerInfo(info)
                editable.AddAtom(atom)
                places.append(residue.xyz[at])
    conformer = Chem.Conformer(len(places))
    conformer.SetPositions(np.array(places).reshape(-1, 3))
    editable.AddConformer(conformer)
    return editable.GetMol()


def _info(name: str, residue: str, number: int) -> Chem.AtomPDBResidueInfo:
    return Chem.AtomPDBResidueInfo(name, 0, "", residue, number, "", "", 1.0, 0.0, False)


class _Builder:
    """Puts residues together atom by atom."""

    def __init__(self, has_hydrogens: bool) -> None:
        self.has_hydrogens = has_hydrogens
        self.editable = Chem.RWMol()
        self.index: dict[tuple[int, str], int] = {}
        self.places: list[np.ndarray] = []
        self.residues = 0

    def add(self, residue: Residue, names: set[str]) -> None:
        """Take a residue's atoms of these names, with their bonds and hydrogens."""
        kind = residue.kind
        self.residues += 1
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

    def _atom(self, residue: Residue, at: int) -> int:
        atom = Chem.Atom(residue.elements[at])
        name = f" {residue.names[at]:<3}"[:4]
        atom.SetMonomerInfo(_info(name, residue.name, self.residues))
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
        if residue.name == "CYM" and "SG" in has:  # a thiolate, as on the iron of a haem
            self._charge(residue, "SG", -1)
        if kind == "HIS" and {"CG", "ND1", "CD2", "CE1", "NE2"} <= set(has):
            delta, epsilon = (self._held(residue, name) > 0 for name in ("ND1", "NE2"))
            self._order(residue, "CG", "CD2", DOUBLE)
            self._order(residue, "CG", "ND1", SINGLE)
            self._order(residue, "CE1", "NE2", DOUBLE if delta and not epsilon else SINGLE)
            self._order(residue, "ND1", "CE1", SINGLE if delta and not epsilon else DOUBLE)

    def link(self, links: Iterable[Link]) -> None:
        """Join the residues that are here by peptide and disulfide bonds."""
        for one, other, (end, start) in links:
            if (id(one), end) in self.index and (id(other), start) in self.index:
                self.editable.AddBond(self.index[id(one), end], self.index[id(other), start], SINGLE)

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
                atom.SetMonomerInfo(_info(" H  ", held.GetResidueName(), held.GetResidueNumber()))
        return full
