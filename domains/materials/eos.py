"""Equation of state: energy against volume of a crystal of fixed shape, after Birch (Phys. Rev. 1947, 71, 809)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domains.materials.crystal import Crystal
from domains.materials.potential import Potential

# Of the volume, as in Lejaeghere et al., Science 2016, 351, aad3000.
FACTORS = tuple(np.linspace(0.94, 1.06, 7).tolist())
GPA = 160.21766208  # of one eV/Å³


@dataclass(frozen=True)
class EquationOfState:
    """The lowest point of the curve: volume (Å³) and energy (eV) of the cell, bulk modulus (GPa) and its pressure derivative."""

    volume: float
    energy: float
    modulus: float
    derivative: float


def fit(volumes: Sequence[float] | np.ndarray, energies: Sequence[float] | np.ndarray) -> EquationOfState | None:
    """Fit the third-order equation, a cubic in x = V^(-2/3), to volumes (Å³) and energies (eV); None where it has no minimum."""
    cubic = np.polynomial.Polynomial.fit(np.asarray(volumes, float) ** (-2 / 3), energies, 3).convert()
    second, third = cubic.deriv(2), cubic.deriv(3)
    ends = [float(root.real) for root in cubic.deriv().roots() if abs(root.imag) < 1e-12 and second(root.real) > 0]
    if not ends or ends[0] <= 0:
        return None
    x = ends[0]  # of a cubic's two stationary points one at most is a minimum
    volume = x**-1.5
    # dx/dV = -2/3 x / V turns derivatives by x into derivatives by V.
    modulus = 4 / 9 * x**2 * float(second(x)) / volume
    derivative = 4 + 2 / 3 * x * float(third(x)) / float(second(x))
    return EquationOfState(volume, float(cubic(x)), modulus * GPA, derivative)


def equation_of_state(
    potential: Potential, crystal: Crystal, factors: Sequence[float] = FACTORS
) -> EquationOfState | None:
    """Of a crystal whose shape and fractional positions are kept; None where the potential finds no minimum near its volume."""
    volumes = [factor * crystal.volume for factor in factors]
    found = potential.evaluate([crystal.at_volume(volume) for volume in volumes], "energy")
    energies = [one.energy for one in found if one.energy is not None]
    fitted = fit(volumes, energies) if len(energies) == len(volumes) else None
    # Outside the volumes sampled a cubic says nothing.
    return fitted if fitted and volumes[0] < fitted.volume < volumes[-1] else None
