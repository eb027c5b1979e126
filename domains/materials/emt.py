"""ASE's effective medium theory (Jacobsen et al., Surf. Sci. 1996, 366, 394): seven fcc metals, no torch, a millisecond a crystal.

So that every flow runs for real, and is tested, where no neural potential is installed.
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ase.calculators import emt
from ase.stress import voigt_6_to_full_3x3_stress

from domains.materials import plausible
from domains.materials.batching import graph_of
from domains.materials.crystal import Crystal
from domains.materials.neighbours import Neighbours
from domains.materials.potential import Convention, Evaluation, Want


class EMT:
    """Energies relative to the metals' own fcc crystals; H, C, N and O have only stand-in parameters and are left out."""

    name = "emt"
    convention = Convention.emt
    elements = frozenset({13, 28, 29, 46, 47, 78, 79})
    cutoff = 6.0
    atoms_in_flight = 1000

    def __init__(self) -> None:
        self.version = f"ase {version('ase')}"
        self.weights_sha256 = hashlib.sha256(Path(emt.__file__).read_bytes()).hexdigest()  # its parameters are its code

    def evaluate(self, crystals: Sequence[Crystal], want: Want) -> list[Evaluation]:
        """Evaluate any number of crystals; one evaluation each, in order."""
        return [self._evaluate(crystal, want) for crystal in crystals]

    def _evaluate(self, crystal: Crystal, want: Want) -> Evaluation:
        graph = graph_of(crystal, self.elements, self.cutoff)
        if not isinstance(graph, Neighbours):
            return Evaluation(None, problem=graph)
        atoms = crystal.to_ase()
        atoms.calc = emt.EMT()
        energy = float(atoms.get_potential_energy())
        if want == "energy":
            return plausible.checked(Evaluation(energy), len(crystal))
        stress = voigt_6_to_full_3x3_stress(atoms.get_stress())
        return plausible.checked(Evaluation(energy, atoms.get_forces(), stress), len(crystal))


def build() -> EMT:
    """Make it."""
    return EMT()
