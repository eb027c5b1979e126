"""Large libraries of distinct, drug-like molecules: amides of the acids and amines in the shipped sets.

Joined as text, so that a million take seconds: an acid written from its carbonyl carbon, ``C(=O)R``, takes an amine
written from its nitrogen, ``NR'``, as a branch: ``C(NR')(=O)R``. Some have an amino acid in between.
"""

from collections.abc import Iterator
from math import gcd
from pathlib import Path

from rdkit import Chem, rdBase

from domains.drug.library import open_library

ACID = Chem.MolFromSmarts("[CX3;!R](=O)[OX2H1]")
AMINE = Chem.MolFromSmarts("[NX3;H2,H1;$(N-[CX4,c]);!$(N-[!#6]);!$(N-[CX3])]")
# Neither part has an amide: each product then comes from one pair only.
AMIDE = Chem.MolFromSmarts("[NX3][CX3]=[O,S,N]")
FEWEST_HEAVY_ATOMS, MOST_HEAVY_ATOMS = 4, 13
LINKERS = (
    "",
    "NCC(=O)",
    "NCCC(=O)",
    "NC(C)C(=O)",
    "N1CCC(CC1)C(=O)",
    "N1CCCC1C(=O)",
    "Nc1ccc(cc1)C(=O)",
    "NC(Cc1ccccc1)C(=O)",
    "NCc1ccc(cc1)C(=O)",
    "N1CC(C1)C(=O)",
    "NC(CO)C(=O)",
    "NC(C(C)C)C(=O)",
    "N(C)CC(=O)",
    "NCCCC(=O)",
    "NC(CC)C(=O)",
    "NC(C)(C)C(=O)",
    "NC1(CC1)C(=O)",
    "N1CCCC(C1)C(=O)",
    "Nc1cccc(c1)C(=O)",
    "NC(CC(C)C)C(=O)",
    "NC(CCC)C(=O)",
    "NC(CF)C(=O)",
    "NC(CCl)C(=O)",
    "NCC(C)C(=O)",
    "NC(C)CC(=O)",
    "NCC(O)C(=O)",
    "NC(CC#N)C(=O)",
    "NC(CCO)C(=O)",
    "NC(COC)C(=O)",
    "N1CCC1C(=O)",
    "NCC1(CC1)C(=O)",
    "NC1CC(C1)C(=O)",
    "NCCOC(=O)",
    "NCC(F)C(=O)",
    "NCC(C)(C)C(=O)",
    "NC(C(F)(F)F)C(=O)",
    "NC(CSC)C(=O)",
    "N(CC)CC(=O)",
    "NC1(CCC1)C(=O)",
    "NC1CCC1C(=O)",
    "NC(C1CC1)C(=O)",
    "NC(C#C)C(=O)",
    "NC(CC=C)C(=O)",
    "NC(OC)C(=O)",
    "NC=CC(=O)",
    "NCC#CC(=O)",
    "NCSCC(=O)",
    "NCOCC(=O)",
)
STRIDE = 1_000_003


def _shipped() -> Iterator[Chem.Mol]:
    with rdBase.BlockLogs():
        for name in ("nci-5k", "wehi-10k"):
            for table in open_library(name).tables():
                for smiles in table["structure"].to_pylist():
                    # No salts, stereo marks or charges: they would not survive being joined as text.
                    mol = Chem.MolFromSmiles(smiles) if not set(smiles) & set(".@/\\[") else None
                    if mol is not None and FEWEST_HEAVY_ATOMS <= mol.GetNumHeavyAtoms() <= MOST_HEAVY_ATOMS:
                        yield mol


def _acyl(acid: Chem.Mol, match: tuple[int, ...]) -> str:
    """``C(=O)R`` of an acid, written from that carbon; what follows its first letter."""
    carbon, _, hydroxyl = match
    editable = Chem.RWMol(acid)
    editable.GetAtomWithIdx(carbon).SetAtomMapNum(1)
    editable.RemoveAtom(hydroxyl)
    mol = editable.GetMol()
    root = next(atom for atom in mol.GetAtoms() if atom.GetAtomMapNum())
    root.SetAtomMapNum(0)
    Chem.SanitizeMol(mol)
    return str(Chem.MolToSmiles(mol, rootedAtAtom=root.GetIdx()))[1:]


def fragments() -> tuple[list[str], list[str]]:
    """Acyl parts without their first letter, and amines written from their nitrogen; sorted."""
    acids, amines = set(), set()
    for mol in _shipped():
        acid, amine = mol.GetSubstructMatches(ACID), mol.GetSubstructMatches(AMINE)
        if mol.HasSubstructMatch(AMIDE) or len(acid) + len(amine) != 1:
            continue
        if acid:
            acids.add(_acyl(mol, acid[0]))
        else:
            amines.add(str(Chem.MolToSmiles(mol, rootedAtAtom=amine[0][0])))
    return sorted(acids), sorted(amines)


def products(count: int) -> Iterator[str]:
    """SMILES of this many distinct molecules, in an order that mixes acids, amines and linkers."""
    acids, amines = fragments()
    total = len(acids) * len(amines) * len(LINKERS)
    if count > total or gcd(STRIDE, total) != 1:
        raise ValueError(f"{count:,} molecules asked, {total:,} can be made in steps of {STRIDE:,}")
    for number in range(count):
        rest, acid = divmod(number * STRIDE % total, len(acids))
        linker, amine = divmod(rest, len(amines))
        yield f"C({LINKERS[linker]}{amines[amine]}){acids[acid]}"


def write_library(path: Path, count: int) -> None:
    """Write a SMILES file of this many molecules."""
    with path.open("w") as file:
        file.writelines(f"{smiles} amide-{number}\n" for number, smiles in enumerate(products(count)))
