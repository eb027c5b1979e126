"""Rigid receptors as PDBQT: atom types by Meeko, or by our own rules where Meeko cannot read a residue.

Vina's scoring reads types and coordinates only, so the charges of our own writer are zero.
"""

import collections
import io
from collections.abc import Collection
from typing import Any, NamedTuple

AROMATIC = {
    "PHE": {"CG", "CD1", "CD2", "CE1", "CE2", "CZ"},
    "TYR": {"CG", "CD1", "CD2", "CE1", "CE2", "CZ"},
    "HIS": {"CG", "CD2", "CE1"},
    "TRP": {"CG", "CD1", "CD2", "CE2", "CE3", "CZ2", "CZ3", "CH2"},
}


class Receptor(NamedTuple):
    """PDBQT text, who typed it, and why it was not Meeko where it was not."""

    pdbqt: str
    writer: str
    reason: str = ""


def rigid_receptor(pdb: str) -> Receptor:
    """Type a protein with hydrogens given as PDB text, every residue of it."""
    try:
        return Receptor(by_meeko(pdb), "Meeko")
    except Exception as error:  # Meeko and RDKit raise many kinds; whichever it is, the reason is kept
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Receptor(by_rule(pdb), "own rules", reason[:200])


def by_meeko(pdb: str) -> str:
    """Type with Meeko; raises when it cannot, and ValueError when it would leave residues out."""
    from meeko import MoleculePreparation, PDBQTWriterLegacy, Polymer, ResidueChemTemplates

    templates = ResidueChemTemplates.create_from_defaults()
    # Without allow_bad_res the first residue it cannot read ends it with less to say.
    polymer = Polymer.from_pdb_string(pdb, templates, MoleculePreparation(), allow_bad_res=True)
    left_out = list(polymer.get_ignored_monomers())
    if left_out:
        raise ValueError(f"Meeko leaves out {len(left_out)} residues: {', '.join(map(str, left_out[:8]))}")
    return str(PDBQTWriterLegacy.write_from_polymer(polymer)[0])


def by_rule(pdb: str) -> str:
    """Type from the bonds of standard residues; raises ValueError at an element that has no type here."""
    from openmm import unit
    from openmm.app import PDBFile

    read = PDBFile(io.StringIO(pdb))
    bonded = collections.defaultdict(list)
    for one, other in read.topology.bonds():
        bonded[one.index].append(other)
        bonded[other.index].append(one)
    lines: list[str] = []
    for atom, (x, y, z) in zip(
        read.topology.atoms(), read.getPositions(asNumpy=True).value_in_unit(unit.angstrom), strict=True
    ):
        kind = atom_type(atom, bonded[atom.index])
        if kind is None:
            continue
        residue = atom.residue
        lines.append(
            f"ATOM  {(len(lines) + 1) % 100_000:5d} {atom.name if len(atom.name) > 3 else ' ' + atom.name:<4s} {residue.name:<3s} "
            f"{residue.chain.id[:1]}{residue.id:>4s}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00     0.000 {kind:<2s}"
        )
    return "\n".join(lines) + "\n"


def atom_type(atom: Any, bonded: Collection[Any]) -> str | None:
    """AutoDock type of an OpenMM atom; None for hydrogens on carbon, which are not written."""
    element, name, residue = atom.element.symbol, atom.name, atom.residue.name
    if element == "H":
        return "HD" if any(other.element.symbol in "NOS" for other in bonded) else None
    if element == "C":
        return "A" if name in AROMATIC.get(residue, ()) else "C"
    if element == "N":
        # The nitrogen of histidine without a hydrogen accepts one.
        bare = residue == "HIS" and name in ("ND1", "NE2") and all(other.element.symbol != "H" for other in bonded)
        return "NA" if bare else "N"
    if element in ("O", "S"):
        return f"{element}A"
    raise ValueError(f"no AutoDock type for {element} in {residue} {atom.residue.id}")
