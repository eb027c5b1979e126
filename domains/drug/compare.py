"""Each dock of a ligand into a variant against the reference pose: is it there, how near, and what does it touch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field
from rdkit import Chem

from domains.drug import conservation, interactions
from domains.drug.outcomes import Outcome
from domains.drug.poses import ReceptorSettings
from domains.model import Frozen

TOP_POSES = 9
OUTPUT = pa.schema(
    [
        ("conserved", pa.bool_()),
        ("nearest_rmsd", pa.float64()),
        ("nearest_rank", pa.int32()),
        ("nearest_score", pa.float64()),
        ("top_rmsd", pa.float64()),
        ("pose", pa.list_(pa.float32())),
        *interactions.OUTPUT,
    ]
)


class VariantStructure(Frozen):
    """A built variant with its hydrogens; the path does not decide a result, the checksum does."""

    name: str
    sha256: str
    path: Path = Field(exclude=True)


class CompareSettings(Frozen):
    """What decides a comparison besides the poses."""

    structures: tuple[VariantStructure, ...]
    same_pose: float = conservation.SAME_POSE


class Compare:
    """Compares the poses of ``row`` with ``row["reference"]``; ``pose`` is the nearest one's, in the order of ``atom_map``."""

    def __init__(self, settings: CompareSettings) -> None:
        self.same_pose = settings.same_pose
        self.structures = {
            one.name: ReceptorSettings(path=one.path, receptor_sha256=one.sha256) for one in settings.structures
        }
        self.touching: dict[str, interactions.Interactions] = {}

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Compare one dock."""
        if row["reference"] is None:
            return {"outcome": Outcome.no_reference, "reason": conservation.NO_REFERENCE}
        mol, poses = Chem.Mol(row["mol"]), row["poses"][:TOP_POSES]
        heavy = np.array([conservation.heavy_pose(pose, row["atom_map"], row["heavy_atoms"]) for pose in poses])
        reference = np.array(row["reference"], float).reshape(1, -1, 3)
        apart = conservation.distances(heavy, reference, conservation.symmetries(mol))[:, 0]
        nearest = int(apart.argmin())
        if row["variant"] not in self.touching:
            self.touching[row["variant"]] = interactions.Interactions(self.structures[row["variant"]])
        touched = self.touching[row["variant"]]({**row, "pose": poses[nearest]})
        return {
            "outcome": Outcome.ok,
            "conserved": bool(apart[nearest] <= self.same_pose),
            "nearest_rmsd": float(apart[nearest]),
            "nearest_rank": nearest + 1,
            "nearest_score": row["scores"][nearest],
            "top_rmsd": float(apart[0]),
            "pose": poses[nearest],
            **{name: touched[name] for name in interactions.OUTPUT.names},
        }
