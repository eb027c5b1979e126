"""The screen of molecules and sequences: on what a user gives and on every generated candidate before results leave.

Exact skeletons (first block of the InChIKey) and families (SMARTS) from the reviewed list. Likeness of fingerprints is not used:
a threshold on it flags everyday solvents and misses members of a family. What cannot be screened is held.
"""

import re
from functools import cache
from typing import Any, Literal

from agent.resource import read_data
from agent.safety import screen_text
from agent.text import normalise
from agent.verdict import ALLOWED, Verdict, hold, strictest


@cache
def _families() -> tuple[tuple[str, str, Any], ...]:
    from rdkit import Chem

    return tuple(
        (one["name"], one["flag"], Chem.MolFromSmarts(one["smarts"])) for one in read_data("safety")["families"]
    )


def screen_molecule(smiles: str) -> Verdict:
    """Hold a molecule that is listed, belongs to a listed family, or cannot be read; each part of a mixture counts."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.inchi import MolToInchiKey

    try:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(smiles)
            if molecule is None or not smiles.strip():
                return hold("dual_use_chemical", f"a molecule that cannot be read cannot be screened: {smiles!r}")
            parts = Chem.GetMolFrags(molecule, asMols=True)
            return strictest(_screen_part(part, MolToInchiKey(part).split("-")[0]) for part in parts)
    except (RuntimeError, ValueError, KeyError) as error:
        return hold("dual_use_chemical", f"the safety screen failed: {error!r}")


def _screen_part(molecule: Any, skeleton: str) -> Verdict:
    if not skeleton:
        return hold("dual_use_chemical", "a molecule without an InChIKey cannot be screened")
    if listed := read_data("safety")["substances"].get(skeleton):
        return hold(listed[1], f"listed: {listed[0]}")
    hits = [(name, flag) for name, flag, family in _families() if molecule.HasSubstructMatch(family)]
    return hold(hits[0][1], f"family: {hits[0][0]}") if hits else ALLOWED


def screen_sequence(sequence: str, about: str = "", purpose: Literal["analyse", "design"] = "analyse") -> Verdict:
    """Hold designed sequences and those said to be of a listed agent.

    No database of sequences comes with the hub, so a sequence itself cannot be cleared: analysing one is allowed, as nothing is
    made; a designed one leaves only with the biosafety officer's consent, who has such a screen.
    """
    if not re.fullmatch(r"[A-Za-z*\-\s]+", sequence):
        return hold("dual_use_bio", "not a sequence: it cannot be screened")
    verdicts = [screen_text(normalise(about))]
    if purpose == "design":
        verdicts.append(hold("dual_use_bio", "a designed sequence, and no sequence database here to screen it"))
    return strictest(verdicts)
