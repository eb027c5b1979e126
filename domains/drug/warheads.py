"""Groups that can bind a protein covalently: docking sees such a ligand before the bond is made, and this says so."""

from functools import cache

from rdkit import Chem

# Reactive groups of the inhibitors that are known to use them, most specific first.
WARHEADS = {
    "alpha-ketoamide": "[#6][CX3](=O)[CX3](=O)[NX3]",
    "aldehyde": "[#6][CX3H1]=O",
    "chloromethyl or acyloxymethyl ketone": "[#6][CX3](=O)[CH2][Cl,Br,I,$(OC=O)]",
    "haloacetamide": "[NX3][CX3](=O)[CH1,CH2][Cl,Br,I]",
    "hydroxymethyl ketone": "[#6][CX3](=O)[CH2][OX2H1]",
    "alkyl nitrile": "[CX4][CX2]#[NX1]",
    "cyanamide": "[NX3][CX2]#[NX1]",
    "2-cyano-azine": "[c;$(c:[n])][CX2]#[NX1]",
    "Michael acceptor": "[$([CX3]=[CX3][CX3]=[OX1]),$([CX3]=[CX3]S(=O)=O),$([CX3]=[CX3]C#N),$([CX3]=[CX3][N+](=O)[O-])]",
    "alkynyl carbonyl": "[CX2]#[CX2][CX3]=[OX1]",
    "epoxide or aziridine": "[CX4]1[O,N][CX4]1",
    "boronic acid": "[#6]B([OX2])[OX2]",
    "isothiocyanate": "[NX2]=[CX2]=[SX1]",
    "beta-lactam": "O=C1CCN1",
    "disulfide": "[#6][SX2][SX2][#6]",
    "sulfonyl fluoride": "[SX4](=O)(=O)F",
}


@cache
def _patterns() -> dict[str, Chem.Mol]:
    return {name: Chem.MolFromSmarts(smarts) for name, smarts in WARHEADS.items()}


def warheads(mol: Chem.Mol) -> list[str]:
    """Names of the reactive groups in a molecule."""
    return [name for name, pattern in _patterns().items() if mol.HasSubstructMatch(pattern)]
