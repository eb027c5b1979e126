"""Crystals built from published parameters, or read from a CIF: space group, cell, sites, and where they are from."""

import hashlib
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domains.errors import InvalidRequest, closest
from domains.materials.crystal import Crystal
from domains.materials.symmetry import quiet
from domains.model import absolute_path

# No two atoms of a real crystal at rest are closer: the shortest bonds, O-H and C-O, are 0.95 Å and more.
CLOSEST = 0.9  # Å
FILES = (".cif", ".vasp", ".poscar")
Site = tuple[str, float, float, float]


@dataclass(frozen=True)
class Published:
    """A crystal by its space group (number and origin choice), cell (a, b, c in Å; alpha, beta, gamma), and sites."""

    space_group: int
    cell: tuple[float, float, float, float, float, float]
    sites: tuple[Site, ...]
    source: str
    setting: int = 1


@dataclass(frozen=True, eq=False)
class Found:
    """A crystal that a request names: where it is from, and the checksum of what decides it."""

    name: str
    crystal: Crystal
    source: str
    sha256: str


def build(published: Published) -> Crystal:
    """The primitive cell."""
    from ase.spacegroup import crystal

    atoms = crystal(
        [site[0] for site in published.sites],
        [site[1:] for site in published.sites],
        spacegroup=published.space_group,
        setting=published.setting,
        cellpar=published.cell,
        primitive_cell=True,
        onduplicates="error",
    )
    return Crystal.from_ase(atoms)


def found(name: str, published: Published) -> Found:
    """A crystal of a table."""
    return Found(name, build(published), published.source, hashlib.sha256(repr(published).encode()).hexdigest())


def read(name: str, field: str, others: str) -> Found:
    """The primitive cell of a CIF or POSCAR, for a field of a request whose ``others`` are known by name.

    Raises:
        InvalidRequest: it is no ordered crystal with sane distances.
    """
    from pymatgen.core import Structure

    path = Path(name)
    try:
        data = path.read_bytes()
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on rounded coordinates and the like; what it cannot read it says
            structure = Structure.from_file(path)
            primitive = structure.get_primitive_structure()
    except (OSError, ValueError, IndexError, KeyError, AttributeError) as error:
        problem = f"cannot be read as a crystal ({' '.join(str(error).split())[:150]})"
        raise InvalidRequest(field, name, problem, f"a CIF or POSCAR file, or {others}") from None
    if not structure.is_ordered:
        problem = "a site is shared by several elements or partly empty"
        raise InvalidRequest(field, name, problem, "a file whose sites are fully occupied")
    crystal = Crystal.from_pymatgen(primitive)
    near = shortest(Crystal.from_pymatgen(structure))
    if near < CLOSEST:
        valid = f"{CLOSEST} Å and more: is it the other origin choice of its space group?"
        raise InvalidRequest(field, name, f"two atoms are {near:.2f} Å apart", valid)
    return Found(path.stem, crystal, str(path), hashlib.sha256(data).hexdigest())


def known_name(name: str, known: Collection[str], what: str) -> str:
    """The name as it is known, in any case, or an absolute path; raises ValueError with the closest names."""
    folded = {one.casefold(): one for one in known}
    if name.casefold() in folded:
        return folded[name.casefold()]
    if name.casefold().endswith(FILES) or "/" in name:
        return absolute_path(name)
    near = closest(name, known)
    hint = f"closest: {', '.join(near)}" if near else f"known: {', '.join(known)}"
    raise ValueError(f"unknown {what} {name!r}, {hint}; or give the path of a CIF file")


def shortest(crystal: Crystal) -> float:
    """The shortest distance of two atoms, Å, periodic images included; infinite where none is below 3 Å."""
    from ase.neighborlist import neighbor_list

    return float(np.min(neighbor_list("d", crystal.to_ase(), 3.0), initial=np.inf))
