"""Docking one ligand several times, each with a seed of its own: how often a pose comes back is what is asked."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from domains.drug import vina

OUTPUT = pa.schema(
    [
        ("score", pa.float64()),
        ("scores", pa.list_(pa.float64())),
        ("poses", pa.list_(pa.list_(pa.float32()))),
    ]
)


class DockReplica:
    """Docks ``row["pdbqt"]`` with ``row["seed"]``; ``poses`` holds x, y, z (Å) of every pose's atoms in the order of ``atom_map``.

    Vina's seed belongs to a loaded receptor, so there is one for each seed: 1 s and 0.2 GB in a 22 Å box.
    """

    def __init__(self, settings: vina.DockSettings) -> None:
        self.settings = settings
        self.engines: dict[int, Any] = {}

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Dock one replica."""
        seed, one = row["seed"], self.settings
        if seed not in self.engines:
            self.engines[seed] = vina.load(one.path, one.receptor_sha256, one.center, one.size, seed, one.scoring)
        return vina.dock(self.engines[seed], row["pdbqt"], one)
