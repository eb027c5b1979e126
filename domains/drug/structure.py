"""Protein structures: the biological assembly of a PDB file, its residues, and the ligand that marks the site."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdmolops

from domains.errors import InvalidRequest


def assembly(text: str, chains: Sequence[str]) -> Any:
    """The biological assembly as a gemmi model: the file's REMARK 350 if it has one, else the file as it is.

    Only the named chains stay; hydrogens and all but the first of alternative conformations are left out.
    Raises InvalidRequest when a chain is missing.
    """
    import gemmi  # here: only runs that build a structure need it

    structure = gemmi.read_pdb_string(text)
    if structure.assemblies:
        structure.transform_to_assembly(structure.assemblies[0].name, gemmi.HowToNameCopiedChain.Short)
    if any(site.atom.has_altloc() for site in structure[0].all()):  # else it would take atoms of one name for one atom
        structure.remove_alternative_conformations()
    structure.remove_hydrogens()
    structure.merge_chain_parts()
    model = structure[0]
    missing = [chain for chain in chains if chain not in {one.name for one in model}]
    if missing:
        there = ", ".join(one.name for one in model)
        raise InvalidRequest("target", "structure", f"it has no chain {', '.join(missing)}", f"chains {there}")
    return model


def _is_protein(residue: Any) -> bool:
    import gemmi

    return bool(gemmi.find_tabulated_residue(residue.name).is_amino_acid())


def protein(model: Any, chains: Sequence[str]) -> str:
    """The amino acids of these chains as PDB text: no waters, ions or ligands."""
    import gemmi

    kept = gemmi.Structure()
    kept.add_model(gemmi.Model(1))
    for name in chains:
        chain = gemmi.Chain(name)
        for residue in filter(_is_protein, model[name]):
            chain.add_residue(residue)
        kept[0].add_chain(chain)
    kept.setup_entities()
    return str(kept.make_pdb_string(gemmi.PdbWriteOptions(minimal=True)))


def residues(model: Any, chains: Sequence[str]) -> dict[str, dict[int, str]]:
    """One-letter codes by chain and residue number."""
    import gemmi

    return {
        name: {
            residue.seqid.num: gemmi.find_tabulated_residue(residue.name).one_letter_code.upper()
            for residue in filter(_is_protein, model[name])
        }
        for name in chains
    }


def ligand(model: Any, chain: str, name: str) -> Any:
    """The residue of this name in this chain (blank chains are written as "")."""
    found = next((one for one in model[chain] if one.name == name), None)
    if found is None:
        raise InvalidRequest("target", "structure", f"it has no ligand {name} in chain {chain}")
    return found


def centre(residue: Any) -> tuple[float, float, float]:
    """The mean position (Å) of its atoms, to 0.01 Å."""
    x, y, z = np.array([atom.pos.tolist() for atom in residue]).mean(axis=0).round(2).tolist()
    return x, y, z


def posed_ligand(residue: Any, smiles: str) -> Chem.Mol:
    """The crystal ligand as a molecule at its place: coordinates from the file, bond orders from the SMILES.

    Raises ValueError when the two are not the same molecule.
    """
    lines = [
        f"HETATM{number:5d} {atom.name:<4s} LIG A   1    {atom.pos.x:8.3f}{atom.pos.y:8.3f}{atom.pos.z:8.3f}  1.00  0.00"
        f"          {atom.element.name:>2s}"
        for number, atom in enumerate(residue, 1)
    ]
    from rdkit.Chem.AllChem import AssignBondOrdersFromTemplate

    with rdBase.BlockLogs():
        # Bonds by distance: files leave CONECT records out, or number them by another file's atoms.
        bare = Chem.MolFromPDBBlock("\n".join([*lines, "END"]), removeHs=False, sanitize=False)
        mol = AssignBondOrdersFromTemplate(Chem.MolFromSmiles(smiles), bare)
    rdmolops.AssignStereochemistryFrom3D(mol)
    return mol
