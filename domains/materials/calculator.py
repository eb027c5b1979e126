"""A potential as an ASE calculator: for tools that drive one structure at a time, such as NEB, phonopy and ASE's optimisers."""

from typing import Any

from ase.calculators.calculator import Calculator, CalculatorError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from domains.materials.crystal import Crystal
from domains.materials.potential import Potential


class PotentialCalculator(Calculator):  # type: ignore[misc]
    """Energy (eV), forces (eV/Å), stress (Voigt, eV/Å³) and magnetic moments (µB) of periodic atoms.

    Raises CalculatorError, with the outcome's name, for what the potential cannot evaluate.
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress", "magmoms")

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate the atoms; ASE calls this when they have changed."""
        super().calculate(atoms, properties, system_changes)
        (found,) = self.potential.evaluate([Crystal.from_ase(self.atoms)], "forces")
        if found.energy is None or found.forces is None or found.stress is None:
            raise CalculatorError(f"{self.potential.name}: {found.problem}")
        stress = full_3x3_to_voigt_6_stress(found.stress)
        self.results = {"energy": found.energy, "free_energy": found.energy, "forces": found.forces, "stress": stress}
        if found.moments is not None:
            self.results["magmoms"] = found.moments


def calculator(potential: Potential) -> PotentialCalculator:
    """An ASE calculator over a potential; several may share one."""
    return PotentialCalculator(potential)
