"""Accuracy of the shipped potentials: equations of state against all-electron PBE, cathodes against measured voltages."""

import argparse
import math
import time
from collections.abc import Mapping

import numpy as np
from ase.collections import dcdft

from benchmarks.bench import Row, main
from benchmarks.cathode_rows import barrier_rows, voltage_rows
from domains.materials.crystal import Crystal
from domains.materials.eos import equation_of_state
from domains.materials.potential import load

# Molecular crystals and noble gases: PBE itself hardly binds them, and their moduli are a few GPa.
MOLECULAR = frozenset({"H", "He", "N", "O", "F", "Ne", "Cl", "Ar", "Br", "Kr", "I", "Xe", "Rn"})
SOLIDS = tuple(name for name in dcdft.names if name not in MOLECULAR)
LATTICE, MODULUS = "<= 0.3", "<= 15"


def elemental_errors(name: str) -> Mapping[str, tuple[float, float]]:
    """Absolute errors of lattice constant and bulk modulus, %, of each of the 71 elements; infinite where there is no minimum.

    Against WIEN2k's PBE of the Delta project (Lejaeghere et al., Crit. Rev. Solid State Mater. Sci. 2014, 39, 1), in ASE.
    """
    potential = load(name)
    errors = {}
    for element in dcdft.names:
        crystal, known = Crystal.from_ase(dcdft[element]), dcdft.data[element]
        found = equation_of_state(potential, crystal)
        if found is None:
            errors[element] = (math.inf, math.inf)
            continue
        lattice = (found.volume / len(crystal) / known["wien2k_volume"]) ** (1 / 3)
        errors[element] = (100 * abs(lattice - 1), 100 * abs(found.modulus / known["wien2k_B"] - 1))
    return errors


def eos_rows(names: tuple[str, ...]) -> list[Row]:
    """Median errors of each potential."""
    rows = []
    for name in names:
        load(name)
        started = time.process_time()
        errors = elemental_errors(name)
        seconds = time.process_time() - started
        solids, every = np.array([errors[one] for one in SOLIDS]), np.array(list(errors.values()))
        note = f"median of {len(solids)} solids, {np.isinf(solids[:, 0]).sum()} without a minimum counted as infinite"
        others = f"with the {len(MOLECULAR)} molecular and noble-gas crystals"
        rows += [
            Row.judged(f"lattice constant, {name}", float(np.median(solids[:, 0])), "%", LATTICE, note),
            Row.judged(f"bulk modulus, {name}", float(np.median(solids[:, 1])), "%", MODULUS, note),
            Row(f"lattice constant of all {len(every)}, {name}", float(np.median(every[:, 0])), "%", note=others),
            Row(f"bulk modulus of all {len(every)}, {name}", float(np.median(every[:, 1])), "%", note=others),
            Row(f"CPU time, {name}", seconds, "s", "< 10" if name == "chgnet" else "", None, "not judged: a time"),
        ]
    return rows


def measure(arguments: argparse.Namespace) -> list[Row]:
    names = ("chgnet",) if arguments.quick else ("chgnet", "sevennet-l3i5")
    cathodes = [] if arguments.quick else [*voltage_rows(), *barrier_rows()]
    return [*eos_rows(names), *cathodes]


if __name__ == "__main__":
    main(measure, __doc__)
