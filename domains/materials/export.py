"""What leaves a run for other programs: CIF files, and the ranked candidates as a table."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from domains import csv_table
from domains.materials.crystal import Crystal
from domains.materials.symmetry import TOLERANCE, quiet, symmetry

UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")
LONGEST_NAME = 80

# The ranked table; a candidate without one of the values has an empty field. Every energy stands beside its convention.
COLUMNS = {
    "rank": pa.int64(),
    "id": pa.int64(),  # the row of the first stage
    "formula": pa.string(),
    "prototype": pa.string(),
    "space_group": pa.string(),  # Hermann-Mauguin
    "space_group_number": pa.int64(),
    "atoms": pa.int64(),  # in the cell
    "volume": pa.float64(),  # Å³ an atom
    "evaluated_formation_energy": pa.float64(),  # eV an atom: the lowest of three volumes, nothing relaxed
    "relaxed_formation_energy": pa.float64(),  # eV an atom: cell and positions relaxed
    "potential": pa.string(),  # of both
    "convention": pa.string(),  # of both
    "reranked_formation_energy": pa.float64(),  # eV an atom, by the second potential
    "second_potential": pa.string(),
    "second_convention": pa.string(),
    "e_hull": pa.float64(),  # eV an atom above the hull of the reference phases; below zero: under it
    "reference": pa.string(),  # the phases that hull is made of
    "outcome": pa.string(),
    "file": pa.string(),  # the CIF, within the run's folder
    "doubts": pa.string(),
    "doubts_zh": pa.string(),
    "reasons": pa.string(),
    "reasons_zh": pa.string(),
}


def cif(crystal: Crystal, remarks: Sequence[str] = ()) -> str:
    """The crystal as CIF in its conventional cell, with the symmetry that spglib finds; ``remarks`` stand before it as comments."""
    from pymatgen.io.cif import CifWriter

    known = symmetry(crystal).number > 1
    with quiet():
        text = str(CifWriter(crystal.to_pymatgen(), symprec=TOLERANCE if known else None))
    return "".join(f"# {' '.join(one.split())}\n" for one in remarks) + text


def file_name(rank: int, formula: str, prototype: str, suffix: str = ".cif") -> str:
    """A name that is safe on every file system: ``007_LiFePO4_olivine.cif``. A decimal point in a formula is kept."""
    words = [UNSAFE.sub("-", part).strip("-.") for part in (formula, prototype)]
    return "_".join([f"{rank:03d}", *filter(None, words)])[:LONGEST_NAME].rstrip("-._") + suffix


def as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The ranked table: the columns of COLUMNS, those missing in a row left empty, lists joined by "; "."""
    return csv_table.as_csv(rows, COLUMNS)
