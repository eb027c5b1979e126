"""Whether a ligand keeps its pose: symmetry-aware distances between poses where they lie, and the pose that most seeds agree on.

Receptor variants share one frame, so no pose is ever aligned.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from rdkit import Chem, rdBase

from domains.drug.outcomes import Outcome
from domains.model import Frozen

SAME_POSE = 2.0  # Å, the usual bound of a reproduced pose
# Automorphisms looked at; a CF3 or a tert-butyl has 6, a molecule of drug size seldom more than a few hundred.
MOST_SYMMETRIES = 2_000
# The ends of a carboxylate, nitro, sulfonate or amidine group, which are one and the same however the charge is drawn.
CONJUGATED_END = Chem.MolFromSmarts("[O,N;D1;$([O,N;D1]-[*]=[O,N;D1]),$([O,N;D1]=[*]-[O,N;D1])]~[*]")

NO_REFERENCE = "no dock into the wild type ended with a pose, so there is nothing to compare with"
CRYSTAL, CONSENSUS = "crystal", "consensus"
OUTPUT = pa.schema(
    [
        ("reference", pa.list_(pa.float32())),
        ("reference_kind", pa.string()),
        ("support", pa.int32()),
        ("seeds", pa.int32()),
    ]
)
SCHEMA = pa.schema([("id", pa.int64()), *OUTPUT, ("outcome", pa.string()), ("reason", pa.string())])


class ReferenceSettings(Frozen):
    """The crystal pose, as a mol block, and the distance (Å) at which two poses count as the same."""

    crystal: str
    same_pose: float = SAME_POSE


class Consensus(NamedTuple):
    """The place of a pose among all, and how many seeds have one like it."""

    at: int
    seeds: int


def heavy_pose(pose: Sequence[float], atom_map: Sequence[int], heavy_atoms: int) -> np.ndarray:
    """Coordinates (n, 3) of the heavy atoms in the molecule's own order; RDKit numbers them before the hydrogens it adds."""
    xyz = np.array(pose, float).reshape(-1, 3)
    ordered = np.full((heavy_atoms, 3), np.nan)
    for at, index in enumerate(atom_map):
        if 0 <= index < heavy_atoms:
            ordered[index] = xyz[at]
    return ordered


def symmetries(mol: Chem.Mol) -> np.ndarray:
    """The ways (m, n) to renumber a molecule's heavy atoms that leave it the same; stereo marks do not count."""
    plain = Chem.RemoveAllHs(mol)
    for end, holder in plain.GetSubstructMatches(CONJUGATED_END):
        plain.GetAtomWithIdx(end).SetFormalCharge(0)
        plain.GetBondBetweenAtoms(end, holder).SetBondType(Chem.BondType.SINGLE)
    matches = plain.GetSubstructMatches(plain, uniquify=False, useChirality=False, maxMatches=MOST_SYMMETRIES)
    return np.array(matches)


def distances(ones: np.ndarray, others: np.ndarray, renumbered: np.ndarray) -> np.ndarray:
    """RMSD (Å) between poses (a, n, 3) and (b, n, 3) as (a, b), the least over renumberings (m, n), nothing moved."""
    # |a - b|² = |a|² + |b|² - 2 a·b, and a renumbering changes the last term only: one matrix product for each.
    centre = ones.mean(axis=(0, 1))
    ones, others = ones - centre, others - centre
    alike = np.full((len(ones), len(others)), -np.inf)
    for order in renumbered:
        alike = np.maximum(alike, ones.reshape(len(ones), -1) @ others[:, order].reshape(len(others), -1).T)
    square = (ones**2).sum(axis=(1, 2))[:, None] + (others**2).sum(axis=(1, 2)) - 2 * alike
    return np.asarray(np.sqrt(np.maximum(square, 0) / ones.shape[1]))


def consensus(
    poses: np.ndarray, seed_of: np.ndarray, score_of: np.ndarray, renumbered: np.ndarray, same: float
) -> Consensus:
    """The pose (of (k, n, 3)) that most seeds have within ``same`` Å; of equals the one with the better score."""
    near = distances(poses, poses, renumbered) <= same
    seeds = np.array([len(set(seed_of[row])) for row in near])
    index = min(range(len(poses)), key=lambda one: (-seeds[one], score_of[one], one))
    return Consensus(index, int(seeds[index]))


def crystal_pose(mol: Chem.Mol, crystal: Chem.Mol) -> np.ndarray | None:
    """Heavy atoms (n, 3) of the crystal ligand in the order of a molecule; None when it is another molecule."""
    plain = Chem.RemoveAllHs(mol)
    if not crystal.GetNumAtoms() or Chem.MolToInchiKey(plain) != Chem.MolToInchiKey(crystal):
        return None
    # Charges and double bonds may be drawn otherwise: the skeleton decides, and the InChI has said that it is the same.
    match = crystal.GetSubstructMatch(plain, useChirality=True)
    return np.array(crystal.GetConformer().GetPositions()[list(match)]) if match else None


def references(batch: pa.Table, settings: ReferenceSettings) -> pa.Table:
    """The pose each ligand is compared with: the crystal's for its own ligand, else the consensus of the wild-type docks.

    In: id, mol, atom_map, heavy_atoms, wild_type (poses, scores and seeds of all wild-type docks of the ligand).
    """
    with rdBase.BlockLogs():
        crystal = Chem.MolFromMolBlock(settings.crystal) if settings.crystal else Chem.Mol()
        rows = [_reference(row, crystal, settings.same_pose) for row in batch.to_pylist()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _reference(row: Mapping[str, Any], crystal: Chem.Mol, same: float) -> dict[str, Any]:
    docks, mol = row["wild_type"], Chem.Mol(row["mol"])
    poses = np.array(
        [heavy_pose(pose, row["atom_map"], row["heavy_atoms"]) for dock in docks for pose in dock["poses"]]
    )
    seed_of = np.array([dock["seed"] for dock in docks for _ in dock["poses"]])
    measured, renumbered = crystal_pose(mol, crystal), symmetries(mol)
    if measured is not None:
        near = (distances(poses, measured[None], renumbered) <= same).any(axis=1) if docks else np.zeros(0, bool)
        pose, kind, support = measured, CRYSTAL, len(set(seed_of[near]))
    elif docks:
        scores = [score for dock in docks for score in dock["scores"]]
        agreed = consensus(poses, seed_of, np.array(scores), renumbered, same)
        pose, kind, support = poses[agreed.at], CONSENSUS, agreed.seeds
    else:
        return {"id": row["id"], "outcome": Outcome.no_reference, "reason": NO_REFERENCE}
    return {
        "id": row["id"],
        "reference": pose.astype(np.float32).ravel().tolist(),
        "reference_kind": kind,
        "support": support,
        "seeds": len(docks),
        "outcome": Outcome.ok,
    }
