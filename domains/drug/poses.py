"""Whether a docked pose can be believed: PoseBusters' checks, and whether searches from several seeds agree on it.

Both stand beside a hit; neither takes a molecule out: a reader decides.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field
from rdkit import Chem, RDLogger

from domains.drug import protein
from domains.drug.conservation import SAME_POSE, distances, symmetries
from domains.drug.hits import posed
from domains.drug.outcomes import Outcome
from domains.drug.pocket import bare
from domains.model import Frozen

# PoseBusters 0.6.5, configuration "dock": all that can be said without a crystal structure of the ligand.
CHECKS = (
    "mol_pred_loaded", "mol_cond_loaded", "sanitization", "inchi_convertible", "all_atoms_connected", "no_radicals",
    "bond_lengths", "bond_angles", "internal_steric_clash", "aromatic_ring_flatness", "non_aromatic_ring_non_flatness",
    "double_bond_flatness", "internal_energy", "protein_ligand_maximum_distance", "minimum_distance_to_protein",
    "minimum_distance_to_organic_cofactors", "minimum_distance_to_inorganic_cofactors", "minimum_distance_to_waters",
    "volume_overlap_with_protein", "volume_overlap_with_organic_cofactors", "volume_overlap_with_inorganic_cofactors",
    "volume_overlap_with_waters",
)  # fmt: skip
OUTPUT = pa.schema(
    [("bust", pa.struct([(name, pa.bool_()) for name in CHECKS])), ("failed_checks", pa.list_(pa.string()))]
)
# Å around the ligand; the checks look no further than 5.
SURROUNDINGS = 10.0


class ReceptorSettings(Frozen):
    """A receptor as PDB or PDBQT; the path decides nothing, the checksum does."""

    receptor_sha256: str
    path: Path = Field(exclude=True)


@lru_cache(maxsize=2)
def receptor_residues(path: Path, sha256: str) -> list[protein.Residue]:
    """The residues of a receptor file; raises ValueError when it is another file than the run began with."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path} is not the receptor that the run began with: its checksum differs")
    residues = protein.read(content.decode())
    if not residues:
        raise ValueError(f"{path} holds no residue")
    return residues


class CheckPose:
    """Runs PoseBusters on the pose of ``row`` (mol, atom_map, pose); a check that cannot be made is None and not failed."""

    def __init__(self, settings: ReceptorSettings) -> None:
        RDLogger.DisableLog("rdApp.*")  # its own process: nobody else reads RDKit's log there
        from posebusters import PoseBusters  # here: it costs seconds and is needed in the engine's own process only

        self.residues = receptor_residues(settings.path, settings.receptor_sha256)
        self.buster = PoseBusters("dock", max_workers=0)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Check one pose."""
        mol = posed(row)
        around = protein.near(self.residues, mol.GetConformer().GetPositions(), SURROUNDINGS)
        if not around:
            return {"outcome": Outcome.engine_error, "reason": f"no residue within {SURROUNDINGS:g} Å of the pose"}
        found = self.buster.bust(mol, None, bare(around)).iloc[0].to_dict()
        given = {str(name).replace("-", "_"): value for name, value in found.items()}
        bust = {name: bool(given[name]) if given[name] in (True, False) else None for name in CHECKS}
        return {"outcome": Outcome.ok, "bust": bust, "failed_checks": [name for name in CHECKS if bust[name] is False]}


@dataclass(frozen=True)
class Consensus:
    """How far searches from several seeds agree on a pose of one ligand.

    ``share`` of the seeds have their best pose in the largest cluster, the one that most seeds reach (the better score
    decides a tie); ``reached`` have any pose there. ``best`` is the seed and the number of the best-scored pose in it.
    """

    seeds: int
    clusters: int
    share: float
    reached: float
    best: tuple[int, int]
    score_mean: float
    score_range: float


def rmsd_matrix(mols: Sequence[Chem.Mol]) -> np.ndarray:
    """Heavy-atom RMSD (n, n) in Å between poses of one molecule: symmetric atoms exchanged, nothing aligned."""
    xyz = np.array([mol.GetConformer().GetPositions() for mol in mols])
    apart = distances(xyz, xyz, symmetries(mols[0]))
    # A pose lies on itself exactly, and the way back is as far: rounding aside.
    np.fill_diagonal(apart, 0)
    return np.asarray(np.minimum(apart, apart.T))


def clusters(apart: np.ndarray, within: float = SAME_POSE) -> np.ndarray:
    """A cluster's number (n,) for each pose: all poses of a cluster lie within this RMSD (Å) of each other."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(apart) < 2:
        return np.ones(len(apart), int)
    return np.asarray(fcluster(linkage(squareform(apart), "complete"), within, "distance"))


def consensus(ligand: Mapping[str, Any], replicas: Sequence[Mapping[str, Any]]) -> Consensus:
    """Compare the ``poses`` and ``scores`` (best first) of docks of one ligand (mol, atom_map), a seed each."""
    if not replicas:
        raise ValueError("a consensus needs the poses of at least one seed")
    placed = [(seed, number) for seed, one in enumerate(replicas) for number in range(len(one["poses"]))]
    mols = [posed({**ligand, "pose": replicas[seed]["poses"][number]}) for seed, number in placed]
    scores = np.array([replicas[seed]["scores"][number] for seed, number in placed])
    seed_of, first = np.array([seed for seed, _ in placed]), np.array([number == 0 for _, number in placed])
    labels = clusters(rmsd_matrix(mols))
    largest = min(set(labels.tolist()), key=lambda k: (-len(set(seed_of[labels == k])), scores[labels == k].min()))
    members = np.flatnonzero(labels == largest)
    tops = scores[first]
    return Consensus(
        seeds=len(replicas),
        clusters=len(set(labels.tolist())),
        share=float((first & (labels == largest)).sum() / len(replicas)),
        reached=len(set(seed_of[members])) / len(replicas),
        best=placed[int(members[scores[members].argmin()])],
        score_mean=float(tops.mean()),
        score_range=float(np.ptp(tops)),
    )
