"""Crystals from the rows of a stage."""

import pyarrow as pa

from domains.materials.candidates import build
from domains.materials.crystal import COLUMNS, Crystal
from domains.materials.prototypes import prototype


def crystals_of(batch: pa.Table) -> list[Crystal]:
    """The crystals of a batch: ``lattice``, ``positions``, ``numbers`` where it has them, else made of ``prototype``, ``species``."""
    if set(COLUMNS.names) <= set(batch.column_names):
        return [Crystal.from_row(row) for row in batch.select(COLUMNS.names).to_pylist()]
    rows = batch.select(["prototype", "species"]).to_pylist()
    return [build(prototype(row["prototype"]), row["species"]) for row in rows]
