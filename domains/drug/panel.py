"""The answer of a variants run: for each ligand and variant, how often the pose came back and what it touched."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from rdkit import Chem
from rdkit.Geometry import Point3D

from domains.drug import hits
from domains.drug.mutations import WILD_TYPE, Variant


@dataclass(frozen=True)
class Cell:
    """One ligand in one variant: its compared docks, in the order of their seeds."""

    docks: tuple[Mapping[str, Any], ...] = ()

    @property
    def conserved(self) -> int:
        """Docks that have the reference pose among their best nine."""
        return sum(dock["conserved"] for dock in self.docks)

    @property
    def share(self) -> float | None:
        """Their share of all docks; None without docks."""
        return self.conserved / len(self.docks) if self.docks else None

    @property
    def scores(self) -> tuple[float, float] | None:
        """Lowest and highest of the docks' best scores (kcal/mol)."""
        scores = [dock["score"] for dock in self.docks]
        return (min(scores), max(scores)) if scores else None

    @property
    def nearest(self) -> Mapping[str, Any] | None:
        """The dock whose nearest pose is nearest to the reference."""
        return min(self.docks, key=lambda dock: dock["nearest_rmsd"], default=None)

    def touched(self) -> Counter[str]:
        """In how many docks each residue (``166.A``) is touched by the nearest pose."""
        return Counter(
            residue for dock in self.docks for residue in {place(one["residue"]) for one in dock["interactions"]}
        )

    def kinds(self, residue: str) -> Counter[str]:
        """In how many docks each kind of interaction with a residue is there."""
        return Counter(
            kind
            for dock in self.docks
            for kind in {one["kind"] for one in dock["interactions"] if place(one["residue"]) == residue}
        )


def place(label: str) -> str:
    """``GLU166.A`` to ``166.A``: a residue by its place, as its name differs between variants."""
    return re.sub(r"^[A-Z]+(?=-?\d)", "", label)


Cells = Mapping[tuple[int, str], Cell]


def settled(ligand: Mapping[str, Any]) -> bool:
    """True when every wild-type dock has the reference pose: else the search itself loses it, and a variant proves nothing."""
    return bool(ligand["seeds"]) and ligand["support"] == ligand["seeds"]


def cells(tables: Iterable[pa.Table]) -> dict[tuple[int, str], Cell]:
    """Compared docks by ligand and variant."""
    gathered: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for table in tables:
        for row in table.to_pylist():
            gathered.setdefault((row["ligand"], row["variant"]), []).append(row)
    return {key: Cell(tuple(sorted(rows, key=lambda row: row["seed"]))) for key, rows in gathered.items()}


class Change(NamedTuple):
    """What a ligand does at a mutated residue: docks by kind of interaction, in the wild type and in the variant."""

    residue: str
    before: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def lost(self) -> list[str]:
        """Kinds that are there in the wild type and in no dock of the variant."""
        return sorted(set(self.before) - set(self.after))


def changes(found: Cells, ligand: int, variant: Variant, chains: Sequence[str]) -> list[Change]:
    """The mutated residues of a variant that the ligand touches in the wild type or in the variant."""
    before, after = found.get((ligand, WILD_TYPE), Cell()), found.get((ligand, variant.name), Cell())
    residues = [f"{number}.{chain}" for number in sorted(variant.numbers) for chain in chains]
    both = (Change(one, before.kinds(one), after.kinds(one)) for one in residues)
    return [change for change in both if change.before or change.after]


def table(ligands: Sequence[Mapping[str, Any]], variants: Sequence[Variant], found: Cells, seeds: int) -> pa.Table:
    """One row for each ligand and variant."""
    rows = []
    for ligand in ligands:
        for variant in variants:
            cell = found.get((ligand["id"], variant.name), Cell())
            low, high = cell.scores or (None, None)
            near = cell.nearest
            rows.append(
                {
                    "ligand": ligand["name"],
                    "variant": variant.name,
                    "conserved": cell.conserved,
                    "docked": len(cell.docks),
                    "seeds": seeds,
                    "reference": ligand["reference_kind"],
                    "settled": "yes" if settled(ligand) else "no",
                    "nearest_rmsd": near["nearest_rmsd"] if near else None,
                    "nearest_rank": near["nearest_rank"] if near else None,
                    "best_score": low,
                    "worst_score": high,
                    "warheads": "; ".join(ligand["warheads"]),
                    "smiles": ligand["smiles"],
                }
            )
    numbers = {name: pa.int64() for name in ("conserved", "docked", "seeds", "nearest_rank")}
    real = {name: pa.float64() for name in ("nearest_rmsd", "best_score", "worst_score")}
    names = ("ligand", "variant", "conserved", "docked", "seeds", "reference", "settled", "nearest_rmsd", "nearest_rank", "best_score", "worst_score", "warheads", "smiles")  # fmt: skip
    types: dict[str, Any] = {**dict.fromkeys(names, pa.string()), **numbers, **real}
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, types[name]) for name in names]))


def at_reference(ligand: Mapping[str, Any]) -> Chem.Mol:
    """The ligand without hydrogens in its reference pose."""
    plain = Chem.RemoveHs(Chem.Mol(ligand["mol"]))
    conformer = plain.GetConformer()
    for index, (x, y, z) in enumerate(np.array(ligand["reference"], float).reshape(-1, 3).tolist()):
        conformer.SetAtomPosition(index, Point3D(x, y, z))
    return plain


def at_dock(ligand: Mapping[str, Any], dock: Mapping[str, Any]) -> Chem.Mol:
    """The ligand without hydrogens in the pose of a dock that is nearest to the reference."""
    return hits.posed({**ligand, "pose": dock["pose"]})


def as_sdf(ligands: Sequence[Mapping[str, Any]], variants: Sequence[Variant], found: Cells) -> str:
    """Each ligand's reference pose, then in each variant the nearest pose of every seed."""
    text = io.StringIO()
    with Chem.SDWriter(text) as writer:
        writer.SetKekulize(True)
        for ligand in ligands:
            _write(writer, ligand, at_reference(ligand), {"variant": f"reference ({ligand['reference_kind']})"})
            for variant in variants:
                for dock in found.get((ligand["id"], variant.name), Cell()).docks:
                    _write(writer, ligand, at_dock(ligand, dock), _facts(dock))
    return text.getvalue()


def _facts(dock: Mapping[str, Any]) -> dict[str, str]:
    names = ("variant", "seed", "conserved", "nearest_rmsd", "nearest_rank", "nearest_score")
    facts = {name: f"{dock[name]:.3f}" if isinstance(dock[name], float) else str(dock[name]) for name in names}
    touched = sorted({f"{one['residue']} {one['kind']}" for one in dock["interactions"]})
    return {**facts, "interactions": "; ".join(touched)}


def _write(writer: Chem.SDWriter, ligand: Mapping[str, Any], mol: Chem.Mol, facts: Mapping[str, str]) -> None:
    mol.SetProp("_Name", ligand["name"])
    for name, value in facts.items():
        mol.SetProp(name, value)
    writer.write(mol)
