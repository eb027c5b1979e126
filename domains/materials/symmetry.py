"""The space group of a crystal and its conventional cell, by spglib."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from domains.materials.crystal import Crystal

# Å by which atoms may be off their sites: relaxed cells are true to about this.
TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Symmetry:
    """A space group by its Hermann-Mauguin symbol (``Fm-3m``) and number, and the cell that is conventional for it."""

    symbol: str
    number: int
    conventional: Crystal


@contextmanager
def quiet() -> Iterator[None]:
    """Spglib 2.7 and newer warn of their next version at every call, those of pymatgen and phonopy among them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        yield


def symmetry(crystal: Crystal) -> Symmetry:
    """The symmetry of a crystal; ``P1`` and the crystal as it is where none can be found, as in cells with atoms on top of each other."""
    import spglib

    cell = (crystal.lattice, crystal.positions, crystal.numbers)
    try:
        with quiet():
            found = spglib.get_symmetry_dataset(cell, symprec=TOLERANCE)
            standard = None if found is None else spglib.standardize_cell(cell, symprec=TOLERANCE)
    except spglib.SpglibError:  # what None said once; phonopy turns it on for the whole process
        standard = None
    if standard is None:
        return Symmetry("P1", 1, crystal)
    lattice, positions, numbers = standard
    return Symmetry(
        found.international, found.number, Crystal(lattice, positions, numbers.astype(crystal.numbers.dtype))
    )
