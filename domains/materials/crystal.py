"""A periodic crystal: the one form in which structures pass between stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

COLUMNS = pa.schema(
    [
        ("lattice", pa.list_(pa.float64(), 9)),  # rows a, b, c, Å
        ("positions", pa.list_(pa.float64())),  # fractional, three an atom
        ("numbers", pa.list_(pa.uint8())),  # atomic numbers
    ]
)


@dataclass(frozen=True, eq=False)
class Crystal:
    """A unit cell: ``lattice`` (3, 3) in Å with rows a, b, c; fractional ``positions`` (n, 3); atomic ``numbers`` (n,)."""

    lattice: np.ndarray
    positions: np.ndarray
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def volume(self) -> float:
        """Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    def at_volume(self, volume: float) -> Self:
        """The same shape and fractional positions at another volume, Å³."""
        return type(self)(self.lattice * (volume / self.volume) ** (1 / 3), self.positions, self.numbers)

    def row(self) -> dict[str, Any]:
        """The Arrow columns."""
        return {
            "lattice": self.lattice.ravel().tolist(),
            "positions": self.positions.ravel().tolist(),
            "numbers": self.numbers.tolist(),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From the Arrow columns."""
        return cls(
            np.asarray(row["lattice"], float).reshape(3, 3),
            np.asarray(row["positions"], float).reshape(-1, 3),
            np.asarray(row["numbers"], np.uint8),
        )

    @classmethod
    def from_ase(cls, atoms: "Atoms") -> Self:
        """From ASE; positions are wrapped into the cell."""
        return cls(np.array(atoms.cell), atoms.get_scaled_positions(), atoms.numbers.astype(np.uint8))

    @classmethod
    def from_pymatgen(cls, structure: "Structure") -> Self:
        """From an ordered pymatgen structure."""
        numbers = np.array(structure.atomic_numbers, np.uint8)
        return cls(np.array(structure.lattice.matrix), np.array(structure.frac_coords), numbers)

    def to_ase(self) -> "Atoms":
        """As ASE atoms, periodic."""
        from ase import Atoms

        return Atoms(numbers=self.numbers, scaled_positions=self.positions, cell=self.lattice, pbc=True)

    def to_pymatgen(self) -> "Structure":
        """As a pymatgen structure, without oxidation states."""
        from pymatgen.core import Structure

        return Structure(self.lattice, self.numbers.tolist(), self.positions)
