"""The rows of the stages of a variants run: ligands with the control, variants, their docks, and what is compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from domains.drug.library import SCHEMA as RECORDS
from domains.drug.variants import Panel
from tasks.drug import LibraryRows
from tasks.expansion import STRIDE
from tasks.stage import Survivors

Docks = Mapping[str, Survivors]  # by variant
SHAPE = ("mol", "atom_map", "heavy_atoms")
REFERENCED = {
    "mol": pa.binary(),
    "atom_map": pa.list_(pa.int32()),
    "heavy_atoms": pa.int32(),
    "reference": pa.list_(pa.float32()),
}


WILD_TYPE_DOCKS = pa.list_(
    pa.struct([("seed", pa.int64()), ("scores", pa.list_(pa.float64())), ("poses", pa.list_(pa.list_(pa.float32())))])
)


class LigandRows:
    """The records of the library, and after them the target's reference ligand as a control."""

    def __init__(self, panel: Panel) -> None:
        self.panel, self.rows = panel, panel.records

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the records."""
        library, request = self.panel.library, self.panel.request
        if library is not None:
            yield from LibraryRows(library, request.sample, request.seed).tables(columns)
        if request.control:
            known = self.panel.target.reference
            row = {"id": self.control, "name": f"{known.name} (control)", "structure": known.smiles, "problem": None}
            yield pa.Table.from_pylist([row], schema=RECORDS).select(columns)

    @property
    def control(self) -> int:
        """Its id, behind those of all records of the file."""
        return self.panel.library.rows if self.panel.library else 0


class VariantRows:
    """The receptor variants as rows: id, name, mutations."""

    def __init__(self, panel: Panel) -> None:
        self.names = [variant.name for variant in panel.variants]
        self.rows = len(self.names)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """All of them at once."""
        ids = pa.array(range(self.rows), pa.int64())
        yield pa.table({"id": ids, "name": self.names, "mutations": self.names}).select(columns)


class Replicas:
    """Every ligand once for each seed, for one variant; ids say which: (its place + 1) * STRIDE + the ligand's id."""

    def __init__(self, ligands: Survivors, variant: str, rank: int, seeds: Sequence[int]) -> None:
        self.ligands, self.variant, self.seeds = ligands, variant, seeds
        self.first = rank * len(seeds) + 1
        self.rows = ligands.rows * len(seeds)
        # The funnel counts ligands until the first variant, and from there their docks.
        self.parents = 0 if rank else ligands.rows

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the replicas of each table of ligands, seed by seed."""
        made = {"id", "name", "ligand", "variant", "seed"}
        for table in self.ligands.tables(["id", "name", *(name for name in columns if name not in made)]):
            ids, names = table["id"].to_numpy(), table["name"].to_pylist()
            kept = table.drop_columns(["id", "name"])
            for number, seed in enumerate(self.seeds, self.first):
                replica = {
                    **dict(zip(kept.column_names, kept.columns, strict=True)),
                    "id": number * STRIDE + ids,
                    "name": [
                        f"{name or f'row {row}'} / {self.variant} / seed {seed}"
                        for row, name in zip(ids, names, strict=True)
                    ],
                    "ligand": ids,
                    "variant": [self.variant] * len(ids),
                    "seed": np.full(len(ids), seed, np.int64),
                }
                yield pa.table(replica).select(columns)


class WithWildType:
    """Each prepared ligand with all its docks into the wild type. Holds these docks in memory: a list of hits, no library."""

    def __init__(self, ligands: Survivors, wild_type: Survivors | None) -> None:
        self.ligands, self.rows = ligands, ligands.rows
        self.docks: dict[int, list[dict[str, Any]]] = {}
        for table in wild_type.tables(["ligand", "seed", "scores", "poses"]) if wild_type else ():
            for row in table.to_pylist():
                self.docks.setdefault(row.pop("ligand"), []).append(row)

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the ligands, the docks of each in the order of their seeds."""
        for table in self.ligands.tables(list(dict.fromkeys(["id", *(one for one in columns if one != "wild_type")]))):
            docks = [
                sorted(self.docks.get(number, []), key=lambda dock: dock["seed"]) for number in table["id"].to_pylist()
            ]
            yield table.append_column("wild_type", pa.array(docks, WILD_TYPE_DOCKS)).select(columns)


class Referenced:
    """Every dock of every variant with its ligand, and its reference pose where there is one."""

    def __init__(self, ligands: Survivors, references: Survivors, docks: Docks) -> None:
        self.docks, self.rows = docks, sum(survivors.rows for survivors in docks.values())
        reference = _by_id(references, ("reference",))
        none = {"reference": None}
        self.known = {number: {**row, **reference.get(number, none)} for number, row in _by_id(ligands, SHAPE).items()}

    def tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """Stream the docks, variant by variant."""
        added = [name for name in columns if name in REFERENCED]
        own = list(dict.fromkeys(["ligand", *(name for name in columns if name not in REFERENCED)]))
        for survivors in self.docks.values():
            for table in survivors.tables(own):
                of = [self.known[ligand] for ligand in table["ligand"].to_pylist()]
                for name in added:
                    table = table.append_column(name, pa.array([one[name] for one in of], REFERENCED[name]))
                yield table.select(columns)


def _by_id(survivors: Survivors, columns: Sequence[str]) -> dict[int, dict[str, Any]]:
    return {row.pop("id"): row for table in survivors.tables(["id", *columns]) for row in table.to_pylist()}
