"""The states a molecule is docked in: stereoisomers of what it leaves open, its tautomer, and protonation at a pH.

One molecule in, one row out: the states are a list in that row, so that every candidate stays counted. Measured at the
defaults: 9 CPU ms and 2.0 states a molecule over 599 of the NCI set, 21 ms and 2.3 over 400 Mpro inhibitors of drug size.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
from pydantic import Field
from rdkit import Chem, rdBase
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions
from rdkit.Chem.MolStandardize import rdMolStandardize

from domains.drug.outcomes import Outcome
from domains.model import Frozen

STATE = pa.struct([("smiles", pa.string()), ("state", pa.string()), ("charge", pa.int32())])
OUTPUT = pa.schema([("states", pa.list_(STATE)), ("truncated", pa.bool_()), ("note", pa.string())])
SCHEMA = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])
# Tautomers looked at to find the best one: 0.14 s for the worst of 599 molecules at 200, most have under ten.
TAUTOMERS_LOOKED_AT = 100
# Standard deviations of a group's pKa that still count. At 1, Dimorphite-DL's own default, its spread of imidazoles is
# so wide that 4-methylimidazole (pKa 7.5) is neutral at pH 2 as well.
PKA_SPREAD = 0.5


class StateSettings(Frozen):
    """Which states of a molecule are made, and how many at most."""

    stereoisomers: int = Field(
        4,
        ge=1,
        le=64,
        title="Stereoisomers / 立体异构体数",
        description="Most of them where centres and double bonds are left open. 未指定的手性中心与双键所生成异构体的上限。",
    )
    tautomers: int = Field(
        1,
        ge=0,
        le=16,
        title="Tautomers / 互变异构体数",
        description="0: as drawn; 1: the best-scoring one; more: that many. 0 按原样；1 取评分最优者；更多则取相应个数。",
    )
    protomers: int = Field(
        4,
        ge=0,
        le=64,
        title="Protonation states / 质子化状态数",
        description="Most of each; 0: as drawn. 每个结构的质子化状态上限；0 按原样。",
    )
    ph: float = Field(
        7.4, ge=0, le=14, title="pH / 酸碱度 pH", description="At which molecules are protonated. 质子化所处的 pH。"
    )
    ph_window: float = Field(
        0.5,
        ge=0,
        le=7,
        title="pH range / pH 范围",
        description="How far the pH may be off on either side. pH 向两侧允许的偏差。",
    )


class Made(NamedTuple):
    """Molecules of one step, whether a cap cut them, and what there is to say about it."""

    mols: list[Chem.Mol]
    truncated: bool = False
    notes: tuple[str, ...] = ()


def states(batch: pa.Table, settings: StateSettings) -> pa.Table:
    """List the states of each molecule. In: id, smiles (a neutral parent). Out: states, truncated, note.

    ``state`` is a label such as s1t1p2: the number of the stereoisomer, the tautomer, the protomer. A state that two ways
    lead to is listed once. RDKit and Dimorphite-DL cannot be interrupted, but their work here is capped: the worst
    molecule tried, a polyamine of 181 heavy atoms, took 0.6 CPU s.
    """
    with rdBase.BlockLogs():
        rows = [_row(*row, settings) for row in zip(batch["id"].to_pylist(), batch["smiles"].to_pylist(), strict=True)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(number: int, smiles: str, settings: StateSettings) -> dict[str, object]:
    row: dict[str, object] = {"id": number, "states": None, "truncated": None, "note": None}
    drawn = Chem.MolFromSmiles(smiles)
    # The seeded choice of stereoisomers goes by atom order: canonical order makes it the same from every spelling.
    parent = None if drawn is None else Chem.MolFromSmiles(Chem.MolToSmiles(drawn))
    if parent is None:
        return {**row, "outcome": Outcome.no_states, "reason": f"not a valid SMILES: {smiles[:60]}"}
    found: dict[str, dict[str, object]] = {}
    notes: dict[str, None] = {}
    truncated = False
    for label, made in _states(parent, settings):
        truncated |= made.truncated
        notes.update(dict.fromkeys(made.notes))
        for at, mol in enumerate(made.mols, 1):
            written, charge = Chem.MolToSmiles(mol), Chem.GetFormalCharge(mol)
            found.setdefault(written, {"smiles": written, "state": f"{label}p{at}", "charge": charge})
    row.update(truncated=truncated, note="; ".join(notes) or None)
    if not found:
        return {**row, "outcome": Outcome.no_states, "reason": row["note"] or "no valid protonation state"}
    return {**row, "states": list(found.values()), "outcome": Outcome.ok, "reason": None}


def _states(parent: Chem.Mol, settings: StateSettings) -> Iterator[tuple[str, Made]]:
    """Each tautomer's stereoisomers with the protomers of each: what a step says is said of all that follow from it.

    Stereo comes before protonation: RDKit takes a protonated tertiary amine for a stereocentre, which it is not, as it
    inverts.
    """
    tautomers = tautomers_of(parent, settings.tautomers)
    for t, tautomer in enumerate(tautomers.mols, 1):
        isomers = stereoisomers_of(tautomer, settings.stereoisomers)
        for s, isomer in enumerate(isomers.mols, 1):
            made = protomers_of(isomer, settings)
            truncated = tautomers.truncated or isomers.truncated or made.truncated
            yield f"s{s}t{t}", Made(made.mols, truncated, tautomers.notes + isomers.notes + made.notes)


def stereoisomers_of(mol: Chem.Mol, most: int) -> Made:
    """Every isomer of the centres and double bonds that are open; a seeded draw of them where there are more than ``most``.

    Whether an isomer can exist in space is left to the 3D preparation: to try it here costs 149 CPU ms a molecule instead
    of 0.4, once 48 s, and removed 0.2 % of the isomers.
    """
    options = StereoEnumerationOptions(unique=True, onlyUnassigned=True, tryEmbedding=False, maxIsomers=most + 1)
    found = list(islice(EnumerateStereoisomers(mol, options=options), most + 1))
    return _cut(found, most, f"more than {most} stereoisomers")


def _cut(mols: list[Chem.Mol], most: int, note: str) -> Made:
    return Made(mols[:most], True, (note,)) if len(mols) > most else Made(mols)


@cache
def _tautomer_enumerator() -> rdMolStandardize.TautomerEnumerator:
    parameters = rdMolStandardize.CleanupParameters()
    parameters.maxTautomers = parameters.maxTransforms = TAUTOMERS_LOOKED_AT
    parameters.tautomerRemoveSp3Stereo = parameters.tautomerRemoveBondStereo = False
    return rdMolStandardize.TautomerEnumerator(parameters)


def tautomers_of(mol: Chem.Mol, most: int) -> Made:
    """The best tautomers by RDKit's score, the drawn one before others of its score; only protons on N, O and S move.

    Without these two rules RDKit's canonical tautomer takes the enone of a steroid out of conjugation, 1H-indazole to
    2H, and can undo a stereocentre next to a carbonyl.
    """
    if most == 0:
        return Made([mol])
    hydrogens = _hydrogens_on_carbon(mol)
    drawn = Chem.MolToSmiles(mol)
    scored: dict[str, tuple[int, Chem.Mol]] = {drawn: (rdMolStandardize.TautomerEnumerator.ScoreTautomer(mol), mol)}
    for tautomer in _tautomer_enumerator().Enumerate(mol):
        written = Chem.MolToSmiles(tautomer)
        if written not in scored and _hydrogens_on_carbon(tautomer) == hydrogens:
            clean = Chem.MolFromSmiles(written)
            if clean is not None:
                scored[written] = rdMolStandardize.TautomerEnumerator.ScoreTautomer(clean), clean
    ranked = sorted(scored, key=lambda written: (-scored[written][0], written != drawn, written))
    mols = [scored[written][1] for written in ranked]
    return Made(mols[:1]) if most == 1 else _cut(mols, most, f"{len(mols)} tautomers")


def _hydrogens_on_carbon(mol: Chem.Mol) -> list[int]:
    return [atom.GetTotalNumHs() if atom.GetAtomicNum() == 6 else 0 for atom in mol.GetAtoms()]


def protomers_of(mol: Chem.Mol, settings: StateSettings) -> Made:
    """Protonation states within the pH range by Dimorphite-DL, the most probable ones where there are too many."""
    if settings.protomers == 0:
        return Made([mol])
    smiles = Chem.MolToSmiles(mol)
    most = settings.protomers
    found, possible = _protonated(smiles, settings, most)
    mols = [mol for mol in map(Chem.MolFromSmiles, found) if mol is not None]
    if not possible:
        return Made(mols, notes=("protonation not possible, as drawn",))
    # It cuts without saying so: room for one more tells whether it did.
    cut = len(found) == most and len(_protonated(smiles, settings, most + 1)[0]) > most
    return Made(mols, cut, (f"more than {most} protonation states",) if cut else ())


def _protonated(smiles: str, settings: StateSettings, most: int) -> tuple[list[str], bool]:
    """The states as SMILES; False where Dimorphite-DL failed and handed its input back."""
    from dimorphite_dl.protonate.run import Protonate  # here: only this stage needs it

    protonate = Protonate(
        [smiles],
        ph_min=settings.ph - settings.ph_window,
        ph_max=settings.ph + settings.ph_window,
        precision=PKA_SPREAD,
        max_variants=most,
    )
    return protonate.to_list(), not protonate.stats.fallback_used
