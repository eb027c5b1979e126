"""Tc by Allen and Dynes, from electron-phonon coupling that was computed, and from nothing else.

A frequency moment of the phonons alone knows nothing of the coupling: it is never turned into a Tc here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# The Coulomb pseudopotential of most metals lies in this band; Tc is quoted for both ends.
MU_STAR = (0.10, 0.13)
# Between these broadenings of the Fermi surface the coupling of aluminium is flat: narrower ones miss k points, wider ones smear it.
PLATEAU_RY = (0.015, 0.040)


@dataclass(frozen=True)
class Coupling:
    """Electron-phonon coupling at one broadening: ``strength`` (lambda), ``omega_log`` in K, states at the Fermi level per Ry and spin."""

    broadening_ry: float
    strength: float
    omega_log: float
    fermi_dos: float


@dataclass(frozen=True)
class CriticalTemperature:
    """What a converged set of couplings says: means over the plateau, and the band of Tc (K) over broadening and mu*."""

    strength: float
    strength_range: tuple[float, float]
    omega_log: float
    lowest: float
    highest: float
    mu_star: tuple[float, float]


def allen_dynes(strength: float, omega_log: float, mu_star: float) -> float:
    """Tc in K; ``omega_log`` in K; 0 where the Coulomb repulsion wins.

    McMillan's equation as modified by Allen and Dynes, Phys. Rev. B 12, 905 (1975), without their f1 and f2, which matter above
    a coupling of about 1.5.
    """
    attraction = strength - mu_star * (1 + 0.62 * strength)
    if attraction <= 0 or omega_log <= 0:
        return 0.0
    return omega_log / 1.2 * math.exp(-1.04 * (1 + strength) / attraction)


def critical_temperature(
    couplings: Sequence[Coupling], mu_star: tuple[float, float] = MU_STAR
) -> CriticalTemperature | None:
    """Tc over the plateau of broadenings, or None where there is no positive coupling on it."""
    low, high = PLATEAU_RY
    flat = [one for one in couplings if low - 1e-9 <= one.broadening_ry <= high + 1e-9]
    if not flat or any(not (one.strength > 0 and one.omega_log > 0) for one in flat):
        return None
    strengths = [one.strength for one in flat]
    found = [allen_dynes(one.strength, one.omega_log, mu) for one in flat for mu in mu_star]
    return CriticalTemperature(
        float(np.mean(strengths)),
        (min(strengths), max(strengths)),
        float(np.mean([one.omega_log for one in flat])),
        min(found),
        max(found),
        mu_star,
    )
