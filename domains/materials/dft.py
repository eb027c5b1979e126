"""Inputs for density-functional codes: VASP by Materials Project's relaxation set, Quantum ESPRESSO's pw.x. Nothing is run here.

VASP's pseudopotentials are licensed: only their symbols are written, for a site's own library to be put together from.
"""

import io
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from domains.materials.crystal import Crystal

CUTOFF_RY = 50.0
# Ultrasoft and PAW sets want eight times the cutoff for the density, norm-conserving ones four.
DENSITY_FACTOR = 8.0
K_SPACING = 0.25  # 1/Å, with the factor 2 pi
MAGNETIC = frozenset(range(23, 29))  # V to Ni start with a moment


def vasp_inputs(crystal: Crystal) -> dict[str, str]:
    """INCAR, KPOINTS, POSCAR and the symbols of the POTCAR (``POTCAR.spec``): a relaxation that Materials Project would run."""
    from pymatgen.io.vasp.sets import MPRelaxSet

    structure = crystal.to_pymatgen().get_sorted_structure()
    with warnings.catch_warnings():
        # Its advice on newer pseudopotentials and other spins: the set must stay what Materials Project's energies were made with.
        warnings.simplefilter("ignore")
        chosen = MPRelaxSet(structure)
        made = {"INCAR": chosen.incar, "KPOINTS": chosen.kpoints, "POSCAR": chosen.poscar}
        symbols = chosen.potcar_symbols
    return {**{name: f"{one}".rstrip() + "\n" for name, one in made.items()}, "POTCAR.spec": "\n".join(symbols) + "\n"}


def espresso_inputs(crystal: Crystal, pseudopotentials: Mapping[str, str] | None = None) -> dict[str, str]:
    """A variable-cell relaxation for pw.x; pseudopotentials by element, else the names ``Al.UPF`` ... to be replaced."""
    magnetic = bool(MAGNETIC & set(crystal.numbers.tolist()))
    namelists: dict[str, dict[str, Any]] = {
        "control": {"calculation": "vc-relax", "prefix": "relax", "outdir": "./out", "pseudo_dir": "./pseudo"},
        "system": {
            "ecutwfc": CUTOFF_RY,
            "ecutrho": DENSITY_FACTOR * CUTOFF_RY,
            "occupations": "smearing",
            "smearing": "mv",
            "degauss": 0.01,
        },
        "electrons": {"conv_thr": 1e-9, "mixing_beta": 0.4},
    }
    text = pw_input(crystal, namelists, mesh(crystal, K_SPACING), pseudopotentials or {}, magnetic=magnetic)
    return {"pw.in": text}


def mesh(crystal: Crystal, spacing: float) -> tuple[int, int, int]:
    """Points along each reciprocal vector for this spacing, 1/Å with the factor 2 pi."""
    reciprocal = 2 * math.pi * np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    first, second, third = (max(1, math.ceil(length / spacing - 1e-6)) for length in reciprocal)
    return first, second, third


def pw_input(
    crystal: Crystal,
    namelists: Mapping[str, Mapping[str, Any]],
    k_points: tuple[int, int, int],
    pseudopotentials: Mapping[str, str],
    *,
    magnetic: bool = False,
) -> str:
    """The text of an input of pw.x, lattice and positions to ten digits, so that it finds the symmetry."""
    from ase.io.espresso import write_espresso_in

    atoms = crystal.to_ase()
    if magnetic:
        atoms.set_initial_magnetic_moments([1.0 if number in MAGNETIC else 0.0 for number in crystal.numbers])
    names = {symbol: pseudopotentials.get(symbol, f"{symbol}.UPF") for symbol in set(atoms.get_chemical_symbols())}
    text = io.StringIO()
    write_espresso_in(
        text, atoms, input_data=namelists, pseudopotentials=names, kpts=k_points, crystal_coordinates=True
    )
    return text.getvalue()
